/* heapyard/debug.h: an allocator that reports what was done wrong, where, and where the block came from.
 *
 *   hy_debug debug;
 *   if (hy_debug_init(&debug, hy_libc(), NULL) != HY_OK) return 1;
 *   run(hy_debug_allocator(&debug));
 *   return hy_debug_deinit(&debug, NULL) == HY_OK ? 0 : 1;       prints every leak with its stack
 *
 * Reported, each with a class of its own and the stacks that exist (allocation, first free, here):
 *
 *   leak                   a block lives at deinit, or when detect_leaks is asked
 *   double free            a block is freed again
 *   use after free         a freed block is resized or remapped
 *   invalid free           an address inside a block, or in the allocator's memory but never handed out
 *   foreign pointer        an address that no debug allocator of the process knows
 *   wrong instance         a block of another debug allocator, which the report names
 *   size mismatch, alignment mismatch     freed or resized with other than it lives with
 *   overflow, underflow    bytes behind or before a block were written
 *   write after free       a freed block's bytes were written
 *   corrupted metadata     what the allocator's own record says of a block was written (a record's links to
 *                          its neighbours in a queue are not sealed: a write there may crash)
 *   concurrent use         two threads freed or resized one block at once, or one instance that is not
 *                          thread-safe was used by two
 *
 * Certain: overflow by one byte and up to the guard's 16 on either side, seen at the latest when the block is
 * freed, at hy_debug_scan or deinit (the byte behind a block is never one that text or zeros could leave
 * unchanged); a wrong size or alignment; a foreign address, at no risk of touching it; a leak. Until its
 * memory serves again, a double free and a write after free (into the filled part, see fill_bytes). It serves
 * again after at least quarantine_blocks more blocks of about that size were freed, sooner only where the
 * child has no more; with never_unmap never.
 * Memory without a live block goes back to the child beyond retained_bytes, the oldest first; a large block's
 * does soon. A double free is a foreign pointer then, unless retain_metadata keeps the record.
 *
 * A report goes to the hook, else to standard error; then the program goes on, as if the wrong call had
 * not been made where that is safe (a free with the wrong size frees the block as it lives), or aborts, as
 * the config says. A record or chunk whose damage makes going on unsafe always aborts.
 *
 * Ownership: blocks are the instance's; the child must outlive it and serve alignment 8. It keeps everything
 * else, its own records included, in memory from the child. deinit frees all of it.
 * Greatest alignment: any. Errors: NULL or false where the child or the limit refuses; nothing has changed.
 * Thread-safety: by choice (config.thread_safe). The child is only called by one thread at a time then, so
 * a child that nobody else uses need not be thread-safe. After fork while other threads run, use none.
 * Cost: alloc and free O(size), at most O(fill_bytes); no call of the child for most small blocks (up to
 * about 32 KiB), which lie in chunks. Overhead: 32 bytes and up to an eighth around a block, and a record of
 * 56 bytes + 16 a frame. ASan and Valgrind are told of guards and of memory that was never handed out. Freed
 * memory they are told of on demand (config.tools): a double free then ends in the front door's fill, at
 * check level 2, and not in a report of ours with its three stacks, after which the program goes on. So it
 * does with fault_on_use. Modelled on Zig's DebugAllocator; quarantine after AddressSanitizer's, fault_on_use
 * after Electric Fence.
 */
#ifndef HEAPYARD_DEBUG_H
#define HEAPYARD_DEBUG_H

#include <heapyard/allocator.h>
#include <heapyard/error.h>
#include <stdio.h>

HY_BEGIN_DECLS

/* The deepest stack that is kept of a call. */
#define HY_DEBUG_FRAMES_MAX 32

/* How many bytes of the surroundings a report shows. */
#define HY_DEBUG_DUMP_BYTES 64

