/* host_row.c: how the yards know host.
 *
 * The row stands on a small heap of its own, over malloc, that counts calls and bytes as a virtual machine
 * does: what it says is live must be what is live.
 */
#include <heapyard/host.h>
#include <heapyard/libc.h>
#include <heapyard/plugin.h>
#include <heapyard/typed.h>
#include <stdlib.h>

/* The row's foreign heap: malloc with the size in front of each block, counted from many threads. */
typedef struct heap {
    hy_host host;
    size_t live_bytes;
    size_t live_blocks;
    size_t calls;
} heap;

#define HEADER_BYTES ((size_t)16)
/* With its header a block is no larger than any object can be; Valgrind tells a malloc that asks for more. */
#define HEAP_SIZE_MAX ((size_t)PTRDIFF_MAX - HEADER_BYTES)
_Static_assert(
    _Alignof(max_align_t) == HEADER_BYTES, "blocks behind the header are aligned as malloc aligns");

/* Adds with wrapping: less is more of the complement. */
static void count(size_t *counter, size_t more) {
    __atomic_fetch_add(counter, more, __ATOMIC_RELAXED);
}

static void *heap_alloc(void *context, size_t size) {
    heap *h = context;
    count(&h->calls, 1);
    if (size > HEAP_SIZE_MAX) return NULL;
    size_t *header = malloc(HEADER_BYTES + size);
    if (!header) return NULL;
    *header = size;
    count(&h->live_bytes, size);
    count(&h->live_blocks, 1);
    return (char *)header + HEADER_BYTES;
}

static void *heap_realloc(void *context, void *ptr, size_t size) {
    heap *h = context;
    count(&h->calls, 1);
    if (size > HEAP_SIZE_MAX) return NULL;
    size_t *header = (size_t *)((char *)ptr - HEADER_BYTES), old_size = *header;
    header = realloc(header, HEADER_BYTES + size);
    if (!header) return NULL;
    *header = size;
    count(&h->live_bytes, size - old_size);
    return (char *)header + HEADER_BYTES;
}

static void heap_free(void *context, void *ptr) {
    heap *h = context;
    count(&h->calls, 1);
    size_t *header = (size_t *)((char *)ptr - HEADER_BYTES);
    count(&h->live_bytes, 0 - *header);
    count(&h->live_blocks, SIZE_MAX);
    free(header);
}

static void *make(const hy_row *row, const hy_config *config, hy_allocator *out) {
    (void)config;
    heap *h = hy_create(hy_libc(), heap);
    if (!h) return NULL;
    *h = (heap){.live_bytes = 0};
    hy_host_init(&h->host, h, heap_alloc, heap_realloc, heap_free, row->greatest_align);
    *out = hy_host_allocator(&h->host);
    return h;
}

static void destroy(const hy_row *row, void *instance) {
    (void)row;
    hy_destroy(hy_libc(), (heap *)instance);
}

static bool check(void *instance) {
    heap *h = instance;
    size_t bytes = __atomic_load_n(&h->live_bytes, __ATOMIC_RELAXED);
    return bytes <= PTRDIFF_MAX && bytes >= __atomic_load_n(&h->live_blocks, __ATOMIC_RELAXED);
}

/* What the foreign heap says. */
static bool stats(void *instance, hy_stats *out) {
    heap *h = instance;
    size_t live = __atomic_load_n(&h->live_bytes, __ATOMIC_RELAXED);
    *out = (hy_stats){
        .capacity_bytes = live,
        .used_bytes = live,
        .overhead_bytes = HEADER_BYTES * __atomic_load_n(&h->live_blocks, __ATOMIC_RELAXED),
        .high_water_bytes = SIZE_MAX,
        .calls_count = __atomic_load_n(&h->calls, __ATOMIC_RELAXED),
    };
    return true;
}

const hy_row hy_host_row = {
    .name = "host",
    .group = HY_GROUP_SOURCE,
    .summary = "a foreign heap, given as functions; here a small one over malloc that counts bytes",
    .header = "heapyard/host.h",
    .traits = HY_TRAIT_THREAD_SAFE | HY_TRAIT_FREE_ANY | HY_TRAIT_REAL_FREE,
    .greatest_align = {4},
    .make = make,
    .destroy = destroy,
    .check = check,
    .stats = stats,
};
