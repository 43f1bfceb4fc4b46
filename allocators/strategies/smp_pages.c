/* smp_pages.c: the addresses of a heap, and runs of pages in them.
 *
 * For: slabs and large blocks. A run is taken from the best-fitting dirty run, else from a clean one, else
 * from behind the frontier; so memory that was used is used again before the heap grows. Free neighbours of
 * one kind coalesce. Dirty and clean runs stay apart: what is purged is then known to the page, and a clean
 * run is known to read as zero.
 *
 *   page 1 ...                                                frontier            page_limit
 *   │ slab │ large block   │ dirty │ clean      │ slab │ dirty │ fresh: never used │
 *
 * Boundary tags lie in the records of a run's first and last page, outside of the blocks. A bin holds the
 * runs of one length up to 32 pages, then of a quarter of a doubling.
 *
 * Cost: O(1) but for the search of one bin of unequal lengths, which looks at a few runs.
 */
#include "allocators/strategies/smp_pages.h"
#include "allocators/strategies/smp_clock.h"
#include "allocators/strategies/smp_reservations.h"

#include <heapyard/poison.h>
#include <string.h>

/* Of the reserved pages: bytes for slabs' records and other metadata, one in so many. */
#define RESERVED_MIN ((size_t)16 << 20)
#define SLAB_SHARE 32
#define METADATA_SHARE 32
/* Arrays become accessible in steps. */
#define RECORD_STEP ((size_t)64 << 10)
#define BLOCK_STEP_MIN ((size_t)64 << 10)
#define BLOCK_STEP_MAX ((size_t)1 << 20)
/* Pages are made ready for their first use in steps of a 32nd of the heap, within these bounds. */
#define POPULATE_MIN ((size_t)16 << 10)
#define POPULATE_MAX ((size_t)256 << 10)
#define EXACT_BINS 32
#define SEARCHED_MAX 8

/* Makes at least the first `bytes` bytes of the array accessible. */
static bool grow_array(hy_smp_array *array, size_t bytes, size_t step) {
    if (HY_LIKELY(bytes <= array->accessible)) return true;
    size_t wanted = (bytes + step - 1) & ~(step - 1);
    if (wanted > array->reserved) wanted = array->reserved;
    if (wanted < bytes) return false;
    return hy_smp_array_open(array, wanted - array->accessible);
}

static size_t round_to_page(size_t size) {
    return (size + HY_SMP_PAGE - 1) & ~(HY_SMP_PAGE - 1);
}

/* Places an array at *at, and moves that behind it. */
static hy_smp_array place_array(uintptr_t *at, size_t size) {
    hy_smp_array array = {.base = *at, .reserved = round_to_page(size)};
    *at += array.reserved;
    return array;
}

/* Where the arrays of a heap lie. */
typedef struct layout {
    hy_smp_array metadata, pages, classes, slabs, blocks;
    uintptr_t end;
} layout;

/* Arrays for `blocks` bytes of blocks, from `at` on. */
static layout lay_out(uintptr_t at, size_t blocks) {
    size_t pages = blocks >> HY_SMP_PAGE_SHIFT;
    layout arrays;
    arrays.metadata = place_array(&at, blocks / METADATA_SHARE);
    arrays.pages = place_array(&at, pages * sizeof(hy_smp_page));
    arrays.classes = place_array(&at, pages);
    arrays.slabs = place_array(&at, blocks / SLAB_SHARE);
    at = (at + HY_OS_HUGE_PAGE - 1) & ~(uintptr_t)(HY_OS_HUGE_PAGE - 1);
    arrays.blocks = place_array(&at, blocks);
    arrays.end = at;
    return arrays;
}

