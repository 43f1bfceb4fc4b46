/* object_symbols.h: the names of functions that a program does not export, read from its file.
 *
 * dladdr knows only what the dynamic linker does; a static function, or any of an executable, stands in
 * the file's own symbol table, unless the file was stripped.
 */
#ifndef HEAPYARD_CORE_OBJECT_SYMBOLS_H
#define HEAPYARD_CORE_OBJECT_SYMBOLS_H

#include <heapyard/config.h>

/* The path under which the object loaded at `base` can be opened; `name` is what the linker calls it. They
 * differ for the program itself, which is named by its first argument, and that need not be a path. */
const char *hy_object_path(const char *name, uintptr_t base);

/* Writes the name of the function that `address` lies in, cut off at capacity - 1 bytes, and where it
 * starts. path: the object's file; base: where it is loaded. False: no such file, no symbol table, no
 * such function; nothing is written. Maps the file for the time of the call. Thread-safe. */
bool hy_object_symbol(
    const char *path, uintptr_t base, uintptr_t address, char *name, size_t capacity, uintptr_t *start);

#endif
