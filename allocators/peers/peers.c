/* peers.c: jemalloc, mimalloc and gperftools' tcmalloc in one process with the C library's malloc.
 *
 * For: comparison. Not for: programs, which link or preload a peer.
 * Algorithm: dlopen with RTLD_LOCAL, so that nobody else's malloc becomes theirs, and RTLD_DEEPBIND, so
 *   that their own calls of malloc stay their own. Every call goes through a pointer in the peer's entry
 *   of the table, as one of libc's goes through the linkage table, so that both pay one indirect jump.
 * Alignment: all three align a block of 16 bytes or more to 16, a smaller one to 8; stronger wishes go
 *   through posix_memalign, or the peer's own function in the sized rows.
 * Sized rows: a block that was resized in place must still be freed with a size of its own size class,
 *   so resize is true only where the class stays.
 * Thread-safe: yes. Overhead: the peer's own.
 */
#include "allocators/peers/peers.h"
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#if defined(__has_include)
#if __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#endif
#endif

/* The functions of a peer's own interface. */
typedef struct jemalloc_api {
    void *(*mallocx)(size_t size, int flags);
    void *(*rallocx)(void *ptr, size_t size, int flags);
    size_t (*xallocx)(void *ptr, size_t size, size_t extra, int flags);
    size_t (*nallocx)(size_t size, int flags);
    void (*sdallocx)(void *ptr, size_t size, int flags);
    int (*mallctl)(const char *name, void *old, size_t *old_size, void *new_value, size_t new_size);
} jemalloc_api;

typedef struct mimalloc_api {
    void *(*malloc_aligned)(size_t size, size_t align);
    void *(*expand)(void *ptr, size_t size);
    void (*free_size)(void *ptr, size_t size);
    void (*free_size_aligned)(void *ptr, size_t size, size_t align);
    int (*version)(void);
} mimalloc_api;

typedef struct tcmalloc_api {
    void *(*new_aligned)(size_t size, size_t align, const void *nothrow);
    void (*free_sized)(void *ptr, size_t size);
    void (*delete_sized_aligned)(void *ptr, size_t size, size_t align);
    size_t (*nallocx)(size_t size, int flags);
    const char *(*version)(int *major, int *minor, const char **patch);
} tcmalloc_api;

/* A name in the peer's library, and where its address goes. */
typedef struct symbol {
    const char *name;
    size_t offset;
} symbol;

/* A peer's library. */
typedef struct peer {
    const char *soname;
    const char *missing; /* what to say where soname isn't found */
    bool needs_static_tls;
    void (*read_version)(struct peer *peer, char *out, size_t capacity);

    /* Filled when the library is loaded. */
    bool loaded;
    char version[64];
    const char *file; /* that malloc lies in */
    void *(*malloc)(size_t size);
    void (*free)(void *ptr);
    void *(*realloc)(void *ptr, size_t size);
    int (*memalign)(void **out, size_t align, size_t size);
    size_t (*usable)(void *ptr);
    union {
        jemalloc_api jemalloc;
        mimalloc_api mimalloc;
        tcmalloc_api tcmalloc;
    };
} peer;

static const size_t size_max = PTRDIFF_MAX;

/* Whether the peer's plain function already gives what is asked. */
HY_INLINE bool plain_aligns(size_t size, hy_align align) {
    return align.log2 <= 3 || (align.log2 == 4 && size >= 16);
}

/* mimalloc 2.0.9 now and then gives a block of a power of two at less than the alignment asked for; one
 * byte more takes its other path, which aligns. Seed: corpus/regressions/mimalloc/aligned_power_of_two.txt */
static bool is_short_of(const void *ptr, hy_align align) {
    return ptr && !hy_align_check_pointer(ptr, align);
}

static HY_COLD void *memalign_by(const peer *self, size_t size, hy_align align) {
    void *ptr;
    if (self->memalign(&ptr, hy_align_bytes(align), size) != 0) return NULL;
    if (HY_LIKELY(!is_short_of(ptr, align))) return ptr;
    self->free(ptr);
    return self->memalign(&ptr, hy_align_bytes(align), size + 1) == 0 ? ptr : NULL;
}

