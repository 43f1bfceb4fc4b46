/* options.c: reads HEAPYARD_MALLOC before main, and does at exit what it asks for.
 *
 * The text is a list of NAME or NAME=VALUE, separated by commas. Nothing here allocates: the library's own
 * first allocation may be what the program is about. Under setuid and its like secure_getenv finds nothing.
 */
#include "allocators/malloc/options.h"
#include "allocators/core/os.h"
#include "allocators/malloc/heap.h"
#include <heapyard/smp_stats.h>

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VARIABLE "HEAPYARD_MALLOC"

/* Descriptors below are left to the program, which may count on their numbers. */
#define STDERR_COPY_MIN 200

/* What the process was asked for, and where it is told of it. */
static struct {
    hy_malloc_options options;
    int messages; /* a descriptor */
} process = {.messages = STDERR_FILENO};

HY_PRINTF(1, 2) static void tell(const char *format, ...) {
    char line[PATH_MAX + 256];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (length < 0) return;
    (void)hy_os_write(
        process.messages, line, (size_t)length < sizeof line ? (size_t)length : sizeof line - 1);
}

/* ---- the table ---- */

/* An option. apply: value is empty where none was given; false: it makes no sense, nothing changed. */
typedef struct option {
    const char *name, *value_form, *what, *wanted;
    bool (*apply)(hy_malloc_options *options, const char *value);
} option;

static bool apply_help(hy_malloc_options *options, const char *value);

static bool apply_stats(hy_malloc_options *options, const char *value) {
    bool is_json = strcmp(value, "json") == 0;
    if (!is_json && *value && strcmp(value, "text") != 0) return false;
    options->stats = is_json ? HY_MALLOC_STATS_JSON : HY_MALLOC_STATS_TEXT;
    return true;
}

static bool apply_stats_file(hy_malloc_options *options, const char *value) {
    if (!*value) return false;
    snprintf(options->stats_file, sizeof options->stats_file, "%s", value);
    if (options->stats == HY_MALLOC_STATS_NONE) options->stats = HY_MALLOC_STATS_TEXT;
    return true;
}

static bool apply_check(hy_malloc_options *options, const char *value) {
    if (*value) return false;
    options->check = true;
    return true;
}

/* A whole number, of units where a letter may follow it; false: it is none, or too great. */
static bool read_number(const char *text, bool has_unit, size_t *out) {
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || errno != 0) return false;
    static const char units[] = "KMG";
    const char *unit = has_unit && *end ? strchr(units, *end) : NULL;
    unsigned shift = unit ? 10 * (unsigned)(unit - units + 1) : 0;
    if (end[unit ? 1 : 0] != 0 || number > SIZE_MAX >> shift) return false;
    *out = (size_t)number << shift;
    return true;
}

static bool apply_decay(hy_malloc_options *options, const char *value) {
    size_t ms;
    if (!read_number(value, false, &ms)) return false;
    options->heap.hold_ms = ms;
    return true;
}

static bool apply_keep(hy_malloc_options *options, const char *value) {
    return read_number(value, true, &options->heap.surplus_min_bytes);
}

static bool apply_huge(hy_malloc_options *options, const char *value) {
    if (strcmp(value, "never") != 0) return read_number(value, true, &options->heap.huge_min_bytes);
    options->heap.huge_min_bytes = SIZE_MAX;
    return true;
}

/* clang-format off */
static const option table[] = {
    {"help", "", "print this text at start, and go on", "no value", apply_help},
    {"stats", "=text|json", "print what the heap holds at exit (text where no form is given)", "text or json", apply_stats},
    {"stats_file", "=PATH", "append that to a file instead of standard error; %p is the process's number", "a path", apply_stats_file},
    {"check", "", "walk the heap at exit, and say so where it does not hold together", "no value", apply_check},
    {"decay", "=MS", "give no free memory back within so long after it was given back and needed again", "a number of milliseconds", apply_decay},
    {"keep", "=BYTES", "give back none where less than this is free; K, M, G may follow", "a number of bytes", apply_keep},
    {"huge", "=BYTES|never", "ask for huge pages from so much in use on; K, M, G may follow", "a number of bytes or never", apply_huge},
};
/* clang-format on */

#define OPTION_COUNT (sizeof table / sizeof table[0])