/* What was found. */
typedef enum hy_debug_class {
    HY_DEBUG_LEAK,
    HY_DEBUG_DOUBLE_FREE,
    HY_DEBUG_USE_AFTER_FREE,
    HY_DEBUG_INVALID_FREE,
    HY_DEBUG_FOREIGN_POINTER,
    HY_DEBUG_WRONG_INSTANCE,
    HY_DEBUG_SIZE_MISMATCH,
    HY_DEBUG_ALIGNMENT_MISMATCH,
    HY_DEBUG_OVERFLOW,
    HY_DEBUG_UNDERFLOW,
    HY_DEBUG_WRITE_AFTER_FREE,
    HY_DEBUG_CORRUPTED_METADATA,
    HY_DEBUG_CONCURRENT_USE,
    HY_DEBUG_CLASS_COUNT
} hy_debug_class;

/* The class as a report prints it ("double free"); "unknown" for a value out of range. Thread-safe. */
HY_API const char *hy_debug_class_name(hy_debug_class class_of_finding);

typedef struct hy_debug hy_debug;

/* Where a call came from: return addresses, innermost first; thread: a small number, 0 the first seen. */
typedef struct hy_debug_stack {
    size_t count;
    uint32_t thread;
    void *frames[HY_DEBUG_FRAMES_MAX];
} hy_debug_stack;

/* A finding, as the hook gets it. It is the callee's only until it returns. */
typedef struct hy_debug_report {
    hy_debug_class class_of_finding;
    const char *operation; /* during which it was found: "free", "resize", "alloc", "scan", "deinit" … */
    const hy_debug *instance;
    const char *instance_name; /* config.name, or NULL */
    const void *address;       /* that the call was given; for damage and leaks, the block's */
    size_t given_size;         /* what the call was given; 0 where it was given none */
    hy_align given_align;

    bool has_block; /* the block that this is about, as its record has it */
    bool is_freed;
    const void *block;
    size_t block_size;
    hy_align block_align;
    const hy_debug *owner; /* wrong instance: whose block it is; else NULL */
    const char *owner_name;

    hy_debug_stack allocated; /* count 0: no stack is known; likewise below */
    hy_debug_stack freed;     /* the first free */
    hy_debug_stack here;      /* the call during which it was found */

    const void *damage;                /* the first byte that was written; NULL where nothing was */
    size_t damage_bytes;               /* from it to the last one */
    const void *dump_address;          /* of dump[0] */
    size_t dump_bytes;                 /* how much of dump is filled */
    uint8_t dump[HY_DEBUG_DUMP_BYTES]; /* the memory around the damage, as it was found */
    uint64_t dump_damaged;             /* bit i: dump[i] is not what it should be */
} hy_debug_report;

/* Prints a report as it goes to standard error: what happened, the stacks with names as far as the build
 * allows, the bytes around the damage. May allocate through malloc. */
HY_API void hy_debug_report_print(FILE *stream, const hy_debug_report *report);

/* Is called with each finding. It may use other allocators, and this one but for its init and deinit. */
typedef void (*hy_debug_hook)(void *context, const hy_debug_report *report);

/* What ASan and Valgrind are told is not to be touched. What they are told of they report themselves, at the
 * line that touches it, and end the program where we would have gone on. */
typedef enum hy_debug_tools {
    HY_DEBUG_TOOLS_NONE,   /* nothing: every finding is ours */
    HY_DEBUG_TOOLS_GUARDS, /* what surrounds a block, and memory that was never handed out */
    HY_DEBUG_TOOLS_ALL     /* freed memory too: they also see late reads */
} hy_debug_tools;

