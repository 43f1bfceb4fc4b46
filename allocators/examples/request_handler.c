/* request_handler.c: three allocators, named by the lifetime of what they allocate.
 *
 *   gpa      the owner must free each block: here the sessions' names
 *   arena    everything is freed at once at a boundary, here the end of the request
 *   scratch  blocks are freed before the function returns, and never leave it
 *
 * The signature of handle() shows all of that. The arena keeps its memory from request to request, so that
 * the loop soon calls malloc no more; the counters below the arena show it.
 *
 *   $ request_handler
 *   200 hello ada, you are visitor 1
 *   200 hello grace, you are visitor 2
 *   400 nobody
 *   200 hello ada, you are visitor 3
 *   10000 requests more: 0 calls of malloc
 *   sessions: 0 bytes left
 */
#include <heapyard/heapyard.h>
#include <stdio.h>
#include <string.h>

typedef struct sessions {
    char *last_name; /* allocated by gpa; outlives the request */
    size_t count;
} sessions;

/* Compares the name in lower case, in a copy that needs only scratch memory. */
static bool is_known(hy_allocator scratch, const char *name) {
    size_t size = strlen(name) + 1;
    char *lower = hy_alloc_n(scratch, char, size);
    if (!lower) return false;
    for (size_t i = 0; i < size; i++)
        lower[i] = (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] + 32 : name[i]);
    bool known = strcmp(lower, "ada") == 0 || strcmp(lower, "grace") == 0;
    hy_free_n(scratch, lower, size);
    return known;
}

static void remember(sessions *all, hy_allocator gpa, const char *name) {
    char *copy = hy_dupe_z(gpa, char, name, strlen(name));
    if (!copy) return;
    if (all->last_name) hy_free_sentinel(gpa, all->last_name, strlen(all->last_name));
    all->last_name = copy;
}

/* The answer is valid until the caller resets the arena. NULL: out of memory. */
static const char *handle(
    sessions *all, hy_allocator gpa, hy_allocator arena, hy_allocator scratch, const char *name) {
    if (!is_known(scratch, name)) return "400 nobody";
    remember(all, gpa, name);
    all->count++;
    size_t size = strlen(name) + 64;
    char *answer = hy_alloc_n(arena, char, size);
    if (answer) snprintf(answer, size, "200 hello %s, you are visitor %zu", name, all->count);
    return answer;
}

int main(void) {
    hy_counting below = HY_COUNTING_INIT(hy_raw_libc());
    hy_counting sessions_memory = HY_COUNTING_INIT(hy_libc());
    hy_arena arena = HY_ARENA_INIT(hy_counting_allocator(&below));
    hy_allocator gpa = hy_counting_allocator(&sessions_memory);
    char stack_memory[256];
    hy_fixed_buffer scratch;
    hy_fixed_buffer_init(&scratch, stack_memory, sizeof stack_memory);
    hy_allocator request = hy_arena_allocator(&arena), small = hy_fixed_buffer_allocator(&scratch);

    sessions all = {NULL, 0};
    const char *const names[] = {"ada", "grace", "mallory", "ada"};
    for (size_t i = 0; i < 4; i++) {
        const char *answer = handle(&all, gpa, request, small, names[i]);
        puts(answer ? answer : "503 out of memory");
        hy_arena_reset(&arena, HY_ARENA_RETAIN_CAPACITY, 0);
    }

    uint64_t before = below.counts.alloc_count;
    for (size_t i = 0; i < 10000; i++) {
        if (!handle(&all, gpa, request, small, names[i % 4])) return 1;
        hy_arena_reset(&arena, HY_ARENA_RETAIN_CAPACITY, 0);
    }
    printf("10000 requests more: %d calls of malloc\n", (int)(below.counts.alloc_count - before));

    hy_free_sentinel(gpa, all.last_name, strlen(all.last_name));
    printf("sessions: %zu bytes left\n", sessions_memory.counts.live_bytes);
    hy_fixed_buffer_deinit(&scratch);
    hy_arena_deinit(&arena);
    return 0;
}
