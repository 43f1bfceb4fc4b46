/* stack_trace.c: walks the stack, and prints what it found.
 *
 * Frame pointers form a linked list on the stack: [fp] is the caller's frame pointer, [fp + 1 word]
 * the address to return to. Code built without them uses the register for whatever it likes, so
 * every value is checked before it is followed: it must lie in the mapping that holds the stack we
 * run on, above the frame before it, and be aligned. The system is asked for that mapping once per
 * thread and again when the thread runs on a stack that is not in it (a fibre, or the main stack after
 * it has grown). Where it can't tell, only the direct caller is known.
 *
 * The full walk needs no frame pointers: the platform's unwinder follows the tables that the compiler wrote
 * for exceptions.
 *
 * Three things keep the library's own frames out of a trace. Whoever captures says in which frame the library
 * was entered, and the walk begins at that one's caller. The shared library knows where its code lies
 * (shared_object.c), and drops the frames of what the call passed through on its way, decorators for example.
 * Linked statically, the library's code lies among the program's, and copies of its headers' inline functions
 * always do: those frames are recognised by the file or the name of their functions when they are looked up.
 *
 * Cost: two loads a frame, in the full walk some 150 ns; the first time in a thread, a question to the
 * system. Source: the platform's ABI.
 */
#include "allocators/core/capture.h"
#include "allocators/core/os.h"
#include "allocators/core/shared_object.h"
#include "allocators/core/source_lines.h"
#include <heapyard/check.h>
#include <heapyard/poison.h>
#include <stdarg.h>
#include <string.h>

#if defined(__has_include)
#if __has_include(<unwind.h>) && !defined(__wasm__)
#include <unwind.h> /* the compiler's: libgcc's, or LLVM's of the same interface */
#define HAS_UNWINDER 1
#endif
#endif
#ifndef HAS_UNWINDER
#define HAS_UNWINDER 0
#endif

#if defined(__x86_64__) || defined(__aarch64__)
#define FRAME_POINTERS_ARE_LINKED 1
#else
#define FRAME_POINTERS_ARE_LINKED 0
#endif

/* A call of a function that never returns may be the last of its caller: one byte before the address to
 * return to is still the call. */
static bool in_shared_library(uintptr_t return_address) {
    const hy_shared_object *own = &hy_own_shared_object;
    return own && return_address - 1 - (uintptr_t)own->begin < (uintptr_t)own->end - (uintptr_t)own->begin;
}

HY_THREAD_LOCAL hy_stack_range hy_stack_known __attribute__((tls_model("initial-exec")));

#if FRAME_POINTERS_ARE_LINKED
/* Asks the system. The mapping may go on behind the stack, with memory that others unmap when they like. But
 * a thread's own variables lie at the upper end of the stack that it was started on, above all its frames. */
HY_COLD static bool find_stack(uintptr_t at) {
    if (!hy_os_mapping_of(at, &hy_stack_known.low, &hy_stack_known.high)) return false;
    uintptr_t own = (uintptr_t)&hy_stack_known;
    if (at < own && own < hy_stack_known.high) hy_stack_known.high = own;
    return true;
}

/* The greatest address at which the stack that `at` lies in still has two words; 0: not known. The system is
 * asked where this is not the stack that the thread was on before. */
