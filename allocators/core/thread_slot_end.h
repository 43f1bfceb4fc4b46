/* thread_slot_end.h: who has kept something for a slot's owner, and wants to know that the thread ends. */
#ifndef HEAPYARD_CORE_THREAD_SLOT_END_H
#define HEAPYARD_CORE_THREAD_SLOT_END_H

#include <heapyard/thread_slot.h>

/* Whether the calling thread has given its slot back, or never will have one. */
extern HY_THREAD_LOCAL bool hy_thread_slot_is_ending __attribute__((tls_model("initial-exec")));

/* Has the function called with the slot of each thread that ends, by that thread, before the slot is given
 * back. One function a library; set before there are threads. */
void hy_thread_slot_at_end(void (*function)(uint32_t slot));

#endif
