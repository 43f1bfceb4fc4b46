/* default.c: the process's choice, as one pointer.
 *
 * A pointer and not the two words themselves: it changes at once for every thread, without a lock.
 */
#include <heapyard/default.h>
#include <heapyard/libc.h>

static struct { const hy_allocator *chosen; /* NULL: libc */ } process;

hy_allocator hy_default(void) {
    const hy_allocator *chosen = __atomic_load_n(&process.chosen, __ATOMIC_ACQUIRE);
    return chosen ? *chosen : hy_libc();
}

const hy_allocator *hy_set_default(const hy_allocator *allocator) {
    return __atomic_exchange_n(&process.chosen, allocator, __ATOMIC_ACQ_REL);
}
