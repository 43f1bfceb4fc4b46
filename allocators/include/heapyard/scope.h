/* heapyard/scope.h: an allocator for a block of code, and what runs when the block is left.
 *
 *   HY_USING(hy_arena_allocator(&arena)) {
 *       parse(text);                          whatever asks hy_ambient() gets the arena
 *   }                                         from here on what it was before
 *
 *   hy_error load(hy_allocator allocator, const char *path, table **out) {
 *       HY_ERROR_SCOPE();                     until HY_SUCCESS, every way out is an error
 *       FILE *file = fopen(path, "r");
 *       if (!file) return HY_INVALID;
 *       HY_DEFER(close_file, file);           on every way out
 *       table *it = hy_create(allocator, table);
 *       if (!it) return HY_OUT_OF_MEMORY;
 *       HY_ERRDEFER_DESTROY(allocator, it);   only where it ends in error
 *       if (!read_all(file, it)) return HY_INVALID;
 *       *out = it;
 *       return HY_SUCCESS(HY_OK);
 *   }
 *
 * Whatever is registered runs where control leaves the block that registered it, the last one first: at its
 * end, by return, break, continue or goto, and in C++ by an exception. A returned value is computed before.
 * longjmp and exit run none of it. After a longjmp out of HY_USING the thread goes on with the inner
 * allocator, unless the place that it returns to restores its own (hy_ambient_restore).
 *
 * Nothing here allocates, and what is not used costs nothing: what is known to the compiler, as the function
 * that is deferred, is called directly. gcc and clang have the attribute that this stands on (cleanup).
 * Thread-safe: the ambient allocator is each thread's own; a new thread begins with the default. A fibre that
 * changes threads within HY_USING must not.
 */
#ifndef HEAPYARD_SCOPE_H
#define HEAPYARD_SCOPE_H

#include <heapyard/default.h>
#include <heapyard/error.h>
#include <heapyard/headered.h>

HY_BEGIN_DECLS

/* ---- the ambient allocator ---- */

/* What the innermost HY_USING of this thread has named; a vtable of NULL: none. For the functions below. */
extern HY_API HY_THREAD_LOCAL hy_allocator hy_ambient_of_thread;

/* The allocator of the innermost HY_USING that this thread is in, else the program's default (default.h).
 * O(1). */
HY_INLINE hy_allocator hy_ambient(void) {
    hy_allocator ambient = hy_ambient_of_thread;
    return HY_LIKELY(ambient.vtable != NULL) ? ambient : hy_default();
}

/* What was ambient before a block, to be put back behind it. */
typedef struct hy_ambient_mark {
    hy_allocator outer;
} hy_ambient_mark;

/* What is ambient now, for hy_ambient_restore: before a setjmp. O(1). */
HY_INLINE hy_ambient_mark hy_ambient_save(void) {
    hy_ambient_mark mark = {hy_ambient_of_thread};
    return mark;
}

/* Puts back what was ambient at the mark: where a longjmp has come from within HY_USING. O(1). */
HY_INLINE void hy_ambient_restore(const hy_ambient_mark *mark) {
    hy_ambient_of_thread = mark->outer;
}

/* Makes an allocator ambient until hy_ambient_restore of what it returns. For HY_USING. O(1). */
HY_INLINE hy_ambient_mark hy_ambient_begin(hy_allocator allocator) {
    hy_require_child(allocator, "HY_USING");
    hy_ambient_mark mark = hy_ambient_save();
    /* By word: gcc would copy the struct through memory, and wait there for its own two stores. */
    HY_IN_REGISTER(allocator.self);
    HY_IN_REGISTER(allocator.vtable);
    hy_ambient_of_thread = allocator;
    return mark;
}

HY_INLINE void hy_ambient_end(hy_ambient_mark *mark) {
    hy_ambient_restore(mark);
}

/* A block of so many bytes from the ambient allocator, aligned for any type; freed without its size. As
 * hy_headered_malloc and its like (headered.h), which says what a size of 0 gives; NULL: refused, nothing
 * changed. The allocator is called with 16 bytes more.
 *
 * A block is freed, and reallocated, under the allocator that made it; under another one it is misuse,
 * reported at check level 1. O(1) plus the allocator's cost. */
