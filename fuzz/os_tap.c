/* os_tap.c: the system's functions as the linker's --wrap gives them other names.
 *
 * Where a call is to be refused, the system is asked for what it can't do, and so refuses as it does: errno
 * is set, and what must not be relied on after a refusal may be gone. Functions that never refuse pass by.
 */
#include "fuzz/os_tap.h"

#include "allocators/core/os.h"
#include "fuzz/os_region.h"
#include <string.h>

void *__real_hy_os_map(size_t size);
bool __real_hy_os_map_at(void *target, size_t size);
void *__real_hy_os_reserve(size_t size);
bool __real_hy_os_unmap(void *ptr, size_t size);
bool __real_hy_os_discard(void *ptr, size_t size);
bool __real_hy_os_protect(void *ptr, size_t size, bool accessible);
bool __real_hy_os_resize(void *ptr, size_t old_size, size_t new_size);
void *__real_hy_os_move(void *ptr, size_t old_size, size_t new_size);
bool __real_hy_os_move_to(void *ptr, size_t old_size, size_t new_size, void *target);
bool __real_hy_os_move_contents(void *ptr, size_t size, void *target);

void *__wrap_hy_os_map(size_t size);
bool __wrap_hy_os_map_at(void *target, size_t size);
void *__wrap_hy_os_reserve(size_t size);
bool __wrap_hy_os_unmap(void *ptr, size_t size);
bool __wrap_hy_os_discard(void *ptr, size_t size);
bool __wrap_hy_os_protect(void *ptr, size_t size, bool accessible);
bool __wrap_hy_os_resize(void *ptr, size_t old_size, size_t new_size);
void *__wrap_hy_os_move(void *ptr, size_t old_size, size_t new_size);
bool __wrap_hy_os_move_to(void *ptr, size_t old_size, size_t new_size, void *target);
bool __wrap_hy_os_move_contents(void *ptr, size_t size, void *target);

#define IMPOSSIBLE_BYTES (SIZE_MAX / 2 + 1) /* more than there are addresses */
#define SYSTEMS_OWN 8                       /* where one call of so many is refused, it serves all others */
#define STRANDED_MAX 64                     /* more than these are taken back */

typedef struct range {
    char *ptr;
    size_t size;
} range;

static hy_os_tap tap;

static struct {
    size_t index; /* that is refused */
    bool once;
    size_t calls;                 /* of the run */
    size_t *refusals;             /* NULL: no run */
    bool has_closed;              /* the run has made pages inaccessible */
    range stranded[STRANDED_MAX]; /* that the run could not give back */
    size_t stranded_count;
} faults = {.index = SIZE_MAX};

/* Adds with wrapping: less is more of the complement. */
static void count(size_t *counter, size_t more) {
    __atomic_fetch_add(counter, more, __ATOMIC_RELAXED);
}

hy_os_tap hy_os_tap_read(void) {
    return (hy_os_tap){__atomic_load_n(&tap.mapped_bytes, __ATOMIC_RELAXED),
        __atomic_load_n(&tap.refusals, __ATOMIC_RELAXED)};
}

void hy_os_tap_refuse(size_t index, bool once) {
    faults.index = index;
    faults.once = once;
}

size_t hy_os_tap_calls(void) {
    return faults.calls;
}

/* Whether the next call is refused. */
static bool refuses(void) {
    if (!faults.refusals) return false;
    size_t call = faults.calls++;
    if (faults.once ? call != faults.index : call < faults.index) return false;
    ++*faults.refusals;
    return true;
}

/* A range that is given back after all, or mapped anew elsewhere, is stranded no more. */
static void forget_stranded(const void *ptr, size_t size) {
    uintptr_t start = (uintptr_t)ptr;
    for (size_t i = faults.stranded_count; i-- > 0;) {
        const range *at = &faults.stranded[i];
        if ((uintptr_t)at->ptr < start + size && start < (uintptr_t)at->ptr + at->size)
            faults.stranded[i] = faults.stranded[--faults.stranded_count];
    }
}

void hy_os_tap_run(size_t *refusals) {
    if (refusals) faults.calls = 0;
    hy_os_region_serve(refusals && (faults.index == SIZE_MAX || faults.index % SYSTEMS_OWN != 0));
    faults.refusals = refusals;
    faults.has_closed = false;
    while (faults.stranded_count > 0) {
        range at = faults.stranded[faults.stranded_count - 1];
        __wrap_hy_os_unmap(at.ptr, at.size);
    }
}

void *__wrap_hy_os_map(size_t size) {
    bool refused = refuses();
    void *ptr = refused ? NULL : hy_os_region_map(size);
    if (!ptr) ptr = __real_hy_os_map(refused ? IMPOSSIBLE_BYTES : size);
    if (ptr) count(&tap.mapped_bytes, size);
    return ptr;
}

