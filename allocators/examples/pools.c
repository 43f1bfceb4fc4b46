/* pools.c: pools that are pre-heated, aligned, or not growable.
 *
 *   $ pools
 *   pre-heated: 100 particles without a call of the child
 *   aligned: each of 3 on a cache line of its own
 *   not growable: 2 of 2 made, the third refused
 *   not growable: after a reset that retains, 2 of 2 again
 *   not growable and empty: refused at init
 *   ...
 *
 * After the last line, checked builds report the invalid options on standard error.
 */
#include <heapyard/heapyard.h>
#include <stdio.h>

typedef struct particle {
    float x, y, z;
} particle;

typedef hy_typed_pool(particle) particle_pool;

/* Allocates memory for all at once, so that no later create is slow or fails. */
static void preheated(void) {
    hy_counting below = HY_COUNTING_INIT(hy_libc());
    particle_pool pool;
    hy_pool_options options = {.preheat = 100};
    if (hy_typed_pool_init(&pool, hy_counting_allocator(&below), &options) != HY_OK) return;
    uint64_t before = below.counts.alloc_count;
    int made = 0;
    while (made < 100 && hy_typed_pool_create(&pool))
        made++;
    const char *how = below.counts.alloc_count == before ? "without a call" : "with calls";
    printf("pre-heated: %d particles %s of the child\n", made, how);
    hy_pool_deinit(&pool.pool);
}

/* A stronger alignment than the type's own: blocks that different threads write should not share a cache
 * line. */
static void aligned(void) {
    hy_pool pool;
    if (hy_pool_init(&pool, hy_libc(), sizeof(particle), HY_ALIGN_CACHE_LINE, NULL) != HY_OK) return;
    int alone = 0;
    for (int i = 0; i < 3; i++)
        alone += hy_align_check_pointer(hy_pool_create(&pool), HY_ALIGN_CACHE_LINE);
    printf("aligned: each of %d on a cache line of its own\n", alone);
    hy_pool_deinit(&pool);
}

static int create_all(particle_pool *pool) {
    int made = 0;
    while (hy_typed_pool_create(pool))
        made++;
    return made;
}

/* A fixed pool: there are never more blocks than `preheat`. */
static void not_growable(void) {
    particle_pool pool;
    hy_pool_options two = {.preheat = 2, .fixed = true};
    if (hy_typed_pool_init(&pool, hy_libc(), &two) != HY_OK) return;
    printf("not growable: %d of 2 made, the third refused\n", create_all(&pool));
    hy_pool_reset(&pool.pool, HY_ARENA_RETAIN_CAPACITY, 0);
    printf("not growable: after a reset that retains, %d of 2 again\n", create_all(&pool));
    hy_pool_deinit(&pool.pool);

    hy_pool_options none = {.preheat = 0, .fixed = true};
    hy_error error = hy_typed_pool_init(&pool, hy_libc(), &none);
    printf("not growable and empty: %s\n", error == HY_INVALID ? "refused at init" : "made");
    hy_pool_deinit(&pool.pool);
}

int main(void) {
    preheated();
    aligned();
    not_growable();
    return 0;
}
