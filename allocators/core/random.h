/* random.h: SplitMix64, a small generator of numbers: each seed gives a sequence of its own, the same on
 * every machine. Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014.
 */
#ifndef HEAPYARD_CORE_RANDOM_H
#define HEAPYARD_CORE_RANDOM_H

#include <heapyard/config.h>

/* The next number of the sequence that began with *state as its seed. */
HY_INLINE uint64_t hy_random_next(uint64_t *state) {
    uint64_t z = (*state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

#endif