static void set_up(hy_smp_core *core, const layout *arrays, size_t blocks) {
    core->metadata_array = arrays->metadata;
    core->page_array = arrays->pages;
    core->class_array = arrays->classes;
    core->slab_array = arrays->slabs;
    core->block_array = arrays->blocks;
    core->base = core->block_array.base;
    core->page_limit = (uint32_t)(blocks >> HY_SMP_PAGE_SHIFT);
    core->pages = (hy_smp_page *)core->page_array.base;
    core->class_of_page = (uint8_t *)core->class_array.base;
    core->slabs = (hy_smp_slab *)core->slab_array.base;
    core->frontier = 1;
    core->slab_next = 1;
    core->decay.begun_ms = hy_smp_now_ms();
    core->options = (hy_smp_options)HY_SMP_OPTIONS_DEFAULT;
    core->decay.hold_ms = core->options.hold_ms;
    core->metadata_next = core->metadata_array.base;
    for (uint32_t number = 1; number < HY_SMP_CLASS_COUNT; number++)
        core->classes[number].block_size = hy_smp_class_size(number);
}

/* The greatest power of two of bytes for blocks that may be reserved: half of what the process is limited to,
 * so that the rest of the program has room. */
static size_t reservable(size_t most) {
    size_t limit = hy_os_address_limit() / 2, size = most;
    while (size > limit && size > RESERVED_MIN)
        size /= 2;
    return size;
}

hy_smp_core *hy_smp_core_make(size_t most) {
    size_t core_size = round_to_page(sizeof(hy_smp_core));
    for (size_t blocks = reservable(most); blocks >= RESERVED_MIN; blocks /= 2) {
        size_t size = core_size + lay_out(0, blocks).end + HY_OS_HUGE_PAGE;
        void *reservation = hy_smp_reservation_take(size);
        if (!reservation) continue;
        hy_smp_core *core = reservation;
        if (hy_smp_reservation_begin(reservation, core_size)) {
            layout arrays = lay_out((uintptr_t)reservation + core_size, blocks);
            core->reservation = reservation;
            core->reservation_size = size;
            set_up(core, &arrays, blocks);
            hy_smp_reservation_place(core);
            if (grow_array(&core->class_array, core->class_array.reserved, HY_SMP_PAGE)) return core;
        }
        hy_smp_reservation_drop(reservation, size);
    }
    return NULL;
}

void hy_smp_core_destroy(hy_smp_core *core) {
    hy_smp_reservation_give(core);
}

/* ---- metadata ---- */

static uint32_t metadata_bin(size_t size) {
    return size <= 64 ? 0 : 58 - (uint32_t)__builtin_clzll((unsigned long long)(size - 1));
}

size_t hy_smp_metadata_rounded(size_t size) {
    return (size_t)64 << metadata_bin(size);
}

void *hy_smp_metadata_take(hy_smp_core *core, size_t size) {
    uint32_t bin = metadata_bin(size);
    size_t rounded = hy_smp_metadata_rounded(size);
    hy_lock_take(&core->lock);
    void *ptr = core->metadata_free[bin];
    if (ptr) {
        memcpy(&core->metadata_free[bin], ptr, sizeof(void *));
        memset(ptr, 0, rounded);
    } else {
        size_t end = core->metadata_next + rounded - core->metadata_array.base;
        if (grow_array(&core->metadata_array, end, HY_SMP_PAGE * 4)) {
            ptr = (void *)core->metadata_next;
            core->metadata_next += rounded;
        }
    }
    hy_lock_release(&core->lock);
    return ptr;
}

void hy_smp_metadata_give(hy_smp_core *core, void *ptr, size_t size) {
    uint32_t bin = metadata_bin(size);
    hy_lock_take(&core->lock);
    memcpy(ptr, &core->metadata_free[bin], sizeof(void *));
    core->metadata_free[bin] = ptr;
    hy_lock_release(&core->lock);
}

bool hy_smp_metadata_adds_up(const hy_smp_core *core, size_t used) {
    size_t all = core->metadata_next - core->metadata_array.base;
    for (uint32_t bin = 0; bin < HY_SMP_METADATA_BINS; bin++) {
        for (void *ptr = core->metadata_free[bin]; ptr; memcpy(&ptr, ptr, sizeof ptr)) {
            if (used > all) return false;
            used += (size_t)64 << bin;
        }
    }
    return used == all;
}

/* ---- runs ---- */

