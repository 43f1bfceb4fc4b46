/* stats.c: prints a trace's statistics, or (info) only its metadata, as text or JSON. */
#include "allocators/history/statistics.h"
#include "allocators/json.h"
#include "allocators/trace/command/commands.h"

#include <inttypes.h>
#include <stdio.h>

static double percent(uint64_t part, uint64_t whole) {
    return whole > 0 ? 100.0 * (double)part / (double)whole : 0.0;
}

static double bytes_per_operation(const hy_trace_info *info) {
    return info->call_count > 0 ? (double)info->file_bytes / (double)info->call_count : 0.0;
}

static void print_bar(uint64_t part, uint64_t greatest) {
    unsigned length = (unsigned)(40.0 * (double)part / (double)greatest + 0.5);
    for (unsigned i = 0; i < length; i++)
        (void)putchar('#');
    (void)putchar('\n');
}

/* The values of a class: 0, 1, 2-3, …, from 1024 on only the lower end: "512K-". */
static void print_class(unsigned number) {
    static const char units[] = " KMGTPE";
    if (number < 2) {
        (void)printf("%10u", number);
        return;
    }
    uint64_t from = UINT64_C(1) << (number - 1);
    unsigned unit = (number - 1) / 10;
    if (unit == 0)
        (void)printf("%5" PRIu64 "-%-4" PRIu64, from, from * 2 - 1);
    else
        (void)printf("%5" PRIu64 "%c-   ", from >> (10 * unit), units[unit]);
}

static void print_histogram(const char *title, const uint64_t *counts, uint64_t whole) {
    uint64_t greatest = 0;
    for (unsigned i = 0; i < HY_STATISTICS_CLASSES; i++) {
        if (counts[i] > greatest) greatest = counts[i];
    }
    if (greatest == 0) return;
    (void)printf("\n%s\n", title);
    for (unsigned i = 0; i < HY_STATISTICS_CLASSES; i++) {
        if (counts[i] == 0) continue;
        print_class(i);
        (void)printf(" %12" PRIu64 " %5.1f %%  ", counts[i], percent(counts[i], whole));
        print_bar(counts[i], greatest);
    }
}

static void print_info(const hy_trace_info *info) {
    (void)printf(
        "program      %s\ncommand      %s\nrecorder     %s\n", info->program, info->command, info->recorder);
    if (info->date[0]) (void)printf("date         %s\n", info->date);
    (void)printf("end          %s%s\n", info->end, info->finished ? "" : " (not finished)");
    (void)printf("operations   %" PRIu64 " by %u threads, at most %u blocks at once\n", info->call_count,
        info->thread_count, info->slot_count);
    (void)printf(
        "file         %" PRIu64 " bytes, %.2f per operation\n", info->file_bytes, bytes_per_operation(info));
    if (info->foreign_count > 0) {
        (void)printf(
            "left out     %" PRIu64 " calls on blocks from before the recording\n", info->foreign_count);
    }
}

static void print_text(const hy_trace_info *info, const hy_statistics *stats) {
    print_info(info);
    (void)printf("allocations  %" PRIu64 " (%.1f %% zeroed, %.1f %% aligned above malloc's)\n", stats->allocs,
        percent(stats->zeroed, stats->allocs), percent(stats->aligned, stats->allocs));
    (void)printf("reallocs     %" PRIu64 " (%.1f %% of operations)\n", stats->reallocs,
        percent(stats->reallocs, stats->operations));
    (void)printf("frees        %" PRIu64 " (%.1f %% by another thread, %.1f %% before the next allocation)\n",
        stats->frees, percent(stats->cross_thread_frees, stats->frees),
        percent(stats->next_frees, stats->frees));
    (void)printf("refused      %" PRIu64 "\n", stats->refused);
    (void)printf("peak         %" PRIu64 " bytes after operation %" PRIu64 "; %" PRIu64 " blocks\n",
        stats->peak_bytes, stats->peak_bytes_at + 1, stats->peak_blocks);
    (void)printf(
        "at the end   %" PRIu64 " bytes in %" PRIu64 " blocks\n", stats->end_bytes, stats->end_blocks);
    (void)printf("threads      %" PRIu64 ", of which %" PRIu64 " ended before the program\n", stats->threads,
        stats->thread_ends);
    (void)printf("most often  ");
    for (int i = 0; i < HY_STATISTICS_TOP && stats->top[i].count > 0; i++) {
        (void)printf(
            " %" PRIu64 " B (%.0f %%)", stats->top[i].size, percent(stats->top[i].count, stats->allocs));
    }
    (void)putchar('\n');
    print_histogram("bytes asked for    allocations", stats->size_counts, stats->allocs);
    print_histogram("bytes asked for    live bytes at the peak", stats->size_peak_bytes, stats->peak_bytes);
    print_histogram("lifetime in allocations    blocks freed", stats->lifetimes, stats->frees);
}

static void write_info(hy_json *json, const hy_trace_info *info) {
    hy_json_text(json, "program", info->program);
    hy_json_text(json, "command", info->command);
    hy_json_text(json, "recorder", info->recorder);
    hy_json_text(json, "date", info->date);
    hy_json_text(json, "end", info->end);
    hy_json_bool(json, "finished", info->finished);
    hy_json_number(json, "operations", info->call_count);
    hy_json_number(json, "threads", info->thread_count);
    hy_json_number(json, "slots", info->slot_count);
    hy_json_number(json, "foreign", info->foreign_count);
    hy_json_number(json, "file_bytes", info->file_bytes);
    hy_json_real(json, "bytes_per_operation", bytes_per_operation(info), 6);
}

