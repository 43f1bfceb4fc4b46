/* programs_measure.c: runs a command and says how it went: exit status, seconds, peak resident bytes of it and of the
 * children it waited for.
 *
 *   programs_measure OUT SECONDS LIBRARY COMMAND [ARGUMENT…]
 *
 * A program of its own, because the kernel counts what the parent of a process held at its fork as that process's: a
 * small parent, linked statically, adds nothing. LIBRARY is the command's LD_PRELOAD.
 * Ends with 0 where the command was run, whatever came of it; OUT then has one line of JSON.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static pid_t child;

/* The command and all that it started. */
static void end_all(int number) {
    (void)number;
    kill(-child, SIGKILL);
}

static void start(char **arguments) {
    child = fork();
    if (child != 0) return;
    setpgid(0, 0);
    setenv("LD_PRELOAD", arguments[3], 1);
    execvp(arguments[4], &arguments[4]);
    fprintf(stderr, "%s: %s\n", arguments[4], strerror(errno));
    _exit(127);
}

/* A server is ended by an interrupt, which is passed on. */
static void pass_on(int number) {
    kill(child, number);
}

int main(int count, char **arguments) {
    if (count < 5) return 2;
    struct timespec began, ended;
    struct rusage usage;
    int status;
    clock_gettime(CLOCK_MONOTONIC, &began);
    start(arguments);
    if (child < 0) return 1;
    signal(SIGINT, pass_on);
    signal(SIGALRM, end_all);
    alarm((unsigned)atoi(arguments[2]));
    while (wait4(child, &status, 0, &usage) < 0) {
        if (errno != EINTR) return 1;
    }
    clock_gettime(CLOCK_MONOTONIC, &ended);
    kill(-child, SIGKILL); /* what it left behind */
    double seconds = (double)(ended.tv_sec - began.tv_sec) + (double)(ended.tv_nsec - began.tv_nsec) / 1e9;
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    FILE *out = fopen(arguments[1], "w");
    if (!out) return 1;
    fprintf(out, "{\"status\": %d, \"seconds\": %.6f, \"peak_bytes\": %ld}\n", code, seconds, usage.ru_maxrss * 1024);
    return fclose(out) == 0 ? 0 : 1;
}
