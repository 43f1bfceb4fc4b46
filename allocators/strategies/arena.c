/* arena.c: allocate many, free all at once.
 *
 * For: everything that ends together: a request, a frame, a compilation, a document. Not for: blocks
 * that come and go in another order, which it keeps until reset.
 * Algorithm: a bump inside the newest chunk; when that is full it is grown in place, if the child can,
 * else a new chunk comes: half as large again as all that is there, or as the request, if larger. If the
 * child refuses that, the same two are tried with no more than the request needs.
 *
 *   state.chunk -> [head|block|block|     room     ]     head: the older chunk, and the chunk's size
 *                     |             ^state.next     ^end
 *                     v
 *                  [head|block|block|..]                 older chunks are full, and wait for reset
 *
 * Cost: alloc, free and resize O(1), with one call of the child a doubling; reset O(1) once a single
 * chunk holds a whole round. Overhead: 16 bytes a chunk, blocks rounded up to 8.
 * Thread-safe: no. Source: Zig's ArenaAllocator (growth, reset modes, state).
 */
#include <heapyard/arena.h>
#include <heapyard/typed.h>

#define HEAD sizeof(hy_arena_chunk)
#define GRANULE ((size_t)8)
/* The first chunk of an arena that was given no capacity. */
#define FIRST_CHUNK ((size_t)512)

_Static_assert(HEAD % GRANULE == 0, "blocks of a fresh chunk begin at a multiple of 8");

static hy_align chunk_align(void) {
    return hy_align_of(hy_arena_chunk);
}

static bool round_up(size_t *size, size_t granule) {
    if (HY_ADD_OVERFLOWS(*size, granule - 1, size)) return false;
    *size &= ~(granule - 1);
    return true;
}

static uintptr_t chunk_end(const hy_arena_chunk *chunk) {
    return (uintptr_t)chunk + chunk->size;
}

static size_t chunk_room(const hy_arena_chunk *chunk) {
    return chunk->size - HEAD;
}

/* All chunks' bytes, heads included. */
static size_t total_size(const hy_arena *arena) {
    size_t total = 0;
    for (const hy_arena_chunk *chunk = arena->state.chunk; chunk; chunk = chunk->older)
        total += chunk->size;
    return total;
}

/* Whether a chunk's head can be one that add_chunk wrote. */
static bool chunk_holds(const hy_arena_chunk *chunk) {
    return (uintptr_t)chunk % GRANULE == 0 && chunk->size >= HEAD && chunk->size <= PTRDIFF_MAX &&
           chunk->size % GRANULE == 0 && chunk->older != chunk;
}

/* Nothing of the newest chunk is handed out. */
static void rewind_chunk(hy_arena *arena) {
    arena->state.next = (uintptr_t)(arena->state.chunk + 1);
    arena->end = chunk_end(arena->state.chunk);
}

/* A chunk of `size` bytes, head included, becomes the newest. */
static bool add_chunk(hy_arena *arena, size_t size) {
    HY_ASSERT(size >= HEAD, "a chunk that has no room for its head");
    HY_ASSERT(size % GRANULE == 0, "a chunk whose end is no multiple of 8");
    arena->calls_count++;
    hy_arena_chunk *chunk = hy_alloc(arena->child, size, chunk_align());
    if (!chunk) return false;
    chunk->older = arena->state.chunk;
    chunk->size = size;
    arena->state.chunk = chunk;
    rewind_chunk(arena);
    hy_poison(chunk + 1, chunk_room(chunk));
    HY_ASSERT(arena->state.next % GRANULE == 0, "the child's block is not aligned as a chunk must be");
    return true;
}

static void free_chunk(hy_arena *arena, hy_arena_chunk *chunk) {
    HY_ASSERT(chunk_holds(chunk), "a chunk's head was overwritten");
    arena->calls_count++;
    hy_unpoison_defined(chunk + 1, chunk_room(chunk));
    hy_free(arena->child, chunk, chunk->size, chunk_align());
}

/* Frees `chunk` and all older ones down to `stop`, which stays. */
static void free_chunks(hy_arena *arena, hy_arena_chunk *chunk, const hy_arena_chunk *stop) {
    while (chunk != stop) {
        hy_arena_chunk *older = chunk->older;
        free_chunk(arena, chunk);
        chunk = older;
    }
}

