/* wait_for.h: the end of a process, whatever interrupts the wait: engines have a timer that does. */
#ifndef HEAPYARD_FUZZ_WAIT_FOR_H
#define HEAPYARD_FUZZ_WAIT_FOR_H

#include <errno.h>
#include <stdlib.h>
#include <sys/types.h>
#include <sys/wait.h>

/* How a child of this process ended, as waitpid tells it. */
static inline int hy_wait_for(pid_t process) {
    int status = 0;
    pid_t ended;
    do {
        ended = waitpid(process, &status, 0);
    } while (ended < 0 && errno == EINTR);
    if (ended != process) abort();
    return status;
}

#endif
