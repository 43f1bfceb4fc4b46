/* wasm.c: general purpose on a memory that only grows: slabs of small blocks over blocks of any size.
 *
 * For: WebAssembly, and anything else whose memory is one range that grows. Not for: systems with pages to
 * give back (smp). Algorithm: the caller's size and alignment say at free what kind a block is, so small ones
 * need no header:
 *
 *     size <= 128, align <= 64:  a slab of its class: 8, 16 … 128 bytes
 *     else                       a block with a word in front of it (wasm_blocks.h)
 *
 *     slab, at a multiple of 1024:  | next, previous, free, live, unused, class | block | block | ... |
 *
 *   A slab's free blocks are a LIFO list; those never used follow one another. A class links the slabs that
 * have room, the one last freed into first. One that is empty goes back to the large blocks, but for the
 * class's only one, which stays until memory would have to grow. Slabs are blocks of 1024 bytes less the word
 * in front of the next one, so that one follows the other without a gap. Growing: by what the request lacks,
 * or a sixteenth of what is there where the limit allows it. Cost: some 20 instructions a small block, 60 a
 * large one. Overhead: a slab's header of five words. Thread-safe by a lock. Source: Bonwick's slabs over
 * TLSF.
 */
#include "allocators/core/lock.h"
#include "allocators/sources/wasm_blocks.h"

#define SLAB_BYTES ((size_t)1024)
#define SLAB_END (SLAB_BYTES - HY_WASM_WORD) /* behind it stands the header of what follows */
#define SMALL_MAX (HY_WASM_CLASSES * CLASS_STEP)
#define CLASS_STEP ((size_t)8)
#define SMALL_ALIGN_LOG2_MAX 6
/* No more can be told apart by the rows of wasm_blocks.h. */
#define TAKEN_MAX (sizeof(size_t) == 4 ? SIZE_MAX : (size_t)1 << (sizeof(size_t) == 4 ? 31 : 40))

typedef struct hy_wasm_slab {
    struct hy_wasm_slab *next, *previous; /* among those with room */
    void *free;
    uint16_t live;
    uint16_t unused; /* where the first block lies that was never used */
    uint16_t class_number;
} hy_wasm_slab;

#if defined(__wasm__) && !defined(__wasm_atomics__)
/* There is one thread. */
static void take_lock(hy_wasm *heap) {
    (void)heap;
}
static void release_lock(hy_wasm *heap) {
    (void)heap;
}
#else
_Static_assert(sizeof(hy_lock) == sizeof(uint32_t), "the header's word is the lock");
static void take_lock(hy_wasm *heap) {
    hy_lock_take((hy_lock *)&heap->lock);
}
static void release_lock(hy_wasm *heap) {
    hy_lock_release((hy_lock *)&heap->lock);
}
#endif

/* ---- classes ---- */

static bool is_small(size_t size, hy_align align) {
    return size <= SMALL_MAX && align.log2 <= SMALL_ALIGN_LOG2_MAX;
}

/* The class of a small block. Its size is a multiple of the alignment. */
static unsigned class_of(size_t size, hy_align align) {
    return (unsigned)((hy_align_forward(size, align) - 1) / CLASS_STEP);
}

static size_t size_of_class(unsigned number) {
    return (number + 1) * CLASS_STEP;
}

/* Where a slab's first block begins: aligned as all blocks of its class are. */
static size_t first_of_class(unsigned number) {
    size_t size = size_of_class(number), natural = size & (0 - size);
    size_t align = natural > (size_t)1 << SMALL_ALIGN_LOG2_MAX ? (size_t)1 << SMALL_ALIGN_LOG2_MAX : natural;
    return (sizeof(hy_wasm_slab) + align - 1) & ~(align - 1);
}

/* ---- slabs ---- */

static hy_wasm_slab *slab_of(const void *ptr) {
    return (hy_wasm_slab *)((uintptr_t)ptr & ~(uintptr_t)(SLAB_BYTES - 1));
}

static bool has_room(const hy_wasm_slab *slab) {
    return slab->free || slab->unused + size_of_class(slab->class_number) <= SLAB_END;
}

static void link_slab(hy_wasm *heap, hy_wasm_slab *slab) {
    hy_wasm_slab **first = &heap->slabs[slab->class_number];
    slab->previous = NULL;
    slab->next = *first;
    if (*first) (*first)->previous = slab;
    *first = slab;
}

static void unlink_slab(hy_wasm *heap, hy_wasm_slab *slab) {
    if (slab->next) slab->next->previous = slab->previous;
    if (slab->previous) {
        slab->previous->next = slab->next;
    } else {
        heap->slabs[slab->class_number] = slab->next;
    }
}

static void end_slab(hy_wasm *heap, hy_wasm_slab *slab) {
    unlink_slab(heap, slab);
    hy_wasm_blocks_give(&heap->blocks, slab);
}

/* Gives back the empty slabs that classes keep; whether there were any. */
static bool end_empty_slabs(hy_wasm *heap) {
    bool found = false;
    for (unsigned i = 0; i < HY_WASM_CLASSES; i++) {
        hy_wasm_slab *slab = heap->slabs[i];
        if (!slab || slab->live != 0) continue;
        end_slab(heap, slab);
        found = true;
    }
    return found;
}

