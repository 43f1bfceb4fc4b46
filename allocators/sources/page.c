/* page.c: whole pages straight from the operating system.
 *
 * For: few large blocks; the source below an arena or a pool. Not for: small blocks.
 * Algorithm: the system's map of pages. An alignment above a page is served by mapping more than was
 * asked and giving back what lies before and behind:
 *
 *   |head      |block, aligned      |tail|     head and tail are unmapped again
 *
 * and a move that must keep one goes onto a reserved range that is trimmed in the same way first.
 * Cost: one system call, two or three above a page's alignment. Overhead: the last page's rest.
 * Thread-safe: yes, the system is; the counts are atomic.
 * Source: Zig's PageAllocator; trimming is the usual way to over-align a mapping.
 */
#include <heapyard/page.h>

#include "allocators/core/os.h"

hy_page_source hy_page_process_source;

static void count_call(hy_page_source *source) {
    __atomic_fetch_add(&source->calls_count, 1, __ATOMIC_RELAXED);
}

static void count_taken(hy_page_source *source, size_t bytes) {
    size_t held = __atomic_add_fetch(&source->held_bytes, bytes, __ATOMIC_RELAXED);
    size_t high = __atomic_load_n(&source->high_water_bytes, __ATOMIC_RELAXED);
    while (held > high && !__atomic_compare_exchange_n(&source->high_water_bytes, &high, held, true,
                              __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
    }
}

static void count_given(hy_page_source *source, size_t bytes) {
    size_t held = __atomic_fetch_sub(&source->held_bytes, bytes, __ATOMIC_RELAXED);
    (void)held;
    HY_ASSERT(held >= bytes, "more pages go back than were taken");
}

static void count_resized(hy_page_source *source, size_t old_bytes, size_t new_bytes) {
    if (new_bytes > old_bytes) {
        count_taken(source, new_bytes - old_bytes);
    } else {
        count_given(source, old_bytes - new_bytes);
    }
}

hy_page_counts hy_page_source_counts(const hy_page_source *source) {
    return (hy_page_counts){
        .held_bytes = __atomic_load_n(&source->held_bytes, __ATOMIC_RELAXED),
        .high_water_bytes = __atomic_load_n(&source->high_water_bytes, __ATOMIC_RELAXED),
        .calls_count = __atomic_load_n(&source->calls_count, __ATOMIC_RELAXED),
    };
}

/* Rounds up to whole pages; false where that, or a half of the addresses, is passed. */
static bool whole_pages(size_t size, size_t *bytes) {
    size_t mask = hy_page_size() - 1;
    if (size > PTRDIFF_MAX - mask) return false;
    *bytes = (size + mask) & ~mask;
    return true;
}

/* The same for a block that was handed out, so that it can't fail. */
static size_t pages_of_block(size_t size) {
    size_t mask = hy_page_size() - 1;
    return (size + mask) & ~mask;
}

static void unmap(hy_page_source *source, char *ptr, size_t bytes) {
    if (bytes == 0) return;
    count_call(source);
    if (!hy_os_unmap(ptr, bytes)) hy_os_discard(ptr, bytes);
}

/* A range from `take` (the system's map or reserve) that begins at a multiple of align, which is above
 * a page; what is too much goes back. */
static char *take_aligned(hy_page_source *source, void *(*take)(size_t), size_t bytes, size_t align) {
    size_t whole = bytes + (align - hy_page_size()); /* no overflow: each is at most half of the addresses */
    if (whole > PTRDIFF_MAX) return NULL;
    count_call(source);
    char *start = take(whole);
    if (!start) return NULL;
    char *block = (char *)(((uintptr_t)start + align - 1) & ~(uintptr_t)(align - 1));
    unmap(source, start, (size_t)(block - start));
    unmap(source, block + bytes, whole - bytes - (size_t)(block - start));
    return block;
}

/* What lies behind a block in its last page is not its owner's. It must be unpoisoned, though, when its
 * addresses go back to the system: their next owner knows nothing of it. */
static void close_rest(char *ptr, size_t size, size_t bytes) {
    hy_poison(ptr + size, bytes - size);
}

static void open_rest(char *ptr, size_t size, size_t bytes) {
    hy_unpoison(ptr + size, bytes - size);
}

void *hy_page_alloc(hy_page_source *source, size_t size, hy_align align) {
    size_t bytes, wanted = hy_align_bytes(align);
    if (!whole_pages(size, &bytes)) return NULL;
    bool huge = source->options.huge && bytes >= HY_OS_HUGE_PAGE;
    if (huge && wanted < HY_OS_HUGE_PAGE) wanted = HY_OS_HUGE_PAGE;

    char *ptr;
    if (wanted <= hy_page_size()) {
        count_call(source);
        ptr = hy_os_map(bytes);
    } else {
        ptr = take_aligned(source, hy_os_map, bytes, wanted);
    }
    if (!ptr) return NULL;
    if (huge) {
        count_call(source);
        hy_os_advise_huge(ptr, bytes);
    }
    HY_ASSERT(hy_align_check_pointer(ptr, align), "the system's pages are not aligned as asked");
    count_taken(source, bytes);
    close_rest(ptr, size, bytes);
    return ptr;
}

/* A block in place, in whole pages. */
static bool resize_pages(hy_page_source *source, char *ptr, size_t old_bytes, size_t new_bytes) {
    if (new_bytes == old_bytes) return true;
    count_call(source);
    if (new_bytes > old_bytes) return hy_os_resize(ptr, old_bytes, new_bytes);
    return hy_os_unmap(ptr + new_bytes, old_bytes - new_bytes);
}

bool hy_page_resize(hy_page_source *source, void *ptr, size_t old_size, size_t new_size) {
    size_t old_bytes = pages_of_block(old_size), new_bytes;
    if (!whole_pages(new_size, &new_bytes)) return false;
    open_rest(ptr, old_size, old_bytes);
    if (!resize_pages(source, ptr, old_bytes, new_bytes)) {
        close_rest(ptr, old_size, old_bytes);
        return false;
    }
    count_resized(source, old_bytes, new_bytes);
    close_rest(ptr, new_size, new_bytes);
    return true;
}

/* By page tables, onto a range that keeps the alignment. */
static char *move_pages(hy_page_source *source, char *ptr, size_t old_bytes, size_t new_bytes, size_t align) {
    if (align <= hy_page_size()) {
        count_call(source);
        return hy_os_move(ptr, old_bytes, new_bytes);
    }
    char *target = take_aligned(source, hy_os_reserve, new_bytes, align);
    if (!target) return NULL;
    count_call(source);
    if (hy_os_move_to(ptr, old_bytes, new_bytes, target)) return target;
    unmap(source, target, new_bytes);
    return NULL;
}

/* Valgrind 3.19 takes the new pages' rights from whatever lies, after the move, where its table had the
 * old block: where that is a hole or a reserved range, it would take every write to them for wrong. */
static void open_grown(char *ptr, size_t old_bytes, size_t new_bytes) {
    if (new_bytes > old_bytes) hy_unpoison(ptr + old_bytes, new_bytes - old_bytes);
}

void *hy_page_remap(hy_page_source *source, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    if (hy_page_resize(source, ptr, old_size, new_size)) return ptr;
    size_t old_bytes = pages_of_block(old_size), new_bytes;
    if (!whole_pages(new_size, &new_bytes)) return NULL;
    open_rest(ptr, old_size, old_bytes);
    char *moved = move_pages(source, ptr, old_bytes, new_bytes, hy_align_bytes(align));
    if (!moved) {
        close_rest(ptr, old_size, old_bytes);
        return NULL;
    }
    count_resized(source, old_bytes, new_bytes);
    open_grown(moved, old_bytes, new_bytes);
    close_rest(moved, new_size, new_bytes);
    return moved;
}

void hy_page_free(hy_page_source *source, void *ptr, size_t size) {
    size_t bytes;
    bool whole = whole_pages(size, &bytes);
    HY_ASSERT(whole, "a block of a size that was never handed out");
    if (!whole) return;
    open_rest(ptr, size, bytes);
    unmap(source, ptr, bytes);
    count_given(source, bytes);
}

void *hy_page_slot_alloc(void *self, size_t size, hy_align align) {
    return hy_page_alloc(self, size, align);
}

bool hy_page_slot_resize(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    (void)align;
    return hy_page_resize(self, ptr, old_size, new_size);
}

void *hy_page_slot_remap(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    return hy_page_remap(self, ptr, old_size, new_size, align);
}

void hy_page_slot_free(void *self, void *ptr, size_t size, hy_align align) {
    (void)align;
    hy_page_free(self, ptr, size);
}
