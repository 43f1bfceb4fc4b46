/* unheard_accesses.c: what clang calls at plain accesses, for the programs of a build with races.h that do
 * not look for races. Weak: races.c has the ones that judge. */
#define DEFINE(size)                                                                                         \
    void __sanitizer_cov_load##size(const void *address);                                                    \
    void __sanitizer_cov_store##size(const void *address);                                                   \
    __attribute__((weak)) void __sanitizer_cov_load##size(const void *address) {                             \
        (void)address;                                                                                       \
    }                                                                                                        \
    __attribute__((weak)) void __sanitizer_cov_store##size(const void *address) {                            \
        (void)address;                                                                                       \
    }

DEFINE(1)
DEFINE(2)
DEFINE(4)
DEFINE(8)
DEFINE(16)