/* How an instance works. Start from hy_debug_defaults(). */
typedef struct hy_debug_config {
    const char *name;          /* for reports; NULL: none. Kept, not copied */
    size_t stack_trace_frames; /* frames kept of an allocation and of a free: 6; 0: none; at most 32 */
    bool full_unwinder;        /* stacks by the platform's unwinder, which needs no frame pointers: false */
    bool safety;               /* guards, fills, poison, quarantine: true; else leaks and wrong calls only */
    bool thread_safe;          /* true */
    bool never_unmap;          /* freed memory is neither used again nor given back: false */
    bool retain_metadata;      /* records outlive the memory they describe, until flush_retained: false */
    bool fault_on_use;         /* pages of its own a block, which can't be touched once it is freed: false */
    bool abort_on_report;      /* ends the program after the first report: false, go on and count */
    hy_debug_tools tools;      /* what ASan and Valgrind are told: HY_DEBUG_TOOLS_GUARDS */
    uint8_t fresh_byte;        /* over memory when it is handed out: 0xAA */
    uint8_t freed_byte;        /* over memory when it is freed: 0xDD */
    size_t fill_bytes;   /* of a larger block only the first and last half of so many bytes are filled and
                            looked at, so that it costs no more than its pages do: 32 KiB; at least 64,
                            SIZE_MAX for all. With never_unmap all of it, whatever this says */
    size_t memory_limit; /* bytes that may live at once, as users asked for them: SIZE_MAX */
    size_t
        quarantine_blocks; /* frees of about the same size before memory serves again: 64 (at most 64 KiB) */
    size_t retained_bytes; /* memory without a live block that is kept from the child: 1 MiB */
    size_t leaks_printed;  /* how many leaks go to standard error one by one: 100; the hook sees all */
    hy_debug_hook hook;    /* NULL: standard error */
    void *hook_context;
} hy_debug_config;

/* The values above. */
HY_API hy_debug_config hy_debug_defaults(void);

/* What makes no sense in a config, as a constant sentence; NULL: nothing. Thread-safe. */
HY_API const char *hy_debug_config_problem(const hy_debug_config *config);

/* What one instance, or the process, has seen. */
typedef struct hy_debug_counts {
    size_t live_blocks;
    size_t live_bytes;      /* as users asked for them */
    size_t peak_bytes;      /* the greatest live_bytes so far; of the process: the sum of the instances' */
    uint64_t alloc_count;   /* blocks handed out so far */
    uint64_t total_bytes;   /* of all of them, and of what blocks grew by */
    uint64_t refused_count; /* allocations, and resizes, for which there was no room either */
    size_t child_bytes;     /* taken from the child for blocks */
    size_t overhead_bytes;  /* likewise for records and the index */
    uint64_t child_calls;
    uint64_t found[HY_DEBUG_CLASS_COUNT]; /* reports by class */
} hy_debug_counts;

/* What follows is the implementation's; read it through the functions below. */
#define HY_DEBUG_CLASSES_OF_SIZE 73 /* 72 of small blocks, and one for all that are large */

struct hy_debug_record;
struct hy_debug_chunk;

/* The blocks of one class of size. */
typedef struct hy_debug_bucket {
    struct hy_debug_record *oldest, *newest; /* freed, in the order in which they will serve again */
    size_t waiting;                          /* how many */
    size_t quarantine;                       /* of these, how many must stay */
    struct hy_debug_chunk *current;          /* whose slots that were never used serve next */
    struct hy_debug_chunk *chunks;
    size_t stride;
    size_t next_count; /* slots of the next chunk */
} hy_debug_bucket;

/* A place of the index: which chunk an address lies in. */
typedef struct hy_debug_place {
    uintptr_t granule;
    struct hy_debug_chunk *chunk;
} hy_debug_place;

/* Finds the chunk of any address. */
typedef struct hy_debug_index {
    hy_debug_place *places;
    size_t capacity; /* a power of two, or 0 */
    size_t promised; /* places that its chunks may need wherever they lie: the same in each run */
} hy_debug_index;

/* A debug allocator: fields are for its own functions. */
struct hy_debug {
    uint64_t alive; /* a mark while it can be used */
    hy_allocator child;
    hy_debug_config config;
    uint64_t secret, canary;
    size_t record_bytes;
    uint32_t owner;   /* the lock: 0, or the number of the thread inside, + 1 */
    uint32_t waiters; /* threads that wait for it */
    const void *operating_on;
    uint32_t index_lock; /* for readers of other instances; taken where the index changes */
    uint32_t pins;       /* walkers; while there are some no chunk goes away */
    hy_debug_index index;
    struct hy_debug_chunk *oldest_empty, *newest_empty;
    size_t empty_bytes;
    struct hy_debug_chunk *retained;
    size_t leaks_printed; /* in the walk that is under way */
    hy_debug_counts counts;
    hy_debug *next_instance, *previous_instance;
    hy_debug_bucket buckets[HY_DEBUG_CLASSES_OF_SIZE];
};

