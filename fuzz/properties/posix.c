/* posix.c: the malloc family over smp answers any history of calls as POSIX, C and glibc's manual say.
 *
 * It runs on libheapyard_malloc_small, libheapyard-malloc with tiny slabs, caches and thresholds, which is
 * loaded beside whatever malloc the fuzzer has and replaces nothing.
 */
#include "fuzz/properties.h"
#include "fuzz/properties/posix_run.h"

#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

static void *find_symbol(void *handle, const char *name) {
    return dlsym(handle, name);
}

static struct mallinfo2 (*own_mallinfo2)(void);
static int (*own_malloc_info)(int options, FILE *file);
static int (*own_malloc_trim)(size_t keep);

static size_t live_bytes(void) {
    return own_mallinfo2().uordblks;
}

/* As glibc's manual has it: what is in use and what is free make up the whole, options that do not exist are
 * refused, and what has just gone back to the system does not go again. */
static bool figures_hold(void) {
    struct mallinfo2 figures = own_mallinfo2();
    (void)own_malloc_trim(0);
    return figures.uordblks + figures.fordblks == figures.arena && figures.arena <= figures.usmblks &&
           own_malloc_info(1, stderr) == EINVAL && own_malloc_trim(0) == 0;
}

/* What is loaded here may be instrumented, and then a program that preloads it does not start. */
static const char how_it_is_made[] =
    " * From the project's root (with allocators/malloc/operators.cc for operators of C++):\n"
    " * gcc -shared -fPIC -O1 -g -std=gnu17 -D_GNU_SOURCE -DHY_CHECK=1 -DHY_VALGRIND=0 -DHY_SMP_SMALL=1 \\\n"
    " *     -DHY_MALLOC_WEAK_RUNTIME -Dhy_smp_own_cache=hy_malloc_own_cache -fvisibility=hidden \\\n"
    " *     '-DHY_API=__attribute__((visibility(\"hidden\")))' -fno-builtin -fno-strict-aliasing \\\n"
    " *     -ftls-model=initial-exec -w -Iallocators/include -I. \\\n"
    " *     $(ls allocators/malloc/[a-z]*.c allocators/strategies/smp*.c | grep -Ev "
    "'_(test|row|audit)[.]c$') \\\n"
    " *     allocators/core/line_sink.c allocators/core/lock.c allocators/core/misuse.c \\\n"
    " *     allocators/core/os_linux.c allocators/core/page_size.c allocators/core/thread_slot.c \\\n"
    " *     -Wl,--version-script=allocators/malloc/malloc.map -Wl,-Bsymbolic -o small.so\n";

/* Its own calls of malloc stay its own: it is linked so (-Bsymbolic). */
static const hy_posix_family *load(void) {
    static hy_posix_family family;
    if (family.malloc) return &family;
    void *handle = dlopen(HY_POSIX_LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (handle && hy_posix_family_fill(&family, "-", find_symbol, handle)) {
        family.file = "./small.so";
        family.build = how_it_is_made;
        family.keeps_errno = family.rounds_align = true;
        *(void **)&own_mallinfo2 = dlsym(handle, "mallinfo2");
        *(void **)&own_malloc_info = dlsym(handle, "malloc_info");
        *(void **)&own_malloc_trim = dlsym(handle, "malloc_trim");
        if (own_mallinfo2) family.live_bytes = live_bytes;
        if (own_mallinfo2 && own_malloc_info && own_malloc_trim) family.figures_hold = figures_hold;
        return &family;
    }
    fprintf(stderr, "heapyard-fuzz: posix: %s can't be loaded: build the target heapyard_malloc_small\n",
        HY_POSIX_LIBRARY);
    exit(1);
}

static size_t run(const hy_row *row, const uint8_t *bytes, size_t size) {
    (void)row;
    return hy_posix_run(load(), bytes, size);
}

const hy_property hy_posix_property = {
    .name = "posix",
    .summary = "the malloc family answers any calls as POSIX, C and glibc's manual say: ours, scaled down",
    .over_rows = false,
    .run = run,
    .skips_known = true,
    .record = hy_posix_record,
    .letters = HY_POSIX_LETTERS,
    .mark = "\n!\n",
};
