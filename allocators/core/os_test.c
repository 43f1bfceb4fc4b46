/* os_test.c: what the system's file does where the system refuses. */
#include "allocators/conformance/dies.h"
#include "allocators/core/os.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/time.h>

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
    hy_os_write(-1, "lost", 4);
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
    hy_os_write(full_pipe[1], "x", 1);
    assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
    assert_int_equal(sigaction(SIGALRM, &before, NULL), 0);

    close(full_pipe[1]);
    for (ssize_t got; (got = read(full_pipe[0], bytes, sizeof bytes)) > 0;)
        last = bytes[got - 1];
    assert_int_equal(last, 'x');
    close(full_pipe[0]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mapping_is_found_by_any_address_in_it),
        cmocka_unit_test(what_is_not_mapped_is_not_found),
        cmocka_unit_test(without_files_nothing_is_found),
        cmocka_unit_test(a_move_beyond_the_addresses_is_refused),
        cmocka_unit_test(a_write_to_what_is_closed_ends),
        cmocka_unit_test(an_interrupted_write_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
