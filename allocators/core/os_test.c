/* os_test.c: what the system's file does with pages, and where the system refuses. */
#include "allocators/conformance/dies.h"
#include "allocators/core/os.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>

static void a_mapping_is_found_by_any_address_in_it(void **state) {
    (void)state;
    size_t page = hy_page_size();
    char *pages = hy_os_map(3 * page);
    assert_non_null(pages);
    const uintptr_t at[] = {(uintptr_t)pages, (uintptr_t)pages + page + 1, (uintptr_t)(pages + 3 * page) - 1};
    for (size_t i = 0; i < sizeof at / sizeof at[0]; i++) {
        uintptr_t low = 0, high = 0;
        assert_true(hy_os_mapping_of(at[i], &low, &high));
        assert_true(low <= at[i] && at[i] < high);
    }
    assert_true(hy_os_unmap(pages, 3 * page));
}

static void what_is_not_mapped_is_not_found(void **state) {
    (void)state;
    uintptr_t low = 1, high = 2;
    errno = 77;
    assert_false(hy_os_mapping_of(8, &low, &high));
    assert_false(hy_os_mapping_of(UINTPTR_MAX, &low, &high));
    assert_int_equal(low, 1);
    assert_int_equal(high, 2);
    assert_int_equal(errno, 77);
}

static void look_without_files(void) {
    uintptr_t low, high;
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    rlim_t before = limit.rlim_cur;
    limit.rlim_cur = 0;
    setrlimit(RLIMIT_NOFILE, &limit);
    errno = 77;
    bool found = hy_os_mapping_of((uintptr_t)&low, &low, &high), changed = errno != 77;
    limit.rlim_cur = before;
    setrlimit(RLIMIT_NOFILE, &limit);
    _exit(found || changed);
}

static void without_files_nothing_is_found(void **state) {
    (void)state;
    assert_exits_saying(0, look_without_files, "");
}

static void a_move_beyond_the_addresses_is_refused(void **state) {
    (void)state;
    size_t page = hy_page_size();
    char *block = hy_os_map(page);
    assert_non_null(block);
    block[0] = 5;
    assert_null(hy_os_move(block, page, (size_t)1 << 60));
    assert_int_equal(block[0], 5);
    assert_true(hy_os_unmap(block, page));
}

static void a_write_to_what_is_closed_ends(void **state) {
    (void)state;
    errno = 77;
    assert_false(hy_os_write(-1, "lost", 4));
    assert_int_equal(errno, 77);
}

static int full_pipe[2];

/* The second signal, when the write waits for room, makes some. */
static void make_room(int number) {
    static volatile sig_atomic_t calls;
    char bytes[4096];
    (void)number;
    if (++calls == 2 && read(full_pipe[0], bytes, sizeof bytes) < 0) abort();
}

static void an_interrupted_write_goes_on(void **state) {
    (void)state;
    assert_int_equal(pipe(full_pipe), 0);
    char bytes[4096] = {0}, last = 0;
    assert_int_equal(fcntl(full_pipe[1], F_SETFL, O_NONBLOCK), 0);
    while (write(full_pipe[1], bytes, sizeof bytes) > 0) {
    }
    assert_int_equal(fcntl(full_pipe[1], F_SETFL, 0), 0);

    struct sigaction action = {.sa_handler = make_room}, before;
    const struct itimerval often = {{0, 2000}, {0, 2000}}, never = {{0, 0}, {0, 0}};
    assert_int_equal(sigaction(SIGALRM, &action, &before), 0);
    assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
    assert_true(hy_os_write(full_pipe[1], "x", 1));
    assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
    assert_int_equal(sigaction(SIGALRM, &before, NULL), 0);

    close(full_pipe[1]);
    for (ssize_t got; (got = read(full_pipe[0], bytes, sizeof bytes)) > 0;)
        last = bytes[got - 1];
    assert_int_equal(last, 'x');
    close(full_pipe[0]);
}

/* ---- pages ---- */

#define PAGES 64

static char *map_filled(size_t size, int value) {
    char *pages = hy_os_map(size);
    assert_non_null(pages);
    memset(pages, value, size);
    return pages;
}

static bool is_all(const char *bytes, int value, size_t size) {
    return bytes[0] == (char)value && memcmp(bytes, bytes + 1, size - 1) == 0;
}

static size_t resident_pages(char *pages, size_t count) {
    unsigned char resident[PAGES];
    size_t sum = 0;
    assert_int_equal(mincore(pages, count * hy_page_size(), resident), 0);
    for (size_t i = 0; i < count; i++)
        sum += resident[i] & 1;
    return sum;
}

static void pages_are_made_ready_ahead(void **state) {
    (void)state;
    size_t size = PAGES * hy_page_size();
    char *pages = hy_os_map(size);
    assert_non_null(pages);
    hy_os_refuse_huge(pages, size);
    assert_int_equal(resident_pages(pages, PAGES), 0);
    pages[0] = 5;
    errno = 77;
    hy_os_populate(pages, size / 2);
    size_t ready = resident_pages(pages, PAGES);
    /* Systems that know no such call leave them as they are. */
    assert_true(ready == PAGES / 2 || ready == 1);
    assert_int_equal(pages[0], 5);
    assert_true(is_all(pages + 1, 0, size - 1));
    assert_true(hy_os_unmap(pages, size));
    hy_os_populate(NULL, hy_page_size());
    assert_int_equal(errno, 77);
}