/* ---- memory ---- */

static size_t whole_pages(const hy_wasm *heap, size_t bytes) {
    size_t mask = heap->memory.page_bytes - 1;
    return bytes > SIZE_MAX - mask ? 0 : (bytes + mask) & ~mask;
}

static bool grow_by(hy_wasm *heap, size_t bytes) {
    bytes = whole_pages(heap, bytes);
    if (bytes == 0 || bytes > heap->limit_bytes - heap->taken_bytes) return false;
    void *piece = heap->memory.grow(heap->memory.context, bytes);
    if (!piece) return false;
    heap->taken_bytes += bytes;
    return hy_wasm_blocks_add(&heap->blocks, piece, bytes);
}

/* Memory for such a block, where it comes behind what is there, or elsewhere; false: refused. */
static bool grow_for(hy_wasm *heap, size_t size, hy_align align, bool is_behind) {
    size_t missing = hy_wasm_blocks_missing(&heap->blocks, size, align, is_behind);
    if (missing == SIZE_MAX) return false;
    size_t more = heap->taken_bytes / 16;
    return (more > missing && grow_by(heap, more)) || grow_by(heap, missing);
}

/* A large block, or a slab. */
static void *take_block(hy_wasm *heap, size_t size, hy_align align) {
    void *ptr = hy_wasm_blocks_take(&heap->blocks, size, align);
    if (!ptr && end_empty_slabs(heap)) ptr = hy_wasm_blocks_take(&heap->blocks, size, align);
    bool is_behind = heap->memory.is_one_range;
    if (!ptr && grow_for(heap, size, align, is_behind)) ptr = hy_wasm_blocks_take(&heap->blocks, size, align);
    /* It came from elsewhere: somebody else has grown the memory too. */
    if (!ptr && is_behind && grow_for(heap, size, align, false))
        ptr = hy_wasm_blocks_take(&heap->blocks, size, align);
    return ptr;
}

/* ---- small blocks ---- */

static hy_wasm_slab *make_slab(hy_wasm *heap, unsigned class_number) {
    hy_wasm_slab *slab = take_block(heap, SLAB_END, hy_align_from_bytes(SLAB_BYTES));
    if (!slab) return NULL;
    *slab = (hy_wasm_slab){
        .unused = (uint16_t)first_of_class(class_number), .class_number = (uint16_t)class_number};
    hy_poison(slab + 1, SLAB_END - sizeof *slab);
    link_slab(heap, slab);
    return slab;
}

static void *take_small(hy_wasm *heap, size_t size, hy_align align) {
    unsigned class_number = class_of(size, align);
    hy_wasm_slab *slab = heap->slabs[class_number];
    if (!slab && !(slab = make_slab(heap, class_number))) return NULL;
    void **ptr = slab->free;
    if (ptr) {
        hy_unpoison_defined(ptr, sizeof *ptr);
        slab->free = *ptr;
        hy_poison(ptr, sizeof *ptr);
    } else {
        ptr = (void **)(void *)((char *)slab + slab->unused);
        slab->unused = (uint16_t)(slab->unused + size_of_class(class_number));
    }
    slab->live++;
    if (!has_room(slab)) unlink_slab(heap, slab);
    hy_unpoison(ptr, size);
    return ptr;
}

static void give_small(hy_wasm *heap, void *ptr) {
    hy_wasm_slab *slab = slab_of(ptr);
    bool was_full = !has_room(slab);
    hy_unpoison_defined(ptr, sizeof(void *));
    *(void **)ptr = slab->free;
    slab->free = ptr;
    slab->live--;
    hy_poison(ptr, size_of_class(slab->class_number));
    if (was_full) link_slab(heap, slab);
    if (slab->live == 0 && (slab->next || slab->previous)) end_slab(heap, slab);
}

/* ---- the four functions ---- */

void *hy_wasm_alloc(void *self, size_t size, hy_align align) {
    hy_wasm *heap = self;
    take_lock(heap);
    void *ptr = is_small(size, align) ? take_small(heap, size, align) : take_block(heap, size, align);
    release_lock(heap);
    return ptr;
}

bool hy_wasm_resize(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    hy_wasm *heap = self;
    if (is_small(old_size, align) != is_small(new_size, align)) return false;
    if (is_small(new_size, align)) {
        if (class_of(old_size, align) != class_of(new_size, align)) return false;
        hy_unpoison_defined(ptr, new_size);
        if (new_size < old_size) hy_poison((char *)ptr + new_size, old_size - new_size);
        return true;
    }
    take_lock(heap);
    bool done = hy_wasm_blocks_resize(&heap->blocks, ptr, new_size);
    release_lock(heap);
    return done;
}

void *hy_wasm_remap(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    return hy_wasm_resize(self, ptr, old_size, new_size, align) ? ptr : NULL;
}

