/* own_allocator.c: an allocator of your own, in 40 lines.
 *
 * A stack: only the newest block can be freed and resized, so that no block needs a header and the state is
 * one number; freeing any other has no effect. It needs four functions in a table, and one that returns the
 * two-word value. The front door handles zero sizes, NULL and overflowing products before any of them is
 * called.
 *
 *   $ own_allocator
 *   two blocks take 32 bytes
 *   the newest grew in place: 48 bytes
 *   a block too many is refused, and nothing has changed: 48 bytes
 *   an older block moves when it grows: 80 bytes
 *   freed, newest first: 16 bytes, which the block left that moved
 *   an arena over it works as over any: hello from 1 KiB
 */
#include <heapyard/heapyard.h>
#include <stdio.h>

/* The allocator, to the end of stack_allocator: 40 lines. */
typedef struct stack {
    _Alignas(max_align_t) char bytes[1024];
    size_t used;
} stack;

static void *stack_alloc(void *self, size_t size, hy_align align) {
    stack *it = self;
    size_t start;
    if (hy_align_bytes(align) > _Alignof(max_align_t)) return NULL;
    if (!hy_align_forward_checked(it->used, HY_ALIGN_MAX_SCALAR, &start)) return NULL;
    if (start > sizeof it->bytes || size > sizeof it->bytes - start) return NULL;
    it->used = start + size;
    return it->bytes + start;
}

static bool stack_resize(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    (void)align;
    stack *it = self;
    size_t start = (size_t)((char *)ptr - it->bytes);
    if (start + old_size != it->used || new_size > sizeof it->bytes - start) return false;
    it->used = start + new_size;
    return true;
}

static void *stack_remap(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    return stack_resize(self, ptr, old_size, new_size, align) ? ptr : NULL;
}

static void stack_free(void *self, void *ptr, size_t size, hy_align align) {
    (void)align;
    stack *it = self;
    size_t start = (size_t)((char *)ptr - it->bytes);
    if (start + size == it->used) it->used = start;
}

static const hy_vtable stack_vtable = {stack_alloc, stack_resize, stack_remap, stack_free};

static hy_allocator stack_allocator(stack *it) {
    return (hy_allocator){it, &stack_vtable};
}

int main(void) {
    static stack memory;
    hy_allocator gpa = stack_allocator(&memory);

    int *first = hy_alloc_n(gpa, int, 4), *second = hy_alloc_n(gpa, int, 4);
    if (!first || !second) return 1;
    printf("two blocks take %zu bytes\n", memory.used);
    if (!hy_resize_n(gpa, second, 4, 8)) return 1;
    printf("the newest grew in place: %zu bytes\n", memory.used);
    if (hy_alloc_n(gpa, char, 2000)) return 1;
    printf("a block too many is refused, and nothing has changed: %zu bytes\n", memory.used);
    second[7] = 7;
    first = hy_realloc_n(gpa, int, first, 4, 8);
    if (!first || second[7] != 7) return 1;
    printf("an older block moves when it grows: %zu bytes\n", memory.used);
    hy_free_n(gpa, first, 8);
    hy_free_n(gpa, second, 8);
    printf("freed, newest first: %zu bytes, which the block left that moved\n", memory.used);

    hy_arena arena = HY_ARENA_INIT(gpa);
    char *text = hy_dupe_z(hy_arena_allocator(&arena), char, "hello from 1 KiB", 16);
    printf("an arena over it works as over any: %s\n", text ? text : "out of memory");
    hy_arena_deinit(&arena);
    return 0;
}