static bool apply_help(hy_malloc_options *options, const char *value) {
    (void)options;
    if (*value) return false;
    tell("heapyard malloc " HY_VERSION "\n\n" VARIABLE
         "=OPTION,OPTION=VALUE,… sets, for this process and its children:\n\n");
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        int width = 22 - (int)strlen(table[i].name);
        tell("  %s%-*s %s\n", table[i].name, width, table[i].value_form, table[i].what);
    }
    tell("\nWhat makes no sense is told in a line, and keeps its default. Programs that change their user "
         "are not asked.\n");
    return true;
}

/* ---- the text ---- */

static const option *find_option(const char *name) {
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (strcmp(table[i].name, name) == 0) return &table[i];
    }
    return NULL;
}

/* One part of the text, which is changed. */
static void read_option(char *part, hy_malloc_options *options) {
    char *equals = strchr(part, '=');
    if (equals) *equals = 0;
    const char *value = equals ? equals + 1 : "";
    const option *found = find_option(part);
    if (!found)
        tell("heapyard: " VARIABLE ": there is no option '%s', which is left out; " VARIABLE
             "=help lists them\n",
            part);
    else if (!found->apply(options, value))
        tell("heapyard: " VARIABLE ": %s is '%s', must be %s; the default is kept\n", part, value,
            found->wanted);
}

void hy_malloc_options_read(const char *text, hy_malloc_options *options) {
    char copy[PATH_MAX + 256];
    if (strlen(text) >= sizeof copy) {
        tell("heapyard: " VARIABLE " has more than %zu bytes, and is left out\n", sizeof copy - 1);
        return;
    }
    strcpy(copy, text);
    char *rest = copy, *part;
    while ((part = strsep(&rest, ",")) != NULL) {
        if (*part) read_option(part, options);
    }
}

/* ---- the process ---- */

__attribute__((constructor)) static void at_start(void) {
    const char *text = secure_getenv(VARIABLE);
    if (!text) return;
    hy_malloc_give(hy_malloc_take(1)); /* a heap that has begun has its options */
    process.options.heap = hy_smp_get_options(&hy_smp_process_heap);
    hy_malloc_options_read(text, &process.options);
    (void)hy_smp_set_options(&hy_smp_process_heap, &process.options.heap);
    if (process.options.stats == HY_MALLOC_STATS_NONE && !process.options.check) return;
    /* Many programs close standard error before the statistics are written. */
    int copy = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_COPY_MIN);
    if (copy >= 0) process.messages = copy;
}

/* The path with each %p replaced; false: too long. */
static bool expand_path(const char *form, char *path, size_t capacity) {
    size_t used = 0;
    while (*form) {
        bool is_number = form[0] == '%' && form[1] == 'p';
        int length = is_number ? snprintf(path + used, capacity - used, "%ld", (long)getpid())
                               : snprintf(path + used, capacity - used, "%c", *form);
        used += (size_t)length;
        if (used >= capacity) return false;
        form += is_number ? 2 : 1;
    }
    path[used] = 0;
    return true;
}

/* Where the statistics go. */
static int open_output(void) {
    char path[PATH_MAX];
    if (!*process.options.stats_file) return process.messages;
    int file = -1;
    errno = ENAMETOOLONG;
    if (expand_path(process.options.stats_file, path, sizeof path))
        file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (file >= 0) return file;
    tell("heapyard: " VARIABLE ": stats_file %s can't be opened (%s): the statistics are on standard error\n",
        process.options.stats_file, strerrordesc_np(errno));
    return process.messages;
}

/* A sink for lines; what a file does not take goes where messages go. */
static void write_line(void *descriptor, const char *line, size_t size) {
    int *output = descriptor;
    if (hy_os_write(*output, line, size) || *output == process.messages) return;
    tell("heapyard: " VARIABLE
         ": stats_file %s can't be written: the statistics from there on are on standard error\n",
        process.options.stats_file);
    close(*output);
    *output = process.messages;
    (void)hy_os_write(*output, line, size);
}

__attribute__((destructor)) static void at_exit(void) {
    if (process.options.check && !hy_smp_check(&hy_smp_process_heap))
        tell("heapyard: the heap does not hold together: something wrote where it must not\n");
    if (process.options.stats == HY_MALLOC_STATS_NONE) return;
    int file = open_output();
    if (process.options.stats == HY_MALLOC_STATS_JSON)
        hy_smp_print_stats_json(&hy_smp_process_heap, write_line, &file);
    else
        hy_smp_print_stats(&hy_smp_process_heap, write_line, &file);
    if (file != process.messages) close(file);
}
