/* preloaded.h: the malloc library that this process runs on, as rows.
 *
 * A library that is preloaded serves every malloc of its process, as it does in a program: what it replaces
 * beside malloc (to see threads begin and end) is replaced, its heap has served the process's start, and a
 * library that can't be loaded beside another malloc works, too. So a process has one such library at most.
 * Of the other rows only libc and its twin are there, by the C library's own functions, so that ratios to
 * them come from one process as everywhere.
 */
#ifndef HEAPYARD_PEERS_PRELOADED_H
#define HEAPYARD_PEERS_PRELOADED_H

#include <heapyard/plugin.h>

/* Call it first thing in main. Where an argument is --preload name=path, and the process was not started with
 * that library, the program is run again with it, and the call doesn't return. False: it could not be run
 * again, and hy_preloaded_load will say that the library is not there. */
bool hy_preloaded_reexec(char **argv);

/* The same, with name=path from elsewhere; NULL: none. */
bool hy_preloaded_reexec_with(const char *name_equals_path, char **argv);

/* Makes the rows of "name=path", the library that the process was started with: `name`, and `name_sized`
 * where the library can be told sizes. name: [a-z0-9_]+, no row's yet. False: one line about why in `error`
 * (of error_size bytes). Not thread-safe: before other threads begin, once. */
bool hy_preloaded_load(const char *name_equals_path, char *error, size_t error_size);

/* What a library tells about itself; NULL: nothing. */
typedef struct hy_preloaded_library {
    const char *path;
    const char *soname;
    const char *version;
} hy_preloaded_library;

/* The library that was loaded; NULL where none was. */
const hy_preloaded_library *hy_preloaded(void);

/* All rows of the process: those of the library, then libc and its twin; NULL and 0 where none was loaded. */
const hy_row *const *hy_preloaded_rows(size_t *count);
/* Whether the row is one of the library's. */
bool hy_preloaded_has(const hy_row *row);
/* Whether it is the one by malloc and free. */
bool hy_preloaded_is_plain(const hy_row *row);

/* A function of the library by its name; NULL: it has none such, or none was loaded. */
void *hy_preloaded_function(const char *name);

#endif
