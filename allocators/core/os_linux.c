/* os_linux.c: pages from Linux, and what /proc tells of them. */
#include "allocators/core/os.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

size_t hy_os_page_size(void) {
    return (size_t)sysconf(_SC_PAGESIZE);
}

static void *map(size_t size, int protection) {
    void *ptr = mmap(NULL, size, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return ptr == MAP_FAILED ? NULL : ptr;
}

void *hy_os_map(size_t size) {
    return map(size, PROT_READ | PROT_WRITE);
}

bool hy_os_map_at(void *target, size_t size) {
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
    return mmap(target, size, PROT_READ | PROT_WRITE, flags, -1, 0) != MAP_FAILED;
}

void *hy_os_reserve(size_t size) {
    return map(size, PROT_NONE);
}

bool hy_os_unmap(void *ptr, size_t size) {
    return munmap(ptr, size) == 0;
}

bool hy_os_discard(void *ptr, size_t size) {
    return madvise(ptr, size, MADV_DONTNEED) == 0;
}

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14, newer than some headers */
#endif

void hy_os_populate(void *ptr, size_t size) {
    int errno_before = errno;
    (void)madvise(ptr, size, MADV_POPULATE_WRITE);
    errno = errno_before;
}

size_t hy_os_address_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return SIZE_MAX;
    return (size_t)limit.rlim_cur;
}

/* sysinfo, because older C libraries' sysconf reads a file for it, through malloc. */
size_t hy_os_memory_size(void) {
    struct sysinfo info;
    return sysinfo(&info) == 0 ? (size_t)info.totalram * info.mem_unit : 0;
}

uint64_t hy_os_coarse_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

bool hy_os_protect(void *ptr, size_t size, bool accessible) {
    return mprotect(ptr, size, accessible ? PROT_READ | PROT_WRITE : PROT_NONE) == 0;
}

bool hy_os_resize(void *ptr, size_t old_size, size_t new_size) {
    return mremap(ptr, old_size, new_size, 0) != MAP_FAILED;
}

#if HY_TSAN
/* ThreadSanitizer does not see mremap: it would take a thread's first write to addresses that another
 * one's block was moved away from for a race. So nothing moves, and callers copy. */
void *hy_os_move(void *ptr, size_t old_size, size_t new_size) {
    (void)ptr, (void)old_size, (void)new_size;
    return NULL;
}

bool hy_os_move_to(void *ptr, size_t old_size, size_t new_size, void *target) {
    (void)ptr, (void)old_size, (void)new_size, (void)target;
    return false;
}

bool hy_os_move_contents(void *ptr, size_t size, void *target) {
    (void)ptr, (void)size, (void)target;
    return false;
}
#else
void *hy_os_move(void *ptr, size_t old_size, size_t new_size) {
    void *moved = mremap(ptr, old_size, new_size, MREMAP_MAYMOVE);
    return moved == MAP_FAILED ? NULL : moved;
}

bool hy_os_move_to(void *ptr, size_t old_size, size_t new_size, void *target) {
    return mremap(ptr, old_size, new_size, MREMAP_MAYMOVE | MREMAP_FIXED, target) != MAP_FAILED;
}

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4 /* Linux 5.7, newer than some headers */
#endif

bool hy_os_move_contents(void *ptr, size_t size, void *target) {
    int flags = MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP;
    return mremap(ptr, size, size, flags, target) != MAP_FAILED;
}
#endif

void hy_os_refuse_huge(void *ptr, size_t size) {
    madvise(ptr, size, MADV_NOHUGEPAGE);
}

void hy_os_advise_huge(void *ptr, size_t size) {
    madvise(ptr, size, MADV_HUGEPAGE);
}

/* One "low-high perms …" line of /proc/self/maps at a time, whatever pieces read(2) gives it in. */
typedef struct maps_line {
    uintptr_t low, high;
    enum { LOW, HIGH, REST } part;
} maps_line;

/* The kernel writes nothing but digits and small letters there. */
static unsigned hex_digit(char c) {
    return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

/* Takes the next byte of the file; true at the end of a line, whose range is then in *line. */
static bool maps_take(maps_line *line, char c) {
    if (line->part == LOW) {
        if (c == '-')
            line->part = HIGH;
        else
            line->low = line->low << 4 | hex_digit(c);
    } else if (line->part == HIGH) {
        if (c == ' ')
            line->part = REST;
        else
            line->high = line->high << 4 | hex_digit(c);
    }
    return c == '\n';
}

static bool find_in_maps(int file, uintptr_t address, uintptr_t *low, uintptr_t *high) {
    char bytes[1024];
    maps_line line = {0};
    ssize_t got;
    while ((got = read(file, bytes, sizeof bytes)) > 0) {
        for (ssize_t i = 0; i < got; i++) {
            if (!maps_take(&line, bytes[i])) continue;
            if (line.low <= address && address < line.high) {
                *low = line.low;
                *high = line.high;
                return true;
            }
            line = (maps_line){0};
        }
    }
    return false;
}

bool hy_os_mapping_of(uintptr_t address, uintptr_t *low, uintptr_t *high) {
    int errno_before = errno;
    int file = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    bool is_found = file >= 0 && find_in_maps(file, address, low, high);
    if (file >= 0) close(file);
    errno = errno_before;
    return is_found;
}

void hy_os_wait(uint32_t *word, uint32_t value) {
    int errno_before = errno;
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
    errno = errno_before;
}

void hy_os_wake(uint32_t *word) {
    int errno_before = errno;
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    errno = errno_before;
}

bool hy_os_write(int descriptor, const char *bytes, size_t size) {
    int errno_before = errno;
    while (size > 0) {
        ssize_t written = write(descriptor, bytes, size);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) break;
        bytes += written;
        size -= (size_t)written;
    }
    errno = errno_before;
    return size == 0;
}
