/* coverage_flush.c: in coverage builds, programs that end without an exit keep what they counted.
 *
 * gcov writes its counters when a program exits. Many tests look at how a program ends otherwise: misuse
 * aborts, a forked child leaves by _exit, a program becomes another one by exec. The linker (--wrap, see the
 * top CMakeLists.txt) leads those calls here, where the counters are written first. They start again at zero
 * afterwards, for whoever comes back: a handler that jumps out of abort, an exec that failed.
 *
 * Only coverage builds compile this file, and without instruments of its own.
 */
#include <stdlib.h>
#include <unistd.h>

/* The names are the linker's. */
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