/* In place, where the child can; what is handed out stays. */
static bool resize_chunk(hy_arena *arena, size_t size) {
    hy_arena_chunk *chunk = arena->state.chunk;
    size_t old_size = chunk->size;
    HY_ASSERT(chunk_holds(chunk), "the newest chunk's head was overwritten");
    HY_ASSERT(size % GRANULE == 0, "a chunk whose end is no multiple of 8");
    HY_ASSERT((uintptr_t)chunk + size >= arena->state.next, "a chunk is to shrink below its blocks' end");
    arena->calls_count++;
    /* What the child takes back, it must find as it gave it. */
    if (size < old_size) hy_unpoison((char *)chunk + size, old_size - size);
    bool resized = hy_resize(arena->child, chunk, old_size, size, chunk_align());
    if (resized) {
        chunk->size = size;
        arena->end = chunk_end(chunk);
    }
    if (!resized && size < old_size) hy_poison((char *)chunk + size, old_size - size);
    if (resized && size > old_size) hy_poison((char *)chunk + old_size, size - old_size);
    HY_ASSERT(arena->end == chunk_end(chunk), "the arena's end is not its newest chunk's");
    return resized;
}

/* Grows the newest chunk by `more` bytes, and so far at least that [start, start + size) lies in it. */
static bool grow_chunk(hy_arena *arena, uintptr_t start, size_t size, size_t more) {
    hy_arena_chunk *chunk = arena->state.chunk;
    size_t least, wanted;
    if (!chunk || HY_ADD_OVERFLOWS(start - (uintptr_t)chunk, size, &least) || !round_up(&least, GRANULE))
        return false;
    if (HY_ADD_OVERFLOWS(chunk->size, more, &wanted) || wanted < least) wanted = least;
    return wanted <= PTRDIFF_MAX && resize_chunk(arena, wanted);
}

/* What the next growth should bring: half as much again as all that is there. */
static size_t next_growth(const hy_arena *arena) {
    size_t total = total_size(arena), growth;
    if (HY_ADD_OVERFLOWS(total, total / 2, &growth) || !round_up(&growth, 2 * GRANULE)) return FIRST_CHUNK;
    return growth > FIRST_CHUNK ? growth : FIRST_CHUNK;
}

/* Makes the newest chunk one that has room for the block. */
static bool make_room(hy_arena *arena, size_t size, hy_align align) {
    size_t slack = hy_align_bytes(align) > GRANULE ? hy_align_bytes(align) - GRANULE : 0;
    size_t least;
    if (HY_ADD_OVERFLOWS(size, slack, &least) || HY_ADD_OVERFLOWS(least, HEAD, &least)) return false;
    if (!round_up(&least, 2 * GRANULE)) return false;

    uintptr_t start;
    bool reachable = hy_bump_start(arena->state.next, align, &start);
    size_t growth = next_growth(arena), wanted = growth > least ? growth : least;
    if (reachable && grow_chunk(arena, start, size, growth)) return true;
    if (add_chunk(arena, wanted)) return true;
    if (reachable && grow_chunk(arena, start, size, 0)) return true;
    return least < wanted && add_chunk(arena, least);
}

static bool has_room(const hy_arena *arena, size_t size, hy_align align) {
    uintptr_t start, last;
    return hy_bump_start(arena->state.next, align, &start) && !HY_ADD_OVERFLOWS(start, size - 1, &last) &&
           last < arena->end;
}

HY_COLD void *hy_arena_alloc_slow(hy_arena *arena, size_t size, hy_align align) {
    if (!arena->fixed && size != 0 && make_room(arena, size, align)) {
        HY_ASSERT(has_room(arena, size, align), "a chunk that was made for a block has no room for it");
        HY_ASSERT_WALK(hy_arena_check(arena));
        return hy_arena_alloc(arena, size, align);
    }
    if (arena->fatal) hy_fatal("arena exhausted");
    return NULL;
}

bool hy_arena_reserve(hy_arena *arena, size_t size, hy_align align) {
    HY_ASSERT(size != 0, "room for a block of no bytes is asked for");
    bool reserved = has_room(arena, size, align) || (!arena->fixed && make_room(arena, size, align));
    HY_ASSERT(!reserved || has_room(arena, size, align), "a reservation has no room for its block");
    HY_ASSERT_WALK(hy_arena_check(arena));
    return reserved;
}

