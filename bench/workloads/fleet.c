/* fleet.c: programs of a fleet of data centres, by what they allocate and how long it lives.
 *
 * A profile is a table of sizes: how often each is allocated, and how many of it are live. The two give its
 * mean lifetime, in allocations: live / allocated. The live set has `mib` MiB, of as many blocks as that is.
 *
 * The sequence is made before the first epoch: one allocation a step, of a random size and a random lifetime
 * (exponential), and at each step the frees of those whose lifetime ends. It is a ring: a block that is
 * allocated near its end is freed near its begin, so that any number of operations sees the same state.
 * Blocks whose lifetimes are longer than the ring stay for good: the fill allocates as many as the ring lacks
 * of the profile's live ones. Rows that give each block pages of its own, or let it rest before it serves
 * again, are left out: they are no allocators for such programs.
 *
 * The figures are drawn from five of the ten profiles of google/fleetbench (Apache License 2.0), files
 * fleetbench/tcmalloc/distributions/TCMALLOC_1, _5, _6, _7 and _8.csv, each with about a thousand lines of
 * size, rate of allocation and number live. Sizes above 8 MiB were left out: in the source's heaps, which are
 * up to a thousand times larger, there are a few of them, and less than one at the scales here. The ten sizes
 * that are allocated most often stand for themselves. The others were gathered between powers of two (above
 * 16 KiB: 64 KiB, 256 KiB, 1 MiB and 8 MiB), each group as one size: the mean over its live blocks, as a
 * multiple of 8. No size is below 8. Rates and numbers are parts per million of the profile's, rounded.
 */
#include "bench/session.h"
#include <math.h>

#define MIB_MAX 256
/* The ring's steps, for each live block: several lifetimes. */
#define RING_LIVES 4
#define RING_MIN 4096
/* Steps between the fetch of a block's place and its free. */
#define AHEAD 8
#define MILLION 1e6

typedef struct fleet_size {
    uint32_t size, allocated_ppm, live_ppm;
} fleet_size;

typedef struct fleet_profile {
    uint64_t number; /* as in the source */
    const fleet_size *sizes;
    size_t count;
} fleet_profile;

/* clang-format off: figures, a row a size. */
static const fleet_size profile_1[] = {
    {8, 16893, 36645},
    {16, 110814, 40793},
    {24, 113238, 115218},
    {32, 157748, 109269},
    {40, 92580, 81320},
    {48, 110500, 123717},
    {56, 35359, 49303},
    {64, 85070, 68536},
    {72, 33761, 47300},
    {96, 54890, 126676},
    {112, 23240, 20931},
    {128, 33754, 23360},
    {192, 73323, 103670},
    {328, 12074, 35097},
    {736, 24893, 7461},
    {1512, 4071, 5728},
    {3296, 13289, 3178},
    {5976, 3832, 1250},
    {11920, 197, 249},
    {31480, 405, 263},
    {122984, 53, 33},
    {388448, 17, 4},
};
static const fleet_size profile_5[] = {
    {8, 44768, 41589},
    {16, 69148, 91697},
    {24, 130648, 163498},
    {32, 127032, 128520},
    {40, 61688, 72230},
    {48, 128521, 114993},
    {56, 33321, 41234},
    {64, 78758, 66758},
    {80, 39891, 40558},
    {96, 33348, 33353},
    {104, 93344, 92632},
    {184, 74799, 61093},
    {384, 33387, 26743},
    {744, 27383, 8835},
    {1608, 7532, 5408},
    {3648, 9105, 6092},
    {7104, 4585, 1945},
    {14704, 1052, 2011},
    {38024, 1314, 700},
    {114608, 338, 92},
    {583080, 27, 12},
    {2531544, 9, 6},
};
static const fleet_size profile_6[] = {
    {8, 38572, 5957},
    {16, 77190, 30162},
    {24, 54241, 244233},
    {32, 124546, 129003},
    {40, 42199, 18589},
    {48, 139054, 167851},
    {56, 21290, 4498},
    {64, 90755, 102572},
    {80, 110048, 234476},
    {112, 35054, 10489},
    {192, 92152, 34213},
    {344, 41358, 10622},
    {704, 33407, 2151},
    {1536, 23854, 1282},
    {3152, 15556, 396},
    {4096, 28605, 373},
    {7568, 27436, 2362},
    {16080, 2992, 681},
    {31800, 1580, 69},
    {189128, 106, 17},
    {882712, 3, 2},
    {1992256, 1, 4},
};
static const fleet_size profile_7[] = {
    {8, 49292, 17286},
    {16, 82599, 32304},
    {24, 92354, 184632},
    {32, 113961, 140189},
    {40, 36008, 72908},
    {48, 95912, 54100},
    {56, 22643, 31612},
    {64, 116566, 73585},
    {80, 32201, 52537},
    {96, 108480, 104231},
    {128, 33605, 14881},
    {168, 68628, 92532},
    {384, 90007, 38001},
    {728, 22068, 21024},
    {1512, 15781, 12045},
    {3528, 12443, 17922},
    {7960, 4512, 17171},
    {15832, 708, 10889},
    {32360, 1601, 12002},
    {135528, 611, 128},
    {483944, 20, 16},
    {2181256, 0, 3},
};
static const fleet_size profile_8[] = {
    {16, 107869, 57197},
    {24, 18849, 93544},
    {32, 100596, 200035},
    {40, 17618, 46409},
    {48, 289404, 91981},
    {56, 17650, 29707},
    {64, 69819, 73941},
    {88, 64337, 229696},
    {128, 15666, 10517},
    {200, 71621, 69910},
    {256, 26165, 3600},
    {336, 49340, 34299},
    {640, 35762, 23215},
    {1352, 37093, 7247},
    {3104, 18898, 1506},
    {4096, 20692, 824},
    {5056, 2641, 2392},
    {8192, 21935, 18572},
    {14648, 2248, 798},
    {48992, 7037, 690},
    {128472, 4744, 52},
    {657744, 15, 2},
    {2181712, 1, 3865},
};
/* clang-format on */

