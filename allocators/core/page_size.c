/* page_size.c: the running system's page, asked for once. */
#include "allocators/core/os.h"

size_t hy_page_size(void) {
    static size_t known;
    size_t size = __atomic_load_n(&known, __ATOMIC_RELAXED);
    if (HY_UNLIKELY(size == 0)) {
        /* Every thread that comes here at once finds the same answer. */
        size = hy_os_page_size();
        __atomic_store_n(&known, size, __ATOMIC_RELAXED);
    }
    return size;
}
