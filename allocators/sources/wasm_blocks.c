/* wasm_blocks.c: two-level segregated fit; the header says how it works. */
#include "allocators/sources/wasm_blocks.h"

#define IS_FREE ((size_t)1)
#define BEFORE_IS_FREE ((size_t)2)
#define BITS (IS_FREE | BEFORE_IS_FREE)

/* A block's header and its least payload. */
#define BLOCK_MIN (HY_WASM_WORD + HY_WASM_PAYLOAD_MIN)
/* Below this the rows would have columns of less than a granule: all of it is row 0. */
#define EVEN_BYTES (HY_WASM_COLUMNS * HY_WASM_GRANULE)
#define COLUMNS_LOG2 3
#define EVEN_LOG2 (HY_WASM_WORD == 4 ? 6u : 7u)
#define SIZE_MAX_LOG2 (EVEN_LOG2 + (unsigned)HY_WASM_ROWS - 2)

_Static_assert(EVEN_BYTES == 1u << EVEN_LOG2, "row 0 ends at a power of two");

/* ---- a block and its neighbours ---- */

static size_t size_of(const hy_wasm_block *block) {
    return block->head & ~BITS;
}

static char *payload_of(const hy_wasm_block *block) {
    return (char *)((uintptr_t)block + 2 * HY_WASM_WORD);
}

static hy_wasm_block *block_of(const void *ptr) {
    return (hy_wasm_block *)((uintptr_t)ptr - 2 * HY_WASM_WORD);
}

static hy_wasm_block *behind(const hy_wasm_block *block) {
    return (hy_wasm_block *)(payload_of(block) + size_of(block) - HY_WASM_WORD);
}

/* The payload's bytes for a request; SIZE_MAX: more than any block has. */
static size_t payload_for(size_t size) {
    if (size >> SIZE_MAX_LOG2) return SIZE_MAX;
    if (size < HY_WASM_PAYLOAD_MIN) return HY_WASM_PAYLOAD_MIN;
    return ((size + HY_WASM_WORD + HY_WASM_GRANULE - 1) & ~(HY_WASM_GRANULE - 1)) - HY_WASM_WORD;
}

/* ---- the lists ---- */

typedef struct place {
    unsigned row, column;
} place;

static unsigned log2_of(size_t size) {
    return 63u - (unsigned)__builtin_clzll((unsigned long long)size);
}

/* The list that a free block of such a payload stands in. */
static place place_of(size_t size) {
    if (size < EVEN_BYTES) return (place){0, (unsigned)(size / HY_WASM_GRANULE)};
    unsigned power = log2_of(size);
    return (place){power - EVEN_LOG2 + 1, (unsigned)(size >> (power - COLUMNS_LOG2)) & (HY_WASM_COLUMNS - 1)};
}

/* The first list of which every block has so many bytes. */
static place place_for(size_t size) {
    if (size >= EVEN_BYTES) size += ((size_t)1 << (log2_of(size) - COLUMNS_LOG2)) - 1;
    return place_of(size);
}

static void link_free(hy_wasm_blocks *blocks, hy_wasm_block *block) {
    place at = place_of(size_of(block));
    hy_wasm_block **list = &blocks->free[at.row][at.column];
    block->next = *list;
    block->previous = NULL;
    if (*list) (*list)->previous = block;
    *list = block;
    blocks->rows |= (uint64_t)1 << at.row;
    blocks->columns[at.row] |= (uint8_t)(1u << at.column);
}

static void unlink_free(hy_wasm_blocks *blocks, hy_wasm_block *block) {
    if (block->next) block->next->previous = block->previous;
    if (block->previous) {
        block->previous->next = block->next;
        return;
    }
    place at = place_of(size_of(block));
    blocks->free[at.row][at.column] = block->next;
    if (block->next) return;
    blocks->columns[at.row] &= (uint8_t) ~(1u << at.column);
    if (blocks->columns[at.row] == 0) blocks->rows &= ~((uint64_t)1 << at.row);
}

/* A free block of at least so many bytes, still in its list; NULL: there is none. */
static hy_wasm_block *find(const hy_wasm_blocks *blocks, size_t size) {
    place at = place_for(size);
    if (at.row >= HY_WASM_ROWS) return NULL;
    unsigned columns = blocks->columns[at.row] & (~0u << at.column);
    if (columns == 0) {
        uint64_t rows = blocks->rows & (~(uint64_t)1 << at.row);
        if (rows == 0) return NULL;
        at.row = (unsigned)__builtin_ctzll(rows);
        columns = blocks->columns[at.row];
    }
    return blocks->free[at.row][__builtin_ctz(columns)];
}

/* ---- free and live ---- */

/* A block is free, joined with free neighbours, and in its list. */
static void make_free(hy_wasm_blocks *blocks, hy_wasm_block *block) {
    hy_wasm_block *next = behind(block);
    if (next->head & IS_FREE) {
        unlink_free(blocks, next);
        block->head += size_of(next) + HY_WASM_WORD;
    }
    if (block->head & BEFORE_IS_FREE) {
        hy_wasm_block *before = block->before;
        unlink_free(blocks, before);
        before->head += size_of(block) + HY_WASM_WORD;
        block = before;
    }
    next = behind(block);
    block->head |= IS_FREE;
    next->head |= BEFORE_IS_FREE;
    next->before = block;
    link_free(blocks, block);
    hy_poison(payload_of(block) + 2 * HY_WASM_WORD, size_of(block) - HY_WASM_PAYLOAD_MIN);
}

