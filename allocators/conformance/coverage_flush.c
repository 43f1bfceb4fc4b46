/* coverage_flush.c: in coverage builds, writes the counters of programs that end without exit().
 *
 * gcov writes its counters when a program calls exit(). Many tests end otherwise: misuse aborts, a forked
 * child calls _exit, a program calls exec. The linker (--wrap, see the top CMakeLists.txt) redirects those
 * calls here, where the counters are written first. The counters are then reset, so that nothing is counted
 * twice where the program continues: a handler that jumps out of abort, an exec that failed.
 *
 * Only coverage builds compile this file, and without instrumenting it.
 */
#include <stdlib.h>
#include <unistd.h>

/* The names are prescribed by the linker and gcov. */
// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming)
void __gcov_dump(void);
void __gcov_reset(void);

_Noreturn void __real_abort(void);
_Noreturn void __real__exit(int status);
int __real_execv(const char *path, char *const arguments[]);
int __real_execvp(const char *file, char *const arguments[]);

_Noreturn void __wrap_abort(void);
_Noreturn void __wrap__exit(int status);
int __wrap_execv(const char *path, char *const arguments[]);
int __wrap_execvp(const char *file, char *const arguments[]);

static void flush(void) {
    __gcov_dump();
    __gcov_reset();
}

void __wrap_abort(void) {
    flush();
    __real_abort();
}

void __wrap__exit(int status) {
    flush();
    __real__exit(status);
}

int __wrap_execv(const char *path, char *const arguments[]) {
    flush();
    return __real_execv(path, arguments);
}

int __wrap_execvp(const char *file, char *const arguments[]) {
    flush();
    return __real_execvp(file, arguments);
}
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)
