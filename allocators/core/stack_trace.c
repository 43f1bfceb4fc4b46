/* stack_trace.c: walks the stack, and prints what it found.
 *
 * Frame pointers form a linked list on the stack: [fp] is the caller's frame pointer, [fp + 1 word]
 * the address to return to. Code built without them uses the register for whatever it likes, so
 * every value is checked before it is followed: it must lie in the mapping that holds the stack we
 * run on, above the frame before it, and be aligned. That mapping is read from /proc/self/maps with
 * plain system calls, once per thread and again when the thread runs on a stack that is not in it (a
 * fibre, or the main stack after it has grown). Where the mapping can't be told (no /proc, another
 * system), only the direct caller is known.
 *
 * Cost: two loads a frame; about 20 µs the first time in a thread. Source: the platform's ABI.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <heapyard/stack_trace.h>
#include <stdlib.h>
#include <unistd.h>
#include <unwind.h>

#if defined(__x86_64__) || defined(__aarch64__)
#define FRAME_POINTERS_ARE_LINKED 1
#else
#define FRAME_POINTERS_ARE_LINKED 0
#endif

typedef struct range {
    uintptr_t low, high;
} range;

/* One "low-high perms …" line at a time, whatever pieces read(2) gives it in. */
typedef struct maps_line {
    uintptr_t low, high;
    enum { LOW, HIGH, REST } part;
} maps_line;

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
}

/* Takes the next byte of the file; true at the end of a line, whose range is then in *line. */
static bool maps_take(maps_line *line, char c) {
    if (line->part == LOW && c == '-')
        line->part = HIGH;
    else if (line->part == HIGH && c == ' ')
        line->part = REST;
    else if (line->part == LOW && hex_digit(c) >= 0)
        line->low = line->low << 4 | (unsigned)hex_digit(c);
    else if (line->part == HIGH && hex_digit(c) >= 0)
        line->high = line->high << 4 | (unsigned)hex_digit(c);
    return c == '\n';
}

static bool find_in(int file, uintptr_t address, range *out) {
    char bytes[1024];
    maps_line line = {0};
    ssize_t got;
    while ((got = read(file, bytes, sizeof bytes)) > 0) {
        for (ssize_t i = 0; i < got; i++) {
            if (!maps_take(&line, bytes[i])) continue;
            *out = (range){line.low, line.high};
            if (line.low <= address && address < line.high) return true;
            line = (maps_line){0};
        }
    }
    return false;
}

static HY_COLD bool find_mapping(uintptr_t address, range *out) {
    int errno_before = errno;
    int file = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    range found = {0};
    bool is_found = file >= 0 && find_in(file, address, &found);
    if (file >= 0) close(file);
    if (is_found) *out = found;
    errno = errno_before;
    return is_found;
}

static _Thread_local range known_stack __attribute__((tls_model("initial-exec")));

static bool on_known_stack(uintptr_t address) {
    if (known_stack.low <= address && address < known_stack.high) return true;
    return find_mapping(address, &known_stack);
}

/* Reads words of foreign frames, which the sanitizers would take for overflows of ours. */
#if FRAME_POINTERS_ARE_LINKED
HY_NO_SANITIZE_ADDRESS static size_t walk(const uintptr_t *frame, void **frames, size_t capacity) {
    size_t count = 0;
    while (count < capacity) {
        uintptr_t at = (uintptr_t)frame;
        if (at % sizeof *frame != 0 || at > known_stack.high - 2 * sizeof *frame) break;
        if (frame[1] == 0) break;
        frames[count++] = (void *)frame[1];
        if (frame[0] <= at) break;
        frame = (const uintptr_t *)frame[0];
    }
    return count;
}
#endif

HY_NOINLINE size_t hy_stack_capture(void **frames, size_t capacity) {
#if FRAME_POINTERS_ARE_LINKED
    const uintptr_t *frame = __builtin_frame_address(0);
    if (on_known_stack((uintptr_t)frame)) return walk(frame, frames, capacity);
#endif
    if (capacity == 0) return 0;
    frames[0] = __builtin_return_address(0);
    return 1;
}

typedef struct unwinding {
    void **frames;
    size_t count, capacity;
    bool own_frame_seen;
} unwinding;

static _Unwind_Reason_Code take_frame(struct _Unwind_Context *context, void *argument) {
    unwinding *state = argument;
    void *address = (void *)_Unwind_GetIP(context);
    if (!state->own_frame_seen) {
        state->own_frame_seen = true;
        return _URC_NO_REASON;
    }
    if (!address || state->count == state->capacity) return _URC_END_OF_STACK;
    state->frames[state->count++] = address;
    return _URC_NO_REASON;
}

HY_NOINLINE size_t hy_stack_capture_full(void **frames, size_t capacity) {
    unwinding state = {.frames = frames, .capacity = capacity};
    _Unwind_Backtrace(take_frame, &state);
    return state.count;
}

/* The call is one byte or more before the address to return to, which may belong to the next line. */
static void print_frame(FILE *stream, size_t index, void *address) {
    Dl_info info;
    uintptr_t at = (uintptr_t)address;
    fprintf(stream, "    #%zu %p", index, address);
    if (dladdr((void *)(at - 1), &info) && info.dli_fname) {
        if (info.dli_sname)
            fprintf(stream, " in %s+0x%zx", info.dli_sname, (size_t)(at - (uintptr_t)info.dli_saddr));
        fprintf(stream, " (%s+0x%zx)", info.dli_fname, (size_t)(at - 1 - (uintptr_t)info.dli_fbase));
    }
    fputc('\n', stream);
}

void hy_stack_print(FILE *stream, void *const *frames, size_t count) {
    for (size_t i = 0; i < count; i++)
        print_frame(stream, i, frames[i]);
}
