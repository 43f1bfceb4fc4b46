/* information.c: what glibc's other functions about malloc mean here: sizes, figures, settings. */
#include "allocators/core/os.h"
#include "allocators/malloc/family.h"
#include "allocators/malloc/heap.h"
#include <heapyard/smp_stats.h>

#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <unistd.h>

HY_MALLOC_API const char *heapyard_malloc_version(void) {
    return HY_VERSION;
}

HY_MALLOC_API size_t malloc_usable_size(void *ptr) {
    return ptr ? hy_smp_usable_size(&hy_smp_process_heap, ptr) : 0;
}

HY_MALLOC_API int malloc_trim(size_t keep) {
    (void)keep; /* glibc's padding at the top of its heap: there is no such place here */
    int errno_before = errno;
    size_t returned = hy_smp_trim(&hy_smp_process_heap);
    errno = errno_before;
    return returned > 0;
}

/* glibc's own settings are taken, and change nothing: they are about its design. 0: there is none such. */
HY_MALLOC_API int mallopt(int parameter, int value) {
    (void)value;
    switch (parameter) {
    case M_MXFAST:
    case M_TRIM_THRESHOLD:
    case M_TOP_PAD:
    case M_MMAP_THRESHOLD:
    case M_MMAP_MAX:
    case M_CHECK_ACTION:
    case M_PERTURB:
    case M_ARENA_TEST:
    case M_ARENA_MAX:
        return 1;
    default:
        return 0;
    }
}

/* ---- figures ---- */

/* What the heap holds of the system's memory, and of that what the program has. */
static size_t held_bytes(const hy_smp_stats *stats) {
    return stats->live_bytes + stats->cached_bytes + stats->unused_bytes + stats->retained_bytes;
}

HY_MALLOC_API struct mallinfo2 mallinfo2(void) {
    hy_smp_stats stats;
    hy_smp_read_stats(&hy_smp_process_heap, &stats);
    size_t held = held_bytes(&stats);
    return (struct mallinfo2){
        .arena = held,
        .usmblks = stats.peak_bytes,
        .uordblks = stats.live_bytes,
        .fordblks = held - stats.live_bytes,
        .keepcost = stats.retained_bytes,
    };
}

/* The old form's fields are too small for today's heaps: what does not fit is the greatest that does. */
static int fit(size_t value) {
    return value > INT_MAX ? INT_MAX : (int)value;
}

HY_MALLOC_API struct mallinfo mallinfo(void) {
    struct mallinfo2 wide = mallinfo2();
    return (struct mallinfo){
        .arena = fit(wide.arena),
        .usmblks = fit(wide.usmblks),
        .uordblks = fit(wide.uordblks),
        .fordblks = fit(wide.fordblks),
        .keepcost = fit(wide.keepcost),
    };
}

HY_MALLOC_API void malloc_stats(void) {
    int descriptor = STDERR_FILENO;
    hy_smp_print_stats(&hy_smp_process_heap, hy_line_to_descriptor, &descriptor);
}

/* glibc's frame of XML, with this heap's figures in it. */
HY_MALLOC_API int malloc_info(int options, FILE *file) {
    if (options != 0) return EINVAL;
    hy_smp_stats stats;
    hy_smp_read_stats(&hy_smp_process_heap, &stats);
    int written = fprintf(file,
        "<malloc version=\"heapyard " HY_VERSION "\">\n"
        "<system type=\"current\" size=\"%zu\"/>\n"
        "<system type=\"max\" size=\"%zu\"/>\n"
        "<total type=\"live\" count=\"%zu\" size=\"%zu\"/>\n"
        "<total type=\"cached\" size=\"%zu\"/>\n"
        "<total type=\"unused\" size=\"%zu\"/>\n"
        "<total type=\"retained\" size=\"%zu\"/>\n"
        "<total type=\"metadata\" size=\"%zu\"/>\n"
        "</malloc>\n",
        held_bytes(&stats), stats.peak_bytes, stats.live_blocks, stats.live_bytes, stats.cached_bytes,
        stats.unused_bytes, stats.retained_bytes, stats.metadata_bytes);
    return written < 0 ? errno : 0;
}
