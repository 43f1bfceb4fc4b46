/* heapyard_nif.c: heapyard inside the Erlang virtual machine.
 *
 * Native functions that take their memory from the machine's own heap, where erlang:memory() sees it:
 *
 *     enif_alloc, enif_realloc, enif_free       aligned to 8
 *       host            each call is one of theirs; stronger alignments are refused
 *       wide_align      serves those too
 *       debug           tells what a call has left behind
 *       arena           what one call makes ends with it
 *
 * Each function that builds something has a debug allocator of its own call over the machine's heap, so that
 * a leak is told per call and names nobody else. Terms that are wrong are badarg; a refusal is the atom of
 * its error.
 */
#include "allocators/erlang/system_calls.h"
#include <erl_nif.h>
#include <heapyard/heapyard.h>
#include <stdlib.h>

/* ---- the machine's heap ---- */

static uint64_t heap_calls;

static void *counted_alloc(size_t size) {
    __atomic_fetch_add(&heap_calls, 1, __ATOMIC_RELAXED);
    return enif_alloc(size);
}

static void *counted_realloc(void *ptr, size_t size) {
    __atomic_fetch_add(&heap_calls, 1, __ATOMIC_RELAXED);
    return enif_realloc(ptr, size);
}

static void counted_free(void *ptr) {
    __atomic_fetch_add(&heap_calls, 1, __ATOMIC_RELAXED);
    enif_free(ptr);
}

static hy_host_plain machine = {counted_alloc, counted_realloc, counted_free, {3}};
static hy_wide_align wide;

static hy_allocator machine_heap(void) {
    return hy_host_plain_allocator(&machine);
}

/* ---- terms ---- */

static ERL_NIF_TERM atom(ErlNifEnv *env, const char *name) {
    return enif_make_atom(env, name);
}

static ERL_NIF_TERM error_term(ErlNifEnv *env, const char *name) {
    return enif_make_tuple2(env, atom(env, "error"), atom(env, name));
}

static ERL_NIF_TERM ok_term(ErlNifEnv *env, ERL_NIF_TERM value) {
    return enif_make_tuple2(env, atom(env, "ok"), value);
}

static bool get_size(ErlNifEnv *env, ERL_NIF_TERM term, size_t *size) {
    ErlNifUInt64 value;
    if (!enif_get_uint64(env, term, &value) || value > SIZE_MAX) return false;
    *size = (size_t)value;
    return true;
}

static bool get_align(ErlNifEnv *env, ERL_NIF_TERM term, hy_align *align) {
    size_t bytes;
    if (!get_size(env, term, &bytes) || !hy_is_power_of_two(bytes)) return false;
    *align = hy_align_from_bytes(bytes);
    return true;
}

/* A proper list of integers, copied to memory of the allocator. NULL: badarg, with *is_refused whether it was
 * the allocator's refusal. An empty list gives the zero-size pointer. */
static int64_t *copy_list(
    ErlNifEnv *env, ERL_NIF_TERM list, hy_allocator allocator, unsigned *length, bool *is_refused) {
    *is_refused = false;
    if (!enif_get_list_length(env, list, length)) return NULL;
    int64_t *numbers = hy_alloc_n(allocator, int64_t, *length);
    *is_refused = !numbers;
    if (!numbers) return NULL;
    for (unsigned i = 0; i < *length; i++) {
        ERL_NIF_TERM head;
        ErlNifSInt64 value;
        enif_get_list_cell(env, list, &head, &list);
        if (!enif_get_int64(env, head, &value)) {
            hy_free_n(allocator, numbers, *length);
            return NULL;
        }
        numbers[i] = value;
    }
    return numbers;
}

/* The list 0, 1, … count - 1 by way of memory of the allocator; false: refused. */
static bool make_list(ErlNifEnv *env, hy_allocator allocator, unsigned count, ERL_NIF_TERM *list) {
    ERL_NIF_TERM *terms = hy_alloc_n(allocator, ERL_NIF_TERM, count);
    if (!terms) return false;
    for (unsigned i = 0; i < count; i++)
        terms[i] = enif_make_uint(env, i);
    *list = enif_make_list_from_array(env, terms, count);
    hy_free_n(allocator, terms, count);
    return true;
}

