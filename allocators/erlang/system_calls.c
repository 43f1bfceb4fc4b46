/* system_calls.c: a thread under a filter, and its creator, which answers what the filter asks. */
#include "allocators/erlang/system_calls.h"

#include <erl_nif.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

typedef struct watched {
    void (*run)(void *argument);
    void *argument;
    int listener;    /* written to the pipe as well once it is known; -1: there is none */
    int told[2];     /* a pipe */
    bool is_running; /* what comes before and after is the thread's own */
} watched;

/* A file from which the calling thread's calls can be read; -1: the kernel has none. */
static int listen_to_this_thread(void) {
#define ASK_ABOUT(call)                                                                                      \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF)
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        ASK_ABOUT(SYS_mmap),
        ASK_ABOUT(SYS_munmap),
        ASK_ABOUT(SYS_mremap),
        ASK_ABOUT(SYS_mprotect),
        ASK_ABOUT(SYS_madvise),
        ASK_ABOUT(SYS_brk),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -1;
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
}

static void *run_watched(void *argument) {
    watched *it = argument;
    it->listener = listen_to_this_thread();
    bool is_told = write(it->told[1], &it->listener, sizeof it->listener) == sizeof it->listener;
    if (!is_told || it->listener < 0) return NULL;
    __atomic_store_n(&it->is_running, true, __ATOMIC_SEQ_CST);
    it->run(it->argument);
    __atomic_store_n(&it->is_running, false, __ATOMIC_SEQ_CST);
    return NULL;
}

/* Has the call made that is waiting. False: none is any more. */
static bool answer(int listener) {
    union {
        struct seccomp_notif given;
        char room[512]; /* a newer kernel's may be larger */
    } request;
    union {
        struct seccomp_notif_resp given;
        char room[512];
    } response;
    memset(&request, 0, sizeof request);
    memset(&response, 0, sizeof response);
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &request) != 0) return false;
    response.given.id = request.given.id;
    response.given.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    return ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response) == 0;
}

/* Up to the thread's end. Takes no memory itself: the thread may hold a heap's lock while it waits. */
static size_t answer_all(watched *it) {
    size_t count = 0;
    for (;;) {
        struct pollfd waiting = {.fd = it->listener, .events = POLLIN};
        if (poll(&waiting, 1, -1) < 0) continue;
        if (!(waiting.revents & POLLIN)) return count;
        bool is_its_own = __atomic_load_n(&it->is_running, __ATOMIC_SEQ_CST);
        if (answer(it->listener)) count += is_its_own;
    }
}

size_t count_system_calls(void (*run)(void *argument), void *argument) {
    watched it = {.run = run, .argument = argument, .listener = -1};
    ErlNifTid thread;
    size_t count = SIZE_MAX;
    if (pipe(it.told) != 0) return count;
    if (enif_thread_create((char *)"heapyard", &thread, run_watched, &it, NULL) == 0) {
        int listener = -1;
        if (read(it.told[0], &listener, sizeof listener) != sizeof listener) listener = -1;
        if (listener >= 0) count = answer_all(&it);
        enif_thread_join(thread, NULL);
        if (listener >= 0) close(listener);
    }
    close(it.told[0]);
    close(it.told[1]);
    return count;
}
