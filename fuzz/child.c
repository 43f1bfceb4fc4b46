/* child.c: the region, its blocks and the checks of every call. */
#include "fuzz/child.h"

#include "fuzz/finding.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Inside what every sanitizer's shadow covers, away from where the system puts anything. */
#define REGION_ADDRESS ((void *)(uintptr_t)0x7e9000000000)
#define REDZONE_BYTES 16
#define REDZONE_BYTE 0xFD
#define FREED_BYTE 0xFB

/* Without a tool that reports the touch itself, freed memory and redzones are stamped and looked at. */
static bool stamps(void) {
#if HY_VALGRIND
    if (hy_on_valgrind) return false;
#endif
    return !HY_ASAN;
}

typedef struct block {
    uintptr_t address;
    size_t size;
    size_t extent; /* the greatest size it had: its bytes up to there are nobody else's */
    uint8_t align_log2;
    bool live;
} block;

static struct {
    char *region;
    uintptr_t cursor;
    hy_fault_policy faults;
    hy_child_counts counts;
    size_t block_count;
    block blocks[HY_CHILD_BLOCK_MAX]; /* in the order of their addresses */
} child;

static uintptr_t region_start(void) {
    return (uintptr_t)child.region;
}

static uintptr_t region_end(void) {
    return region_start() + HY_CHILD_REGION_BYTES;
}

