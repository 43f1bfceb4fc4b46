/* debug_report.c: says what was found so that somebody can mend it: what, where the block came from, where it
 * was freed first, where we are, and the bytes around the damage with the damaged ones marked.
 */
#include "allocators/strategies/debug_report.h"
#include "allocators/strategies/debug_guard.h"
#include "allocators/strategies/debug_lock.h"
#include <heapyard/stack_trace.h>
#include <inttypes.h>
#include <stdlib.h>

const char *hy_debug_class_name(hy_debug_class class_of_finding) {
    static const char *const names[HY_DEBUG_CLASS_COUNT] = {
        [HY_DEBUG_LEAK] = "leak",
        [HY_DEBUG_DOUBLE_FREE] = "double free",
        [HY_DEBUG_USE_AFTER_FREE] = "use after free",
        [HY_DEBUG_INVALID_FREE] = "invalid free",
        [HY_DEBUG_FOREIGN_POINTER] = "foreign pointer",
        [HY_DEBUG_WRONG_INSTANCE] = "wrong instance",
        [HY_DEBUG_SIZE_MISMATCH] = "size mismatch",
        [HY_DEBUG_ALIGNMENT_MISMATCH] = "alignment mismatch",
        [HY_DEBUG_OVERFLOW] = "overflow",
        [HY_DEBUG_UNDERFLOW] = "underflow",
        [HY_DEBUG_WRITE_AFTER_FREE] = "write after free",
        [HY_DEBUG_CORRUPTED_METADATA] = "corrupted metadata",
        [HY_DEBUG_CONCURRENT_USE] = "concurrent use",
    };
    return (unsigned)class_of_finding < HY_DEBUG_CLASS_COUNT ? names[class_of_finding] : "unknown";
}

void hy_debug_report_begin(
    hy_debug_report *report, hy_debug_class class_of_finding, const hy_debug_call *call) {
    *report = (hy_debug_report){
        .class_of_finding = class_of_finding,
        .operation = call->operation,
        .instance = call->debug,
        .instance_name = call->debug->config.name,
        .address = call->ptr,
        .given_size = call->size,
        .given_align = call->align,
        .here = *call->here,
    };
}

static void copy_stack(
    hy_debug_stack *stack, uint32_t thread, void *const *frames, size_t count, size_t capacity) {
    stack->thread = thread;
    stack->count = count < capacity ? count : capacity;
    memcpy(stack->frames, frames, stack->count * sizeof *frames);
}

void hy_debug_report_block(hy_debug_report *report, const hy_debug *of, const hy_debug_record *record) {
    size_t depth = of->config.stack_trace_frames;
    report->has_block = true;
    report->is_freed = record->state != HY_DEBUG_LIVE;
    report->block = hy_debug_block(record);
    report->block_size = record->size;
    report->block_align = (hy_align){record->align_log2};
    copy_stack(&report->allocated, record->alloc_thread, record->frames, record->alloc_frames, depth);
    if (report->is_freed) {
        copy_stack(&report->freed, record->free_thread, record->frames + depth, record->free_frames, depth);
    }
}

#define DUMP_ROW ((size_t)16)
#define ROW_MASK (((uint64_t)1 << DUMP_ROW) - 1)

void hy_debug_report_damage(hy_debug_report *report, const hy_debug_record *record, uint64_t pattern,
    const char *from, const char *to) {
    const char *first = from, *last = to - 1;
    while (first < last && (uint8_t)*first == hy_debug_pattern_byte(pattern, first))
        first++;
    while (last > first && (uint8_t)*last == hy_debug_pattern_byte(pattern, last))
        last--;
    report->address = report->block;
    report->damage = first;
    report->damage_bytes = (size_t)(last - first) + 1;

    /* Rows begin at multiples of 16, as slots do: one before the damage, where there is one. */
    const char *start = first - (uintptr_t)first % DUMP_ROW, *end = hy_debug_slot_end(record);
    if (start > record->slot) start -= DUMP_ROW;
    report->dump_address = start;
    report->dump_bytes =
        (size_t)(end - start) < sizeof report->dump ? (size_t)(end - start) : sizeof report->dump;
    for (size_t i = 0; i < report->dump_bytes; i++) {
        const char *at = start + i;
        report->dump[i] = (uint8_t)*at;
        bool differs = at >= from && at < to && (uint8_t)*at != hy_debug_pattern_byte(pattern, at);
        report->dump_damaged |= (uint64_t)differs << i;
    }
}

static void print_dump_row(FILE *stream, const hy_debug_report *report, size_t from) {
    size_t to = from + DUMP_ROW < report->dump_bytes ? from + DUMP_ROW : report->dump_bytes;
    fprintf(stream, "    0x%012" PRIxPTR " ", (uintptr_t)report->dump_address + from);
    for (size_t i = from; i < to; i++)
        fprintf(stream, " %02x", report->dump[i]);
    fputs("  ", stream);
    for (size_t i = from; i < to; i++)
        fputc(report->dump[i] >= ' ' && report->dump[i] < 0x7F ? report->dump[i] : '.', stream);
    fputc('\n', stream);
    if ((report->dump_damaged >> from & ROW_MASK) == 0) return;
    fprintf(stream, "%*s", (int)(sizeof "    0x123456789abc " - 1), "");
    for (size_t i = from; i < to && report->dump_damaged >> i; i++)
        fputs(report->dump_damaged >> i & 1 ? " ^^" : "   ", stream);
    fputc('\n', stream);
}

