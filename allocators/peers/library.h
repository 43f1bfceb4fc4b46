/* library.h: a malloc library as an allocator: the interfaces by which its blocks can be had and given back.
 *
 * Every call goes through a pointer in the library's table, as one of libc's goes through the linkage table,
 * so that all pay one indirect jump. The tables are filled by those who loaded a library: peers.c, which puts
 * several into one process, and preloaded.c, whose process runs on one.
 */
#ifndef HEAPYARD_PEERS_LIBRARY_H
#define HEAPYARD_PEERS_LIBRARY_H

#include <heapyard/plugin.h>

/* The functions of each interface beyond malloc's own; a library's table has those that it is called by. */
typedef struct hy_c23_calls {
    void *(*aligned_alloc)(size_t align, size_t size);
    void (*free_sized)(void *ptr, size_t size);
    void (*free_aligned_sized)(void *ptr, size_t align, size_t size);
} hy_c23_calls;

typedef struct hy_jemalloc_calls {
    void *(*mallocx)(size_t size, int flags);
    void *(*rallocx)(void *ptr, size_t size, int flags);
    size_t (*xallocx)(void *ptr, size_t size, size_t extra, int flags);
    size_t (*nallocx)(size_t size, int flags);
    void (*sdallocx)(void *ptr, size_t size, int flags);
} hy_jemalloc_calls;

typedef struct hy_mimalloc_calls {
    void *(*malloc_aligned)(size_t size, size_t align);
    void *(*expand)(void *ptr, size_t size);
    void (*free_size)(void *ptr, size_t size);
    void (*free_size_aligned)(void *ptr, size_t size, size_t align);
} hy_mimalloc_calls;

typedef struct hy_tcmalloc_calls {
    void *(*new_aligned)(size_t size, size_t align, const void *nothrow);
    void (*free_sized)(void *ptr, size_t size);
    void (*delete_sized_aligned)(void *ptr, size_t size, size_t align);
    size_t (*nallocx)(size_t size, int flags);
} hy_tcmalloc_calls;

typedef struct hy_cxx_calls {
    void *(*new_plain)(size_t size, const void *nothrow);
    void *(*new_aligned)(size_t size, size_t align, const void *nothrow);
    void (*delete_sized)(void *ptr, size_t size);
    void (*delete_sized_aligned)(void *ptr, size_t size, size_t align);
} hy_cxx_calls;

typedef struct hy_malloc_library {
    void *(*malloc)(size_t size);
    void (*free)(void *ptr);
    void *(*realloc)(void *ptr, size_t size);
    int (*memalign)(void **out, size_t align, size_t size);
    size_t (*usable)(void *ptr);
    union {
        hy_c23_calls c23;
        hy_jemalloc_calls jemalloc;
        hy_mimalloc_calls mimalloc;
        hy_tcmalloc_calls tcmalloc;
        hy_cxx_calls cxx;
    };
} hy_malloc_library;

/* A name in the library, and where its address goes in the table. */
typedef struct hy_symbol {
    const char *name;
    size_t offset;
} hy_symbol;

/* One way to call a library: allocators are {table, vtable}, and the table needs the symbols. */
typedef struct hy_malloc_interface {
    const char *calls; /* for summaries: "mallocx and sdallocx" */
    const hy_vtable *vtable;
    const hy_symbol *symbols; /* ended by one without a name */
} hy_malloc_interface;

/* malloc and free, as any program calls them. */
extern const hy_malloc_interface hy_plain_interface;

/* Those for callers who know a block's size when they free it. */
extern const hy_malloc_interface hy_c23_interface;
extern const hy_malloc_interface hy_jemalloc_interface;
extern const hy_malloc_interface hy_sdallocx_interface; /* without jemalloc's other calls */
extern const hy_malloc_interface hy_mimalloc_interface;
extern const hy_malloc_interface hy_tcmalloc_interface;
extern const hy_malloc_interface hy_cxx_interface;

/* Fills in what the interface calls by find(context, name), which gives NULL for what is not there. False:
 * something is not, and the table is unchanged. */
bool hy_malloc_library_fill(hy_malloc_library *library, const hy_malloc_interface *interface,
    void *(*find)(void *context, const char *name), void *context);

/* The version that the library tells by a function of its own, e.g. "5.3.0"; false where it has none. */
bool hy_malloc_library_version(
    void *(*find)(void *context, const char *name), void *context, char *out, size_t capacity);

#endif
