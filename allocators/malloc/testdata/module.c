/* module.c: a library that comes and goes, with memory and a thread's data of its own. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static pthread_key_t key;
static void *at_load;

__attribute__((constructor)) static void begin(void) {
    pthread_key_create(&key, free);
    at_load = malloc(3000);
}

__attribute__((destructor)) static void end(void) {
    free(at_load);
    pthread_key_delete(key);
}

/* Leaves a block to the thread's end. */
void module_work(void);
void module_work(void) {
    void *block = malloc(5000);
    if (block) memset(block, 1, 5000);
    pthread_setspecific(key, block);
    for (size_t size = 1; size < 2000; size += 13)
        free(calloc(1, size));
}
