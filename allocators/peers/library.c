/* library.c: the ways to call a malloc library.
 *
 * Alignment: malloc aligns a block of 16 bytes or more to 16, a smaller one to 8; stronger wishes go through
 *   posix_memalign, or the library's own function in the sized interfaces.
 * Sized interfaces: a block that was resized in place must still be freed with a size of its own size class,
 *   so resize is true only where the class stays.
 * Thread-safe: as the library is. Overhead: the library's own.
 */
#include "allocators/peers/library.h"
#include <stdio.h>
#include <string.h>

static const size_t size_max = PTRDIFF_MAX;

/* Whether malloc already gives what is asked. */
HY_INLINE bool plain_aligns(size_t size, hy_align align) {
    return align.log2 <= 3 || (align.log2 == 4 && size >= 16);
}

/* mimalloc 2.0.9 now and then gives a block of a power of two at less than the alignment asked for; one
 * byte more takes its other path, which aligns. Seed: corpus/regressions/mimalloc/aligned_power_of_two.txt */
static bool is_short_of(const void *ptr, hy_align align) {
    return ptr && !hy_align_check_pointer(ptr, align);
}

static HY_COLD void *memalign_by(const hy_malloc_library *self, size_t size, hy_align align) {
    void *ptr;
    if (self->memalign(&ptr, hy_align_bytes(align), size) != 0) return NULL;
    if (HY_LIKELY(!is_short_of(ptr, align))) return ptr;
    self->free(ptr);
    return self->memalign(&ptr, hy_align_bytes(align), size + 1) == 0 ? ptr : NULL;
}

static void *plain_alloc(void *self, size_t size, hy_align align) {
    const hy_malloc_library *p = self;
    if (HY_UNLIKELY(size > size_max)) return NULL;
    if (HY_LIKELY(plain_aligns(size, align))) return p->malloc(size);
    return memalign_by(p, size, align);
}

static bool plain_resize(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    const hy_malloc_library *p = self;
    (void)align;
    return new_size <= old_size || new_size <= p->usable(ptr);
}

static void *plain_remap(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    const hy_malloc_library *p = self;
    (void)old_size;
    if (new_size > size_max) return NULL;
    return plain_aligns(new_size, align) ? p->realloc(ptr, new_size) : NULL;
}

static void plain_free(void *self, void *ptr, size_t size, hy_align align) {
    const hy_malloc_library *p = self;
    (void)size, (void)align;
    p->free(ptr);
}

static const hy_vtable plain_vtable = {plain_alloc, plain_resize, plain_remap, plain_free};

static const hy_symbol plain_symbols[] = {
    {"malloc", offsetof(hy_malloc_library, malloc)},
    {"free", offsetof(hy_malloc_library, free)},
    {"realloc", offsetof(hy_malloc_library, realloc)},
    {"posix_memalign", offsetof(hy_malloc_library, memalign)},
    {"malloc_usable_size", offsetof(hy_malloc_library, usable)},
    {NULL, 0},
};
const hy_malloc_interface hy_plain_interface = {"malloc and free", &plain_vtable, plain_symbols};

/* What C23 has: a size is the one that was asked for last, by whichever call gave the block. */
static void *c23_alloc(void *self, size_t size, hy_align align) {
    const hy_malloc_library *p = self;
    if (HY_UNLIKELY(size > size_max)) return NULL;
    if (HY_LIKELY(plain_aligns(size, align))) return p->malloc(size);
    return p->c23.aligned_alloc(hy_align_bytes(align), size);
}

/* No call of C23 changes a size in place. */
static bool same_size(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    (void)self, (void)ptr, (void)align;
    return new_size == old_size;
}

/* What realloc gives is malloc's to free, so the block must have been malloc's before, too. */
static void *c23_remap(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    const hy_malloc_library *p = self;
    if (new_size > size_max) return NULL;
    return plain_aligns(old_size, align) && plain_aligns(new_size, align) ? p->realloc(ptr, new_size) : NULL;
}

