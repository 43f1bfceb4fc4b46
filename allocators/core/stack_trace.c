/* stack_trace.c: walks the stack, and prints what it found.
 *
 * Frame pointers form a linked list on the stack: [fp] is the caller's frame pointer, [fp + 1 word]
 * the address to return to. Code built without them uses the register for whatever it likes, so
 * every value is checked before it is followed: it must lie in the mapping that holds the stack we
 * run on, above the frame before it, and be aligned. The system is asked for that mapping once per
 * thread and again when the thread runs on a stack that is not in it (a fibre, or the main stack after
 * it has grown). Where it can't tell, only the direct caller is known.
 *
 * The full walk needs no frame pointers: it follows the compiler's rules for each place in the code
 * (frame_rule.h), from the stack pointer up, inside the same bounds; where there is no rule that it can read,
 * as for a signal handler's frame, all is done again by the platform's unwinder, fifty times slower.
 *
 * The library's own code lies in a section of its own (own_section.sh, HY_INLINE), whose ends the linker
 * names; frames in it are dropped from the front. A build that has no such section drops none.
 *
 * Cost: two loads a frame, in the full walk four or five; the first time in a thread, a question to the
 * system. Source: the platform's ABI.
 */
#include "allocators/core/frame_rule.h"
#include "allocators/core/os.h"
#include "allocators/core/source_lines.h"
#include "allocators/core/unwinder.h"
#include <heapyard/check.h>
#include <heapyard/poison.h>
#include <stdarg.h>

#if defined(__x86_64__) || defined(__aarch64__)
#define FRAME_POINTERS_ARE_LINKED 1
#else
#define FRAME_POINTERS_ARE_LINKED 0
#endif

typedef struct range {
    uintptr_t low, high;
} range;

static _Thread_local range known_stack __attribute__((tls_model("initial-exec")));

extern const char section_begin[] __asm__("__start_hy_code") __attribute__((weak, visibility("hidden")));
extern const char section_end[] __asm__("__stop_hy_code") __attribute__((weak, visibility("hidden")));

/* A call of a function that never returns may be the last of its caller: one byte before the address to
 * return to is still the call. */
static bool in_library(uintptr_t return_address) {
    return return_address - 1 - (uintptr_t)section_begin < (uintptr_t)section_end - (uintptr_t)section_begin;
}

/* Asks the system. The mapping may go on behind the stack, with memory that others unmap when they like. But
 * a thread's own variables lie at the upper end of the stack that it was started on, above all its frames. */
HY_COLD static bool find_stack(uintptr_t at) {
    if (!hy_os_mapping_of(at, &known_stack.low, &known_stack.high)) return false;
    uintptr_t own = (uintptr_t)&known_stack;
    if (at < own && own < known_stack.high) known_stack.high = own;
    return true;
}

/* The greatest address at which the stack that `at` lies in still has two words; 0: not known. The system is
 * asked where this is not the stack that the thread was on before. */
HY_INLINE uintptr_t stack_limit(uintptr_t at) {
    bool is_known = HY_LIKELY(known_stack.low <= at && at < known_stack.high) || find_stack(at);
    return is_known ? known_stack.high - 2 * sizeof(uintptr_t) : 0;
}

#if FRAME_POINTERS_ARE_LINKED
/* Return addresses may carry a signature in their upper bits, which is no part of the address. */
static uintptr_t unsigned_address(uintptr_t address) {
#if defined(__aarch64__)
    register uintptr_t x30 __asm__("x30") = address;
    __asm__("hint #7" : "+r"(x30)); /* xpaclri, which older processors take for a nop */
    return x30;
#else
    return address;
#endif
}

/* The frame that called this one, or NULL where what is said there can't be one. limit: the greatest address
 * at which the stack still has two words. */
HY_NO_SANITIZE_ADDRESS HY_INLINE const uintptr_t *caller_of(const uintptr_t *frame, uintptr_t limit) {
    uintptr_t next = frame[0], at = (uintptr_t)frame;
    bool is_frame = next > at && next <= limit && next % sizeof *frame == 0;
    return is_frame ? (const uintptr_t *)next : NULL;
}

/* Reads words of foreign frames, which the sanitizers would take for overflows of ours. Whether a frame is
 * the library's is asked until the first that is not. */
HY_NO_SANITIZE_ADDRESS HY_INLINE size_t walk(
    const uintptr_t *frame, uintptr_t limit, void **frames, size_t capacity) {
    while (in_library(unsigned_address(frame[1]))) {
        frame = caller_of(frame, limit);
        if (!frame) return 0;
    }
    size_t count = 0;
    while (count < capacity) {
        uintptr_t return_address = unsigned_address(frame[1]);
        if (return_address == 0) break;
        frames[count++] = (void *)return_address;
        frame = caller_of(frame, limit);
        if (!frame) break;
    }
    return count;
}