static void *plain_alloc(void *self, size_t size, hy_align align) {
    const peer *p = self;
    if (HY_UNLIKELY(size > size_max)) return NULL;
    if (HY_LIKELY(plain_aligns(size, align))) return p->malloc(size);
    return memalign_by(p, size, align);
}

static bool plain_resize(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    const peer *p = self;
    (void)align;
    return new_size <= old_size || new_size <= p->usable(ptr);
}

static void *plain_remap(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    const peer *p = self;
    (void)old_size;
    if (new_size > size_max) return NULL;
    return plain_aligns(new_size, align) ? p->realloc(ptr, new_size) : NULL;
}

static void plain_free(void *self, void *ptr, size_t size, hy_align align) {
    const peer *p = self;
    (void)size, (void)align;
    p->free(ptr);
}

static const hy_vtable plain_vtable = {plain_alloc, plain_resize, plain_remap, plain_free};

/* jemalloc's flags word: log2 of the alignment, or 0 where the size alone gives it. */
HY_INLINE int jemalloc_flags(size_t size, hy_align align) {
    return HY_LIKELY(plain_aligns(size, align)) ? 0 : align.log2;
}

static void *jemalloc_alloc(void *self, size_t size, hy_align align) {
    const peer *p = self;
    if (HY_UNLIKELY(size > size_max)) return NULL;
    return p->jemalloc.mallocx(size, jemalloc_flags(size, align));
}

static bool jemalloc_resize(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    const peer *p = self;
    (void)old_size;
    if (new_size > size_max) return false;
    int flags = jemalloc_flags(new_size, align);
    return p->jemalloc.xallocx(ptr, new_size, 0, flags) == p->jemalloc.nallocx(new_size, flags);
}

static void *jemalloc_remap(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    const peer *p = self;
    (void)old_size;
    if (new_size > size_max) return NULL;
    return p->jemalloc.rallocx(ptr, new_size, jemalloc_flags(new_size, align));
}

static void jemalloc_free(void *self, void *ptr, size_t size, hy_align align) {
    const peer *p = self;
    p->jemalloc.sdallocx(ptr, size, jemalloc_flags(size, align));
}

static const hy_vtable jemalloc_vtable = {jemalloc_alloc, jemalloc_resize, jemalloc_remap, jemalloc_free};

static void jemalloc_version(peer *p, char *out, size_t capacity) {
    const char *text = "";
    size_t size = sizeof text;
    if (p->jemalloc.mallctl("version", &text, &size, NULL, 0) != 0) text = "unknown";
    /* "5.3.0-0-g54eaed1d…": the commit behind the number says nothing more here. */
    snprintf(out, capacity, "%.*s", (int)strcspn(text, "-"), text);
}

static void *mimalloc_alloc(void *self, size_t size, hy_align align) {
    const peer *p = self;
    if (HY_UNLIKELY(size > size_max)) return NULL;
    if (HY_LIKELY(plain_aligns(size, align))) return p->malloc(size);
    void *ptr = p->mimalloc.malloc_aligned(size, hy_align_bytes(align));
    if (HY_LIKELY(!is_short_of(ptr, align))) return ptr;
    p->free(ptr);
    return p->mimalloc.malloc_aligned(size + 1, hy_align_bytes(align));
}

static bool mimalloc_resize(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    const peer *p = self;
    (void)old_size, (void)align;
    return p->mimalloc.expand(ptr, new_size) != NULL;
}

static void *mimalloc_remap(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    const peer *p = self;
    if (new_size > size_max) return NULL;
    if (plain_aligns(new_size, align)) return p->realloc(ptr, new_size);
    return mimalloc_resize(self, ptr, old_size, new_size, align) ? ptr : NULL;
}

static void mimalloc_free(void *self, void *ptr, size_t size, hy_align align) {
    const peer *p = self;
    if (HY_LIKELY(plain_aligns(size, align)))
        p->mimalloc.free_size(ptr, size);
    else
        p->mimalloc.free_size_aligned(ptr, size, hy_align_bytes(align));
}

static const hy_vtable mimalloc_vtable = {mimalloc_alloc, mimalloc_resize, mimalloc_remap, mimalloc_free};

