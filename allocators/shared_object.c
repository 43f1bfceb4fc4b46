/* shared_object.c: where the shared library's code lies. Linked into nothing else: the static library's code
 * lies among other people's.
 */
#include "allocators/core/shared_object.h"

/* The linker's names for the ends of what it links. */
extern const char begin[] __asm__("__ehdr_start") __attribute__((visibility("hidden")));
extern const char end[] __asm__("etext") __attribute__((visibility("hidden")));

const hy_shared_object hy_own_shared_object = {begin, end};
