/* smp_library.c: a shared object with a copy of the library in it, which smp_unload.c loads and unloads. */
#include <heapyard/smp.h>

HY_API int use_heap(void);

/* 0: all went well. */
int use_heap(void) {
    for (size_t size = 1; size < 100000; size += size / 2 + 1) {
        char *block = hy_smp_alloc(size, HY_ALIGN_8);
        if (!block) return 1;
        block[size - 1] = 1;
        hy_smp_free(block, size, HY_ALIGN_8);
    }
    return hy_smp_check(&hy_smp_process_heap) ? 0 : 2;
}