#define PROFILE(number)                                                                                      \
    { number, profile_##number, sizeof profile_##number / sizeof profile_##number[0] }

static const fleet_profile profiles[] = {PROFILE(1), PROFILE(5), PROFILE(6), PROFILE(7), PROFILE(8)};

typedef struct fleet_params {
    const fleet_profile *profile;
    uint64_t mib;
} fleet_params;

/* A place in the ring, or one of the blocks that stay. */
typedef struct fleet_block {
    void *ptr; /* NULL: not live */
    uint32_t size;
    uint32_t end; /* the step at which it is freed */
} fleet_block;

typedef struct fleet_session {
    hy_session head;
    fleet_block *blocks; /* one a step, then those that stay */
    size_t steps, staying;
    uint32_t *frees;      /* steps whose blocks are freed, in the order of their ends; then AHEAD zeros */
    uint32_t *first_free; /* where those of a step begin in `frees`; steps + 1 of them */
    size_t step;          /* the next one */
} fleet_session;

static bool parse(const char *params, fleet_params *out) {
    uint64_t number;
    if (!hy_params_number(params, "mib", &out->mib) || !hy_params_number(params, "profile", &number))
        return false;
    if (out->mib < 1 || out->mib > MIB_MAX) return false;
    for (size_t i = 0; i < sizeof profiles / sizeof profiles[0]; i++) {
        out->profile = &profiles[i];
        if (profiles[i].number == number) return true;
    }
    return false;
}

static double live_blocks(const fleet_params *params) {
    double mean = 0;
    for (size_t i = 0; i < params->profile->count; i++)
        mean += params->profile->sizes[i].size * (params->profile->sizes[i].live_ppm / MILLION);
    return (double)(params->mib << 20) / mean;
}

/* Chance makes it more or less; of the largest sizes, there may be a few where the mean is below one. */
static bool demand(const char *params, hy_demand *out) {
    fleet_params parsed;
    if (!parse(params, &parsed)) return false;
    size_t greatest = parsed.profile->sizes[parsed.profile->count - 1].size;
    *out = (hy_demand){
        .greatest_size = greatest,
        .greatest_align = HY_BENCH_ALIGN,
        .live_bytes = (parsed.mib << 20) + (parsed.mib << 18) + 4 * greatest,
        .live_blocks = (uint64_t)(1.25 * live_blocks(&parsed)) + 64,
        .mixed_sizes = true,
    };
    return true;
}

/* Between 0 and 1, without 1. */
static double random_fraction(uint64_t *state) {
    return (double)(hy_random_next(state) >> 11) * 0x1p-53;
}

static const fleet_size *random_size(const fleet_profile *profile, uint64_t *state) {
    uint32_t total = 0;
    for (size_t i = 0; i < profile->count; i++)
        total += profile->sizes[i].allocated_ppm;
    uint32_t chosen = hy_random_below(state, total);
    const fleet_size *size = profile->sizes;
    for (; chosen >= size->allocated_ppm; size++)
        chosen -= size->allocated_ppm;
    return size;
}

/* The mean lifetime of a size, in steps, where so many blocks are live; of one that is allocated at all. */
static double lifetime(const fleet_size *size, double live) {
    return live * size->live_ppm / size->allocated_ppm;
}

/* How many of a size stay: those that the profile has live beyond what the ring will have, on the average. */
static size_t staying_of(const fleet_size *size, double live, size_t steps) {
    double wanted = live * size->live_ppm / MILLION, ring = 0;
    if (size->allocated_ppm > 0 && size->live_ppm > 0) {
        double mean = lifetime(size, live);
        ring = size->allocated_ppm / MILLION * mean * -expm1(-(double)steps / mean);
    }
    return (size_t)(wanted - ring + 0.5);
}

static void draw_steps(fleet_session *session, const fleet_profile *profile, double live, uint64_t seed) {
    for (size_t step = 0; step < session->steps; step++) {
        const fleet_size *size = random_size(profile, &seed);
        double life = -log1p(-random_fraction(&seed)) * lifetime(size, live);
        size_t most = session->steps - 1;
        size_t steps = life < (double)most ? (size_t)life : most;
        session->blocks[step].size = size->size;
        session->blocks[step].end = (uint32_t)((step + steps) % session->steps);
    }
}

/* Sorts the steps by the ends of their blocks, by counting. */
static void sort_frees(fleet_session *session) {
    for (size_t step = 0; step < session->steps; step++)
        session->first_free[session->blocks[step].end + 1]++;
    for (size_t step = 0; step < session->steps; step++)
        session->first_free[step + 1] += session->first_free[step];
    /* Each end's first place moves on as its places are taken, and is the next one's at last. */
    for (size_t step = 0; step < session->steps; step++)
        session->frees[session->first_free[session->blocks[step].end]++] = (uint32_t)step;
    for (size_t step = session->steps; step > 0; step--)
        session->first_free[step] = session->first_free[step - 1];
    session->first_free[0] = 0;
}

static void add_staying(fleet_session *session, const fleet_profile *profile, double live) {
    size_t at = session->steps;
    for (size_t i = 0; i < profile->count; i++) {
        size_t count = staying_of(&profile->sizes[i], live, session->steps);
        for (size_t end = at + count; at < end; at++)
            session->blocks[at].size = profile->sizes[i].size;
    }
}

static void end(hy_session *head) {
    fleet_session *session = (fleet_session *)head;
    hy_free_n(hy_bench_memory(), session->blocks, session->steps + session->staying);
    hy_free_n(hy_bench_memory(), session->frees, session->steps + AHEAD);
    hy_free_n(hy_bench_memory(), session->first_free, session->steps + 1);
    hy_destroy(hy_bench_memory(), session);
}

static hy_session *begin(
    const hy_workload *workload, const char *params, uint32_t threads, uint64_t seed, hy_instance *instance) {
    (void)threads;
    fleet_params parsed;
    fleet_session *session = parse(params, &parsed) ? hy_create(hy_bench_memory(), fleet_session) : NULL;
    if (!session) return NULL;
    double live = live_blocks(&parsed);
    *session = (fleet_session){.steps = (size_t)(RING_LIVES * live)};
    hy_session_start(&session->head, workload, instance);
    if (session->steps < RING_MIN) session->steps = RING_MIN;
    for (size_t i = 0; i < parsed.profile->count; i++)
        session->staying += staying_of(&parsed.profile->sizes[i], live, session->steps);
    session->blocks = hy_alloc_zeroed(hy_bench_memory(), fleet_block, session->steps + session->staying);
    session->frees = hy_alloc_zeroed(hy_bench_memory(), uint32_t, session->steps + AHEAD);
    session->first_free = hy_alloc_zeroed(hy_bench_memory(), uint32_t, session->steps + 1);
    if (!session->blocks || !session->frees || !session->first_free) {
        end(&session->head);
        return NULL;
    }
    draw_steps(session, parsed.profile, live, seed);
    sort_frees(session);
    add_staying(session, parsed.profile, live);
    return &session->head;
}

HY_INLINE void take(fleet_session *session, hy_allocator allocator, size_t index) {
    fleet_block *block = &session->blocks[index];
    block->ptr = hy_take_block(&session->head, allocator, block->size, index);
}

HY_INLINE uint64_t loop(fleet_session *session, hy_allocator allocator, uint64_t operations, bool verify) {
    uint64_t checksum = 0;
    const uint32_t *frees = session->frees, *first_free = session->first_free;
    size_t step = session->step;
    for (uint64_t done = 0; done < operations; done++) {
        size_t last = first_free[step + 1];
        take(session, allocator, step);
        for (size_t i = first_free[step]; i < last; i++) {
            __builtin_prefetch(&session->blocks[frees[i + AHEAD]], 1);
            fleet_block *block = &session->blocks[frees[i]];
            checksum = hy_give_block(allocator, block->ptr, block->size, checksum, verify);
            block->ptr = NULL;
        }
        step = step + 1 < session->steps ? step + 1 : 0;
    }
    session->step = step;
    return checksum;
}

static uint64_t epoch(hy_session *head, uint64_t operations, uint64_t *done) {
    fleet_session *session = (fleet_session *)head;
    *done = operations;
    if (head->empty) return loop(session, hy_empty_allocator(head), operations, false);
    if (head->verify) return loop(session, head->allocator, operations, true);
    return loop(session, head->allocator, operations, false);
}

/* What is live where the ring begins: blocks that will be freed before their own step comes again. Those that
 * stay are spread among them. Then the ring once. */
static void fill(hy_session *head) {
    fleet_session *session = (fleet_session *)head;
    uint64_t done;
    size_t stayed = 0;
    session->step = 0;
    for (size_t step = 0; step < session->steps; step++) {
        if (session->blocks[step].end < step) take(session, head->allocator, step);
        for (; stayed * session->steps < session->staying * (step + 1); stayed++)
            take(session, head->allocator, session->steps + stayed);
    }
    epoch(head, session->steps, &done);
}

static uint64_t live_bytes(hy_session *head) {
    const fleet_session *session = (fleet_session *)head;
    uint64_t bytes = 0;
    for (size_t i = 0; i < session->steps + session->staying; i++)
        bytes += session->blocks[i].ptr ? session->blocks[i].size : 0;
    return bytes;
}

static void free_all(hy_session *head) {
    fleet_session *session = (fleet_session *)head;
    for (size_t i = 0; i < session->steps + session->staying; i++) {
        hy_free(head->allocator, session->blocks[i].ptr, session->blocks[i].size, HY_BENCH_ALIGN);
        session->blocks[i].ptr = NULL;
    }
}

static const hy_cell cells[] = {
    {"mib=2;profile=1", 1, HY_TIER_QUICK},
    {"mib=4;profile=5", 1, HY_TIER_STANDARD},
    {"mib=4;profile=6", 1, HY_TIER_STANDARD},
    {"mib=4;profile=7", 1, HY_TIER_STANDARD},
    {"mib=4;profile=8", 1, HY_TIER_STANDARD},
    {"mib=93;profile=1", 1, HY_TIER_FULL},
    {"mib=64;profile=5", 1, HY_TIER_FULL},
    {"mib=64;profile=6", 1, HY_TIER_FULL},
    {"mib=64;profile=7", 1, HY_TIER_FULL},
    {"mib=64;profile=8", 1, HY_TIER_FULL},
};

const hy_workload hy_fleet_workload = {
    .name = "fleet",
    .summary =
        "Allocates and frees with the sizes and the lifetimes of a program of a data centre's fleet, by one "
        "of five profiles. It models servers as they are, by figures instead of recorded calls.",
    .operation = "one allocation and one free",
    .needs = HY_TRAIT_FREE_ANY | HY_TRAIT_REAL_FREE,
    .excludes = HY_TRAIT_REFUSES_ALL | HY_TRAIT_WHOLE_PAGES | HY_TRAIT_QUARANTINES,
    .layers_elsewhere = true,
    .cells = cells,
    .cell_count = sizeof cells / sizeof cells[0],
    .smoke_params = "mib=1;profile=7",
    .demand = demand,
    .begin = begin,
    .fill = fill,
    .epoch = epoch,
    .live_bytes = live_bytes,
    .free_all = free_all,
    .end = end,
};
