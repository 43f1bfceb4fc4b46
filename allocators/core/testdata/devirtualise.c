/* devirtualise.c: what devirtualise_test.py compiles and takes apart: never run.
 *
 * Each known_ function uses an allocator that the compiler can know, through the front door; unknown_pair
 * is the control, whose calls must go through the table.
 */
#include <heapyard/arena.h>
#include <heapyard/bump.h>
#include <heapyard/fixed_buffer.h>
#include <heapyard/libc.h>
#include <heapyard/page.h>
#include <heapyard/pool.h>
#include <heapyard/raw_libc.h>
#include <heapyard/typed.h>

void use(void *ptr);
void known_arena(hy_arena *arena);
void known_bump(hy_bump *bump);
void known_fixed_buffer(hy_fixed_buffer *fixed);
void known_shared_buffer(hy_fixed_buffer *fixed);
void known_pool(hy_pool *pool);
void known_libc(void);
void known_raw_libc(void);
void known_page(void);
void unknown_pair(hy_allocator allocator);

/* Every slot once. */
HY_INLINE void every_call(hy_allocator allocator) {
    long *ptr = hy_create(allocator, long);
    if (!ptr) return;
    use(ptr);
    ptr = hy_realloc_n(allocator, long, ptr, 1, 2);
    if (!ptr) return;
    use(ptr);
    if (hy_resize_n(allocator, ptr, 2, 3)) {
        hy_free_n(allocator, ptr, 3);
    } else {
        hy_free_n(allocator, ptr, 2);
    }
}

void known_arena(hy_arena *arena) {
    every_call(hy_arena_allocator(arena));
}

void known_bump(hy_bump *bump) {
    every_call(hy_bump_allocator(bump));
}

void known_fixed_buffer(hy_fixed_buffer *fixed) {
    every_call(hy_fixed_buffer_allocator(fixed));
}

void known_shared_buffer(hy_fixed_buffer *fixed) {
    every_call(hy_fixed_buffer_shared_allocator(fixed));
}

void known_pool(hy_pool *pool) {
    every_call(hy_pool_allocator(pool));
}

void known_libc(void) {
    every_call(hy_libc());
}

void known_raw_libc(void) {
    every_call(hy_raw_libc());
}

void known_page(void) {
    every_call(hy_page());
}

void unknown_pair(hy_allocator allocator) {
    every_call(allocator);
}
