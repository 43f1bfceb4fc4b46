/* system_calls.h: how often a function asks the system for memory.
 *
 * The function runs in a thread of its own, whose calls of mmap, munmap, mremap, mprotect, madvise and brk
 * the kernel tells one by one (seccomp's user notification) and then makes as they are.
 */
#ifndef HEAPYARD_ERLANG_SYSTEM_CALLS_H
#define HEAPYARD_ERLANG_SYSTEM_CALLS_H

#include <stddef.h>

/* The calls, or SIZE_MAX where the kernel does not tell: then the function may not have run. */
size_t count_system_calls(void (*run)(void *argument), void *argument);

#endif
