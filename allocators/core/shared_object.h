/* shared_object.h: where the code lies of the one object that holds nothing but the library. */
#ifndef HEAPYARD_CORE_SHARED_OBJECT_H
#define HEAPYARD_CORE_SHARED_OBJECT_H

typedef struct hy_shared_object {
    const char *begin, *end;
} hy_shared_object;

/* Not there where the library is linked statically. */
extern const hy_shared_object hy_own_shared_object __attribute__((weak, visibility("hidden")));

#endif
