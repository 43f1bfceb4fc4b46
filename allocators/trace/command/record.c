/* record.c: runs a program under the recorder, and converts its spools to trace files.
 *
 * The spools are in a folder beside the trace while the program runs. `finish` does only the conversion,
 * for a recording that was itself killed, or whose disk was too full for the trace.
 */
#include "allocators/trace/command/commands.h"
#include "allocators/trace/recorder/spool_reader.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <heapyard/libc.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PATH_SIZE 4096
#define NAME_SIZE 64

/* A spool in the folder; the recorder names it PID.NUMBER.spool. */
typedef struct spool_name {
    uint32_t pid;
    uint32_t number;
    uint64_t started_ns;
    char path[PATH_SIZE + 256]; /* the folder's path and a file name */
} spool_name;

typedef struct folder {
    spool_name *spools;
    size_t count;
    size_t capacity;
} folder;

/* The options of a recording, and its results. */
typedef struct recording {
    const char *out;
    const char *recorder;
    char out_absolute[PATH_SIZE];
    char spools[PATH_SIZE];
    bool quiet;
    bool keep;
    bool dated;
    uint32_t root; /* pid of the program; 0: unknown, take that of the spool that began first */
    uint64_t operations;
    unsigned files;
    unsigned failures;
} recording;

/* ---- finding spools ---- */

static bool add_spool(folder *in, const char *directory, const char *name) {
    spool_name fresh = {0};
    char rest[8];
    if (sscanf(name, "%" SCNu32 ".%" SCNu32 ".%7s", &fresh.pid, &fresh.number, rest) != 3 ||
        strcmp(rest, "spool") != 0) {
        return true;
    }
    (void)snprintf(fresh.path, sizeof fresh.path, "%s/%s", directory, name);
    hy_spool_header header;
    FILE *file = fopen(fresh.path, "rb");
    if (file && fread(&header, sizeof header, 1, file) == 1) fresh.started_ns = header.started_ns;
    if (file) (void)fclose(file);
    if (in->count == in->capacity) {
        size_t capacity = in->capacity * 2 + 16;
        spool_name *spools = realloc(in->spools, capacity * sizeof *spools);
        if (!spools) return false;
        in->spools = spools;
        in->capacity = capacity;
    }
    in->spools[in->count++] = fresh;
    return true;
}

static int by_start(const void *left, const void *right) {
    const spool_name *a = left, *b = right;
    if (a->started_ns != b->started_ns) return a->started_ns < b->started_ns ? -1 : 1;
    return a->pid != b->pid ? (a->pid < b->pid ? -1 : 1) : (a->number > b->number) - (a->number < b->number);
}

static bool find_spools(const char *directory, folder *out) {
    *out = (folder){0};
    DIR *stream = opendir(directory);
    if (!stream) return false;
    bool good = true;
    for (struct dirent *entry = readdir(stream); entry && good; entry = readdir(stream)) {
        good = add_spool(out, directory, entry->d_name);
    }
    (void)closedir(stream);
    if (out->count > 1) qsort(out->spools, out->count, sizeof *out->spools, by_start);
    return good;
}

/* Whether another spool of the same process follows: then this one ended by exec. */
static bool was_replaced(const folder *in, const spool_name *spool) {
    for (size_t i = 0; i < in->count; i++) {
        if (in->spools[i].pid == spool->pid && in->spools[i].number == spool->number + 1) return true;
    }
    return false;
}

/* ---- making traces ---- */

/* OUT for the program itself, OUT.PID for other processes, OUT.PID.N after their N-th exec. It always fits:
 * make_absolute has reserved NAME_SIZE. */
static void name_trace(const recording *in, const spool_name *spool, bool is_root, char out[PATH_SIZE]) {
    char end[NAME_SIZE] = "";
    if (!is_root && spool->number == 0)
        (void)snprintf(end, sizeof end, ".%" PRIu32, spool->pid);
    else if (!is_root)
        (void)snprintf(end, sizeof end, ".%" PRIu32 ".%" PRIu32, spool->pid, spool->number);
    (void)snprintf(out, PATH_SIZE, "%.*s%s", PATH_SIZE - NAME_SIZE, in->out_absolute, end);
}

