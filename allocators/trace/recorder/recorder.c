/* recorder.c: libheapyard-record.so: records every call of the malloc family.
 *
 * Preloaded (LD_PRELOAD) into any dynamically linked program, with HEAPYARD_RECORD naming a folder, it
 * interposes malloc, free, calloc, realloc, reallocarray, memalign, aligned_alloc, posix_memalign, valloc
 * and pvalloc (C++'s new and delete call them), forwards each call to the program's own allocator, and
 * writes one spool per process to the folder; spool.h explains why that is a mapped file. The program
 * behaves as without it: nothing is written to its streams (except one line at the exit of a program whose
 * recording had to stop), errno is preserved, and nothing here allocates.
 *
 * How it copes with
 *   fork     all state is in pages that the kernel wipes in a child (MADV_WIPEONFORK): the child finds an
 *            unstarted state and starts a spool of its own, however it was forked. A vfork child shares
 *            its parent's memory, and is recorded in the parent's spool.
 *   exec     the new image starts a new spool; spools are named by pid and number.
 *   signals  the slow path runs with signals blocked; claiming a record is one atomic operation, so that a
 *            handler that allocates claims the next one.
 *   threads  each writes to its own chunk; only the counter of stamps is shared.
 *   full disk, RLIMIT_FSIZE
 *            space is reserved (fallocate) before it is mapped, so that no store can fault; where that
 *            fails, recording stops and the program continues.
 *   closed files
 *            a program may close all its descriptors: before ours is used it is checked to still refer to
 *            the spool, and reopened if not.
 *   start-up dlsym may allocate before the real functions are known: next.h serves that.
 *
 * Thread-safe. Cost: two atomic operations and three stores per call, more where threads contend for the
 * counter, and the page faults of the spool. Not recorded: allocators that a program calls under names of
 * their own (jemalloc's sdallocx, an operator new that the program defines).
 */
#include "allocators/trace/recorder/next.h"
#include "allocators/trace/recorder/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

/* The unit of reserving and mapping the file; an extent is divided into chunks. */
#define EXTENT_SIZE ((uint64_t)4 << 20)
#define PATH_SIZE 4096
#define NAME_ROOM 64 /* of a path, for the spool's name after the folder */
#define MALLOC_ALIGN_LOG2 0
#define PAGE_LOG2 12

/* ---- the state of a process ---- */

typedef enum phase { PHASE_NEW, PHASE_ON, PHASE_OFF } phase;

/* Kept in pages that the kernel wipes in a forked child. */
typedef struct process_state {
    _Atomic uint64_t stamp; /* the last one assigned */
    _Alignas(64) _Atomic uint32_t phase;
    uint32_t generation; /* differs from a thread's where its chunk belongs to the parent process */
    atomic_flag lock;
    bool reported;
    int file;
    dev_t device;
    ino_t inode;
    hy_spool_header *header;
    char *extent; /* the next unused chunk */
    char *extent_end;
    uint64_t file_size;
    char *spare; /* partly used chunks of ended threads, linked through their headers */
    uint32_t thread_count;
    char path[PATH_SIZE];
} process_state;

_Static_assert(sizeof(process_state) <= 8192, "the state fits two pages");

/* The state that survives a fork. */
typedef struct constant_state {
    process_state *page;
    pthread_key_t key;
    bool has_key;
    bool refused;           /* the page could not be made: nothing is recorded */
    uint32_t parent;        /* pid of the process that used the page last */
    uint32_t generations;   /* number of recorded processes from the first one down to this one by fork */
    char folder[PATH_SIZE]; /* a copy, because a program may clear its environment before it forks */
} constant_state;

typedef struct thread_state {
    _Atomic uintptr_t cursor; /* the next record; a multiple of the chunk size: the chunk is full */
    uint32_t generation;
    uint16_t number;
    bool inside; /* in the recorder's own code, whose calls are not recorded */
} thread_state;

static constant_state constant;
static _Thread_local thread_state self __attribute__((tls_model("initial-exec")));
static atomic_flag constant_lock = ATOMIC_FLAG_INIT;

