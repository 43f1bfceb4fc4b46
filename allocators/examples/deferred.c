/* deferred.c: what is registered runs on every way out, the last one first.
 *
 *   $ deferred
 *   opened, read, closed
 *   opened, what was begun is undone, closed: not supported by this allocator, build or system
 *   opened, closed: out of memory
 */
#include <heapyard/heapyard.h>
#include <stdio.h>

typedef struct document {
    char *text;
    size_t size;
} document;

static void close_file(void *file) {
    (void)file;
    printf(", closed");
}

static void undo(void *what) {
    (void)what;
    printf(", what was begun is undone");
}

/* A document from an imagined file; each return cleans up what it has to. */
static hy_error load(hy_allocator gpa, bool is_readable, document *out) {
    HY_ERROR_SCOPE();
    char file[1] = "";
    printf("opened");
    HY_DEFER(close_file, file);
    char *text = hy_alloc_n(gpa, char, 1000);
    if (!text) return HY_OUT_OF_MEMORY;
    HY_ERRDEFER_FREE(gpa, text, 1000, HY_ALIGN_1);
    HY_ERRDEFER(undo, text);
    if (!is_readable) return HY_UNSUPPORTED;
    printf(", read");
    *out = (document){text, 1000};
    return HY_SUCCESS(HY_OK);
}

static void tell(hy_error error) {
    if (error != HY_OK) printf(": %s", hy_error_string(error));
    printf("\n");
}

int main(void) {
    hy_debug debug;
    if (hy_debug_init(&debug, hy_libc(), NULL) != HY_OK) return 2;
    hy_allocator gpa = hy_debug_allocator(&debug);
    document it;
    hy_error error = load(gpa, true, &it);
    tell(error);
    if (error == HY_OK) hy_free_n(gpa, it.text, it.size);
    tell(load(gpa, false, &it));
    tell(load(hy_null(), true, &it));
    return hy_debug_deinit(&debug, NULL) == HY_OK ? 0 : 1;
}
