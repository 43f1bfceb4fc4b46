/* vectors.c: vectors and strings that grow.
 *
 * Many are alive at once and grow in random order. With `growth`, they are vectors: one that is full grows to
 * `growth` percent of its capacity. With `append`, they are strings: one grows by 1 to `append` bytes, and is
 * as long as its block. One that has reached `largest` bytes is freed and begun anew. Every other one
 * grows by hy_realloc; the rest as a vector does that knows how much of its block is used: by hy_resize, and
 * where that is refused by a new block, a copy and a free.
 *
 * What is new in a block is written, and is there after each growth: the k-th word of a vector is
 * hy_first_word(serial, k), serial the number of vectors begun before it.
 * Rows that give each block pages of its own are left out: a growth of a few bytes is a system call there.
 */
#include "bench/session.h"

#define ALIVE_MAX 65536
#define GROWTH_MIN 125 /* percent: so that the first block grows by a word */
#define GROWTH_MAX 400
#define TABLE_COUNT 8192
/* The first block of a vector, and at most that of a string. */
#define FIRST_BYTES 64
/* Operations, for each that is alive, until they are of all sizes. */
#define FILL_GROWTHS 16
#define FILL_APPENDS 64

typedef struct vectors_params {
    uint64_t alive, largest, growth, append; /* growth or append is 0 */
} vectors_params;

typedef struct growing {
    char *block;
    size_t size;
    uint64_t serial;
} growing;

typedef struct vectors_session {
    hy_session head;
    vectors_params params;
    growing *vectors;
    uint32_t *turns;   /* which one grows */
    uint32_t *appends; /* by how much a string does */
    uint64_t cursor;   /* where these tables stand, modulo TABLE_COUNT */
    uint64_t serial;   /* vectors begun */
} vectors_session;

static bool parse(const char *params, vectors_params *out) {
    if (!hy_params_number(params, "alive", &out->alive)) return false;
    if (!hy_params_number(params, "largest", &out->largest)) return false;
    bool grows = hy_params_number(params, "growth", &out->growth);
    bool appends = hy_params_number(params, "append", &out->append);
    if (grows == appends || out->alive < 1 || out->alive > ALIVE_MAX) return false;
    if (out->largest < 2 * FIRST_BYTES || out->largest > HY_BENCH_SIZE_MAX) return false;
    if (grows) return out->growth >= GROWTH_MIN && out->growth <= GROWTH_MAX;
    return out->append >= HY_BENCH_SIZE_MIN && out->append <= FIRST_BYTES;
}

static bool demand(const char *params, hy_demand *out) {
    vectors_params parsed = {0};
    if (!parse(params, &parsed)) return false;
    *out = (hy_demand){
        .greatest_size = parsed.largest,
        .greatest_align = HY_BENCH_ALIGN,
        .live_bytes = (parsed.alive + 1) * parsed.largest,
        .live_blocks = parsed.alive + 1,
        .mixed_sizes = true,
    };
    return true;
}

static void end(hy_session *head) {
    vectors_session *session = (vectors_session *)head;
    hy_free_n(hy_bench_memory(), session->vectors, session->params.alive);
    hy_free_n(hy_bench_memory(), session->turns, TABLE_COUNT);
    hy_free_n(hy_bench_memory(), session->appends, TABLE_COUNT);
    hy_destroy(hy_bench_memory(), session);
}

static hy_session *begin(
    const hy_workload *workload, const char *params, uint32_t threads, uint64_t seed, hy_instance *instance) {
    (void)threads;
    vectors_params parsed = {0};
    vectors_session *session = parse(params, &parsed) ? hy_create(hy_bench_memory(), vectors_session) : NULL;
    if (!session) return NULL;
    *session = (vectors_session){.params = parsed};
    hy_session_start(&session->head, workload, instance);
    session->vectors = hy_alloc_zeroed(hy_bench_memory(), growing, parsed.alive);
    session->turns = hy_random_table(seed, TABLE_COUNT, parsed.alive);
    session->appends = hy_random_table(seed + 1, TABLE_COUNT, parsed.append ? parsed.append : 1);
    if (session->vectors && session->turns && session->appends) return &session->head;
    end(&session->head);
    return NULL;
}

/* No allocator at all: every block is the same and has room for all. */
static bool grant_resize(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    (void)self, (void)ptr, (void)old_size, (void)new_size, (void)align;
    return true;
}

static void *keep_in_place(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    (void)self, (void)old_size, (void)new_size, (void)align;
    return ptr;
}

static const hy_vtable roomy_vtable = {hy_empty_alloc, grant_resize, keep_in_place, hy_empty_free};

/* The byte of a vector's content that stands there. */
static char content_byte(size_t at, uint64_t serial) {
    uint64_t word = hy_first_word(serial, at / sizeof word);
    return ((const char *)&word)[at % sizeof word];
}

/* The bytes from `from` up to `to`: by words, but for those that `from` and `to` cut. */
static void write_content(char *block, size_t from, size_t to, uint64_t serial) {
    size_t at = from;
    for (; at < to && at % sizeof(uint64_t) != 0; at++)
        block[at] = content_byte(at, serial);
    for (; at + sizeof(uint64_t) <= to; at += sizeof(uint64_t)) {
        uint64_t word = hy_first_word(serial, at / sizeof word);
        memcpy(block + at, &word, sizeof word);
    }
    for (; at < to; at++)
        block[at] = content_byte(at, serial);
}