HY_INLINE HY_WARN_UNUSED void *hy_ambient_alloc(size_t size) {
    hy_headered headered = {hy_ambient()};
    return hy_headered_malloc(&headered, size);
}

/* As hy_ambient_alloc, of count * size bytes of zero; an overflow is refused. O(count * size). */
HY_INLINE HY_WARN_UNUSED void *hy_ambient_calloc(size_t count, size_t size) {
    hy_headered headered = {hy_ambient()};
    return hy_headered_calloc(&headered, count, size);
}

/* Changes a block's size; NULL as ptr makes one. NULL: refused, and the block is as it was. */
HY_INLINE HY_WARN_UNUSED void *hy_ambient_realloc(void *ptr, size_t size) {
    hy_headered headered = {hy_ambient()};
    return hy_headered_realloc(&headered, ptr, size);
}

/* Ends a block of hy_ambient_alloc and its like; NULL is left alone. */
HY_INLINE void hy_ambient_free(void *ptr) {
    hy_headered headered = {hy_ambient()};
    hy_headered_free(&headered, ptr);
}

/* ---- what runs on the way out ---- */

/* A call that waits for the end of its block. */
typedef struct hy_deferred {
    void (*function)(void *argument);
    void *argument;
} hy_deferred;

/* The same, for ends in error only. */
typedef struct hy_errdeferred {
    hy_deferred call;
    const bool *ends_in_error;
} hy_errdeferred;

/* A block that waits to be freed. ends_in_error: NULL: in any case. */
typedef struct hy_deferred_free {
    hy_allocator allocator;
    void *ptr;
    size_t size;
    hy_align align;
    const bool *ends_in_error;
} hy_deferred_free;

/* What the attribute calls. */
HY_INLINE void hy_deferred_run(const hy_deferred *deferred) {
    deferred->function(deferred->argument);
}

HY_INLINE void hy_errdeferred_run(const hy_errdeferred *deferred) {
    if (*deferred->ends_in_error) hy_deferred_run(&deferred->call);
}

HY_INLINE void hy_deferred_free_run(const hy_deferred_free *deferred) {
    if (deferred->ends_in_error && !*deferred->ends_in_error) return;
    hy_free(deferred->allocator, deferred->ptr, deferred->size, deferred->align);
}

/* Whether the scope ends in error follows from what it returns. For HY_RESULT. */
HY_INLINE hy_error hy_error_scope_result(bool *ends_in_error, hy_error error) {
    *ends_in_error = error != HY_OK;
    return error;
}

HY_END_DECLS

/* A name of its own for each use, so that one within another hides nothing. */
#define HY_UNIQUE_JOINED_(name, number) name##number
#define HY_UNIQUE_NUMBERED_(name, number) HY_UNIQUE_JOINED_(name, number)
#define HY_UNIQUE_(name) HY_UNIQUE_NUMBERED_(name, __COUNTER__)

/* The block or statement that follows has `allocator` as its ambient one; on every way out it is again what
 * it was. A macro because it opens a scope. It is a loop of one turn: break and continue leave it, not the
 * loop around it, and compilers ask for a return behind it; where that matters, use HY_USING_FROM_HERE. */
#define HY_USING(allocator) HY_USING_NAMED_(HY_UNIQUE_(hy_using_), HY_UNIQUE_(hy_once_), allocator)
#define HY_USING_NAMED_(mark, once, allocator)                                                               \
    for (hy_ambient_mark mark __attribute__((cleanup(hy_ambient_end))) = hy_ambient_begin(allocator),        \
                              *once = &mark;                                                                 \
         once; once = NULL)

/* The rest of the block that it stands in has `allocator` as its ambient one. */
#define HY_USING_FROM_HERE(allocator) HY_USING_REST_NAMED_(HY_UNIQUE_(hy_using_), allocator)
#define HY_USING_REST_NAMED_(mark, allocator)                                                                \
    hy_ambient_mark mark __attribute__((cleanup(hy_ambient_end), unused)) = hy_ambient_begin(allocator)

/* Calls function(argument) where the block that it stands in is left. function: void (void *), argument: a
 * pointer, as it is now. What fails in the function is its own to tell, through its argument: nothing comes
 * back from it, and what was registered before it runs in any case. It must not leave by longjmp, which would
 * take the rest along. A macro because it declares: it stands in a block of its own, not behind an `if`. */