static void c23_free(void *self, void *ptr, size_t size, hy_align align) {
    const hy_malloc_library *p = self;
    if (HY_LIKELY(plain_aligns(size, align)))
        p->c23.free_sized(ptr, size);
    else
        p->c23.free_aligned_sized(ptr, hy_align_bytes(align), size);
}

static const hy_vtable c23_vtable = {c23_alloc, same_size, c23_remap, c23_free};

static const hy_symbol c23_symbols[] = {
    {"aligned_alloc", offsetof(hy_malloc_library, c23.aligned_alloc)},
    {"free_sized", offsetof(hy_malloc_library, c23.free_sized)},
    {"free_aligned_sized", offsetof(hy_malloc_library, c23.free_aligned_sized)},
    {NULL, 0},
};
const hy_malloc_interface hy_c23_interface = {"malloc and free_sized", &c23_vtable, c23_symbols};

/* jemalloc's flags word: log2 of the alignment, or 0 where the size alone gives it. */
HY_INLINE int jemalloc_flags(size_t size, hy_align align) {
    return HY_LIKELY(plain_aligns(size, align)) ? 0 : align.log2;
}

static void *jemalloc_alloc(void *self, size_t size, hy_align align) {
    const hy_malloc_library *p = self;
    if (HY_UNLIKELY(size > size_max)) return NULL;
    return p->jemalloc.mallocx(size, jemalloc_flags(size, align));
}

static bool jemalloc_resize(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    const hy_malloc_library *p = self;
    (void)old_size;
    if (new_size > size_max) return false;
    int flags = jemalloc_flags(new_size, align);
    return p->jemalloc.xallocx(ptr, new_size, 0, flags) == p->jemalloc.nallocx(new_size, flags);
}

static void *jemalloc_remap(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    const hy_malloc_library *p = self;
    (void)old_size;
    if (new_size > size_max) return NULL;
    return p->jemalloc.rallocx(ptr, new_size, jemalloc_flags(new_size, align));
}

static void jemalloc_free(void *self, void *ptr, size_t size, hy_align align) {
    const hy_malloc_library *p = self;
    p->jemalloc.sdallocx(ptr, size, jemalloc_flags(size, align));
}

static const hy_vtable jemalloc_vtable = {jemalloc_alloc, jemalloc_resize, jemalloc_remap, jemalloc_free};

static const hy_symbol jemalloc_symbols[] = {
    {"mallocx", offsetof(hy_malloc_library, jemalloc.mallocx)},
    {"rallocx", offsetof(hy_malloc_library, jemalloc.rallocx)},
    {"xallocx", offsetof(hy_malloc_library, jemalloc.xallocx)},
    {"nallocx", offsetof(hy_malloc_library, jemalloc.nallocx)},
    {"sdallocx", offsetof(hy_malloc_library, jemalloc.sdallocx)},
    {NULL, 0},
};
const hy_malloc_interface hy_jemalloc_interface = {
    "mallocx and sdallocx", &jemalloc_vtable, jemalloc_symbols};

/* sdallocx alone: blocks are malloc's, and nothing is known about what realloc would do to a size class. */
static const hy_vtable sdallocx_vtable = {plain_alloc, same_size, hy_refuse_remap, jemalloc_free};

static const hy_symbol sdallocx_symbols[] = {
    {"sdallocx", offsetof(hy_malloc_library, jemalloc.sdallocx)},
    {NULL, 0},
};
const hy_malloc_interface hy_sdallocx_interface = {"malloc and sdallocx", &sdallocx_vtable, sdallocx_symbols};

static void *mimalloc_alloc(void *self, size_t size, hy_align align) {
    const hy_malloc_library *p = self;
    if (HY_UNLIKELY(size > size_max)) return NULL;
    if (HY_LIKELY(plain_aligns(size, align))) return p->malloc(size);
    void *ptr = p->mimalloc.malloc_aligned(size, hy_align_bytes(align));
    if (HY_LIKELY(!is_short_of(ptr, align))) return ptr;
    p->free(ptr);
    return p->mimalloc.malloc_aligned(size + 1, hy_align_bytes(align));
}

