/* preloaded.c: the malloc library that this process runs on, as rows.
 *
 * The dynamic linker has put the library before the C library, so that malloc is the library's everywhere.
 * What of it can be called is looked up in the file that its malloc lies in: a function that it lacks would
 * else be found in the C library or in C++'s, whose blocks are none of its own. The C library's own malloc is
 * still there under its handle, and serves libc and its twin.
 *
 * Sized interfaces are tried in the order of `sized_interfaces`, and the first whose functions are all there
 * is taken: the standard's, then those made for C, then C++'s operators.
 * Thread-safe: as the library is.
 */
#include "allocators/peers/preloaded.h"
#include "allocators/peers/library.h"
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAME_SIZE 32
#define PATH_SIZE 4096
#define OPTION "--preload"
#define SIZED "_sized"
#define ROW_MAX 4

/* clang-format off */
static const hy_malloc_interface *const sized_interfaces[] = {
    &hy_c23_interface, &hy_jemalloc_interface, &hy_sdallocx_interface, &hy_mimalloc_interface,
    &hy_tcmalloc_interface, &hy_cxx_interface,
};
/* clang-format on */

/* A way to call malloc, as a row. */
typedef struct form {
    hy_malloc_library calls;
    const hy_malloc_interface *interface;
    char name[NAME_SIZE + sizeof SIZED];
    char summary[PATH_SIZE + 64];
    hy_row row;
} form;

static struct {
    char path[PATH_SIZE];
    char version[64];
    hy_preloaded_library library; /* path is NULL: none was loaded */
    const void *base;             /* of the file that malloc lies in */
    form plain, sized, libc, libc_again;
    const hy_row *rows[ROW_MAX];
    size_t row_count;
    void *(*aligned_alloc)(size_t align, size_t size);
} state;

HY_PRINTF(3, 4) static bool refuse(char *error, size_t error_size, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error, error_size, format, arguments);
    va_end(arguments);
    return false;
}

/* ---- the start of the process */

/* The value of the option, however it is written; NULL: it is not there. */
static const char *option_value(char **argv) {
    size_t length = strlen(OPTION);
    for (size_t i = 1; argv[i]; i++) {
        if (strncmp(argv[i], OPTION, length) != 0) continue;
        if (argv[i][length] == '=') return argv[i] + length + 1;
        if (argv[i][length] == '\0') return argv[i + 1];
    }
    return NULL;
}

/* The dynamic linker ends a name at either. */
static bool can_be_preloaded(const char *path) {
    return path[strcspn(path, " :")] == '\0';
}

static bool is_first_preload(const char *path) {
    const char *preload = getenv("LD_PRELOAD");
    size_t length = strlen(path);
    return preload && strncmp(preload, path, length) == 0 &&
           (preload[length] == '\0' || preload[length] == ':' || preload[length] == ' ');
}

bool hy_preloaded_reexec(char **argv) {
    return hy_preloaded_reexec_with(option_value(argv), argv);
}

bool hy_preloaded_reexec_with(const char *name_equals_path, char **argv) {
    const char *value = HY_ASAN || HY_TSAN ? NULL : name_equals_path;
    const char *path = value ? strchr(value, '=') : NULL;
    if (!path || !can_be_preloaded(++path) || is_first_preload(path)) return true;
    const char *before = getenv("LD_PRELOAD");
    char preload[2 * PATH_SIZE];
    int length =
        snprintf(preload, sizeof preload, "%s%s%s", path, before && *before ? ":" : "", before ? before : "");
    if (length < 0 || (size_t)length >= sizeof preload) return false;
    if (setenv("LD_PRELOAD", preload, 1) != 0) return false;
    execv("/proc/self/exe", argv);
    return false;
}

/* ---- the functions of the library, and those that it lacks */

static const void *base_of(const void *address) {
    Dl_info info;
    return address && dladdr(address, &info) ? info.dli_fbase : NULL;
}

/* Only what lies in the same file as malloc. */
static void *find_in_library(void *context, const char *name) {
    (void)context;
    void *address = dlsym(RTLD_DEFAULT, name);
    return base_of(address) == state.base ? address : NULL;
}

static void *find_in_libc(void *handle, const char *name) {
    return dlsym(handle, name);
}

static int memalign_by_aligned_alloc(void **out, size_t align, size_t size) {
    *out = state.aligned_alloc(align, size);
    return *out ? 0 : ENOMEM;
}

/* malloc's own alignment, from the size on at which it gives it. */
static int memalign_by_malloc(void **out, size_t align, size_t size) {
    *out = align <= 16 ? state.plain.calls.malloc(size < 16 ? 16 : size) : NULL;
    return *out ? 0 : ENOMEM;
}

