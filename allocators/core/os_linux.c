/* os_linux.c: pages from Linux. */
#include "allocators/core/os.h"

#include <sys/mman.h>
#include <unistd.h>

size_t hy_os_page_size(void) {
    return (size_t)sysconf(_SC_PAGESIZE);
}

static void *map(size_t size, int protection) {
    void *ptr = mmap(NULL, size, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return ptr == MAP_FAILED ? NULL : ptr;
}

void *hy_os_map(size_t size) {
    return map(size, PROT_READ | PROT_WRITE);
}

void *hy_os_reserve(size_t size) {
    return map(size, PROT_NONE);
}

bool hy_os_unmap(void *ptr, size_t size) {
    return munmap(ptr, size) == 0;
}

void hy_os_discard(void *ptr, size_t size) {
    madvise(ptr, size, MADV_DONTNEED);
}

bool hy_os_resize(void *ptr, size_t old_size, size_t new_size) {
    return mremap(ptr, old_size, new_size, 0) != MAP_FAILED;
}

#if HY_TSAN
/* ThreadSanitizer does not see mremap: it would take a thread's first write to addresses that another
 * one's block was moved away from for a race. So nothing moves, and callers copy. */
void *hy_os_move(void *ptr, size_t old_size, size_t new_size) {
    (void)ptr, (void)old_size, (void)new_size;
    return NULL;
}

bool hy_os_move_to(void *ptr, size_t old_size, size_t new_size, void *target) {
    (void)ptr, (void)old_size, (void)new_size, (void)target;
    return false;
}
#else
void *hy_os_move(void *ptr, size_t old_size, size_t new_size) {
    void *moved = mremap(ptr, old_size, new_size, MREMAP_MAYMOVE);
    return moved == MAP_FAILED ? NULL : moved;
}

bool hy_os_move_to(void *ptr, size_t old_size, size_t new_size, void *target) {
    return mremap(ptr, old_size, new_size, MREMAP_MAYMOVE | MREMAP_FIXED, target) != MAP_FAILED;
}
#endif

void hy_os_advise_huge(void *ptr, size_t size) {
    madvise(ptr, size, MADV_HUGEPAGE);
}
