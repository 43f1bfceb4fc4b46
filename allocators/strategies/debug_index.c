/* debug_index.c: a hash table whose deletions leave no marks: what follows moves up. */
#include "allocators/strategies/debug_index.h"
#include "allocators/strategies/debug_lock.h"

#define FIRST_CAPACITY ((size_t)32)

static void put(hy_debug_index *index, hy_debug_place place) {
    HY_ASSERT((index->capacity & (index->capacity - 1)) == 0, "the index's capacity is no power of two");
    size_t at = hy_debug_index_start(index, place.granule);
    while (index->places[at].chunk)
        at = (at + 1) & (index->capacity - 1);
    index->places[at] = place;
}

static void take_away(hy_debug_index *index, hy_debug_place place) {
    size_t mask = index->capacity - 1, at = hy_debug_index_start(index, place.granule);
    while (index->places[at].granule != place.granule || index->places[at].chunk != place.chunk)
        at = (at + 1) & mask;
    size_t hole = at;
    for (;;) {
        at = (at + 1) & mask;
        if (!index->places[at].chunk) break;
        size_t start = hy_debug_index_start(index, index->places[at].granule);
        if (((at - start) & mask) < ((at - hole) & mask)) continue;
        index->places[hole] = index->places[at];
        hole = at;
    }
    index->places[hole] = (hy_debug_place){0, NULL};
}

static bool grow(hy_debug *debug, size_t wanted) {
    hy_debug_index old = debug->index,
                   larger = {NULL, old.capacity ? old.capacity : FIRST_CAPACITY, old.promised};
    while (larger.capacity / 2 < wanted)
        larger.capacity *= 2;
    HY_ASSERT(larger.capacity > old.capacity, "the index grows to no more than it was");
    size_t bytes = larger.capacity * sizeof *larger.places;
    larger.places = debug->child.vtable->alloc(debug->child.self, bytes, HY_ALIGN_8);
    hy_debug_add_64(&debug->counts.child_calls, 1);
    if (!larger.places) return false;
    memset(larger.places, 0, bytes);
    for (size_t i = 0; i < old.capacity; i++) {
        if (old.places[i].chunk) put(&larger, old.places[i]);
    }
    hy_debug_index_lock(debug);
    debug->index = larger;
    hy_debug_index_unlock(debug);
    hy_debug_add(&debug->counts.overhead_bytes, bytes);
    if (old.capacity == 0) return true;
    bytes = old.capacity * sizeof *old.places;
    debug->child.vtable->free(debug->child.self, old.places, bytes, HY_ALIGN_8);
    hy_debug_add_64(&debug->counts.child_calls, 1);
    hy_debug_add(&debug->counts.overhead_bytes, 0 - bytes);
    return true;
}

/* How many places that many bytes may need. */
static size_t places_of(size_t bytes) {
    return (bytes >> HY_DEBUG_GRANULE_LOG2) + 2;
}

bool hy_debug_index_reserve(hy_debug *debug, size_t bytes) {
    size_t wanted = debug->index.promised + places_of(bytes);
    return wanted <= debug->index.capacity / 2 || grow(debug, wanted);
}

static void for_each_granule(
    hy_debug *debug, hy_debug_chunk *chunk, void (*act)(hy_debug_index *, hy_debug_place)) {
    uintptr_t last = ((uintptr_t)chunk->end - 1) >> HY_DEBUG_GRANULE_LOG2;
    hy_debug_index_lock(debug);
    for (uintptr_t granule = (uintptr_t)chunk->base >> HY_DEBUG_GRANULE_LOG2; granule <= last; granule++)
        act(&debug->index, (hy_debug_place){granule, chunk});
    hy_debug_index_unlock(debug);
}

void hy_debug_index_insert(hy_debug *debug, hy_debug_chunk *chunk) {
    debug->index.promised += places_of((size_t)(chunk->end - chunk->base));
    HY_ASSERT(
        debug->index.promised <= debug->index.capacity / 2, "a chunk is inserted for which no room was made");
    for_each_granule(debug, chunk, put);
}

void hy_debug_index_remove(hy_debug *debug, hy_debug_chunk *chunk) {
    size_t places = places_of((size_t)(chunk->end - chunk->base));
    HY_ASSERT(debug->index.promised >= places, "a chunk is removed that was not inserted");
    debug->index.promised -= places;
    for_each_granule(debug, chunk, take_away);
}

void hy_debug_index_free(hy_debug *debug) {
    hy_debug_index old = debug->index;
    debug->index = (hy_debug_index){NULL, 0, 0};
    if (old.capacity == 0) return;
    size_t bytes = old.capacity * sizeof *old.places;
    debug->child.vtable->free(debug->child.self, old.places, bytes, HY_ALIGN_8);
    hy_debug_add_64(&debug->counts.child_calls, 1);
    hy_debug_add(&debug->counts.overhead_bytes, 0 - bytes);
}