/* Of a live block all but the first `size` bytes of its payload become free, where that makes a block. */
static void cut_tail(hy_wasm_blocks *blocks, hy_wasm_block *block, size_t size) {
    if (size_of(block) - size < BLOCK_MIN) return;
    size_t rest = size_of(block) - size - HY_WASM_WORD;
    block->head -= rest + HY_WASM_WORD;
    hy_wasm_block *tail = behind(block);
    hy_unpoison(&tail->head, rest + HY_WASM_WORD);
    tail->head = rest;
    make_free(blocks, tail);
}

/* Takes a free block out of its list, live from here on. */
static void make_live(hy_wasm_blocks *blocks, hy_wasm_block *block) {
    unlink_free(blocks, block);
    block->head &= ~IS_FREE;
    behind(block)->head &= ~BEFORE_IS_FREE;
    hy_unpoison(payload_of(block), size_of(block));
}

/* Of a live block the first `bytes`, a multiple of the granule, become free; the block behind them. */
static hy_wasm_block *cut_front(hy_wasm_blocks *blocks, hy_wasm_block *block, size_t bytes) {
    hy_wasm_block *rest = block_of(payload_of(block) + bytes);
    rest->head = size_of(block) - bytes;
    block->head -= size_of(rest) + HY_WASM_WORD;
    make_free(blocks, block);
    return rest;
}

/* Where in a payload an aligned block begins, so that what lies before it is nothing or a block. */
static size_t gap_before(const char *payload, hy_align align) {
    uintptr_t begin = (uintptr_t)payload, start = hy_align_forward(begin, align);
    if (start != begin && start - begin < BLOCK_MIN) start = hy_align_forward(begin + BLOCK_MIN, align);
    return start - begin;
}

/* The payload's bytes in which a block fits wherever it begins; SIZE_MAX: none has as many. */
static size_t payload_anywhere(size_t size, hy_align align) {
    size_t payload = payload_for(size);
    if (payload == SIZE_MAX || hy_align_bytes(align) <= HY_WASM_GRANULE) return payload;
    if (hy_align_bytes(align) >> (SIZE_MAX_LOG2 - 1)) return SIZE_MAX;
    payload += hy_align_bytes(align) + BLOCK_MIN;
    return payload >> SIZE_MAX_LOG2 ? SIZE_MAX : payload;
}

/* A free block that has room for such a payload where it lies, still in its list. Looks at every block of the
 * lists from `payload` to `anywhere`, of which any may have, or not. */
static hy_wasm_block *find_that_fits(
    const hy_wasm_blocks *blocks, size_t payload, size_t anywhere, hy_align align) {
    place at = place_of(payload), last = place_of(anywhere);
    for (; at.row < last.row || (at.row == last.row && at.column <= last.column); at.column++) {
        if (at.column == HY_WASM_COLUMNS) at = (place){at.row + 1, 0};
        for (hy_wasm_block *block = blocks->free[at.row][at.column]; block; block = block->next)
            if (gap_before(payload_of(block), align) + payload <= size_of(block)) return block;
    }
    return NULL;
}

void *hy_wasm_blocks_take(hy_wasm_blocks *blocks, size_t size, hy_align align) {
    size_t payload = payload_for(size), anywhere = payload_anywhere(size, align);
    if (anywhere == SIZE_MAX) return NULL;
    hy_wasm_block *block = find(blocks, anywhere);
    if (!block) block = find_that_fits(blocks, payload, anywhere, align);
    if (!block) return NULL;
    make_live(blocks, block);
    size_t gap = gap_before(payload_of(block), align);
    if (gap != 0) block = cut_front(blocks, block, gap);
    cut_tail(blocks, block, payload);
    char *ptr = payload_of(block);
    hy_poison(ptr + size, size_of(block) - size);
    return ptr;
}

size_t hy_wasm_blocks_size(const void *ptr) {
    return size_of(block_of(ptr));
}

void hy_wasm_blocks_give(hy_wasm_blocks *blocks, void *ptr) {
    hy_wasm_block *block = block_of(ptr);
    hy_unpoison(ptr, size_of(block));
    make_free(blocks, block);
}

bool hy_wasm_blocks_resize(hy_wasm_blocks *blocks, void *ptr, size_t new_size) {
    hy_wasm_block *block = block_of(ptr), *next = behind(block);
    size_t payload = payload_for(new_size);
    if (payload == SIZE_MAX) return false;
    if (payload > size_of(block)) {
        if (!(next->head & IS_FREE) || size_of(block) + HY_WASM_WORD + size_of(next) < payload) return false;
        make_live(blocks, next);
        block->head += size_of(next) + HY_WASM_WORD;
    }
    hy_unpoison_defined(ptr, size_of(block));
    cut_tail(blocks, block, payload);
    hy_poison((char *)ptr + new_size, size_of(block) - new_size);
    return true;
}