/* The newest block ends where it should already, or its chunk grows until it does. */
static bool resize_newest(hy_arena *arena, uintptr_t start, size_t new_size) {
    uintptr_t last;
    if (HY_ADD_OVERFLOWS(start, (new_size - 1) | (GRANULE - 1), &last)) return false;
    if (last >= arena->end) {
        if (arena->fixed) return false;
        if (!grow_chunk(arena, start, new_size, next_growth(arena)) && !grow_chunk(arena, start, new_size, 0))
            return false;
    }
    if (!arena->fatal || last + 1 > arena->state.next) arena->state.next = last + 1;
    HY_ASSERT(arena->state.next <= arena->end, "the newest block ends behind its chunk");
    HY_ASSERT_WALK(hy_arena_check(arena));
    return true;
}

bool hy_arena_resize(hy_arena *arena, void *ptr, size_t old_size, size_t new_size) {
#if HY_CHECK >= 2
    HY_REQUIRE(hy_arena_owns(arena, ptr), "hy_arena_resize", (uintptr_t)ptr, "a block of this arena");
#endif
    HY_ASSERT(old_size != 0, "a block of no bytes is resized");
    HY_ASSERT(new_size != 0, "a block is resized to no bytes");
    if (hy_arena_is_newest(arena, ptr, old_size)) {
        if (!resize_newest(arena, (uintptr_t)ptr, new_size)) return false;
    } else if (new_size > old_size) {
        return false;
    }
    if (new_size > old_size) {
        hy_unpoison((char *)ptr + old_size, new_size - old_size);
    } else {
        hy_poison((char *)ptr + new_size, old_size - new_size);
    }
    return true;
}

hy_error hy_arena_init(hy_arena *arena, hy_allocator child, const hy_arena_options *options) {
    hy_require_child(child, "hy_arena_init");
    *arena = (hy_arena)HY_ARENA_INIT(child);
    if (!options) return HY_OK;
    arena->fixed = options->fixed || options->fatal;
    arena->fatal = options->fatal;
    size_t size = options->capacity;
    if (size == 0 && !arena->fixed) return HY_OK;
    if (size == 0) {
        HY_TELL_INVALID("hy_arena_init", size, "a capacity of at least 1 where the arena is fixed or fatal");
        return HY_INVALID;
    }
    if (!round_up(&size, GRANULE) || HY_ADD_OVERFLOWS(size, HEAD, &size)) return HY_OUT_OF_MEMORY;
    return add_chunk(arena, size) ? HY_OK : HY_OUT_OF_MEMORY;
}

/* No chunk, as after HY_ARENA_INIT; the child and the options stay. */
static void forget_chunks(hy_arena *arena) {
    arena->state = (hy_arena_state){NULL, 0};
    arena->end = 0;
}

static void free_all(hy_arena *arena) {
    free_chunks(arena, arena->state.chunk, NULL);
    forget_chunks(arena);
}

void hy_arena_deinit(hy_arena *arena) {
    free_all(arena);
    *arena = (hy_arena)HY_ARENA_INIT(arena->child);
}

/* The newest chunk, the only one left, becomes one with room for `target` bytes. False: it could not;
 * a smaller one stays then, a larger one goes. */
static bool replace_chunk(hy_arena *arena, size_t target) {
    hy_arena_chunk *chunk = arena->state.chunk;
    if (resize_chunk(arena, target + HEAD)) {
        rewind_chunk(arena);
        return true;
    }
    HY_ASSERT(chunk->older == NULL, "a chunk that is to be replaced is not the only one");
    if (chunk_room(chunk) > target) {
        free_all(arena);
        return add_chunk(arena, target + HEAD);
    }
    arena->state.chunk = NULL;
    if (add_chunk(arena, target + HEAD)) {
        free_chunk(arena, chunk);
        return true;
    }
    arena->state.chunk = chunk;
    return false;
}

static void note_high_water(hy_arena *arena) {
    size_t used = hy_arena_used(arena);
    if (used > arena->high_water_bytes) arena->high_water_bytes = used;
}

bool hy_arena_reset(hy_arena *arena, hy_arena_reset_mode mode, size_t limit) {
    hy_arena_chunk *chunk = arena->state.chunk;
    if (!chunk) return true;
    note_high_water(arena);

    size_t target = mode == HY_ARENA_FREE_ALL ? 0 : hy_arena_capacity(arena);
    if (mode == HY_ARENA_RETAIN_WITH_LIMIT && target > limit) target = limit & ~(GRANULE - 1);
    if (target == 0) {
        free_all(arena);
        return true;
    }
    free_chunks(arena, chunk->older, NULL);
    chunk->older = NULL;
    hy_poison(chunk + 1, arena->state.next - (uintptr_t)(chunk + 1));
    rewind_chunk(arena);
    bool kept = chunk_room(chunk) == target || replace_chunk(arena, target);
    HY_ASSERT(hy_arena_used(arena) == 0, "a block has survived a reset");
    HY_ASSERT(
        !kept || hy_arena_capacity(arena) == target, "a reset has kept another capacity than asked for");
    HY_ASSERT(hy_arena_capacity(arena) <= target, "a reset has kept more than its limit");
    HY_ASSERT_WALK(hy_arena_check(arena));
    return kept;
}