static uint32_t bin_of(uint32_t count) {
    if (count <= EXACT_BINS) return count - 1;
    uint32_t doubling = 31u - (uint32_t)__builtin_clz(count); /* from 5 */
    uint32_t bin = EXACT_BINS + (doubling - 5) * 4 + ((count >> (doubling - 2)) & 3);
    return bin < HY_SMP_RUN_BINS ? bin : HY_SMP_RUN_BINS - 1;
}

static hy_smp_runs *runs_of(hy_smp_core *core, uint8_t kind) {
    return kind == HY_SMP_PAGE_DIRTY ? &core->dirty : &core->clean;
}

static void link_run(hy_smp_core *core, uint32_t first, uint32_t count, uint8_t kind) {
    hy_smp_runs *runs = runs_of(core, kind);
    HY_ASSERT(hy_lock_is_held(&core->lock), "a run is listed while the pages are not locked");
    uint32_t bin = bin_of(count), head = runs->heads[bin];
    core->pages[first] = (hy_smp_page){count, 0, head, kind};
    hy_smp_page *last = &core->pages[first + count - 1];
    last->value = count;
    last->kind = kind;
    if (head) core->pages[head].prev = first;
    runs->heads[bin] = first;
    runs->nonempty[bin / 64] |= (uint64_t)1 << bin % 64;
    runs->pages += count;
}

static void unlink_run(hy_smp_core *core, uint32_t first) {
    hy_smp_page *page = &core->pages[first];
    hy_smp_runs *runs = runs_of(core, page->kind);
    HY_ASSERT(hy_lock_is_held(&core->lock), "a run is unlisted while the pages are not locked");
    uint32_t bin = bin_of(page->value);
    if (page->prev) core->pages[page->prev].next = page->next;
    if (page->next) core->pages[page->next].prev = page->prev;
    if (runs->heads[bin] == first) {
        runs->heads[bin] = page->next;
        if (!page->next) runs->nonempty[bin / 64] &= ~((uint64_t)1 << bin % 64);
    }
    runs->pages -= page->value;
}

/* Adds a free run, joined with neighbours of its kind. Its ends lose what they were, also where they come to
 * lie inside of a longer run: a block that is freed twice must not look like a live one. */
static void add_run(hy_smp_core *core, uint32_t first, uint32_t count, uint8_t kind) {
    core->pages[first].kind = core->pages[first + count - 1].kind = kind;
    uint32_t before = first - 1, behind = first + count;
    if (before > 0 && core->pages[before].kind == kind) {
        uint32_t length = core->pages[before].value;
        first -= length;
        count += length;
        unlink_run(core, first);
    }
    if (behind < core->frontier && core->pages[behind].kind == kind) {
        count += core->pages[behind].value;
        unlink_run(core, behind);
    }
    link_run(core, first, count, kind);
}

/* How far a page is from the next multiple of align_pages in addresses. */
static uint32_t padding_of(const hy_smp_core *core, uint32_t page, uint32_t align_pages) {
    uint32_t base_page = (uint32_t)(core->base >> HY_SMP_PAGE_SHIFT);
    return (0u - (base_page + page)) & (align_pages - 1);
}

/* Whether `count` pages from a multiple of align_pages on lie in the run. */
static bool has_room(const hy_smp_core *core, uint32_t run, uint32_t count, uint32_t align_pages) {
    uint32_t length = core->pages[run].value, padding = padding_of(core, run, align_pages);
    return length >= count && length - count >= padding;
}

/* The first run of one bin that has room; 0: none among the first few. */
static uint32_t search_bin(
    const hy_smp_core *core, const hy_smp_runs *runs, uint32_t bin, uint32_t count, uint32_t align_pages) {
    uint32_t first = runs->heads[bin];
    for (int seen = 0; first && seen < SEARCHED_MAX; seen++) {
        if (has_room(core, first, count, align_pages)) return first;
        first = core->pages[first].next;
    }
    return 0;
}

