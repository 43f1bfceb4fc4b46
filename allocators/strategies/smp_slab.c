/* smp_slab.c: slabs of one class each.
 *
 * A slab's record lies apart from its blocks, which are never written here: what is freed stays as cold as
 * it is. Blocks are handed out in the order of addresses, from the fullest slab that has any: so the
 * emptiest ones can run empty, and their pages go back. The first slabs of a class are small, of 4 KiB where
 * that holds eight blocks; later ones grow with what the class has.
 *
 * Cost: a few instructions a block. A block that is freed twice, or lies in no slab of its class, is seen
 * here and ends the program.
 */
#include "allocators/strategies/smp_slab.h"
#include "allocators/strategies/smp_checks.h"
#include "allocators/strategies/smp_pages.h"
#include "allocators/strategies/smp_reservations.h"

#include <string.h>

/* Of a slab that is smaller than it should be, in 1024ths: a sixteenth. */
#define WASTE_MOST 64

uint32_t hy_smp_class_size(uint32_t number) {
    if (number < 129) return number * 8;
    uint32_t step = number - 129, doubling = 10 + step / 8;
    return (1u << doubling) + ((step % 8 + 1) << (doubling - 3));
}

/* ---- slabs ---- */

static uint8_t list_of(const hy_smp_slab *slab) {
    if (slab->free_count == 0) return HY_SMP_NO_LIST;
    uint32_t list = (uint32_t)slab->free_count * HY_SMP_LISTS / (slab->block_count + 1u);
    return (uint8_t)list;
}

static void link_slab(hy_smp_core *core, hy_smp_class_state *state, uint32_t number) {
    hy_smp_slab *slab = &core->slabs[number];
    slab->list = list_of(slab);
    if (slab->list == HY_SMP_NO_LIST) return;
    slab->prev = 0;
    slab->next = state->lists[slab->list];
    if (slab->next) core->slabs[slab->next].prev = number;
    state->lists[slab->list] = number;
}

static void unlink_slab(hy_smp_core *core, hy_smp_class_state *state, uint32_t number) {
    hy_smp_slab *slab = &core->slabs[number];
    if (slab->list == HY_SMP_NO_LIST) return;
    if (slab->prev)
        core->slabs[slab->prev].next = slab->next;
    else
        state->lists[slab->list] = slab->next;
    if (slab->next) core->slabs[slab->next].prev = slab->prev;
}

/* Moves a slab whose count changed to its list. */
static void relink_slab(hy_smp_core *core, hy_smp_class_state *state, uint32_t number) {
    hy_smp_slab *slab = &core->slabs[number];
    if (list_of(slab) == slab->list) return;
    unlink_slab(core, state, number);
    link_slab(core, state, number);
}

/* The fewest pages that a slab of the class may have: room for eight blocks, or fewer where they are large.
 */
static uint32_t pages_least(uint32_t size) {
    uint32_t blocks = size <= 512 ? 8 : size <= 4096 ? 4 : 1;
    return (uint32_t)((size * blocks + HY_SMP_PAGE - 1) >> HY_SMP_PAGE_SHIFT);
}

/* And the most. */
static uint32_t pages_most(uint32_t size) {
    uint32_t least = pages_least(size), most = (size * HY_SMP_SLAB_BLOCKS) >> HY_SMP_PAGE_SHIFT;
    if (most > HY_SMP_SLAB_PAGES) most = HY_SMP_SLAB_PAGES;
    return most < least ? least : most;
}

/* What a slab of so many pages wastes at its end, in 1024ths of it. */
static uint32_t waste_of(uint32_t count, uint32_t size) {
    uint32_t bytes = count << HY_SMP_PAGE_SHIFT;
    return bytes % size * 1024 / bytes;
}

/* Of so many pages up to twice as many, the number that wastes the least. */
static uint32_t least_waste(uint32_t count, uint32_t most, uint32_t size) {
    uint32_t best = count;
    if (most > 2 * count) most = 2 * count;
    for (uint32_t pages = count + 1; pages <= most && waste_of(best, size); pages++) {
        if (waste_of(pages, size) < waste_of(best, size)) best = pages;
    }
    return best;
}