static void stamp_date(hy_trace_info *info, uint64_t started_ns) {
    time_t seconds = (time_t)(started_ns / 1000000000u);
    struct tm parts;
    (void)gmtime_r(&seconds, &parts); /* can't fail: 64 bits of nanoseconds end in the year 2554 */
    (void)strftime(info->date, sizeof info->date, "%Y-%m-%dT%H:%M:%SZ", &parts);
}

static void report_file(
    const recording *in, const char *path, const hy_history *history, const hy_trace_info *info) {
    struct stat status = {0};
    if (in->quiet) return;
    (void)stat(path, &status);
    (void)fprintf(stderr, "heapyard-trace: %s: %zu operations of %s, %.2f bytes each%s%s\n", path,
        history->count, info->program, (double)status.st_size / (double)history->count,
        info->finished ? "" : "; not finished: ", info->finished ? "" : info->end);
}

/* Converts one spool to one trace; a spool without operations gives no file. */
static void finish_spool(recording *in, const folder *all, const spool_name *spool, bool is_root) {
    hy_history history;
    hy_history_init(&history, hy_libc());
    hy_trace_info info;
    hy_spool_header header;
    hy_trace_error error;
    char path[PATH_SIZE];
    name_trace(in, spool, is_root, path);
    bool good = hy_spool_read(spool->path, &history, &info, &header, &error);
    if (good && header.end == HY_SPOOL_RUNNING && was_replaced(all, spool)) {
        info.finished = true;
        (void)snprintf(info.end, sizeof info.end, "exec");
    }
    bool runs = good && !info.finished && header.end == HY_SPOOL_RUNNING && kill((pid_t)header.pid, 0) == 0;
    if (runs) (void)snprintf(info.end, sizeof info.end, "process %" PRIu32 " was still running", header.pid);
    if (in->dated) stamp_date(&info, header.started_ns);
    if (good && history.count > 0) {
        good = hy_trace_write(path, &history, &info, &error);
        /* Where the spools have filled the disk, the trace overwrites its own spool. */
        if (!good && error.full && !in->keep && !runs) {
            good = hy_trace_write_over(spool->path, path, &history, &info, &error);
        }
        if (good) {
            report_file(in, path, &history, &info);
            in->operations += history.count;
            in->files++;
        }
    }
    hy_history_deinit(&history);
    if (!good) {
        (void)usage_error("%s", error.message);
        in->failures++;
    } else if (runs) {
        (void)usage_error("process %" PRIu32 " still runs; `heapyard-trace finish %s` when it has ended",
            header.pid, in->spools);
    } else if (!in->keep) {
        (void)unlink(spool->path);
    }
}

static int finish_all(recording *in) {
    folder all;
    if (!find_spools(in->spools, &all)) {
        free(all.spools);
        return usage_error("%s: can't be read: %s", in->spools, strerror(errno));
    }
    bool have_root = false;
    for (size_t i = 0; i < all.count; i++) {
        bool is_root = !have_root && (in->root == 0 || all.spools[i].pid == in->root);
        have_root |= is_root;
        finish_spool(in, &all, &all.spools[i], is_root);
    }
    free(all.spools);
    if (in->failures > 0) {
        (void)usage_error("the spools stay in %s; `heapyard-trace finish` makes traces of them", in->spools);
        return STATUS_HARNESS;
    }
    if (!in->keep) (void)rmdir(in->spools);
    return in->files > 0 ? STATUS_GOOD : STATUS_NOTHING;
}

/* ---- running the program ---- */

static volatile sig_atomic_t program_pid;

static void forward(int number) {
    (void)kill((pid_t)program_pid, number);
}

