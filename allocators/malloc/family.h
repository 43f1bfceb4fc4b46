/* family.h: the functions of the library that the C library's headers do not declare, or not everywhere. */
#ifndef HEAPYARD_MALLOC_FAMILY_H
#define HEAPYARD_MALLOC_FAMILY_H

#include <stddef.h>

/* The library's version, as "0.1.0": for those who load it and want to say what they measured. */
const char *heapyard_malloc_version(void);

/* C23. */
void free_sized(void *ptr, size_t size);
void free_aligned_sized(void *ptr, size_t align, size_t size);

/* What glibc had, or has for those who wrap its functions. */
void cfree(void *ptr);
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *ptr, size_t size);
void __libc_free(void *ptr);
void *__libc_memalign(size_t align, size_t size);
void *__libc_valloc(size_t size);
void *__libc_pvalloc(size_t size);
int __posix_memalign(void **out, size_t align, size_t size);

#endif
