/* heapyard/error.h: what functions with more to say than NULL return. */
#ifndef HEAPYARD_ERROR_H
#define HEAPYARD_ERROR_H

#include <heapyard/config.h>

HY_BEGIN_DECLS

/* Why something was not done; HY_OK: it was. */
typedef enum hy_error {
    HY_OK = 0,
    HY_OUT_OF_MEMORY, /* the child, or the system, refused */
    HY_INVALID,       /* an argument or a combination of options that makes no sense */
    HY_UNSUPPORTED,   /* right, but not by this allocator, build or system */
    HY_LEAK,          /* blocks are still live */
    HY_ERROR_COUNT
} hy_error;

/* A constant English phrase without a full stop; never NULL, also for a value out of range.
 * Thread-safe. */
HY_API const char *hy_error_string(hy_error error);

HY_END_DECLS

#endif
