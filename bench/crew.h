/* crew.h: threads that start and end a piece of work together, and the time it took.
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
#ifndef HEAPYARD_CREW_H
#define HEAPYARD_CREW_H

#include <heapyard/config.h>

HY_BEGIN_DECLS

#define HY_THREADS_MAX 64

typedef struct hy_crew hy_crew;
typedef void (*hy_crew_task)(void *context, uint32_t thread);

/* Nanoseconds: since some moment, and spent by the calling thread. */
uint64_t hy_clock_ns(void);
uint64_t hy_cpu_clock_ns(void);

/* threads: 1 … HY_THREADS_MAX. NULL: no memory or no threads to be had. */
hy_crew *hy_crew_start(uint32_t threads);
/* Runs task(context, i) in each thread i; returns the nanoseconds it took. */
uint64_t hy_crew_run(hy_crew *crew, hy_crew_task task, void *context);
/* Gives each thread a core of its own, where there are enough: two that spin on one core would time the
 * scheduler. To be called after all allocators have begun, because some ask for their cores then. The
 * caller's own place is given back by hy_crew_stop. */
void hy_crew_pin(hy_crew *crew);
uint32_t hy_crew_threads(const hy_crew *crew);
/* Within a task: waits until all of the crew's threads have come here. True for one of them: that one alone
 * goes on, does what nobody may see half done, and lets the others go by hy_crew_part. All of a crew's tasks
 * meet equally often. With one thread it is true at once. */
bool hy_crew_meet(hy_crew *crew);
void hy_crew_part(hy_crew *crew);
void hy_crew_stop(hy_crew *crew);

HY_END_DECLS

#endif
