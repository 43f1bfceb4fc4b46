/* peers.h: malloc libraries as rows of ours: other people's, and libheapyard-malloc.
 *
 * Each is loaded into the process at its first use, beside the C library's malloc and without taking its
 * place, and appears twice: through malloc and free as a program would call them, and (`…_sized`) through
 * the best functions that it has for callers who know a block's size.
 */
#ifndef HEAPYARD_PEERS_H
#define HEAPYARD_PEERS_H

#include <heapyard/plugin.h>

/* Call it first thing in main. A peer that uses much static thread-local storage can only be loaded
 * into a process that was started with room for it: where GLIBC_TUNABLES doesn't say so yet, the program
 * is run again with it, and the call doesn't return. True: there is room, or nothing needs it in this
 * build or under Valgrind; false: the program could not be run again, and such peers stay missing. */
bool hy_peers_reexec(char **argv);

/* Why the row of a library can't be made here, as a phrase to follow "not in this build: "; NULL where it
 * can. Looks for the library, loads nothing. For rows of no library: NULL. */
const char *hy_peer_missing(const hy_row *row);

/* The version that the row's library tells, e.g. "5.3.0"; loads it. NULL: no library, or missing. The
 * string lives as long as the process. Thread-safe. */
const char *hy_peer_version(const hy_row *row);

/* The file that the row's allocation function lies in, for tests; loads it. NULL as above. */
const char *hy_peer_library(const hy_row *row);

/* Whether the row is a library's, also of one that is not there. */
bool hy_peer_has_library(const hy_row *row);

/* A function of the row's library by its name; loads it. NULL: it has none such, or as above. */
void *hy_peer_function(const hy_row *row, const char *name);

/* There are no more rows of peers than this. The rows of libheapyard-malloc are in rows.def. */
#define HY_PEER_MAX 32

/* Writes the peers' rows in the order of the table, each with what it is missing; how many there are. */
size_t hy_peer_rows(hy_row rows[HY_PEER_MAX]);

#endif
