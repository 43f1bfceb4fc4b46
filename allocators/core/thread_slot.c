/* thread_slot.c: which slots are taken, and the end of a thread that gives its own back.
 *
 *   taken  bit i: slot i has an owner; bit 0 always, so that nobody gets it
 *
 * A thread's end is told by a key of pthread's, whose destructor runs in it. Destructors of other keys may
 * run later still: the thread has no slot then and takes no other, because nobody would give that back.
 */
#include "allocators/core/thread_slot_end.h"
#include <heapyard/check.h>
#include <pthread.h>
#include <stdatomic.h>

HY_THREAD_LOCAL uint32_t hy_thread_slot __attribute__((tls_model("initial-exec")));

HY_THREAD_LOCAL bool hy_thread_slot_is_ending __attribute__((tls_model("initial-exec")));

static struct {
    _Atomic uint64_t taken;
    pthread_once_t once;
    pthread_key_t end_key;
    bool has_key;
    void (*at_end)(uint32_t slot);
} slots = {.taken = 1, .once = PTHREAD_ONCE_INIT};

_Static_assert(HY_THREAD_SLOTS == 64, "one bit of `taken` for each slot");

/* Release: what this owner wrote happens before what the next one, who acquires, reads. */
static void give_back(uint32_t slot) {
    hy_thread_slot = 0;
    atomic_fetch_and_explicit(&slots.taken, ~((uint64_t)1 << slot), memory_order_release);
}

static void end_thread(void *slot) {
    hy_thread_slot_is_ending = true;
    if (slots.at_end) slots.at_end((uint32_t)(uintptr_t)slot);
    give_back((uint32_t)(uintptr_t)slot);
}

void hy_thread_slot_at_end(void (*function)(uint32_t slot)) {
    slots.at_end = function;
}

static void make_key(void) {
    slots.has_key = pthread_key_create(&slots.end_key, end_thread) == 0;
}

/* Where the library goes before its threads do (dlclose), their ends must not call what is no longer there.
 */
__attribute__((destructor)) static void forget_key(void) {
    if (slots.has_key) pthread_key_delete(slots.end_key);
}

/* The lowest slot that is free becomes the caller's; 0: none is. */
static uint32_t take_lowest(void) {
    uint64_t taken = atomic_load_explicit(&slots.taken, memory_order_relaxed);
    while (~taken != 0) {
        uint32_t slot = (uint32_t)__builtin_ctzll(~taken);
        if (atomic_compare_exchange_weak_explicit(&slots.taken, &taken, taken | (uint64_t)1 << slot,
                memory_order_acquire, memory_order_relaxed)) {
            return slot;
        }
    }
    return 0;
}

uint32_t hy_thread_slot_take(void) {
    if (hy_thread_slot || hy_thread_slot_is_ending) return hy_thread_slot;
    pthread_once(&slots.once, make_key);
    uint32_t slot = slots.has_key ? take_lowest() : 0;
    if (slot == 0) return 0;
    HY_ASSERT(slot < HY_THREAD_SLOTS, "a slot that does not exist was given out");
    hy_thread_slot = slot;
    if (pthread_setspecific(slots.end_key, (void *)(uintptr_t)slot) != 0) give_back(slot);
    return hy_thread_slot;
}
