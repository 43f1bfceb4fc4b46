/* object_symbols.h: the program or library that an address lies in, and the function there.
 *
 * The dynamic linker knows only what is exported; a static function, or any of an executable, stands in
 * the file's own symbol table, unless the file was stripped. None of this calls malloc.
 */
#ifndef HEAPYARD_CORE_OBJECT_SYMBOLS_H
#define HEAPYARD_CORE_OBJECT_SYMBOLS_H

#include <heapyard/config.h>

typedef struct hy_object {
    const char *path; /* by which its file can be opened, also where it was called by another name */
    const char *name; /* for people; lives as long as the object is loaded, and this struct */
    uintptr_t base;   /* what is added to the addresses in the file; 0 where it is not relocated */
    char program[512];
} hy_object;

/* False: the address is in no object that the linker loaded. Thread-safe; waits for no lock where the system
 * has a call for that. */
bool hy_object_of(uintptr_t address, hy_object *object);

typedef struct hy_symbol {
    char name[256];  /* cut off where it is longer */
    uintptr_t start; /* the function's first address */
} hy_symbol;

/* Finds the function that `address` lies in. False: no such file, no symbol table, no such function; nothing
 * is written. Maps the file for the time of the call. Thread-safe. O(symbols). */
bool hy_object_symbol(const hy_object *object, uintptr_t address, hy_symbol *symbol);

#endif
