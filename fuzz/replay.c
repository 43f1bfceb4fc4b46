/* replay.c: the commands of the replayer. */
#include "fuzz/replay.h"

#include "allocators/history/print_c.h"
#include "allocators/peers/preloaded.h"
#include "fuzz/finding.h"
#include "fuzz/inputs.h"
#include "fuzz/interpreter.h"
#include "fuzz/minimise.h"
#include "fuzz/minimise_records.h"
#include "fuzz/oracles.h"
#include "fuzz/print_run.h"
#include "fuzz/properties/history_run.h"
#include "fuzz/seed.h"
#include "fuzz/target.h"
#include <heapyard/libc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

enum { GOOD = 0, HARNESS = 1, USAGE = 2, FOUND = 3, NOTHING = 5 };

#define RUN_SECONDS 300
#define MINIMISE_ATTEMPTS 6000
#define REFUSALS_MAX 120
#define SELDOM_ROUNDS 10000 /* of what fails by chance */
#define KEEPING_ROUNDS 1000 /* of what fails when much is live */

/* The command line: options, and what is no option. */
typedef struct arguments {
    const char *row;
    const char *property;
    const char *c;
    const char *seed;
    unsigned seconds;
    bool refusals;
    int path_count;
    char **paths; /* written over the command line's first words */
} arguments;

static int usage(const char *what, const char *word) {
    fprintf(stderr, "heapyard-replay: %s %s\n", what, word);
    return USAGE;
}

static bool take(const char *argument, const char *name, const char **value) {
    size_t length = strlen(name);
    if (strncmp(argument, name, length) != 0) return false;
    *value = argument + length;
    return true;
}

static int parse(int argc, char **argv, arguments *out) {
    *out = (arguments){.property = "conform", .seconds = 5, .paths = argv};
    if (!hy_target_choose_oracles(NULL)) return USAGE;
    for (int i = 2; i < argc; i++) {
        const char *seconds = NULL, *plugin = NULL, *oracles = NULL, *preload = NULL, *known = NULL;
        if (take(argv[i], "--row=", &out->row) || take(argv[i], "--property=", &out->property)) continue;
        if (take(argv[i], "--c=", &out->c) || take(argv[i], "--seed=", &out->seed)) continue;
        if (take(argv[i], "--plugin=", &plugin)) {
            if (!hy_target_load_plugin(plugin)) return USAGE;
        } else if (take(argv[i], "--preload=", &preload)) {
            if (!hy_target_load_preload(preload)) return USAGE;
        } else if (take(argv[i], "--known=", &known)) {
            if (!hy_target_read_known(known)) return USAGE;
        } else if (take(argv[i], "--oracles=", &oracles)) {
            if (!hy_target_choose_oracles(oracles)) return USAGE;
        } else if (take(argv[i], "--seconds=", &seconds))
            out->seconds = (unsigned)strtoul(seconds, NULL, 10);
        else if (strcmp(argv[i], "--refusals") == 0)
            out->refusals = true;
        else if (strncmp(argv[i], "--", 2) == 0)
            return usage("no option", argv[i]);
        else
            out->paths[out->path_count++] = argv[i];
    }
    return GOOD;
}

static int read_inputs(const arguments *given, hy_inputs *inputs) {
    for (int i = 0; i < given->path_count; i++) {
        if (!hy_inputs_add(inputs, given->paths[i])) return USAGE;
    }
    return inputs->count ? GOOD
                         : usage("no input in", given->path_count ? given->paths[0] : "the command line");
}

static int choose(const arguments *given, hy_target *target) {
    char error[256];
    if (hy_target_choose(target, given->property, given->row, error, sizeof error)) return GOOD;
    fprintf(stderr, "heapyard-replay: %s\n", error);
    return USAGE;
}

