/* os.h: what the allocators ask of the operating system; one file per system implements it.
 *
 * Every size and address of pages is a multiple of the page. All of it is thread-safe, and none of it
 * touches malloc. The public side, hy_page_size and its bounds, is <heapyard/os.h>.
 */
#ifndef HEAPYARD_CORE_OS_H
#define HEAPYARD_CORE_OS_H

#include <heapyard/os.h>

/* The size that huge pages most often have here, and that a region should be aligned to for them. */
#define HY_OS_HUGE_PAGE ((size_t)2 << 20)

/* Asks the system for its page size; hy_page_size remembers the answer. */
size_t hy_os_page_size(void);

/* Fresh pages, zeroed, readable and writable. NULL: refused. */
void *hy_os_map(size_t size);

/* The same at addresses of the caller's, whatever lies there. False: refused; what lay there may be gone. */
bool hy_os_map_at(void *target, size_t size);

/* Addresses that nothing else will be mapped to, and that must not be touched. NULL: refused. */
void *hy_os_reserve(size_t size);

/* Gives pages back. False: the system could not split its mapping; nothing changed. */
bool hy_os_unmap(void *ptr, size_t size);

/* Gives back what the pages hold, but not their addresses: they read as zero. False: refused (they are locked
 * in memory), and what they hold is undefined. */
bool hy_os_discard(void *ptr, size_t size);

/* Makes pages ready for their first use, many at a time, where the system can; what they hold stays. */
void hy_os_populate(void *ptr, size_t size);

/* Whether pages may be touched at all; what they hold stays. False: refused, nothing changed. */
bool hy_os_protect(void *ptr, size_t size, bool accessible);

/* Changes a mapping's size where it lies. False: refused, nothing changed. */
bool hy_os_resize(void *ptr, size_t old_size, size_t new_size);

/* Moves a mapping by page tables alone, to wherever the system likes. NULL: refused, nothing changed. */
void *hy_os_move(void *ptr, size_t old_size, size_t new_size);

/* The same onto [target, target + new_size), which is replaced. False: refused; the old mapping is
 * unchanged, what lay at target may be gone. */
bool hy_os_move_to(void *ptr, size_t old_size, size_t new_size, void *target);

/* The same for what they hold alone: the old pages stay mapped and read as zero. target: that many pages
 * already mapped. False: refused; the old pages are unchanged, what lay at target may be gone. */
bool hy_os_move_contents(void *ptr, size_t size, void *target);

/* The bytes of addresses that the process may have; SIZE_MAX: as many as there are. */
size_t hy_os_address_limit(void);

/* Bytes of memory in the machine; 0: the system can't tell. */
size_t hy_os_memory_size(void);

/* Milliseconds since some time in the past, cheap to ask and exact to some ten of them. */
uint64_t hy_os_coarse_ms(void);

/* Has the system use no huge pages here. */
void hy_os_refuse_huge(void *ptr, size_t size);

/* Asks for huge pages, as far as the system likes. */
void hy_os_advise_huge(void *ptr, size_t size);

/* The bounds of the mapping that holds an address: *low <= address < *high. False: the system can't
 * tell; nothing is written. Async-signal-safe; errno stays. O(mappings of the process). */
bool hy_os_mapping_of(uintptr_t address, uintptr_t *low, uintptr_t *high);

/* Sleeps while *word is `value`, until another thread calls hy_os_wake on it; may return early. */
void hy_os_wait(uint32_t *word, uint32_t value);

/* Wakes one thread that sleeps on the word. */
void hy_os_wake(uint32_t *word);

/* Writes bytes to a file descriptor; false: the system did not take all of them. Async-signal-safe; errno
 * stays. */
bool hy_os_write(int descriptor, const char *bytes, size_t size);

#endif
