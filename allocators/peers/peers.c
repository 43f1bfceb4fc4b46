/* peers.c: jemalloc, mimalloc, gperftools' tcmalloc and libheapyard-malloc in one process with the C
 * library's malloc.
 *
 * For: comparison. Not for: programs, which link or preload such a library.
 * Algorithm: dlopen with RTLD_LOCAL, so that nobody else's malloc becomes theirs, and RTLD_DEEPBIND, so
 *   that their own calls of malloc stay their own. library.c calls them. A peer is the system's;
 *   libheapyard-malloc is the one of this build, found by where the rows' own code lies, since two builds may
 *   be side by side in a process.
 * Thread-safe: yes. Overhead: the library's own.
 */
#include "allocators/peers/peers.h"
#include "allocators/peers/library.h"
#include <dlfcn.h>
#include <heapyard/smp.h>
#include <limits.h>
#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#if defined(__has_include)
#if __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#endif
#endif

/* A malloc library. */
typedef struct peer {
    const char *soname;
    const char *missing; /* what to say where soname isn't found */
    bool is_ours;        /* this build's own, which lies where this build does */
    bool needs_static_tls;

    /* Filled when the library is loaded. */
    bool loaded;
    void *handle;
    char version[64];
    const char *file; /* that malloc lies in */
    hy_malloc_library calls;
} peer;

#define ROOM_FOR_TLS "glibc.rtld.optional_static_tls=8192"

static peer jemalloc = {
    .soname = "libjemalloc.so.2",
    .missing = "install libjemalloc2",
    .needs_static_tls = true,
};
static peer mimalloc = {
    .soname = "libmimalloc.so.2",
    .missing = "install libmimalloc2.0",
};
static peer tcmalloc = {
    .soname = "libtcmalloc_minimal.so.4",
    .missing = "install libtcmalloc-minimal4",
};
static peer ours = {
    .soname = "libheapyard-malloc.so",
    .missing = "the target heapyard_malloc, whose library lies beside the program or in ../allocators of it",
    .is_ours = true,
};

/* A row: a library by one set of its functions. */
typedef struct form {
    const char *name;
    const char *summary;
    peer *library;
    const hy_malloc_interface *interface;
} form;

/* Ours are in the table of rows.def, as constants below. */
enum { OURS, OURS_SIZED, FIRST_PEER };

/* clang-format off */
static const form forms[] = {
    [OURS] = {.library = &ours, .interface = &hy_plain_interface},
    [OURS_SIZED] = {.library = &ours, .interface = &hy_c23_interface},
    [FIRST_PEER] = {"jemalloc", "jemalloc through malloc and free", &jemalloc, &hy_plain_interface},
    {"jemalloc_sized", "jemalloc through mallocx and sdallocx", &jemalloc, &hy_jemalloc_interface},
    {"mimalloc", "mimalloc through malloc and free", &mimalloc, &hy_plain_interface},
    {"mimalloc_sized", "mimalloc through malloc and mi_free_size", &mimalloc, &hy_mimalloc_interface},
    {"tcmalloc_gperf", "gperftools' tcmalloc through malloc and free", &tcmalloc, &hy_plain_interface},
    {"tcmalloc_gperf_sized", "gperftools' tcmalloc through malloc and tc_free_sized", &tcmalloc, &hy_tcmalloc_interface},
};
/* clang-format on */

#define FORM_COUNT (sizeof forms / sizeof forms[0])
_Static_assert(FORM_COUNT - FIRST_PEER <= HY_PEER_MAX, "the registry has no room for so many rows of peers");

static pthread_mutex_t loading = PTHREAD_MUTEX_INITIALIZER;

/* The form of a row; NULL for rows of no library. */
static const form *form_of(const hy_row *row) {
    for (size_t i = 0; i < FORM_COUNT; i++) {
        if (row->data == &forms[i]) return &forms[i];
    }
    return NULL;
}

