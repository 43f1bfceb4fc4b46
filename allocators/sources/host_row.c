/* host_row.c: how the yards know host.
 *
 * The row stands on a foreign heap that is malloc and free as they are, so that what benches measure is the
 * adapter. Bit 0 of its options takes a small heap that counts calls and bytes instead, as a virtual machine
 * does: what it says is live must be what is live, and it must never be asked for a size that no object has.
 */
#include <heapyard/host.h>
#include <heapyard/libc.h>
#include <heapyard/plugin.h>
#include <heapyard/typed.h>
#include <stdlib.h>

#define OPTION_COUNTS 1u

/* The row's instance. A heap that counts has the size in front of each block, and many threads. */
typedef struct heap {
    hy_host host;
    bool counts;
    bool was_misused; /* it saw a size of 0, or one that no object has */
    size_t live_bytes;
    size_t live_blocks;
    size_t calls;
} heap;

static void *plain_alloc(void *context, size_t size) {
    (void)context;
    return malloc(size);
}

static void *plain_realloc(void *context, void *ptr, size_t size) {
    (void)context;
    return realloc(ptr, size);
}

static void plain_free(void *context, void *ptr) {
    (void)context;
    free(ptr);
}

#define HEADER_BYTES ((size_t)16)
/* With its header a block is no larger than any object can be; Valgrind tells a malloc that asks for more. */
#define HEAP_SIZE_MAX ((size_t)PTRDIFF_MAX - HEADER_BYTES)
_Static_assert(
    _Alignof(max_align_t) == HEADER_BYTES, "blocks behind the header are aligned as malloc aligns");

static void note_size(heap *h, size_t size) {
    if (size - 1 >= PTRDIFF_MAX) __atomic_store_n(&h->was_misused, true, __ATOMIC_RELAXED);
}

/* Adds with wrapping: less is more of the complement. */
static void count(size_t *counter, size_t more) {
    __atomic_fetch_add(counter, more, __ATOMIC_RELAXED);
}

static void *counted_alloc(void *context, size_t size) {
    heap *h = context;
    count(&h->calls, 1);
    note_size(h, size);
    if (size > HEAP_SIZE_MAX) return NULL;
    size_t *header = malloc(HEADER_BYTES + size);
    if (!header) return NULL;
    *header = size;
    count(&h->live_bytes, size);
    count(&h->live_blocks, 1);
    return (char *)header + HEADER_BYTES;
}

static void *counted_realloc(void *context, void *ptr, size_t size) {
    heap *h = context;
    count(&h->calls, 1);
    note_size(h, size);
    if (size > HEAP_SIZE_MAX) return NULL;
    size_t *header = (size_t *)((char *)ptr - HEADER_BYTES), old_size = *header;
    header = realloc(header, HEADER_BYTES + size);
    if (!header) return NULL;
    *header = size;
    count(&h->live_bytes, size - old_size);
    return (char *)header + HEADER_BYTES;
}

static void counted_free(void *context, void *ptr) {
    heap *h = context;
    count(&h->calls, 1);
    size_t *header = (size_t *)((char *)ptr - HEADER_BYTES);
    count(&h->live_bytes, 0 - *header);
    count(&h->live_blocks, SIZE_MAX);
    free(header);
}

static void *make(const hy_row *row, const hy_config *config, hy_allocator *out) {
    heap *h = hy_create(hy_libc(), heap);
    if (!h) return NULL;
    *h = (heap){.counts = config->options & OPTION_COUNTS};
    if (h->counts) {
        hy_host_init(&h->host, h, counted_alloc, counted_realloc, counted_free, row->greatest_align);
    } else {
        hy_host_init(&h->host, NULL, plain_alloc, plain_realloc, plain_free, row->greatest_align);
    }
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
    if (__atomic_load_n(&h->was_misused, __ATOMIC_RELAXED)) return false;
    return bytes <= PTRDIFF_MAX && bytes >= __atomic_load_n(&h->live_blocks, __ATOMIC_RELAXED);
}

/* What the foreign heap says: malloc, nothing. */
static bool stats(void *instance, hy_stats *out) {
    heap *h = instance;
    *out = (hy_stats){SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX};
    if (!h->counts) return true;
    out->used_bytes = out->capacity_bytes = __atomic_load_n(&h->live_bytes, __ATOMIC_RELAXED);
    out->overhead_bytes = HEADER_BYTES * __atomic_load_n(&h->live_blocks, __ATOMIC_RELAXED);
    out->calls_count = __atomic_load_n(&h->calls, __ATOMIC_RELAXED);
    return true;
}

/* The heap is told each block's size as it is, not more. */
static void tells(void *instance, hy_told *out) {
    heap *h = instance;
    if (!h->counts) return;
    out->numbers[HY_TOLD_LIVE_BLOCKS] = __atomic_load_n(&h->live_blocks, __ATOMIC_RELAXED);
    out->numbers[HY_TOLD_LIVE_BYTES] = __atomic_load_n(&h->live_bytes, __ATOMIC_RELAXED);
}

/* A heap without a context, which can change sizes or not. */
static const char *settings(hy_allocator child, hy_settings *from) {
    (void)child;
    uint8_t flags = hy_settings_byte(from);
    hy_host_plain host;
    hy_host_plain_init(&host, malloc, flags & 1 ? NULL : realloc, free, HY_ALIGN_MAX_SCALAR);
    const char *wrong = hy_settings_use(hy_host_plain_allocator(&host), from);
    hy_host without;
    hy_host_init(&without, NULL, plain_alloc, NULL, plain_free, HY_ALIGN_MAX_SCALAR);
    return wrong ? wrong : hy_settings_use(hy_host_allocator(&without), from);
}

const hy_row hy_host_row = {
    .name = "host",
    .group = HY_GROUP_SOURCE,
    .summary = "a foreign heap, given as functions; here malloc and free",
    .header = "heapyard/host.h",
    .traits = HY_TRAIT_THREAD_SAFE | HY_TRAIT_FREE_ANY | HY_TRAIT_REAL_FREE,
    .greatest_align = {4},
    .promises = {.remaps = true},
    .make = make,
    .destroy = destroy,
    .check = check,
    .stats = stats,
    .tells = tells,
    .settings = settings,
};