/* How many pages the next slab of a class should have: more as the class grows. */
static uint32_t pages_wanted(const hy_smp_class_state *state) {
    uint32_t size = state->block_size, least = pages_least(size), count = state->slab_pages / 16;
    uint32_t most = pages_most(size);
    if (count < least) count = least;
    if (count > most) count = most;
    return least_waste(count, most, size);
}

/* A record for a new slab; 0: none. */
static uint32_t take_record(hy_smp_core *core) {
    hy_lock_take(&core->lock);
    uint32_t number = core->slab_free;
    if (number) {
        core->slab_free = core->slabs[number].next;
    } else {
        size_t end = ((size_t)core->slab_next + 1) * sizeof(hy_smp_slab);
        hy_smp_array *array = &core->slab_array;
        bool accessible = end <= array->accessible;
        if (!accessible && array->accessible + 16384 <= array->reserved)
            accessible = hy_smp_array_open(array, 16384);
        if (accessible) number = core->slab_next++;
    }
    hy_lock_release(&core->lock);
    return number;
}

static void give_record(hy_smp_core *core, uint32_t number) {
    hy_lock_take(&core->lock);
    core->slabs[number].next = core->slab_free;
    core->slab_free = number;
    hy_lock_release(&core->lock);
}

/* Under the pages' lock, since whoever frees a neighbouring run looks at these records. */
static void mark_pages(hy_smp_core *core, uint32_t number, const hy_smp_slab *slab) {
    hy_lock_take(&core->lock);
    for (uint32_t i = 0; i < slab->page_count; i++) {
        core->pages[slab->page + i] = (hy_smp_page){number, 0, 0, HY_SMP_PAGE_SLAB};
        core->class_of_page[slab->page + i] = slab->class_number;
    }
    hy_lock_release(&core->lock);
}

static void set_up_slab(
    hy_smp_core *core, uint32_t number, uint32_t class_number, uint32_t page, uint32_t count) {
    uint32_t size = core->classes[class_number].block_size;
    uint32_t blocks = (uint32_t)(((size_t)count << HY_SMP_PAGE_SHIFT) / size);
    if (blocks > HY_SMP_SLAB_BLOCKS) blocks = HY_SMP_SLAB_BLOCKS;
    hy_smp_slab *slab = &core->slabs[number];
    *slab = (hy_smp_slab){.page = page,
        .reciprocal = (uint32_t)((((uint64_t)1 << 32) + size - 1) / size),
        .free_count = (uint16_t)blocks,
        .block_count = (uint16_t)blocks,
        .class_number = (uint8_t)class_number,
        .page_count = (uint8_t)count};
    for (uint32_t i = 0; i < blocks / 64; i++)
        slab->free[i] = ~(uint64_t)0;
    if (blocks % 64) slab->free[blocks / 64] = ((uint64_t)1 << blocks % 64) - 1;
    mark_pages(core, number, slab);
}

/* How few pages would do instead of `count`: as few as waste little, at any number in between; 0: none. */
static uint32_t least_for(uint32_t count, uint32_t size) {
    uint32_t least = count;
    while (least > 1 && least - 1 >= pages_least(size) && waste_of(least - 1, size) <= WASTE_MOST)
        least--;
    return least < count ? least : 0;
}

static uint32_t add_slab(hy_smp_core *core, uint32_t class_number, bool only_dirty) {
    hy_smp_class_state *state = &core->classes[class_number];
    uint32_t number = take_record(core);
    if (!number) return 0;
    hy_smp_run_request request = {.count = pages_wanted(state), .align_pages = 1, .only_dirty = only_dirty};
    request.is_dense = state->block_size <= HY_SMP_PAGE / 4;
    request.least = least_for(request.count, state->block_size);
    uint32_t page = hy_smp_pages_take(core, &request);
    if (!page && !only_dirty) {
        request.count = pages_least(state->block_size);
        page = hy_smp_pages_take(core, &request);
        if (page) __atomic_store_n(&core->has_short_slabs, true, __ATOMIC_RELAXED);
    }
    if (!page) {
        give_record(core, number);
        return 0;
    }
    set_up_slab(core, number, class_number, page, request.count);
#if HY_SMP_CHECKED
    hy_smp_fill(hy_smp_page_address(core, page), (size_t)request.count << HY_SMP_PAGE_SHIFT);
#endif
    state->slab_pages += request.count;
    __atomic_store_n(&state->slab_count, state->slab_count + 1, __ATOMIC_RELAXED);
    state->block_count += core->slabs[number].block_count;
    state->empty_slabs++;
    link_slab(core, state, number);
    return number;
}

