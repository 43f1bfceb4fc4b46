/* smp_checks.c: finding misuse: in constant time at check level 1, thoroughly at level 2.
 *
 * Level 1 looks up what a pointer is, and compares that with the size and alignment given back. Level 2 also
 * searches the thread's magazines and the slab for it (a block that was freed twice), and fills what is free,
 * so that a write to it shows when it is handed out. With AddressSanitizer that reports such writes at once,
 * and nothing is filled.
 */
#include "allocators/strategies/smp_checks.h"
#include "allocators/strategies/smp_slab.h"

#include <string.h>

#define FILL 0xdd

/* Whether a block of the class begins at ptr. */
static bool is_block(const hy_smp_core *core, uint32_t class_number, const void *ptr) {
    if (!hy_smp_contains(core, ptr) || hy_smp_class_of(core, ptr) != class_number) return false;
    const hy_smp_slab *slab = &core->slabs[core->pages[hy_smp_page_of(core, ptr)].value];
    size_t offset = (uintptr_t)ptr - (uintptr_t)hy_smp_page_address(core, slab->page);
    return offset % core->classes[class_number].block_size == 0;
}

/* Whether a block of as many pages begins there. */
static bool is_large(const hy_smp_heap *heap, const void *ptr, size_t size) {
    size_t usable = hy_smp_usable_size(heap, ptr);
    return usable >= size && usable - size < HY_SMP_PAGE;
}

HY_COLD void hy_smp_require_block(const hy_smp_heap *heap, const void *ptr, size_t size, hy_align align) {
    const hy_smp_core *core = __atomic_load_n(&heap->core, __ATOMIC_ACQUIRE);
    bool is_ours = core && hy_smp_contains(core, ptr);
    if (is_ours && hy_smp_is_small(size, align))
        is_ours = is_block(core, hy_smp_class(size, align), ptr);
    else if (is_ours)
        is_ours = is_large(heap, ptr, size) && hy_smp_class_of(core, ptr) == 0;
    if (!is_ours)
        hy_misuse("hy_smp", (uintmax_t)(uintptr_t)ptr, "a block of this heap, of this size and alignment");
}

#if HY_SMP_CHECKED
static bool is_in(void *const *blocks, size_t count, const void *block) {
    for (size_t i = 0; i < count; i++) {
        if (blocks[i] == block) return true;
    }
    return false;
}

static bool is_cached(const hy_smp_bin *bin, const void *block) {
    if (is_in(bin->base, (size_t)(bin->top - bin->base), block)) return true;
    return bin->spare && is_in(bin->spare->blocks, bin->spare->count, block);
}

void hy_smp_fill(void *ptr, size_t size) {
    if (!HY_ASAN) memset(ptr, FILL, size);
}

void hy_smp_check_free(hy_smp_core *core, const hy_smp_cache *cache, uint32_t class_number, void *block) {
    if (!is_block(core, class_number, block))
        hy_corrupted("hy_smp_free", "a block was freed that is of another heap, size or alignment");
    if (cache && is_cached(&cache->bins[class_number], block))
        hy_corrupted("hy_smp_free", "a block was freed twice");
    hy_lock_take(&core->classes[class_number].lock);
    bool is_taken = hy_smp_slabs_gave(core, class_number, block);
    hy_lock_release(&core->classes[class_number].lock);
    if (!is_taken) hy_corrupted("hy_smp_free", "a block was freed twice");
    hy_unpoison(block, core->classes[class_number].block_size);
    hy_smp_fill(block, core->classes[class_number].block_size);
    hy_poison(block, core->classes[class_number].block_size);
}

void hy_smp_check_alloc(const hy_smp_core *core, uint32_t class_number, void *block) {
    size_t size = core->classes[class_number].block_size;
    const unsigned char *bytes = block;
    if (HY_ASAN) return;
    hy_unpoison(block, size);
    if (bytes[0] != FILL || memcmp(bytes, bytes + 1, size - 1) != 0)
        hy_corrupted("hy_smp_alloc", "a block was written to after it was freed");
    hy_poison(block, size);
}
#endif
