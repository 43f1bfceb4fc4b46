/* number_list.c: a container that stores its allocator.
 *
 * init takes the allocator, add and deinit use it, so that users of the list need not know it. add doubles
 * the capacity, in place where the allocator can, and leaves the list unchanged where memory is out.
 *
 *   $ number_list
 *   libc: 10 numbers, sum 45
 *   arena: 10 numbers, sum 45
 *   64 bytes: 8 numbers, sum 28, then out of memory
 */
#include <heapyard/heapyard.h>
#include <stdio.h>

typedef struct number_list {
    hy_allocator allocator;
    int64_t *items;
    size_t count, capacity;
} number_list;

/* Allocates nothing yet. */
static void number_list_init(number_list *list, hy_allocator allocator) {
    *list = (number_list){.allocator = allocator};
}

/* HY_OUT_OF_MEMORY: the list is unchanged. */
static hy_error number_list_add(number_list *list, int64_t number) {
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 4;
        int64_t *items = hy_realloc_n(list->allocator, int64_t, list->items, list->capacity, capacity);
        if (!items) return HY_OUT_OF_MEMORY;
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] = number;
    return HY_OK;
}

static void number_list_deinit(number_list *list) {
    hy_free_n(list->allocator, list->items, list->capacity);
    number_list_init(list, list->allocator);
}

static void use(const char *label, hy_allocator allocator) {
    number_list list;
    number_list_init(&list, allocator);
    hy_error error = HY_OK;
    for (int64_t number = 0; number < 10 && error == HY_OK; number++)
        error = number_list_add(&list, number);
    int64_t sum = 0;
    for (size_t i = 0; i < list.count; i++)
        sum += list.items[i];
    printf("%s: %zu numbers, sum %d", label, list.count, (int)sum);
    printf(error == HY_OK ? "\n" : ", then %s\n", hy_error_string(error));
    number_list_deinit(&list);
}

int main(void) {
    use("libc", hy_libc());

    hy_arena arena = HY_ARENA_INIT(hy_libc());
    use("arena", hy_arena_allocator(&arena));
    hy_arena_deinit(&arena);

    _Alignas(8) char buffer[64];
    hy_fixed_buffer fixed;
    hy_fixed_buffer_init(&fixed, buffer, sizeof buffer);
    use("64 bytes", hy_fixed_buffer_allocator(&fixed));
    hy_fixed_buffer_deinit(&fixed);
    return 0;
}