/* With plugins, what they bring and nothing else. */
static int list(void) {
    const hy_row *row;
    for (size_t i = 0; (row = hy_target_chosen(i)) != NULL; i++) {
        printf("row\t%s\t%s\t%s\n", row->name, hy_group_name(row->group), row->missing ? row->missing : "");
    }
    size_t count;
    const hy_property *const *properties = hy_properties(&count);
    for (size_t i = 0; i < count; i++) {
        const hy_property *property = properties[i];
        printf("property\t%s\t%s\t%s\n", property->name,
            property->must_fail   ? "must_fail"
            : property->over_rows ? "rows"
                                  : "once",
            property->summary);
        if (property->skips_known) printf("skips_known\t%s\n", property->name);
        if (!property->over_rows) continue;
        for (size_t r = 0; (row = hy_target_chosen(r)) != NULL; r++) {
            if (property->applies(row)) printf("cell\t%s\t%s\n", property->name, row->name);
        }
    }
    const hy_oracle *const *oracles = hy_oracles(&count);
    for (size_t i = 0; i < count; i++)
        printf("oracle\t%s\t%s\n", oracles[i]->name, oracles[i]->summary);
    return GOOD;
}

/* One row's run over all inputs, in a process of its own; the progress is shared with its parent. */
typedef struct progress {
    size_t input;
    size_t refusal; /* the allocation that the child refuses, from 1; 0: none */
    hy_fuzz_counts counts;
} progress;

typedef struct session {
    hy_target target;
    const hy_inputs *inputs;
    bool refusals;
    progress *shared;
} session;

/* The input again, with the child refusing its n-th allocation, once and from then on. */
static void run_refusals(const session *state, const hy_input *input) {
    hy_bytes_header header;
    const hy_row *row = state->target.property->history_row(state->target.row);
    const hy_history *history = hy_history_of(row, input->bytes, input->size, &header);
    size_t (*interpret)(const hy_row *, const hy_bytes_header *, const hy_history *) =
        state->target.property->interpret ? state->target.property->interpret : hy_interpret;
    size_t calls = hy_interpreter_child()->counts.alloc_calls;
    for (size_t n = 0; n < calls && n < REFUSALS_MAX; n++) {
        state->shared->refusal = n + 1;
        header.faults.alloc_refusal = (uint16_t)n;
        for (int once = 0; once < 2; once++) {
            header.faults.once = once;
            state->shared->counts.executions++;
            state->shared->counts.operations += interpret(row, &header, history);
        }
    }
    state->shared->refusal = 0;
}

static void run_inputs(const void *argument) {
    session state = *(const session *)argument;
    state.target.counts = &state.shared->counts;
    for (size_t i = 0; i < state.inputs->count; i++) {
        state.shared->input = i;
        hy_target_run(&state.target, state.inputs->items[i].bytes, state.inputs->items[i].size);
        if (state.refusals && state.target.property->history_row)
            run_refusals(&state, &state.inputs->items[i]);
    }
}

