/* minimise.c: attempts in forked processes, and the ways to make a case smaller. */
#include "fuzz/minimise.h"

#include "fuzz/interpreter.h"
#include <heapyard/libc.h>
#include <heapyard/typed.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define OUTPUT_MAX ((size_t)1 << 18)
#define TRY_SECONDS 10

/* What tells a bug, and how many more words and colons belong to its kind. */
static const struct {
    const char *mark;
    char until; /* the kind ends before the next of these behind the mark; 0: at the mark itself */
} marks[] = {{"finding: ", ':'}, {"ERROR: AddressSanitizer: ", ' '},
    {"ERROR: UndefinedBehaviorSanitizer: ", ' '}, {"AddressSanitizer: CHECK failed: ", ' '},
    {"runtime error: ", 0}, {"heapyard: ", ':'}, {"fatal: ", '\n'}};

static void copy_text(char *target, size_t target_bytes, const char *from, size_t length) {
    size_t kept = length < target_bytes - 1 ? length : target_bytes - 1;
    memcpy(target, from, kept);
    target[kept] = '\0';
}

/* The line of the output that tells what happened, and its kind. */
static bool read_output(char *output, hy_verdict *verdict) {
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
        char *at = strstr(output, marks[i].mark);
        if (!at) continue;
        char *start = at;
        while (start > output && start[-1] != '\n')
            start--;
        size_t line = strcspn(start, "\n"), mark = strlen(marks[i].mark);
        copy_text(verdict->line, sizeof verdict->line, start, line);
        verdict->before = output;
        verdict->before_size = (size_t)(start - output);
        const char *key = marks[i].until ? at : start;
        size_t key_length = marks[i].until ? mark + strcspn(at + mark, (char[]){marks[i].until, '\n', '\0'})
                                           : (size_t)(at - start);
        copy_text(verdict->key, sizeof verdict->key, key, key_length);
        const char *step = strstr(verdict->line, "operation ");
        if (step) verdict->step = strtoull(step + strlen("operation "), NULL, 10);
        return true;
    }
    return false;
}

static void read_status(int status, hy_verdict *verdict) {
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
        snprintf(verdict->key, sizeof verdict->key, "timeout");
    else if (WIFSIGNALED(status))
        snprintf(verdict->key, sizeof verdict->key, "signal %d (%s)", WTERMSIG(status),
            strsignal(WTERMSIG(status)));
    else if (WEXITSTATUS(status) != 0)
        snprintf(verdict->key, sizeof verdict->key, "exit %d", WEXITSTATUS(status));
    copy_text(verdict->line, sizeof verdict->line, verdict->key, strlen(verdict->key));
}

HY_NORETURN static void run_body(
    int error_file, unsigned seconds, void (*body)(const void *), const void *argument) {
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    dup2(error_file, STDERR_FILENO);
    alarm(seconds);
    body(argument);
    _exit(0);
}

void hy_verdict_of(
    void (*body)(const void *argument), const void *argument, unsigned seconds, hy_verdict *verdict) {
    static char output[OUTPUT_MAX];
    int ends[2], status = 0;
    *verdict = (hy_verdict){.step = SIZE_MAX};
    fflush(NULL);
    if (pipe(ends) != 0) abort();
    pid_t process = fork();
    if (process < 0) abort();
    if (process == 0) run_body(ends[1], seconds, body, argument);
    close(ends[1]);
    size_t filled = 0;
    for (ssize_t got; (got = read(ends[0], output + filled, sizeof output - 1 - filled)) > 0;) {
        filled += (size_t)got;
        if (filled == sizeof output - 1) break;
    }
    close(ends[0]);
    output[filled] = '\0';
    waitpid(process, &status, 0);
    if (status == 0 || read_output(output, verdict)) return;
    read_status(status, verdict);
    verdict->before = output;
    verdict->before_size = filled;
}

static void run_case(const void *argument) {
    const hy_case *tried = argument;
    (tried->interpret ? tried->interpret : hy_interpret)(tried->row, &tried->header, &tried->history);
}

void hy_case_try(const hy_case *tried, hy_verdict *verdict) {
    hy_verdict_of(run_case, tried, TRY_SECONDS, verdict);
    if (verdict->step == SIZE_MAX) verdict->step = tried->history.count;
}

typedef struct search {
    hy_case *best;
    hy_verdict *verdict;
    hy_op *spare; /* room for one history */
    size_t attempts;
} search;

/* Whether the candidate, whose operations are in `spare`, fails alike; it is then the best. */
static bool takes(search *state, size_t count, const hy_bytes_header *header) {
    if (state->attempts == 0) return false;
    state->attempts--;
    hy_case candidate = *state->best;
    candidate.header = *header;
    candidate.history.ops = state->spare;
    candidate.history.count = count;
    hy_verdict verdict;
    hy_case_try(&candidate, &verdict);
    if (strcmp(verdict.key, state->verdict->key) != 0) return false;
    *state->verdict = verdict;
    state->best->header = *header;
    state->best->history.count = count;
    memcpy(state->best->history.ops, state->spare, count * sizeof(hy_op));
    return true;
}

static void copy_best(search *state) {
    memcpy(state->spare, state->best->history.ops, state->best->history.count * sizeof(hy_op));
}

/* Without what stands behind the operation that a finding names. */
static void cut_tail(search *state) {
    size_t wanted = state->verdict->step + 1;
    if (wanted >= state->best->history.count) return;
    copy_best(state);
    takes(state, wanted, &state->best->header);
}

