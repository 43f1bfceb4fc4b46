/* failing_row.c: how the yards know failing. */
#include <heapyard/failing.h>
#include <heapyard/libc.h>
#include <heapyard/null.h>
#include <heapyard/plugin.h>
#include <heapyard/sweep.h>
#include <heapyard/typed.h>
#include <stdio.h>

/* Options of the row: bits 0-6 n: the nth allocation fails, 0 none; bits 8-14 likewise for resizes; bit 7:
 * only that one; bit 15: any, with a probability of a quarter. */
static hy_failing_options options_of(uint32_t bits) {
    unsigned alloc = bits & 0x7F, resize = bits >> 8 & 0x7F;
    return (hy_failing_options){
        .fail_alloc_at = alloc ? alloc - 1 : HY_FAILING_NEVER,
        .fail_resize_at = resize ? resize - 1 : HY_FAILING_NEVER,
        .once = bits >> 7 & 1,
        .probability = bits >> 15 & 1 ? 0.25 : 0.0,
        .seed = bits,
    };
}

static void *make(const hy_row *row, const hy_config *config, hy_allocator *out) {
    (void)row;
    hy_failing *failing = hy_create(hy_libc(), hy_failing);
    if (!failing) return NULL;
    hy_failing_options options = options_of(config->options);
    hy_failing_init(failing, config->child, &options);
    *out = hy_failing_allocator(failing);
    return failing;
}

static void destroy(const hy_row *row, void *instance) {
    (void)row;
    hy_destroy(hy_libc(), (hy_failing *)instance);
}

/* Whether stacks can be captured in this build. */
static bool captures(void) {
    void *frame;
    return hy_stack_capture(&frame, 1) == 1;
}

static bool check(void *instance) {
    const hy_failing *failing = instance;
    return failing->freed_bytes <= failing->allocated_bytes && failing->free_count <= failing->alloc_index &&
           failing->induced_count <= failing->alloc_index + failing->resize_index &&
           failing->frame_count <= HY_FAILING_FRAMES &&
           (failing->induced_count == 0 || failing->frame_count > 0 || !captures());
}

static bool stats(void *instance, hy_stats *out) {
    const hy_failing *failing = instance;
    size_t live = (size_t)(failing->allocated_bytes - failing->freed_bytes);
    *out = (hy_stats){
        .capacity_bytes = live,
        .used_bytes = live,
        .overhead_bytes = 0,
        .high_water_bytes = SIZE_MAX,
        .calls_count =
            failing->alloc_index + failing->resize_index + failing->free_count - failing->induced_count,
    };
    return true;
}

static void tells(void *instance, hy_told *out) {
    const hy_failing *failing = instance;
    out->numbers[HY_TOLD_ALLOC_CALLS] = failing->alloc_index;
    out->numbers[HY_TOLD_CHANGE_CALLS] = failing->resize_index;
    out->numbers[HY_TOLD_FREES] = failing->free_count;
    out->numbers[HY_TOLD_TOTAL_BYTES] = failing->allocated_bytes;
    out->numbers[HY_TOLD_BACK_BYTES] = failing->freed_bytes;
    out->numbers[HY_TOLD_OWN_REFUSALS] = failing->induced_count;
    const hy_failing_options *options = &failing->options;
    out->failure = (hy_told_failure){
        options->fail_alloc_at, options->fail_resize_at, options->once, options->probability > 0.0};
    out->passes_on = true;
}

/* Another one refuses by chance as often as it is to, and with the same seed the same calls. */
#define CHANCES 512
static bool chance(void *instance, size_t number, hy_mark *mark) {
    (void)instance, (void)mark;
    const hy_failing_options options = {HY_FAILING_NEVER, HY_FAILING_NEVER, false, 0.25, number};
    hy_failing first, second;
    hy_failing_init(&first, hy_null(), &options);
    hy_failing_init(&second, hy_null(), &options);
    bool good = true;
    for (size_t i = 0; i < CHANCES; i++) {
        (void)hy_failing_alloc(&first, 1, HY_ALIGN_1);
        (void)hy_failing_alloc(&second, 1, HY_ALIGN_1);
        good &= first.induced_count == second.induced_count;
    }
    /* Six standard deviations to either side. */
    return good && first.induced_count > CHANCES / 8 && first.induced_count < CHANCES * 3 / 8;
}

/* ---- a sweep over a function with a known fault ---- */

typedef enum fault { FAULT_NONE, FAULT_LEAKS, FAULT_SWALLOWS, FAULT_COUNT } fault;

#define SWEPT_MAX 4

/* Takes and frees blocks; its fault shows when the one at an index is refused. */
typedef struct swept {
    size_t block_count;
    fault fault;
    size_t at;
    void *leaked; /* the block before it */
} swept;

static size_t size_at(size_t index) {
    return 8 * (index + 1);
}

