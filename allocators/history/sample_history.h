/* sample_history.h: generates legal histories of several threads, with hand-overs, for tests. */
#ifndef HEAPYARD_SAMPLE_HISTORY_H
#define HEAPYARD_SAMPLE_HISTORY_H

#include "allocators/history/tracker.h"

/* The pseudo-random numbers that choose the operations. */
typedef struct hy_sample_random {
    uint64_t state;
} hy_sample_random;

static inline uint64_t hy_sample_next(hy_sample_random *random, uint64_t below) {
    random->state = random->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (random->state >> 33) % below;
}

/* A size as programs request them: mostly small, sometimes of many pages, sometimes 0. */
static inline uint64_t hy_sample_size(hy_sample_random *random) {
    switch (hy_sample_next(random, 16)) {
    case 0:
        return hy_sample_next(random, 3);
    case 1:
        return hy_sample_next(random, 20000);
    default:
        return 1 + hy_sample_next(random, 200);
    }
}

/* Appends `count` calls of `threads` threads to an empty, initialised history. Addresses are made up; any
 * thread may free a block. False: out of memory. */
static inline bool hy_sample_history(hy_history *history, uint64_t seed, size_t count, uint16_t threads) {
    enum { PLACES = 300 };
    bool live[PLACES] = {false};
    hy_sample_random random = {.state = seed};
    hy_tracker tracker;
    hy_tracker_init(&tracker, history, history->allocator);
    bool good = true;
    for (size_t i = 0; i < count && good; i++) {
        uint64_t place = hy_sample_next(&random, PLACES);
        uint64_t address = (place + 1) << 20;
        uint64_t size = hy_sample_size(&random);
        uint16_t thread = (uint16_t)hy_sample_next(&random, threads);
        if (!live[place]) {
            uint8_t log2 = hy_sample_next(&random, 10) == 0 ? 6 : hy_malloc_align_log2(size);
            uint8_t flags = hy_sample_next(&random, 5) == 0 ? HY_OP_ZEROED : 0;
            good = hy_tracker_alloc(&tracker, thread, address, size, log2, flags);
            live[place] = true;
        } else if (hy_sample_next(&random, 4) == 0) {
            bool refused = hy_sample_next(&random, 8) == 0;
            good = hy_tracker_change_begin(&tracker, thread, address) &&
                   hy_tracker_change_end(&tracker, thread, HY_OP_REALLOC, refused ? 0 : address, size + 1);
        } else {
            good = hy_tracker_free(&tracker, thread, address, 0);
            live[place] = false;
        }
    }
    for (uint16_t thread = 0; thread < threads && good; thread++)
        good = hy_tracker_thread_end(&tracker, thread);
    hy_tracker_deinit(&tracker);
    return good;
}

#endif