/* ---- memory ---- */

/* A new piece, with one free block. */
static bool begin_region(hy_wasm_blocks *blocks, char *piece, size_t bytes) {
    bytes &= ~(HY_WASM_GRANULE - 1);
    if (bytes < HY_WASM_REGION_BYTES + BLOCK_MIN) return false;
    hy_wasm_region *region = (hy_wasm_region *)(void *)piece;
    hy_wasm_block *first = block_of(piece + sizeof *region + HY_WASM_GRANULE);
    first->head = (size_t)(piece + bytes - payload_of(first)) - HY_WASM_WORD;
    hy_wasm_block *end = behind(first);
    end->head = 0;
    *region = (hy_wasm_region){blocks->regions, end};
    blocks->regions = region;
    blocks->end = end;
    make_free(blocks, first);
    return true;
}

bool hy_wasm_blocks_add(hy_wasm_blocks *blocks, void *piece, size_t bytes) {
    hy_wasm_block *end = blocks->end;
    if (!end || payload_of(end) != (char *)piece) return begin_region(blocks, piece, bytes);
    bytes &= ~(HY_WASM_GRANULE - 1);
    if (bytes < BLOCK_MIN) return false;
    end->head += bytes - HY_WASM_WORD;
    hy_wasm_block *new_end = behind(end);
    new_end->head = 0;
    blocks->regions->end = new_end;
    blocks->end = new_end;
    make_free(blocks, end);
    return true;
}

size_t hy_wasm_blocks_missing(const hy_wasm_blocks *blocks, size_t size, hy_align align, bool is_behind) {
    size_t anywhere = payload_anywhere(size, align);
    if (anywhere == SIZE_MAX) return SIZE_MAX;
    hy_wasm_block *end = blocks->end;
    if (!is_behind || !end) return anywhere + HY_WASM_REGION_BYTES;
    /* Where it will begin is known. */
    hy_wasm_block *first = end->head & BEFORE_IS_FREE ? end->before : end;
    size_t payload = gap_before(payload_of(first), align) + payload_for(size);
    if (first == end) return payload + HY_WASM_WORD;
    return payload > size_of(first) ? payload - size_of(first) : HY_WASM_GRANULE;
}

/* ---- walking ---- */

static hy_wasm_block *first_of(const hy_wasm_region *region) {
    return block_of((const char *)(region + 1) + HY_WASM_GRANULE);
}

void hy_wasm_blocks_walk(const hy_wasm_blocks *blocks,
    void (*visit)(void *context, void *ptr, size_t size, bool is_free), void *context) {
    for (const hy_wasm_region *region = blocks->regions; region; region = region->next) {
        for (hy_wasm_block *block = first_of(region); block != region->end; block = behind(block))
            visit(context, payload_of(block), size_of(block), block->head & IS_FREE);
    }
}

/* Whether a piece is blocks from its beginning to its end; adds its free ones. */
static bool region_holds(const hy_wasm_region *region, size_t *free_count) {
    bool before_is_free = false;
    const hy_wasm_block *before = NULL, *block = first_of(region);
    for (;; before = block, block = behind(block)) {
        bool is_free = block->head & IS_FREE;
        if ((block->head & BEFORE_IS_FREE) != (before_is_free ? BEFORE_IS_FREE : 0)) return false;
        if (before_is_free && block->before != before) return false;
        if (block == region->end) return size_of(block) == 0 && !is_free;
        if (size_of(block) < HY_WASM_PAYLOAD_MIN || block > region->end) return false;
        if ((size_of(block) + HY_WASM_WORD) % HY_WASM_GRANULE != 0) return false;
        if (is_free && before_is_free) return false;
        *free_count += is_free;
        before_is_free = is_free;
    }
}

/* Whether a list's blocks are free ones of its sizes; takes them off the count. */
static bool list_holds(const hy_wasm_blocks *blocks, unsigned row, unsigned column, size_t *free_count) {
    const hy_wasm_block *previous = NULL;
    for (const hy_wasm_block *block = blocks->free[row][column]; block; block = block->next) {
        place at = place_of(size_of(block));
        if (!(block->head & IS_FREE) || at.row != row || at.column != column) return false;
        if (block->previous != previous || (*free_count)-- == 0) return false;
        previous = block;
    }
    bool is_marked = (blocks->columns[row] >> column & 1) && (blocks->rows >> row & 1);
    return is_marked == (previous != NULL);
}

bool hy_wasm_blocks_check(const hy_wasm_blocks *blocks) {
    size_t free_count = 0;
    for (const hy_wasm_region *region = blocks->regions; region; region = region->next)
        if (!region_holds(region, &free_count)) return false;
    for (unsigned row = 0; row < HY_WASM_ROWS; row++) {
        for (unsigned column = 0; column < HY_WASM_COLUMNS; column++)
            if (!list_holds(blocks, row, column, &free_count)) return false;
    }
    return free_count == 0;
}
