/* spool.h: the file format that the recorder writes while the program runs.
 *
 * A spool is a file that the recorded process maps and writes as memory, 24 bytes per operation. Stored
 * records are kept by the kernel: a SIGKILL loses only operations in progress, nothing must be flushed at
 * the end, and a call needs no write(). (Per-thread buffers that are flushed when full would lose each
 * thread's last thousands of records, and so everything after the oldest of them.) The price is the file's
 * size, which is why it is converted to a trace file afterwards.
 *
 *   0          64 KiB            128 KiB           192 KiB
 *   ┌──────────┬─────────────────┬─────────────────┬───
 *   │ header   │ chunk: thread 0 │ chunk: thread 1 │ …      chunk: 64 bytes of header, 2,728 records
 *   └──────────┴─────────────────┴─────────────────┴───
 *
 * Each thread writes to a chunk of its own. Each record has a stamp from one counter of the process:
 * 1, 2, 3 … without gaps. A free is stamped before the call, an allocation after it, a realloc before and
 * after, so that in stamp order an address never has two live blocks. Because stamps are dense, sorting
 * means storing each record at the index of its stamp, and a call that a kill interrupted shows as a gap.
 * A record's first word, with the stamp, is stored last; 0 means that there is no record.
 */
#ifndef HEAPYARD_SPOOL_H
#define HEAPYARD_SPOOL_H

#include <stdint.h>

#define HY_SPOOL_MAGIC 0x314C4F4F50535948u /* "HYSPOOL1" */
#define HY_SPOOL_CHUNK_MAGIC 0x4B4E4843u   /* "CHNK" */
#define HY_SPOOL_CHUNK_SIZE ((uint64_t)65536)
#define HY_SPOOL_CHUNK_HEADER ((uint64_t)64)

typedef enum hy_spool_kind {
    HY_SPOOL_ALLOC = 1,
    HY_SPOOL_CALLOC,
    HY_SPOOL_FREE,
    HY_SPOOL_REALLOC_BEGIN, /* address: the old block, whose address may be reused from here on */
    HY_SPOOL_REALLOC_END,   /* address: the new block; pairs with the same thread's last BEGIN */
    HY_SPOOL_REFUSED,       /* an allocation that returned NULL */
    HY_SPOOL_THREAD_END
} hy_spool_kind;

/* key: stamp << 10 | log2 of the alignment << 4 | kind; an alignment of 0 is malloc's. where: thread << 48 |
 * address. */
typedef struct hy_spool_record {
    uint64_t key;
    uint64_t where;
    uint64_t size;
} hy_spool_record;

_Static_assert((HY_SPOOL_CHUNK_SIZE - HY_SPOOL_CHUNK_HEADER) % sizeof(hy_spool_record) == 0,
    "records fill a chunk to its end");

#define HY_SPOOL_STAMP_SHIFT 10
#define HY_SPOOL_ALIGN_SHIFT 4
#define HY_SPOOL_ADDRESS_MASK ((UINT64_C(1) << 48) - 1)
#define HY_SPOOL_THREAD_MAX 65535u

typedef enum hy_spool_end {
    HY_SPOOL_RUNNING = 0, /* killed, replaced by another program, or still running */
    HY_SPOOL_EXITED = 1,
    HY_SPOOL_STOPPED = 2 /* the recorder gave up: see `reason` */
} hy_spool_end;

/* The first page of the file. */
typedef struct hy_spool_header {
    uint64_t magic;
    uint64_t started_ns; /* CLOCK_REALTIME: orders the spools of one recording */
    uint32_t pid;
    uint32_t parent;     /* pid of the process that forked it, 0 for one that was exec'ed */
    uint32_t end;        /* hy_spool_end */
    uint32_t reason;     /* HY_SPOOL_STOPPED: errno */
    uint64_t last_stamp; /* HY_SPOOL_STOPPED: later stamps were not written */
    char program[512];
    char command[2048]; /* arguments, each terminated by a NUL */
} hy_spool_header;

typedef struct hy_spool_chunk {
    uint32_t magic;
    uint32_t reserved;
    uint64_t unused[7];
} hy_spool_chunk;

_Static_assert(sizeof(hy_spool_chunk) == HY_SPOOL_CHUNK_HEADER, "the header of a chunk fills its place");

/* The environment variable that names the folder of the spools; without it nothing is recorded. */
#define HY_SPOOL_VARIABLE "HEAPYARD_RECORD"

#endif
