/* os_tap.c: the system's functions as the linker's --wrap gives them other names.
 *
 * Not wrapped is what changes no addresses: to map, or to move contents, where something is mapped already.
 */
#include "fuzz/os_tap.h"

#include "allocators/core/os.h"

void *__real_hy_os_map(size_t size);
void *__real_hy_os_reserve(size_t size);
bool __real_hy_os_unmap(void *ptr, size_t size);
bool __real_hy_os_resize(void *ptr, size_t old_size, size_t new_size);
void *__real_hy_os_move(void *ptr, size_t old_size, size_t new_size);
bool __real_hy_os_move_to(void *ptr, size_t old_size, size_t new_size, void *target);

void *__wrap_hy_os_map(size_t size);
void *__wrap_hy_os_reserve(size_t size);
bool __wrap_hy_os_unmap(void *ptr, size_t size);
bool __wrap_hy_os_resize(void *ptr, size_t old_size, size_t new_size);
void *__wrap_hy_os_move(void *ptr, size_t old_size, size_t new_size);
bool __wrap_hy_os_move_to(void *ptr, size_t old_size, size_t new_size, void *target);

static hy_os_tap tap;

/* Adds with wrapping: less is more of the complement. */
static void count(size_t *counter, size_t more) {
    __atomic_fetch_add(counter, more, __ATOMIC_RELAXED);
}

hy_os_tap hy_os_tap_read(void) {
    return (hy_os_tap){__atomic_load_n(&tap.mapped_bytes, __ATOMIC_RELAXED),
        __atomic_load_n(&tap.refusals, __ATOMIC_RELAXED)};
}

void *__wrap_hy_os_map(size_t size) {
    void *ptr = __real_hy_os_map(size);
    if (ptr) count(&tap.mapped_bytes, size);
    return ptr;
}

void *__wrap_hy_os_reserve(size_t size) {
    void *ptr = __real_hy_os_reserve(size);
    if (ptr) count(&tap.mapped_bytes, size);
    return ptr;
}

bool __wrap_hy_os_unmap(void *ptr, size_t size) {
    bool done = __real_hy_os_unmap(ptr, size);
    count(done ? &tap.mapped_bytes : &tap.refusals, done ? 0 - size : 1);
    return done;
}

bool __wrap_hy_os_resize(void *ptr, size_t old_size, size_t new_size) {
    bool done = __real_hy_os_resize(ptr, old_size, new_size);
    if (done) count(&tap.mapped_bytes, new_size - old_size);
    return done;
}

void *__wrap_hy_os_move(void *ptr, size_t old_size, size_t new_size) {
    void *moved = __real_hy_os_move(ptr, old_size, new_size);
    if (moved) count(&tap.mapped_bytes, new_size - old_size);
    return moved;
}

/* Onto addresses that were reserved before. */
bool __wrap_hy_os_move_to(void *ptr, size_t old_size, size_t new_size, void *target) {
    bool done = __real_hy_os_move_to(ptr, old_size, new_size, target);
    if (done) count(&tap.mapped_bytes, 0 - old_size);
    return done;
}
