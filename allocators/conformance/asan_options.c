/* asan_options.c: what every test and tool of ours asks of AddressSanitizer.
 *
 * Linked into executables, never into the library: a huge request must be refused as malloc refuses
 * it, not end the process, because refusals are what is tested.
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

/* ISO C wants a declaration in every file. */
typedef int hy_asan_options_are_set;
