/* error.c: the words behind hy_error. */
#include <heapyard/error.h>

static const char *const words[] = {
    [HY_OK] = "no error",
    [HY_OUT_OF_MEMORY] = "out of memory",
    [HY_INVALID] = "an argument, or a combination of options, that makes no sense",
    [HY_UNSUPPORTED] = "not supported by this allocator, build or system",
    [HY_LEAK] = "blocks are still live",
};

_Static_assert(sizeof words / sizeof words[0] == HY_ERROR_COUNT, "every error has its words");

const char *hy_error_string(hy_error error) {
    unsigned index = (unsigned)error;
    return index < HY_ERROR_COUNT ? words[index] : "unknown error";
}