static void map_region(void) {
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    void *at = mmap(
        REGION_ADDRESS, HY_CHILD_REGION_BYTES, PROT_READ | PROT_WRITE, flags | MAP_FIXED_NOREPLACE, -1, 0);
    if (at == MAP_FAILED) at = mmap(NULL, HY_CHILD_REGION_BYTES, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (at == MAP_FAILED) abort();
    child.region = at;
    child.cursor = region_start();
    hy_poison(child.region, HY_CHILD_REGION_BYTES);
}

void hy_child_begin(const hy_fault_policy *faults) {
    if (!child.region) map_region();
    hy_poison(child.region, child.cursor - region_start());
    child.cursor = region_start();
    child.faults = *faults;
    child.counts = (hy_child_counts){0};
    child.block_count = 0;
}

/* Without ASan: a byte that is not what was stamped is somebody's stray write. */
static void expect_stamp(uintptr_t from, uintptr_t to, unsigned stamp, const char *what) {
    const unsigned char *bytes = (const unsigned char *)from;
    for (size_t i = 0; i < to - from; i++) {
        if (bytes[i] != stamp) hy_finding("stray", "a write into %s at %p", what, (void *)(from + i));
    }
}

static void stamp(uintptr_t from, uintptr_t to, int byte) {
    if (stamps()) memset((void *)from, byte, to - from);
}

static void stamp_redzones(const block *at) {
    stamp(at->address - REDZONE_BYTES, at->address, REDZONE_BYTE);
    stamp(at->address + at->extent, at->address + at->extent + REDZONE_BYTES, REDZONE_BYTE);
}

static void check_redzones(const block *at) {
    if (!stamps()) return;
    expect_stamp(at->address - REDZONE_BYTES, at->address, REDZONE_BYTE, "the redzone before a block");
    uintptr_t end = at->address + at->extent;
    expect_stamp(end, end + REDZONE_BYTES, REDZONE_BYTE, "the redzone behind a block");
}

void hy_child_end(void) {
    for (size_t i = 0; i < child.block_count; i++) {
        const block *at = &child.blocks[i];
        check_redzones(at);
        if (at->live) {
            hy_finding("leak", "%zu bytes at %p were not given back to the child (%zu blocks in all)",
                at->size, (void *)at->address, child.counts.live_blocks);
        }
        if (stamps())
            expect_stamp(at->address, at->address + at->extent, FREED_BYTE, "memory given back to the child");
    }
}

const hy_child_counts *hy_child_counted(void) {
    return &child.counts;
}

/* The block that begins at or below an address; NULL where none does. */
static block *block_below(uintptr_t address) {
    size_t low = 0, high = child.block_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (child.blocks[middle].address <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low ? &child.blocks[low - 1] : NULL;
}

bool hy_child_contains(const void *ptr, size_t size) {
    const block *at = block_below((uintptr_t)ptr);
    if (!at || !at->live) return false;
    size_t offset = (uintptr_t)ptr - at->address;
    return offset <= at->size && size <= at->size - offset;
}

static bool refuses(size_t index, uint16_t at) {
    if (at == HY_BYTES_NEVER) return false;
    return child.faults.once ? index == at : index >= at;
}

static void *refuse(void) {
    child.counts.refusals++;
    return NULL;
}

static void count_bytes(size_t more, size_t less) {
    child.counts.live_bytes += more;
    child.counts.live_bytes -= less;
    if (child.counts.live_bytes > child.counts.peak_bytes) child.counts.peak_bytes = child.counts.live_bytes;
}

/* A fresh block at the cursor: an odd multiple of `align`, so that nothing more is promised than was
 * asked. */
static void *carve(size_t size, hy_align align) {
    size_t align_bytes = hy_align_bytes(align),
           room = HY_CHILD_REGION_BYTES - (child.cursor - region_start());
    if (child.block_count == HY_CHILD_BLOCK_MAX || align_bytes > room || size > room) return NULL;
    uintptr_t address = hy_align_forward(child.cursor + REDZONE_BYTES, align);
    if (!(address & align_bytes)) address += align_bytes;
    if (address > region_end() || size > region_end() - address ||
        region_end() - address - size < REDZONE_BYTES)
        return NULL;
    block *at = &child.blocks[child.block_count++];
    *at = (block){.address = address, .size = size, .extent = size, .align_log2 = align.log2, .live = true};
    child.cursor = address + size + REDZONE_BYTES;
    hy_unpoison((void *)address, size);
    stamp_redzones(at);
    child.counts.live_blocks++;
    count_bytes(size, 0);
    return (void *)address;
}

/* Every argument that a call gives back must be that of a live block. */
static block *checked(const char *call, const void *ptr, size_t size, hy_align align) {
    block *at = block_below((uintptr_t)ptr);
    if (!at || at->address != (uintptr_t)ptr)
        hy_finding("misuse", "%s of %p, which is no block of the child", call, ptr);
    if (!at->live) hy_finding("misuse", "%s of %p, which was given back before", call, ptr);
    if (at->size != size) hy_finding("misuse", "%s with size %zu of a block of %zu", call, size, at->size);
    if (at->align_log2 != align.log2)
        hy_finding("misuse", "%s with alignment 2^%u of a block of 2^%u", call, align.log2, at->align_log2);
    check_redzones(at);
    return at;
}

static void end_block(block *at) {
    stamp(at->address, at->address + at->extent, FREED_BYTE);
    hy_poison((void *)at->address, at->size);
    at->live = false;
    child.counts.live_blocks--;
    count_bytes(0, at->size);
}

static void *child_alloc(void *self, size_t size, hy_align align) {
    (void)self;
    if (size == 0) hy_finding("misuse", "alloc of size 0 reached the child");
    if (refuses(child.counts.alloc_calls++, child.faults.alloc_refusal)) return refuse();
    void *ptr = carve(size, align);
    return ptr ? ptr : refuse();
}

/* The topmost block grows where there is room behind it; any block shrinks. */
static bool fits_in_place(const block *at, size_t new_size) {
    if (new_size <= at->extent) return true;
    bool topmost = at == &child.blocks[child.block_count - 1];
    size_t room = region_end() - at->address;
    return topmost && room > REDZONE_BYTES && new_size <= room - REDZONE_BYTES;
}

static void take_size(block *at, size_t new_size) {
    size_t old_size = at->size;
    if (new_size < old_size) hy_poison((void *)(at->address + new_size), old_size - new_size);
    hy_unpoison((void *)at->address, new_size);
    at->size = new_size;
    if (new_size > at->extent) {
        at->extent = new_size;
        child.cursor = at->address + new_size + REDZONE_BYTES;
        stamp_redzones(at);
    }
    count_bytes(new_size, old_size);
}

static bool child_resize(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    (void)self;
    block *at = checked("resize", ptr, old_size, align);
    if (new_size == 0) hy_finding("misuse", "resize to 0 reached the child");
    bool refused = refuses(child.counts.resize_calls++, child.faults.resize_refusal);
    if (refused || !child.faults.grows || !fits_in_place(at, new_size)) {
        refuse();
        return false;
    }
    take_size(at, new_size);
    return true;
}

static void *child_remap(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    (void)self;
    block *at = checked("remap", ptr, old_size, align);
    if (new_size == 0) hy_finding("misuse", "remap to 0 reached the child");
    if (refuses(child.counts.remap_calls++, child.faults.remap_refusal)) return refuse();
    if (child.faults.moves) {
        void *moved = carve(new_size, align);
        if (!moved) return refuse();
        memcpy(moved, ptr, old_size < new_size ? old_size : new_size);
        end_block(at);
        return moved;
    }
    if (!child.faults.grows || !fits_in_place(at, new_size)) return refuse();
    take_size(at, new_size);
    return ptr;
}

static void child_free(void *self, void *ptr, size_t size, hy_align align) {
    (void)self;
    end_block(checked("free", ptr, size, align));
}

hy_allocator hy_child_allocator(void) {
    static const hy_vtable vtable = {child_alloc, child_resize, child_remap, child_free};
    return (hy_allocator){&child, &vtable};
}
