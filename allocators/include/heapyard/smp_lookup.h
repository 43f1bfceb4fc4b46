/* heapyard/smp_lookup.h: the size classes of smp as tables, for its inline paths; hy_smp_class works them
 * out.
 *
 * A look-up costs less where the compiler does not know size and alignment. Part of smp.h, not for programs.
 */
#ifndef HEAPYARD_SMP_LOOKUP_H
#define HEAPYARD_SMP_LOOKUP_H

#include <heapyard/config.h>

HY_BEGIN_DECLS

/* By log2 of the alignment and (size - 1) / 8, for sizes up to 1 KiB. Alignments that no class has give 0. */
extern HY_API const uint8_t hy_smp_class_lookup[64][128];

/* By (size - 1) / 128, for sizes above that and alignments up to this. */
#define HY_SMP_LOOKUP_ALIGN_LOG2_MAX 7
extern HY_API const uint8_t hy_smp_class_lookup_above[256];

HY_END_DECLS

#endif
