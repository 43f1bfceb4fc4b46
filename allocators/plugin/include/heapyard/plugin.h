/* heapyard/plugin.h: an allocator as a row of data, and a shared library of such rows.
 *
 * A row is all that benches, fuzzers, tests, the gate and the documents know about an allocator.
 * They choose by traits, never by name. A plugin is any shared library that exports
 * heapyard_plugin(); heapyard's own allocators come to the yards in the same way.
 */
#ifndef HEAPYARD_PLUGIN_H
#define HEAPYARD_PLUGIN_H

#include <heapyard/allocator.h>
#include <heapyard/settings.h>
#include <heapyard/told.h>

HY_BEGIN_DECLS

/* Of the layout of rows, configurations and stats: a plugin of a later one is refused, one of an earlier one
 * is loaded. Fields are only ever appended to a row, so a row of another size means the same as far as it
 * goes. */
#define HY_PLUGIN_ABI 2

/* What holds for every instance of a row. */
typedef uint32_t hy_traits;
#define HY_TRAIT_THREAD_SAFE ((hy_traits)1 << 0)    /* all four functions, from any thread */
#define HY_TRAIT_FREE_ANY ((hy_traits)1 << 1)       /* blocks may be freed in any order, and that counts */
#define HY_TRAIT_FREE_LAST ((hy_traits)1 << 2)      /* freeing the newest block gives its memory back */
#define HY_TRAIT_BULK_RESET ((hy_traits)1 << 3)     /* the row has `reset`: all blocks end at once */
#define HY_TRAIT_GROW_IN_PLACE ((hy_traits)1 << 4)  /* resize can grow: at least the newest block */
#define HY_TRAIT_FIXED_CAPACITY ((hy_traits)1 << 5) /* never takes more than config.capacity */
#define HY_TRAIT_FIXED_BLOCK ((hy_traits)1 << 6)    /* serves requests of at most config.block_size */
#define HY_TRAIT_REAL_FREE ((hy_traits)1 << 7)      /* freed memory serves later requests */
#define HY_TRAIT_PEER ((hy_traits)1 << 8)           /* somebody else's allocator */
#define HY_TRAIT_REFUSES_ALL ((hy_traits)1 << 9)    /* null: never serves */
#define HY_TRAIT_FLOOR ((hy_traits)1 << 10) /* measured against, not used: may hand out one block twice */
#define HY_TRAIT_WHOLE_PAGES ((hy_traits)1 << 11) /* a block costs pages of its own, and system calls */
#define HY_TRAIT_QUARANTINES ((hy_traits)1 << 12) /* what was freed rests a while before it serves again */
#define HY_TRAIT_COUNT 13
/* What a wrapper that hands its child's blocks on leaves as it is; whether it is thread-safe, and
 * whether it can reset, is its own. */
#define HY_TRAITS_OF_BLOCKS                                                                                  \
    (HY_TRAIT_FREE_ANY | HY_TRAIT_FREE_LAST | HY_TRAIT_GROW_IN_PLACE | HY_TRAIT_FIXED_CAPACITY |             \
        HY_TRAIT_FIXED_BLOCK | HY_TRAIT_REAL_FREE | HY_TRAIT_REFUSES_ALL | HY_TRAIT_FLOOR |                  \
        HY_TRAIT_WHOLE_PAGES | HY_TRAIT_QUARANTINES)

/* What kind of thing a row is; tables are in this order. */
typedef enum hy_group {
    HY_GROUP_FLOOR,
    HY_GROUP_SOURCE,
    HY_GROUP_STRATEGY,
    HY_GROUP_DECORATOR,
    HY_GROUP_COMPOSITION,
    HY_GROUP_PEER,
    HY_GROUP_COUNT
} hy_group;

/* What a reset keeps. */
typedef enum hy_reset_mode {
    HY_RESET_FREE_ALL,         /* everything goes back to the child */
    HY_RESET_RETAIN_CAPACITY,  /* all memory is kept, in one piece where possible */
    HY_RESET_RETAIN_WITH_LIMIT /* as above, at most `limit` bytes */
} hy_reset_mode;

/* What an instance is made with. The maker copies what it keeps. */
typedef struct hy_config {
    hy_allocator child;   /* for rows that need one; else ignored */
    size_t capacity;      /* bytes, for rows of fixed capacity; 0: the row's default */
    size_t block_size;    /* bytes, for rows of fixed block; 0: the row's default */
    hy_align block_align; /* likewise */
    uint32_t options;     /* the row's own option bits, 0 the default; any bits are legal */
} hy_config;

