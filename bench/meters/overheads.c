/* overheads.c: what the language-side comforts cost over doing without: one line of JSON for each.
 *
 * Each comparison is two loops that do the same work, one with the comfort and one by hand, over an allocator
 * that the compiler does not know. Rounds are interleaved as the sampler's: plain, with, with, plain, each a
 * warm-up and a timed epoch. A round gives each side one number, so that they pair. The bound, in
 * nanoseconds beyond the plain loop, is what the project aims at; 0: there is none.
 */
#include "bench/meters.h"
#include "bench/meters/record.h"
#include "bench/options.h"
#include "bench/thread_team.h"
#include <heapyard/handle.h>
#include <heapyard/libc.h>
#include <heapyard/scope.h>
#include <heapyard/typed.h>
#include <stdio.h>

#define ROUNDS_MAX 1000
#define OPERATIONS 20000
#define OBJECTS 1000
#define BLOCK_BYTES 64

/* What all loops work on. */
typedef struct stage {
    hy_allocator gpa; /* hands out one block, through a table that the compiler can't see through */
    hy_headered headered;
    hy_handles handles;
    hy_handle named[OBJECTS]; /* in an order of their own */
    uint64_t *pointers[OBJECTS];
} stage;

typedef uint64_t (*loop)(stage *it, uint64_t count);

/* ---- allocators that are ambient, and that are passed ---- */

static _Alignas(64) char the_block[BLOCK_BYTES + 64];

static void *one_alloc(void *self, size_t size, hy_align align) {
    (void)self, (void)size, (void)align;
    return the_block;
}

static const hy_vtable one_vtable = {one_alloc, hy_refuse_resize, hy_refuse_remap, hy_ignore_free};

static uint64_t pair_of_parameter(stage *it, uint64_t count) {
    hy_allocator gpa = it->gpa;
    for (uint64_t i = 0; i < count; i++) {
        void *ptr = hy_alloc(gpa, BLOCK_BYTES, HY_ALIGN_16);
        hy_opaque(ptr);
        hy_free(gpa, ptr, BLOCK_BYTES, HY_ALIGN_16);
    }
    return count;
}

static uint64_t pair_of_ambient(stage *it, uint64_t count) {
    HY_USING(it->gpa) {
        for (uint64_t i = 0; i < count; i++) {
            void *ptr = hy_alloc(hy_ambient(), BLOCK_BYTES, HY_ALIGN_16);
            hy_opaque(ptr);
            hy_free(hy_ambient(), ptr, BLOCK_BYTES, HY_ALIGN_16);
        }
    }
    return count;
}

static uint64_t sizeless_of_parameter(stage *it, uint64_t count) {
    for (uint64_t i = 0; i < count; i++) {
        void *ptr = hy_headered_malloc(&it->headered, BLOCK_BYTES);
        hy_opaque(ptr);
        hy_headered_free(&it->headered, ptr);
    }
    return count;
}

static uint64_t sizeless_of_ambient(stage *it, uint64_t count) {
    HY_USING(it->gpa) {
        for (uint64_t i = 0; i < count; i++) {
            void *ptr = hy_ambient_alloc(BLOCK_BYTES);
            hy_opaque(ptr);
            hy_ambient_free(ptr);
        }
    }
    return count;
}

static uint64_t pair_in_a_block(stage *it, uint64_t count) {
    for (uint64_t i = 0; i < count; i++) {
        HY_USING(it->gpa) {
            void *ptr = hy_alloc(hy_ambient(), BLOCK_BYTES, HY_ALIGN_16);
            hy_opaque(ptr);
            hy_free(hy_ambient(), ptr, BLOCK_BYTES, HY_ALIGN_16);
        }
    }
    return count;
}

/* ---- what runs at the end ---- */

static void end_block(void *block) {
    hy_opaque(block);
}

static uint64_t end_by_hand(stage *it, uint64_t count) {
    (void)it;
    for (uint64_t i = 0; i < count; i++) {
        hy_opaque(the_block);
        end_block(the_block);
    }
    return count;
}

static uint64_t end_deferred(stage *it, uint64_t count) {
    (void)it;
    for (uint64_t i = 0; i < count; i++) {
        HY_DEFER(end_block, the_block);
        hy_opaque(the_block);
    }
    return count;
}

/* ---- objects that are named by pointers, and by handles ---- */

static uint64_t read_by_pointer(stage *it, uint64_t count) {
    uint64_t sum = 0;
    for (uint64_t i = 0; i < count;) {
        for (size_t k = 0; k < OBJECTS && i < count; k++, i++) {
            sum += *it->pointers[k];
            hy_opaque(&sum);
        }
    }
    return sum;
}

static uint64_t read_by_handle(stage *it, uint64_t count) {
    uint64_t sum = 0;
    for (uint64_t i = 0; i < count;) {
        for (size_t k = 0; k < OBJECTS && i < count; k++, i++) {
            const uint64_t *object = hy_handles_get(&it->handles, it->named[k]);
            if (object) sum += *object;
            hy_opaque(&sum);
        }
    }
    return sum;
}

/* ---- the comparisons ---- */

typedef struct comparison {
    const char *name, *what, *operation;
    loop plain, with;
    double bound_ns;
} comparison;

