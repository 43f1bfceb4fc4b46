/* floor_mutex_row.c: what two pairs of lock and unlock cost, and nothing else.
 *
 * For: the denominator of what a mutex around an allocator costs. Not for: use; like floor_null it hands
 *   out one block again and again.
 * Algorithm: lock, unlock, the block. Cost: two indirect calls, and an uncontended lock and unlock in
 *   each. Overhead: none. Thread-safe: no; all threads would be given the same block.
 */
#include <heapyard/libc.h>
#include <heapyard/plugin.h>
#include <heapyard/typed.h>
#include <pthread.h>

#define BLOCK_BYTES ((size_t)1 << 20)
#define BLOCK_ALIGN HY_ALIGN_4096

typedef struct floor_mutex {
    pthread_mutex_t mutex;
    void *block;
} floor_mutex;

HY_SLOT static void *alloc(void *self, size_t size, hy_align align) {
    (void)size, (void)align;
    floor_mutex *floor = self;
    pthread_mutex_lock(&floor->mutex);
    void *ptr = floor->block;
    pthread_mutex_unlock(&floor->mutex);
    return ptr;
}

HY_SLOT static void give_back(void *self, void *ptr, size_t size, hy_align align) {
    (void)ptr, (void)size, (void)align;
    floor_mutex *floor = self;
    pthread_mutex_lock(&floor->mutex);
    pthread_mutex_unlock(&floor->mutex);
}

static const hy_vtable vtable = {alloc, hy_refuse_resize, hy_refuse_remap, give_back};

static void *make(const hy_row *row, const hy_config *config, hy_allocator *out) {
    (void)row, (void)config;
    floor_mutex *floor = hy_create(hy_libc(), floor_mutex);
    void *block = hy_alloc(hy_libc(), BLOCK_BYTES, BLOCK_ALIGN);
    if (!floor || !block) {
        hy_free(hy_libc(), block, BLOCK_BYTES, BLOCK_ALIGN);
        hy_destroy(hy_libc(), floor);
        return NULL;
    }
    *floor = (floor_mutex){PTHREAD_MUTEX_INITIALIZER, block};
    *out = (hy_allocator){floor, &vtable};
    return floor;
}

static void destroy(const hy_row *row, void *instance) {
    (void)row;
    floor_mutex *floor = instance;
    hy_free(hy_libc(), floor->block, BLOCK_BYTES, BLOCK_ALIGN);
    hy_destroy(hy_libc(), floor);
}

const hy_row hy_floor_mutex_row = {
    .name = "floor_mutex",
    .group = HY_GROUP_FLOOR,
    .summary = "one fixed block under a mutex: the cost of the call and of lock and unlock",
    .traits = HY_TRAIT_FLOOR | HY_TRAIT_FREE_LAST | HY_TRAIT_FIXED_BLOCK,
    .greatest_align = {12},
    .default_block_size = BLOCK_BYTES,
    .make = make,
    .destroy = destroy,
};
