/* heapyard/thread_slot.h: a small number for each thread that lives, used again when the thread has ended.
 *
 * What one thread may use without a lock can stand in an array, one place for each slot. A slot's next
 * owner sees everything that the last one wrote (the two are ordered by the slot itself), so it can go on
 * where that one stopped.
 *
 * Slots are taken at the first call that needs one, lowest first, and given back by the thread's end.
 * Where all are taken, a thread has none: the code that asks must have another way for it, with a lock. So it
 * has from the moment in which its slot was given back, when what is left of it still runs. In a child of
 * fork the slots of the parent's other threads stay taken: what they cost is speed.
 * Thread-safety: all of it. Cost: one load from thread-local storage.
 */
#ifndef HEAPYARD_THREAD_SLOT_H
#define HEAPYARD_THREAD_SLOT_H

#include <heapyard/config.h>

HY_BEGIN_DECLS

/* Slots are below this; 0 is nobody's. */
#define HY_THREAD_SLOTS 64

/* The calling thread's slot; 0: it has none, or none yet. To be read only. */
extern HY_API HY_THREAD_LOCAL uint32_t hy_thread_slot __attribute__((tls_model("initial-exec")));

/* Takes a slot where the calling thread has none. Returns its slot, or 0: all are taken, or the thread
 * is ending. O(1). */
HY_API HY_COLD uint32_t hy_thread_slot_take(void);

HY_END_DECLS

#endif
