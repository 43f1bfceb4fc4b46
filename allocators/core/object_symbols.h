/* object_symbols.h: the program or library that an address lies in, and the exported function there. */
#ifndef HEAPYARD_CORE_OBJECT_SYMBOLS_H
#define HEAPYARD_CORE_OBJECT_SYMBOLS_H

#include <heapyard/config.h>

typedef struct hy_object {
    const char *path; /* by which its file can be opened, also where it was called by another name */
    const char *name; /* for people; lives as long as the object is loaded, and this struct */
    uintptr_t base;   /* what is added to the addresses in the file; 0 where it is not relocated */
    char program[512];
} hy_object;

/* False: the address is in no object that the linker loaded. Thread-safe, calls no malloc; waits for no lock
 * where the system has a call for that. */
bool hy_object_of(uintptr_t address, hy_object *object);

typedef struct hy_symbol {
    const char *name; /* lives as long as its object is loaded */
    uintptr_t start;  /* the function's first address */
} hy_symbol;

/* Finds the function that `address` lies in among those that its object exports. False: none of them; nothing
 * is written. Thread-safe, calls no malloc; takes the dynamic linker's lock. */
bool hy_object_symbol(uintptr_t address, hy_symbol *symbol);

#endif