/* The first bin from `bin` on that is not empty; HY_SMP_RUN_BINS: none. */
static uint32_t nonempty_bin(const hy_smp_runs *runs, uint32_t bin) {
    for (uint32_t word = bin / 64; word < HY_SMP_RUN_BINS / 64; word++) {
        uint64_t bits = runs->nonempty[word];
        if (word == bin / 64) bits &= ~(uint64_t)0 << bin % 64;
        if (bits) return word * 64 + (uint32_t)__builtin_ctzll(bits);
    }
    return HY_SMP_RUN_BINS;
}

static uint32_t find_run(
    const hy_smp_core *core, const hy_smp_runs *runs, uint32_t count, uint32_t align_pages) {
    uint32_t bin = nonempty_bin(runs, bin_of(count));
    while (bin < HY_SMP_RUN_BINS) {
        uint32_t first = search_bin(core, runs, bin, count, align_pages);
        if (first) return first;
        bin = nonempty_bin(runs, bin + 1);
    }
    return 0;
}

/* Takes the pages [first, first + count) out of the free run that begins at `run`. */
static void carve(hy_smp_core *core, uint32_t run, uint32_t first, uint32_t count) {
    uint8_t kind = core->pages[run].kind;
    uint32_t end = run + core->pages[run].value;
    unlink_run(core, run);
    if (first > run) link_run(core, run, first - run, kind);
    if (end > first + count) link_run(core, first + count, end - first - count, kind);
}

/* A limit of addresses that the process was given after the heap began: what is reserved beyond half of it
 * goes back, and the heap ends there. */
static void obey_limit(hy_smp_core *core) {
    size_t limit = hy_os_address_limit();
    if (limit >= core->reservation_size) return;
    size_t kept = core->block_array.accessible;
    if (kept < limit / 2) kept = round_to_page(limit / 2);
    if (kept >= core->block_array.reserved) return;
    uintptr_t end = core->block_array.base + kept;
    if (!hy_os_unmap((void *)end, core->block_array.reserved - kept)) return;
    core->reservation_size = end - (uintptr_t)core->reservation;
    core->block_array.reserved = kept;
    __atomic_store_n(&core->page_limit, (uint32_t)(kept >> HY_SMP_PAGE_SHIFT), __ATOMIC_RELAXED);
}

/* How much more of the blocks becomes accessible at once. */
static size_t block_step(const hy_smp_core *core) {
    size_t step = core->block_array.accessible / 8;
    if (step < BLOCK_STEP_MIN) step = BLOCK_STEP_MIN;
    if (step > BLOCK_STEP_MAX) step = BLOCK_STEP_MAX;
    return (size_t)1 << (63 - __builtin_clzll((unsigned long long)step));
}

/* Makes the blocks before `bytes` accessible, by whole huge pages: what the heap grows into will soon be
 * used. */
static bool grow_by_huge_pages(hy_smp_array *blocks, size_t bytes) {
    size_t first = (blocks->accessible + HY_OS_HUGE_PAGE - 1) & ~(HY_OS_HUGE_PAGE - 1);
    if (!grow_array(blocks, bytes, HY_OS_HUGE_PAGE)) return false;
    if (blocks->accessible > first)
        hy_os_advise_huge((void *)(blocks->base + first), blocks->accessible - first);
    return true;
}

/* Makes the blocks before `bytes` accessible. Huge pages are for slabs alone, of which there must be many: a
 * large block may never be touched but at its beginning. */
static bool grow_blocks(hy_smp_core *core, size_t bytes, bool is_dense) {
    size_t slab_bytes = core->used_bytes - (core->large_pages << HY_SMP_PAGE_SHIFT);
    if (is_dense && slab_bytes >= core->options.huge_min_bytes)
        return grow_by_huge_pages(&core->block_array, bytes);
    return grow_array(&core->block_array, bytes, block_step(core));
}

/* Moves the frontier behind `end`. */
static bool reach(hy_smp_core *core, uint32_t end, bool is_dense) {
    size_t bytes = (size_t)end << HY_SMP_PAGE_SHIFT;
    if (bytes > core->block_array.accessible) obey_limit(core);
    if (end > core->page_limit) return false;
    if (!grow_array(&core->page_array, (size_t)end * sizeof(hy_smp_page), RECORD_STEP)) return false;
    if (bytes > core->block_array.accessible && !grow_blocks(core, bytes, is_dense)) return false;
    __atomic_store_n(&core->frontier, end, __ATOMIC_RELAXED);
    return true;
}