static void remove_slab(hy_smp_core *core, hy_smp_class_state *state, uint32_t number) {
    hy_smp_slab *slab = &core->slabs[number];
    unlink_slab(core, state, number);
    memset(&core->class_of_page[slab->page], 0, slab->page_count);
    state->slab_pages -= slab->page_count;
    state->block_count -= slab->block_count;
    state->empty_slabs--;
    __atomic_store_n(&state->slab_count, state->slab_count - 1, __ATOMIC_RELAXED);
    hy_smp_pages_give(core, slab->page, slab->page_count, false);
    slab->block_count = 0;
    give_record(core, number);
}

/* A slab that has a free block, the fullest first; 0: none. */
static uint32_t slab_with_room(const hy_smp_class_state *state) {
    for (uint32_t list = 0; list < HY_SMP_LISTS; list++) {
        if (state->lists[list]) return state->lists[list];
    }
    return 0;
}

/* Takes up to `count` blocks out of one slab, lowest address first, to end[-1], end[-2], ... */
static uint32_t take_blocks(hy_smp_core *core, hy_smp_slab *slab, size_t size, void **end, uint32_t count) {
    char *base = hy_smp_page_address(core, slab->page);
    uint32_t left = slab->free_count < count ? slab->free_count : count, taken = left;
    for (uint32_t word = 0; left > 0; word++) {
        uint64_t bits = slab->free[word];
        char *first = base + (size_t)word * 64 * size;
        while (bits && left > 0) {
            *--end = first + (size_t)(unsigned)__builtin_ctzll(bits) * size;
            bits &= bits - 1;
            left--;
        }
        slab->free[word] = bits;
    }
    slab->free_count = (uint16_t)(slab->free_count - taken);
    return taken;
}

/* Books so many blocks more that are in no slab, or less by a number below zero. */
static void count_taken(hy_smp_core *core, hy_smp_class_state *state, size_t count) {
    __atomic_store_n(&state->taken, state->taken + count, __ATOMIC_RELAXED);
    hy_smp_add(&core->taken_bytes, count * state->block_size);
}

uint32_t hy_smp_slabs_take(
    hy_smp_core *core, uint32_t class_number, void **blocks, uint32_t count, bool only_dirty) {
    hy_smp_class_state *state = &core->classes[class_number];
    HY_ASSERT(hy_lock_is_held(&state->lock), "blocks are taken from a class that is not locked");
    uint32_t left = count;
    while (left > 0) {
        uint32_t number = slab_with_room(state);
        /* A new slab only for the block that is needed, not for those that may be. */
        if (!number && left == count) number = add_slab(core, class_number, only_dirty);
        if (!number) break;
        hy_smp_slab *slab = &core->slabs[number];
        state->empty_slabs -= slab->free_count == slab->block_count;
        left -= take_blocks(core, slab, state->block_size, blocks + left, left);
        relink_slab(core, state, number);
    }
    if (left > 0) memmove(blocks, blocks + left, (count - left) * sizeof(void *));
    count_taken(core, state, count - left);
    return count - left;
}

/* The number of the slab that a block of the class lies in; anything else ends the program. */
static uint32_t slab_of(hy_smp_core *core, uint32_t class_number, const void *block) {
    bool is_ours = hy_smp_contains(core, block) && hy_smp_class_of(core, block) == class_number;
    if (HY_UNLIKELY(!is_ours))
        hy_corrupted("hy_smp_free", "a block was freed that is of another heap, size or alignment");
    return core->pages[hy_smp_page_of(core, block)].value;
}

/* Marks a block as free. */
static void mark_free(hy_smp_slab *slab, uint32_t size, uint32_t offset) {
    uint32_t index = (uint32_t)(((uint64_t)offset * slab->reciprocal) >> 32);
    uint64_t bit = (uint64_t)1 << index % 64;
    bool is_block = index * size == offset && index < slab->block_count;
    if (HY_UNLIKELY(!is_block)) hy_corrupted("hy_smp_free", "a pointer into a block was freed");
    if (HY_UNLIKELY(slab->free[index / 64] & bit)) hy_corrupted("hy_smp_free", "a block was freed twice");
    slab->free[index / 64] |= bit;
    slab->free_count++;
}

