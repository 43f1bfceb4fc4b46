/* refusing_malloc.c: for tests: preloaded, it takes the place of the C library's malloc family and misbehaves
 * once, at a place that the environment names.
 *
 *   HY_TEST_REFUSE=K   the K-th request from main's begin to its end, counted from 0, gets NULL
 *   HY_TEST_SHARE=S    every malloc of S bytes gets the same block, which is never freed
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* glibc's own names for what this hides. */
// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming)
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void *__libc_memalign(size_t align, size_t size);
void __libc_free(void *block);
int __libc_start_main(int (*program)(int, char **, char **), int argc, char **argv, void (*init)(void),
    void (*fini)(void), void (*loader_fini)(void), void *stack_end);
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)

static _Atomic long requests;
static _Atomic bool in_main;
static int (*program_main)(int, char **, char **);
static char shared[4096];

static long asked(const char *variable) {
    const char *text = getenv(variable);
    return text ? strtol(text, NULL, 10) : -1;
}

static bool is_refused(void) {
    if (!atomic_load(&in_main)) return false;
    long number = atomic_fetch_add(&requests, 1);
    if (number != asked("HY_TEST_REFUSE")) return false;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size) {
    if ((long)size == asked("HY_TEST_SHARE")) return shared;
    return is_refused() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
    return is_refused() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *block, size_t size) {
    if (block == shared) return size <= sizeof shared ? block : NULL;
    return is_refused() ? NULL : __libc_realloc(block, size);
}

void *memalign(size_t align, size_t size) {
    return is_refused() ? NULL : __libc_memalign(align, size);
}

void *aligned_alloc(size_t align, size_t size) {
    return memalign(align, size);
}

int posix_memalign(void **out, size_t align, size_t size) {
    void *block = memalign(align, size);
    if (!block) return ENOMEM;
    *out = block;
    return 0;
}

void free(void *block) {
    if (block != shared) __libc_free(block);
}

static int counted_main(int argc, char **argv, char **environment) {
    atomic_store(&in_main, true);
    int status = program_main(argc, argv, environment);
    atomic_store(&in_main, false);
    return status;
}

/* What calls main: the libraries' beginnings and ends are no part of the program. */
// NOLINTNEXTLINE(bugprone-reserved-identifier,readability-identifier-naming)
int __libc_start_main(int (*program)(int, char **, char **), int argc, char **argv, void (*init)(void),
    void (*fini)(void), void (*loader_fini)(void), void *stack_end) {
    void *symbol = dlsym(RTLD_NEXT, "__libc_start_main");
    int (*next)(
        int (*)(int, char **, char **), int, char **, void (*)(void), void (*)(void), void (*)(void), void *);
    memcpy(&next, &symbol, sizeof next);
    program_main = program;
    return next(counted_main, argc, argv, init, fini, loader_fini, stack_end);
}