/* Signals are blocked before the lock is taken: a handler that allocates while its thread holds the lock
 * would wait for it forever. */
static void enter(atomic_flag *lock, sigset_t *old) {
    sigset_t all;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, old);
    while (atomic_flag_test_and_set_explicit(lock, memory_order_acquire))
        (void)syscall(SYS_sched_yield);
}

static void leave(atomic_flag *lock, const sigset_t *old) {
    atomic_flag_clear_explicit(lock, memory_order_release);
    (void)pthread_sigmask(SIG_SETMASK, old, NULL);
}

/* ---- the file ---- */

/* Ends the recording for good; what was written stays. The last stamps may be without a record. */
static void stop(process_state *state, int reason) {
    if (state->header) {
        state->header->reason = (uint32_t)reason;
        state->header->last_stamp = atomic_load(&state->stamp);
        state->header->end = HY_SPOOL_STOPPED;
    }
    atomic_store(&state->phase, PHASE_OFF);
}

static bool is_ours(const process_state *state) {
    struct stat status;
    return fstat(state->file, &status) == 0 && status.st_dev == state->device &&
           status.st_ino == state->inode;
}

/* Moves the descriptor to a high number, because programs may rely on getting low ones. */
static int raise_descriptor(int file) {
    struct rlimit limit;
    int least = 500;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < 1024) least = (int)(limit.rlim_cur / 2);
    int high = fcntl(file, F_DUPFD_CLOEXEC, least);
    if (high < 0) return file;
    (void)close(file);
    return high;
}

static bool reopen(process_state *state) {
    if (is_ours(state)) return true;
    int file = open(state->path, O_RDWR | O_CLOEXEC);
    if (file < 0) return false;
    state->file = raise_descriptor(file);
    return is_ours(state);
}

/* Allocates disk space: a store into a hole would raise SIGBUS on a full disk. A size above the process's
 * limit would raise SIGXFSZ, so it is not attempted. Returns 0 or an errno. */
static int reserve(const process_state *state, uint64_t offset, uint64_t size) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && offset + size > limit.rlim_cur) return EFBIG;
    if (fallocate(state->file, 0, (off_t)offset, (off_t)size) == 0) return 0;
    if (errno != EOPNOTSUPP && errno != ENOSYS) return errno;
    static const char zeros[16384];
    for (uint64_t done = 0; done < size;) {
        ssize_t written = pwrite(state->file, zeros, sizeof zeros, (off_t)(offset + done));
        if (written <= 0) return written < 0 ? errno : ENOSPC;
        done += (uint64_t)written;
    }
    return 0;
}