static bool is_on_valgrind(void) {
#if HY_VALGRIND
    return hy_on_valgrind;
#else
    return false;
#endif
}

/* The first capture of a thread, or on a stack that it was not on before. */
static size_t walk_new_stack(
    const uintptr_t *frame, uintptr_t return_address, void **frames, size_t capacity) {
    uintptr_t limit = stack_limit((uintptr_t)frame);
    if (limit != 0) return walk(frame, limit, frames, capacity);
    if (capacity == 0 || in_library(return_address)) return 0;
    frames[0] = (void *)return_address;
    return 1;
}

/* Under Valgrind always: what code without frame pointers leaves on the stack was perhaps never written,
 * which is no fault of the program's. */
HY_COLD static size_t walk_with_care(
    const uintptr_t *frame, uintptr_t return_address, void **frames, size_t capacity) {
#if HY_VALGRIND
    if (hy_on_valgrind) {
        VALGRIND_DISABLE_ERROR_REPORTING;
        size_t count = walk_new_stack(frame, return_address, frames, capacity);
        VALGRIND_ENABLE_ERROR_REPORTING;
        (void)VALGRIND_MAKE_MEM_DEFINED(&count, sizeof count);
        (void)VALGRIND_MAKE_MEM_DEFINED(frames, count * sizeof *frames);
        return count;
    }
#endif
    return walk_new_stack(frame, return_address, frames, capacity);
}

/* Nothing here may be a tail call: it would take the frame away that the walk begins at. */
HY_NO_SANITIZE_ADDRESS HY_NOINLINE size_t hy_stack_capture(void **frames, size_t capacity) {
    const uintptr_t *frame = __builtin_frame_address(0);
    uintptr_t at = (uintptr_t)frame;
    if (HY_LIKELY(known_stack.low <= at && at < known_stack.high && !is_on_valgrind())) {
        return walk(frame, known_stack.high - 2 * sizeof *frame, frames, capacity);
    }
    size_t count = walk_with_care(frame, (uintptr_t)__builtin_return_address(0), frames, capacity);
    __asm__ volatile("" ::: "memory");
    return count;
}
#else
HY_NOINLINE size_t hy_stack_capture(void **frames, size_t capacity) {
    if (capacity == 0) return 0;
    frames[0] = __builtin_return_address(0);
    return 1;
}
#endif

#if HY_HAS_FRAME_RULES
/* What a function finds in its registers. */
typedef struct place {
    uintptr_t return_address, stack_pointer, frame_pointer;
} place;

/* Goes to the caller; false: there is no rule, or what it leads to can't be. limit: as for caller_of. */
HY_NO_SANITIZE_ADDRESS HY_INLINE bool leave_frame(place *p, hy_frame_rule rule, uintptr_t limit) {
    uintptr_t base = rule.by_frame_pointer ? p->frame_pointer : p->stack_pointer;
    uintptr_t frame = base + (uintptr_t)(intptr_t)rule.frame_offset;
    bool is_frame = rule.kind == HY_FRAME_RULE_STEP && frame > p->stack_pointer &&
                    frame - sizeof(uintptr_t) <= limit && frame % sizeof(uintptr_t) == 0;
    if (!is_frame) return false;
    p->return_address = ((const uintptr_t *)frame)[-1];
    if (rule.pointer_offset != 0) {
        uintptr_t saved = frame + (uintptr_t)(intptr_t)rule.pointer_offset;
        if (saved < p->stack_pointer) return false;
        p->frame_pointer = *(const uintptr_t *)saved;
    }
    p->stack_pointer = frame;
    return true;
}

/* Walks by the rules that are kept. False: somewhere there is none; then only the platform's unwinder knows.
 */
HY_NO_SANITIZE_ADDRESS static bool walk_by_rules(
    const uintptr_t *frame, uintptr_t limit, void **frames, size_t capacity, size_t *count) {
    place p = {frame[1], (uintptr_t)(frame + 2), frame[0]};
    bool outside = false;
    *count = 0;
    while (*count < capacity && p.return_address != 0) {
        outside = outside || !in_library(p.return_address);
        if (outside) frames[(*count)++] = (void *)p.return_address;
        hy_frame_rule rule = hy_frame_rule_at(p.return_address);
        if (rule.kind == HY_FRAME_RULE_LAST) return true;
        if (!leave_frame(&p, rule, limit)) return false;
    }
    return true;
}
#else
static bool walk_by_rules(
    const uintptr_t *frame, uintptr_t limit, void **frames, size_t capacity, size_t *count) {
    (void)frame, (void)limit, (void)frames, (void)capacity, (void)count;
    return false;
}
#endif

