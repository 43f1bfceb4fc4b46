/* dies.h: for tests: that something ends the program, and what it says on standard error.
 *
 *   assert_dies_saying(function, "got 24");
 *
 * runs `void function(void)` in a child process and fails unless that is ended by SIGABRT with the
 * text on standard error. Includes cmocka, and what cmocka wants included before it.
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

/* Runs `function` in a child whose standard error is `stream`; the child's wait status. */
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

static inline void assert_dies_saying(void (*function)(void), const char *text) {
    FILE *said = tmpfile();
    assert_non_null(said);
    int status = status_of_child(function, fileno(said));
    char words[4096] = "";
    rewind(said);
    words[fread(words, 1, sizeof words - 1, said)] = '\0';
    fclose(said);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT) {
        fail_msg("expected SIGABRT, got wait status %d; it said: %s", status, words);
    }
    if (!strstr(words, text)) fail_msg("expected \"%s\" in: %s", text, words);
}

#endif