static void *no_realloc(void *ptr, size_t size) {
    (void)ptr, (void)size;
    return NULL;
}

static size_t no_usable_size(void *ptr) {
    (void)ptr;
    return 0;
}

/* The address of the first of two names that the library has, in the pointer at `out`. */
static bool find_one(void *out, const char *name, const char *other) {
    void *address = find_in_library(NULL, name);
    if (!address && other) address = find_in_library(NULL, other);
    if (address) memcpy(out, &address, sizeof address);
    return address != NULL;
}

/* malloc and free must be there; what else is not gets a stand-in that refuses. */
static bool find_plain(hy_malloc_library *calls, hy_align *greatest_align) {
    *greatest_align = hy_align_from_log2(63);
    if (!find_one(&calls->malloc, "malloc", NULL) || !find_one(&calls->free, "free", NULL)) return false;
    if (!find_one(&calls->realloc, "realloc", NULL)) calls->realloc = no_realloc;
    if (!find_one(&calls->usable, "malloc_usable_size", NULL)) calls->usable = no_usable_size;
    if (find_one(&calls->memalign, "posix_memalign", NULL)) return true;
    calls->memalign = memalign_by_aligned_alloc;
    if (find_one(&state.aligned_alloc, "aligned_alloc", "memalign")) return true;
    calls->memalign = memalign_by_malloc;
    *greatest_align = HY_ALIGN_16;
    return true;
}

/* ---- rows */

static void *make(const hy_row *row, const hy_config *config, hy_allocator *out) {
    (void)config;
    form *f = (form *)(uintptr_t)row->data;
    *out = (hy_allocator){&f->calls, f->interface->vtable};
    return f;
}

static void destroy(const hy_row *row, void *instance) {
    (void)row, (void)instance;
}

static void add_form(form *f, const char *name, const char *suffix, hy_align greatest_align) {
    snprintf(f->name, sizeof f->name, "%s%s", name, suffix);
    snprintf(f->summary, sizeof f->summary, "%s, preloaded, through %s", state.path, f->interface->calls);
    f->row = (hy_row){
        .name = f->name,
        .group = HY_GROUP_PEER,
        .summary = f->summary,
        .traits = HY_TRAIT_THREAD_SAFE | HY_TRAIT_FREE_ANY | HY_TRAIT_REAL_FREE | HY_TRAIT_PEER,
        .greatest_align = greatest_align,
        .make = make,
        .destroy = destroy,
        .data = f,
    };
    state.rows[state.row_count++] = &f->row;
}

static void add_library_rows(const char *name, hy_align greatest_align) {
    state.plain.interface = &hy_plain_interface;
    add_form(&state.plain, name, "", greatest_align);
    for (size_t i = 0; i < sizeof sized_interfaces / sizeof sized_interfaces[0]; i++) {
        state.sized.calls = state.plain.calls;
        if (!hy_malloc_library_fill(&state.sized.calls, sized_interfaces[i], find_in_library, NULL)) continue;
        state.sized.interface = sized_interfaces[i];
        add_form(&state.sized, name, SIZED, greatest_align);
        return;
    }
}

extern const hy_row hy_libc_row, hy_libc_again_row;

/* The row as it is in every process, but for the malloc behind it. */
static bool add_libc(form *f, const hy_row *row, void *handle) {
    f->interface = &hy_plain_interface;
    if (!hy_malloc_library_fill(&f->calls, f->interface, find_in_libc, handle)) return false;
    f->row = *row;
    f->row.make = make;
    f->row.destroy = destroy;
    f->row.data = f;
    state.rows[state.row_count++] = &f->row;
    return true;
}

#define START_BLOCKS 1024
#define START_STRIDE 617 /* odd: every block's turn comes once */

/* What a program's start leaves behind, which the C library's malloc has not seen in this process: caches
 * that are filled with small blocks from all over the heap. With none, a batch that is freed whole becomes
 * one free block, which goes back to the system and is fetched again each time, as in no process that runs on
 * it. */
static void leave_a_start(const hy_malloc_library *calls) {
    static void *blocks[START_BLOCKS];
    for (size_t i = 0; i < START_BLOCKS; i++)
        blocks[i] = calls->malloc(16 + i * START_STRIDE % START_BLOCKS);
    for (size_t i = 0; i < START_BLOCKS; i++)
        calls->free(blocks[(i * START_STRIDE) % START_BLOCKS]);
}

static bool add_libc_rows(void) {
    void *handle = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);
    if (!handle || !add_libc(&state.libc, &hy_libc_row, handle) ||
        !add_libc(&state.libc_again, &hy_libc_again_row, handle)) {
        return false;
    }
    leave_a_start(&state.libc.calls);
    return true;
}

