/* schedule_run.h: an instance in the hands of several threads, what they share, and what must hold of it. */
#ifndef HEAPYARD_FUZZ_SCHEDULE_RUN_H
#define HEAPYARD_FUZZ_SCHEDULE_RUN_H

#include "fuzz/properties/schedule_program.h"
#include <heapyard/plugin.h>

/* Rows for threads, of builds that announce their points to the scheduler. */
bool hy_schedule_takes(const hy_row *row);

/* Runs one input on a fresh instance; what is wrong ends the process. forks: a step may fork. Returns the
 * operations that were run. */
size_t hy_schedule_run_input(const hy_row *row, const uint8_t *bytes, size_t size, bool forks);

#endif
