/* commands.h: what heapyard-bench does, by its first word. Each command is a file in meters/. */
#ifndef HEAPYARD_BENCH_COMMANDS_H
#define HEAPYARD_BENCH_COMMANDS_H

#include <heapyard/config.h>

HY_BEGIN_DECLS

/* argv[0] is the command's own name. Each returns the exit status. */
int hy_command_list(int argc, char **argv);
int hy_command_run(int argc, char **argv);
int hy_command_sample(int argc, char **argv);
int hy_command_memory(int argc, char **argv);
int hy_command_exact(int argc, char **argv);
int hy_command_instructions(int argc, char **argv);
int hy_command_pairs(int argc, char **argv);

typedef struct hy_command {
    const char *name;
    const char *summary;
    int (*run)(int argc, char **argv);
} hy_command;

static const hy_command hy_commands[] = {
    {"list", "the allocators, workloads and cells of this build", hy_command_list},
    {"run", "workloads through Google Benchmark, for people: takes its --benchmark_… flags", hy_command_run},
    {"sample", "the time of one cell's allocators, interleaved: raw samples as one line of JSON",
        hy_command_sample},
    {"memory", "the memory of one allocator in one cell: one line of JSON", hy_command_memory},
    {"exact", "what allocators take from a child and keep, counted: one line of JSON a cell",
        hy_command_exact},
    {"instructions", "regions for callgrind to count: one line of JSON a cell", hy_command_instructions},
    {"pairs", "the rows of two plugins, epoch against epoch: one line of JSON a cell", hy_command_pairs},
};

HY_END_DECLS

#endif
