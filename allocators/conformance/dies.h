/* dies.h: for tests: that something ends the program, and what it says on standard error.
 *
 *   assert_dies_saying(function, "got 24");
 *
 * runs `void function(void)` in a child process and fails unless that is ended by SIGABRT with the
 * text on standard error; assert_exits_saying likewise for one that goes on to its end. Includes cmocka, and
 * what cmocka wants included before it.
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

#define SAID_MAX 4096

/* Runs `function` in a child and keeps what it said; the child's wait status. */
static inline int status_and_words(void (*function)(void), char words[SAID_MAX]) {
    FILE *said = tmpfile();
    assert_non_null(said);
    int status = status_of_child(function, fileno(said));
    rewind(said);
    words[fread(words, 1, SAID_MAX - 1, said)] = '\0';
    fclose(said);
    return status;
}

static inline void assert_dies_saying(void (*function)(void), const char *text) {
    char words[SAID_MAX];
    int status = status_and_words(function, words);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT) {
        fail_msg("expected SIGABRT, got wait status %d; it said: %s", status, words);
    }
    if (!strstr(words, text)) fail_msg("expected \"%s\" in: %s", text, words);
}

/* The child ends with that exit status, and said the text. */
static inline void assert_exits_saying(int exit_status, void (*function)(void), const char *text) {
    char words[SAID_MAX];
    int status = status_and_words(function, words);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != exit_status) {
        fail_msg("expected exit %d, got wait status %d; it said: %s", exit_status, status, words);
    }
    if (!strstr(words, text)) fail_msg("expected \"%s\" in: %s", text, words);
}

#endif