static uint32_t take_aligned(
    hy_smp_core *core, const hy_smp_runs *runs, uint32_t count, uint32_t align_pages) {
    uint32_t run = find_run(core, runs, count, align_pages);
    if (!run) return 0;
    uint32_t first = run + padding_of(core, run, align_pages);
    carve(core, run, first, count);
    return first;
}

/* A run that is in no list: it is used, as far as its neighbours see. Only its first page has a length. */
static void mark_used(hy_smp_core *core, uint32_t first, uint32_t count) {
    core->pages[first].kind = core->pages[first + count - 1].kind = HY_SMP_PAGE_LARGE;
    core->pages[first + count - 1].value = 0;
    core->pages[first].value = count;
}

/* How many pages should be made ready for their first use where a run of `count` is wanted: more than that
 * where the heap grows by small runs, since a page's first use by a fault of its own costs ten times as much.
 * 0: none, the program does it. */
static uint32_t pages_to_ready(const hy_smp_core *core, const hy_smp_run_request *request) {
    uint32_t count = request->count;
    size_t used = hy_smp_load(&core->used_bytes), step = used / 32;
    if (used < HY_SMP_POPULATE_MIN || !request->is_dense) return 0;
    if (step < POPULATE_MIN) step = POPULATE_MIN;
    if (step > POPULATE_MAX) step = POPULATE_MAX;
    uint32_t pages = (uint32_t)(step >> HY_SMP_PAGE_SHIFT);
    return pages > count ? pages - pages % count : count;
}

/* The run [first, first + ready) is free and in no list: makes it ready, and leaves what is not wanted as a
 * dirty run, which comes next. */
static void make_ready(hy_smp_core *core, uint32_t first, uint32_t count, uint32_t ready) {
    hy_os_populate(hy_smp_page_address(core, first), (size_t)ready << HY_SMP_PAGE_SHIFT);
    mark_used(core, first, count);
    if (ready > count) add_run(core, first + count, ready - count, HY_SMP_PAGE_DIRTY);
}

/* From behind the frontier. What alignment leaves before it becomes a clean run. */
static uint32_t take_fresh(hy_smp_core *core, const hy_smp_run_request *request) {
    uint32_t count = request->count, old = core->frontier;
    uint32_t first = old + padding_of(core, old, request->align_pages);
    uint32_t ready = pages_to_ready(core, request), wanted = ready ? ready : count;
    if (first < old || first > core->page_limit || count > core->page_limit - first) return 0;
    if (wanted > core->page_limit - first || !reach(core, first + wanted, request->is_dense)) {
        ready = 0;
        if (!reach(core, first + count, request->is_dense)) return 0;
    }
    if (first > old) add_run(core, old, first - old, HY_SMP_PAGE_CLEAN);
    if (ready) make_ready(core, first, count, ready);
    return first;
}

/* From a clean run, which costs page faults as a fresh one does. */
static uint32_t take_clean(hy_smp_core *core, const hy_smp_run_request *request) {
    uint32_t count = request->count, ready = pages_to_ready(core, request);
    uint32_t run = find_run(core, &core->clean, count, 1);
    if (!ready || !run) return take_aligned(core, &core->clean, count, request->align_pages);
    if (ready > core->pages[run].value) ready = core->pages[run].value;
    carve(core, run, run, ready);
    make_ready(core, run, count, ready);
    return run;
}

static uint32_t take_run(hy_smp_core *core, hy_smp_run_request *request) {
    uint32_t count = request->count, align_pages = request->align_pages;
    request->zeroed = false;
    uint32_t first = take_aligned(core, &core->dirty, count, align_pages);
    if (first || request->only_dirty) return first;
    request->zeroed = true;
    size_t clean = core->clean.pages;
    first = take_clean(core, request);
    if (first) __atomic_fetch_add(&core->decay.refilled_pages, clean - core->clean.pages, __ATOMIC_RELAXED);
    return first ? first : take_fresh(core, request);
}

