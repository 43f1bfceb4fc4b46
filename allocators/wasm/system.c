/* system.c: what the library and the yards ask of threads and of shared libraries, where there are none. */
#include "allocators/peers/peers.h"
#include "fuzz/misuse.h"
#include <heapyard/thread_slot.h>

HY_THREAD_LOCAL uint32_t hy_thread_slot;

/* The only thread has the first. */
uint32_t hy_thread_slot_take(void) {
    hy_thread_slot = 1;
    return 1;
}

const char *hy_peer_missing(const hy_row *row) {
    (void)row;
    return NULL;
}

size_t hy_peer_rows(hy_row rows[HY_PEER_MAX]) {
    (void)rows;
    return 0;
}

/* Misuse is committed in a process of its own, which there is none of. */
const char *hy_misuse_name(hy_misuse_kind misuse) {
    (void)misuse;
    return "misuse";
}

bool hy_misuse_commit(const hy_run *run, const hy_run_call *call, hy_misdeed *out) {
    (void)run, (void)call, (void)out;
    return false;
}
