/* debug_guard.h: the bytes around blocks and over freed ones, and whether they are as they were left.
 *
 * Both are a pattern of eight bytes by address: the instance's canary around blocks, the config's byte over
 * freed slots. A canary's bytes lie above ASCII and are neither 0xFF nor one of the fills, so that neither
 * text nor a terminating zero nor a counter of -1 passes for one. Where the tools are told what is handed
 * out, a guard is opened before it is looked at and closed again.
 */
#ifndef HEAPYARD_STRATEGIES_DEBUG_GUARD_H
#define HEAPYARD_STRATEGIES_DEBUG_GUARD_H

#include "allocators/strategies/debug_chunk.h"

HY_INLINE uint64_t hy_debug_repeat(uint8_t byte) {
    return 0x0101010101010101u * byte;
}

HY_INLINE uint8_t hy_debug_pattern_byte(uint64_t pattern, const char *at) {
    uint8_t bytes[sizeof pattern];
    memcpy(bytes, &pattern, sizeof bytes);
    return bytes[(uintptr_t)at % sizeof bytes];
}

/* Writes the pattern over [from, to); to is a multiple of 8. */
HY_INLINE void hy_debug_stamp(uint64_t pattern, char *from, const char *to) {
    for (; (uintptr_t)from % sizeof pattern != 0; from++)
        *from = (char)hy_debug_pattern_byte(pattern, from);
    for (; from < to; from += sizeof pattern)
        memcpy(from, &pattern, sizeof pattern);
}

/* What lies between the two ends of [from, to) that are filled and looked at; empty, at `to`, where all of it
 * is. Its ends are multiples of 8 as patterns want them. */
typedef struct hy_debug_gap {
    char *from, *to;
} hy_debug_gap;

HY_INLINE hy_debug_gap hy_debug_gap_in(const hy_debug *debug, char *from, char *to) {
    if (HY_LIKELY((size_t)(to - from) <= debug->config.fill_bytes)) return (hy_debug_gap){to, to};
    size_t half = debug->config.fill_bytes / 2;
    char *first = from + half + (0 - (uintptr_t)(from + half)) % sizeof(uint64_t);
    char *last = to - half - (uintptr_t)(to - half) % sizeof(uint64_t);
    return (hy_debug_gap){first, last < first ? first : last};
}

/* Fills [from, to), or its two ends. */
HY_INLINE void hy_debug_fill(const hy_debug *debug, uint8_t byte, char *from, char *to) {
    hy_debug_gap gap = hy_debug_gap_in(debug, from, to);
    memset(from, byte, (size_t)(gap.from - from));
    if (HY_UNLIKELY(gap.to != to)) memset(gap.to, byte, (size_t)(to - gap.to));
}

/* Bits in which the word at an address differs from the pattern. */
HY_INLINE uint64_t hy_debug_difference(uint64_t pattern, const char *at) {
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return word ^ pattern;
}

/* Whether [from, to) is as stamped; to is a multiple of 8. Looks at all of it: four words for each branch. */
HY_INLINE bool hy_debug_intact(uint64_t pattern, const char *from, const char *to) {
    uint64_t differs = 0;
    for (; (uintptr_t)from % sizeof pattern != 0; from++)
        differs |= (uint64_t)((uint8_t)*from ^ hy_debug_pattern_byte(pattern, from));
    for (; to - from >= 32; from += 32) {
        differs |= hy_debug_difference(pattern, from) | hy_debug_difference(pattern, from + 8);
        differs |= hy_debug_difference(pattern, from + 16) | hy_debug_difference(pattern, from + 24);
    }
    for (; from < to; from += sizeof pattern)
        differs |= hy_debug_difference(pattern, from);
    return differs == 0;
}

/* [from, to) is ours to read and write. Also with HY_DEBUG_TOOLS_NONE: the front door at check level 2 marks
 * what it has filled as undefined for Valgrind, and we look at it. */
HY_INLINE void hy_debug_open(const char *from, const char *to) {
    hy_unpoison_defined(from, (size_t)(to - from));
}

/* [from, to) is nobody's. */
HY_INLINE void hy_debug_close(const hy_debug *debug, const char *from, const char *to) {
    (void)debug, (void)from, (void)to;
    if (HY_POISONS && debug->config.tools != HY_DEBUG_TOOLS_NONE) hy_poison(from, (size_t)(to - from));
}

/* A freed slot, which is open. */
HY_INLINE void hy_debug_close_freed(const hy_debug *debug, const char *from, const char *to) {
    (void)debug, (void)from, (void)to;
    if (HY_POISONS && debug->config.tools == HY_DEBUG_TOOLS_ALL) hy_poison(from, (size_t)(to - from));
}

/* Over what the record says of its block, mixed with the secret. */
HY_INLINE uint32_t hy_debug_seal(const hy_debug *debug, const hy_debug_record *record) {
    uint64_t sum = debug->secret ^ (uintptr_t)record->slot;
    sum += (record->size ^ (uintptr_t)record->chunk) * 0x9E3779B97F4A7C15u;
    sum ^= (uint64_t)record->state | (uint64_t)record->align_log2 << 8 |
           (uint64_t)record->alloc_frames << 16 | (uint64_t)record->free_frames << 24 |
           (uint64_t)record->alloc_thread << 32;
    return (uint32_t)(sum * 0xD6E8FEB86659FD93u >> 32);
}

/* Whether both guards of a live block hold. They must be open. */
HY_INLINE bool hy_debug_guards_hold(const hy_debug *debug, const hy_debug_record *record) {
    const char *block = hy_debug_block(record);
    return hy_debug_intact(debug->canary, record->slot, block) &&
           hy_debug_intact(debug->canary, block + record->size, hy_debug_slot_end(record));
}

HY_INLINE void hy_debug_open_guards(const hy_debug_record *record) {
    const char *block = hy_debug_block(record);
    hy_debug_open(record->slot, block);
    hy_debug_open(block + record->size, hy_debug_slot_end(record));
}

HY_INLINE void hy_debug_close_guards(const hy_debug *debug, const hy_debug_record *record) {
    const char *block = hy_debug_block(record);
    hy_debug_close(debug, record->slot, block);
    hy_debug_close(debug, block + record->size, hy_debug_slot_end(record));
}

/* Whether a freed slot is as it was left. It must be open and touchable. */
HY_INLINE bool hy_debug_poison_holds(const hy_debug *debug, const hy_debug_record *record) {
    uint64_t poison = hy_debug_repeat(debug->config.freed_byte);
    char *end = hy_debug_slot_end(record);
    hy_debug_gap gap = hy_debug_gap_in(debug, record->slot, end);
    return hy_debug_intact(poison, record->slot, gap.from) &&
           (HY_LIKELY(gap.to == end) || hy_debug_intact(poison, gap.to, end));
}

#endif
