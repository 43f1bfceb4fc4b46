/* import.c: converts a log of another recorder to a trace file. */
#include "allocators/history/import.h"
#include "allocators/trace/command/commands.h"

#include <errno.h>
#include <heapyard/libc.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static int write_import(FILE *in, const char *name, const char *out) {
    hy_history history;
    hy_history_init(&history, hy_libc());
    hy_import_counts counts;
    hy_trace_error error;
    hy_trace_info info = {.recorder = "import of memory_replay text", .end = "exit", .finished = true};
    (void)snprintf(info.program, sizeof info.program, "%s", name);
    bool good = hy_import_memory_replay(in, name, &history, &counts, &error);
    int status = good ? STATUS_GOOD : error.system ? STATUS_HARNESS : STATUS_USAGE;
    if (good && history.count == 0) {
        status = usage_error("%s: holds no operation; nothing was written", name);
    } else if (good) {
        info.foreign_count = counts.foreign + counts.missed;
        good = hy_trace_write(out, &history, &info, &error);
        if (!good)
            status = STATUS_HARNESS;
        else {
            (void)printf("%s: %" PRIu64 " lines, %zu operations, %u threads; left out: %" PRIu64
                         " frees of NULL, %" PRIu64 " of unknown blocks; %" PRIu64 " frees were missing\n",
                out, counts.lines, history.count, history.thread_count, counts.null_frees, counts.foreign,
                counts.missed);
        }
    }
    if (!good) (void)usage_error("%s", error.message);
    hy_history_deinit(&history);
    return status;
}

static int run(int argc, char **argv) {
    const char *in = NULL, *out = NULL;
    for (int i = 1; i < argc; i++) {
        if (take_value(argc, argv, &i, "--out", &out)) {
            if (!out) return usage_error("import: --out needs a file's name");
        } else if (argv[i][0] == '-' && argv[i][1] != 0) {
            return usage_error("import: %s: no such option; --out FILE is", argv[i]);
        } else if (in) {
            return usage_error("import: %s: one log at a time", argv[i]);
        } else {
            in = argv[i];
        }
    }
    if (!in || !out) return usage_error("import: a log (or -) and --out FILE are needed");
    if (strcmp(in, "-") == 0) return write_import(stdin, "standard input", out);
    FILE *file = fopen(in, "r");
    if (!file) return usage_error("%s: can't be read: %s", in, strerror(errno));
    int status = write_import(file, in, out);
    (void)fclose(file);
    return status;
}

const trace_command import_command = {.name = "import",
    .usage = "LOG.txt|- --out FILE",
    .help =
        "Turns the text format of Android's memory_replay (one call a line: `TID: malloc 0x7f00 32`) into a\n"
        "trace file. - reads standard input.\n",
    .run = run};
