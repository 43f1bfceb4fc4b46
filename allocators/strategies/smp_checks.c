/* smp_checks.c: finding misuse: in constant time at check level 1, thoroughly at level 2.
 *
 * Level 1 looks up what a pointer is, and compares that with the size and alignment given back. Level 2 also
 * keeps a bit for each block that the program has, wherever it lies else, so that a second free shows at
 * once; and fills what is free, so that a write to it shows when it is handed out. With AddressSanitizer that
 * reports such writes at once, and nothing is filled.
 */
#include "allocators/strategies/smp_checks.h"

#include <string.h>

#define FILL 0xdd

/* Whether a block of the class begins at ptr. */
static bool is_block(const hy_smp_core *core, uint32_t class_number, const void *ptr) {
    if (!hy_smp_contains(core, ptr) || hy_smp_class_of(core, ptr) != class_number) return false;
    const hy_smp_slab *slab = &core->slabs[core->pages[hy_smp_page_of(core, ptr)].value];
    size_t offset = (uintptr_t)ptr - (uintptr_t)hy_smp_page_address(core, slab->page);
    size_t size = core->classes[class_number].block_size;
    return offset % size == 0 && offset / size < slab->block_count;
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
/* Notes that a block is the program's, or no longer; returns whether it was before. */
static bool exchange_live(hy_smp_core *core, uint32_t class_number, const void *block, bool is_live) {
    hy_smp_class_state *state = &core->classes[class_number];
    hy_lock_take(&state->lock);
    hy_smp_slab *slab = &core->slabs[core->pages[hy_smp_page_of(core, block)].value];
    size_t offset = (uintptr_t)block - (uintptr_t)hy_smp_page_address(core, slab->page);
    size_t index = offset / state->block_size;
    uint64_t *word = &slab->live[index / 64], bit = (uint64_t)1 << index % 64;
    bool was_live = *word & bit;
    *word = is_live ? *word | bit : *word & ~bit;
    hy_lock_release(&state->lock);
    return was_live;
}

void hy_smp_fill(void *ptr, size_t size) {
    hy_unpoison(ptr, size);
    if (!HY_ASAN) memset(ptr, FILL, size);
    hy_poison(ptr, size);
}

void hy_smp_check_free(hy_smp_core *core, uint32_t class_number, void *block) {
    if (!is_block(core, class_number, block))
        hy_corrupted("hy_smp_free", "a block was freed that is of another heap, size or alignment");
    if (!exchange_live(core, class_number, block, false))
        hy_corrupted("hy_smp_free", "a block was freed twice");
    hy_smp_fill(block, core->classes[class_number].block_size);
}

void hy_smp_check_alloc(hy_smp_core *core, uint32_t class_number, void *block) {
    if (exchange_live(core, class_number, block, true))
        hy_corrupted("hy_smp_alloc", "a block would be handed out twice");
    size_t size = core->classes[class_number].block_size;
    const unsigned char *bytes = block;
    if (HY_ASAN) return;
    hy_unpoison_defined(block, size);
    if (bytes[0] != FILL || memcmp(bytes, bytes + 1, size - 1) != 0)
        hy_corrupted("hy_smp_alloc", "a block was written to after it was freed");
    hy_poison(block, size);
}
#endif