static bool mimalloc_resize(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    const hy_malloc_library *p = self;
    (void)old_size, (void)align;
    return p->mimalloc.expand(ptr, new_size) != NULL;
}

static void *mimalloc_remap(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    const hy_malloc_library *p = self;
    if (new_size > size_max) return NULL;
    if (plain_aligns(new_size, align)) return p->realloc(ptr, new_size);
    return mimalloc_resize(self, ptr, old_size, new_size, align) ? ptr : NULL;
}

static void mimalloc_free(void *self, void *ptr, size_t size, hy_align align) {
    const hy_malloc_library *p = self;
    if (HY_LIKELY(plain_aligns(size, align)))
        p->mimalloc.free_size(ptr, size);
    else
        p->mimalloc.free_size_aligned(ptr, size, hy_align_bytes(align));
}

static const hy_vtable mimalloc_vtable = {mimalloc_alloc, mimalloc_resize, mimalloc_remap, mimalloc_free};

static const hy_symbol mimalloc_symbols[] = {
    {"mi_malloc_aligned", offsetof(hy_malloc_library, mimalloc.malloc_aligned)},
    {"mi_expand", offsetof(hy_malloc_library, mimalloc.expand)},
    {"mi_free_size", offsetof(hy_malloc_library, mimalloc.free_size)},
    {"mi_free_size_aligned", offsetof(hy_malloc_library, mimalloc.free_size_aligned)},
    {NULL, 0},
};
const hy_malloc_interface hy_mimalloc_interface = {
    "malloc and mi_free_size", &mimalloc_vtable, mimalloc_symbols};

/* new(nothrow)'s tag: only its address is passed, and nobody reads it. */
static const char nothrow_tag = 0;

static void *tcmalloc_alloc(void *self, size_t size, hy_align align) {
    const hy_malloc_library *p = self;
    if (HY_UNLIKELY(size > size_max)) return NULL;
    if (HY_LIKELY(plain_aligns(size, align))) return p->malloc(size);
    return p->tcmalloc.new_aligned(size, hy_align_bytes(align), &nothrow_tag);
}

/* In place only where the new size is served from the same class of blocks, by the same function. */
static bool tcmalloc_resize(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align) {
    const hy_malloc_library *p = self;
    if (new_size > size_max) return false;
    if (!plain_aligns(old_size, align) || !plain_aligns(new_size, align)) return false;
    return p->tcmalloc.nallocx(new_size, 0) == p->usable(ptr);
}

static void tcmalloc_free(void *self, void *ptr, size_t size, hy_align align) {
    const hy_malloc_library *p = self;
    if (HY_LIKELY(plain_aligns(size, align)))
        p->tcmalloc.free_sized(ptr, size);
    else
        p->tcmalloc.delete_sized_aligned(ptr, size, hy_align_bytes(align));
}

/* Its realloc may keep a block whose class is not the new size's, which a sized free must not see: so
 * the caller copies. */
static const hy_vtable tcmalloc_vtable = {tcmalloc_alloc, tcmalloc_resize, hy_refuse_remap, tcmalloc_free};

static const hy_symbol tcmalloc_symbols[] = {
    {"tc_new_aligned_nothrow", offsetof(hy_malloc_library, tcmalloc.new_aligned)},
    {"tc_free_sized", offsetof(hy_malloc_library, tcmalloc.free_sized)},
    {"tc_delete_sized_aligned", offsetof(hy_malloc_library, tcmalloc.delete_sized_aligned)},
    {"nallocx", offsetof(hy_malloc_library, tcmalloc.nallocx)},
    {NULL, 0},
};
const hy_malloc_interface hy_tcmalloc_interface = {
    "malloc and tc_free_sized", &tcmalloc_vtable, tcmalloc_symbols};

/* The operators of C++, each with its own delete. */
static void *cxx_alloc(void *self, size_t size, hy_align align) {
    const hy_malloc_library *p = self;
    if (HY_UNLIKELY(size > size_max)) return NULL;
    if (HY_LIKELY(plain_aligns(size, align))) return p->cxx.new_plain(size, &nothrow_tag);
    return p->cxx.new_aligned(size, hy_align_bytes(align), &nothrow_tag);
}

