/* heapyard/wasm.h: general purpose on a memory that can only grow at its end, as WebAssembly's can.
 *
 *   static hy_wasm heap;                                        in a wasm module, once
 *   hy_wasm_init(&heap, hy_wasm_linear_memory(), 64 << 20);     at most 64 MiB
 *   char *text = hy_alloc_n(hy_wasm_allocator(&heap), char, 100);
 *
 * Small blocks (up to 128 bytes and an alignment of 64) lie without headers in slabs of 1 KiB, of one size
 * each; larger ones have a word in front of them and are joined with their neighbours when they are freed. An
 * empty slab goes back to the larger ones, so memory that was used for one size serves any other later.
 *
 * Memory is asked for in pages of 64 KiB: as many as a request needs, or a sixteenth of what is there. It
 * never goes back, for WebAssembly has no call for it. It need not be contiguous: other code may grow the
 * memory too.
 *
 * Outside WebAssembly it works on any memory that a function hands out page by page.
 *
 * Ownership: memory that was handed out stays the heap's for good; the struct must outlive the blocks.
 * Thread-safe, by one lock; in a module without threads the lock is nothing. Greatest alignment: 2^31, or
 * what the memory has. Errors: NULL or false where the memory or the limit refuses; nothing has changed.
 * Cost: O(1); before the memory grows, the free blocks of about the size are looked through. Overhead: of a
 * small block its rounding to eight bytes, and a fortieth of its slab; of a larger one a word and up to two
 * words of rounding. After TLSF (Masmano, Ripoll, Crespo and Real, 2004) for large blocks, and slabs
 * (Bonwick, 1994).
 */
#ifndef HEAPYARD_WASM_H
#define HEAPYARD_WASM_H

#include <heapyard/allocator.h>
#include <heapyard/error.h>

HY_BEGIN_DECLS

/* What WebAssembly's memory grows by. */
#define HY_WASM_PAGE_BYTES ((size_t)65536)

/* Where memory comes from. */
typedef struct hy_wasm_memory {
    void *context;
    /* Makes so many bytes, a multiple of page_bytes, part of the memory. Returns: where they begin,
     * at a multiple of 16; NULL: refused. */
    void *(*grow)(void *context, size_t bytes);
    size_t page_bytes; /* a power of two, at least 16 */
    bool is_one_range; /* each piece begins where the one before ends; where not, a piece may be taken in vain
                        */
} hy_wasm_memory;

/* What follows up to the functions is the implementation's. */
#define HY_WASM_CLASSES 16
#define HY_WASM_ROWS (sizeof(size_t) == 4 ? 27 : 35)
#define HY_WASM_ROWS_MAX 35
#define HY_WASM_COLUMNS 8

struct hy_wasm_block;
struct hy_wasm_region;
struct hy_wasm_slab;

/* Free blocks by size: rows double, columns divide a row evenly. */
typedef struct hy_wasm_blocks {
    uint64_t rows; /* bit r: row r has a block */
    uint8_t columns[HY_WASM_ROWS_MAX];
    struct hy_wasm_block *free[HY_WASM_ROWS_MAX][HY_WASM_COLUMNS];
    struct hy_wasm_region *regions; /* the newest first */
    struct hy_wasm_block *end;      /* the newest region's last, which has no bytes */
} hy_wasm_blocks;

/* A heap: fields are for its own functions. */
typedef struct hy_wasm {
    uint32_t lock;
    hy_wasm_memory memory;
    size_t limit_bytes, taken_bytes;
    struct hy_wasm_slab *slabs[HY_WASM_CLASSES]; /* with room for a block */
    hy_wasm_blocks blocks;
} hy_wasm;

/* Starts without memory. limit_bytes: the most that is ever taken, SIZE_MAX for no limit; what is not a whole
 * page of it is not used. A memory without a function, or whose page is no power of two, is misuse. O(1). */
HY_API void hy_wasm_init(hy_wasm *heap, hy_wasm_memory memory, size_t limit_bytes);

/* Gives the heap a piece of memory beside what it grows by: the rest of a module's first pages. It is not
 * counted against the limit. False: it is too small to be of use, and stays the caller's. O(1). */
HY_API bool hy_wasm_add(hy_wasm *heap, void *piece, size_t bytes);

#ifdef __wasm__
/* The module's own memory, by memory.grow. Whatever else grows it is not disturbed. */
HY_API hy_wasm_memory hy_wasm_linear_memory(void);
#endif

/* As the vtable's slots; self is an hy_wasm. remap is resize: nothing moves. */
HY_API void *hy_wasm_alloc(void *self, size_t size, hy_align align);
HY_API bool hy_wasm_resize(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align);
HY_API void *hy_wasm_remap(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align);
HY_API void hy_wasm_free(void *self, void *ptr, size_t size, hy_align align);

static const hy_vtable hy_wasm_vtable = {hy_wasm_alloc, hy_wasm_resize, hy_wasm_remap, hy_wasm_free};

/* The allocator's value; the struct must outlive it and stay where it is. */
HY_INLINE hy_allocator hy_wasm_allocator(hy_wasm *heap) {
    hy_allocator allocator = {heap, &hy_wasm_vtable};
    return allocator;
}

/* What a heap holds. */
typedef struct hy_wasm_counts {
    size_t taken_bytes; /* by growing */
    size_t used_bytes;  /* of live blocks, rounded up as they are */
} hy_wasm_counts;

/* O(blocks + slabs). */
HY_API hy_wasm_counts hy_wasm_counted(hy_wasm *heap);

/* Whether ptr lies in the heap's memory. O(pieces of memory). */
HY_API bool hy_wasm_owns(hy_wasm *heap, const void *ptr);

/* Walks everything; whether it holds together. O(blocks + slabs). */
HY_API bool hy_wasm_check(hy_wasm *heap);

HY_END_DECLS

#endif
