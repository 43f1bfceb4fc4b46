/* next.c: looks up the real functions, and serves calls until they are known. */
#include "allocators/trace/recorder/next.h"

#include <dlfcn.h>
#include <stdint.h>
#include <string.h>

#define SIZE_BYTES 16 /* in front of each early block */

typedef struct early_memory {
    _Alignas(64) unsigned char bytes[16384];
    atomic_size_t used;
} early_memory;

hy_next_functions hy_next;
static early_memory early;

bool hy_early_holds(const void *block) {
    return (uintptr_t)block - (uintptr_t)early.bytes < sizeof early.bytes;
}

void *hy_early_alloc(size_t size) {
    if (size > sizeof early.bytes) return NULL;
    size_t whole = ((size + 15) & ~(size_t)15) + SIZE_BYTES;
    size_t at = atomic_fetch_add(&early.used, whole);
    if (at + whole > sizeof early.bytes) return NULL;
    memcpy(early.bytes + at, &size, sizeof size);
    return early.bytes + at + SIZE_BYTES;
}

size_t hy_early_size(const void *block) {
    size_t size;
    memcpy(&size, (const unsigned char *)block - SIZE_BYTES, sizeof size);
    return size;
}

/* dlsym returns an object pointer; ISO C has no cast to a function pointer, so its bytes are copied. */
static void find(const char *name, void *function) {
    void *symbol = dlsym(RTLD_NEXT, name);
    memcpy(function, &symbol, sizeof symbol);
}

bool hy_next_look_up(void) {
    int expected = 0;
    if (!atomic_compare_exchange_strong(&hy_next.state, &expected, 1)) return expected == 2;
    find("malloc", &hy_next.malloc);
    find("free", &hy_next.free);
    find("calloc", &hy_next.calloc);
    find("realloc", &hy_next.realloc);
    find("memalign", &hy_next.memalign);
    find("aligned_alloc", &hy_next.aligned_alloc);
    find("posix_memalign", &hy_next.posix_memalign);
    find("valloc", &hy_next.valloc);
    find("pvalloc", &hy_next.pvalloc);
    atomic_store_explicit(&hy_next.state, 2, memory_order_release);
    return true;
}