/* Books `count` pages more in use, or as many less by a negative number. */
static void count_used(hy_smp_core *core, int64_t count) {
    size_t used = core->used_bytes + ((size_t)count << HY_SMP_PAGE_SHIFT);
    size_t retained = core->dirty.pages << HY_SMP_PAGE_SHIFT;
    __atomic_store_n(&core->used_bytes, used, __ATOMIC_RELAXED);
    __atomic_store_n(&core->retained_bytes, retained, __ATOMIC_RELAXED);
    if (used + retained > core->peak_bytes) core->peak_bytes = used + retained;
    if (core->dirty.pages < core->decay.dirty_low) core->decay.dirty_low = core->dirty.pages;
}

static void count_large(hy_smp_core *core, int64_t blocks, int64_t pages) {
    core->large_blocks += (size_t)blocks;
    core->large_pages += (size_t)pages;
    hy_smp_add(&core->taken_bytes, (size_t)pages << HY_SMP_PAGE_SHIFT);
}

/* The longest dirty run of fewer pages than are wanted, but enough. */
static uint32_t find_shorter(const hy_smp_core *core, const hy_smp_run_request *request) {
    for (uint32_t count = request->count - 1; count >= request->least && count > 0; count--) {
        uint32_t first = core->dirty.heads[bin_of(count)];
        if (first) return first;
    }
    return 0;
}

/* Where no dirty run has as many pages as are wanted, a slab is content with fewer: else such runs would lie
 * about while the heap grows. */
static uint32_t take_shorter(hy_smp_core *core, hy_smp_run_request *request) {
    if (request->least == 0 || find_run(core, &core->dirty, request->count, 1)) return 0;
    uint32_t first = find_shorter(core, request);
    if (!first) return 0;
    request->count = core->pages[first].value;
    request->zeroed = false;
    unlink_run(core, first);
    return first;
}

uint32_t hy_smp_pages_take(hy_smp_core *core, hy_smp_run_request *request) {
    hy_lock_take(&core->lock);
    uint32_t first = take_shorter(core, request);
    if (!first) first = take_run(core, request);
    if (first) {
        mark_used(core, first, request->count);
        count_used(core, request->count);
        if (request->is_large) count_large(core, 1, request->count);
    }
    hy_lock_release(&core->lock);
    return first;
}

void hy_smp_pages_give(hy_smp_core *core, uint32_t first, uint32_t count, bool is_large) {
    hy_lock_take(&core->lock);
    add_run(core, first, count, HY_SMP_PAGE_DIRTY);
    count_used(core, -(int64_t)count);
    if (is_large) count_large(core, -1, -(int64_t)count);
    hy_lock_release(&core->lock);
}

/* The run behind a used one gives it its first pages, or the frontier moves. */
static bool extend(hy_smp_core *core, uint32_t first, uint32_t count, uint32_t new_count) {
    uint32_t behind = first + count, more = new_count - count;
    if (behind == core->frontier)
        return more <= core->page_limit - behind && reach(core, behind + more, false);
    uint8_t kind = core->pages[behind].kind;
    if (kind != HY_SMP_PAGE_DIRTY && kind != HY_SMP_PAGE_CLEAN) return false;
    if (core->pages[behind].value < more) return false;
    carve(core, behind, behind, more);
    return true;
}

bool hy_smp_pages_resize(hy_smp_core *core, uint32_t first, uint32_t count, uint32_t new_count) {
    hy_lock_take(&core->lock);
    bool fits = new_count <= count || extend(core, first, count, new_count);
    if (fits) {
        core->pages[first + count - 1].kind = HY_SMP_PAGE_FRESH; /* no end of a block any more */
        mark_used(core, first, new_count);
        if (new_count < count) add_run(core, first + new_count, count - new_count, HY_SMP_PAGE_DIRTY);
        count_used(core, (int64_t)new_count - count);
        count_large(core, 0, (int64_t)new_count - count);
    }
    hy_lock_release(&core->lock);
    return fits;
}