void hy_wasm_free(void *self, void *ptr, size_t size, hy_align align) {
    hy_wasm *heap = self;
    take_lock(heap);
    if (is_small(size, align)) {
        give_small(heap, ptr);
    } else {
        hy_wasm_blocks_give(&heap->blocks, ptr);
    }
    release_lock(heap);
}

/* ---- the heap ---- */

void hy_wasm_init(hy_wasm *heap, hy_wasm_memory memory, size_t limit_bytes) {
    HY_REQUIRE(memory.grow != NULL, "hy_wasm_init", 0, "a memory with a function that grows it");
    HY_REQUIRE(hy_is_power_of_two(memory.page_bytes) && memory.page_bytes >= 16, "hy_wasm_init",
        memory.page_bytes, "a page size: a power of two, at least 16");
    *heap = (hy_wasm){.memory = memory, .limit_bytes = limit_bytes < TAKEN_MAX ? limit_bytes : TAKEN_MAX};
}

bool hy_wasm_add(hy_wasm *heap, void *piece, size_t bytes) {
    uintptr_t begin = (uintptr_t)piece, start = hy_align_forward(begin, HY_ALIGN_16);
    if (start < begin || start - begin >= bytes) return false;
    take_lock(heap);
    bool added = hy_wasm_blocks_add(&heap->blocks, (void *)start, bytes - (start - begin));
    release_lock(heap);
    return added;
}

/* ---- looking at it ---- */

static size_t blocks_of_slab(const hy_wasm_slab *slab) {
    return (SLAB_END - first_of_class(slab->class_number)) / size_of_class(slab->class_number);
}

static void count_block(void *context, void *ptr, size_t size, bool is_free) {
    (void)ptr;
    hy_wasm_counts *counts = context;
    if (!is_free) counts->used_bytes += size;
}

hy_wasm_counts hy_wasm_counted(hy_wasm *heap) {
    hy_wasm_counts counts = {0};
    take_lock(heap);
    counts.taken_bytes = heap->taken_bytes;
    hy_wasm_blocks_walk(&heap->blocks, count_block, &counts);
    for (unsigned i = 0; i < HY_WASM_CLASSES; i++) {
        for (const hy_wasm_slab *slab = heap->slabs[i]; slab; slab = slab->next)
            counts.used_bytes -= hy_wasm_blocks_size(slab) - slab->live * size_of_class(i);
    }
    release_lock(heap);
    return counts;
}

bool hy_wasm_owns(hy_wasm *heap, const void *ptr) {
    uintptr_t address = (uintptr_t)ptr;
    bool owns = false;
    take_lock(heap);
    for (const hy_wasm_region *region = heap->blocks.regions; region && !owns; region = region->next) {
        uintptr_t begin = (uintptr_t)region, end = (uintptr_t)&region->end->next; /* 0 where addresses end */
        owns = address - begin < end - begin;
    }
    release_lock(heap);
    return owns;
}

/* Whether a slab's blocks are live, free or never used, each one of these. */
static bool slab_holds(const hy_wasm_slab *slab, unsigned class_number) {
    size_t size = size_of_class(class_number), first = first_of_class(class_number), free_count = 0;
    if (slab->class_number != class_number || !has_room(slab) || slab->unused > SLAB_END) return false;
    for (void **at = slab->free; at; free_count++) {
        size_t offset = (size_t)((uintptr_t)at - (uintptr_t)slab);
        if (offset < first || offset >= slab->unused || (offset - first) % size != 0) return false;
        if (free_count > blocks_of_slab(slab)) return false;
        hy_unpoison_defined(at, sizeof *at);
        void **next = *at;
        hy_poison(at, sizeof *at);
        at = next;
    }
    return slab->live + free_count == (slab->unused - first) / size;
}

/* Whether the slabs of a class that have room hold together. One of them at most is empty. */
static bool class_holds(const hy_wasm *heap, unsigned class_number) {
    const hy_wasm_slab *previous = NULL;
    size_t empty = 0;
    for (const hy_wasm_slab *slab = heap->slabs[class_number]; slab; previous = slab, slab = slab->next) {
        if (slab->previous != previous || !slab_holds(slab, class_number)) return false;
        empty += slab->live == 0;
    }
    return empty <= 1;
}

bool hy_wasm_check(hy_wasm *heap) {
    take_lock(heap);
    bool holds = heap->taken_bytes <= heap->limit_bytes && hy_wasm_blocks_check(&heap->blocks);
    for (unsigned i = 0; holds && i < HY_WASM_CLASSES; i++)
        holds = class_holds(heap, i);
    release_lock(heap);
    return holds;
}

#ifdef __wasm__
static void *grow_linear_memory(void *context, size_t bytes) {
    (void)context;
    size_t pages = __builtin_wasm_memory_grow(0, bytes / HY_WASM_PAGE_BYTES);
    return pages == SIZE_MAX ? NULL : (void *)(pages * HY_WASM_PAGE_BYTES);
}

hy_wasm_memory hy_wasm_linear_memory(void) {
    return (hy_wasm_memory){NULL, grow_linear_memory, HY_WASM_PAGE_BYTES, true};
}
#endif