/* The terminal sends SIGINT and SIGQUIT to the program too, so they are ignored here; the others are sent to
 * this process alone and are forwarded. Either way the program decides whether it ends, and this process
 * keeps waiting, so that the trace is completed. */
static void handle_signals(void) {
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    struct sigaction forwarded = {.sa_handler = forward, .sa_flags = SA_RESTART};
    (void)sigaction(SIGINT, &ignore, NULL);
    (void)sigaction(SIGQUIT, &ignore, NULL);
    (void)sigaction(SIGTERM, &forwarded, NULL);
    (void)sigaction(SIGHUP, &forwarded, NULL);
}

static void set_preload(const char *recorder, const char *spools) {
    const char *before = getenv("LD_PRELOAD");
    char preload[2 * PATH_SIZE];
    (void)snprintf(
        preload, sizeof preload, "%s%s%s", recorder, before && *before ? ":" : "", before ? before : "");
    (void)setenv("LD_PRELOAD", preload, 1);
    (void)setenv(HY_SPOOL_VARIABLE, spools, 1);
}

/* Runs the program; *status is set by waitpid. False: it could not be started, and the reason was printed. */
static bool run_program(recording *in, char **command, int *status) {
    int started[2];
    if (pipe(started) != 0) return (void)usage_error("record: %s", strerror(errno)), false;
    pid_t child = fork();
    int why = errno; /* of a failed fork, and later of a failed exec */
    if (child == 0) {
        (void)close(started[0]);
        (void)fcntl(started[1], F_SETFD, FD_CLOEXEC);
        set_preload(in->recorder, in->spools);
        (void)execvp(command[0], command);
        why = errno;
        (void)!write(started[1], &why, sizeof why);
        _exit(127);
    }
    (void)close(started[1]);
    if (child < 0) return (void)close(started[0]), (void)usage_error("record: %s", strerror(why)), false;
    program_pid = child;
    in->root = (uint32_t)child;
    handle_signals();
    ssize_t got = read(started[0], &why, sizeof why);
    (void)close(started[0]);
    (void)waitpid(child, status, 0);
    if (got != (ssize_t)sizeof why) return true;
    (void)usage_error("record: %s: %s", command[0], strerror(why));
    return false;
}

/* ---- the commands ---- */

static bool make_absolute(const char *path, char out[PATH_SIZE]) {
    char here[PATH_SIZE / 2];
    int length;
    if (path[0] == '/')
        length = snprintf(out, PATH_SIZE, "%s", path);
    else if (!getcwd(here, sizeof here))
        return false;
    else
        length = snprintf(out, PATH_SIZE, "%s/%s", here, path);
    return length < PATH_SIZE - NAME_SIZE;
}

/* The recorder's path: in the folder of this executable. NULL: it is not there. */
static const char *find_recorder(char path[PATH_SIZE]) {
    ssize_t length = readlink("/proc/self/exe", path, PATH_SIZE - NAME_SIZE);
    while (length > 0 && path[length - 1] != '/')
        length--;
    if (length <= 0) return NULL; /* no /proc */
    (void)snprintf(path + length, NAME_SIZE, "libheapyard-record.so");
    return access(path, R_OK) == 0 ? path : NULL;
}

/* Before the program runs: checks that the trace can be written, and makes the folder of spools. */
static int prepare(recording *in) {
    static char found[PATH_SIZE];
    in->recorder = find_recorder(found);
    if (!in->recorder)
        return usage_error("record: libheapyard-record.so is not in this build; use one without sanitizers");
    struct stat status;
    if (!make_absolute(in->out, in->out_absolute))
        return usage_error("record: %.200s: the path is too long, or there is no working folder", in->out);
    if (stat(in->out_absolute, &status) == 0 && !S_ISREG(status.st_mode)) {
        return usage_error("record: --out %s: not a regular file", in->out);
    }
    (void)snprintf(
        in->spools, sizeof in->spools, "%.*s.spools.XXXXXX", PATH_SIZE - NAME_SIZE, in->out_absolute);
    if (mkdtemp(in->spools)) return STATUS_GOOD;
    return usage_error("record: --out %s: can't be written: %s", in->out, strerror(errno));
}