/* ---- blocks that outlive their call ---- */

/* A block as a resource: ended by release, or when the last term that names it is collected. */
typedef struct block {
    hy_allocator allocator;
    void *ptr; /* NULL once it was released */
    size_t size;
    hy_align align;
} block;

static ErlNifResourceType *block_type;
static uint64_t live_blocks;

static bool end_block(block *it) {
    if (!it->ptr) return false;
    hy_free(it->allocator, it->ptr, it->size, it->align);
    it->ptr = NULL;
    __atomic_fetch_sub(&live_blocks, 1, __ATOMIC_RELAXED);
    return true;
}

static void destroy_block(ErlNifEnv *env, void *resource) {
    (void)env;
    end_block(resource);
}

static ERL_NIF_TERM take_block(ErlNifEnv *env, hy_allocator allocator, size_t size, hy_align align) {
    void *ptr = hy_alloc(allocator, size, align);
    if (!ptr) return error_term(env, "out_of_memory");
    memset(ptr, 0, size);
    block *it = enif_alloc_resource(block_type, sizeof *it);
    if (!it) {
        hy_free(allocator, ptr, size, align);
        return error_term(env, "out_of_memory");
    }
    *it = (block){allocator, ptr, size, align};
    __atomic_fetch_add(&live_blocks, 1, __ATOMIC_RELAXED);
    ERL_NIF_TERM term = enif_make_resource(env, it);
    enif_release_resource(it);
    return ok_term(env, term);
}

/* A heap by its name: host, wide or libc. */
static bool get_heap(ErlNifEnv *env, ERL_NIF_TERM term, hy_allocator *heap) {
    char name[8];
    if (!enif_get_atom(env, term, name, sizeof name, ERL_NIF_LATIN1)) return false;
    if (strcmp(name, "host") == 0) {
        *heap = machine_heap();
    } else if (strcmp(name, "wide") == 0) {
        *heap = hy_wide_align_allocator(&wide);
    } else if (strcmp(name, "libc") == 0) {
        *heap = hy_libc();
    } else {
        return false;
    }
    return true;
}

/* alloc(Heap, Size, Align). */
static ERL_NIF_TERM alloc(ErlNifEnv *env, int count, const ERL_NIF_TERM arguments[]) {
    (void)count;
    size_t size;
    hy_align align;
    hy_allocator heap;
    if (!get_heap(env, arguments[0], &heap) || !get_size(env, arguments[1], &size) || size == 0 ||
        !get_align(env, arguments[2], &align))
        return enif_make_badarg(env);
    return take_block(env, heap, size, align);
}

static ERL_NIF_TERM release(ErlNifEnv *env, int count, const ERL_NIF_TERM arguments[]) {
    (void)count;
    void *resource;
    if (!enif_get_resource(env, arguments[0], block_type, &resource) || !end_block(resource))
        return enif_make_badarg(env);
    return atom(env, "ok");
}

static ERL_NIF_TERM is_aligned(ErlNifEnv *env, int count, const ERL_NIF_TERM arguments[]) {
    (void)count;
    void *resource;
    hy_align align;
    if (!enif_get_resource(env, arguments[0], block_type, &resource) || !get_align(env, arguments[1], &align))
        return enif_make_badarg(env);
    const block *it = resource;
    return atom(env, it->ptr && hy_align_check_pointer(it->ptr, align) ? "true" : "false");
}

/* {Blocks that live, calls of the machine's heap}. */
static ERL_NIF_TERM counts(ErlNifEnv *env, int count, const ERL_NIF_TERM arguments[]) {
    (void)count, (void)arguments;
    return enif_make_tuple2(env, enif_make_uint64(env, __atomic_load_n(&live_blocks, __ATOMIC_RELAXED)),
        enif_make_uint64(env, __atomic_load_n(&heap_calls, __ATOMIC_RELAXED)));
}

/* ---- what heaps ask of the system ---- */

#define BLOCKS_MAX 10000

