/* races.h: finds data races of fibres (schedule.h) by what orders their accesses, whatever order they ran in.
 *
 * Two accesses to the same bytes, one of them a write and one of them plain, are a race unless something
 * orders them: a lock, or an atomic access that acquires what another one released. Each fibre has a vector
 * clock, each lock and atomic variable the clock that it was released with, each word of memory who wrote and
 * who read it last and when (Flanagan and Freund, "FastTrack", 2009). So a lock that is not taken and an
 * order of memory that is too weak are found by any schedule that has both accesses, however far apart they
 * are.
 *
 * The scheduler announces locks, the library's atomic accesses announce themselves (schedule_points.h), and
 * its plain ones where the compiler can: clang's -fsanitize-coverage=trace-loads,trace-stores (HY_RACES).
 */
#ifndef HEAPYARD_FUZZ_RACES_H
#define HEAPYARD_FUZZ_RACES_H

#include <heapyard/config.h>

typedef enum hy_access { HY_READS, HY_WRITES } hy_access;

/* Whether malloc and free order threads here, as those that serve several do: in builds with
 * AddressSanitizer. */
bool hy_races_sees_malloc(void);

/* The running fibre has a block from malloc, or gives one back to it: for who stands in malloc's place. */
void hy_races_malloc_gives(void);
void hy_races_malloc_takes(void);

/* Forgets all accesses: what follows comes after them. judges: whether races are looked for until the next.
 */
void hy_races_begin(bool judges);

/* The running fibre orders itself behind those that released at this address, and those that acquire behind
 * it. */
void hy_races_acquire(const volatile void *address);
void hy_races_release(const volatile void *address);

/* Behind all that the others did so far: for a fork, whose child is alone with it. */
void hy_races_acquire_all(void);

/* A moment of a fibre: now, of the running one; and whether the running one lies behind it. */
typedef struct hy_race_time {
    unsigned fibre;
    uint32_t clock;
} hy_race_time;

hy_race_time hy_races_now(void);
bool hy_races_knows(hy_race_time time);

/* The running fibre accesses memory; where: in the code, NULL: what a
 * thread does with its block. A race is a finding. Does nothing while no fibre
 * runs. */
void hy_races_access(hy_access access, const void *address, size_t size, const void *where);

#endif