HY_INLINE uintptr_t stack_limit(uintptr_t at) {
    bool is_known = HY_LIKELY(hy_stack_known.low <= at && at < hy_stack_known.high) || find_stack(at);
    return is_known ? hy_stack_known.high - 2 * sizeof(uintptr_t) : 0;
}

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
    while (in_shared_library(unsigned_address(frame[1]))) {
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
HY_NO_SANITIZE_ADDRESS static size_t walk_new_stack(const uintptr_t *frame, void **frames, size_t capacity) {
    uintptr_t limit = stack_limit((uintptr_t)frame);
    if (limit != 0) return walk(frame, limit, frames, capacity);
    uintptr_t return_address = unsigned_address(frame[1]);
    if (capacity == 0 || in_shared_library(return_address)) return 0;
    frames[0] = (void *)return_address;
    return 1;
}

/* Under Valgrind always: what code without frame pointers leaves on the stack was perhaps never written,
 * which is no fault of the program's. */
HY_COLD static size_t walk_with_care(const uintptr_t *frame, void **frames, size_t capacity) {
#if HY_VALGRIND
    if (hy_on_valgrind) {
        VALGRIND_DISABLE_ERROR_REPORTING;
        size_t count = walk_new_stack(frame, frames, capacity);
        VALGRIND_ENABLE_ERROR_REPORTING;
        (void)VALGRIND_MAKE_MEM_DEFINED(&count, sizeof count);
        (void)VALGRIND_MAKE_MEM_DEFINED(frames, count * sizeof *frames);
        return count;
    }
#endif
    return walk_new_stack(frame, frames, capacity);
}

HY_NO_SANITIZE_ADDRESS size_t hy_stack_capture_from(const void *entry, void **frames, size_t capacity) {
    const uintptr_t *frame = entry;
    uintptr_t at = (uintptr_t)frame;
    if (HY_LIKELY(hy_stack_known.low <= at && at < hy_stack_known.high && !is_on_valgrind()))
        return walk(frame, hy_stack_known.high - 2 * sizeof *frame, frames, capacity);
    return walk_with_care(frame, frames, capacity);
}
#else
size_t hy_stack_capture_from(const void *entry, void **frames, size_t capacity) {
    return hy_stack_capture_full_from(entry, frames, capacity);
}
#endif

#if HAS_UNWINDER
/* Where the unwinder's frames go. */
typedef struct trace {
    void **frames;
    size_t count, capacity;
    uintptr_t entry; /* of the frame in which the library was entered; its caller's lies above */
    bool outside;    /* a frame of the caller was seen */
} trace;

static _Unwind_Reason_Code take_frame(struct _Unwind_Context *context, void *argument) {
    trace *t = argument;
    uintptr_t return_address = (uintptr_t)_Unwind_GetIP(context);
    if (return_address == 0) return _URC_END_OF_STACK;
    t->outside = t->outside || (_Unwind_GetCFA(context) > t->entry && !in_shared_library(return_address));
    if (!t->outside) return _URC_NO_REASON;
    if (t->count < t->capacity) t->frames[t->count++] = (void *)return_address;
    return t->count < t->capacity ? _URC_NO_REASON : _URC_END_OF_STACK;
}

size_t hy_stack_capture_full_from(const void *entry, void **frames, size_t capacity) {
    trace t = {frames, 0, capacity, (uintptr_t)entry, false};
    _Unwind_Backtrace(take_frame, &t);
    return t.count;
}
#elif FRAME_POINTERS_ARE_LINKED
size_t hy_stack_capture_full_from(const void *entry, void **frames, size_t capacity) {
    return hy_stack_capture_from(entry, frames, capacity);
}
#else
size_t hy_stack_capture_full_from(const void *entry, void **frames, size_t capacity) {
    (void)entry, (void)frames, (void)capacity;
    return 0;
}
#endif

/* Neither may end in a tail call: it would take the frame away that the walk begins at. */
HY_NOINLINE size_t hy_stack_capture(void **frames, size_t capacity) {
    size_t count = hy_stack_capture_from(__builtin_frame_address(0), frames, capacity);
    __asm__ volatile("" ::: "memory");
    return count;
}

HY_NOINLINE size_t hy_stack_capture_full(void **frames, size_t capacity) {
    size_t count = hy_stack_capture_full_from(__builtin_frame_address(0), frames, capacity);
    __asm__ volatile("" ::: "memory");
    return count;
}

/* A frame, and what the object that it lies in says of it. */
typedef struct place {
    hy_frame frame;
    hy_object object;
    uintptr_t call; /* one byte or more before the address to return to, which may belong to the next line */
    bool is_in_object;
} place;

static void look_up(hy_source_lines *lines, void *address, place *p) {
    *p = (place){.frame = {.address = address}, .call = (uintptr_t)address - 1};
    p->is_in_object = hy_object_of(p->call, &p->object);
    if (!p->is_in_object) return;
    p->frame.object = p->object.name;
    p->frame.object_offset = p->call - p->object.base;
    hy_symbol symbol;
    if (hy_source_lines_symbol(lines, &p->object, p->call, &symbol) || hy_object_symbol(p->call, &symbol)) {
        p->frame.function = symbol.name;
        p->frame.function_offset = (uintptr_t)address - symbol.start;
    }
}

static bool is_library(hy_source_lines *lines, void *address) {
    place p;
    look_up(lines, address, &p);
    if (!p.is_in_object) return false;
    hy_unit_owner owner = hy_source_lines_owner(lines, &p.object, p.call);
    if (owner != HY_UNIT_UNKNOWN) return owner == HY_UNIT_LIBRARY;
    return p.frame.function && strncmp(p.frame.function, "hy_", 3) == 0;
}

/* How many frames at the front are the library's; none where all are. */
static size_t count_library(hy_source_lines *lines, void *const *frames, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (!is_library(lines, frames[i])) return i;
    }
    return 0;
}

static size_t resolve(
    hy_source_lines *lines, size_t index, void *address, hy_frame_sink sink, void *context) {
    place p;
    look_up(lines, address, &p);
    p.frame.index = index;
    size_t found =
        p.is_in_object ? hy_source_lines_find(lines, &p.object, p.call, &p.frame, sink, context) : 0;
    if (found > 0) return found;
    sink(context, &p.frame);
    return 1;
}

void hy_stack_resolve(void *const *frames, size_t count, hy_frame_sink sink, void *context) {
    hy_source_lines lines;
    hy_source_lines_begin(&lines);
    size_t index = 0;
    for (size_t i = count_library(&lines, frames, count); i < count; i++)
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