/* Where the unwinder's frames go; those of the library are left out until the first that isn't. */
typedef struct trace {
    void **frames;
    size_t count, capacity;
    bool is_own;  /* the frame to come is that of the capture itself */
    bool outside; /* a frame of the caller was seen */
} trace;

/* False: there is no room for more. */
static bool take_frame(void *context, uintptr_t return_address) {
    trace *t = context;
    t->outside = t->outside || (!t->is_own && !in_library(return_address));
    t->is_own = false;
    if (!t->outside) return true;
    if (t->count < t->capacity) t->frames[t->count++] = (void *)return_address;
    return t->count < t->capacity;
}

HY_NO_SANITIZE_ADDRESS HY_NOINLINE size_t hy_stack_capture_full(void **frames, size_t capacity) {
    const uintptr_t *frame = __builtin_frame_address(0);
    uintptr_t limit = stack_limit((uintptr_t)frame);
    size_t count;
    if (limit != 0 && !is_on_valgrind() && walk_by_rules(frame, limit, frames, capacity, &count))
        return count;
    trace t = {frames, 0, capacity, true, false};
    if (!hy_unwind(take_frame, &t)) return hy_stack_capture(frames, capacity);
    return t.count;
}

/* The call is one byte or more before the address to return to, which may belong to the next line. */
static size_t resolve(
    hy_source_lines *lines, size_t index, void *address, hy_frame_sink sink, void *context) {
    uintptr_t call = (uintptr_t)address - 1;
    hy_frame frame = {.index = index, .address = address};
    hy_object object;
    hy_symbol symbol;
    if (hy_object_of(call, &object)) {
        frame.object = object.name;
        frame.object_offset = call - object.base;
        if (hy_object_symbol(&object, call, &symbol)) {
            frame.function = symbol.name;
            frame.function_offset = (uintptr_t)address - symbol.start;
        }
        size_t told = hy_source_lines_find(lines, &object, call, &frame, sink, context);
        if (told > 0) return told;
    }
    sink(context, &frame);
    return 1;
}

void hy_stack_resolve(void *const *frames, size_t count, hy_frame_sink sink, void *context) {
    hy_source_lines lines;
    hy_source_lines_begin(&lines);
    size_t index = 0;
    for (size_t i = 0; i < count; i++)
        index += resolve(&lines, index, frames[i], sink, context);
    hy_source_lines_end(&lines);
}

/* Appends to a line of `capacity` bytes of which `*size` are written; what has no room is cut off. */
HY_PRINTF(4, 5) static void append(char *line, size_t capacity, size_t *size, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int wanted = vsnprintf(line + *size, capacity - *size, format, arguments);
    va_end(arguments);
    if (wanted <= 0) return;
    size_t room = capacity - *size - 1;
    *size += (size_t)wanted < room ? (size_t)wanted : room;
}

size_t hy_frame_format(const hy_frame *frame, char *line, size_t capacity) {
    HY_REQUIRE(capacity >= 2, "hy_frame_format", capacity, "room for a newline and a NUL");
    size_t size = 0, room = capacity - 1; /* the last byte but the NUL is the newline's */
    append(line, room, &size, "    #%zu %p", frame->index, frame->address);
    if (frame->function) append(line, room, &size, " in %s", frame->function);
    if (frame->function && !frame->file) append(line, room, &size, "+0x%zx", frame->function_offset);
    if (frame->file) append(line, room, &size, " at %s:%u", frame->file, frame->line);
    if (frame->is_inlined)
        append(line, room, &size, " (inlined)");
    else if (frame->object)
        append(line, room, &size, " (%s+0x%zx)", frame->object, frame->object_offset);
    line[size++] = '\n';
    line[size] = '\0';
    return size;
}

typedef struct printer {
    hy_line_sink sink;
    void *context;
} printer;

static void print_frame(void *context, const hy_frame *frame) {
    const printer *p = context;
    char line[1024];
    size_t size = hy_frame_format(frame, line, sizeof line);
    p->sink(p->context, line, size);
}

void hy_stack_print_to(hy_line_sink sink, void *context, void *const *frames, size_t count) {
    printer p = {sink, context};
    hy_stack_resolve(frames, count, print_frame, &p);
}

void hy_stack_print(FILE *stream, void *const *frames, size_t count) {
    hy_stack_print_to(hy_line_to_file, stream, frames, count);
}

void hy_stack_print_descriptor(int descriptor, void *const *frames, size_t count) {
    hy_stack_print_to(hy_line_to_descriptor, &descriptor, frames, count);
}

const char *hy_stack_names(void) {
    return hy_source_lines_names();
}
