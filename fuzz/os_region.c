/* os_region.c: a byte of state for each page; the next free ones serve, so that an address comes back late.
 */
#include "fuzz/os_region.h"

#include <heapyard/memory.h>

#if HY_ASAN
#include "allocators/core/os.h"
#include <heapyard/poison.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Beside the children's (interpreter.c, schedule_child.c) and malloc's (libc_tap.c). */
#define REGION ((uintptr_t)0x7eb000000000)
#define REGION_BYTES ((size_t)64 << 20)
#define PAGE_MIN ((size_t)4096)
#define PAGES_MAX (REGION_BYTES / PAGE_MIN)
#define CLEARED_MAX ((size_t)64 << 10) /* of more the system has it cheaper */

enum { IS_MAPPED = 1, IS_WRITTEN = 2 };

static struct {
    bool is_made, is_on;
    size_t next;   /* the page at which to look first */
    size_t mapped; /* pages */
    uint8_t states[PAGES_MAX];
} region;

static size_t page_count(void) {
    return REGION_BYTES / hy_page_size();
}

static size_t pages_of(size_t size) {
    return (size + hy_page_size() - 1) / hy_page_size();
}

static size_t index_of(const void *ptr) {
    return ((uintptr_t)ptr - REGION) / hy_page_size();
}

static char *address_of(size_t page) {
    return (char *)(REGION + page * hy_page_size()); /* NOLINT(performance-no-int-to-ptr) */
}

static void make_region(void) {
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
    void *at = mmap(address_of(0), REGION_BYTES, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (at != address_of(0)) abort();
    hy_poison(at, REGION_BYTES);
    region.is_made = true;
}

void hy_os_region_serve(bool on) {
    if (on && !region.is_made) make_region();
    if (on && region.mapped == 0) region.next = 0;
    region.is_on = on;
}

bool hy_os_region_has(const void *ptr) {
    return (uintptr_t)ptr - REGION < REGION_BYTES;
}

/* Free pages from this one on, but no more than are asked for. */
static size_t free_from(size_t page, size_t most) {
    size_t found = 0;
    while (found < most && page + found < page_count() && !(region.states[page + found] & IS_MAPPED))
        found++;
    return found;
}

/* The first of so many free pages in a range, or page_count(). */
static size_t find_free(size_t from, size_t to, size_t count) {
    for (size_t page = from; page + count <= to;) {
        size_t found = free_from(page, count);
        if (found == count) return page;
        page += found + 1;
    }
    return page_count();
}

static void take(size_t page, size_t count) {
    hy_unpoison(address_of(page), count * hy_page_size());
    for (size_t i = page; i < page + count; i++) {
        if (region.states[i] & IS_WRITTEN) memset(address_of(i), 0, hy_page_size());
        region.states[i] = IS_MAPPED | IS_WRITTEN;
    }
    region.mapped += count;
}

void *hy_os_region_map(size_t size) {
    if (!region.is_on || size == 0 || size > HY_OS_REGION_MAP_MAX) return NULL;
    size_t count = pages_of(size), page = find_free(region.next, page_count(), count);
    if (page == page_count()) page = find_free(0, page_count(), count);
    if (page == page_count()) return NULL;
    take(page, count);
    region.next = page + count;
    return address_of(page);
}

void hy_os_region_protect(const void *ptr, size_t size, bool accessible) {
    size_t bytes = pages_of(size) * hy_page_size();
    if (accessible)
        hy_unpoison(ptr, bytes);
    else
        hy_poison(ptr, bytes);
}

/* What of it is poisoned for its owner stays so: no function that looks at that may write here. */
HY_NO_SANITIZE_ADDRESS static void clear(void *ptr, size_t size) {
    volatile uint64_t *words = ptr;
    for (size_t i = 0; i < size / sizeof *words; i++)
        words[i] = 0;
}

bool hy_os_region_discard(void *ptr, size_t size) {
    size_t bytes = pages_of(size) * hy_page_size();
    if ((uintptr_t)ptr % hy_page_size() != 0 || bytes > CLEARED_MAX) return false;
    clear(ptr, bytes);
    return true;
}

bool hy_os_region_unmap(void *ptr, size_t size) {
    size_t page = index_of(ptr), count = pages_of(size);
    if ((uintptr_t)ptr % hy_page_size() != 0 || size == 0 || count > page_count() - page) return false;
    for (size_t i = page; i < page + count; i++) {
        region.mapped -= region.states[i] & IS_MAPPED;
        region.states[i] &= IS_WRITTEN;
    }
    hy_poison(ptr, count * hy_page_size());
    return true;
}

bool hy_os_region_resize(void *ptr, size_t old_size, size_t new_size) {
    size_t old_count = pages_of(old_size), new_count = pages_of(new_size), page = index_of(ptr);
    if (new_count < old_count)
        return hy_os_region_unmap(address_of(page + new_count), (old_count - new_count) * hy_page_size());
    size_t more = new_count - old_count;
    if (page % 2 == 0 && more > 0) return false;
    if (new_size > HY_OS_REGION_MAP_MAX || free_from(page + old_count, more) < more) return false;
    take(page + old_count, more);
    return true;
}
#else
void hy_os_region_serve(bool on) {
    (void)on;
}

bool hy_os_region_has(const void *ptr) {
    (void)ptr;
    return false;
}

void *hy_os_region_map(size_t size) {
    (void)size;
    return NULL;
}

void hy_os_region_protect(const void *ptr, size_t size, bool accessible) {
    (void)ptr, (void)size, (void)accessible;
}

bool hy_os_region_discard(void *ptr, size_t size) {
    (void)ptr, (void)size;
    return false;
}

bool hy_os_region_unmap(void *ptr, size_t size) {
    (void)ptr, (void)size;
    return false;
}

bool hy_os_region_resize(void *ptr, size_t old_size, size_t new_size) {
    (void)ptr, (void)old_size, (void)new_size;
    return false;
}
#endif