/* Maps `size` bytes of the file at a multiple of the chunk size. NULL: mmap failed. */
static char *map_aligned(const process_state *state, uint64_t offset, uint64_t size) {
    uint64_t room = size + HY_SPOOL_CHUNK_SIZE;
    char *region = mmap(NULL, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (region == MAP_FAILED) return NULL;
    uintptr_t mask = HY_SPOOL_CHUNK_SIZE - 1;
    char *at = (char *)(((uintptr_t)region + mask) & ~mask);
    if (at > region) (void)munmap(region, (size_t)(at - region));
    char *end = at + size;
    (void)munmap(end, (size_t)(region + room - end));
    void *mapped = mmap(at, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, state->file, (off_t)offset);
    if (mapped == MAP_FAILED) {
        (void)munmap(at, size);
        return NULL;
    }
    return at;
}

/* Reserves and maps the next extent of the file; smaller sizes are tried before giving up, so that a disk is
 * used to its end. Returns 0 or an errno. */
static int extend(process_state *state) {
    if (!reopen(state)) return errno ? errno : EBADF;
    int why = ENOSPC;
    for (uint64_t size = EXTENT_SIZE; size >= HY_SPOOL_CHUNK_SIZE; size /= 4) {
        why = reserve(state, state->file_size, size);
        if (why != 0) continue;
        char *at = map_aligned(state, state->file_size, size);
        if (!at) return errno;
        state->extent = at;
        state->extent_end = at + size;
        state->file_size += size;
        return 0;
    }
    return why;
}

/* ---- the start of a process ---- */

/* Appends text to a path or line; the caller ensures that it fits. */
static void append(char *path, size_t *length, const char *text) {
    size_t count = strlen(text);
    memcpy(path + *length, text, count + 1);
    *length += count;
}

static const char *decimal(uint64_t value, char text[24]) {
    char *at = text + 23;
    *at = 0;
    do {
        *--at = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    return at;
}

/* Creates folder/pid.number.spool with the first free number: a process has several after exec. Returns 0
 * or an errno. */
static int open_spool(process_state *state, const char *folder) {
    if (strlen(folder) + NAME_ROOM > PATH_SIZE) return ENAMETOOLONG;
    for (unsigned number = 0; number < 10000; number++) {
        char text[24];
        size_t length = 0;
        append(state->path, &length, folder);
        append(state->path, &length, "/");
        append(state->path, &length, decimal((uint64_t)getpid(), text));
        append(state->path, &length, ".");
        append(state->path, &length, decimal(number, text));
        append(state->path, &length, ".spool");
        int file = open(state->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (file < 0 && errno == EEXIST) continue;
        if (file < 0) return errno;
        struct stat status;
        if (fstat(file, &status) != 0) {
            int why = errno;
            (void)close(file);
            return why;
        }
        state->device = status.st_dev;
        state->inode = status.st_ino;
        state->file = raise_descriptor(file);
        return 0;
    }
    return EEXIST;
}

/* Reads a file of /proc into a field that stays NUL-terminated. */
static void read_into(const char *path, char *field, size_t size) {
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return;
    size_t count = 0;
    ssize_t got;
    while (count < size - 1 && (got = read(file, field + count, size - 1 - count)) > 0)
        count += (size_t)got;
    (void)close(file);
}

static int start_spool(process_state *state, const char *folder) {
    int why = open_spool(state, folder);
    if (why == 0) why = extend(state);
    if (why != 0) return why;
    state->header = (hy_spool_header *)state->extent;
    state->extent += HY_SPOOL_CHUNK_SIZE;
    hy_spool_header *header = state->header;
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    header->started_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    header->pid = (uint32_t)getpid();
    header->parent = constant.parent;
    ssize_t length = readlink("/proc/self/exe", header->program, sizeof header->program - 1);
    if (length < 0) header->program[0] = 0;
    read_into("/proc/self/cmdline", header->command, sizeof header->command);
    header->magic = HY_SPOOL_MAGIC;
    return 0;
}

static void ended_thread(void *ignored);

/* Starts recording at the first call of a process, including a forked one. Requires the page's lock. */
static void start(process_state *state) {
    state->file = -1;
    const char *folder = getenv(HY_SPOOL_VARIABLE);
    size_t length = 0;
    if (!constant.folder[0] && folder && strlen(folder) < PATH_SIZE) append(constant.folder, &length, folder);
    if (constant.folder[0] != '/') {
        atomic_store(&state->phase, PHASE_OFF);
        return;
    }
    self.inside = true;
    if (!constant.has_key) constant.has_key = pthread_key_create(&constant.key, ended_thread) == 0;
    self.inside = false;
    state->generation = ++constant.generations;
    int why = start_spool(state, constant.folder);
    constant.parent = (uint32_t)getpid();
    if (why != 0)
        stop(state, why);
    else
        atomic_store(&state->phase, PHASE_ON);
}

/* The process's state, mapped at the first call. NULL: that failed, nothing is recorded. */
static process_state *page_of_process(void) {
    process_state *page = __atomic_load_n(&constant.page, __ATOMIC_ACQUIRE);
    if (page || __atomic_load_n(&constant.refused, __ATOMIC_RELAXED)) return page;
    sigset_t old;
    enter(&constant_lock, &old);
    if (!constant.page && !constant.refused) {
        void *fresh = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        bool is_good = fresh != MAP_FAILED && madvise(fresh, 8192, MADV_WIPEONFORK) == 0;
        if (is_good)
            __atomic_store_n(&constant.page, fresh, __ATOMIC_RELEASE);
        else
            __atomic_store_n(&constant.refused, true, __ATOMIC_RELAXED);
        if (!is_good && fresh != MAP_FAILED) (void)munmap(fresh, 8192);
    }
    page = constant.page;
    leave(&constant_lock, &old);
    return page;
}

/* ---- records ---- */

/* Assigns a chunk to this thread, and a number where it has none. False: recording has ended. */
static bool new_chunk(process_state *state) {
    if (atomic_load(&state->phase) == PHASE_NEW) start(state);
    if (atomic_load(&state->phase) != PHASE_ON) return false;
    uintptr_t cursor = atomic_load(&self.cursor);
    if (self.generation == state->generation && cursor % HY_SPOOL_CHUNK_SIZE != 0) return true;
    bool is_new = self.generation != state->generation || cursor == 0;
    char *chunk = is_new ? state->spare : NULL;
    if (chunk) {
        memcpy(&state->spare, chunk + 8, sizeof state->spare);
        memcpy(&cursor, chunk + 16, sizeof cursor);
    } else {
        if (state->extent == state->extent_end) {
            int why = extend(state);
            if (why != 0) {
                stop(state, why);
                return false;
            }
        }
        chunk = state->extent;
        state->extent += HY_SPOOL_CHUNK_SIZE;
        ((hy_spool_chunk *)chunk)->magic = HY_SPOOL_CHUNK_MAGIC;
        cursor = (uintptr_t)chunk + HY_SPOOL_CHUNK_HEADER;
    }
    if (is_new) {
        bool same_thread = self.generation == state->generation;
        if (!same_thread) {
            self.number = (uint16_t)(state->thread_count < HY_SPOOL_THREAD_MAX ? state->thread_count
                                                                               : HY_SPOOL_THREAD_MAX);
            state->thread_count++;
        }
        self.generation = state->generation;
    }
    atomic_store(&self.cursor, cursor);
    return true;
}

/* The slow path of claim: the thread has no chunk with space. False: recording has ended. */
static __attribute__((cold, noinline)) bool refill(process_state *state) {
    int saved = errno;
    sigset_t old;
    enter(&state->lock, &old);
    bool fresh_thread = self.generation != state->generation || atomic_load(&self.cursor) == 0;
    bool good = new_chunk(state);
    leave(&state->lock, &old);
    if (good && fresh_thread && constant.has_key) {
        /* Set only so that its destructor runs: that requires a value other than NULL. */
        self.inside = true;
        (void)pthread_setspecific(constant.key, &self);
        self.inside = false;
    }
    errno = saved;
    return good;
}

/* The process's state where this thread's calls are recorded, else NULL. */
static process_state *recording(void) {
    if (self.inside) return NULL;
    process_state *state = page_of_process();
    if (!state || atomic_load_explicit(&state->phase, memory_order_relaxed) == PHASE_OFF) return NULL;
    return state;
}

/* Claims space for one record; NULL where recording has ended. A compare-and-swap, because a signal handler
 * of the same thread may claim one at the same time. */
static hy_spool_record *claim(process_state *state) {
    for (;;) {
        uintptr_t at = atomic_load_explicit(&self.cursor, memory_order_relaxed);
        if (self.generation != state->generation || at % HY_SPOOL_CHUNK_SIZE == 0) {
            if (!refill(state)) return NULL;
            continue;
        }
        if (atomic_compare_exchange_weak(&self.cursor, &at, at + sizeof(hy_spool_record))) {
            return (hy_spool_record *)at;
        }
    }
}

static void record(
    process_state *state, hy_spool_kind kind, unsigned align_log2, const void *address, size_t size) {
    hy_spool_record *place = claim(state);
    if (!place) return;
    uint64_t stamp = atomic_fetch_add(&state->stamp, 1) + 1;
    place->where = ((uint64_t)self.number << 48) | ((uintptr_t)address & HY_SPOOL_ADDRESS_MASK);
    place->size = size;
    uint64_t key =
        (stamp << HY_SPOOL_STAMP_SHIFT) | ((uint64_t)align_log2 << HY_SPOOL_ALIGN_SHIFT) | (uint64_t)kind;
    __atomic_store_n(&place->key, key, __ATOMIC_RELEASE);
}

/* The thread is about to end: records that, and leaves the rest of its chunk to the next new thread. If a
 * later destructor allocates, the thread gets another chunk and this runs again. */
static void ended_thread(void *ignored) {
    (void)ignored;
    process_state *state = recording();
    if (!state || self.generation != state->generation) return;
    record(state, HY_SPOOL_THREAD_END, 0, NULL, 0);
    sigset_t old;
    enter(&state->lock, &old);
    uintptr_t cursor = atomic_load(&self.cursor);
    if (cursor % HY_SPOOL_CHUNK_SIZE != 0) {
        char *chunk = (char *)(cursor & ~(uintptr_t)(HY_SPOOL_CHUNK_SIZE - 1));
        memcpy(chunk + 8, &state->spare, sizeof state->spare);
        memcpy(chunk + 16, &cursor, sizeof cursor);
        state->spare = chunk;
    }
    atomic_store(&self.cursor, 0);
    leave(&state->lock, &old);
}

/* ---- the end of a process ---- */

/* Marks the process as exited. False where nothing is recorded, and in a vfork child, which shares its
 * parent's memory but does not end the parent. */
static bool mark_end(void) {
    process_state *state = constant.page;
    if (!state || atomic_load(&state->phase) != PHASE_ON) return false;
    if (state->header->pid != (uint32_t)getpid()) return false;
    state->header->end = HY_SPOOL_EXITED;
    return true;
}

#ifdef HY_COVERAGE
void __gcov_dump(void); // NOLINT(bugprone-reserved-identifier,readability-identifier-naming)
#endif

/* A coverage build writes its counters here, because _exit would lose them; allocations made by that are not
 * the program's and not recorded. */
static void end_counting(void) {
#ifdef HY_COVERAGE
    self.inside = true;
    __gcov_dump();
#endif
}

/* Prints one line where recording had to stop. At the program's exit, so that it can't disturb the program.
 */
static void report_stop(process_state *state) {
    if (state->reported || atomic_load(&state->phase) != PHASE_OFF || constant.folder[0] != '/') return;
    state->reported = true;
    char text[24];
    char line[256]; /* longer than the longest message */
    size_t length = 0;
    int reason = state->header ? (int)state->header->reason : 0;
    const char *why = reason == ENOSPC ? "no space left" : reason == EFBIG ? "file size limit" : NULL;
    append(line, &length, "heapyard-record: recording of process ");
    append(line, &length, decimal((uint64_t)getpid(), text));
    append(line, &length, " stopped after ");
    append(line, &length, decimal(state->header ? state->header->last_stamp : 0, text));
    append(line, &length, " records: ");
    append(line, &length, why ? why : state->header ? "error " : "can't write to the folder of spools");
    if (!why && state->header) append(line, &length, decimal((uint64_t)reason, text));
    append(line, &length, "\n");
    (void)!write(STDERR_FILENO, line, length);
}

__attribute__((destructor)) static void at_exit(void) {
    (void)mark_end();
    if (constant.page) report_stop(constant.page);
    end_counting();
}

/* ---- the interposed functions ---- */

/* Recorded after the call, so that the stamp is greater than that of the address's previous free. */
static void *allocated(hy_spool_kind kind, unsigned align_log2, void *block, size_t size) {
    process_state *state = recording();
    if (state) {
        int saved = errno;
        record(state, block ? kind : HY_SPOOL_REFUSED, align_log2, block, size);
        errno = saved;
    }
    return block;
}

EXPORT void *malloc(size_t size) {
    if (!hy_next_ready()) return hy_early_alloc(size);
    return allocated(HY_SPOOL_ALLOC, MALLOC_ALIGN_LOG2, hy_next.malloc(size), size);
}

EXPORT void *calloc(size_t count, size_t size) {
    size_t total;
    if (!hy_next_ready()) return __builtin_mul_overflow(count, size, &total) ? NULL : hy_early_alloc(total);
    void *block = hy_next.calloc(count, size);
    if (__builtin_mul_overflow(count, size, &total)) total = SIZE_MAX;
    return allocated(HY_SPOOL_CALLOC, MALLOC_ALIGN_LOG2, block, total);
}

EXPORT void free(void *block) {
    if (!block || hy_early_holds(block) || !hy_next_ready()) return;
    process_state *state = recording();
    if (state) {
        int saved = errno;
        record(state, HY_SPOOL_FREE, 0, block, 0);
        errno = saved;
    }
    hy_next.free(block);
}

/* A block of the start-up buffer moves to the real heap. */
static void *realloc_early(void *old, size_t size) {
    void *block = malloc(size);
    if (!block) return NULL;
    size_t known = hy_early_size(old);
    memcpy(block, old, known < size ? known : size);
    return block;
}

EXPORT void *realloc(void *old, size_t size) {
    if (!old) return malloc(size);
    if (hy_early_holds(old)) return realloc_early(old, size);
    (void)hy_next_ready();
    process_state *state = recording();
    if (!state) return hy_next.realloc(old, size);
    int saved = errno;
    record(state, HY_SPOOL_REALLOC_BEGIN, MALLOC_ALIGN_LOG2, old, size);
    errno = saved;
    void *block = hy_next.realloc(old, size);
    saved = errno;
    /* NULL: refused, and the old block is still live; or, for size 0, it was freed. */
    record(state, HY_SPOOL_REALLOC_END, MALLOC_ALIGN_LOG2, block, size);
    errno = saved;
    return block;
}

EXPORT void *reallocarray(void *old, size_t count, size_t size) {
    size_t total;
    if (__builtin_mul_overflow(count, size, &total)) {
        errno = ENOMEM;
        return NULL;
    }
    return realloc(old, total);
}

/* log2 of an alignment as stored in a record: at least that of 16, because 0 means malloc's own. */
static unsigned stored_log2(size_t align) {
    unsigned log2 = 4;
    while (log2 < 63 && ((size_t)1 << log2) < align)
        log2++;
    return log2;
}

EXPORT void *memalign(size_t align, size_t size) {
    if (!hy_next_ready()) return NULL;
    return allocated(HY_SPOOL_ALLOC, stored_log2(align), hy_next.memalign(align, size), size);
}

EXPORT void *aligned_alloc(size_t align, size_t size) {
    if (!hy_next_ready()) return NULL;
    return allocated(HY_SPOOL_ALLOC, stored_log2(align), hy_next.aligned_alloc(align, size), size);
}

EXPORT int posix_memalign(void **out, size_t align, size_t size) {
    if (!hy_next_ready()) return ENOMEM;
    int result = hy_next.posix_memalign(out, align, size);
    if (result == 0) (void)allocated(HY_SPOOL_ALLOC, stored_log2(align), *out, size);
    return result;
}

EXPORT void *valloc(size_t size) {
    if (!hy_next_ready()) return NULL;
    return allocated(HY_SPOOL_ALLOC, PAGE_LOG2, hy_next.valloc(size), size);
}

EXPORT void *pvalloc(size_t size) {
    if (!hy_next_ready()) return NULL;
    return allocated(HY_SPOOL_ALLOC, PAGE_LOG2, hy_next.pvalloc(size), size);
}

/* Exits that run no destructors. exit() does not call these. */
EXPORT _Noreturn void _exit(int status) {
    if (mark_end()) end_counting();
    for (;;)
        (void)syscall(SYS_exit_group, status);
}

EXPORT _Noreturn void _Exit(int status) {
    _exit(status);
}
