/* schedule_program.c: bytes to threads' steps, and words for them. */
#include "fuzz/properties/schedule_program.h"

#include <stdio.h>

static uint8_t byte_at(const uint8_t *bytes, size_t size, size_t at) {
    return at < size ? bytes[at] : 0;
}

static void decode_header(const uint8_t *bytes, size_t size, hy_schedule_program *program) {
    uint8_t first = byte_at(bytes, size, 0), refused = byte_at(bytes, size, 2);
    program->thread_count = 2 + (first & 3u) % (HY_SCHEDULE_FIBRES - 1);
    program->are_late = (first & 3u) == 3;
    program->rotation = first >> 4 & 3;
    program->header = (hy_bytes_header){
        .shape = first >> 2 & 3,
        .options = (uint16_t)(byte_at(bytes, size, 1) | byte_at(bytes, size, 3) << 8),
        .faults = {.moves = first >> 6 & 1,
            .grows = first >> 7,
            .alloc_refusal = refused ? refused : HY_BYTES_NEVER,
            .resize_refusal = HY_BYTES_NEVER,
            .remap_refusal = HY_BYTES_NEVER},
    };
}

/* Mostly small, a few of kilobytes. */
static uint16_t size_of(uint8_t low, uint8_t high) {
    if (high < 192) return (uint16_t)(low + 1u);
    return (uint16_t)((low + 1u) << ((high & 3) + 2));
}

/* Points until a switch: mostly few, since a call has few. */
static uint16_t points_of(uint8_t low, uint8_t high) {
    if (high < 160) return low & 15;
    return (uint16_t)(high < 224 ? low : low * 4u);
}

static hy_schedule_step decode_step(const uint8_t *bytes, unsigned thread_count) {
    hy_schedule_step step = {
        .kind = bytes[0] & 7,
        .thread = (uint8_t)((bytes[0] >> 3 & 3) % thread_count),
        .argument = bytes[0] >> 5,
        .slot = bytes[1] & 15,
        .align_log2 = bytes[1] >> 4 < 12 ? (bytes[1] >> 4) % 7 : bytes[1] >> 4,
        .size = size_of(bytes[2], bytes[3]),
    };
    if (step.kind == HY_SCHEDULE_SWITCH_AGAIN) step.kind = HY_SCHEDULE_SWITCH;
    if (step.kind == HY_SCHEDULE_SWITCH) step.size = points_of(bytes[2], bytes[3]);
    return step;
}

void hy_schedule_decode(const uint8_t *bytes, size_t size, hy_schedule_program *program) {
    decode_header(bytes, size, program);
    program->step_count = 0;
    for (size_t at = HY_SCHEDULE_RECORD_BYTES; at + HY_SCHEDULE_RECORD_BYTES <= size;
         at += HY_SCHEDULE_RECORD_BYTES) {
        if (program->step_count == HY_SCHEDULE_STEP_MAX) break;
        program->steps[program->step_count++] = decode_step(bytes + at, program->thread_count);
    }
}

void hy_schedule_print_step(const hy_schedule_step *step, unsigned block) {
    fprintf(stderr, "// thread %u ", step->thread);
    switch ((hy_schedule_kind)step->kind) {
    case HY_SCHEDULE_ALLOC:
        fprintf(stderr, "allocates block %u, %u bytes%s at a multiple of %u\n", block, step->size,
            step->argument & 1 ? ", zeroed," : "", 1u << step->align_log2);
        break;
    case HY_SCHEDULE_FREE:
        fprintf(stderr, "frees block %u\n", block);
        break;
    case HY_SCHEDULE_RESIZE:
        fprintf(stderr, "resizes block %u to %u bytes\n", block, step->size);
        break;
    case HY_SCHEDULE_REMAP:
        fprintf(stderr, "%s block %u to %u bytes\n", step->argument & 1 ? "reallocates" : "remaps", block,
            step->size);
        break;
    default:
        fprintf(stderr, "%s\n", step->argument & 1 ? "forks" : "ends, a new one goes on");
        break;
    }
}
