/* options.c: command lines of the bench. */
#include "bench/options.h"
#include "allocators/peers/preloaded.h"
#include "allocators/plugins.h"
#include "bench/session.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAMES_MAX 64

const char *hy_nearest_name(const char *typed, const char *const *names, size_t count) {
    const char *best = "";
    size_t best_distance = SIZE_MAX;
    for (size_t i = 0; i < count; i++) {
        size_t distance = hy_name_distance(typed, names[i]);
        if (distance >= best_distance) continue;
        best = names[i];
        best_distance = distance;
    }
    return best;
}

static const hy_option *find_option(const char *name, size_t length, const hy_option *options, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (strlen(options[i].name) == length && strncmp(options[i].name, name, length) == 0)
            return &options[i];
    }
    return NULL;
}

static bool unknown_option(const char *command, const char *typed, const hy_option *options, size_t count) {
    const char *names[NAMES_MAX];
    for (size_t i = 0; i < count && i < NAMES_MAX; i++)
        names[i] = options[i].name;
    const char *nearest = hy_nearest_name(typed, names, count < NAMES_MAX ? count : NAMES_MAX);
    fprintf(stderr, "heapyard-bench %s: unknown option --%s; did you mean --%s?\n", command, typed, nearest);
    return false;
}

static void print_help(const char *command, const hy_option *options, size_t count) {
    printf("usage: heapyard-bench %s [options]\n", command);
    for (size_t i = 0; i < count; i++)
        printf("  --%-12s %s\n", options[i].name, options[i].help);
}

static bool give(const hy_option *option, const char *value) {
    if (option->add) return option->add(value);
    *option->value = value;
    return true;
}

bool hy_options_parse(const char *command, int argc, char **argv, const hy_option *options, size_t count) {
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            print_help(command, options, count);
            exit(HY_EXIT_GOOD);
        }
        if (strncmp(argv[i], "--", 2) != 0) {
            fprintf(
                stderr, "heapyard-bench %s: '%s' is no option; options begin with --\n", command, argv[i]);
            return false;
        }
        const char *name = argv[i] + 2, *equals = strchr(name, '=');
        const hy_option *option =
            find_option(name, equals ? (size_t)(equals - name) : strlen(name), options, count);
        if (!option) return unknown_option(command, name, options, count);
        const char *value = option->is_flag ? option->name
                            : equals        ? equals + 1
                            : i + 1 < argc  ? argv[++i]
                                            : NULL;
        if (!value) {
            fprintf(
                stderr, "heapyard-bench %s: --%s needs a value: %s\n", command, option->name, option->help);
            return false;
        }
        if (!give(option, value)) return false;
    }
    return true;
}

bool hy_options_number(const char *command, const char *option, const char *text, uint64_t least,
    uint64_t greatest, uint64_t *out) {
    char *end;
    unsigned long long value = strtoull(text, &end, 10);
    if (end == text || *end != '\0' || text[0] == '-' || value < least || value > greatest) {
        fprintf(stderr, "heapyard-bench %s: --%s is '%s', must be a whole number from %llu to %llu\n",
            command, option, text, (unsigned long long)least, (unsigned long long)greatest);
        return false;
    }
    *out = value;
    return true;
}

/* Everything else in a process that runs on a preloaded library would stand on that. */
static const hy_row *preloaded_row(const char *command, const char *name) {
    size_t count;
    const hy_row *const *rows = hy_preloaded_rows(&count);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(rows[i]->name, name) == 0) return rows[i];
    }
    fprintf(stderr, "heapyard-bench %s: no allocator '%s' beside --preload; there are %s and libc\n", command,
        name, rows[0]->name);
    return NULL;
}

const hy_row *hy_options_row(const char *command, const char *name) {
    if (strcmp(name, hy_empty_row.name) == 0) return &hy_empty_row;
    if (hy_preloaded()) return preloaded_row(command, name);
    const hy_row *row = hy_plugins_find(name);
    if (!row) {
        fprintf(stderr, "heapyard-bench %s: no allocator '%s'; did you mean '%s'? (heapyard-bench list)\n",
            command, name, hy_registry_suggest(name));
        return NULL;
    }
    if (!row->missing) return row;
    fprintf(stderr, "heapyard-bench %s: %s is not in this build: %s\n", command, name, row->missing);
    return NULL;
}

const hy_workload *hy_options_workload(const char *command, const char *name) {
    const hy_workload *workload = name ? hy_workload_find(name) : NULL;
    if (workload) return workload;
    if (!name) {
        fprintf(stderr, "heapyard-bench %s: --workload is missing (heapyard-bench list)\n", command);
        return NULL;
    }
    const char *names[NAMES_MAX];
    size_t count;
    const hy_workload *const *workloads = hy_workloads(&count);
    for (size_t i = 0; i < count; i++)
        names[i] = workloads[i]->name;
    fprintf(stderr, "heapyard-bench %s: no workload '%s'; did you mean '%s'? (heapyard-bench list)\n",
        command, name, hy_nearest_name(name, names, count));
    return NULL;
}

bool hy_options_plugin(const char *label_equals_path) {
    char error[256];
    if (hy_plugins_load(label_equals_path, error, sizeof error)) return true;
    fprintf(stderr, "heapyard-bench: --plugin %s: %s\n", label_equals_path, error);
    return false;
}

static bool name_is_free(const char *name_equals_path) {
    char name[64];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(name_equals_path, "="), name_equals_path);
    if (!hy_registry_find(name) && strcmp(name, hy_empty_row.name) != 0) return true;
    fprintf(stderr, "heapyard-bench: --preload %s: there is an allocator '%s' already; choose another name\n",
        name_equals_path, name);
    return false;
}

bool hy_options_preload(const char *name_equals_path) {
    char error[512];
    if (!name_is_free(name_equals_path)) return false;
    if (hy_preloaded_load(name_equals_path, error, sizeof error)) return true;
    fprintf(stderr, "heapyard-bench: --preload %s: %s\n", name_equals_path, error);
    return false;
}
