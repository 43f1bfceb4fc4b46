/* replay.h: runs inputs without a fuzzer: for tests, reproducers and figures of speed.
 *
 *   heapyard-replay list                     rows, properties and oracles, one a line, tab-separated
 *   heapyard-replay run [--row=R] [--property=P] [--refusals] INPUT…
 *   heapyard-replay minimise [--row=R] [--property=P] [--c=FILE] [--seed=FILE] INPUT
 *   heapyard-replay assemble SEED.txt OUTPUT [SEED.txt OUTPUT]…
 *   heapyard-replay disassemble [--row=R] INPUT
 *   heapyard-replay speed [--row=R] [--property=P] [--seconds=N] INPUT…
 *
 * Every command takes --plugin=LABEL=PATH, for rows from elsewhere, which go by row@label, and --oracles=A,B
 * or
 * --oracles=-A for those that are to look (oracles.h). --help says all this.
 *
 * An input is a file of bytes, a seed (.txt) or a folder of both. `run` takes every row that a
 * property applies to where none is named (the plugins', where there are any), each in a process of its own;
 * --refusals runs each input again with the child refusing its first, second, … allocation. Exit: 0 good, 1
 * harness error, 2 usage, 3 a finding, 5 nothing ran.
 */
#ifndef HEAPYARD_FUZZ_REPLAY_H
#define HEAPYARD_FUZZ_REPLAY_H

#include <stdbool.h>

/* Whether a first word is a command, or --help. */
bool hy_replay_is_command(const char *word);
int hy_replay(int argc, char **argv);

#endif
