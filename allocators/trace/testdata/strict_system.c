/* strict_system.c: a program whose system calls fail, for the recorder's tests.
 *
 *   strict_system calls     allocates enough to extend the spool several times, prints "done"
 *   strict_system early     also prints whether calls made during the recorder's dlsym were served correctly
 *   strict_system files     prints the lowest free descriptor once the recorder has started
 *   strict_system exit      ends by _Exit(7)
 *   strict_system start     allocates nothing, and starts another program that does
 *   strict_system thread    has a thread whose last destructor still allocates
 *
 * HY_TEST_SYSTEM (see refusals.h) names the recorder's calls that fail. The functions below replace the C
 * library's for the recorder, because the program exports them, but not for the C library itself.
 */
#include "refusals.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- system calls that may fail ---- */

int fallocate(int file, int mode, off_t offset, off_t size) {
    static unsigned calls;
    return refused("fallocate", &calls) ? -1 : (int)syscall(SYS_fallocate, file, mode, offset, size);
}

ssize_t pwrite(int file, const void *bytes, size_t size, off_t offset) {
    static unsigned calls;
    return refused("pwrite", &calls) ? -1 : syscall(SYS_pwrite64, file, bytes, size, offset);
}

void *mmap(void *at, size_t size, int protection, int flags, int file, off_t offset) {
    static unsigned calls;
    if (refused("mmap", &calls)) return MAP_FAILED;
    return (void *)syscall(SYS_mmap, at, size, protection, flags, file, offset);
}

int madvise(void *at, size_t size, int advice) {
    static unsigned calls;
    return refused("madvise", &calls) ? -1 : (int)syscall(SYS_madvise, at, size, advice);
}

ssize_t readlink(const char *path, char *out, size_t size) {
    static unsigned calls;
    return refused("readlink", &calls) ? -1 : syscall(SYS_readlinkat, AT_FDCWD, path, out, size);
}

int fstat(int file, struct stat *out) {
    static unsigned calls;
    return refused("fstat", &calls) ? -1 : fstatat(file, "", out, AT_EMPTY_PATH);
}

int getrlimit(__rlimit_resource_t resource, struct rlimit *out) {
    static unsigned calls;
    return refused("getrlimit", &calls) ? -1 : (int)syscall(SYS_prlimit64, 0, resource, NULL, out);
}

int fcntl(int file, int command, ...) {
    static unsigned calls;
    va_list arguments;
    va_start(arguments, command);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    return refused("fcntl", &calls) ? -1 : (int)syscall(SYS_fcntl, file, command, argument);
}

int open(const char *path, int flags, ...) {
    static unsigned calls;
    va_list arguments;
    va_start(arguments, flags);
    unsigned mode = flags & O_CREAT ? va_arg(arguments, unsigned) : 0;
    va_end(arguments);
    return refused("open", &calls) ? -1 : (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

/* ---- calls during the look-up ---- */

static struct {
    bool looked_up;
    bool right;
    char *block;
    char *exhausted;
} early;

static void call_everything_early(void) {
    size_t huge = SIZE_MAX / 2;
    void *none = &early;
    early.block = malloc(100);
    early.right = early.block && malloc(huge) == NULL && calloc(huge, 3) == NULL;
    char *zeroed = calloc(3, 5);
    early.right = early.right && zeroed && zeroed[14] == 0 && memalign(64, 8) == NULL;
    early.right = early.right && aligned_alloc(64, 64) == NULL && posix_memalign(&none, 64, 8) == ENOMEM;
    early.right = early.right && valloc(8) == NULL && pvalloc(8) == NULL;
    free(zeroed);
    free(&huge); /* must be ignored: the real free is not known yet */
    if (early.block) strcpy(early.block, "kept");
    /* Fills the recorder's buffer to its end; the last block served is kept. */
    while ((zeroed = malloc(500)))
        early.exhausted = zeroed;
}

void *dlsym(void *handle, const char *name) {
    (void)handle;
    void *library = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
    void *(*next)(void *, const char *);
    void *symbol = dlvsym(library, "dlsym", "GLIBC_2.34");
    if (!symbol) symbol = dlvsym(library, "dlsym", "GLIBC_2.2.5");
    memcpy(&next, &symbol, sizeof next);
    if (!early.looked_up) {
        early.looked_up = true;
        call_everything_early();
    }
    return next(library, name);
}

/* realloc must move the early blocks to the heap with their contents, or leave them unchanged. */
static int print_early(void) {
    early.right = early.right && early.exhausted && realloc(early.block, SIZE_MAX / 2) == NULL;
    char *moved = realloc(early.block, 4);
    early.right = early.right && moved && moved != early.block && memcmp(moved, "kept", 4) == 0;
    free(moved);
    char *grown = realloc(early.exhausted, 4000);
    early.right = early.right && grown;
    free(grown);
    free(early.block);
    (void)puts(early.right ? "early calls were right" : "early calls went wrong");
    return early.right ? 0 : 1;
}

static void *volatile sink;

static int start_another(const char *path) {
    pid_t child = vfork();
    if (child == 0) {
        (void)execl(path, "ls", "/", (char *)NULL);
        _exit(127);
    }
    int status = 0;
    return waitpid(child, &status, 0) == child ? WEXITSTATUS(status) : 1;
}

static void allocate_late(void *block) {
    free(block);
    free(malloc(5001));
}

/* The key was created after the recorder's, so that its destructor runs later. */
static void *leave_late(void *key) {
    (void)pthread_setspecific(*(pthread_key_t *)key, malloc(5000));
    return NULL;
}

static int print_lowest_file(void) {
    free(malloc(8));
    (void)printf("%d\n", dup(STDOUT_FILENO));
    return 0;
}

static int end_late(void) {
    pthread_key_t key;
    pthread_t thread;
    free(malloc(4999));
    if (pthread_key_create(&key, allocate_late) != 0) return 1;
    if (pthread_create(&thread, NULL, leave_late, &key) != 0) return 1;
    return pthread_join(thread, NULL) + start_another("/nonexistent") - 127;
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "start") == 0) return start_another("/bin/ls");
    if (argc > 1 && strcmp(argv[1], "thread") == 0) return end_late();
    if (argc > 1 && strcmp(argv[1], "files") == 0) return print_lowest_file();
    for (int i = 0; i < 250000; i++) {
        sink = malloc(24);
        free(sink);
    }
    errno = 0;
    volatile size_t half = SIZE_MAX / 2;
    sink = calloc(half, 3);
    if (sink || errno != ENOMEM) return 2;
    sink = reallocarray(NULL, half, 3);
    if (sink || errno != ENOMEM) return 3;
    void *none = NULL;
    if (posix_memalign(&none, 3, 8) != EINVAL) return 4;
    sink = memalign(half + 1, 8);
    sink = realloc(malloc(8), 80);
    free(sink);
    (void)puts("done");
    (void)fflush(stdout);
    if (argc > 1 && strcmp(argv[1], "exit") == 0) _Exit(7);
    return argc > 1 && strcmp(argv[1], "early") == 0 ? print_early() : 0;
}
