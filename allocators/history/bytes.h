/* bytes.h: converts between a fuzzer's input bytes and a history.
 *
 * The decoder is total: any bytes decode to a legal history, nothing is rejected, and reads past the end
 * give 0. No random number generator sits between the bytes and the operations, so that coverage guides
 * the fuzzer and a changed byte changes one thing.
 *
 *   byte 0   low nibble: the row's options (see hy_bytes_header); high nibble: fault policy of its child
 *   byte 1   swarm mask: a set bit switches a group of operations off (HY_BYTES_WITHOUT_…)
 *   …        operands of the header, where byte 0 requires them
 *   then a byte for each operation: low nibble the operation, high nibble its argument; then its operands
 *
 * Sizes are about 60 % linear from 1 to 160, 25 % powers of two and their neighbours, 5 % any 16 bits, 3 %
 * eighths of a doubling, where size classes end, and what the instance has left (HY_OP_OF_ROOM), and 5 % huge
 * or near a bound of the row. Blocks are chosen by any index, the last or the
 * first. The history holds at most HY_BYTES_SLOT_MAX blocks at once. It assumes that every request is
 * served; when it is run, the caller skips operations on a block whose allocation was refused.
 */
#ifndef HEAPYARD_BYTES_H
#define HEAPYARD_BYTES_H

#include "allocators/history/history.h"
#include <heapyard/plugin.h>

#define HY_BYTES_SLOT_MAX 256
#define HY_BYTES_OPERATION_MAX 1024 /* the rest of a longer input is ignored */
#define HY_BYTES_SHAPES 4
#define HY_BYTES_NEVER UINT16_MAX

/* Groups of the swarm mask. */
#define HY_BYTES_WITHOUT_FREE 0x01u
#define HY_BYTES_WITHOUT_RESIZE 0x02u
#define HY_BYTES_WITHOUT_REMAP 0x04u
#define HY_BYTES_WITHOUT_REALLOC 0x08u
#define HY_BYTES_WITHOUT_RESET 0x10u
#define HY_BYTES_WITHOUT_ALIGN 0x20u  /* every alignment is 8 */
#define HY_BYTES_WITHOUT_LARGE 0x40u  /* every size is linear */
#define HY_BYTES_WITHOUT_CHOICE 0x80u /* the last block only */

/* How the child under a row behaves. */
typedef struct hy_fault_policy {
    bool grows;             /* its topmost block grows in place, and blocks shrink */
    bool moves;             /* remap moves */
    bool once;              /* refuses only the call at the index, not those after it */
    uint16_t alloc_refusal; /* index of the first call refused, or HY_BYTES_NEVER */
    uint16_t resize_refusal;
    uint16_t remap_refusal;
} hy_fault_policy;

typedef struct hy_bytes_header {
    uint8_t shape;    /* index into the runner's table of HY_BYTES_SHAPES capacities and block sizes */
    uint16_t options; /* the row's option bits */
    uint8_t mask;     /* HY_BYTES_WITHOUT_… */
    hy_fault_policy faults;
} hy_bytes_header;

/* What the row decides of a history: bounds that sizes may be given relative to, 0 where it has no such
 * bound, and what it can do beyond the vtable. */
typedef struct hy_bytes_bounds {
    uint64_t capacity;
    uint64_t block_size;
    const hy_row_operation *operations;
    size_t operation_count;
} hy_bytes_bounds;

/* The header of any bytes. Returns how many of them it took, at most `size`. O(1). */
size_t hy_bytes_decode_header(const uint8_t *bytes, size_t size, hy_bytes_header *header);

/* Decodes the operations after the header. Replaces the contents of `history` and reuses its array. False:
 * out of memory, the history is truncated. O(size), at most HY_BYTES_OPERATION_MAX operations. */
bool hy_bytes_decode(const uint8_t *bytes, size_t size, const hy_bytes_header *header, hy_bytes_bounds bounds,
    hy_history *history);

/* Decodes likewise, and writes where each operation begins, counted from `bytes`, and behind the last one
 * where it ends; at has room for max + 1. Returns how many operations there are, max at most; of bytes, at
 * most 65535 count. */
size_t hy_bytes_split(const uint8_t *bytes, size_t size, const hy_bytes_header *header,
    hy_bytes_bounds bounds, hy_history *history, uint16_t *at, size_t max);

/* How a size is encoded: op.size itself (of HY_OP_OF_ROOM it must be -128 … 127), or such a distance from a
 * bound. */
typedef enum hy_bytes_base {
    HY_BYTES_ABSOLUTE,
    HY_BYTES_CAPACITY,
    HY_BYTES_BLOCK,
    HY_BYTES_ROOM
} hy_bytes_base;

typedef struct hy_bytes_writer {
    uint8_t *bytes;
    size_t size;
    size_t capacity;
    uint32_t live_count;
    uint32_t live[HY_BYTES_SLOT_MAX]; /* the caller's slots in order of allocation */
} hy_bytes_writer;

/* Starts an input with its header. `bytes` has room for `capacity` bytes and is owned by the caller. */
void hy_bytes_write_header(
    hy_bytes_writer *writer, uint8_t *bytes, size_t capacity, const hy_bytes_header *header);

/* Appends one operation; slot numbers are arbitrary. False, with nothing written: no room, a slot that is
 * not live (or, for ALLOC, is), more than HY_BYTES_SLOT_MAX live, or a kind without an encoding. O(live). */
bool hy_bytes_write(hy_bytes_writer *writer, hy_op op, hy_bytes_base base);

/* Appends an operation of a row's own by its name: on a row that has none of that name, the input has a CHECK
 * in its place. op: of kind SPECIAL, its slot is not read. False, with nothing written: no room. O(1). */
bool hy_bytes_write_named(hy_bytes_writer *writer, const char *name, hy_op op, hy_bytes_base base);

/* What an input keeps of an operation's name: 128 … 255, different for all operations of a row. */
uint8_t hy_bytes_name_code(const char *name);

#endif
