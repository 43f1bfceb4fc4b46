/* heapyard/settings.h: what bytes make of an allocator's options, and a few blocks under them.
 *
 * For a row's `settings` (plugin.h), which fuzzers call: any bytes are options, the senseless ones too.
 */
#ifndef HEAPYARD_SETTINGS_H
#define HEAPYARD_SETTINGS_H

#include <heapyard/typed.h>

HY_BEGIN_DECLS

/* Bytes that are read from the front; what lies behind their end is 0. */
typedef struct hy_settings {
    const uint8_t *at, *end;
    void (*hush)(
        bool on); /* while it is on, standard error goes nowhere; for calls that are to say something */
} hy_settings;

/* The next one. */
HY_INLINE uint8_t hy_settings_byte(hy_settings *from) {
    return from->at < from->end ? *from->at++ : 0;
}

/* Small numbers mostly, and some of which no memory has so many. */
HY_INLINE size_t hy_settings_size(hy_settings *from) {
    uint8_t byte = hy_settings_byte(from);
    if (byte < 0xC0) return byte;
    if (byte < 0xF0) return (size_t)(byte - 0xBF) << 8;
    return SIZE_MAX >> (byte & 3) * 8;
}

#define HY_SETTINGS_SLOTS 8  /* blocks that live at once */
#define HY_SETTINGS_STEPS 64 /* of a use, at most */

/* A block; NULL: none lives in its slot. */
typedef struct hy_settings_block {
    unsigned char *ptr;
    size_t count; /* of elements of 3 bytes */
} hy_settings_block;

#define HY_SETTINGS_ELEMENT ((size_t)3) /* bytes of each */

/* Whether the first `count` elements are this byte and no other. */
HY_INLINE bool hy_settings_holds(const hy_settings_block *block, size_t count, unsigned char byte) {
    for (size_t i = 0; i < count * HY_SETTINGS_ELEMENT; i++) {
        if (block->ptr[i] != byte) return false;
    }
    return true;
}

/* Another count of elements, in one of three ways. */
HY_INLINE void hy_settings_change(
    hy_allocator allocator, hy_settings_block *block, size_t count, uint8_t how) {
    void *ptr = NULL;
    if (how == 0)
        ptr = hy_realloc_array(allocator, block->ptr, block->count, count, HY_SETTINGS_ELEMENT, HY_ALIGN_8);
    else if (how == 1)
        ptr = hy_remap_array(allocator, block->ptr, block->count, count, HY_SETTINGS_ELEMENT, HY_ALIGN_8);
    else if (hy_resize_array(allocator, block->ptr, block->count, count, HY_SETTINGS_ELEMENT, HY_ALIGN_8))
        ptr = block->ptr;
    if (!ptr) return;
    block->ptr = (unsigned char *)ptr;
    block->count = count;
}

/* One step: the slot's block is made, of as many elements as a block has or of none; or it changes, or ends.
 * False: its bytes were not what was written there. */
HY_INLINE bool hy_settings_step(hy_allocator allocator, hy_settings *from, hy_settings_block *blocks) {
    uint8_t what = hy_settings_byte(from), slot = what % HY_SETTINGS_SLOTS;
    hy_settings_block *block = &blocks[slot];
    unsigned char byte = (unsigned char)(slot + 1);
    if (!block->ptr) {
        static const unsigned char zeros[HY_SETTINGS_ELEMENT * 4] = {0};
        size_t count = hy_settings_size(from);
        block->count = count;
        block->ptr =
            (unsigned char *)(what & 32
                                  ? hy_dupe_array(allocator, zeros, 4, count, HY_SETTINGS_ELEMENT, HY_ALIGN_8)
                                  : hy_alloc_array(allocator, count, 0, HY_SETTINGS_ELEMENT, HY_ALIGN_8));
        if (block->ptr && what & 32) {
            block->count = count + 4;
            if (!hy_settings_holds(block, block->count, 0)) return false;
        }
    } else if (what & 16) {
        size_t count = hy_settings_size(from) % 1024 + 1, old = block->count;
        hy_settings_change(allocator, block, count, what >> 6);
        if (!hy_settings_holds(block, old < block->count ? old : block->count, byte)) return false;
    } else {
        bool holds = hy_settings_holds(block, block->count, byte);
        hy_free(allocator, block->ptr, block->count * HY_SETTINGS_ELEMENT, HY_ALIGN_8);
        block->ptr = NULL;
        return holds;
    }
    if (block->ptr) memset(block->ptr, byte, block->count * HY_SETTINGS_ELEMENT);
    return true;
}

/* Blocks that come, change and go, as the rest of the bytes says; all have gone at the end. NULL: each kept
 * what was written there; else what is wrong. */
HY_INLINE const char *hy_settings_use(hy_allocator allocator, hy_settings *from) {
    hy_settings_block blocks[HY_SETTINGS_SLOTS] = {{NULL, 0}};
    bool holds = true;
    for (size_t i = 0; holds && i < HY_SETTINGS_STEPS && from->at < from->end; i++)
        holds = hy_settings_step(allocator, from, blocks);
    for (size_t i = HY_SETTINGS_SLOTS; i-- > 0;) {
        if (blocks[i].ptr)
            hy_free(allocator, blocks[i].ptr, blocks[i].count * HY_SETTINGS_ELEMENT, HY_ALIGN_8);
    }
    return holds ? NULL : "a block's bytes are not what was written there";
}

HY_END_DECLS

#endif
