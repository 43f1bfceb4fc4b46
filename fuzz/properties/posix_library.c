/* posix_library.c: the same of a row that is made from a malloc library, as programs get it.
 *
 * Hunts take our own, and the library that the process runs on (preloaded.h). Others are taken where they are
 * named: what they answer otherwise than glibc's manual says is theirs to mend, and is told as any finding
 * is.
 */
#include "allocators/peers/peers.h"
#include "allocators/peers/preloaded.h"
#include "fuzz/properties.h"
#include "fuzz/properties/posix_run.h"

#include <dlfcn.h>
#include <stdlib.h>

extern const hy_row hy_libc_row;

/* The row of the process's own malloc. */
static bool is_libc(const hy_row *row) {
    return row->make == hy_libc_row.make;
}

static bool has_library(const hy_row *row) {
    return is_libc(row) || hy_peer_has_library(row);
}

static bool is_hunted(const hy_row *row) {
    if (hy_preloaded()) return hy_preloaded_is_plain(row);
    return !row->missing && hy_peer_has_library(row) && !(row->traits & HY_TRAIT_PEER);
}

static void *find_function(void *context, const char *name) {
    const hy_row *row = context;
    if (hy_preloaded_has(row)) return hy_preloaded_function(name);
    return is_libc(row) ? dlsym(RTLD_DEFAULT, name) : hy_peer_function(row, name);
}

static size_t run(const hy_row *row, const uint8_t *bytes, size_t size) {
    static const hy_row *filled;
    static hy_posix_family family;
    if (filled != row && !hy_posix_family_fill(&family, row->name, find_function, (void *)row)) abort();
    filled = row;
    family.file = hy_preloaded_has(row) ? hy_preloaded()->path : is_libc(row) ? NULL : hy_peer_library(row);
    return hy_posix_run(&family, bytes, size);
}

const hy_property hy_posix_library_property = {
    .name = "posix_library",
    .summary = "likewise a row's malloc library, as programs have it; another's than ours where it is named",
    .over_rows = true,
    .applies = is_hunted,
    .applies_when_named = has_library,
    .run = run,
    .skips_known = true,
    .record = hy_posix_record,
    .letters = HY_POSIX_LETTERS,
    .mark = "\n!\n",
};
