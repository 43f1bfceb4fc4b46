/* smp_audit.c: the accounts of a heap at rest.
 *
 * hy_smp_check can be called at any time and so leaves out what only its thread may look at. Here every block
 * and every byte of the heap's own memory is looked for where it must be: magazines in caches and depots,
 * nothing in the caches of threads that have ended.
 */
#include "allocators/strategies/smp_audit.h"
#include "allocators/strategies/smp_cache.h"
#include "allocators/strategies/smp_depot.h"
#include "allocators/strategies/smp_pages.h"
#include "allocators/strategies/smp_slab.h"
#include <heapyard/smp_stats.h>

bool hy_smp_audit(const hy_smp_heap *heap) {
    const hy_smp_core *core = heap->core;
    if (!core || !hy_smp_caches_at_rest(heap)) return true;
    size_t bytes;
    return hy_smp_caches_check(heap, &bytes) &&
           hy_smp_metadata_adds_up(core, bytes + hy_smp_depots_metadata(core)) &&
           hy_smp_clean_runs_read_zero(core) && hy_smp_slabs_waste_little(core);
}

bool hy_smp_audit_trimmed(hy_smp_heap *heap) {
    const hy_smp_core *core = heap->core;
    hy_smp_stats stats;
    if (!core) return true;
    hy_smp_read_stats(heap, &stats);
    bool has_cached = stats.cached_bytes && !hy_smp_keeps_lost(heap);
    if (has_cached || stats.retained_bytes) return false;
    for (uint32_t number = 1; number < HY_SMP_CLASS_COUNT; number++) {
        if (core->classes[number].empty_slabs) return false;
    }
    return true;
}
