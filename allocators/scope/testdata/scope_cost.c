/* scope_cost.c: the macros of scope.h, and beside them what one would write by hand. */
#include <heapyard/scope.h>
#include <heapyard/string.h>

void undo(void *what);
void work(void *what);
int fails(void *what);
int by_macro_deferred(void *what);
int by_hand_deferred(void *what);
int by_macro_fails_or_not(void *what);
int by_hand_fails_or_not(void *what);
int by_macro_ambient(hy_allocator allocator, void *what);
int by_hand_ambient(hy_allocator allocator, void *what);
int always_succeeds(void *what);

/* One way out of two. */
int by_macro_deferred(void *what) {
    HY_DEFER(undo, what);
    if (fails(what)) return 1;
    work(what);
    return 0;
}

int by_hand_deferred(void *what) {
    int result = 1;
    if (!fails(what)) {
        work(what);
        result = 0;
    }
    undo(what);
    return result;
}

int by_macro_fails_or_not(void *what) {
    HY_ERROR_SCOPE();
    HY_ERRDEFER(undo, what);
    if (fails(what)) return 1;
    work(what);
    return HY_SUCCESS(0);
}

int by_hand_fails_or_not(void *what) {
    if (fails(what)) {
        undo(what);
        return 1;
    }
    work(what);
    return 0;
}

int by_macro_ambient(hy_allocator allocator, void *what) {
    HY_USING(allocator) {
        work(what);
    }
    return 0;
}

int by_hand_ambient(hy_allocator allocator, void *what) {
    hy_allocator outer = hy_ambient_of_thread;
    hy_ambient_of_thread = allocator;
    work(what);
    hy_ambient_of_thread = outer;
    return 0;
}

int always_succeeds(void *what) {
    HY_ERROR_SCOPE();
    HY_ERRDEFER(undo, what);
    work(what);
    return HY_SUCCESS(0);
}
