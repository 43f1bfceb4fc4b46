/* posix_run.h: a history of calls of the malloc family, run against what POSIX, C and glibc's manual say. */
#ifndef HEAPYARD_FUZZ_POSIX_RUN_H
#define HEAPYARD_FUZZ_POSIX_RUN_H

#include <heapyard/config.h>

/* The functions of a malloc library. malloc and free must be there; NULL: it has none such, and calls of it
 * are passed over; where there are no sized frees, free is called. */
typedef struct hy_posix_family {
    const char *name;  /* for findings */
    const char *file;  /* that its malloc lies in, for reproducers; NULL: the process's own */
    const char *build; /* likewise, lines of a comment that say how it is made; NULL: it is there */
    /* What it promises beyond the manuals. */
    bool keeps_errno;           /* also where a call succeeds */
    bool rounds_align;          /* memalign takes any alignment, and rounds it up to a power of two */
    size_t (*live_bytes)(void); /* in blocks that are not freed (mallinfo2's uordblks), where nobody else
                                   in the process calls it; NULL: it does not tell */
    bool (*figures_hold)(void); /* whether what it tells of itself makes sense; NULL: nobody says */
    void *(*malloc)(size_t size);
    void *(*calloc)(size_t count, size_t size);
    void *(*realloc)(void *ptr, size_t size);
    void (*free)(void *ptr);
    size_t (*usable_size)(void *ptr);
    int (*posix_memalign)(void **out, size_t align, size_t size);
    void *(*aligned_alloc)(size_t align, size_t size);
    void *(*reallocarray)(void *ptr, size_t count, size_t size);
    void *(*memalign)(size_t align, size_t size);
    void *(*valloc)(size_t size);
    void *(*pvalloc)(size_t size);
    void (*free_sized)(void *ptr, size_t size);
    void (*free_aligned_sized)(void *ptr, size_t align, size_t size);
    int (*trim)(size_t keep);
    void *(*mallocx)(size_t size, int flags);
    void *(*rallocx)(void *ptr, size_t size, int flags);
    void (*sdallocx)(void *ptr, size_t size, int flags);
    void *(*mi_malloc_aligned)(size_t size, size_t align);
    void *(*mi_zalloc_aligned)(size_t size, size_t align);
    void *(*mi_realloc_aligned)(void *ptr, size_t size, size_t align);
    void (*mi_free_size)(void *ptr, size_t size);
    void (*mi_free_size_aligned)(void *ptr, size_t size, size_t align);
    void (*tc_free_sized)(void *ptr, size_t size);
    void *(*new_aligned)(size_t size, size_t align, const void *nothrow);
    void (*delete_aligned)(void *ptr, size_t size, size_t align);
} hy_posix_family;

/* Fills the table by find(context, name). False: malloc or free is not there. */
bool hy_posix_family_fill(
    hy_posix_family *family, const char *name, void *(*find)(void *context, const char *name), void *context);

/* Runs the calls that the bytes are (posix_calls.h). What is not as it must be is told by hy_finding, with
 * the calls before it as a C program; of a kind that is known (finding.h) it is passed over. All blocks are
 * freed at the end. Returns how many calls were made. */
size_t hy_posix_run(const hy_posix_family *family, const uint8_t *bytes, size_t size);

/* The bytes that have a meaning of their own in calls: functions, slots, sizes, distances, alignments. */
#define HY_POSIX_LETTERS "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNRSTUWXYZ=.+-"

/* The number of bytes of the call that begins at bytes[at], with what is passed over before it; for
 * minimisers and mutators. */
size_t hy_posix_record(const uint8_t *bytes, size_t size, size_t at);

#endif