/* What an allocator counts about itself; fields that it does not count are SIZE_MAX. */
typedef struct hy_stats {
    size_t capacity_bytes;   /* taken from the child or the system, without own overhead where the allocator
                                tells them apart */
    size_t used_bytes;       /* handed out and not taken back */
    size_t overhead_bytes;   /* the allocator's own headers inside capacity or beside it */
    size_t high_water_bytes; /* greatest used_bytes so far */
    size_t calls_count;      /* calls of the source below (child or system), frees too */
} hy_stats;

/* For benches: the compiler must assume that the block is used and any memory changed, so it can
 * neither drop an allocation nor keep an allocator's state in registers. Costs no instruction. */
HY_INLINE void hy_opaque(const void *ptr) {
    __asm__ volatile("" : : "g"(ptr) : "memory");
}

/* The direct-call bench: the standard loops with the allocator's inline entry points instead of the
 * vtable (heapyard/direct.h has them). Each runs `count` iterations (pairs; or blocks of requests of `window`
 * blocks each) and returns a checksum; absent loops are NULL. A size_t is written to each block: no size is
 * less than that. */
typedef struct hy_direct_bench {
    uint64_t (*pair)(void *instance, size_t size, size_t count);
    uint64_t (*request)(void *instance, const uint32_t *sizes, size_t window, size_t count);
} hy_direct_bench;

/* What fuzzers hold a row to beyond the contract and its traits. A field of 0 has its default, so a row that
 * is like most says nothing. The registry computes those of a composition from its layers. */
typedef struct hy_promises {
    /* Sizes and alignments up to here are served as long as the child does not refuse, unless greatest_align,
     * a capacity or a size of blocks bounds them sooner. */
    size_t served_bytes;   /* 0: HY_SERVED_BYTES */
    hy_align served_align; /* log2 of 0: of HY_SERVED_ALIGN_LOG2 */
    /* The row never holds more of its child than so many times (what it was asked for at once at most, each
     * block with its alignment and 64 bytes, and its capacity), and 16 KiB and 64 fixed blocks. Where what is
     * freed serves no later request, all blocks since the last reset count as asked for at once. 0:
     * HY_FOOTPRINT_FACTOR. */
    uint32_t footprint_factor;
    /* Not 0: a block at up to this alignment, its size rounded up to a multiple of it, asks no child where
     * stats say that so much is left: capacity_bytes - used_bytes. Of a row of fixed capacity whose memory is
     * its child's: where config.capacity - used_bytes is no less than a size, it refuses only if its child
     * does. Such a row counts no more as used than its blocks, rounded up, and what aligns them; and its
     * newest block grows in place into what stats say is left. */
    uint32_t fit_grain;
    bool returns_padding; /* what aligned the block that was made last comes back when that is freed */
    bool shrinks;         /* resize makes any block smaller, unless the child refuses */
    bool keeps_memory;    /* of the system or malloc, also when its instances have ended */
    bool remaps;          /* remap gives any block any size that alloc serves */
} hy_promises;
#define HY_SERVED_BYTES ((size_t)512 << 10)
#define HY_SERVED_ALIGN_LOG2 16
#define HY_FOOTPRINT_FACTOR 4

/* What an operation beyond the vtable does to blocks and promises. Where it is refused, nothing has changed.
 */
typedef enum hy_effect {
    HY_EFFECT_NONE,     /* every block lives on as it is, and as much is used */
    HY_EFFECT_ROOM,     /* likewise; the next block of up to `number` bytes at up to 8 asks no child */
    HY_EFFECT_BLOCKS,   /* likewise; the next `number` blocks of config.block_size ask no child */
    HY_EFFECT_CAPACITY, /* likewise; `number` is config.capacity from now on, also below what is used */
    HY_EFFECT_MARK,     /* likewise; a mark was written, valid until a reset, or a restore of an older one */
    HY_EFFECT_RESTORE /* blocks made or moved since the mark end, those that grew since are cut, and what was
                         taken of the child since goes back to it */
} hy_effect;

/* A mark, as its row keeps it. */
typedef struct hy_mark {
    uintptr_t words[2];
} hy_mark;

/* An operation of a row's header beyond vtable and reset, as histories call it. run: takes the instance;
 * any number is legal; mark is NULL but for HY_EFFECT_MARK and HY_EFFECT_RESTORE. False: refused. */
