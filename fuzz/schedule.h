/* schedule.h: threads that take turns as an input says: a deterministic scheduler of fibres in one OS thread.
 *
 * The library of a build with HY_SCHEDULES=ON announces each atomic access and each lock
 * (allocators/core/schedule_points.h). At such a point the running fibre goes on, or another one comes in: at
 * the points that the schedule names, and where one waits or ends. Which one: fibres stand in an order, and
 * the first that can run does; a change puts one to the front or the running one to the back. Priorities with
 * change points (Burckhardt et al., "A Randomized Scheduler with Probabilistic Guarantees of Finding Bugs",
 * 2010) and any sequence of switches can be said so. The same schedule gives the same run.
 *
 * A fibre is a thread to the library: it has a slot, a number and caches of its own, and its end runs the
 * destructors of its keys. What is covered is any sequentially consistent interleaving of the points; what
 * the orders of memory do not promise is seen by who is ordered behind whom (races.h).
 *
 *   hy_schedule schedule = {.fibre_count = 2, .body = body, .changes = changes, .change_count = 3};
 *   if (hy_schedule_run(&schedule) == HY_SCHEDULE_DEADLOCK) …
 */
#ifndef HEAPYARD_FUZZ_SCHEDULE_H
#define HEAPYARD_FUZZ_SCHEDULE_H

#include <heapyard/config.h>

#define HY_SCHEDULE_FIBRES 4
#define HY_SCHEDULE_BACK UINT8_MAX

typedef struct hy_schedule_change {
    uint16_t after; /* so many points after the change before, or the beginning */
    uint8_t to;     /* this fibre comes to the front; BACK: the running one goes to the back */
} hy_schedule_change;

typedef struct hy_schedule {
    unsigned fibre_count;                         /* 1 … HY_SCHEDULE_FIBRES */
    void (*body)(void *argument, unsigned fibre); /* what each fibre does */
    void *argument;
    uint8_t rotation; /* the fibre that is first in the order; the others follow by number */
    size_t change_count;
    const hy_schedule_change *changes;
    bool is_told;     /* prints each switch in words, as a line that begins with two slashes */
    bool are_late;    /* threads have no slot, and greater numbers than others */
    bool seeks_races; /* by what orders accesses (races.h) */
} hy_schedule;

typedef enum hy_schedule_result {
    HY_SCHEDULE_DONE,
    HY_SCHEDULE_DEADLOCK, /* all that are left wait for each other */
    HY_SCHEDULE_ENDLESS   /* HY_SCHEDULE_POINT_MAX points went by */
} hy_schedule_result;

#define HY_SCHEDULE_POINT_MAX 400000u

/* Runs the fibres until all have ended, or none can go on; those are given up then. */
hy_schedule_result hy_schedule_run(const hy_schedule *schedule);

/* A point of the body's own. where: a constant, for what is told. */
void hy_schedule_step_begins(const char *where);

/* The running fibre ends as a thread, and goes on as a new one. last: what a key of the program's own would
 * do that was created after the library's: called behind each round of destructors; NULL: nothing. */
void hy_schedule_end_thread(void (*last)(void));

/* Whether some thread is ending: it is inside the library, though in no call. */
bool hy_schedule_ends(void);

/* Points do nothing until hy_schedule_resume: the thread that runs goes on. */
void hy_schedule_pause(void);
void hy_schedule_resume(void);

/* The other fibres are gone, as threads are in a child of fork. */
void hy_schedule_forked(void);

/* The fibre that runs; 0 where none does. */
unsigned hy_schedule_fibre(void);

/* Whether an address is of the running fibre's stack, or of the variables that each thread has its own of. */
bool hy_schedule_is_own(uintptr_t address);

/* Switches of the last run. */
uint32_t hy_schedule_switches(void);

#endif
