/* spool_reader.c: sorts a spool's records by stamp and passes them to the tracker. */
#include "allocators/trace/recorder/spool_reader.h"

#include "allocators/history/tracker.h"
#include <errno.h>
#include <fcntl.h>
#include <heapyard/typed.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* A spool that is mapped for reading. */
typedef struct spool {
    const uint8_t *bytes;
    uint64_t size;
    uint64_t last;    /* greatest stamp */
    uint32_t threads; /* number of threads with records */
} spool;

static uint64_t stamp_of(const hy_spool_record *record) {
    return record->key >> HY_SPOOL_STAMP_SHIFT;
}

/* Calls `visit` for every record, in file order. A truncated last chunk is read up to its last whole
 * record. */
static void for_each(const spool *in, void (*visit)(void *, const hy_spool_record *), void *context) {
    for (uint64_t at = HY_SPOOL_CHUNK_SIZE; at + HY_SPOOL_CHUNK_HEADER <= in->size;
         at += HY_SPOOL_CHUNK_SIZE) {
        const hy_spool_chunk *chunk = (const hy_spool_chunk *)(in->bytes + at);
        if (chunk->magic != HY_SPOOL_CHUNK_MAGIC) continue;
        uint64_t end = at + HY_SPOOL_CHUNK_SIZE < in->size ? at + HY_SPOOL_CHUNK_SIZE : in->size;
        const hy_spool_record *record = (const hy_spool_record *)(in->bytes + at + HY_SPOOL_CHUNK_HEADER);
        for (; (const uint8_t *)(record + 1) <= in->bytes + end; record++) {
            if (record->key != 0) visit(context, record);
        }
    }
}

static void note_last(void *context, const hy_spool_record *record) {
    spool *in = context;
    uint32_t thread = (uint32_t)(record->where >> 48);
    if (thread >= in->threads) in->threads = thread + 1;
    if (stamp_of(record) > in->last) in->last = stamp_of(record);
}

/* The records by stamp. NULL is a gap: a call that was in progress when its process ended. It is the last
 * one of its thread, so an intact spool has no more gaps than threads. The tracker copes with the missing
 * calls, each of which concerns one address. */
typedef struct order {
    const hy_spool_record **by_stamp; /* [stamp - 1] */
    uint64_t count;
    uint64_t gaps;
    bool damaged; /* more gaps than threads */
} order;

static void note_place(void *context, const hy_spool_record *record) {
    order *records = context;
    uint64_t stamp = stamp_of(record);
    if (stamp >= 1 && stamp <= records->count) records->by_stamp[stamp - 1] = record;
}

/* Counts the gaps; a damaged spool is truncated at its first one. */
static void count_gaps(order *records, uint32_t threads) {
    uint64_t first = records->count;
    for (uint64_t i = records->count; i-- > 0;) {
        if (records->by_stamp[i]) continue;
        records->gaps++;
        first = i;
    }
    records->damaged = records->gaps > threads;
    if (records->damaged) records->count = first;
}

static bool replay_record(hy_tracker *tracker, const hy_spool_record *record, bool is_last) {
    uint16_t thread = (uint16_t)(record->where >> 48);
    uint64_t address = record->where & HY_SPOOL_ADDRESS_MASK;
    uint8_t align_log2 = (record->key >> HY_SPOOL_ALIGN_SHIFT) & 63;
    if (align_log2 == 0) align_log2 = hy_malloc_align_log2(record->size);
    if (address == 0 && (record->key & 15) < HY_SPOOL_REALLOC_END) return true; /* damage: no call has it */
    switch ((hy_spool_kind)(record->key & 15)) {
    case HY_SPOOL_ALLOC:
        return hy_tracker_alloc(tracker, thread, address, record->size, align_log2, 0);
    case HY_SPOOL_CALLOC:
        return hy_tracker_alloc(tracker, thread, address, record->size, align_log2, HY_OP_ZEROED);
    case HY_SPOOL_FREE:
        return hy_tracker_free(tracker, thread, address, 0);
    case HY_SPOOL_REALLOC_BEGIN:
        return hy_tracker_change_begin(tracker, thread, address);
    case HY_SPOOL_REALLOC_END:
        return hy_tracker_change_end(tracker, thread, HY_OP_REALLOC, address, record->size);
    case HY_SPOOL_REFUSED:
        return hy_tracker_refused(tracker, thread, record->size, align_log2);
    case HY_SPOOL_THREAD_END:
        /* Not the last record where a later destructor allocated: then another end follows. */
        return !is_last || hy_tracker_thread_end(tracker, thread);
    }
    return true;
}

