/* debug_counters.c: a small language's debug allocator finds one leak and one double free, and continues.
 *
 * Each finding is reported on standard error, with its stacks; the program can read the counters.
 *
 *   $ debug_counters
 *   leaks: 1
 *   double frees: 1
 *   the program goes on
 *   freed memory reads 0xDD, fresh memory 0xAA
 *   ...
 *   …double free…
 *   ...
 */
#include <heapyard/heapyard.h>
#include <stdio.h>

/* Reads freed memory on purpose, to show the fill pattern; the attribute hides it from AddressSanitizer. */
__attribute__((no_sanitize("address"))) static unsigned first_byte(const void *block) {
    return *(const volatile unsigned char *)block;
}

int main(void) {
    hy_debug debug;
    if (hy_debug_init(&debug, hy_libc(), NULL) != HY_OK) return 1;
    hy_allocator gpa = hy_debug_allocator(&debug);

    unsigned char *kept = hy_alloc_n(gpa, unsigned char, 100), *freed = hy_alloc_n(gpa, unsigned char, 64);
    if (!kept || !freed) return 1;
    unsigned fresh = first_byte(freed);
    hy_free_n(gpa, freed, 64);
    unsigned poison = first_byte(freed);
    hy_debug_free(&debug, freed, 64, HY_ALIGN_1);

    printf("leaks: %zu\n", hy_debug_leaks(&debug));
    printf("double frees: %zu\n", hy_debug_double_frees(&debug));
    puts("the program goes on");
    printf("freed memory reads 0x%02X, fresh memory 0x%02X\n", poison, fresh);
    hy_free_n(gpa, kept, 100);
    return hy_debug_deinit(&debug, NULL) == HY_OK ? 0 : 1;
}
