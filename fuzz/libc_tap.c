/* libc_tap.c: a region of which each block is served once a run.
 *
 *     | redzone | header | block … | redzone | header | block … |
 *               16 bytes
 */
#include "fuzz/libc_tap.h"

#if HY_LIBC_TAP
#include "fuzz/finding.h"
#include "fuzz/races.h"
#include <heapyard/poison.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Beside the children's (interpreter.c, schedule_child.c). */
#define REGION ((uintptr_t)0x7ec000000000)
#define REGION_BYTES ((size_t)64 << 20)
#define BLOCK_MAX ((size_t)1 << 20) /* bytes, and alignment */
#define REDZONE_BYTES 16
#define FILLED_MAX ((size_t)4096) /* the first bytes of a fresh block */
#define FRESH_BYTE 0xBE
#define LIVE UINT64_C(0x11FEB10C11FEB10C)
#define FREED UINT64_C(0xF4EEDB10CF4EEDB1)

typedef struct header {
    uint64_t size;
    uint64_t state; /* LIVE or FREED */
} header;

static struct {
    bool is_mapped;
    bool is_on;
    uintptr_t cursor;
    size_t blocks, bytes; /* live */
} tap;

void *__real_malloc(size_t size);
void *__real_realloc(void *ptr, size_t size);
int __real_posix_memalign(void **out, size_t align, size_t size);
void __real_free(void *ptr);
size_t __real_malloc_usable_size(void *ptr);

void *__wrap_malloc(size_t size);
void *__wrap_realloc(void *ptr, size_t size);
int __wrap_posix_memalign(void **out, size_t align, size_t size);
void __wrap_free(void *ptr);
size_t __wrap_malloc_usable_size(void *ptr);

static void map_region(void) {
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
    void *at = mmap((void *)REGION, REGION_BYTES, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (at != (void *)REGION) abort();
    hy_poison(at, REGION_BYTES);
    tap.cursor = REGION;
    tap.is_mapped = true;
}

void hy_libc_tap_begin(void) {
    if (!tap.is_mapped) map_region();
    if (tap.blocks == 0) {
        hy_poison((void *)REGION, tap.cursor - REGION);
        tap.cursor = REGION;
    }
    tap.is_on = true;
}

void hy_libc_tap_end(void) {
    tap.is_on = false;
}

size_t hy_libc_tap_bytes(void) {
    return tap.bytes;
}

static bool is_ours(const void *ptr) {
    return (uintptr_t)ptr - REGION < REGION_BYTES;
}

/* NULL: the C library is to serve it. */
static void *carve(size_t align, size_t size) {
    if (!tap.is_on || size > BLOCK_MAX || align > BLOCK_MAX) return NULL;
    uintptr_t address = tap.cursor + REDZONE_BYTES + sizeof(header);
    address = (address + align - 1) & ~(align - 1);
    if (address + size > REGION + REGION_BYTES) return NULL;
    header *at = (header *)address - 1;
    hy_unpoison(at, sizeof *at);
    *at = (header){size, LIVE};
    hy_poison(at, sizeof *at);
    hy_unpoison((void *)address, size);
    memset((void *)address, FRESH_BYTE, size < FILLED_MAX ? size : FILLED_MAX);
    tap.cursor = (address + size + 15) & ~(uintptr_t)15;
    tap.blocks++;
    tap.bytes += size;
    hy_races_malloc_gives();
    return (void *)address;
}

/* The size of a live block; what is none is a finding. */
static size_t size_of(const void *ptr, const char *call) {
    header *at = (header *)(uintptr_t)ptr - 1;
    bool can_be = (uintptr_t)ptr % 16 == 0 && (uintptr_t)at >= REGION;
    if (can_be) hy_unpoison(at, sizeof *at);
    if (!can_be || at->state != LIVE)
        hy_finding("model", "%s of %p, which %s", call, ptr,
            can_be && at->state == FREED ? "was freed before" : "is no block of malloc");
    size_t size = (size_t)at->size;
    hy_poison(at, sizeof *at);
    return size;
}

static void end_block(void *ptr, const char *call) {
    size_t size = size_of(ptr, call);
    header *at = (header *)ptr - 1;
    hy_unpoison(at, sizeof *at);
    at->state = FREED;
    hy_poison(at, sizeof *at + size);
    hy_races_malloc_takes();
    tap.blocks--;
    tap.bytes -= size;
}

void *__wrap_malloc(size_t size) {
    void *ptr = carve(16, size);
    return ptr ? ptr : __real_malloc(size);
}

int __wrap_posix_memalign(void **out, size_t align, size_t size) {
    bool is_power = align >= sizeof(void *) && (align & (align - 1)) == 0;
    void *ptr = is_power ? carve(align < 16 ? 16 : align, size) : NULL;
    if (!ptr) return __real_posix_memalign(out, align, size);
    *out = ptr;
    return 0;
}

/* It moves always, as AddressSanitizer's does. */
void *__wrap_realloc(void *ptr, size_t size) {
    if (!ptr) return __wrap_malloc(size);
    if (!is_ours(ptr)) return __real_realloc(ptr, size);
    if (size == 0) {
        end_block(ptr, "realloc");
        return NULL;
    }
    size_t old_size = size_of(ptr, "realloc");
    void *moved = __wrap_malloc(size);
    if (!moved) return NULL;
    memcpy(moved, ptr, old_size < size ? old_size : size);
    end_block(ptr, "realloc");
    return moved;
}

void __wrap_free(void *ptr) {
    if (!is_ours(ptr))
        __real_free(ptr);
    else
        end_block(ptr, "free");
}

size_t __wrap_malloc_usable_size(void *ptr) {
    return is_ours(ptr) ? size_of(ptr, "malloc_usable_size") : __real_malloc_usable_size(ptr);
}

#else
void hy_libc_tap_begin(void) {}
void hy_libc_tap_end(void) {}
size_t hy_libc_tap_bytes(void) {
    return 0;
}
#endif