static hy_error run_swept(hy_allocator gpa, void *argument) {
    swept *program = argument;
    void *blocks[SWEPT_MAX];
    size_t count = 0;
    while (count < program->block_count && (blocks[count] = hy_alloc(gpa, size_at(count), HY_ALIGN_8)))
        count++;
    bool shows = count < program->block_count && count == program->at;
    for (size_t i = 0; i < count; i++) {
        if (shows && program->fault == FAULT_LEAKS && i + 1 == count)
            program->leaked = blocks[i];
        else
            hy_free(gpa, blocks[i], size_at(i), HY_ALIGN_8);
    }
    bool good = count == program->block_count || (shows && program->fault == FAULT_SWALLOWS);
    return good ? HY_OK : HY_OUT_OF_MEMORY;
}

/* Whether the report says what the function does wrong, and where. */
static bool is_true(const hy_sweep_report *report, const swept *program) {
    size_t leaked_bytes = program->leaked ? size_at(program->at - 1) : 0;
    if (report->alloc_count != program->block_count || report->leaked_bytes != leaked_bytes) return false;
    if (report->leaked_blocks != (program->leaked != NULL)) return false;
    if (program->fault == FAULT_NONE) return report->result == HY_SWEEP_OK;
    if (report->fail_index != program->at) return false;
    return report->result == (program->fault == FAULT_LEAKS ? HY_SWEEP_LEAK : HY_SWEEP_SWALLOWED);
}

/* The number says what is swept. */
static bool sweep(void *instance, size_t number, hy_mark *mark) {
    (void)instance, (void)mark;
    swept program = {
        .block_count = number % SWEPT_MAX + 1, .fault = (fault)(number / SWEPT_MAX % FAULT_COUNT)};
    program.at = number / (SWEPT_MAX * FAULT_COUNT) % program.block_count;
    if (program.fault == FAULT_LEAKS && program.at == 0) program.fault = FAULT_NONE;
    hy_sweep_report report;
    (void)hy_check_all_allocation_failures(run_swept, hy_libc(), &program, &report);
    bool good = is_true(&report, &program);
    if (program.leaked) hy_free(hy_libc(), program.leaked, size_at(program.at - 1), HY_ALIGN_8);
    return good;
}

static const hy_row_operation operations[] = {
    {"sweep", HY_EFFECT_NONE, true, sweep}, {"chance", HY_EFFECT_NONE, true, chance}};

/* A function that makes fewer allocations than before, or fails without a refusal. */
static hy_error run_strange(hy_allocator gpa, void *argument) {
    size_t *runs = argument;
    if (*runs == 0) return HY_INVALID;
    void *block = (*runs)++ == 1 ? hy_alloc(gpa, 8, HY_ALIGN_8) : NULL;
    if (block) hy_free(gpa, block, 8, HY_ALIGN_8);
    return HY_OK;
}

static const char *sweep_strange(uint8_t flags) {
    hy_sweep_report report;
    size_t runs = flags & 1;
    hy_sweep_result result = hy_check_all_allocation_failures(run_strange, hy_libc(), &runs, &report);
    report.frame_count = 0;
    hy_sweep_print(&report, stderr);
    if (result != (flags & 1 ? HY_SWEEP_NOT_DETERMINISTIC : HY_SWEEP_FAILS_WITHOUT))
        return "a sweep passed over what is wrong";
    report.result = (hy_sweep_result)(flags >> 1 & 7);
    report.leaked_blocks = flags >> 4 & 1;
    hy_sweep_print(&report, stderr);
    return hy_sweep_result_string(report.result)[0] ? NULL : "a result has no name";
}

/* Refuses at indices, or with a probability. */
static const char *settings(hy_allocator child, hy_settings *from) {
    uint8_t flags = hy_settings_byte(from);
    hy_failing_options options = {.fail_alloc_at = hy_settings_byte(from),
        .fail_resize_at = hy_settings_byte(from),
        .once = flags & 1,
        .probability = hy_settings_byte(from) % 129 / 128.0,
        .seed = flags};
    hy_failing failing;
    hy_failing_init(&failing, child, flags & 4 ? NULL : &options);
    const char *wrong = hy_settings_use(hy_failing_allocator(&failing), from);
    failing.frame_count = 0; /* to print frames would take most of the time */
    from->hush(true);
    hy_failing_print(&failing, stderr);
    if (!wrong) wrong = sweep_strange(flags >> 3);
    from->hush(false);
    return wrong;
}

const hy_row hy_failing_row = {
    .name = "failing",
    .group = HY_GROUP_DECORATOR,
    .summary = "refuses the nth allocation or resize, or each with a probability",
    .header = "heapyard/failing.h",
    .keeps = HY_TRAITS_OF_BLOCKS,
    .align_from_child = true,
    .default_child = "libc",
    .make = make,
    .destroy = destroy,
    .check = check,
    .stats = stats,
    .operations = operations,
    .operation_count = sizeof operations / sizeof operations[0],
    .tells = tells,
    .alike = HY_LIKE_CHILD | HY_LIKE_SERVED | HY_LIKE_PLACES,
    .settings = settings,
};
