/* heapyard/handle.h: references that tell when their object is gone.
 *
 *   hy_handles enemies;
 *   hy_handles_init(&enemies, hy_pool_allocator(&pool), hy_libc(), sizeof(enemy), hy_align_of(enemy));
 *   hy_handle target;
 *   enemy *it = hy_handles_create(&enemies, &target);
 *   ...
 *   it = hy_handles_get(&enemies, target);      NULL once it was destroyed, whoever lives in its place now
 *
 * A handle is eight bytes that can be copied, kept, compared and sent; it owns nothing. It names a slot of a
 * table and the slot's generation, which changes with each object that lives there:
 *
 *     handle: | index | generation |        table: | object | generation | next free slot |   16 bytes a slot
 *
 * The generation is odd while an object lives and even otherwise, so that no handle names a free slot. A slot
 * has 2^31 objects; then it is retired and costs its 16 bytes until deinit. Generations that only wrapped
 * would come back after 2^32 reuses of a slot, and a handle kept for so long would name a stranger (ABA):
 * here none comes back. So a stale handle is never taken for another object: in release builds too, and
 * whatever memory the object lies in. A handle is told stale by the table that made it; another table, or
 * this one after deinit, may have an object of that index and generation (hy_handles_clear ends all, and
 * still knows).
 *
 * Objects are of one size, from any allocator: a pool is made for them. The table is an array from an
 * allocator of its own; it grows by doubling, which moves slots and no object.
 *
 * Ownership: the table owns its objects; destroy and deinit give them back. Both allocators must outlive it.
 * Thread-safe: no. Errors: NULL where an allocator refuses, or at 2^32 - 1 slots; nothing has changed.
 * After generational indices of game engines (slot maps).
 */
#ifndef HEAPYARD_HANDLE_H
#define HEAPYARD_HANDLE_H

#include <heapyard/allocator.h>

HY_BEGIN_DECLS

/* Names an object, or what once was one. */
typedef struct hy_handle {
    uint32_t index;
    uint32_t generation;
} hy_handle;

/* The handle of no object: of zeroes. */
HY_INLINE hy_handle hy_handle_none(void) {
    hy_handle none = {0, 0};
    return none;
}

/* Whether two handles name the same object. */
HY_INLINE bool hy_handle_equal(hy_handle a, hy_handle b) {
    return a.index == b.index && a.generation == b.generation;
}

/* The index of no slot. */
#define HY_HANDLE_NO_SLOT UINT32_MAX

/* A place of the table. */
typedef struct hy_handle_slot {
    void *object;        /* NULL while there is none */
    uint32_t generation; /* odd: an object lives here */
    uint32_t next_free;
} hy_handle_slot;

/* Objects of one size and the table of their handles. Fields are for the functions below. */
typedef struct hy_handles {
    hy_handle_slot *slots;
    uint32_t capacity; /* slots that there is room for */
    uint32_t used;     /* slots that an object has ever lived in: the first ones */
    uint32_t first_free;
    uint32_t count; /* objects that live */
    hy_allocator objects, table;
    size_t size;
    hy_align align;
} hy_handles;

/* Starts without objects. objects: whom they are from; table: whom the table is from; size in bytes, above 0,
 * and align: of each object. Takes nothing yet. O(1). */
HY_API void hy_handles_init(
    hy_handles *handles, hy_allocator objects, hy_allocator table, size_t size, hy_align align);

/* Ends all objects that live, in the order of their slots; the table stays, so that their handles are told
 * stale for good. O(slots) plus the allocator's cost. */
HY_API void hy_handles_clear(hy_handles *handles);

/* Ends all objects that live, and the table. No handle names anything then; objects may be created again,
 * with generations that begin anew. O(slots) plus the allocators' cost. */
HY_API void hy_handles_deinit(hy_handles *handles);

/* A new object, its bytes not initialised, and its handle in *handle. NULL: refused, *handle unchanged.
 * O(1) plus the allocators' cost, the table's growth spread over the objects. */
HY_API HY_WARN_UNUSED void *hy_handles_create(hy_handles *handles, hy_handle *handle);

/* The object, valid until it is destroyed; NULL: it was, or the handle never named one of these. O(1): two
 * comparisons; a slot is one line of the cache. */
HY_INLINE void *hy_handles_get(const hy_handles *handles, hy_handle handle) {
    if (HY_UNLIKELY(handle.index >= handles->used)) return NULL;
    const hy_handle_slot *slot = &handles->slots[handle.index];
    return HY_LIKELY(slot->generation == handle.generation) ? slot->object : NULL;
}

/* Ends the object. False: it was ended before, or the handle never named one; nothing has changed. O(1) plus
 * the allocator's cost. */
HY_API bool hy_handles_destroy(hy_handles *handles, hy_handle handle);

/* The next object that lives, in the order of slots: begin with *handle = hy_handle_none(), and go on until
 * NULL. Meanwhile any object may be destroyed, also the one just given; one that is created may be left out.
 * O(slots) for all of them. */
HY_API void *hy_handles_next(const hy_handles *handles, hy_handle *handle);

/* How many objects live. O(1). */
HY_INLINE size_t hy_handles_count(const hy_handles *handles) {
    return handles->count;
}

/* Walks the table; whether everything holds. O(slots). */
HY_API bool hy_handles_check(const hy_handles *handles);

HY_END_DECLS

/* Handles that know their type: a union with a pointer that is never read. Macros because they take and give
 * types. */
#define hy_typed_handles(T)                                                                                  \
    union {                                                                                                  \
        hy_handles handles;                                                                                  \
        T *type;                                                                                             \
    }
/* As hy_handles_init, with the size and alignment of the type. */
#define hy_typed_handles_init(typed, objects, table)                                                         \
    hy_handles_init(&(typed)->handles, (objects), (table), sizeof(*(typed)->type),                           \
        hy_align_of(HY_TYPEOF(*(typed)->type)))
/* As hy_handles_create, with a pointer of the type. */
#define hy_typed_handles_create(typed, handle)                                                               \
    ((HY_TYPEOF((typed)->type))hy_handles_create(&(typed)->handles, (handle)))
/* As hy_handles_get, likewise. */
#define hy_typed_handles_get(typed, handle)                                                                  \
    ((HY_TYPEOF((typed)->type))hy_handles_get(&(typed)->handles, (handle)))
/* As hy_handles_next, likewise. */
#define hy_typed_handles_next(typed, handle)                                                                 \
    ((HY_TYPEOF((typed)->type))hy_handles_next(&(typed)->handles, (handle)))

#endif
