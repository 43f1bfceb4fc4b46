/* record.c: what the records of all meters have in common. */
#include "bench/meters/record.h"
#include "bench/options.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

void hy_record_cell(hy_json *json, const hy_workload *workload, const hy_cell *cell) {
    hy_json_text(json, "workload", workload->name);
    hy_json_text(json, "params", cell->params);
    hy_json_number(json, "threads", cell->threads);
}

int hy_record_append(const char *command, const char *path,
    void (*members)(hy_json *json, const void *context), const void *context) {
    hy_json json = {.out = path ? fopen(path, "ae") : stdout};
    if (!json.out) {
        fprintf(stderr, "heapyard-bench %s: --out %s: %s\n", command, path, strerror(errno));
        return HY_EXIT_USAGE;
    }
    hy_json_begin(&json, NULL, '{');
    members(&json, context);
    hy_json_end(&json, '}');
    bool written = hy_json_line_end(&json);
    if (path) written = fclose(json.out) == 0 && written;
    if (written) return HY_EXIT_GOOD;
    fprintf(stderr, "heapyard-bench %s: the result could not be written: %s\n", command, strerror(errno));
    return HY_EXIT_HARNESS;
}