typedef struct use {
    hy_allocator heap;
    size_t size;
    unsigned count;
    void *blocks[BLOCKS_MAX];
} use;

/* All blocks live at once. */
static void make_and_free(void *argument) {
    use *it = argument;
    for (unsigned i = 0; i < it->count; i++)
        it->blocks[i] = hy_alloc(it->heap, it->size, HY_ALIGN_8);
    for (unsigned i = 0; i < it->count; i++)
        hy_free(it->heap, it->blocks[i], it->size, HY_ALIGN_8);
}

/* system_calls(Heap, Count, Size): {ok, Calls} of the system while so many blocks were made and freed. */
static ERL_NIF_TERM system_calls(ErlNifEnv *env, int count, const ERL_NIF_TERM arguments[]) {
    (void)count;
    hy_allocator heap;
    size_t size;
    unsigned blocks;
    if (!get_heap(env, arguments[0], &heap) || !enif_get_uint(env, arguments[1], &blocks) ||
        blocks > BLOCKS_MAX || !get_size(env, arguments[2], &size))
        return enif_make_badarg(env);
    use *it = hy_create(machine_heap(), use);
    if (!it) return error_term(env, "out_of_memory");
    it->heap = heap, it->size = size, it->count = blocks;
    size_t calls = count_system_calls(make_and_free, it);
    hy_destroy(machine_heap(), it);
    return calls == SIZE_MAX ? error_term(env, "not_told") : ok_term(env, enif_make_uint64(env, calls));
}

/* ---- calls with an allocator of their own ---- */

/* What one call takes its memory from, and says at its end whether it has given all of it back. */
typedef struct call {
    hy_debug debug;
    hy_allocator allocator;
} call;

static void begin_call(call *it) {
    hy_debug_config config = hy_debug_defaults();
    config.stack_trace_frames = 0;
    config.retained_bytes = 0;
    hy_debug_init(&it->debug, hy_wide_align_allocator(&wide), &config);
    it->allocator = hy_debug_allocator(&it->debug);
}

/* The call's result, or {leak, Blocks}: its memory goes back in either case. */
static ERL_NIF_TERM end_call(call *it, ErlNifEnv *env, ERL_NIF_TERM result) {
    size_t leaks;
    if (hy_debug_deinit_quietly(&it->debug, &leaks) == HY_OK) return result;
    return enif_make_tuple2(env, atom(env, "leak"), enif_make_uint64(env, leaks));
}

/* iota(N): [0, 1, … N - 1], by way of an arena of the call. */
static ERL_NIF_TERM iota(ErlNifEnv *env, int count, const ERL_NIF_TERM arguments[]) {
    (void)count;
    unsigned length;
    if (!enif_get_uint(env, arguments[0], &length)) return enif_make_badarg(env);
    call it;
    begin_call(&it);
    hy_arena arena = HY_ARENA_INIT(it.allocator);
    ERL_NIF_TERM list;
    bool made = make_list(env, hy_arena_allocator(&arena), length, &list);
    hy_arena_deinit(&arena);
    return end_call(&it, env, made ? list : error_term(env, "out_of_memory"));
}

/* slice(N): the same, by way of a block of the machine's heap itself. */
static ERL_NIF_TERM slice(ErlNifEnv *env, int count, const ERL_NIF_TERM arguments[]) {
    (void)count;
    unsigned length;
    ERL_NIF_TERM list;
    if (!enif_get_uint(env, arguments[0], &length)) return enif_make_badarg(env);
    return make_list(env, machine_heap(), length, &list) ? list : error_term(env, "out_of_memory");
}

/* sum(List) of integers; its copy lies in an arena of the call. A sum that passes 64 bits is badarg. */
static ERL_NIF_TERM sum(ErlNifEnv *env, int count, const ERL_NIF_TERM arguments[]) {
    (void)count;
    call it;
    begin_call(&it);
    hy_arena arena = HY_ARENA_INIT(it.allocator);
    unsigned length;
    bool is_refused;
    int64_t *numbers = copy_list(env, arguments[0], hy_arena_allocator(&arena), &length, &is_refused);
    ErlNifSInt64 total = 0;
    bool is_right = numbers != NULL;
    for (unsigned i = 0; is_right && i < length; i++)
        is_right = !HY_ADD_OVERFLOWS(total, numbers[i], &total);
    hy_arena_deinit(&arena);
    ERL_NIF_TERM result = is_refused ? error_term(env, "out_of_memory")
                          : is_right ? enif_make_int64(env, total)
                                     : enif_make_badarg(env);
    return end_call(&it, env, result);
}