/* A move was refused, which may have taken the pages at its target away: puts fresh ones there. False: the
 * system refuses these too, and nobody may use the addresses any more. */
static bool mend_target(hy_smp_core *core, uint32_t target, uint32_t count) {
    void *ptr = hy_smp_page_address(core, target);
    size_t size = (size_t)count << HY_SMP_PAGE_SHIFT;
    if (!hy_os_map_at(ptr, size)) return false;
    hy_os_refuse_huge(ptr, size);
    return true;
}

uint32_t hy_smp_pages_move(hy_smp_core *core, uint32_t first, uint32_t count, uint32_t new_count) {
    hy_smp_run_request request = {.count = new_count, .align_pages = 1, .is_large = true};
    uint32_t target = hy_smp_pages_take(core, &request);
    if (!target) return 0;
    bool moved = hy_os_move_contents(hy_smp_page_address(core, first), (size_t)count << HY_SMP_PAGE_SHIFT,
        hy_smp_page_address(core, target));
    uint32_t ended = moved ? first : target, ended_count = moved ? count : new_count;
    bool is_usable = moved || mend_target(core, target, new_count);
    hy_lock_take(&core->lock);
    if (is_usable) {
        add_run(core, ended, ended_count, HY_SMP_PAGE_CLEAN);
        count_used(core, -(int64_t)ended_count);
    } else {
        core->pages[target].kind = core->pages[target + new_count - 1].kind = HY_SMP_PAGE_LOST;
    }
    count_large(core, -1, -(int64_t)ended_count);
    hy_lock_release(&core->lock);
    return moved ? target : 0;
}

/* Gives back the whole pages of the system that a dirty run holds, which may be larger than ours, from its
 * beginning on and about `most` of them; what is left stays dirty, at the end: runs are used up from their
 * beginning, so the rest of a clean one comes to lie beside it. Returns how many pages are clean now; 0: the
 * system refused, or there are none. */
static uint32_t purge_run(hy_smp_core *core, uint32_t first, size_t most) {
    uint32_t count = core->pages[first].value, end = first + count;
    uint32_t unit = (uint32_t)(hy_page_size() >> HY_SMP_PAGE_SHIFT);
    if (unit == 0) unit = 1;
    uint32_t inner = first + padding_of(core, first, unit);
    uint32_t inner_end = end - ((unit - padding_of(core, end, unit)) & (unit - 1));
    if (inner >= inner_end) return 0;
    if (most < inner_end - inner) inner_end = inner + (((uint32_t)most + unit - 1) & ~(unit - 1));
    if (!hy_smp_discard(hy_smp_page_address(core, inner), (size_t)(inner_end - inner) << HY_SMP_PAGE_SHIFT))
        return 0;
    unlink_run(core, first);
    if (inner > first) link_run(core, first, inner - first, HY_SMP_PAGE_DIRTY);
    if (end > inner_end) link_run(core, inner_end, end - inner_end, HY_SMP_PAGE_DIRTY);
    add_run(core, inner, inner_end - inner, HY_SMP_PAGE_CLEAN);
    return inner_end - inner;
}

size_t hy_smp_pages_purge(hy_smp_core *core, uint32_t least, size_t keep) {
    size_t purged = 0;
    hy_lock_take(&core->lock);
    for (uint32_t bin = HY_SMP_RUN_BINS; bin-- > bin_of(least) && core->dirty.pages > keep;) {
        for (uint32_t first = core->dirty.heads[bin]; first && core->dirty.pages > keep;) {
            uint32_t next = core->pages[first].next;
            purged += purge_run(core, first, core->dirty.pages - keep);
            first = next;
        }
    }
    core->returned_pages += purged;
    count_used(core, 0);
    hy_lock_release(&core->lock);
    return purged;
}

/* What a walk over all runs has found. */
typedef struct walk {
    uint8_t kind_before; /* of the run before; two free ones of one kind would be one */
    size_t pages[HY_SMP_PAGE_KINDS];
    size_t large_blocks;
} walk;

/* The length of the run or slab that begins at `first`, which is added to what was found; 0: its records
 * contradict each other. */
