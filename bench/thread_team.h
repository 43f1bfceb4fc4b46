/* thread_team.h: threads that start and end a piece of work together, and the time it took.
 *
 * One thread alone is timed by its own CPU time, system calls included: what other processes do to a
 * shared machine in the meantime is not the allocator's.
 *
 * The caller is thread 0; the others wait, spinning for a moment and then asleep. A piece of work
 * begins only when all of them are awake and spinning, so that no wake-up is timed. Its time is wall
 * time from the common start to the end of the slowest: what is reported as ns/op for t threads is
 * that time divided by the operations of one thread, so that "as fast as one thread" reads directly as
 * the same number. CPU time would hide the waiting for a lock, which is what threads are measured for.
 */
#ifndef HEAPYARD_THREAD_TEAM_H
#define HEAPYARD_THREAD_TEAM_H

#include <heapyard/config.h>

HY_BEGIN_DECLS

#define HY_THREADS_MAX 64

typedef struct hy_thread_team hy_thread_team;
typedef void (*hy_thread_team_task)(void *context, uint32_t thread);

/* Nanoseconds: since some moment, and spent by the calling thread. */
uint64_t hy_clock_ns(void);
uint64_t hy_cpu_clock_ns(void);

/* threads: 1 … HY_THREADS_MAX. NULL: no memory or no threads to be had. */
hy_thread_team *hy_thread_team_start(uint32_t threads);
/* Runs task(context, i) in each thread i; returns the nanoseconds it took. */
uint64_t hy_thread_team_run(hy_thread_team *team, hy_thread_team_task task, void *context);
/* Gives each thread a core of its own, where there are enough: two that spin on one core would time the
 * scheduler. To be called after all allocators have begun, because some ask for their cores then. The
 * caller's own place is given back by hy_thread_team_stop. */
void hy_thread_team_pin(hy_thread_team *team);
uint32_t hy_thread_team_threads(const hy_thread_team *team);
/* A barrier with a serial section. Within a task: waits until all of the team's threads have arrived. True
 * for one of them, the last: it runs alone, and releases the others by hy_thread_team_release. Every task of
 * a team passes the same number of barriers. With one thread it is true at once. */
bool hy_thread_team_barrier(hy_thread_team *team);
void hy_thread_team_release(hy_thread_team *team);
void hy_thread_team_stop(hy_thread_team *team);

HY_END_DECLS

#endif