typedef struct hy_row_operation {
    const char *name; /* unique in its row; [a-z_]+ */
    hy_effect effect;
    bool certain; /* it is never refused */
    bool (*run)(void *instance, size_t number, hy_mark *mark);
} hy_row_operation;

/* In what two rows answer the same calls alike, for one thread: what one serves, the other serves; at the
 * same places, over the same child; and as much is used of as much. CHILD: the other row is the child.
 * UNTIL_END: only until the first block ends or shrinks, or a reset. */
#define HY_LIKE_SERVED ((uint32_t)1 << 0)
#define HY_LIKE_PLACES ((uint32_t)1 << 1)
#define HY_LIKE_STATS ((uint32_t)1 << 2)
#define HY_LIKE_CHILD ((uint32_t)1 << 3)
#define HY_LIKE_UNTIL_END ((uint32_t)1 << 4)
/* Ways to use an allocator wrongly, as fuzzers do on purpose. */
typedef enum hy_misuse_kind {
    HY_MISUSE_WRONG_SIZE,      /* a block is freed with another size than it lives with */
    HY_MISUSE_HUGE_SIZE,       /* likewise, with one that no block has */
    HY_MISUSE_WRONG_ALIGN,     /* a block is freed with another alignment than it lives with */
    HY_MISUSE_UNALIGNED,       /* a pointer is freed that is not aligned as the call says */
    HY_MISUSE_DOUBLE_FREE,     /* a block is freed again, before anything else is allocated */
    HY_MISUSE_INTERIOR,        /* a pointer into a live block is freed */
    HY_MISUSE_FOREIGN,         /* a pointer is freed that no allocator gave */
    HY_MISUSE_WRONG_INSTANCE,  /* a block is freed that another instance of the row gave */
    HY_MISUSE_RESIZE_FREED,    /* a freed block is resized */
    HY_MISUSE_WRITE_PAST,      /* a byte right behind a block is written */
    HY_MISUSE_WRITE_BEFORE,    /* a byte right before a block is written */
    HY_MISUSE_WRITE_FREED,     /* a freed block is written */
    HY_MISUSE_WRITE_RESET,     /* a block is written that a reset has ended */
    HY_MISUSE_LEAK,            /* a block lives when the instance ends */
    HY_MISUSE_CHILD_UNALIGNED, /* the child gives a block that is not aligned as asked */
    HY_MISUSE_CHILD_OVERLAP,   /* the child gives a block that lives already */
    HY_MISUSE_CHILD_CONTENTS,  /* the child changes a byte of a block that it was to resize */
    HY_MISUSE_COUNT
} hy_misuse_kind;

/* A set of them: bit i is the misuse of that number. */
typedef uint32_t hy_misuses;
#define HY_MISUSE_BIT(misuse) ((hy_misuses)1 << (misuse))

/* What an instance has reported: how often, and all that the reports can mean. */
typedef struct hy_misuse_sink {
    size_t count;
    hy_misuses told;
} hy_misuse_sink;

/* Which misuse a row promises to report, and how; each in one of three ways. */
typedef struct hy_row_reports {
    hy_misuses counted;                /* `watch` and `finish` make it known */
    const char *says[HY_MISUSE_COUNT]; /* not NULL: the process ends by abort, with this on standard error */
    hy_misuses
        poisoned;     /* writes that AddressSanitizer reports, in builds that have it: the byte is poisoned */
    bool forks;       /* an instance that wanted to end its process can't be ended otherwise */
    uint32_t options; /* those that it may be made with for that; with others it may report less */
    /* Whether that misuse of that block is covered; NULL: it is, of every block. The block lives. */
    bool (*covers)(void *instance, hy_misuse_kind misuse, const void *ptr, size_t size, hy_align align);
    /* From now on reports are written to *sink, and nowhere else. NULL: none are counted. */
    void (*watch)(void *instance, hy_misuse_sink *sink);
    /* Looks for what is found at the end only; the instance can do nothing but end after that. NULL: there is
     * nothing. */
    void (*finish)(void *instance);
    /* Not 0: a freed block of up to rest_bytes serves again only after so many more frees of its size, or of
     * rest_bytes in all, unless the child refuses. */
    size_t rest_count;
    size_t rest_bytes;
    /* So much is kept from the child of what blocks had to themselves. */
    size_t retained_bytes;
    bool withholds; /* a call that is reported does not reach the child */
} hy_row_reports;

