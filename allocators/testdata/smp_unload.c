/* smp_unload.c: threads that used a shared object's heap end after it was unloaded, and the process forks and
 * exits: nothing calls what is no longer there. usage: smp_unload LIBRARY */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS 4
#define ROUNDS 20

static struct {
    pthread_barrier_t used, unloaded;
    int (*use)(void);
    int failures;
} shared;

static void *use_and_outlive(void *argument) {
    int failed = shared.use();
    if (failed) __atomic_fetch_add(&shared.failures, 1, __ATOMIC_RELAXED);
    pthread_barrier_wait(&shared.used);
    pthread_barrier_wait(&shared.unloaded);
    return argument;
}

static int fork_once(void) {
    pid_t child = fork();
    if (child == 0) _exit(0);
    int status = 1;
    return child < 0 || waitpid(child, &status, 0) != child || status != 0;
}

static int load_and_unload(const char *path) {
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        fprintf(stderr, "%s\n", dlerror());
        return 1;
    }
    *(void **)&shared.use = dlsym(library, "use_heap");
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, use_and_outlive, NULL);
    int failed = shared.use();
    pthread_barrier_wait(&shared.used);
    failed |= fork_once();
    dlclose(library);
    failed |= dlopen(path, RTLD_NOW | RTLD_NOLOAD) != NULL;
    failed |= fork_once();
    pthread_barrier_wait(&shared.unloaded);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    return failed;
}

int main(int count, char **words) {
    if (count != 2) return 2;
    pthread_barrier_init(&shared.used, NULL, THREADS + 1);
    pthread_barrier_init(&shared.unloaded, NULL, THREADS + 1);
    for (int round = 0; round < ROUNDS; round++) {
        if (load_and_unload(words[1]) != 0) return 1;
    }
    return shared.failures != 0;
}
