/* smp_paths.c: the inline paths of smp as functions of their own, whose machine code smp_release_test.py
 * reads, and whose instructions it counts by running them. */
#include <heapyard/smp.h>

void *alloc_any(size_t size, hy_align align);
void free_any(void *ptr, size_t size, hy_align align);
void *alloc_48(void);
void free_48(void *ptr);
void *heap_alloc_48(hy_smp_heap *heap);
void heap_free_48(hy_smp_heap *heap, void *ptr);

HY_NOINLINE void *alloc_any(size_t size, hy_align align) {
    return hy_smp_alloc(size, align);
}

HY_NOINLINE void free_any(void *ptr, size_t size, hy_align align) {
    hy_smp_free(ptr, size, align);
}

HY_NOINLINE void *alloc_48(void) {
    return hy_smp_alloc(48, HY_ALIGN_16);
}

HY_NOINLINE void free_48(void *ptr) {
    hy_smp_free(ptr, 48, HY_ALIGN_16);
}

HY_NOINLINE void *heap_alloc_48(hy_smp_heap *heap) {
    return hy_smp_heap_alloc(heap, 48, HY_ALIGN_16);
}

HY_NOINLINE void heap_free_48(hy_smp_heap *heap, void *ptr) {
    hy_smp_heap_free(heap, ptr, 48, HY_ALIGN_16);
}

#ifdef WITH_MAIN
#define COUNT 100

/* Each function `COUNT` times, where a thread's magazine has blocks and room. */
int main(void) {
    static void *blocks[COUNT];
    static hy_smp_heap heap = HY_SMP_HEAP_INIT;
    if (hy_smp_init(&heap) != HY_OK) return 1;
    for (int round = 0; round < 200; round++) {
        bool last = round == 199;
        for (int i = 0; i < (last ? 3 : COUNT); i++)
            blocks[i] = hy_smp_alloc(48, HY_ALIGN_16);
        for (int i = 0; i < (last ? 3 : COUNT); i++)
            hy_smp_free(blocks[i], 48, HY_ALIGN_16);
        for (int i = 0; i < (last ? 3 : COUNT); i++)
            blocks[i] = hy_smp_heap_alloc(&heap, 48, HY_ALIGN_16);
        for (int i = 0; i < (last ? 3 : COUNT); i++)
            hy_smp_heap_free(&heap, blocks[i], 48, HY_ALIGN_16);
    }
    /* One pair at a time from here on: always a hit. */
    for (volatile size_t i = 0, size = 48; i < COUNT; i++)
        free_any(alloc_any(size, HY_ALIGN_16), size, HY_ALIGN_16);
    for (int i = 0; i < COUNT; i++)
        free_48(alloc_48());
    for (int i = 0; i < COUNT; i++)
        heap_free_48(&heap, heap_alloc_48(&heap));
    return 0;
}
#endif
