/* refusing_libc.c: fault injection for tests: preloaded, it replaces the C library's malloc family and some
 * system calls, and fails the calls that the environment names. Only calls made while main runs are counted.
 *
 *   HY_TEST_REFUSE=K   the K-th request, counted from 0, gets NULL
 *   HY_TEST_SHARE=S    every malloc of S bytes gets the same block, which is never freed
 *   HY_TEST_SYSTEM     system calls that fail (see refusals.h)
 */
#include "refusals.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* glibc's own names for the functions that this file replaces. */
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

static long number_in(const char *variable) {
    const char *text = getenv(variable);
    return text ? strtol(text, NULL, 10) : -1;
}

static bool is_refused(void) {
    if (!atomic_load(&in_main)) return false;
    long number = atomic_fetch_add(&requests, 1);
    if (number != number_in("HY_TEST_REFUSE")) return false;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size) {
    if ((long)size == number_in("HY_TEST_SHARE")) return shared;
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

/* ---- system calls ---- */

static bool is_failed(const char *name, unsigned *calls) {
    return atomic_load(&in_main) && refused(name, calls);
}

ssize_t write(int file, const void *bytes, size_t size) {
    static unsigned calls;
    return is_failed("write", &calls) ? -1 : syscall(SYS_write, file, bytes, size);
}

/* ERRNO 0: returns end of file. */
ssize_t read(int file, void *bytes, size_t size) {
    static unsigned calls;
    if (is_failed("read", &calls)) return errno ? -1 : 0;
    return syscall(SYS_read, file, bytes, size);
}

int fsync(int file) {
    static unsigned calls;
    return is_failed("fsync", &calls) ? -1 : (int)syscall(SYS_fsync, file);
}

int ftruncate(int file, off_t size) {
    static unsigned calls;
    return is_failed("ftruncate", &calls) ? -1 : (int)syscall(SYS_ftruncate, file, size);
}

/* Closes the file even where it reports an error, as Linux does. */
int close(int file) {
    static unsigned calls;
    int result = (int)syscall(SYS_close, file);
    return is_failed("close", &calls) ? -1 : result;
}

int fstat(int file, struct stat *out) {
    static unsigned calls;
    return is_failed("fstat", &calls) ? -1 : fstatat(file, "", out, AT_EMPTY_PATH);
}

int rename(const char *from, const char *to) {
    static unsigned calls;
    return is_failed("rename", &calls) ? -1 : (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

pid_t fork(void) {
    static unsigned calls;
    return is_failed("fork", &calls) ? -1 : (pid_t)syscall(SYS_fork);
}

int pthread_create(pthread_t *out, const pthread_attr_t *attributes, void *(*work)(void *), void *context) {
    static unsigned calls;
    if (is_failed("pthread_create", &calls)) return errno;
    void *symbol = dlsym(RTLD_NEXT, "pthread_create");
    int (*next)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    memcpy(&next, &symbol, sizeof next);
    return next(out, attributes, work, context);
}

/* ---- main ---- */

static int counted_main(int argc, char **argv, char **environment) {
    atomic_store(&in_main, true);
    int status = program_main(argc, argv, environment);
    atomic_store(&in_main, false);
    return status;
}

/* Wraps main, so that the libraries' constructors and destructors are not counted. */
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