/* The file that this code lies in, a program or a plugin; false: it is not known. */
static bool own_file(char path[PATH_MAX]) {
    Dl_info info;
    struct link_map *map = NULL;
    if (!dladdr1(&loading, &info, (void **)&map, RTLD_DL_LINKMAP) || !map) return false;
    return realpath(map->l_name[0] ? map->l_name : "/proc/self/exe", path) != NULL;
}

/* Where this build keeps its own library. */
static bool find_ours(const char *soname, char path[PATH_MAX]) {
    static const char *const folders[] = {"", "../allocators/"};
    if (!own_file(path)) return false;
    size_t room = (size_t)(strrchr(path, '/') + 1 - path);
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        int length = snprintf(path + room, PATH_MAX - room, "%s%s", folders[i], soname);
        if (length >= 0 && (size_t)length < PATH_MAX - room && access(path, R_OK) == 0) return true;
    }
    return false;
}

/* The system's folders for libraries hold a file of that name. */
static bool is_installed(const char *soname) {
    char path[4096];
    snprintf(path, sizeof path, "/usr/local/lib/%s", soname);
    if (access(path, R_OK) == 0) return true;

    void *self = dlopen(NULL, RTLD_LAZY);
    Dl_serinfo size;
    if (!self || dlinfo(self, RTLD_DI_SERINFOSIZE, &size) != 0) return false;
    Dl_serinfo *folders = malloc(size.dls_size);
    bool found = false;
    if (folders && dlinfo(self, RTLD_DI_SERINFOSIZE, folders) == 0 &&
        dlinfo(self, RTLD_DI_SERINFO, folders) == 0) {
        for (unsigned i = 0; i < folders->dls_cnt && !found; i++) {
            snprintf(path, sizeof path, "%s/%s", folders->dls_serpath[i].dls_name, soname);
            found = access(path, R_OK) == 0;
        }
    }
    free(folders);
    dlclose(self);
    return found;
}

static bool is_found(const peer *p) {
    char path[PATH_MAX];
    return p->is_ours ? find_ours(p->soname, path) : is_installed(p->soname);
}

static bool has_room_for_tls(void) {
    const char *tunables = getenv("GLIBC_TUNABLES");
    return tunables && strstr(tunables, "glibc.rtld.optional_static_tls=");
}

static bool on_valgrind(void) {
#ifdef RUNNING_ON_VALGRIND
    return RUNNING_ON_VALGRIND != 0;
#else
    return false;
#endif
}

/* Memcheck answers its own requests with -1; Valgrind's other tools leave a peer's malloc alone. */
static bool on_memcheck(void) {
#ifdef RUNNING_ON_VALGRIND
    char byte = 0;
    return VALGRIND_MAKE_MEM_DEFINED(&byte, 1) != 0;
#else
    return false;
#endif
}

const char *hy_peer_missing(const hy_row *row) {
    const form *f = form_of(row);
    if (!f) return NULL;
    if (HY_ASAN) return "a build without AddressSanitizer";
    if (HY_TSAN) return "a build without ThreadSanitizer";
    if (on_memcheck()) return "a run outside of Valgrind's memcheck, which replaces its malloc";
    if (!is_found(f->library)) return f->library->missing;
    if (f->library->needs_static_tls && !has_room_for_tls())
        return "GLIBC_TUNABLES=" ROOM_FOR_TLS " in its environment";
    return NULL;
}

static void *find_symbol(void *handle, const char *name) {
    return dlsym(handle, name);
}

/* Every symbol of every form must be there: a peer of another version is no better than none. */
static bool read_all_symbols(peer *p, void *handle) {
    for (size_t i = 0; i < FORM_COUNT; i++) {
        if (forms[i].library != p) continue;
        if (!hy_malloc_library_fill(&p->calls, forms[i].interface, find_symbol, handle)) return false;
    }
    return true;
}

