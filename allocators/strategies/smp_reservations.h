/* smp_reservations.h: where the addresses of a heap come from, and go to: the system; in builds for fuzzing,
 * also a few that were used before.
 *
 * Fuzzers begin and end a heap some ten thousand times a second. To map and unmap a reservation, and to fault
 * its pages in anew, takes a hundred times as long as all that a short history does; and the next heap would
 * lie elsewhere, so that the same history could take another course. So with HY_SMP_SMALL and
 * AddressSanitizer reservations are kept from the first hy_smp_restart on. What is not accessible is then
 * closed to AddressSanitizer, where the system's pages are accessible from an earlier heap; all else is
 * closed by the system.
 */
#ifndef HEAPYARD_STRATEGIES_SMP_RESERVATIONS_H
#define HEAPYARD_STRATEGIES_SMP_RESERVATIONS_H

#include "allocators/strategies/smp_core.h"
#include <heapyard/poison.h>

#if HY_SMP_KEEPS
/* As those below. */
void *hy_smp_reservation_take(size_t size);
void hy_smp_reservation_drop(void *reservation, size_t size);
void hy_smp_reservation_give(hy_smp_core *core);
bool hy_smp_reservation_begin(void *reservation, size_t core_size);
void hy_smp_reservation_place(hy_smp_core *core);
bool hy_smp_array_open(hy_smp_array *array, size_t more);
bool hy_smp_discard(void *ptr, size_t size);
#else
/* Addresses that must not be touched; NULL: refused. No huge pages lie there. */
HY_INLINE void *hy_smp_reservation_take(size_t size) {
    void *reservation = hy_os_reserve(size);
    if (reservation) hy_os_refuse_huge(reservation, size);
    return reservation;
}

/* Gives back what serves no heap. */
HY_INLINE void hy_smp_reservation_drop(void *reservation, size_t size) {
    hy_os_unmap(reservation, size);
}

/* Gives the heap's addresses back, with all that lies there. */
HY_INLINE void hy_smp_reservation_give(hy_smp_core *core) {
    /* Tools go on believing of addresses what they were told, whoever has them. */
    hy_unpoison((void *)core->base, (size_t)core->frontier << HY_SMP_PAGE_SHIFT);
    hy_os_unmap(core->reservation, core->reservation_size);
}

/* Makes the core accessible, which reads as zero; false: refused. */
HY_INLINE bool hy_smp_reservation_begin(void *reservation, size_t core_size) {
    return hy_os_protect(reservation, core_size, true);
}

/* The core's arrays lie where they will. */
HY_INLINE void hy_smp_reservation_place(hy_smp_core *core) {
    (void)core;
}

/* Makes so many bytes more of an array accessible, which read as zero; false: refused, nothing changed. */
HY_INLINE bool hy_smp_array_open(hy_smp_array *array, size_t more) {
    if (!hy_os_protect((void *)(array->base + array->accessible), more, true)) return false;
    array->accessible += more;
    return true;
}

/* What free pages hold goes: they read as zero from now on. False: refused, as hy_os_discard. */
HY_INLINE bool hy_smp_discard(void *ptr, size_t size) {
    return hy_os_discard(ptr, size);
}
#endif

#endif