static void print_dump(FILE *stream, const hy_debug_report *report) {
    if (!report->damage) return;
    ptrdiff_t offset = (const char *)report->damage - (const char *)report->block;
    fprintf(stream, "  first written at %p, the block's byte %td; marked:\n", report->damage, offset);
    for (size_t from = 0; from < report->dump_bytes; from += DUMP_ROW)
        print_dump_row(stream, report, from);
}

static void print_instance(FILE *stream, const hy_debug *debug, const char *name) {
    if (name)
        fprintf(stream, "\"%s\" (%p)", name, (const void *)debug);
    else
        fprintf(stream, "%p", (const void *)debug);
}

/* What is wrong with an address that is no live block's. */
static void print_address(FILE *stream, const hy_debug_report *report) {
    switch (report->class_of_finding) {
    case HY_DEBUG_FOREIGN_POINTER:
        fputs(": no debug allocator of this process has handed it out", stream);
        break;
    case HY_DEBUG_WRONG_INSTANCE:
        fputs(": it is a block of the debug allocator ", stream);
        print_instance(stream, report->owner, report->owner_name);
        break;
    case HY_DEBUG_INVALID_FREE:
        if (report->has_block) {
            fprintf(stream, ": it lies %td bytes from the begin of a block",
                (const char *)report->address - (const char *)report->block);
        } else {
            fputs(": it lies in this allocator's memory, but was never handed out", stream);
        }
        break;
    case HY_DEBUG_SIZE_MISMATCH:
        fprintf(stream, ": given %zu bytes, it lives with %zu", report->given_size, report->block_size);
        break;
    case HY_DEBUG_ALIGNMENT_MISMATCH:
        fprintf(stream, ": given alignment 2^%u, it lives with 2^%u", report->given_align.log2,
            report->block_align.log2);
        break;
    default:
        break;
    }
}

static void print_stack(FILE *stream, const char *what, const hy_debug_stack *stack) {
    if (stack->count == 0) return;
    fprintf(stream, "  %s, by thread %" PRIu32 ":\n", what, stack->thread);
    hy_stack_print(stream, stack->frames, stack->count);
}

static const char *where_written(hy_debug_class class_of_finding) {
    if (class_of_finding == HY_DEBUG_OVERFLOW) return "behind a";
    return class_of_finding == HY_DEBUG_UNDERFLOW ? "before a" : "into a freed";
}

static void print_headline(FILE *stream, const hy_debug_report *report) {
    fprintf(stream, "heapyard: %s: ", hy_debug_class_name(report->class_of_finding));
    if (report->damage) {
        fprintf(stream, "%zu byte%s written %s block of %zu bytes at %p", report->damage_bytes,
            report->damage_bytes == 1 ? "" : "s", where_written(report->class_of_finding), report->block_size,
            report->block);
    } else if (report->class_of_finding == HY_DEBUG_LEAK) {
        fprintf(stream, "a block of %zu bytes at %p", report->block_size, report->block);
    } else {
        fprintf(stream, "%s of %p", report->operation, report->address);
    }
}

void hy_debug_report_print(FILE *stream, const hy_debug_report *report) {
    flockfile(stream);
    print_headline(stream, report);
    print_address(stream, report);
    fputs("\n  in the debug allocator ", stream);
    print_instance(stream, report->instance, report->instance_name);
    fprintf(stream, ", found during %s\n", report->operation);
    if (report->has_block) {
        fprintf(stream, "  the block: %zu bytes at %p, alignment 2^%u, %s\n", report->block_size,
            report->block, report->block_align.log2, report->is_freed ? "freed" : "live");
    }
    print_dump(stream, report);
    print_stack(stream, "allocated", &report->allocated);
    print_stack(stream, "first freed", &report->freed);
    if (report->class_of_finding != HY_DEBUG_LEAK) print_stack(stream, "now", &report->here);
    fflush(stream);
    funlockfile(stream);
}

void hy_debug_deliver(hy_debug *debug, const hy_debug_report *report) {
    __atomic_fetch_add(&debug->counts.found[report->class_of_finding], 1, __ATOMIC_RELAXED);
    if (debug->config.hook)
        debug->config.hook(debug->config.hook_context, report);
    else
        hy_debug_report_print(stderr, report);
    if (debug->config.abort_on_report) abort();
}

void hy_debug_deliver_inside(hy_debug *debug, const hy_debug_report *report) {
    hy_debug_leave(debug);
    hy_debug_deliver(debug, report);
    (void)hy_debug_enter(debug, hy_thread_number(), NULL);
}
