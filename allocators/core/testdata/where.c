/* where.c: a program that source_lines_test.py builds in many forms: it tells where it is.
 *
 *   where functions    the stack inside an inlined and a static function, by frame pointers and in full
 *   where library      the same from a function that a shared library's static function called
 *   where malloc       its malloc reports while libdw uses it
 *   where threads      one thread prints while another is held inside libdw
 */
#include <heapyard/stack_trace.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

enum { FRAMES = 16 };

void library_call(void (*function)(void)); /* of where_library.c */

static void print_where(bool in_full) {
    void *frames[FRAMES];
    size_t count = in_full ? hy_stack_capture_full(frames, FRAMES) : hy_stack_capture(frames, FRAMES);
    hy_stack_print_descriptor(1, frames, count);
}

static inline __attribute__((always_inline)) void inlined_function(void) {
    print_where(false); /* line: quick */
    print_where(true);  /* line: full */
}

static __attribute__((noinline)) void static_function(void) {
    inlined_function(); /* line: call */
    __asm__ volatile("");
}

/* A malloc of its own: nothing is ever freed. */
static struct {
    _Alignas(16) char memory[64 << 20];
    size_t used;
    bool reports; /* each allocation is told */
    bool holds;   /* the next one of another thread than the first waits until it may go on */
    sem_t is_held, may_go;
    pthread_t first;
} heap;

static void hold(void) {
    if (pthread_equal(pthread_self(), heap.first)) return;
    if (!__atomic_exchange_n(&heap.holds, false, __ATOMIC_ACQ_REL)) return;
    sem_post(&heap.is_held);
    sem_wait(&heap.may_go);
}

void *malloc(size_t size) {
    if (heap.reports) print_where(false);
    hold();
    size_t step = (size + 31) & ~(size_t)15; /* with room for the size in front */
    size_t at = __atomic_fetch_add(&heap.used, step, __ATOMIC_RELAXED);
    if (at + step > sizeof heap.memory) return NULL;
    memcpy(heap.memory + at, &size, sizeof size);
    return heap.memory + at + 16;
}

void free(void *ptr) {
    (void)ptr;
}

void *calloc(size_t count, size_t size) {
    return malloc(count * size); /* fresh memory is zero */
}

void *realloc(void *ptr, size_t size) {
    char *moved = malloc(size);
    size_t old_size = 0;
    if (ptr) memcpy(&old_size, (char *)ptr - 16, sizeof old_size);
    if (moved && ptr) memcpy(moved, ptr, old_size < size ? old_size : size);
    return moved;
}

static void *print_in_thread(void *argument) {
    static_function();
    return argument;
}

static int print_beside_a_held_thread(void) {
    pthread_t thread;
    heap.first = pthread_self();
    sem_init(&heap.is_held, 0, 0);
    sem_init(&heap.may_go, 0, 0);
    if (pthread_create(&thread, NULL, print_in_thread, NULL) != 0) return 1;
    sem_wait(&heap.is_held);
    static_function();
    sem_post(&heap.may_go);
    return pthread_join(thread, NULL);
}

int main(int count, char **arguments) {
    const char *what = count > 1 ? arguments[1] : "functions";
    heap.reports = strcmp(what, "malloc") == 0;
    heap.holds = strcmp(what, "threads") == 0;
    if (heap.holds) return print_beside_a_held_thread();
    if (strcmp(what, "library") == 0)
        library_call(static_function);
    else
        static_function();
    return 0;
}
