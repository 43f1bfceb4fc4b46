/* spool_reader.c: records to their places, and through the tracker. */
#include "allocators/history/spool_reader.h"

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
    uint64_t last; /* greatest stamp */
} spool;

static uint64_t stamp_of(const hy_spool_record *record) {
    return record->key >> HY_SPOOL_STAMP_SHIFT;
}

/* Calls `visit` with every record there is, in the order of the file. A chunk at the end that does
 * not fit whole is read as far as it goes. */
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
    if (stamp_of(record) > in->last) in->last = stamp_of(record);
}

/* The records by stamp; NULL stands for a hole. */
typedef struct order {
    const hy_spool_record **by_stamp; /* [stamp - 1] */
    uint64_t count;                   /* without a hole, from the first */
    uint64_t beyond;                  /* records behind the first hole */
    uint64_t last;
} order;

static void note_place(void *context, const hy_spool_record *record) {
    order *records = context;
    records->by_stamp[stamp_of(record) - 1] = record;
    records->beyond++;
}

static bool replay_record(hy_tracker *tracker, const hy_spool_record *record, bool is_last) {
    uint16_t thread = (uint16_t)(record->where >> 48);
    uint64_t address = record->where & HY_SPOOL_ADDRESS_MASK;
    uint8_t align_log2 = (record->key >> HY_SPOOL_ALIGN_SHIFT) & 63;
    if (align_log2 == 0) align_log2 = hy_malloc_align_log2(record->size);
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
        /* A destructor that ran later went on in the same thread, and another end follows. */
        return !is_last || hy_tracker_thread_end(tracker, thread);
    }
    return true;
}

/* Through the tracker, in order. */
static bool follow(const order *records, hy_history *history, hy_trace_info *info, hy_allocator gpa) {
    hy_tracker tracker;
    hy_tracker_init(&tracker, history, gpa);
    uint64_t *last_of = hy_alloc_zeroed(gpa, uint64_t, HY_SPOOL_THREAD_MAX + 1);
    bool good = last_of != NULL;
    for (uint64_t i = 0; good && i < records->count; i++)
        last_of[records->by_stamp[i]->where >> 48] = i;
    for (uint64_t i = 0; good && i < records->count; i++) {
        const hy_spool_record *record = records->by_stamp[i];
        good = replay_record(&tracker, record, last_of[record->where >> 48] == i);
    }
    info->foreign_count = tracker.foreign_count + tracker.missed_count;
    hy_free_n(gpa, last_of, HY_SPOOL_THREAD_MAX + 1);
    hy_tracker_deinit(&tracker);
    return good;
}

static void copy_command(hy_trace_info *info, const hy_spool_header *header) {
    size_t length = 0;
    while (length < sizeof info->command - 1 && length < sizeof header->command - 1 &&
           (header->command[length] || header->command[length + 1])) {
        info->command[length] = header->command[length] ? header->command[length] : ' ';
        length++;
    }
    info->command[length] = 0;
    (void)snprintf(
        info->program, sizeof info->program, "%.*s", (int)sizeof info->program - 1, header->program);
    (void)snprintf(info->recorder, sizeof info->recorder, "heapyard %s", HY_VERSION);
}

static void describe_end(hy_trace_info *info, const hy_spool_header *header, const order *records) {
    info->finished = header->end == HY_SPOOL_EXITED && records->beyond == 0;
    if (header->end == HY_SPOOL_STOPPED) {
        (void)snprintf(
            info->end, sizeof info->end, "the recorder stopped: %s", strerror((int)header->reason));
    } else if (header->end != HY_SPOOL_EXITED) {
        (void)snprintf(info->end, sizeof info->end, "no exit was seen: killed");
    } else if (records->beyond > 0) {
        (void)snprintf(info->end, sizeof info->end,
            "a thread was in a call at the exit, %" PRIu64 " records follow it", records->beyond);
    } else {
        (void)snprintf(info->end, sizeof info->end, "exit");
    }
}

static bool read_mapped(spool *in, hy_history *history, hy_trace_info *info, const hy_spool_header *header) {
    hy_allocator gpa = history->allocator;
    for_each(in, note_last, in);
    order records = {.last = in->last};
    if (in->last > in->size / sizeof(hy_spool_record)) records.last = in->size / sizeof(hy_spool_record);
    records.by_stamp = hy_alloc_zeroed(gpa, const hy_spool_record *, records.last);
    if (!records.by_stamp) return false;
    if (records.last == in->last) for_each(in, note_place, &records);
    while (records.count < records.last && records.by_stamp[records.count])
        records.count++;
    records.beyond -= records.count;
    describe_end(info, header, &records);
    bool good = follow(&records, history, info, gpa);
    hy_free_n(gpa, records.by_stamp, records.last);
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
        copy_command(info, header);
        good = read_mapped(&in, history, info, header) || refuse(error, path, "out of memory");
    }
    (void)munmap(mapped, in.size);
    return good;
}
