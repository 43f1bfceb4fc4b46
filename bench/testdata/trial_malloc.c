/* trial_malloc.c: malloc libraries that are sound, that lack what they may lack, and that fail in each way
 * that a bench run must survive. Preloaded, they hand on to the C library; the bad ones begin at their
 * thousandth allocation, when the process has started. CMakeLists.txt makes a library of each kind:
 *
 *   SOUND     all of malloc's family, with free_sized and free_aligned_sized that hold a size to its word
 *   BARE      malloc, calloc and free alone
 *   CRASH     dies of SIGSEGV
 *   HANG      stops answering
 *   OVERLAP   every second block lies 16 bytes into the one before it
 *   MISALIGN  blocks begin 8 bytes too late
 */
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#define CALLS_BEFORE 1000

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *ptr, size_t size);
void *__libc_memalign(size_t align, size_t size);
void __libc_free(void *ptr);

#if defined(TRIAL_SOUND) || defined(TRIAL_BARE)
static void *serve(size_t size) {
    return __libc_malloc(size);
}
#else
static atomic_size_t calls;

static int is_time(void) {
    return atomic_fetch_add(&calls, 1) >= CALLS_BEFORE;
}
#endif

#if defined(TRIAL_CRASH)
static void *serve(size_t size) {
    if (is_time()) raise(SIGSEGV);
    return __libc_malloc(size);
}
#elif defined(TRIAL_HANG)
static void *serve(size_t size) {
    while (is_time())
        pause();
    return __libc_malloc(size);
}
#elif defined(TRIAL_OVERLAP)
static _Thread_local char *former;
static _Thread_local size_t former_size;

static void *serve(size_t size) {
    if (!is_time()) return __libc_malloc(size);
    if (former && former_size == size) {
        char *block = former + 16;
        former = NULL;
        return block;
    }
    former = __libc_malloc(size + 16);
    former_size = size;
    return former;
}
#elif defined(TRIAL_MISALIGN)
static void *serve(size_t size) {
    return is_time() ? (char *)__libc_malloc(size + 8) + 8 : __libc_malloc(size);
}
#endif

void *malloc(size_t size) {
    return serve(size);
}

void *calloc(size_t count, size_t size) {
    return __libc_calloc(count, size);
}

/* Who overlaps or misaligns can't give blocks back, and leaks them. */
void free(void *ptr) {
#if defined(TRIAL_OVERLAP) || defined(TRIAL_MISALIGN)
    if (atomic_load(&calls) >= CALLS_BEFORE) return;
#endif
    __libc_free(ptr);
}

#if defined(TRIAL_SOUND)
void *realloc(void *ptr, size_t size) {
    return __libc_realloc(ptr, size);
}

void *aligned_alloc(size_t align, size_t size) {
    return __libc_memalign(align, size);
}

int posix_memalign(void **out, size_t align, size_t size) {
    *out = __libc_memalign(align, size);
    return *out ? 0 : ENOMEM;
}

void free_sized(void *ptr, size_t size);
void free_aligned_sized(void *ptr, size_t align, size_t size);

/* The C library rounds a request up by less than a page and a header. */
void free_sized(void *ptr, size_t size) {
    size_t usable = ptr ? malloc_usable_size(ptr) : size;
    if (usable < size || usable - size > 4096 + 32) abort();
    __libc_free(ptr);
}

void free_aligned_sized(void *ptr, size_t align, size_t size) {
    if ((uintptr_t)ptr % align) abort();
    free_sized(ptr, size);
}
#endif
