/* child.c: the region, its blocks and the checks of every call. */
#include "allocators/conformance/child.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifndef __wasm__
#include <sys/mman.h>
#endif

#define REDZONE_BYTES 16
#define REDZONE_BYTE 0xFD
#define FREED_BYTE 0xFB

typedef hy_child_block block;

/* Without a tool that reports the touch itself, freed memory and redzones are stamped and looked at. */
static bool stamps(void) {
#if HY_VALGRIND
    if (hy_on_valgrind) return false;
#endif
    return !HY_ASAN;
}

static uintptr_t region_start(const hy_child *child) {
    return (uintptr_t)child->region;
}

static uintptr_t region_end(const hy_child *child) {
    return region_start(child) + child->region_bytes;
}

/* Addresses at the place where one is given and free, else elsewhere. */
static void *map(void *place, size_t size) {
#ifdef __wasm__ /* it has no addresses but those of its memory */
    (void)place;
    return malloc(size);
#else
    int access = PROT_READ | PROT_WRITE, flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    void *at = mmap(place, size, access, flags | (place ? MAP_FIXED_NOREPLACE : 0), -1, 0);
    if (at == MAP_FAILED) at = mmap(NULL, size, access, flags, -1, 0);
    return at == MAP_FAILED ? NULL : at;
#endif
}

static void map_region(hy_child *child) {
    if (!child->region_bytes) child->region_bytes = HY_CHILD_REGION_BYTES;
    child->region = map(child->place, child->region_bytes);
    if (!child->region) abort();
    child->cursor = region_start(child);
    hy_poison(child->region, child->region_bytes);
}

static void print_and_abort(const char *kind, const char *format, ...) HY_PRINTF(2, 3);

static void print_and_abort(const char *kind, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "child: %s: ", kind);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    abort();
}

void hy_child_begin(hy_child *child, const hy_fault_policy *faults) {
    if (!child->region) map_region(child);
    if (!child->report) child->report = print_and_abort;
    hy_poison(child->region, child->cursor - region_start(child));
    child->cursor = region_start(child);
    child->faults = *faults;
    child->call_refusal = child->size_max = SIZE_MAX;
    child->counts = (hy_child_counts){0};
    child->asked = (hy_call){0};
    child->block_count = 0;
}

/* A byte that is not what was stamped is somebody's stray write. */
static void expect_stamp(
    const hy_child *child, uintptr_t from, uintptr_t to, unsigned stamp, const char *what) {
    const unsigned char *bytes = (const unsigned char *)from;
    for (size_t i = 0; i < to - from; i++) {
        if (bytes[i] == stamp) continue;
        child->report("stray", "a write into %s at %p", what, (void *)(from + i));
        return;
    }
}

static void stamp(uintptr_t from, uintptr_t to, int byte) {
    if (stamps()) memset((void *)from, byte, to - from);
}

static void stamp_redzones(const block *at) {
    stamp(at->address - REDZONE_BYTES, at->address, REDZONE_BYTE);
    stamp(at->address + at->extent, at->address + at->extent + REDZONE_BYTES, REDZONE_BYTE);
}

static void check_redzones(const hy_child *child, const block *at) {
    if (!stamps()) return;
    uintptr_t start = at->address, end = at->address + at->extent;
    expect_stamp(child, start - REDZONE_BYTES, start, REDZONE_BYTE, "the redzone before a block");
    expect_stamp(child, end, end + REDZONE_BYTES, REDZONE_BYTE, "the redzone behind a block");
}

void hy_child_check_strays(const hy_child *child) {
    if (!stamps()) return;
    for (size_t i = 0; i < child->block_count; i++) {
        const block *at = &child->blocks[i];
        check_redzones(child, at);
        if (at->live) continue;
        expect_stamp(
            child, at->address, at->address + at->extent, FREED_BYTE, "memory given back to the child");
    }
}

const hy_child_block *hy_child_lowest_live(const hy_child *child) {
    for (size_t i = 0; i < child->block_count; i++) {
        if (child->blocks[i].live) return &child->blocks[i];
    }
    return NULL;
}

