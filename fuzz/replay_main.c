/* replay_main.c: the replayer as a program of its own, for compilers that bring no fuzzer. */
#include "fuzz/replay.h"

int main(int argc, char **argv) {
    return hy_replay(argc, argv);
}
