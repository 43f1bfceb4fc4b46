/* stack_trace.c: walks the stack, and prints what it found.
 *
 * Frame pointers form a linked list on the stack: [fp] is the caller's frame pointer, [fp + 1 word]
 * the address to return to. Code built without them uses the register for whatever it likes, so
 * every value is checked before it is followed: it must lie in the mapping that holds the stack we
 * run on, above the frame before it, and be aligned. The system is asked for that mapping once per
 * thread and again when the thread runs on a stack that is not in it (a fibre, or the main stack after
 * it has grown). Where it can't tell, only the direct caller is known.
 *
 * The library's own code lies in a section of its own (own_section.sh, HY_INLINE), whose ends the linker
 * names; frames in it are dropped from the front. A build that has no such section drops none.
 *
 * Cost: two loads a frame; the first time in a thread, a question to the system. Source: the platform's ABI.
 */
#include "allocators/core/object_symbols.h"
#include "allocators/core/os.h"
#include <dlfcn.h>
#include <heapyard/stack_trace.h>
#include <stdlib.h>
#include <unwind.h>

#if defined(__x86_64__) || defined(__aarch64__)
#define FRAME_POINTERS_ARE_LINKED 1
#else
#define FRAME_POINTERS_ARE_LINKED 0
#endif

typedef struct range {
    uintptr_t low, high;
} range;

static _Thread_local range known_stack __attribute__((tls_model("initial-exec")));

static bool on_known_stack(uintptr_t address) {
    if (known_stack.low <= address && address < known_stack.high) return true;
    return hy_os_mapping_of(address, &known_stack.low, &known_stack.high);
}

extern const char section_begin[] __asm__("__start_hy_code") __attribute__((weak, visibility("hidden")));
extern const char section_end[] __asm__("__stop_hy_code") __attribute__((weak, visibility("hidden")));

/* Where frames go; those of the library are left out until the first that isn't. */
typedef struct trace {
    void **frames;
    size_t count, capacity;
    size_t own; /* frames of the capture itself that are still to come */
    bool outside;
} trace;

/* A call of a function that never returns may be the last of its caller: one byte before the address to
 * return to is still the call. */
static bool in_library(uintptr_t return_address) {
    return return_address - 1 - (uintptr_t)section_begin < (uintptr_t)section_end - (uintptr_t)section_begin;
}

/* False: there is no room for more. */
static bool add_frame(trace *t, uintptr_t return_address) {
    bool is_own = t->own > 0;
    if (is_own) t->own--;
    t->outside = t->outside || (!is_own && !in_library(return_address));
    if (!t->outside) return true;
    if (t->count == t->capacity) return false;
    t->frames[t->count++] = (void *)return_address;
    return true;
}

/* Reads words of foreign frames, which the sanitizers would take for overflows of ours. */
#if FRAME_POINTERS_ARE_LINKED
HY_NO_SANITIZE_ADDRESS static void walk(trace *t, const uintptr_t *frame) {
    for (;;) {
        uintptr_t at = (uintptr_t)frame;
        if (at % sizeof *frame != 0 || at > known_stack.high - 2 * sizeof *frame) return;
        if (frame[1] == 0 || !add_frame(t, frame[1])) return;
        if (frame[0] <= at) return;
        frame = (const uintptr_t *)frame[0];
    }
}
#endif

HY_NOINLINE size_t hy_stack_capture(void **frames, size_t capacity) {
    trace t = {frames, 0, capacity, 0, false};
#if FRAME_POINTERS_ARE_LINKED
    const uintptr_t *frame = __builtin_frame_address(0);
    if (on_known_stack((uintptr_t)frame)) {
        walk(&t, frame);
        return t.count;
    }
#endif
    add_frame(&t, (uintptr_t)__builtin_return_address(0));
    return t.count;
}

static _Unwind_Reason_Code take_frame(struct _Unwind_Context *context, void *argument) {
    trace *t = argument;
    uintptr_t address = (uintptr_t)_Unwind_GetIP(context);
    return address && add_frame(t, address) ? _URC_NO_REASON : _URC_END_OF_STACK;
}

HY_NOINLINE size_t hy_stack_capture_full(void **frames, size_t capacity) {
    trace t = {frames, 0, capacity, 1, false};
    _Unwind_Backtrace(take_frame, &t);
    return t.count;
}

/* The call is one byte or more before the address to return to, which may belong to the next line. */
static void print_frame(FILE *stream, size_t index, void *address) {
    Dl_info info;
    uintptr_t call = (uintptr_t)address - 1;
    fprintf(stream, "    #%zu %p", index, address);
    if (dladdr((void *)call, &info) && info.dli_fname) {
        char name[128];
        uintptr_t start = (uintptr_t)info.dli_saddr, base = (uintptr_t)info.dli_fbase;
        snprintf(name, sizeof name, "%s", info.dli_sname ? info.dli_sname : "");
        (void)hy_object_symbol(hy_object_path(info.dli_fname, base), base, call, name, sizeof name, &start);
        if (name[0]) fprintf(stream, " in %s+0x%zx", name, (size_t)((uintptr_t)address - start));
        fprintf(stream, " (%s+0x%zx)", info.dli_fname, (size_t)(call - base));
    }
    fputc('\n', stream);
}

void hy_stack_print(FILE *stream, void *const *frames, size_t count) {
    for (size_t i = 0; i < count; i++)
        print_frame(stream, i, frames[i]);
}
