/* wasm_row.c: how the yards know wasm.
 *
 * Outside WebAssembly the row's memory is its child's: a block for each time that the heap grows, which lies
 * anywhere. Bit 0 of its options takes one range instead, and hands it out from its beginning to its end, as
 * WebAssembly does. Bit 1 gives it a piece beside what it grows by.
 */
#include "allocators/core/os.h"
#include <heapyard/libc.h>
#include <heapyard/plugin.h>
#include <heapyard/typed.h>
#include <heapyard/wasm.h>

#define OPTION_ONE_RANGE 1u
#define OPTION_PIECE 2u
#define PAGE_BYTES ((size_t)1024) /* small ones, so that much happens at their edges */
#define RANGE_BYTES (1024 * PAGE_BYTES)
#define PIECE_BYTES (4 * PAGE_BYTES)

/* A block of the child. */
typedef struct piece {
    struct piece *next;
    char *bytes;
    size_t size;
} piece;

typedef struct instance {
    hy_wasm heap;
    hy_allocator child;
    piece *pieces;
    char *range;        /* with OPTION_ONE_RANGE */
    size_t range_left;  /* at its end */
    size_t given_bytes; /* with OPTION_PIECE */
} instance;

static char *take_piece(instance *it, size_t bytes) {
    piece *made = hy_create(hy_libc(), piece);
    if (!made) return NULL;
    *made = (piece){it->pieces, hy_alloc(it->child, bytes, HY_ALIGN_16), bytes};
    if (!made->bytes) {
        hy_destroy(hy_libc(), made);
        return NULL;
    }
    it->pieces = made;
    return made->bytes;
}

static void *grow(void *context, size_t bytes) {
    return take_piece(context, bytes);
}

static void *grow_range(void *context, size_t bytes) {
    instance *it = context;
    if (bytes > RANGE_BYTES) return NULL;
    if (!it->range && (it->range = take_piece(it, RANGE_BYTES))) it->range_left = RANGE_BYTES;
    if (bytes > it->range_left) return NULL;
    char *begin = it->range + RANGE_BYTES - it->range_left;
    it->range_left -= bytes;
    return begin;
}

/* It begins and ends anywhere. */
static void give_piece(instance *it) {
    char *begin = take_piece(it, PIECE_BYTES);
    if (begin && hy_wasm_add(&it->heap, begin + 3, PIECE_BYTES - 8)) it->given_bytes = PIECE_BYTES - 8;
}

static void *make(const hy_row *row, const hy_config *config, hy_allocator *out) {
    (void)row;
    instance *made = hy_create(hy_libc(), instance);
    if (!made) return NULL;
    *made = (instance){.child = config->child};
    bool is_one_range = config->options & OPTION_ONE_RANGE;
    hy_wasm_init(&made->heap,
        (hy_wasm_memory){made, is_one_range ? grow_range : grow, PAGE_BYTES, is_one_range}, SIZE_MAX);
    if (config->options & OPTION_PIECE) give_piece(made);
    *out = hy_wasm_allocator(&made->heap);
    return made;
}

static void destroy(const hy_row *row, void *state) {
    (void)row;
    instance *it = state;
    while (it->pieces) {
        piece *gone = it->pieces;
        it->pieces = gone->next;
        hy_unpoison(gone->bytes, gone->size);
        hy_free(it->child, gone->bytes, gone->size, HY_ALIGN_16);
        hy_destroy(hy_libc(), gone);
    }
    hy_destroy(hy_libc(), it);
}

static bool owns(void *state, const void *ptr) {
    return hy_wasm_owns(state, ptr);
}

static bool check(void *state) {
    return hy_wasm_check(state);
}

static bool stats(void *state, hy_stats *out) {
    hy_wasm_counts counts = hy_wasm_counted(state);
    out->capacity_bytes = counts.taken_bytes + ((const instance *)state)->given_bytes;
    out->used_bytes = counts.used_bytes;
    out->overhead_bytes = SIZE_MAX;
    out->high_water_bytes = SIZE_MAX;
    out->calls_count = SIZE_MAX;
    return true;
}

_Static_assert(offsetof(instance, heap) == 0, "the row's functions take the instance for its heap");

const hy_row hy_wasm_row = {
    .name = "wasm",
    .group = HY_GROUP_SOURCE,
    .summary = "general purpose on a memory that only grows, as WebAssembly's does",
    .header = "heapyard/wasm.h",
    .traits = HY_TRAIT_FREE_ANY | HY_TRAIT_REAL_FREE | HY_TRAIT_THREAD_SAFE,
    .greatest_align = {HY_ALIGN_LOG2_MAX},
    .default_child = "libc",
    .promises = {.footprint_factor = 8}, /* a slab for each size that is used once */
    .make = make,
    .destroy = destroy,
    .owns = owns,
    .check = check,
    .stats = stats,
};
