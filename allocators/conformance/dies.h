/* dies.h: death tests: how a function ends its process, and what it prints on standard error.
 *
 *   assert_dies_saying(function, "got 24");
 *
 * runs `void function(void)` in a child process and fails unless that is ended by SIGABRT with the text on
 * standard error; assert_exits_saying does the same for a function that exits. Includes cmocka, and the
 * headers that cmocka requires before it.
 */
#ifndef HEAPYARD_DIES_H
#define HEAPYARD_DIES_H

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* Runs `function` in a child process whose standard error is `stream`; returns the child's wait status. */
static inline int status_of_child(void (*function)(void), int stream) {
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const struct rlimit no_core = {0, 0};
        setrlimit(RLIMIT_CORE, &no_core);
        signal(SIGABRT, SIG_DFL);
        dup2(stream, STDERR_FILENO);
        function();
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

#define OUTPUT_MAX 4096

/* The same, with the child's standard error in `output`. */
static inline int status_and_output(void (*function)(void), char output[OUTPUT_MAX]) {
    FILE *errors = tmpfile();
    assert_non_null(errors);
    int status = status_of_child(function, fileno(errors));
    rewind(errors);
    output[fread(output, 1, OUTPUT_MAX - 1, errors)] = '\0';
    fclose(errors);
    return status;
}

static inline void assert_dies_saying(void (*function)(void), const char *text) {
    char output[OUTPUT_MAX];
    int status = status_and_output(function, output);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT) {
        fail_msg("expected SIGABRT, got wait status %d; it said: %s", status, output);
    }
    if (!strstr(output, text)) fail_msg("expected \"%s\" in: %s", text, output);
}

/* The child must exit with that status and have printed the text. */
static inline void assert_exits_saying(int exit_status, void (*function)(void), const char *text) {
    char output[OUTPUT_MAX];
    int status = status_and_output(function, output);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != exit_status) {
        fail_msg("expected exit %d, got wait status %d; it said: %s", exit_status, status, output);
    }
    if (!strstr(output, text)) fail_msg("expected \"%s\" in: %s", text, output);
}

#endif