static uint32_t length_at(const hy_smp_core *core, uint32_t first, walk *found) {
    const hy_smp_page *page = &core->pages[first];
    uint32_t count = page->value;
    if (page->kind == HY_SMP_PAGE_SLAB) {
        if (page->value >= core->slab_next) return 0;
        count = core->slabs[page->value].page_count;
        if (core->slabs[page->value].page != first) return 0;
    }
    if (count == 0 || count > core->frontier - first) return 0;
    if (page->kind == HY_SMP_PAGE_FRESH || page->kind >= HY_SMP_PAGE_KINDS) return 0;
    found->pages[page->kind] += count;
    found->large_blocks += page->kind == HY_SMP_PAGE_LARGE;
    const hy_smp_page *last = &core->pages[first + count - 1];
    bool is_free = page->kind == HY_SMP_PAGE_CLEAN || page->kind == HY_SMP_PAGE_DIRTY;
    if (is_free && found->kind_before == page->kind) return 0;
    found->kind_before = page->kind;
    return last->kind == page->kind && (!is_free || last->value == count) ? count : 0;
}

/* Whether the bins list free runs of one kind, each where its length belongs, and as many pages as are
 * counted. */
static bool runs_hold(const hy_smp_core *core, const hy_smp_runs *runs, uint8_t kind) {
    size_t pages = 0;
    for (uint32_t bin = 0; bin < HY_SMP_RUN_BINS; bin++) {
        bool is_marked = runs->nonempty[bin / 64] >> bin % 64 & 1;
        if (is_marked != (runs->heads[bin] != 0)) return false;
        uint32_t prev = 0;
        for (uint32_t first = runs->heads[bin]; first; first = core->pages[first].next) {
            if (first >= core->frontier) return false;
            const hy_smp_page *page = &core->pages[first];
            if (page->kind != kind || page->prev != prev || bin_of(page->value) != bin) return false;
            pages += page->value;
            prev = first;
        }
    }
    return pages == runs->pages;
}

static bool totals_hold(const hy_smp_core *core, const walk *found) {
    size_t large = found->pages[HY_SMP_PAGE_LARGE], dirty = found->pages[HY_SMP_PAGE_DIRTY];
    size_t used = large + found->pages[HY_SMP_PAGE_SLAB] + found->pages[HY_SMP_PAGE_LOST];
    return used << HY_SMP_PAGE_SHIFT == core->used_bytes && large == core->large_pages &&
           found->large_blocks == core->large_blocks && dirty << HY_SMP_PAGE_SHIFT == core->retained_bytes &&
           dirty == core->dirty.pages && found->pages[HY_SMP_PAGE_CLEAN] == core->clean.pages;
}

bool hy_smp_pages_check(const hy_smp_core *core) {
    walk found = {0};
    uint32_t first = 1, count = 1;
    while (first < core->frontier && count) {
        count = length_at(core, first, &found);
        first += count;
    }
    return first == core->frontier && totals_hold(core, &found) &&
           runs_hold(core, &core->clean, HY_SMP_PAGE_CLEAN) &&
           runs_hold(core, &core->dirty, HY_SMP_PAGE_DIRTY);
}

/* Bytes that nobody may use: they are poisoned. */
HY_NO_SANITIZE_ADDRESS static bool is_zero(const void *ptr, size_t size) {
    const uint64_t *words = ptr;
    uint64_t any = 0;
    for (size_t i = 0; i < size / sizeof *words; i++)
        any |= words[i];
    return any == 0;
}

bool hy_smp_clean_runs_read_zero(const hy_smp_core *core) {
    for (uint32_t bin = 0; bin < HY_SMP_RUN_BINS; bin++) {
        for (uint32_t first = core->clean.heads[bin]; first; first = core->pages[first].next) {
            uint32_t last = first + core->pages[first].value - 1;
            if (!is_zero(hy_smp_page_address(core, first), HY_SMP_PAGE)) return false;
            if (!is_zero(hy_smp_page_address(core, last), HY_SMP_PAGE)) return false;
        }
    }
    return true;
}
