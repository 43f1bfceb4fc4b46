/* heapyard/default.h: the allocator that is taken where none is named.
 *
 * That is libc until the program names another. Most code should take an hy_allocator as a parameter
 * instead; this is for the few places that can't, and for main.
 *
 *   static hy_allocator chosen;
 *   chosen = hy_page();
 *   hy_set_default(&chosen);
 *   char *text = hy_alloc_n(hy_default(), char, 100);
 *
 * A block is freed to the allocator that made it: a program that changes the default while blocks of the
 * old one live must keep that one's value. Thread-safe; O(1).
 */
#ifndef HEAPYARD_DEFAULT_H
#define HEAPYARD_DEFAULT_H

#include <heapyard/allocator.h>

HY_BEGIN_DECLS

/* The program's choice, or libc. */
HY_API hy_allocator hy_default(void);

/* Names the default of the whole process; NULL: libc again. What it points to is not copied, and must stay as
 * it is and outlive its being the default. Returns: what was named before, NULL for libc. */
HY_API const hy_allocator *hy_set_default(const hy_allocator *allocator);

HY_END_DECLS

#endif