static progress *share_progress(void) {
    void *at = mmap(NULL, sizeof(progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) abort();
    return at;
}

/* Runs one row; true where nothing was found. */
static bool run_row(session *state) {
    hy_verdict verdict;
    hy_verdict_of(run_inputs, state, RUN_SECONDS, &verdict);
    if (!verdict.key[0]) return true;
    printf("FOUND %s on %s in %s", state->target.property->name,
        state->target.row ? state->target.row->name : "-", state->inputs->items[state->shared->input].path);
    if (state->shared->refusal) printf(" with allocation %zu refused", state->shared->refusal);
    printf("\n  %s\n", verdict.line);
    return false;
}

static size_t run_all_rows(session *state, const hy_property *property) {
    size_t found = 0;
    state->target = (hy_target){.property = property};
    for (size_t i = 0; (state->target.row = hy_target_chosen(i)) != NULL; i++) {
        if (property->applies(state->target.row)) found += !run_row(state);
    }
    return found;
}

static int run(const arguments *given) {
    hy_inputs inputs = {0};
    session state = {.inputs = &inputs, .refusals = given->refusals, .shared = share_progress()};
    const hy_property *property = hy_property_find(given->property);
    if (!property) return usage("no property", given->property);
    int status = read_inputs(given, &inputs);
    size_t found = 0;
    if (status == GOOD && (given->row || !property->over_rows)) {
        status = choose(given, &state.target);
        if (status == GOOD) found = !run_row(&state);
    } else if (status == GOOD) {
        found = run_all_rows(&state, property);
    }
    hy_inputs_free(&inputs);
    if (status != GOOD) return status;
    const hy_fuzz_counts *counts = &state.shared->counts;
    printf("executions %ju, operations %ju, findings %zu\n", (uintmax_t)counts->executions,
        (uintmax_t)counts->operations, found);
    return found ? FOUND : counts->executions ? GOOD : NOTHING;
}

/* Processor time, so that what else the machine does is not counted. */
static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static int speed(const arguments *given) {
    hy_inputs inputs = {0};
    hy_target target;
    int status = choose(given, &target);
    if (status == GOOD) status = read_inputs(given, &inputs);
    if (status != GOOD) return status;
    double start = now(), elapsed = 0;
    while ((elapsed = now() - start) < given->seconds) {
        for (size_t i = 0; i < inputs.count; i++)
            hy_target_run(&target, inputs.items[i].bytes, inputs.items[i].size);
    }
    hy_inputs_free(&inputs);
    printf("%s: %.0f executions and %.0f operations a second of processor time\n",
        target.row ? target.row->name : "-", (double)target.counts->executions / elapsed,
        (double)target.counts->operations / elapsed);
    return GOOD;
}

/* What a finding's line claims, for the program that reproduces it. */
static void read_claim(const hy_verdict *verdict, hy_print_job *job) {
    job->step = verdict->step;
    if (strncmp(verdict->key, "finding: liveness", 17) == 0) job->claim = HY_PRINT_MUST;
    if (strstr(verdict->line, "was served") || strstr(verdict->line, "were served"))
        job->claim = HY_PRINT_MUST_NOT;
    if (strstr(verdict->line, "newest block was freed")) job->claim = HY_PRINT_NEWEST;
    if (strncmp(verdict->key, "finding: footprint", 18) != 0) return;
    job->claim = HY_PRINT_FOOTPRINT;
    job->bytes = strtoull(verdict->line + strlen("finding: footprint: "), NULL, 10);
}

static bool write_c(
    const char *path, const hy_case *failing, const char *row_source, const hy_verdict *verdict) {
    hy_print_job job = {
        .row = failing->row,
        .row_source = row_source,
        .config = hy_interpreter_config(failing->row, &failing->header),
        .faults = failing->header.faults,
        .history = &failing->history,
        .finding = verdict->line,
    };
    read_claim(verdict, &job);
    FILE *out = path ? fopen(path, "we") : stdout;
    bool good = out && hy_print_c(out, &job);
    if (path && out) good = fclose(out) == 0 && good;
    return good;
}

/* A program of the yard's own, where more is done than to call the row. */
static bool write_run(
    const char *path, const hy_case *failing, const hy_target *target, const hy_verdict *verdict) {
    const hy_run_program program = {
        target->property, target->row, &failing->header, &failing->history, verdict->line};
    FILE *out = path ? fopen(path, "we") : stdout;
    bool good = out && hy_run_program_print(out, &program);
    if (path && out) good = fclose(out) == 0 && good;
    return good;
}

static bool write_seed(const char *path, const hy_case *failing, const hy_verdict *verdict) {
    FILE *out = fopen(path, "we");
    if (!out) return false;
    hy_bytes_bounds bounds = hy_interpreter_bounds(failing->row, &failing->header);
    fprintf(out, "# %s\n", verdict->line);
    hy_seed_print(out, &failing->header, &bounds, &failing->history);
    return fclose(out) == 0;
}

static int minimise_case(const arguments *given, const hy_target *target, const hy_input *input) {
    hy_case failing = {
        .row = target->property->history_row(target->row), .interpret = target->property->interpret};
    hy_history_init(&failing.history, hy_libc());
    const hy_history *decoded = hy_history_of(failing.row, input->bytes, input->size, &failing.header);
    for (size_t i = 0; i < decoded->count; i++) {
        if (!hy_history_append(&failing.history, decoded->ops[i])) abort();
    }
    hy_verdict verdict;
    hy_case_try(&failing, &verdict);
    if (!verdict.key[0]) {
        fprintf(stderr, "heapyard-replay: %s: no finding on %s\n", input->path, failing.row->name);
        hy_history_deinit(&failing.history);
        return GOOD;
    }
    size_t before = failing.history.count;
    hy_case_minimise(&failing, &verdict, MINIMISE_ATTEMPTS);
    fprintf(stderr, "%s\n%zu operations of %zu show it\n", verdict.line, failing.history.count, before);
    bool judged = hy_run_program_is_needed(&verdict) && target->row && !target->row->origin;
    bool written = judged || hy_run_program_is_for(target->property, target->row)
                       ? write_run(given->c, &failing, target, &verdict)
                       : write_c(given->c, &failing, target->property->row_source, &verdict);
    if (given->seed) written = write_seed(given->seed, &failing, &verdict) && written;
    hy_history_deinit(&failing.history);
    if (!written) fprintf(stderr, "heapyard-replay: can't write the reproducer\n");
    return written ? FOUND : HARNESS;
}

/* The program, or the words for one, that a property prints before its finding; where it prints several,
 * between form feeds, it is the last. NULL: it prints none. */
static const char *find_own_c(const hy_verdict *verdict, size_t *size) {
    const char *start = verdict->before, *end = start ? memrchr(start, '\f', verdict->before_size) : NULL;
    *size = end ? (size_t)(end - start) : verdict->before_size;
    const char *before = end ? memrchr(start, '\f', *size) : NULL;
    if (before) {
        *size -= (size_t)(before + 1 - start);
        start = before + 1;
    }
    bool is_comment = *size > 2 && start[0] == '/' && (start[1] == '*' || start[1] == '/');
    return is_comment ? start : NULL;
}

/* That one, or, of bytes of which the property knows no records, one that hands them to the property. */
static bool write_c_of_bytes(const char *path, const hy_record_case *failing, const hy_verdict *verdict) {
    const hy_target *target = failing->target;
    size_t size;
    const char *own = find_own_c(verdict, &size);
    bool is_bytes = !target->property->record && !target->property->record_bytes;
    if (!own && (!is_bytes || (target->row && target->row->origin))) return true;
    FILE *out = path ? fopen(path, "we") : stdout;
    bool written =
        out && (own ? fwrite(own, 1, size, out) == size
                    : hy_bytes_program_print(out, target, failing->bytes, failing->size, verdict->line));
    if (path && out) written = fclose(out) == 0 && written;
    return written;
}

static bool write_records(const char *path, const hy_record_case *failing, const hy_verdict *verdict) {
    FILE *out = fopen(path, "we");
    bool written = out && hy_record_case_print(out, failing, verdict);
    if (out) written = fclose(out) == 0 && written;
    return written;
}

static bool can_be_repeated(const hy_record_case *failing) {
    return failing->target->property->skips_known && failing->size <= HY_FUZZ_INPUT_MAX;
}

static int minimise_records(const arguments *given, const hy_target *target, const hy_input *input) {
    hy_record_case failing = {target, input->bytes, input->size};
    size_t before = hy_record_case_count(&failing);
    hy_verdict verdict;
    hy_record_case_try(&failing, false, &verdict);
    for (int keeps = 0; keeps < 2 && !verdict.key[0] && can_be_repeated(&failing); keeps++) {
        hy_fuzz_rounds = keeps ? KEEPING_ROUNDS : SELDOM_ROUNDS;
        hy_fuzz_keeps_blocks = keeps;
        hy_record_case_try(&failing, false, &verdict);
    }
    if (!verdict.key[0]) {
        fprintf(stderr, "heapyard-replay: %s: no finding on %s\n", input->path,
            target->row ? target->row->name : "-");
        return GOOD;
    }
    hy_record_case_minimise(&failing, &verdict, MINIMISE_ATTEMPTS);
    hy_record_case_try(&failing, true, &verdict);
    const hy_property *property = target->property;
    fprintf(stderr, "%s\n%zu %s of %zu show it\n", verdict.line, hy_record_case_count(&failing),
        property->record || property->record_bytes ? "records" : "bytes", before);
    bool written = write_c_of_bytes(given->c, &failing, &verdict);
    if (given->seed) written = write_records(given->seed, &failing, &verdict) && written;
    if (!written) fprintf(stderr, "heapyard-replay: can't write the reproducer\n");
    return written ? FOUND : HARNESS;
}

static int minimise(const arguments *given) {
    hy_inputs inputs = {0};
    session state = {.inputs = &inputs};
    int status = choose(given, &state.target);
    if (status == GOOD) status = read_inputs(given, &inputs);
    if (status == GOOD && inputs.count != 1)
        status = usage("one input is minimised, not a folder:", given->paths[0]);
    if (status == GOOD && state.target.property->history_row) {
        status = minimise_case(given, &state.target, &inputs.items[0]);
    } else if (status == GOOD) {
        status = minimise_records(given, &state.target, &inputs.items[0]);
    }
    hy_inputs_free(&inputs);
    return status;
}

static int assemble_one(char *const pair[2]) {
    hy_inputs inputs = {0};
    if (!hy_inputs_add(&inputs, pair[0])) return USAGE;
    FILE *out = inputs.count == 1 ? fopen(pair[1], "wbe") : NULL;
    bool written = out && fwrite(inputs.items[0].bytes, 1, inputs.items[0].size, out) == inputs.items[0].size;
    if (out) written = fclose(out) == 0 && written;
    hy_inputs_free(&inputs);
    if (!written) perror(pair[1]);
    return written ? GOOD : HARNESS;
}

static int assemble(const arguments *given) {
    if (given->path_count == 0 || given->path_count % 2 != 0)
        return usage("assemble takes SEED.txt and", "OUTPUT, as many pairs as there are");
    int status = GOOD;
    for (int i = 0; i < given->path_count && status == GOOD; i += 2)
        status = assemble_one(&given->paths[i]);
    return status;
}

static int disassemble(const arguments *given) {
    hy_inputs inputs = {0};
    int status = read_inputs(given, &inputs);
    const hy_row *row = hy_target_row(given->row ? given->row : "libc");
    if (status == GOOD && !row) status = usage("no allocator", given->row);
    for (size_t i = 0; status == GOOD && i < inputs.count; i++) {
        hy_bytes_header header;
        const hy_history *history = hy_history_of(row, inputs.items[i].bytes, inputs.items[i].size, &header);
        printf("# %s\n", inputs.items[i].path);
        hy_bytes_bounds bounds = hy_interpreter_bounds(row, &header);
        hy_seed_print(stdout, &header, &bounds, history);
    }
    hy_inputs_free(&inputs);
    return status;
}

static int help(void) {
    puts(
        "heapyard-replay list\n"
        "heapyard-replay run [--row=R] [--property=P] [--refusals] INPUT...\n"
        "heapyard-replay minimise [--row=R] [--property=P] [--c=FILE] [--seed=FILE] INPUT\n"
        "heapyard-replay assemble SEED.txt OUTPUT [SEED.txt OUTPUT]...\n"
        "heapyard-replay disassemble [--row=R] INPUT\n"
        "heapyard-replay speed [--row=R] [--property=P] [--seconds=N] INPUT...\n"
        "heapyard-fuzz takes all these words too; without a command it fuzzes --row=R --property=P\n"
        "\n"
        "  --plugin=LABEL=PATH   rows of this library, as NAME@LABEL\n"
        "  --preload=NAME=PATH   any malloc library: the program runs on it, and its rows are the only ones\n"
        "  --known=FILE          findings, a line each; of these kinds none is told again (posix_library)\n"
        "  --oracles=A,B         only these look; --oracles=-A: all but this one (HEAPYARD_ORACLES "
        "likewise):");
    size_t count;
    const hy_oracle *const *oracles = hy_oracles(&count);
    for (size_t i = 0; i < count; i++)
        printf("      %-12s %s\n", oracles[i]->name, oracles[i]->summary);
    puts("\nexit codes: 0 good, 1 the harness failed, 2 usage, 3 a finding, 5 nothing ran");
    return GOOD;
}

static const char *const commands[] = {"list", "run", "minimise", "assemble", "disassemble", "speed"};

bool hy_replay_is_command(const char *word) {
    if (strcmp(word, "--help") == 0) return true;
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(word, commands[i]) == 0) return true;
    }
    return false;
}

int hy_replay(int argc, char **argv) {
    arguments given;
    (void)hy_preloaded_reexec(argv);
    if (argc < 2 || !hy_replay_is_command(argv[1])) {
        return usage("a command is one of list, run, minimise, assemble, disassemble, speed, not",
            argc < 2 ? "nothing" : argv[1]);
    }
    const char *command = argv[1];
    if (strcmp(command, "--help") == 0) return help();
    int status = parse(argc, argv, &given);
    if (status != GOOD) return status;
    if (strcmp(command, "list") == 0) return list();
    if (strcmp(command, "run") == 0) return run(&given);
    if (strcmp(command, "minimise") == 0) return minimise(&given);
    if (strcmp(command, "assemble") == 0) return assemble(&given);
    if (strcmp(command, "disassemble") == 0) return disassemble(&given);
    return speed(&given);
}