/* Without `length` operations, everywhere. True where something went. */
static bool drop_runs(search *state, size_t length) {
    bool dropped = false;
    size_t end = state->best->history.count;
    while (end >= length && end > 0) {
        hy_history *best = &state->best->history;
        size_t start = end - length;
        memcpy(state->spare, best->ops, start * sizeof(hy_op));
        memcpy(state->spare + start, best->ops + end, (best->count - end) * sizeof(hy_op));
        if (takes(state, best->count - length, &state->best->header)) dropped = true;
        end -= end > length ? length : end;
        if (end > best->count) end = best->count;
    }
    return dropped;
}

static void drop(search *state) {
    for (size_t length = state->best->history.count / 2; length > 1; length /= 2)
        drop_runs(state, length);
    while (drop_runs(state, 1) && state->attempts > 0)
        continue;
}

static bool has_slot(hy_op op) {
    return op.kind != HY_OP_RESET && op.kind != HY_OP_CHECK && op.kind != HY_OP_SPECIAL;
}

/* An allocation and everything that is done with its block. */
static void drop_blocks(search *state) {
    for (size_t i = 0; i < state->best->history.count; i++) {
        hy_op *ops = state->best->history.ops;
        size_t count = 0;
        bool gone = false;
        if (ops[i].kind != HY_OP_ALLOC) continue;
        for (size_t j = 0; j < state->best->history.count; j++) {
            bool of_slot = j >= i && !gone && ops[j].slot == ops[i].slot && has_slot(ops[j]);
            if (of_slot && ops[j].kind == HY_OP_FREE) gone = true;
            if (!of_slot) state->spare[count++] = ops[j];
        }
        if (takes(state, count, &state->best->header)) i--;
    }
}

static bool try_op(search *state, size_t i, hy_op op) {
    copy_best(state);
    state->spare[i] = op;
    return takes(state, state->best->history.count, &state->best->header);
}

/* Whether a lesser number is simpler: not where it is a distance from what is left. */
static bool has_size(hy_op op) {
    bool sized = op.kind == HY_OP_ALLOC || op.kind == HY_OP_REALLOC || op.kind == HY_OP_RESIZE ||
                 op.kind == HY_OP_REMAP || op.kind == HY_OP_SPECIAL;
    return sized && !(op.flags & HY_OP_OF_ROOM);
}

static void shrink_size(search *state, size_t i) {
    static const uint64_t rounds[] = {1, 8, 16, 64};
    for (size_t r = 0; r < sizeof rounds / sizeof rounds[0]; r++) {
        hy_op op = state->best->history.ops[i];
        if (rounds[r] >= op.size) break;
        op.size = rounds[r];
        if (try_op(state, i, op)) return;
    }
    for (uint64_t less = state->best->history.ops[i].size / 2; less > 0; less /= 2) {
        hy_op op = state->best->history.ops[i];
        if (op.size <= less) continue;
        op.size -= less;
        try_op(state, i, op);
    }
}

static void plain_align(search *state, size_t i) {
    static const uint8_t plain[] = {3, 0, 4, 6};
    for (size_t p = 0; p < sizeof plain; p++) {
        hy_op op = state->best->history.ops[i];
        if (op.align_log2 == plain[p]) return;
        op.align_log2 = plain[p];
        if (try_op(state, i, op)) return;
    }
}

static void simplify_operations(search *state) {
    for (size_t i = 0; i < state->best->history.count && state->attempts > 0; i++) {
        hy_op op = state->best->history.ops[i];
        if (op.kind == HY_OP_ALLOC && op.flags & HY_OP_ZEROED) {
            op.flags &= HY_OP_OF_ROOM;
            try_op(state, i, op);
        }
        if (has_size(op)) shrink_size(state, i);
        if (op.kind == HY_OP_ALLOC) plain_align(state, i);
    }
}

/* What is done with one block is done with a block before it. */
static void merge_slots(search *state) {
    for (size_t i = 0; i < state->best->history.count; i++) {
        for (size_t j = 0; j < i && state->attempts > 0; j++) {
            hy_op op = state->best->history.ops[i];
            uint32_t other = state->best->history.ops[j].slot;
            if (op.slot <= other || !has_slot(op) || !has_slot(state->best->history.ops[j])) continue;
            op.slot = other;
            if (try_op(state, i, op)) break;
        }
    }
}

static void plain_header(search *state) {
    hy_bytes_header plain = state->best->header;
    plain.faults.grows = plain.faults.moves = plain.faults.once = false;
    plain.faults.alloc_refusal = plain.faults.resize_refusal = plain.faults.remap_refusal = HY_BYTES_NEVER;
    plain.shape = 0;
    plain.options = 0;
    copy_best(state);
    size_t count = state->best->history.count;
    if (takes(state, count, &plain)) return;
    hy_bytes_header tried = state->best->header;
    tried.faults = plain.faults;
    takes(state, count, &tried);
    tried = state->best->header;
    tried.options = 0;
    takes(state, count, &tried);
    for (unsigned bit = 0; bit < 16; bit++) {
        tried = state->best->header;
        tried.options &= (uint16_t) ~(1u << bit);
        if (tried.options != state->best->header.options) takes(state, count, &tried);
    }
    tried = state->best->header;
    tried.faults.alloc_refusal = HY_BYTES_NEVER;
    takes(state, count, &tried);
    tried = state->best->header;
    tried.faults.resize_refusal = tried.faults.remap_refusal = HY_BYTES_NEVER;
    takes(state, count, &tried);
}

void hy_case_minimise(hy_case *failing, hy_verdict *verdict, size_t attempts) {
    size_t room = failing->history.count;
    search state = {failing, verdict, hy_alloc_n(hy_libc(), hy_op, room + 1), attempts};
    if (!state.spare) abort();
    cut_tail(&state);
    drop(&state);
    plain_header(&state);
    drop_blocks(&state);
    simplify_operations(&state);
    merge_slots(&state);
    drop(&state);
    hy_free_n(hy_libc(), state.spare, room + 1);
}
