/* target.c: names to a property and a row; counters. */
#include "fuzz/target.h"

#include "allocators/peers/preloaded.h"
#include "allocators/plugins.h"
#include "fuzz/finding.h"
#include "fuzz/oracles.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static hy_fuzz_counts own_counts;

bool hy_target_load_plugin(const char *label_equals_path) {
    char error[512];
    if (hy_plugins_load(label_equals_path, error, sizeof error)) return true;
    fprintf(stderr, "heapyard-fuzz: --plugin=%s: %s\n", label_equals_path, error);
    return false;
}

bool hy_target_load_preload(const char *name_equals_path) {
    char error[512];
    if (hy_preloaded_load(name_equals_path, error, sizeof error)) return true;
    fprintf(stderr, "heapyard-fuzz: --preload=%s: %s\n", name_equals_path, error);
    return false;
}

bool hy_target_read_known(const char *path) {
    if (hy_finding_read_known(path)) return true;
    fprintf(stderr, "heapyard-fuzz: %s: can't be read\n", path);
    return false;
}

const hy_row *hy_target_row(const char *name) {
    if (!hy_preloaded()) return hy_plugins_find(name);
    for (size_t i = 0; hy_target_chosen(i); i++) {
        if (strcmp(hy_target_chosen(i)->name, name) == 0) return hy_target_chosen(i);
    }
    return NULL;
}

const hy_row *hy_target_chosen(size_t index) {
    size_t count;
    const hy_row *const *rows = hy_preloaded_rows(&count);
    if (!hy_preloaded()) return hy_plugins_chosen(index);
    return index < count && hy_preloaded_has(rows[index]) ? rows[index] : NULL;
}

bool hy_target_choose_oracles(const char *names) {
    char error[512];
    if (hy_oracles_choose(names ? names : getenv("HEAPYARD_ORACLES"), error, sizeof error)) return true;
    fprintf(stderr, "heapyard-fuzz: %s\n", error);
    return false;
}

/* Whether the property can be run over a row that somebody named. */
static bool takes(const hy_property *property, const hy_row *row) {
    return property->applies(row) || (property->applies_when_named && property->applies_when_named(row));
}

static bool choose_row(hy_target *target, const char *name, char *error, size_t error_bytes) {
    const hy_row *row = name ? hy_target_row(name) : NULL;
    if (!name)
        snprintf(error, error_bytes, "property %s needs a row: --row=NAME", target->property->name);
    else if (!row && hy_preloaded())
        snprintf(error, error_bytes, "no allocator %s beside --preload", name);
    else if (!row)
        snprintf(error, error_bytes, "no allocator %s; did you mean %s?", name, hy_registry_suggest(name));
    else if (row->missing)
        snprintf(error, error_bytes, "%s is not in this build: %s", name, row->missing);
    else if (!takes(target->property, row))
        snprintf(error, error_bytes, "%s does not apply to %s", target->property->name, name);
    else {
        target->row = row;
        return true;
    }
    return false;
}

bool hy_target_choose(
    hy_target *target, const char *property, const char *row, char *error, size_t error_bytes) {
    *target = (hy_target){.property = hy_property_find(property), .counts = &own_counts};
    if (!target->property) {
        snprintf(error, error_bytes, "no property %s", property);
        return false;
    }
    return !target->property->over_rows || choose_row(target, row, error, error_bytes);
}

bool hy_target_count_into(hy_target *target, const char *path) {
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (file < 0) return false;
    bool sized = ftruncate(file, sizeof(hy_fuzz_counts)) == 0;
    void *at =
        sized ? mmap(NULL, sizeof(hy_fuzz_counts), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0) : MAP_FAILED;
    close(file);
    if (at == MAP_FAILED) return false;
    target->counts = at;
    return true;
}

static void add_to_past(hy_fuzz_counts *counts, const uint8_t *bytes, size_t size) {
    for (size_t i = 0; i < size; i++)
        counts->past[counts->past_size++ % HY_FUZZ_PAST_BYTES] = bytes[i];
}

void hy_target_run(hy_target *target, const uint8_t *bytes, size_t size) {
    hy_fuzz_counts *counts = target->counts;
    counts->executions++;
    counts->input_size = size < HY_FUZZ_INPUT_MAX ? size : HY_FUZZ_INPUT_MAX;
    if (size) memcpy(counts->input, bytes, counts->input_size);
    const char *mark = target->property->mark;
    if (mark && counts != &own_counts) {
        add_to_past(counts, counts->input, counts->input_size);
        add_to_past(counts, (const uint8_t *)mark, strlen(mark));
    }
    counts->operations += target->property->run(target->row, bytes, size);
}
