/* heapyard/os.h: page sizes, and what this library was built as. */
#ifndef HEAPYARD_OS_H
#define HEAPYARD_OS_H

#include <heapyard/config.h>

HY_BEGIN_DECLS

/* The smallest and greatest page that the target may run with, in bytes: constants to size static
 * things by. The running system's is hy_page_size(). */
#if defined(__wasm__)
#define HY_PAGE_SIZE_MIN ((size_t)65536)
#define HY_PAGE_SIZE_MAX ((size_t)65536)
#elif defined(__x86_64__) || defined(__i386__)
#define HY_PAGE_SIZE_MIN ((size_t)4096)
#define HY_PAGE_SIZE_MAX ((size_t)4096)
#else
#define HY_PAGE_SIZE_MIN ((size_t)4096)
#define HY_PAGE_SIZE_MAX ((size_t)65536)
#endif

/* The running system's page in bytes: a power of two. Asked of the system once. Thread-safe. */
HY_API size_t hy_page_size(void);

/* One line: version, check level of the library and of the includer, fills, sanitizers, Valgrind,
 * lines in stack traces, compiler. A constant string; thread-safe. */
#define hy_build_info() hy_build_info_for(HY_CHECK)
HY_API const char *hy_build_info_for(int includer_check_level);

HY_END_DECLS

#endif
