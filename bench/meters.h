/* meters.h: what heapyard-bench does, by its first word: each meter is a file in meters/ and a line in
 * meters.def. */
#ifndef HEAPYARD_BENCH_METERS_H
#define HEAPYARD_BENCH_METERS_H

#include <heapyard/config.h>

HY_BEGIN_DECLS

typedef struct hy_meter {
    const char *name; /* [a-z0-9_]+: the first word of the command line */
    const char *summary;
    int (*run)(int argc, char **argv); /* argv[0] is the name; returns the exit status */
} hy_meter;

const hy_meter *const *hy_meters(size_t *count);
const hy_meter *hy_meter_find(const char *name);

HY_END_DECLS

#endif