/* Passes the records to the tracker in stamp order. */
static bool feed_tracker(const order *records, hy_history *history, hy_trace_info *info, hy_allocator gpa) {
    hy_tracker tracker;
    hy_tracker_init(&tracker, history, gpa);
    uint64_t *last_of = hy_alloc_zeroed(gpa, uint64_t, HY_SPOOL_THREAD_MAX + 1);
    bool good = last_of != NULL;
    for (uint64_t i = 0; good && i < records->count; i++) {
        if (records->by_stamp[i]) last_of[records->by_stamp[i]->where >> 48] = i;
    }
    for (uint64_t i = 0; good && i < records->count; i++) {
        const hy_spool_record *record = records->by_stamp[i];
        if (record) good = replay_record(&tracker, record, last_of[record->where >> 48] == i);
    }
    info->foreign_count = tracker.foreign_count + tracker.missed_count;
    hy_free_n(gpa, last_of, HY_SPOOL_THREAD_MAX + 1);
    hy_tracker_deinit(&tracker);
    return good;
}

/* The arguments as one line: blanks between them, and '' for an empty one. */
static void copy_command(hy_trace_info *info, const hy_spool_header *header) {
    size_t end = sizeof header->command - 1;
    while (end > 0 && header->command[end - 1] == 0)
        end--;
    size_t length = 0;
    for (size_t at = 0; at < end && length < sizeof info->command - 3; at++) {
        char letter = header->command[at];
        bool is_empty = letter == 0 && (at == 0 || header->command[at - 1] == 0);
        if (is_empty) info->command[length++] = '\'';
        if (is_empty) info->command[length++] = '\'';
        info->command[length++] = letter ? letter : ' ';
    }
    info->command[length] = 0;
}

static void describe_program(hy_trace_info *info, const hy_spool_header *header) {
    copy_command(info, header);
    (void)snprintf(
        info->program, sizeof info->program, "%.*s", (int)sizeof info->program - 1, header->program);
    (void)snprintf(info->recorder, sizeof info->recorder, "heapyard %s", HY_VERSION);
}

static void describe_end(hy_trace_info *info, const hy_spool_header *header, const order *records) {
    info->finished = header->end == HY_SPOOL_EXITED && !records->damaged;
    if (header->end == HY_SPOOL_STOPPED) {
        (void)snprintf(
            info->end, sizeof info->end, "the recorder stopped: %s", strerror((int)header->reason));
    } else if (records->damaged) {
        (void)snprintf(info->end, sizeof info->end, "the spool is damaged: %" PRIu64 " records are missing",
            records->gaps);
    } else if (header->end != HY_SPOOL_EXITED) {
        (void)snprintf(info->end, sizeof info->end,
            "no exit was seen: killed, with %" PRIu64 " calls under way", records->gaps);
    } else {
        (void)snprintf(info->end, sizeof info->end, "exit");
    }
}

static bool read_mapped(spool *in, hy_history *history, hy_trace_info *info, const hy_spool_header *header) {
    hy_allocator gpa = history->allocator;
    for_each(in, note_last, in);
    /* A stamp greater than the number of records that fit the file is damage, which count_gaps detects. */
    uint64_t most = in->size / sizeof(hy_spool_record);
    order records = {.count = in->last < most ? in->last : most};
    uint64_t capacity = records.count;
    records.by_stamp = hy_alloc_zeroed(gpa, const hy_spool_record *, capacity);
    if (!records.by_stamp) return false;
    for_each(in, note_place, &records);
    count_gaps(&records, in->threads);
    describe_end(info, header, &records);
    bool good = feed_tracker(&records, history, info, gpa);
    hy_free_n(gpa, records.by_stamp, capacity);
    return good;
}

static bool refuse(hy_trace_error *error, const char *path, const char *why) {
    (void)snprintf(error->message, sizeof error->message, "%s: %s", path, why);
    return false;
}

bool hy_spool_read(const char *path, hy_history *history, hy_trace_info *info, hy_spool_header *header,
    hy_trace_error *error) {
    *info = (hy_trace_info){0};
    *error = (hy_trace_error){0};
    int file = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    if (file < 0 || fstat(file, &status) != 0) {
        int why = errno;
        if (file >= 0) (void)close(file);
        return refuse(error, path, strerror(why));
    }
    spool in = {.size = (uint64_t)status.st_size};
    void *mapped =
        in.size < sizeof *header ? MAP_FAILED : mmap(NULL, in.size, PROT_READ, MAP_SHARED, file, 0);
    (void)close(file);
    if (mapped == MAP_FAILED) return refuse(error, path, "not a spool of the recorder (too short)");
    in.bytes = mapped;
    memcpy(header, mapped, sizeof *header);
    header->program[sizeof header->program - 1] = 0;
    bool good = header->magic == HY_SPOOL_MAGIC;
    if (!good) {
        refuse(error, path, "not a spool of the recorder");
    } else {
        describe_program(info, header);
        good = read_mapped(&in, history, info, header) || refuse(error, path, "out of memory");
    }
    (void)munmap(mapped, in.size);
    return good;
}
