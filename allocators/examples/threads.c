/* threads.c: three ways to share an allocator between threads.
 *
 * A lock around an allocator that has none; an arena that needs none, because each thread fills a chunk of
 * its own; a buffer from which threads allocate by one atomic operation. The workers see no difference: the
 * caller that makes an allocator ensures that it is thread-safe, which each header documents.
 *
 *   $ threads
 *   thread_safe over arena: 4 threads, 4000 numbers, sum 8002000
 *   arena_shared: 4 threads, 4000 numbers, sum 8002000
 *   fixed_buffer_shared: 4 threads, 4000 numbers, sum 8002000
 */
#include <heapyard/heapyard.h>
#include <pthread.h>
#include <stdio.h>

#define THREADS 4
#define NUMBERS 1000

typedef struct number {
    struct number *next;
    int64_t value;
} number;

typedef struct worker {
    pthread_t thread;
    hy_allocator arena; /* the list is freed with it */
    int64_t first;
    number *list;
} worker;

static void *make_list(void *argument) {
    worker *self = argument;
    for (int64_t i = 0; i < NUMBERS; i++) {
        number *made = hy_create(self->arena, number);
        if (!made) break;
        *made = (number){self->list, self->first + i};
        self->list = made;
    }
    return NULL;
}

static void run(const char *label, hy_allocator arena) {
    worker workers[THREADS];
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (worker){.arena = arena, .first = 1 + (int64_t)i * NUMBERS};
        if (pthread_create(&workers[i].thread, NULL, make_list, &workers[i]) != 0) return;
    }
    int64_t sum = 0;
    int count = 0;
    for (int i = 0; i < THREADS; i++) {
        pthread_join(workers[i].thread, NULL);
        for (const number *at = workers[i].list; at; at = at->next, count++)
            sum += at->value;
    }
    printf("%s: %d threads, %d numbers, sum %lld\n", label, THREADS, count, (long long)sum);
}

int main(void) {
    hy_arena arena = HY_ARENA_INIT(hy_raw_libc());
    hy_thread_safe locked = HY_THREAD_SAFE_INIT(hy_arena_allocator(&arena));
    run("thread_safe over arena", hy_thread_safe_allocator(&locked));
    hy_thread_safe_deinit(&locked);
    hy_arena_deinit(&arena);

    hy_arena_shared shared = HY_ARENA_SHARED_INIT(hy_raw_libc());
    run("arena_shared", hy_arena_shared_allocator(&shared));
    hy_arena_shared_deinit(&shared);

    static char buffer[THREADS * NUMBERS * sizeof(number) + 64];
    static hy_fixed_buffer fixed = HY_FIXED_BUFFER_INIT(buffer);
    run("fixed_buffer_shared", hy_fixed_buffer_shared_allocator(&fixed));
    hy_fixed_buffer_deinit(&fixed);
    return 0;
}