static void write_pair(hy_json *json, uint64_t first, uint64_t second) {
    hy_json_begin(json, NULL, '[');
    hy_json_number(json, NULL, first);
    hy_json_number(json, NULL, second);
    hy_json_end(json, ']');
}

/* Each class that is not empty as a pair [greatest value of the class, count]. */
static void write_histogram(hy_json *json, const char *key, const uint64_t *counts) {
    hy_json_begin(json, key, '[');
    for (unsigned i = 0; i < HY_STATISTICS_CLASSES; i++) {
        if (counts[i] == 0) continue;
        uint64_t greatest = i == 0 ? 0 : i == 64 ? UINT64_MAX : (UINT64_C(1) << i) - 1;
        write_pair(json, greatest, counts[i]);
    }
    hy_json_end(json, ']');
}

static void write_statistics(hy_json *json, const hy_statistics *stats) {
    const struct {
        const char *key;
        uint64_t value;
    } counts[] = {
        {"allocations", stats->allocs},
        {"zeroed", stats->zeroed},
        {"aligned", stats->aligned},
        {"reallocs", stats->reallocs},
        {"frees", stats->frees},
        {"sized_frees", stats->sized_frees},
        {"cross_thread_frees", stats->cross_thread_frees},
        {"frees_before_next_allocation", stats->next_frees},
        {"refused", stats->refused},
        {"requested_bytes", stats->requested_bytes},
        {"peak_bytes", stats->peak_bytes},
        {"peak_bytes_at", stats->peak_bytes_at},
        {"peak_blocks", stats->peak_blocks},
        {"end_bytes", stats->end_bytes},
        {"end_blocks", stats->end_blocks},
        {"thread_ends", stats->thread_ends},
    };
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        hy_json_number(json, counts[i].key, counts[i].value);
    hy_json_begin(json, "top_sizes", '[');
    for (int i = 0; i < HY_STATISTICS_TOP && stats->top[i].count > 0; i++)
        write_pair(json, stats->top[i].size, stats->top[i].count);
    hy_json_end(json, ']');
    write_histogram(json, "sizes", stats->size_counts);
    write_histogram(json, "sizes_at_peak", stats->size_peak_bytes);
    write_histogram(json, "lifetimes", stats->lifetimes);
}

/* stats: NULL for the metadata alone. */
static void print_json(const hy_trace_info *info, const hy_statistics *stats) {
    hy_json json = {.out = stdout};
    hy_json_begin(&json, NULL, '{');
    write_info(&json, info);
    if (stats) write_statistics(&json, stats);
    hy_json_end(&json, '}');
    (void)hy_json_line_end(&json);
}

/* The options of both commands. */
typedef struct view_options {
    const char *path;
    bool partial;
    bool json;
} view_options;

static int parse(int argc, char **argv, view_options *out) {
    *out = (view_options){0};
    for (int i = 1; i < argc; i++) {
        if (is_flag(argv, i, "--partial"))
            out->partial = true;
        else if (is_flag(argv, i, "--json"))
            out->json = true;
        else if (argv[i][0] == '-') {
            return usage_error("%s: %s: no such option; --partial and --json are", argv[0], argv[i]);
        } else if (out->path) {
            return usage_error("%s: %s: one trace at a time", argv[0], argv[i]);
        } else {
            out->path = argv[i];
        }
    }
    return out->path ? STATUS_GOOD : usage_error("%s: which trace? Give its file", argv[0]);
}

static int run_stats(int argc, char **argv) {
    view_options options;
    int status = parse(argc, argv, &options);
    hy_history history;
    hy_trace_info info;
    if (status != STATUS_GOOD || !open_trace(options.path, options.partial, &history, &info, &status))
        return status;
    hy_statistics stats;
    if (!hy_statistics_make(&stats, &history)) {
        (void)usage_error("%s: out of memory", options.path);
        status = STATUS_HARNESS;
    } else if (options.json) {
        print_json(&info, &stats);
    } else {
        print_text(&info, &stats);
    }
    hy_history_deinit(&history);
    return status;
}

static int run_info(int argc, char **argv) {
    view_options options;
    int status = parse(argc, argv, &options);
    hy_history history;
    hy_trace_info info;
    if (status != STATUS_GOOD || !open_trace(options.path, options.partial, &history, &info, &status))
        return status;
    if (options.json) {
        print_json(&info, NULL);
    } else {
        print_info(&info);
    }
    hy_history_deinit(&history);
    return status;
}

#define SHARED_HELP                                                                                          \
    "  --partial  take what is whole of a trace that was cut, or whose recording did not finish\n"           \
    "  --json     one JSON object instead of text\n"

const trace_command stats_command = {.name = "stats",
    .usage = "FILE [--partial] [--json]",
    .help = "Sizes, lifetimes, peak, threads, cross-thread frees, and the like.\n" SHARED_HELP,
    .run = run_stats};

const trace_command info_command = {.name = "info",
    .usage = "FILE [--partial] [--json]",
    .help =
        "Where a trace comes from, and how much it holds. The file is read and checked whole.\n" SHARED_HELP,
    .run = run_info};