#define HY_DEFER(function, argument) HY_DEFER_NAMED_(HY_UNIQUE_(hy_deferred_), function, argument)
#define HY_DEFER_NAMED_(name, function, argument)                                                            \
    const hy_deferred name __attribute__((cleanup(hy_deferred_run), unused)) = {(function), (argument)}

/* Frees a block where the block of code is left. All of it as it is now: a block that was resized since is
 * not freed as it lives. NULL is left alone. */
#define HY_DEFER_FREE(allocator, ptr, size, align)                                                           \
    HY_DEFER_FREE_NAMED_(HY_UNIQUE_(hy_deferred_), allocator, ptr, size, align, NULL)
/* The same of what hy_create made. */
#define HY_DEFER_DESTROY(allocator, ptr)                                                                     \
    HY_DEFER_FREE(allocator, ptr, sizeof(*(ptr)), hy_align_of(HY_TYPEOF(*(ptr))))
/* Both, with the condition. */
#define HY_DEFER_FREE_NAMED_(name, allocator, ptr, size, align, error)                                       \
    const hy_deferred_free name __attribute__((cleanup(hy_deferred_free_run), unused)) = {                   \
        (allocator), (ptr), (size), (align), (error)}

/* Begins a scope that can end in error: from here to the end of the block it does, unless HY_SUCCESS,
 * HY_SUCCEED or HY_RESULT says otherwise. So a way out that nobody thought of cleans up, and the one mistake
 * that is left, a plain `return HY_OK;`, does too, and so shows at the first call that succeeds.
 *
 * One within another: each word is of the innermost. A return from within leaves both, and the outer one then
 * ends in error: where it must not, end the inner block first and return behind it. */
#define HY_ERROR_SCOPE()                                                                                     \
    _Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Wshadow\"") /* one within another */   \
        bool hy_ends_in_error_ __attribute__((unused)) = true;                                               \
    _Pragma("GCC diagnostic pop")(void) hy_ends_in_error_

/* As HY_DEFER, where the innermost HY_ERROR_SCOPE ends in error; without one it does not compile. */
#define HY_ERRDEFER(function, argument) HY_ERRDEFER_NAMED_(HY_UNIQUE_(hy_deferred_), function, argument)
#define HY_ERRDEFER_NAMED_(name, function, argument)                                                         \
    const hy_errdeferred name __attribute__((cleanup(hy_errdeferred_run), unused)) = {                       \
        {(function), (argument)}, &hy_ends_in_error_}
/* As HY_DEFER_FREE, likewise. */
#define HY_ERRDEFER_FREE(allocator, ptr, size, align)                                                        \
    HY_DEFER_FREE_NAMED_(HY_UNIQUE_(hy_deferred_), allocator, ptr, size, align, &hy_ends_in_error_)
/* As HY_DEFER_DESTROY, likewise. */
#define HY_ERRDEFER_DESTROY(allocator, ptr)                                                                  \
    HY_ERRDEFER_FREE(allocator, ptr, sizeof(*(ptr)), hy_align_of(HY_TYPEOF(*(ptr))))

/* The scope ends well: `return HY_SUCCESS(value);`, or HY_SUCCEED() where there is nothing to return. The
 * value is computed after it was said: it must not be one that can fail (HY_RESULT). */
#define HY_SUCCESS(value) (hy_ends_in_error_ = false, (value))
#define HY_SUCCEED() ((void)(hy_ends_in_error_ = false))
/* It ends well where the error is HY_OK: `return HY_RESULT(write_all(file));`. */
#define HY_RESULT(error) hy_error_scope_result(&hy_ends_in_error_, (error))

/* ---- values that end with their block ---- */

/* On a variable of type T: drop, a void (T *), gets its address where its block is left. A T of zeroes must
 * be one that drop leaves alone. */
#define HY_MANAGED(drop) __attribute__((cleanup(drop)))

/* The value of a managed variable, which is left zero: `return HY_MOVE(text);`. A macro because it has its
 * argument's type. */
#define HY_MOVE(variable)                                                                                    \
    __extension__({                                                                                          \
        HY_TYPEOF(variable) hy_moved_ = (variable);                                                          \
        memset(&(variable), 0, sizeof(variable));                                                            \
        hy_moved_;                                                                                           \
    })

#endif
