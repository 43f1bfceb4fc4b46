/* smp_reservations.c: a table of reservations that are used again and again.
 *
 * A place in the table keeps its reservation for ever, and the first free place of the size serves: so a heap
 * that is begun when as many others live as last time has the same addresses. What a heap wrote is cleaned at
 * its end. The system is asked for what it has given already, too, so that it may refuse in later runs: for
 * no bytes, which costs it least.
 */
#include "allocators/strategies/smp_reservations.h"
#include "allocators/strategies/smp_clock.h"

#if HY_SMP_KEEPS
#include <string.h>

#define PLACES 4
/* More than so much is not written over, but given back to the system. */
#define WRITTEN_MAX ((size_t)256 << 10)

/* What is kept of the arrays, in their order. */
enum { METADATA, PAGES, CLASSES, SLABS, BLOCKS, ARRAYS };

typedef struct place {
    bool is_taken; /* by atomic operations; the owner alone uses the rest */
    char *reservation;
    size_t size;
    size_t core_size;      /* accessible at its beginning; 0: not yet */
    size_t opened[ARRAYS]; /* bytes of each array that the system has made accessible */
} place;

static struct { place places[PLACES]; } kept;

static place *find_place(const void *reservation) {
    for (place *at = kept.places; at < kept.places + PLACES; at++) {
        if (at->reservation == reservation) return at;
    }
    return NULL;
}

static bool take_place(place *at) {
    return !__atomic_exchange_n(&at->is_taken, true, __ATOMIC_ACQUIRE);
}

static void leave_place(place *at) {
    __atomic_store_n(&at->is_taken, false, __ATOMIC_RELEASE);
}

static void *reserve(size_t size) {
    void *reservation = hy_os_reserve(size);
    if (reservation) hy_os_refuse_huge(reservation, size);
    return reservation;
}

/* Not before runs are to be independent of each other: what ends goes back to the system until then. */
HY_NO_SANITIZE_THREAD static bool is_on(void) {
    return hy_smp_counted_ms != 0;
}

void *hy_smp_reservation_take(size_t size) {
    if (!is_on()) return reserve(size);
    for (place *at = kept.places; at < kept.places + PLACES; at++) {
        if (!take_place(at)) continue;
        if (!at->reservation) {
            *at = (place){.is_taken = true, .reservation = reserve(size), .size = size};
        }
        if (at->reservation && at->size == size) return at->reservation;
        leave_place(at);
    }
    return reserve(size);
}

bool hy_smp_reservation_begin(void *reservation, size_t core_size) {
    place *at = find_place(reservation);
    hy_unpoison(reservation, core_size);
    bool is_open = at && at->core_size == core_size;
    if (!hy_os_protect(reservation, is_open ? 0 : core_size, true)) return false;
    if (at) at->core_size = core_size;
    return true;
}

static void list_arrays(hy_smp_core *core, hy_smp_array **arrays) {
    arrays[METADATA] = &core->metadata_array;
    arrays[PAGES] = &core->page_array;
    arrays[CLASSES] = &core->class_array;
    arrays[SLABS] = &core->slab_array;
    arrays[BLOCKS] = &core->block_array;
}

void hy_smp_reservation_place(hy_smp_core *core) {
    place *at = find_place(core->reservation);
    hy_smp_array *arrays[ARRAYS];
    list_arrays(core, arrays);
    for (int i = 0; i < ARRAYS; i++)
        arrays[i]->opened = at ? &at->opened[i] : NULL;
}

bool hy_smp_array_open(hy_smp_array *array, size_t more) {
    size_t end = array->accessible + more, opened = array->opened ? *array->opened : array->accessible;
    if (!hy_os_protect((void *)(array->base + opened), end > opened ? end - opened : 0, true)) return false;
    if (array->opened && end > opened) *array->opened = end;
    hy_unpoison((void *)(array->base + array->accessible), more);
    array->accessible = end;
    return true;
}

/* Empties the first bytes, as many as may have been written, and nobody may use any. */
static bool discard(void *ptr, size_t written, size_t size) {
    size_t few = written < WRITTEN_MAX ? written : WRITTEN_MAX;
    hy_unpoison(ptr, written);
    memset(ptr, 0, few);
    bool is_clean = few == written || hy_os_discard((char *)ptr + few, written - few);
    hy_poison(ptr, size);
    return is_clean;
}

bool hy_smp_discard(void *ptr, size_t size) {
    if (!is_on()) return hy_os_discard(ptr, size);
    return hy_os_protect(ptr, 0, true) && discard(ptr, size, size);
}

/* Only a whole one can serve again, whose pages are all mapped. */
static bool is_whole(const hy_smp_core *core, const place *at) {
    for (uint32_t page = 1; page < core->frontier; page++) {
        if (core->pages[page].kind == HY_SMP_PAGE_LOST) return false;
    }
    return core->reservation_size == at->size;
}

/* The arrays grow in steps, but are written from their beginnings on. */
static bool clean_all(hy_smp_core *core, const place *at) {
    const size_t written[ARRAYS] = {
        [METADATA] = core->metadata_next - core->metadata_array.base,
        [PAGES] = core->frontier * sizeof(hy_smp_page),
        [CLASSES] = core->frontier,
        [SLABS] = core->slab_next * sizeof(hy_smp_slab),
        [BLOCKS] = (size_t)core->frontier << HY_SMP_PAGE_SHIFT,
    };
    hy_smp_array *arrays[ARRAYS];
    list_arrays(core, arrays);
    for (int i = 0; i < ARRAYS; i++) {
        const hy_smp_array *array = arrays[i];
        size_t size = written[i] < array->accessible ? written[i] : array->accessible;
        if (!discard((void *)array->base, size, array->accessible)) return false;
    }
    return discard(core, at->core_size, at->core_size);
}

void hy_smp_reservation_drop(void *reservation, size_t size) {
    place *at = find_place(reservation);
    /* Tools go on believing of addresses what they were told, whoever has them. */
    hy_unpoison(reservation, size);
    hy_os_unmap(reservation, size);
    if (!at) return;
    at->reservation = NULL;
    leave_place(at);
}

void hy_smp_reservation_give(hy_smp_core *core) {
    place *at = find_place(core->reservation);
    if (at && is_whole(core, at) && clean_all(core, at))
        leave_place(at);
    else
        hy_smp_reservation_drop(core->reservation, core->reservation_size);
}
#endif