typedef struct hy_row hy_row;
/* An allocator as data. */
struct hy_row {
    const char *name; /* unique; [a-z0-9_]+ */
    hy_group group;
    const char *summary;       /* one line, no full stop */
    const char *header;        /* public header, or NULL */
    hy_traits traits;          /* for a composition: computed by the registry */
    hy_traits keeps;           /* decorators and strategies: which traits of the child shine through */
    hy_align greatest_align;   /* computed for what passes the child's on (see align_from_child) */
    bool align_from_child;     /* greatest_align is the child's */
    const char *default_child; /* the row that serves as child where nobody gives one; NULL: needs none */
    const char *const *stack;  /* compositions: row names from the top, NULL-terminated; else NULL */
    const char *missing;       /* NULL; or what to install, for a row that is not in this build */
    size_t default_block_size; /* fixed-block rows; else 0 */
    size_t default_capacity;   /* fixed-capacity rows; else 0 */

    /* Makes an instance and writes its allocator. Returns what the other functions take, or NULL where
     * it is refused (out of memory, options that make no sense), nothing kept. A child given must
     * outlive it. Uses no malloc of its own but through the child, or, for its own small struct,
     * hy_libc. */
    void *(*make)(const hy_row *row, const hy_config *config, hy_allocator *out);
    void (*destroy)(const hy_row *row, void *instance);

    /* Present where the operation exists. reset: every block ends; false: could not keep as much as
     * asked, still usable. owns: whether ptr lies in a live or free part of the instance. check: walks
     * the whole structure; true where it holds. stats: false where nothing is counted. */
    bool (*reset)(void *instance, hy_reset_mode mode, size_t limit);
    bool (*owns)(void *instance, const void *ptr);
    bool (*check)(void *instance);
    bool (*stats)(void *instance, hy_stats *out);
    const hy_direct_bench *direct;

    /* Whose rows default_child and stack name: the plugin that the row is in, so that base and head each
     * stand on their own children; NULL: those of the registry that makes the instance. */
    const struct hy_plugin *origin;

    const void *data; /* the row's own, for makers that several rows share; since ABI 2 */

    hy_promises promises; /* beyond contract and traits; since ABI 2 */

    /* What histories may call beyond vtable and reset; NULL: nothing. Since ABI 2. */
    const hy_row_operation *operations;
    size_t operation_count;
    /* What operations take of an instance; NULL: the instance itself. Since ABI 2. */
    void *(*operated)(void *instance);

    /* What the instance tells of its calls, and of a live block's size and alignment. Both take what
     * operations take; NULL: nothing. Since ABI 2. */
    void (*tells)(void *instance, hy_told *out);
    void (*tells_block)(void *instance, const void *block, size_t *size, hy_align *align);
    /* Another row that answers the same calls alike, and in what: HY_LIKE_…. HY_LIKE_CHILD needs no row: it
     * says the same of any child that is given and this row over it. Since ABI 2. */
    const char *form_of;
    uint32_t alike;
    const hy_row_reports *reports; /* of what `operated` gives; NULL: of nothing. Since ABI 2 */

    /* For runs in one process that must not depend on those before: what the row keeps beside its instances
     * becomes as it is in a new process, and from then on its time is counted, not taken. Only while it has
     * no instance and no other thread has used it. NULL: it keeps nothing. Since ABI 2. */
    void (*restart)(void);

    /* What the header offers that no history calls: makes an instance over the child with options as the
     * bytes say, uses and ends it, and calls what stands beside instances. NULL: all was as the header says,
     * else what was not, a constant. Absent where there is nothing. Since ABI 2. */
    const char *(*settings)(hy_allocator child, hy_settings *from);
};

/* The rows of a shared library. build_info may be NULL. */
typedef struct hy_plugin {
    uint32_t abi;     /* HY_PLUGIN_ABI */
    const char *name; /* whose rows these are */
    const char *version;
    const char *build_info; /* hy_build_info() of the plugin's own build */
    size_t row_count;
    const hy_row *const *rows;
    size_t row_size; /* sizeof(hy_row) where the rows were compiled; since ABI 2 */
} hy_plugin;

/* What a plugin exports, as `heapyard_plugin`. The result lives as long as the library is loaded. */
typedef const hy_plugin *(*hy_plugin_function)(void);
HY_API const hy_plugin *heapyard_plugin(void);

HY_END_DECLS

#endif