static void mimalloc_version(peer *p, char *out, size_t capacity) {
    int number = p->mimalloc.version();
    snprintf(out, capacity, "%d.%d.%d", number / 100, number / 10 % 10, number % 10);
}

/* new(nothrow)'s tag: only its address is passed, and nobody reads it. */
static const char nothrow_tag = 0;

static void *tcmalloc_alloc(void *self, size_t size, hy_align align) {
    const peer *p = self;
    if (HY_UNLIKELY(size > size_max)) return NULL;
    if (HY_LIKELY(plain_aligns(size, align))) return p->malloc(size);
    return p->tcmalloc.new_aligned(size, hy_align_bytes(align), &nothrow_tag);
}

/* In place only where the new size is served from the same class of blocks, by the same function. */
static bool tcmalloc_resize(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    const peer *p = self;
    if (new_size > size_max) return false;
    if (!plain_aligns(old_size, align) || !plain_aligns(new_size, align)) return false;
    return p->tcmalloc.nallocx(new_size, 0) == p->usable(ptr);
}

static void tcmalloc_free(void *self, void *ptr, size_t size, hy_align align) {
    const peer *p = self;
    if (HY_LIKELY(plain_aligns(size, align)))
        p->tcmalloc.free_sized(ptr, size);
    else
        p->tcmalloc.delete_sized_aligned(ptr, size, hy_align_bytes(align));
}

/* Its realloc may keep a block whose class is not the new size's, which a sized free must not see: so
 * the caller copies. */
static const hy_vtable tcmalloc_vtable = {tcmalloc_alloc, tcmalloc_resize, hy_refuse_remap, tcmalloc_free};

static void tcmalloc_version(peer *p, char *out, size_t capacity) {
    int major, minor;
    const char *patch;
    p->tcmalloc.version(&major, &minor, &patch);
    snprintf(out, capacity, "%d.%d%s", major, minor, patch ? patch : "");
}

#define ROOM_FOR_TLS "glibc.rtld.optional_static_tls=8192"

static peer jemalloc = {
    .soname = "libjemalloc.so.2",
    .missing = "install libjemalloc2",
    .needs_static_tls = true,
    .read_version = jemalloc_version,
};
static peer mimalloc = {
    .soname = "libmimalloc.so.2",
    .missing = "install libmimalloc2.0",
    .read_version = mimalloc_version,
};
static peer tcmalloc = {
    .soname = "libtcmalloc_minimal.so.4",
    .missing = "install libtcmalloc-minimal4",
    .read_version = tcmalloc_version,
};

/* What each form calls, ended by an entry without a name. */
static const symbol plain_symbols[] = {
    {"malloc", offsetof(peer, malloc)},
    {"free", offsetof(peer, free)},
    {"realloc", offsetof(peer, realloc)},
    {"posix_memalign", offsetof(peer, memalign)},
    {"malloc_usable_size", offsetof(peer, usable)},
    {NULL, 0},
};
static const symbol jemalloc_symbols[] = {
    {"mallocx", offsetof(peer, jemalloc.mallocx)},
    {"rallocx", offsetof(peer, jemalloc.rallocx)},
    {"xallocx", offsetof(peer, jemalloc.xallocx)},
    {"nallocx", offsetof(peer, jemalloc.nallocx)},
    {"sdallocx", offsetof(peer, jemalloc.sdallocx)},
    {"mallctl", offsetof(peer, jemalloc.mallctl)},
    {NULL, 0},
};
static const symbol mimalloc_symbols[] = {
    {"mi_malloc_aligned", offsetof(peer, mimalloc.malloc_aligned)},
    {"mi_expand", offsetof(peer, mimalloc.expand)},
    {"mi_free_size", offsetof(peer, mimalloc.free_size)},
    {"mi_free_size_aligned", offsetof(peer, mimalloc.free_size_aligned)},
    {"mi_version", offsetof(peer, mimalloc.version)},
    {NULL, 0},
};
static const symbol tcmalloc_symbols[] = {
    {"tc_new_aligned_nothrow", offsetof(peer, tcmalloc.new_aligned)},
    {"tc_free_sized", offsetof(peer, tcmalloc.free_sized)},
    {"tc_delete_sized_aligned", offsetof(peer, tcmalloc.delete_sized_aligned)},
    {"nallocx", offsetof(peer, tcmalloc.nallocx)},
    {"tc_version", offsetof(peer, tcmalloc.version)},
    {NULL, 0},
};

