/* os_wasm.c: what WebAssembly has of a system: a memory that grows, and where there is WASI, files.
 *
 * Pages are those of the memory and never go back; nothing can be protected, moved or mapped elsewhere, so
 * all of that is refused, as the header allows.
 */
#ifdef __wasm__
#include "allocators/core/os.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAGE_BYTES ((size_t)65536)

size_t hy_os_page_size(void) {
    return PAGE_BYTES;
}

void *hy_os_map(size_t size) {
    size_t pages = __builtin_wasm_memory_grow(0, size / PAGE_BYTES);
    return pages == SIZE_MAX ? NULL : (void *)(pages * PAGE_BYTES);
}

bool hy_os_map_at(void *target, size_t size) {
    (void)target, (void)size;
    return false;
}

void *hy_os_reserve(size_t size) {
    (void)size;
    return NULL;
}

bool hy_os_unmap(void *ptr, size_t size) {
    (void)ptr, (void)size;
    return false;
}

bool hy_os_discard(void *ptr, size_t size) {
    memset(ptr, 0, size);
    return true;
}

void hy_os_populate(void *ptr, size_t size) {
    (void)ptr, (void)size;
}

bool hy_os_protect(void *ptr, size_t size, bool accessible) {
    (void)ptr, (void)size, (void)accessible;
    return false;
}

bool hy_os_resize(void *ptr, size_t old_size, size_t new_size) {
    (void)ptr, (void)old_size, (void)new_size;
    return false;
}

void *hy_os_move(void *ptr, size_t old_size, size_t new_size) {
    (void)ptr, (void)old_size, (void)new_size;
    return NULL;
}

bool hy_os_move_to(void *ptr, size_t old_size, size_t new_size, void *target) {
    (void)ptr, (void)old_size, (void)new_size, (void)target;
    return false;
}

bool hy_os_move_contents(void *ptr, size_t size, void *target) {
    (void)ptr, (void)size, (void)target;
    return false;
}

size_t hy_os_address_limit(void) {
    return SIZE_MAX;
}

size_t hy_os_memory_size(void) {
    return 0;
}

uint64_t hy_os_coarse_ms(void) {
    return 0;
}

void hy_os_refuse_huge(void *ptr, size_t size) {
    (void)ptr, (void)size;
}

void hy_os_advise_huge(void *ptr, size_t size) {
    (void)ptr, (void)size;
}

bool hy_os_mapping_of(uintptr_t address, uintptr_t *low, uintptr_t *high) {
    (void)address, (void)low, (void)high;
    return false;
}

#ifdef __wasm_atomics__
void hy_os_wait(uint32_t *word, uint32_t value) {
    __builtin_wasm_memory_atomic_wait32((int *)word, (int)value, -1);
}

void hy_os_wake(uint32_t *word) {
    __builtin_wasm_memory_atomic_notify((int *)word, 1);
}
#else
/* Nobody else could change the word, so waiting for it would be for ever. */
void hy_os_wait(uint32_t *word, uint32_t value) {
    (void)word, (void)value;
    abort();
}

void hy_os_wake(uint32_t *word) {
    (void)word;
}
#endif

bool hy_os_write(int descriptor, const char *bytes, size_t size) {
    while (size > 0) {
        ssize_t written = write(descriptor, bytes, size);
        if (written <= 0) return false;
        bytes += written;
        size -= (size_t)written;
    }
    return true;
}
#endif