/* leaks(N): leaves N blocks behind: {leak, N}, or ok for none. */
static ERL_NIF_TERM leaks(ErlNifEnv *env, int count, const ERL_NIF_TERM arguments[]) {
    (void)count;
    unsigned number;
    if (!enif_get_uint(env, arguments[0], &number) || number > 1000) return enif_make_badarg(env);
    call it;
    begin_call(&it);
    for (unsigned i = 0; i < number; i++)
        if (!hy_alloc(it.allocator, 100, HY_ALIGN_4096)) number = i;
    return end_call(&it, env, atom(env, "ok"));
}

/* {Before, Between, After}: whether a leak is seen before a block is made, while it lives, and after its end.
 */
static ERL_NIF_TERM leak_seen(ErlNifEnv *env, int count, const ERL_NIF_TERM arguments[]) {
    (void)count, (void)arguments;
    static const char *const words[] = {"false", "true"};
    call it;
    begin_call(&it);
    bool before = hy_debug_leaks(&it.debug) != 0;
    char *text = hy_alloc_n(it.allocator, char, 10);
    bool between = hy_debug_leaks(&it.debug) != 0;
    hy_free_n(it.allocator, text, 10);
    bool after = hy_debug_leaks(&it.debug) != 0;
    ERL_NIF_TERM seen =
        enif_make_tuple3(env, atom(env, words[before]), atom(env, words[between]), atom(env, words[after]));
    return end_call(&it, env, seen);
}

/* raises(N): makes N blocks, then raises: what was made has ended then. A leak would be told instead. */
static ERL_NIF_TERM raises(ErlNifEnv *env, int count, const ERL_NIF_TERM arguments[]) {
    (void)count;
    unsigned number;
    if (!enif_get_uint(env, arguments[0], &number)) return enif_make_badarg(env);
    call it;
    begin_call(&it);
    hy_arena arena = HY_ARENA_INIT(it.allocator);
    for (unsigned i = 0; i < number; i++)
        if (!hy_alloc_n(hy_arena_allocator(&arena), char, 1000)) break;
    hy_arena_deinit(&arena);
    size_t left;
    hy_error ended = hy_debug_deinit_quietly(&it.debug, &left);
    return enif_raise_exception(env, atom(env, ended == HY_OK ? "half_way" : "leak"));
}

/* ---- loading ---- */

static int load(ErlNifEnv *env, void **data, ERL_NIF_TERM info) {
    (void)data, (void)info;
    hy_wide_align_init(&wide, machine_heap(), machine.greatest);
    block_type = enif_open_resource_type(env, NULL, "heapyard_block", destroy_block, ERL_NIF_RT_CREATE, NULL);
    return block_type ? 0 : -1;
}

/* Another version of the module takes over: the resources' code must stay loaded, so that is refused. */
static int upgrade(ErlNifEnv *env, void **data, void **old, ERL_NIF_TERM info) {
    (void)env, (void)data, (void)old, (void)info;
    return -1;
}

static ErlNifFunc functions[] = {
    {"alloc", 3, alloc, 0},
    {"release", 1, release, 0},
    {"is_aligned", 2, is_aligned, 0},
    {"counts", 0, counts, 0},
    {"system_calls", 3, system_calls, ERL_NIF_DIRTY_JOB_IO_BOUND},
    {"iota", 1, iota, 0},
    {"slice", 1, slice, 0},
    {"sum", 1, sum, 0},
    {"leaks", 1, leaks, 0},
    {"leak_seen", 0, leak_seen, 0},
    {"raises", 1, raises, 0},
};

ERL_NIF_INIT(heapyard, functions, load, NULL, upgrade, NULL)