/* ---- loading */

static bool parse(const char *text, char name[NAME_SIZE], char *error, size_t error_size) {
    const char *equals = strchr(text, '=');
    size_t length = equals ? (size_t)(equals - text) : 0;
    if (!equals || !equals[1]) return refuse(error, error_size, "write it as name=/path/lib.so");
    if (length == 0 || length >= NAME_SIZE ||
        strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_") != length) {
        return refuse(error, error_size, "the name must be 1 to %d of [a-z0-9_]", NAME_SIZE - 1);
    }
    if (strlen(equals + 1) >= PATH_SIZE) return refuse(error, error_size, "the path is too long");
    if (!can_be_preloaded(equals + 1)) {
        return refuse(
            error, error_size, "the dynamic linker takes no path with blanks or colons: link to the file");
    }
    memcpy(name, text, length);
    name[length] = '\0';
    memcpy(state.path, equals + 1, strlen(equals + 1) + 1);
    return true;
}

/* Without the library's path where the linker's message begins with it. */
static const char *linker_message(void) {
    const char *message = dlerror();
    size_t length = strlen(state.path);
    if (!message) return "unknown error";
    return strncmp(message, state.path, length) == 0 ? message + length + strspn(message + length, ": ")
                                                     : message;
}

/* The dynamic linker goes on without a library that it can't preload: here it is asked why. */
static bool say_why_not_loaded(char *error, size_t error_size) {
    if (!dlopen(state.path, RTLD_NOW | RTLD_LOCAL)) {
        return refuse(error, error_size, "it can't be loaded: %s", linker_message());
    }
    return refuse(error, error_size, "the process was not started with it: LD_PRELOAD was not obeyed");
}

static void read_soname(void *handle) {
    struct link_map *map;
    const char *strings = NULL;
    size_t offset = 0;
    if (dlinfo(handle, RTLD_DI_LINKMAP, &map) != 0) return;
    for (const ElfW(Dyn) *entry = map->l_ld; entry->d_tag != DT_NULL; entry++) {
        if (entry->d_tag == DT_SONAME) offset = entry->d_un.d_val;
        if (entry->d_tag == DT_STRTAB) strings = (const char *)entry->d_un.d_ptr;
    }
    if (offset && strings) state.library.soname = strings + offset;
}

static bool find_malloc(void *handle, char *error, size_t error_size) {
    void *address = dlsym(RTLD_DEFAULT, "malloc");
    state.base = base_of(address);
    if (!state.base || state.base == base_of(dlsym(RTLD_DEFAULT, "gnu_get_libc_version"))) {
        return refuse(error, error_size, "it has no malloc");
    }
    if (dlsym(handle, "malloc") == address) return true;
    return refuse(error, error_size, "another library's malloc comes before its own");
}

bool hy_preloaded_load(const char *name_equals_path, char *error, size_t error_size) {
    char name[NAME_SIZE];
    hy_align greatest_align;
    if (state.library.path) return refuse(error, error_size, "a process can run on one library only");
    if (!parse(name_equals_path, name, error, error_size)) return false;
    if (HY_ASAN || HY_TSAN) return refuse(error, error_size, "a sanitizer's malloc can't be replaced");
    void *handle = dlopen(state.path, RTLD_NOW | RTLD_NOLOAD);
    if (!handle) return say_why_not_loaded(error, error_size);
    if (!find_malloc(handle, error, error_size)) return false;
    if (!find_plain(&state.plain.calls, &greatest_align)) {
        return refuse(error, error_size, "it has malloc, but no free");
    }
    add_library_rows(name, greatest_align);
    if (!add_libc_rows()) return refuse(error, error_size, "the C library's own malloc is not found");
    state.library.path = state.path;
    read_soname(handle);
    if (hy_malloc_library_version(find_in_library, NULL, state.version, sizeof state.version)) {
        state.library.version = state.version;
    }
    return true;
}

const hy_preloaded_library *hy_preloaded(void) {
    return state.library.path ? &state.library : NULL;
}

const hy_row *const *hy_preloaded_rows(size_t *count) {
    *count = hy_preloaded() ? state.row_count : 0;
    return *count ? state.rows : NULL;
}

bool hy_preloaded_is_plain(const hy_row *row) {
    return hy_preloaded() && row == &state.plain.row;
}

void *hy_preloaded_function(const char *name) {
    return hy_preloaded() ? find_in_library(NULL, name) : NULL;
}

bool hy_preloaded_has(const hy_row *row) {
    return hy_preloaded() && (row == &state.plain.row || row == &state.sized.row);
}