static void what_is_discarded_reads_as_zero(void **state) {
    (void)state;
    size_t size = PAGES * hy_page_size();
    char *pages = map_filled(size, 5);
    assert_true(hy_os_discard(pages, size / 2));
    assert_int_equal(resident_pages(pages, PAGES), PAGES / 2);
    assert_true(is_all(pages, 0, size / 2) && is_all(pages + size / 2, 5, size / 2));
    assert_true(hy_os_unmap(pages, size));
}

static void contents_move_and_leave_zeros(void **state) {
    (void)state;
    size_t size = PAGES * hy_page_size();
    char *from = map_filled(size, 5), *to = map_filled(size, 6);
    bool moved = hy_os_move_contents(from, size, to);
    assert_true(moved || HY_TSAN);
    if (moved) {
        assert_true(is_all(to, 5, size) && is_all(from, 0, size));
        memset(from, 7, size);
    }
    assert_true(hy_os_unmap(from, size) && hy_os_unmap(to, size));
}

/* What the system did to the target of a refused move, fresh pages mend. */
static void move_without_addresses(void) {
    size_t size = PAGES * hy_page_size();
    char *from = map_filled(size, 5), *to = map_filled(size, 6);
    struct rlimit limit, none = {0, 0};
    getrlimit(RLIMIT_AS, &limit);
    none.rlim_max = limit.rlim_max;
    setrlimit(RLIMIT_AS, &none);
    bool moved = hy_os_move_contents(from, size, to);
    setrlimit(RLIMIT_AS, &limit);
    bool is_mended = hy_os_map_at(to, size) && is_all(to, 0, size);
    _exit(moved || !is_mended || !is_all(from, 5, size));
}

static void a_refused_move_leaves_the_source(void **state) {
    (void)state;
    if (HY_ASAN || HY_TSAN) skip(); /* they need addresses themselves */
    assert_exits_saying(0, move_without_addresses, "");
}

static void fresh_pages_replace_what_lay_there(void **state) {
    (void)state;
    size_t size = PAGES * hy_page_size();
    char *pages = map_filled(size, 5);
    assert_true(hy_os_map_at(pages + size / 2, size / 2));
    assert_true(is_all(pages, 5, size / 2) && is_all(pages + size / 2, 0, size / 2));
    assert_false(hy_os_map_at(pages, (size_t)1 << 62));
    assert_true(hy_os_unmap(pages, size));
}

/* ---- figures ---- */

static void look_at_a_limit(void) {
    struct rlimit limit = {(rlim_t)1 << 40, RLIM_INFINITY};
    getrlimit(RLIMIT_AS, &limit);
    if (limit.rlim_cur == RLIM_INFINITY && hy_os_address_limit() != SIZE_MAX) _exit(1);
    limit.rlim_cur = (rlim_t)1 << 46;
    setrlimit(RLIMIT_AS, &limit);
    _exit(hy_os_address_limit() != (size_t)1 << 46);
}

static void the_limit_of_addresses_is_the_processs(void **state) {
    (void)state;
    assert_exits_saying(0, look_at_a_limit, "");
}

static void memory_is_what_the_system_says(void **state) {
    (void)state;
    FILE *file = fopen("/proc/meminfo", "r");
    unsigned long kib = 0;
    assert_non_null(file);
    assert_int_equal(fscanf(file, "MemTotal: %lu kB", &kib), 1);
    fclose(file);
    assert_int_equal(hy_os_memory_size() >> 10, kib);
}

static void the_coarse_clock_goes_on(void **state) {
    (void)state;
    const struct timespec pause = {0, 100000000};
    uint64_t before = hy_os_coarse_ms();
    nanosleep(&pause, NULL);
    uint64_t passed = hy_os_coarse_ms() - before;
    assert_true(passed >= 80 && passed < 60000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mapping_is_found_by_any_address_in_it),
        cmocka_unit_test(what_is_not_mapped_is_not_found),
        cmocka_unit_test(without_files_nothing_is_found),
        cmocka_unit_test(a_move_beyond_the_addresses_is_refused),
        cmocka_unit_test(a_write_to_what_is_closed_ends),
        cmocka_unit_test(an_interrupted_write_goes_on),
        cmocka_unit_test(pages_are_made_ready_ahead),
        cmocka_unit_test(what_is_discarded_reads_as_zero),
        cmocka_unit_test(contents_move_and_leave_zeros),
        cmocka_unit_test(a_refused_move_leaves_the_source),
        cmocka_unit_test(fresh_pages_replace_what_lay_there),
        cmocka_unit_test(the_limit_of_addresses_is_the_processs),
        cmocka_unit_test(memory_is_what_the_system_says),
        cmocka_unit_test(the_coarse_clock_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