/* Parses the options before the command; *at is then the index of the command's first word. */
static int parse(int argc, char **argv, recording *out, int *at) {
    int i = 1;
    for (; i < argc && argv[i][0] == '-'; i++) {
        const char *value;
        if (is_flag(argv, i, "--")) {
            i++;
            break;
        }
        if (is_flag(argv, i, "--quiet"))
            out->quiet = true;
        else if (is_flag(argv, i, "--date"))
            out->dated = true;
        else if (is_flag(argv, i, "--keep-spools"))
            out->keep = true;
        else if (take_value(argc, argv, &i, "--out", &value)) {
            if (!value) return usage_error("%s: --out needs a file's name", argv[0]);
            out->out = value;
        } else {
            return usage_error(
                "%s: %s: no such option; see heapyard-trace %s --help", argv[0], argv[i], argv[0]);
        }
    }
    *at = i;
    return STATUS_GOOD;
}

static int run_record(int argc, char **argv) {
    recording in = {.out = "trace.hyt"};
    int at;
    int status = parse(argc, argv, &in, &at);
    if (status != STATUS_GOOD) return status;
    if (at >= argc) return usage_error("record: which program? record --out FILE -- COMMAND …");
    status = prepare(&in);
    if (status != STATUS_GOOD) return status;
    int ended = 0;
    if (!run_program(&in, argv + at, &ended)) {
        (void)rmdir(in.spools);
        return STATUS_USAGE;
    }
    status = finish_all(&in);
    if (status == STATUS_NOTHING) {
        (void)usage_error(
            "record: %s left no record: it allocates nothing, is linked statically, or is set-uid", argv[at]);
    }
    if (status != STATUS_GOOD) return status;
    return WIFSIGNALED(ended) ? 128 + WTERMSIG(ended) : WEXITSTATUS(ended);
}

static int run_finish(int argc, char **argv) {
    recording in = {.out = "trace.hyt"};
    int at;
    int status = parse(argc, argv, &in, &at);
    if (status != STATUS_GOOD) return status;
    if (at + 1 != argc) return usage_error("finish: which folder of spools? finish --out FILE FOLDER");
    if (!make_absolute(in.out, in.out_absolute))
        return usage_error("finish: %.200s: the path is too long, or there is no working folder", in.out);
    int length = snprintf(in.spools, sizeof in.spools, "%s", argv[at]);
    if (length >= PATH_SIZE) return usage_error("finish: %.200s: the path is too long", argv[at]);
    status = finish_all(&in);
    if (status == STATUS_NOTHING) (void)usage_error("finish: %s holds no spool with an operation", argv[at]);
    return status;
}

const trace_command record_command = {.name = "record",
    .usage = "[--out FILE] [--date] [--quiet] [--keep-spools] [--] COMMAND …",
    .help =
        "Runs a dynamically linked program and records every call of the malloc family, of all its threads, "
        "into\n"
        "FILE (default trace.hyt). Further processes that it starts are recorded into FILE.PID beside it. "
        "The\n"
        "program's output and exit status are its own; what is said about the recording goes to standard "
        "error.\n"
        "A program that was killed leaves a trace that says so; readers then want --partial.\n"
        "  --date         put the time of the start into the file (else it depends on the program alone)\n"
        "  --quiet        say nothing about the recording unless it failed\n"
        "  --keep-spools  leave the recorder's own files\n",
    .run = run_record};

const trace_command finish_command = {.name = "finish",
    .usage = "[--out FILE] [--date] [--quiet] [--keep-spools] FOLDER",
    .help = "Makes trace files of the spools in FOLDER (FILE.spools.…), which a recording left that was "
            "itself killed,\n"
            "or that found no room for its traces.\n",
    .run = run_finish};