/* The block that begins at or below an address; NULL where none does. */
static const block *block_below(const hy_child *child, uintptr_t address) {
    size_t low = 0, high = child->block_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (child->blocks[middle].address <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low ? &child->blocks[low - 1] : NULL;
}

bool hy_child_contains(const hy_child *child, const void *ptr, size_t size) {
    const block *at = block_below(child, (uintptr_t)ptr);
    if (!at || !at->live) return false;
    size_t offset = (uintptr_t)ptr - at->address;
    return offset <= at->size && size <= at->size - offset;
}

static void *refuse(hy_child *child) {
    child->counts.refusals++;
    return NULL;
}

/* Counts a call of one kind; whether it is refused whatever there is room for. */
static bool refuses(hy_child *child, size_t *calls, uint16_t refusal, size_t size) {
    bool refused = hy_child_calls(child) >= child->call_refusal || size > child->size_max;
    size_t index = (*calls)++;
    if (refusal == HY_BYTES_NEVER) return refused;
    return refused || (child->faults.once ? index == refusal : index >= refusal);
}

static void count_bytes(hy_child *child, size_t more, size_t less) {
    hy_child_counts *counts = &child->counts;
    counts->live_bytes += more;
    counts->live_bytes -= less;
    if (counts->live_bytes > counts->peak_bytes) counts->peak_bytes = counts->live_bytes;
}

/* A fresh block at the cursor: an odd multiple of `align`, so that nothing more is promised than was
 * asked. */
static void *carve(hy_child *child, size_t size, hy_align align) {
    size_t align_bytes = hy_align_bytes(align), room = region_end(child) - child->cursor;
    if (child->block_count == HY_CHILD_BLOCK_MAX || align_bytes > room || size > room) return NULL;
    uintptr_t address = hy_align_forward(child->cursor + REDZONE_BYTES, align), end = region_end(child);
    if (!(address & align_bytes)) address += align_bytes;
    if (address > end || size > end - address || end - address - size < REDZONE_BYTES) return NULL;
    block *at = &child->blocks[child->block_count++];
    *at = (block){.address = address, .size = size, .extent = size, .align_log2 = align.log2, .live = true};
    child->cursor = address + size + REDZONE_BYTES;
    hy_unpoison((void *)address, size);
    stamp_redzones(at);
    child->counts.live_blocks++;
    count_bytes(child, size, 0);
    return (void *)address;
}

/* The live block that a call gives back; each of its arguments must be that block's. NULL: there is none. */
static block *checked(hy_child *child, const char *call, const void *ptr, size_t size, hy_align align) {
    const block *at = block_below(child, (uintptr_t)ptr);
    if (!at || at->address != (uintptr_t)ptr) {
        child->report("misuse", "%s of %p, which is no block of the child", call, ptr);
        return NULL;
    }
    if (!at->live) {
        child->report("misuse", "%s of %p, which was given back before", call, ptr);
        return NULL;
    }
    if (at->size != size) child->report("misuse", "%s with size %zu of a block of %zu", call, size, at->size);
    if (at->align_log2 != align.log2)
        child->report(
            "misuse", "%s with alignment 2^%u of a block of 2^%u", call, align.log2, at->align_log2);
    check_redzones(child, at);
    return &child->blocks[at - child->blocks];
}

/* What is given back must be open as it was when it was handed out: its next owner knows nothing of it. */
static void expect_open(const hy_child *child, const block *at) {
    (void)child, (void)at;
#if HY_ASAN
    void *closed = __asan_region_is_poisoned((void *)at->address, at->size);
    if (closed)
        child->report("misuse", "free of a block of %zu bytes that is poisoned from byte %zu on", at->size,
            (size_t)((uintptr_t)closed - at->address));
#endif
}

static void expect_some(const hy_child *child, const char *call, size_t size) {
    if (size == 0) child->report("misuse", "%s reached the child", call);
}

static void end_block(hy_child *child, block *at) {
    stamp(at->address, at->address + at->extent, FREED_BYTE);
    hy_poison((void *)at->address, at->size);
    at->live = false;
    child->counts.live_blocks--;
    count_bytes(child, 0, at->size);
}

static void *child_alloc(void *self, size_t size, hy_align align) {
    hy_child *child = self;
    child->asked = (hy_call){.kind = HY_CALL_ALLOC, .align = align, .new_size = size};
    expect_some(child, "alloc of size 0", size);
    if (refuses(child, &child->counts.alloc_calls, child->faults.alloc_refusal, size)) return refuse(child);
    void *ptr = carve(child, size, align);
    return ptr ? ptr : refuse(child);
}

/* The topmost block grows where there is room behind it; any block shrinks. */
static bool fits_in_place(const hy_child *child, const block *at, size_t new_size) {
    if (new_size <= at->extent) return true;
    bool topmost = at == &child->blocks[child->block_count - 1];
    size_t room = region_end(child) - at->address;
    return topmost && room > REDZONE_BYTES && new_size <= room - REDZONE_BYTES;
}

static void take_size(hy_child *child, block *at, size_t new_size) {
    size_t old_size = at->size;
    if (new_size < old_size) hy_poison((void *)(at->address + new_size), old_size - new_size);
    /* What its user has poisoned of its own stays so. */
    if (new_size > old_size) hy_unpoison((void *)(at->address + old_size), new_size - old_size);
    at->size = new_size;
    if (new_size > at->extent) {
        at->extent = new_size;
        child->cursor = at->address + new_size + REDZONE_BYTES;
        stamp_redzones(at);
    }
    count_bytes(child, new_size, old_size);
}

static bool child_resize(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    hy_child *child = self;
    child->asked = (hy_call){
        .kind = HY_CALL_RESIZE, .align = align, .ptr = ptr, .old_size = old_size, .new_size = new_size};
    block *at = checked(child, "resize", ptr, old_size, align);
    expect_some(child, "resize to 0", new_size);
    bool refused = refuses(child, &child->counts.resize_calls, child->faults.resize_refusal, new_size);
    if (!at || refused || !child->faults.grows || !fits_in_place(child, at, new_size)) {
        refuse(child);
        return false;
    }
    take_size(child, at, new_size);
    return true;
}

static void *child_remap(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    hy_child *child = self;
    child->asked = (hy_call){
        .kind = HY_CALL_REMAP, .align = align, .ptr = ptr, .old_size = old_size, .new_size = new_size};
    block *at = checked(child, "remap", ptr, old_size, align);
    expect_some(child, "remap to 0", new_size);
    bool refused = refuses(child, &child->counts.remap_calls, child->faults.remap_refusal, new_size);
    if (!at || refused) return refuse(child);
    if (child->faults.moves) {
        void *moved = carve(child, new_size, align);
        if (!moved) return refuse(child);
        memcpy(moved, ptr, at->size < new_size ? at->size : new_size);
        end_block(child, at);
        return moved;
    }
    if (!child->faults.grows || !fits_in_place(child, at, new_size)) return refuse(child);
    take_size(child, at, new_size);
    return ptr;
}

static void child_free(void *self, void *ptr, size_t size, hy_align align) {
    hy_child *child = self;
    child->counts.free_calls++;
    block *at = checked(child, "free", ptr, size, align);
    if (!at) return;
    expect_open(child, at);
    end_block(child, at);
}

hy_allocator hy_child_allocator(hy_child *child) {
    static const hy_vtable vtable = {child_alloc, child_resize, child_remap, child_free};
    return (hy_allocator){child, &vtable};
}

hy_allocator hy_child_plain(hy_child *child) {
    static const hy_fault_policy plain = {
        .alloc_refusal = HY_BYTES_NEVER, .resize_refusal = HY_BYTES_NEVER, .remap_refusal = HY_BYTES_NEVER};
    hy_child_begin(child, &plain);
    return hy_child_allocator(child);
}