/* All bytes, into the checksum. */
static uint64_t read_content(const growing *vector, uint64_t checksum) {
    uint64_t word;
    size_t at = 0;
    for (; at + sizeof word <= vector->size; at += sizeof word) {
        memcpy(&word, vector->block + at, sizeof word);
        checksum = hy_checksum_add(checksum, word);
    }
    word = 0;
    memcpy(&word, vector->block + at, vector->size - at);
    return hy_checksum_add(checksum, word);
}

static size_t next_size(const vectors_session *session, size_t size) {
    const vectors_params *params = &session->params;
    size_t grown = params->growth ? size * params->growth / 100 / sizeof(uint64_t) * sizeof(uint64_t)
                                  : size + 1 + session->appends[session->cursor & (TABLE_COUNT - 1)];
    return grown < params->largest ? grown : params->largest;
}

/* As a vector grows that knows how much of its block is used. */
HY_INLINE char *resize_or_move(hy_allocator allocator, const growing *vector, size_t size) {
    if (hy_resize(allocator, vector->block, vector->size, size, HY_BENCH_ALIGN)) return vector->block;
    char *moved = hy_alloc(allocator, size, HY_BENCH_ALIGN);
    if (!moved) return NULL;
    memcpy(moved, vector->block, vector->size);
    hy_free(allocator, vector->block, vector->size, HY_BENCH_ALIGN);
    return moved;
}

HY_INLINE void start_vector(vectors_session *session, hy_allocator allocator, growing *vector) {
    size_t size = session->params.growth ? FIRST_BYTES : next_size(session, HY_BENCH_SIZE_MIN);
    *vector = (growing){hy_alloc(allocator, size, HY_BENCH_ALIGN), size, session->serial++};
    if (vector->block) {
        write_content(vector->block, 0, size, vector->serial);
        hy_opaque(vector->block);
    } else {
        session->head.refused_count++;
    }
}

HY_INLINE void grow_vector(
    vectors_session *session, hy_allocator allocator, growing *vector, bool by_realloc) {
    size_t size = next_size(session, vector->size);
    char *block = by_realloc ? hy_realloc(allocator, vector->block, vector->size, size, HY_BENCH_ALIGN)
                             : resize_or_move(allocator, vector, size);
    if (!block) {
        session->head.refused_count++;
        return;
    }
    write_content(block, vector->size, size, vector->serial);
    hy_opaque(block);
    vector->block = block;
    vector->size = size;
}

HY_INLINE uint64_t loop(vectors_session *session, hy_allocator allocator, uint64_t operations, bool verify) {
    uint64_t checksum = 0;
    for (uint64_t i = 0; i < operations; i++, session->cursor++) {
        uint32_t turn = session->turns[session->cursor & (TABLE_COUNT - 1)];
        growing *vector = &session->vectors[turn];
        if (vector->block && vector->size < session->params.largest) {
            grow_vector(session, allocator, vector, turn % 2 == 0);
        } else {
            hy_free(allocator, vector->block, vector->size, HY_BENCH_ALIGN);
            start_vector(session, allocator, vector);
        }
        if (verify && vector->block) checksum = read_content(vector, checksum);
    }
    return checksum;
}

static uint64_t epoch(hy_session *head, uint64_t operations, uint64_t *done) {
    vectors_session *session = (vectors_session *)head;
    *done = operations;
    if (head->empty) {
        hy_allocator roomy = {head->allocator.self, &roomy_vtable};
        return loop(session, roomy, operations, false);
    }
    if (head->verify) return loop(session, head->allocator, operations, true);
    return loop(session, head->allocator, operations, false);
}

static void fill(hy_session *head) {
    vectors_session *session = (vectors_session *)head;
    uint64_t done;
    uint64_t each = session->params.growth ? FILL_GROWTHS : FILL_APPENDS;
    epoch(head, each * session->params.alive, &done);
}

static uint64_t live_bytes(hy_session *head) {
    vectors_session *session = (vectors_session *)head;
    uint64_t bytes = 0;
    for (size_t i = 0; i < session->params.alive; i++)
        bytes += session->vectors[i].block ? session->vectors[i].size : 0;
    return bytes;
}

static void free_all(hy_session *head) {
    vectors_session *session = (vectors_session *)head;
    for (size_t i = 0; i < session->params.alive; i++) {
        hy_free(head->allocator, session->vectors[i].block, session->vectors[i].size, HY_BENCH_ALIGN);
        session->vectors[i] = (growing){0};
    }
}

static const hy_cell cells[] = {
    {"alive=100;growth=200;largest=65536", 1, HY_TIER_STANDARD},
    {"alive=100;growth=150;largest=65536", 1, HY_TIER_FULL},
    {"alive=1000;append=32;largest=1024", 1, HY_TIER_STANDARD},
};

const hy_workload hy_vectors_workload = {
    .name = "vectors",
    .summary =
        "Vectors that grow by a factor, or strings that grow by a few bytes, many at once and in random "
        "order; what is in them is kept. It models dynamic arrays, string builders and buffers.",
    .operation = "one growth of a vector or string, or its end and the next one's begin",
    .needs = HY_TRAIT_FREE_ANY | HY_TRAIT_REAL_FREE,
    .excludes = HY_TRAIT_REFUSES_ALL | HY_TRAIT_WHOLE_PAGES,
    .layers_elsewhere = true,
    .cells = cells,
    .cell_count = sizeof cells / sizeof cells[0],
    .smoke_params = "alive=10;append=32;largest=256",
    .demand = demand,
    .begin = begin,
    .fill = fill,
    .epoch = epoch,
    .live_bytes = live_bytes,
    .free_all = free_all,
    .end = end,
};