hy_arena_state hy_arena_demote(hy_arena *arena) {
    hy_arena_state state = arena->state;
    forget_chunks(arena);
    return state;
}

hy_arena hy_arena_promote(hy_arena_state state, hy_allocator child) {
    hy_arena arena = HY_ARENA_INIT(child);
    arena.state = state;
    arena.end = state.chunk ? chunk_end(state.chunk) : 0;
#if HY_CHECK >= 2
    HY_REQUIRE(hy_arena_check(&arena), "hy_arena_promote", state.next, "part of a state that an arena gave");
#endif
    return arena;
}

/* Whether the mark's chunk is still there, or was none. Called only where checks are compiled in. */
HY_UNUSED static bool has_chunk_of(const hy_arena *arena, hy_arena_mark mark) {
    const hy_arena_chunk *chunk = arena->state.chunk;
    while (chunk && chunk != mark.chunk)
        chunk = chunk->older;
    return chunk == mark.chunk;
}

void hy_arena_restore(hy_arena *arena, hy_arena_mark mark) {
    HY_REQUIRE(has_chunk_of(arena, mark), "hy_arena_restore", mark.next,
        "a mark that no restore or reset went behind");
    note_high_water(arena);
    HY_ASSERT(!mark.chunk || mark.next >= (uintptr_t)(mark.chunk + 1), "a mark lies before its chunk");
    HY_ASSERT(!mark.chunk || mark.next <= chunk_end(mark.chunk), "a mark lies behind its chunk");
    bool is_newest = mark.chunk == arena->state.chunk;
    uintptr_t end = mark.chunk ? chunk_end(mark.chunk) : 0;
    uintptr_t used_end = is_newest ? arena->state.next : end;
    free_chunks(arena, arena->state.chunk, mark.chunk);
    /* Below the mark's place already where blocks older than the mark were freed or shrunk: stays there. */
    if (used_end > mark.next) {
        hy_poison((void *)mark.next, used_end - mark.next);
        used_end = mark.next;
    }
    arena->state = (hy_arena_state){mark.chunk, used_end};
    arena->end = end;
    HY_ASSERT(used_end <= mark.next, "a restore has gone forward");
    HY_ASSERT_WALK(hy_arena_check(arena));
}

size_t hy_arena_capacity(const hy_arena *arena) {
    size_t capacity = 0;
    for (const hy_arena_chunk *chunk = arena->state.chunk; chunk; chunk = chunk->older)
        capacity += chunk_room(chunk);
    return capacity;
}

size_t hy_arena_used(const hy_arena *arena) {
    return hy_arena_capacity(arena) - (arena->end - arena->state.next);
}

bool hy_arena_owns(const hy_arena *arena, const void *ptr) {
    for (const hy_arena_chunk *chunk = arena->state.chunk; chunk; chunk = chunk->older) {
        if ((uintptr_t)ptr - (uintptr_t)(chunk + 1) < chunk_room(chunk)) return true;
    }
    return false;
}

bool hy_arena_check(const hy_arena *arena) {
    const hy_arena_chunk *newest = arena->state.chunk;
    if (!newest) return arena->state.next == 0 && arena->end == 0;
    for (const hy_arena_chunk *chunk = newest; chunk; chunk = chunk->older) {
        if (!chunk_holds(chunk)) return false;
    }
    uintptr_t next = arena->state.next;
    return arena->end == chunk_end(newest) && next % GRANULE == 0 && next >= (uintptr_t)(newest + 1) &&
           next <= arena->end;
}

HY_SLOT void *hy_arena_slot_alloc(void *self, size_t size, hy_align align) {
    return hy_arena_alloc(self, size, align);
}

bool hy_arena_slot_resize(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    (void)align;
    return hy_arena_resize(self, ptr, old_size, new_size);
}

void *hy_arena_slot_remap(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    (void)align;
    return hy_arena_resize(self, ptr, old_size, new_size) ? ptr : NULL;
}

HY_SLOT void hy_arena_slot_free(void *self, void *ptr, size_t size, hy_align align) {
    (void)align;
    hy_arena_free(self, ptr, size);
}