static void cxx_free(void *self, void *ptr, size_t size, hy_align align) {
    const hy_malloc_library *p = self;
    if (HY_LIKELY(plain_aligns(size, align)))
        p->cxx.delete_sized(ptr, size);
    else
        p->cxx.delete_sized_aligned(ptr, size, hy_align_bytes(align));
}

static const hy_vtable cxx_vtable = {cxx_alloc, same_size, hy_refuse_remap, cxx_free};

static const hy_symbol cxx_symbols[] = {
    {"_ZnwmRKSt9nothrow_t", offsetof(hy_malloc_library, cxx.new_plain)},
    {"_ZnwmSt11align_val_tRKSt9nothrow_t", offsetof(hy_malloc_library, cxx.new_aligned)},
    {"_ZdlPvm", offsetof(hy_malloc_library, cxx.delete_sized)},
    {"_ZdlPvmSt11align_val_t", offsetof(hy_malloc_library, cxx.delete_sized_aligned)},
    {NULL, 0},
};
const hy_malloc_interface hy_cxx_interface = {"new and delete with a size", &cxx_vtable, cxx_symbols};

typedef void *finding(void *context, const char *name);

static bool find_all(const hy_symbol *symbols, finding *find, void *context, hy_malloc_library *out) {
    for (const hy_symbol *s = symbols; s->name; s++) {
        void *address = find(context, s->name);
        if (!address) return false;
        memcpy((char *)out + s->offset, &address, sizeof address);
    }
    return true;
}

bool hy_malloc_library_fill(
    hy_malloc_library *library, const hy_malloc_interface *interface, finding *find, void *context) {
    hy_malloc_library filled = *library;
    if (!find_all(interface->symbols, find, context, &filled)) return false;
    *library = filled;
    return true;
}

/* The functions that tell a version have as many types as there are libraries. */
typedef int mallctl_function(const char *name, void *old, size_t *old_size, void *new_value, size_t new_size);
typedef int mi_version_function(void);
typedef const char *tc_version_function(int *major, int *minor, const char **patch);
typedef const char *heapyard_version_function(void);

static void tell_jemalloc(void *address, char *out, size_t capacity) {
    mallctl_function *mallctl;
    memcpy(&mallctl, &address, sizeof mallctl);
    const char *text = "";
    size_t size = sizeof text;
    if (mallctl("version", &text, &size, NULL, 0) != 0) text = "unknown";
    /* "5.3.0-0-g54eaed1d…": the commit behind the number says nothing more here. */
    snprintf(out, capacity, "%.*s", (int)strcspn(text, "-"), text);
}

static void tell_mimalloc(void *address, char *out, size_t capacity) {
    mi_version_function *version;
    memcpy(&version, &address, sizeof version);
    int number = version();
    snprintf(out, capacity, "%d.%d.%d", number / 100, number / 10 % 10, number % 10);
}

static void tell_tcmalloc(void *address, char *out, size_t capacity) {
    tc_version_function *version;
    memcpy(&version, &address, sizeof version);
    int major, minor;
    const char *patch;
    version(&major, &minor, &patch);
    snprintf(out, capacity, "%d.%d%s", major, minor, patch ? patch : "");
}

static void tell_heapyard(void *address, char *out, size_t capacity) {
    heapyard_version_function *version;
    memcpy(&version, &address, sizeof version);
    snprintf(out, capacity, "%s", version());
}

static const struct {
    const char *symbol;
    void (*tell)(void *address, char *out, size_t capacity);
} versions[] = {
    {"mallctl", tell_jemalloc},
    {"mi_version", tell_mimalloc},
    {"tc_version", tell_tcmalloc},
    {"heapyard_malloc_version", tell_heapyard},
};

bool hy_malloc_library_version(finding *find, void *context, char *out, size_t capacity) {
    for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++) {
        void *address = find(context, versions[i].symbol);
        if (!address) continue;
        versions[i].tell(address, out, capacity);
        return true;
    }
    return false;
}
