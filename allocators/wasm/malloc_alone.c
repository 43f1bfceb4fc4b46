/* malloc_alone.c: the C library's malloc and nothing else, as a module, to be compared with alone.c. */
#include <stdlib.h>

#define EXPORT(name) __attribute__((export_name(name)))

EXPORT("alloc") void *alloc(size_t size, size_t align) {
    return align > 16 ? aligned_alloc(align, size) : malloc(size);
}

EXPORT("resize") void *resize(void *ptr, size_t new_size) {
    return realloc(ptr, new_size);
}

EXPORT("free") void give(void *ptr) {
    free(ptr);
}