/* Where something is mapped already. */
bool __wrap_hy_os_map_at(void *target, size_t size) {
    return __real_hy_os_map_at(target, refuses() ? IMPOSSIBLE_BYTES : size);
}

void *__wrap_hy_os_reserve(size_t size) {
    void *ptr = __real_hy_os_reserve(refuses() ? IMPOSSIBLE_BYTES : size);
    if (ptr) count(&tap.mapped_bytes, size);
    return ptr;
}

bool __wrap_hy_os_unmap(void *ptr, size_t size) {
    if (faults.stranded_count < STRANDED_MAX && refuses()) {
        faults.stranded[faults.stranded_count++] = (range){ptr, size};
        return __real_hy_os_unmap((char *)ptr + 1, size); /* no page begins there */
    }
    bool done = hy_os_region_has(ptr) ? hy_os_region_unmap(ptr, size) : __real_hy_os_unmap(ptr, size);
    count(done ? &tap.mapped_bytes : &tap.refusals, done ? 0 - size : 1);
    forget_stranded(ptr, size);
    return done;
}

bool __wrap_hy_os_discard(void *ptr, size_t size) {
    if (refuses()) return __real_hy_os_discard(NULL, size);
    bool done = hy_os_region_has(ptr) && hy_os_region_discard(ptr, size);
    return done || __real_hy_os_discard(ptr, size);
}

static bool protect(void *ptr, size_t size, bool accessible) {
    if (size == 0) return true; /* of no bytes the system need not hear */
    if (!hy_os_region_has(ptr)) return __real_hy_os_protect(ptr, size, accessible);
    hy_os_region_protect(ptr, size, accessible);
    return true;
}

/* To open what was closed takes nothing that the system could lack. */
bool __wrap_hy_os_protect(void *ptr, size_t size, bool accessible) {
    bool refused = !(accessible && faults.has_closed) && refuses();
    if (refused) return __real_hy_os_protect(NULL, IMPOSSIBLE_BYTES, accessible);
    bool done = protect(ptr, size, accessible);
    if (faults.refusals && done && !accessible) faults.has_closed = true;
    return done;
}

bool __wrap_hy_os_resize(void *ptr, size_t old_size, size_t new_size) {
    bool refused = refuses(), is_in_region = !refused && hy_os_region_has(ptr);
    bool done = is_in_region ? hy_os_region_resize(ptr, old_size, new_size)
                             : __real_hy_os_resize(refused ? NULL : ptr, old_size, new_size);
    if (done) count(&tap.mapped_bytes, new_size - old_size);
    return done;
}

/* Out of the region's pages into a mapping that has room. */
static void *leave_region(void *ptr, size_t old_size, size_t new_size) {
    void *moved = hy_os_region_map(new_size);
    if (!moved) moved = __real_hy_os_map(new_size);
    if (!moved) return NULL;
    memcpy(moved, ptr, old_size < new_size ? old_size : new_size);
    hy_os_region_unmap(ptr, old_size);
    return moved;
}

void *__wrap_hy_os_move(void *ptr, size_t old_size, size_t new_size) {
    bool refused = refuses(), is_in_region = !refused && hy_os_region_has(ptr);
    void *moved = is_in_region ? leave_region(ptr, old_size, new_size)
                               : __real_hy_os_move(refused ? NULL : ptr, old_size, new_size);
    if (!moved) return NULL;
    count(&tap.mapped_bytes, new_size - old_size);
    forget_stranded(ptr, old_size);
    return moved;
}

/* Whether a move is refused; what lay at its target is gone then, as some kernels leave it. */
static bool refuses_move(void *target, size_t size) {
    return refuses() && __real_hy_os_protect(target, size, false);
}

static bool leave_region_to(void *ptr, size_t old_size, size_t new_size, void *target) {
    if (!__real_hy_os_map_at(target, new_size)) return false;
    memcpy(target, ptr, old_size < new_size ? old_size : new_size);
    return hy_os_region_unmap(ptr, old_size);
}

/* Onto addresses that were reserved before. */
bool __wrap_hy_os_move_to(void *ptr, size_t old_size, size_t new_size, void *target) {
    bool refused = refuses_move(target, new_size), is_in_region = !refused && hy_os_region_has(ptr);
    bool done = is_in_region ? leave_region_to(ptr, old_size, new_size, target)
                             : __real_hy_os_move_to(refused ? NULL : ptr, old_size, new_size, target);
    if (!done) return false;
    count(&tap.mapped_bytes, 0 - old_size);
    forget_stranded(ptr, old_size);
    return true;
}

bool __wrap_hy_os_move_contents(void *ptr, size_t size, void *target) {
    return __real_hy_os_move_contents(refuses_move(target, size) ? NULL : ptr, size, target);
}