static const comparison comparisons[] = {
    {"ambient", "hy_ambient() for the allocator of a call, over one that was passed",
        "one allocation and its free", pair_of_parameter, pair_of_ambient, 1.5},
    {"ambient_sizeless", "hy_ambient_alloc and hy_ambient_free, over a headered allocator that was passed",
        "one allocation and its free", sizeless_of_parameter, sizeless_of_ambient, 1.5},
    {"using", "a block HY_USING around each allocation and its free", "one block with a pair in it",
        pair_of_parameter, pair_in_a_block, 0},
    {"defer", "HY_DEFER, over a call at the end", "one block of code", end_by_hand, end_deferred, 0},
    {"handle", "hy_handles_get of one of 1,000 objects in random order, over a pointer", "one object read",
        read_by_pointer, read_by_handle, 1.0},
};
#define COMPARISONS (sizeof comparisons / sizeof *comparisons)

static bool set_up(stage *it, uint64_t seed) {
    it->gpa = (hy_allocator){it, &one_vtable};
    hy_opaque(&it->gpa);
    hy_headered_init(&it->headered, it->gpa);
    hy_handles_init(&it->handles, hy_libc(), hy_libc(), sizeof(uint64_t), HY_ALIGN_8);
    for (size_t i = 0; i < OBJECTS; i++) {
        it->pointers[i] = hy_handles_create(&it->handles, &it->named[i]);
        if (!it->pointers[i]) return false;
        *it->pointers[i] = i;
    }
    for (size_t i = OBJECTS - 1; i > 0; i--) {
        seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        size_t other = (size_t)(seed >> 33) % (i + 1);
        hy_handle handle = it->named[i];
        it->named[i] = it->named[other];
        it->named[other] = handle;
    }
    for (size_t i = 0; i < OBJECTS; i++)
        it->pointers[i] = hy_handles_get(&it->handles, it->named[i]);
    return true;
}

static double epoch_ns(stage *it, loop run) {
    hy_opaque(it);
    run(it, OPERATIONS / 10);
    uint64_t start = hy_clock_ns();
    uint64_t sum = run(it, OPERATIONS);
    uint64_t end = hy_clock_ns();
    hy_opaque(&sum);
    return (double)(end - start) / OPERATIONS;
}

typedef struct result {
    const comparison *of;
    uint64_t process, rounds;
    double plain[ROUNDS_MAX], with[ROUNDS_MAX];
} result;

static void measure(stage *it, result *out) {
    for (uint64_t i = 0; i < out->rounds; i++) {
        double plain = epoch_ns(it, out->of->plain), with = epoch_ns(it, out->of->with);
        with += epoch_ns(it, out->of->with);
        plain += epoch_ns(it, out->of->plain);
        out->plain[i] = plain / 2;
        out->with[i] = with / 2;
    }
}

static void write_side(hy_json *json, const char *name, const double *values, uint64_t count) {
    hy_json_begin(json, name, '[');
    for (uint64_t i = 0; i < count; i++)
        hy_json_real(json, NULL, values[i], 7);
    hy_json_end(json, ']');
}

static void write_members(hy_json *json, const void *context) {
    const result *it = context;
    hy_json_text(json, "kind", "overhead");
    hy_json_text(json, "name", it->of->name);
    hy_json_text(json, "what", it->of->what);
    hy_json_text(json, "operation", it->of->operation);
    hy_json_real(json, "bound_ns", it->of->bound_ns, 4);
    hy_json_number(json, "process", it->process);
    write_side(json, "plain_ns", it->plain, it->rounds);
    write_side(json, "with_ns", it->with, it->rounds);
}

static int run(int argc, char **argv) {
    const char *rounds = NULL, *process = NULL, *seed = NULL;
    const hy_option table[] = {
        {.name = "rounds", .value = &rounds, .help = "rounds; each is two epochs of each side (30)"},
        {.name = "process", .value = &process, .help = "number of this process, for the record (0)"},
        {.name = "seed", .value = &seed, .help = "of the order of objects (1)"},
    };
    if (!hy_options_parse("overheads", argc, argv, table, sizeof table / sizeof table[0]))
        return HY_EXIT_USAGE;
    static result it;
    uint64_t number = 1;
    it.rounds = 30;
    if (rounds && !hy_options_number("overheads", "rounds", rounds, 1, ROUNDS_MAX, &it.rounds))
        return HY_EXIT_USAGE;
    if (process && !hy_options_number("overheads", "process", process, 0, UINT32_MAX, &it.process))
        return HY_EXIT_USAGE;
    if (seed && !hy_options_number("overheads", "seed", seed, 0, UINT64_MAX, &number)) return HY_EXIT_USAGE;
    static stage set;
    int status = set_up(&set, number) ? HY_EXIT_GOOD : HY_EXIT_HARNESS;
    for (size_t i = 0; i < COMPARISONS && status == HY_EXIT_GOOD; i++) {
        it.of = &comparisons[i];
        measure(&set, &it);
        status = hy_record_append("overheads", NULL, write_members, &it);
    }
    hy_handles_deinit(&set.handles);
    return status;
}

const hy_meter hy_overheads_meter = {
    .name = "overheads",
    .summary = "what scopes and handles cost over doing without: one line of JSON each",
    .run = run,
};