static bool load_locked(peer *p) {
    char path[PATH_MAX];
    if (p->loaded) return true;
    if (p->is_ours && !find_ours(p->soname, path)) return false;
    void *handle = dlopen(p->is_ours ? path : p->soname, RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
    if (!handle) return false;
    if (!read_all_symbols(p, handle) ||
        !hy_malloc_library_version(find_symbol, handle, p->version, sizeof p->version)) {
        dlclose(handle);
        return false;
    }
    Dl_info info;
    void *address;
    memcpy(&address, &p->calls.malloc, sizeof address);
    p->file = dladdr(address, &info) ? info.dli_fname : "";
    p->handle = handle;
    p->loaded = true;
    return true;
}

/* Loaded once and kept: blocks may be live for as long as the process. */
static bool load(peer *p) {
    pthread_mutex_lock(&loading);
    bool loaded = load_locked(p);
    pthread_mutex_unlock(&loading);
    return loaded;
}

const char *hy_peer_version(const hy_row *row) {
    const form *f = form_of(row);
    return f && !hy_peer_missing(row) && load(f->library) ? f->library->version : NULL;
}

const char *hy_peer_library(const hy_row *row) {
    const form *f = form_of(row);
    return f && !hy_peer_missing(row) && load(f->library) ? f->library->file : NULL;
}

bool hy_peer_has_library(const hy_row *row) {
    return form_of(row) != NULL;
}

/* What the library lacks would be found in the C library, whose blocks are none of its own. */
void *hy_peer_function(const hy_row *row, const char *name) {
    const char *file = hy_peer_library(row);
    void *address = file ? find_symbol(form_of(row)->library->handle, name) : NULL;
    Dl_info info;
    return address && dladdr(address, &info) && strcmp(info.dli_fname, file) == 0 ? address : NULL;
}

bool hy_peers_reexec(char **argv) {
    if (HY_ASAN || HY_TSAN || on_valgrind() || has_room_for_tls()) return true;
    const char *before = getenv("GLIBC_TUNABLES");
    char tunables[4096];
    int length = snprintf(tunables, sizeof tunables, "%s%s%s", before ? before : "",
        before && *before ? ":" : "", ROOM_FOR_TLS);
    if (length < 0 || (size_t)length >= sizeof tunables) return false;
    if (setenv("GLIBC_TUNABLES", tunables, 1) != 0) return false;
    execv("/proc/self/exe", argv);
    return false;
}

static void *make(const hy_row *row, const hy_config *config, hy_allocator *out) {
    (void)config;
    const form *f = form_of(row);
    if (!f || hy_peer_missing(row) || !load(f->library)) return NULL;
    *out = (hy_allocator){&f->library->calls, f->interface->vtable};
    return f->library;
}

static void destroy(const hy_row *row, void *instance) {
    (void)row, (void)instance;
}

#define TRAITS (HY_TRAIT_THREAD_SAFE | HY_TRAIT_FREE_ANY | HY_TRAIT_REAL_FREE)

size_t hy_peer_rows(hy_row rows[HY_PEER_MAX]) {
    for (size_t i = FIRST_PEER; i < FORM_COUNT; i++) {
        hy_row *row = &rows[i - FIRST_PEER];
        *row = (hy_row){
            .name = forms[i].name,
            .group = HY_GROUP_PEER,
            .summary = forms[i].summary,
            .traits = TRAITS | HY_TRAIT_PEER,
            .greatest_align = {63},
            .make = make,
            .destroy = destroy,
            .data = &forms[i],
        };
        row->missing = hy_peer_missing(row);
    }
    return FORM_COUNT - FIRST_PEER;
}

const hy_row hy_malloc_row = {
    .name = "malloc",
    .group = HY_GROUP_STRATEGY,
    .summary = "smp as a program's malloc, through malloc and free",
    .traits = TRAITS,
    .greatest_align = {HY_SMP_ALIGN_LOG2_MAX},
    .make = make,
    .destroy = destroy,
    .data = &forms[OURS],
};

const hy_row hy_malloc_sized_row = {
    .name = "malloc_sized",
    .group = HY_GROUP_STRATEGY,
    .summary = "smp as a program's malloc, through malloc and free_sized",
    .traits = TRAITS,
    .greatest_align = {HY_SMP_ALIGN_LOG2_MAX},
    .make = make,
    .destroy = destroy,
    .data = &forms[OURS_SIZED],
};