/* Puts a slab whose count has risen where it belongs; one empty slab a class is kept. */
static void settle_slab(hy_smp_core *core, hy_smp_class_state *state, uint32_t number) {
    hy_smp_slab *slab = &core->slabs[number];
    bool is_empty = slab->free_count == slab->block_count;
    state->empty_slabs += is_empty;
    if (is_empty && state->empty_slabs > 1)
        remove_slab(core, state, number);
    else
        relink_slab(core, state, number);
}

void hy_smp_slabs_give(hy_smp_core *core, uint32_t class_number, void *const *blocks, uint32_t count) {
    hy_smp_class_state *state = &core->classes[class_number];
    HY_ASSERT(hy_lock_is_held(&state->lock), "blocks are given to a class that is not locked");
    for (uint32_t i = 0; i < count;) {
        uint32_t number = slab_of(core, class_number, blocks[i]);
        hy_smp_slab *slab = &core->slabs[number];
        uintptr_t base = (uintptr_t)hy_smp_page_address(core, slab->page);
        uintptr_t size = (uintptr_t)slab->page_count << HY_SMP_PAGE_SHIFT;
        for (; i < count && (uintptr_t)blocks[i] - base < size; i++)
            mark_free(slab, state->block_size, (uint32_t)((uintptr_t)blocks[i] - base));
        settle_slab(core, state, number);
    }
    count_taken(core, state, 0 - (size_t)count);
}

void hy_smp_slabs_drop_empty(hy_smp_core *core, uint32_t class_number) {
    hy_smp_class_state *state = &core->classes[class_number];
    HY_ASSERT(hy_lock_is_held(&state->lock), "slabs are dropped of a class that is not locked");
    for (uint32_t list = 0; list < HY_SMP_LISTS; list++) {
        for (uint32_t number = state->lists[list]; number && state->empty_slabs;) {
            uint32_t next = core->slabs[number].next;
            if (core->slabs[number].free_count == core->slabs[number].block_count)
                remove_slab(core, state, number);
            number = next;
        }
    }
}

/* ---- checks ---- */

bool hy_smp_slabs_gave(const hy_smp_core *core, uint32_t class_number, const void *block) {
    if (!hy_smp_contains(core, block) || hy_smp_class_of(core, block) != class_number) return false;
    const hy_smp_slab *slab = &core->slabs[core->pages[hy_smp_page_of(core, block)].value];
    size_t offset = (uintptr_t)block - (uintptr_t)hy_smp_page_address(core, slab->page);
    size_t size = core->classes[class_number].block_size, index = offset / size;
    if (offset % size != 0 || index >= slab->block_count) return false;
    return !(slab->free[index / 64] >> index % 64 & 1);
}

/* What all slabs of a class amount to. */
typedef struct tally {
    size_t taken, blocks;
    uint32_t slabs, pages, empty, with_room;
} tally;

static bool pages_hold(const hy_smp_core *core, uint32_t number) {
    const hy_smp_slab *slab = &core->slabs[number];
    if (slab->page == 0 || slab->page_count == 0) return false;
    if (slab->page >= core->frontier || slab->page_count > core->frontier - slab->page) return false;
    for (uint32_t page = slab->page; page < slab->page + slab->page_count; page++) {
        bool is_slabs = core->pages[page].kind == HY_SMP_PAGE_SLAB && core->pages[page].value == number;
        if (!is_slabs || core->class_of_page[page] != slab->class_number) return false;
    }
    return true;
}

static bool slab_holds(const hy_smp_core *core, uint32_t number) {
    const hy_smp_slab *slab = &core->slabs[number];
    if (slab->class_number == 0 || slab->class_number >= HY_SMP_CLASS_COUNT) return false;
    size_t size = (size_t)slab->page_count << HY_SMP_PAGE_SHIFT;
    if ((size_t)slab->block_count * core->classes[slab->class_number].block_size > size) return false;
    uint32_t free_count = 0;
    for (uint32_t word = 0; word < HY_SMP_SLAB_BLOCKS / 64; word++)
        free_count += (uint32_t)__builtin_popcountll(slab->free[word]);
    return free_count == slab->free_count && free_count <= slab->block_count && slab->list == list_of(slab) &&
           pages_hold(core, number);
}