/* A row: a peer's library by one set of its functions. */
typedef struct form {
    const char *name;
    const char *summary;
    peer *library;
    const hy_vtable *vtable;
    const symbol *symbols;
} form;

/* clang-format off */
static const form forms[] = {
    {"jemalloc", "jemalloc through malloc and free", &jemalloc, &plain_vtable, plain_symbols},
    {"jemalloc_sized", "jemalloc through mallocx and sdallocx", &jemalloc, &jemalloc_vtable, jemalloc_symbols},
    {"mimalloc", "mimalloc through malloc and free", &mimalloc, &plain_vtable, plain_symbols},
    {"mimalloc_sized", "mimalloc through malloc and mi_free_size", &mimalloc, &mimalloc_vtable, mimalloc_symbols},
    {"tcmalloc_gperf", "gperftools' tcmalloc through malloc and free", &tcmalloc, &plain_vtable, plain_symbols},
    {"tcmalloc_gperf_sized", "gperftools' tcmalloc through malloc and tc_free_sized", &tcmalloc, &tcmalloc_vtable, tcmalloc_symbols},
};
/* clang-format on */

#define FORM_COUNT (sizeof forms / sizeof forms[0])
_Static_assert(FORM_COUNT <= HY_PEER_MAX, "the registry has no room for so many rows of peers");

static pthread_mutex_t loading = PTHREAD_MUTEX_INITIALIZER;

/* The form of a row; NULL for rows that are no peer's. */
static const form *form_of(const hy_row *row) {
    for (size_t i = 0; i < FORM_COUNT; i++) {
        if (row->data == &forms[i]) return &forms[i];
    }
    return NULL;
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
    if (!is_installed(f->library->soname)) return f->library->missing;
    if (f->library->needs_static_tls && !has_room_for_tls())
        return "GLIBC_TUNABLES=" ROOM_FOR_TLS " in its environment";
    return NULL;
}

static bool read_symbols(peer *p, void *handle, const symbol *symbols) {
    for (const symbol *s = symbols; s->name; s++) {
        void *address = dlsym(handle, s->name);
        if (!address) return false;
        memcpy((char *)p + s->offset, &address, sizeof address);
    }
    return true;
}

/* Every symbol of every form must be there: a peer of another version is no better than none. */
static bool read_all_symbols(peer *p, void *handle) {
    for (size_t i = 0; i < FORM_COUNT; i++) {
        if (forms[i].library == p && !read_symbols(p, handle, forms[i].symbols)) return false;
    }
    return true;
}

static bool load_locked(peer *p) {
    if (p->loaded) return true;
    void *handle = dlopen(p->soname, RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
    if (!handle) return false;
    if (!read_all_symbols(p, handle)) {
        dlclose(handle);
        return false;
    }
    Dl_info info;
    void *address;
    memcpy(&address, &p->malloc, sizeof address);
    p->file = dladdr(address, &info) ? info.dli_fname : "";
    p->read_version(p, p->version, sizeof p->version);
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
    *out = (hy_allocator){f->library, f->vtable};
    return f->library;
}

static void destroy(const hy_row *row, void *instance) {
    (void)row, (void)instance;
}

size_t hy_peer_rows(hy_row rows[HY_PEER_MAX]) {
    for (size_t i = 0; i < FORM_COUNT; i++) {
        rows[i] = (hy_row){
            .name = forms[i].name,
            .group = HY_GROUP_PEER,
            .summary = forms[i].summary,
            .traits = HY_TRAIT_THREAD_SAFE | HY_TRAIT_FREE_ANY | HY_TRAIT_REAL_FREE | HY_TRAIT_PEER,
            .greatest_align = {63},
            .make = make,
            .destroy = destroy,
            .data = &forms[i],
        };
        rows[i].missing = hy_peer_missing(&rows[i]);
    }
    return FORM_COUNT;
}
