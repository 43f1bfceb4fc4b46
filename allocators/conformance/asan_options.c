/* asan_options.c: the sanitizers' options for all tests and tools of this project.
 *
 * Linked into executables, never into the library. A huge request must return NULL, as malloc does, and not
 * end the process, because the tests check refusals.
 */
#include <heapyard/config.h>

#if HY_ASAN
const char *__asan_default_options(void);

HY_API const char *__asan_default_options(void) {
    return "allocator_may_return_null=1:detect_stack_use_after_return=1:quarantine_size_mb=16";
}
#endif

#if HY_TSAN
const char *__tsan_default_options(void);

HY_API const char *__tsan_default_options(void) {
    return "allocator_may_return_null=1:halt_on_error=1";
}
#endif

/* ISO C forbids an empty translation unit. */
typedef int hy_asan_options_are_set;