static void add_to(tally *all, const hy_smp_slab *slab) {
    tally *found = &all[slab->class_number];
    found->taken += (size_t)slab->block_count - slab->free_count;
    found->blocks += slab->block_count;
    found->slabs++;
    found->pages += slab->page_count;
    found->empty += slab->free_count == slab->block_count;
    found->with_room += slab->free_count > 0;
}

/* Whether a class's lists hold as many slabs as have room. */
static bool lists_hold(const hy_smp_core *core, uint32_t class_number, uint32_t with_room) {
    for (uint32_t list = 0; list < HY_SMP_LISTS; list++) {
        uint32_t prev = 0;
        for (uint32_t number = core->classes[class_number].lists[list]; number;) {
            if (number >= core->slab_next || with_room-- == 0) return false;
            const hy_smp_slab *slab = &core->slabs[number];
            bool is_here = slab->class_number == class_number && slab->list == list && slab->prev == prev;
            if (!is_here || slab->block_count == 0) return false;
            prev = number;
            number = slab->next;
        }
    }
    return with_room == 0;
}

/* Whether a class that has no slabs says so. Most are such. */
static bool is_unused(const hy_smp_class_state *state) {
    uint32_t lists = 0;
    for (uint32_t list = 0; list < HY_SMP_LISTS; list++)
        lists |= state->lists[list];
    uint32_t counts = state->slab_pages | state->slab_count | state->empty_slabs | state->block_count;
    return (lists | counts) == 0 && state->taken == 0;
}

/* Whether the list of records that no slab has is of so many. */
static bool free_records_hold(const hy_smp_core *core, uint32_t count) {
    for (uint32_t number = core->slab_free; number; number = core->slabs[number].next) {
        if (number >= core->slab_next || core->slabs[number].block_count || count-- == 0) return false;
    }
    return count == 0;
}

bool hy_smp_slabs_check(const hy_smp_core *core) {
    tally all[HY_SMP_CLASS_COUNT] = {0};
    uint32_t free_records = 0;
    for (uint32_t number = 1; number < core->slab_next; number++) {
        bool is_used = core->slabs[number].block_count != 0;
        free_records += !is_used;
        if (!is_used) continue;
        if (!slab_holds(core, number)) return false;
        add_to(all, &core->slabs[number]);
    }
    if (!free_records_hold(core, free_records)) return false;
    for (uint32_t number = 1; number < HY_SMP_CLASS_COUNT; number++) {
        const hy_smp_class_state *state = &core->classes[number];
        const tally *found = &all[number];
        if (found->slabs == 0 && is_unused(state)) continue;
        bool holds = state->taken == found->taken && state->block_count == found->blocks &&
                     state->slab_count == found->slabs && state->slab_pages == found->pages &&
                     state->empty_slabs == found->empty && found->empty <= 1;
        if (!holds || !lists_hold(core, number, found->with_room)) return false;
    }
    return true;
}

/* Whether a slab of so many pages is what a class would ask for, however many pages it has: none of those
 * that it had to choose from wastes less. Told apart from least_waste on purpose. */
static bool is_wanted(uint32_t pages, uint32_t size) {
    uint32_t most = pages_most(size);
    for (uint32_t count = pages; count >= pages_least(size) && 2 * count >= pages; count--) {
        uint32_t better = count;
        while (better <= most && better <= 2 * count && waste_of(better, size) >= waste_of(pages, size))
            better++;
        if (better > most || better > 2 * count) return true;
    }
    return false;
}

bool hy_smp_slabs_waste_little(const hy_smp_core *core) {
    if (core->has_short_slabs) return true;
    for (uint32_t number = 1; number < core->slab_next; number++) {
        const hy_smp_slab *slab = &core->slabs[number];
        if (slab->block_count == 0) continue;
        uint32_t size = core->classes[slab->class_number].block_size;
        if (waste_of(slab->page_count, size) > WASTE_MOST && !is_wanted(slab->page_count, size)) return false;
    }
    return true;
}