/* Starts an instance; config may be NULL for the defaults. HY_INVALID: the config makes no sense, and
 * standard error says why (as hy_debug_config_problem); the instance refuses then, and deinit is allowed.
 * Takes nothing from the child. O(1). */
HY_API hy_error hy_debug_init(hy_debug *debug, hy_allocator child, const hy_debug_config *config);

/* Reports what is damaged and what is still live, and gives all memory back. Returns HY_OK, or HY_LEAK with
 * the number of blocks that were live in *leaks (which may be NULL). Using the instance afterwards is misuse.
 * No other thread may be inside. O(blocks + bytes freed and kept). */
HY_API hy_error hy_debug_deinit(hy_debug *debug, size_t *leaks);

/* The same without any report. O(blocks freed and kept). */
HY_API hy_error hy_debug_deinit_quietly(hy_debug *debug, size_t *leaks);

/* Reports every live block as a leak, and ends nothing. Returns how many. O(blocks). */
HY_API size_t hy_debug_detect_leaks(hy_debug *debug);

/* Looks at every guard and every freed byte, reports what was written, and mends it, so that it is reported
 * once. Returns how many findings. Blocks that other threads resize meanwhile are seen before or after.
 * O(bytes of freed blocks + blocks). */
HY_API size_t hy_debug_scan(hy_debug *debug);

/* Walks the whole structure, guards and freed bytes, without any report; whether everything holds.
 * O(bytes of freed blocks + blocks). */
HY_API bool hy_debug_check(hy_debug *debug);

/* Gives back what is kept of the past: records of freed blocks (retain_metadata), chunks without a live
 * block; with never_unmap too. What was written into them is reported first. O(what is kept). */
HY_API void hy_debug_flush_retained(hy_debug *debug);

/* Whether ptr lies in memory that holds, or held, this instance's blocks. O(1). */
HY_API bool hy_debug_owns(hy_debug *debug, const void *ptr);

/* Blocks that live now. Thread-safe, O(1), as the two below. */
HY_API size_t hy_debug_leaks(const hy_debug *debug);
/* Double and invalid frees so far: also of foreign pointers and of other instances' blocks. */
HY_API size_t hy_debug_double_frees(const hy_debug *debug);
/* All counters; each is exact, together they are of one moment only while no thread is inside. */
HY_API hy_debug_counts hy_debug_counted(const hy_debug *debug);

/* The same, summed over the process: instances that live, and what those that ended have left (their leaks
 * count as live from then on). Thread-safe. */
HY_API size_t hy_debug_process_leaks(void);
HY_API size_t hy_debug_process_double_frees(void);
HY_API hy_debug_counts hy_debug_process_counted(void);

/* The instance of the process, with the defaults, over hy_libc; made at the first call, never ended.
 * Thread-safe. */
HY_API hy_debug *hy_debug_process(void);

/* The entry points, as in the vtable. `self` is an hy_debug. */
HY_API void *hy_debug_alloc(void *self, size_t size, hy_align align);
HY_API bool hy_debug_resize(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align);
HY_API void *hy_debug_remap(void *self, void *ptr, size_t old_size, size_t new_size, hy_align align);
HY_API void hy_debug_free(void *self, void *ptr, size_t size, hy_align align);

static const hy_vtable hy_debug_vtable = {hy_debug_alloc, hy_debug_resize, hy_debug_remap, hy_debug_free};

/* The allocator's value; the struct must outlive it and stay where it is. */
HY_INLINE hy_allocator hy_debug_allocator(hy_debug *debug) {
    hy_allocator allocator = {debug, &hy_debug_vtable};
    return allocator;
}

HY_END_DECLS

#endif
