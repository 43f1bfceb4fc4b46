/* small_or_large.c: a buffer in the stack frame for small inputs, with the heap as fallback for large ones.
 *
 * Most inputs are small, and the buffer serves them without using the heap. A large one is served by the
 * fallback allocator, and freed there: the address tells which of the two a block came from. The function
 * sees one allocator, and does not know which case it is.
 *
 *   $ small_or_large
 *   5 bytes: olleh, heap blocks: 0
 *   2000 bytes: zzzz…, heap blocks: 1
 *   5 bytes: olleh, heap blocks: 1
 *   heap: 0 bytes left
 */
#include <heapyard/heapyard.h>
#include <stdio.h>
#include <string.h>

/* Prints the text backwards; the copy is in scratch memory and freed here. */
static bool print_backwards(hy_allocator scratch, const char *text) {
    size_t length = strlen(text);
    char *backwards = hy_alloc_sentinel(scratch, char, length, '\0');
    if (!backwards) return false;
    for (size_t i = 0; i < length; i++)
        backwards[i] = text[length - 1 - i];
    printf("%zu bytes: %s", length, backwards);
    hy_free_sentinel(scratch, backwards, length);
    return true;
}

/* Serves one input with a buffer in this frame, and prints how many heap blocks were allocated so far. */
static bool serve(hy_counting *heap, const char *text) {
    HY_STACK_FALLBACK(scratch, 256, hy_counting_allocator(heap));
    bool served = print_backwards(hy_stack_fallback_allocator(&scratch), text);
    printf(", heap blocks: %d\n", (int)heap->counts.alloc_count);
    return served;
}

int main(void) {
    static char large[2001];
    memset(large, 'z', sizeof large - 1);
    hy_counting heap = HY_COUNTING_INIT(hy_libc());
    bool served = serve(&heap, "hello") && serve(&heap, large) && serve(&heap, "hello");
    printf("heap: %zu bytes left\n", heap.counts.live_bytes);
    return served ? 0 : 1;
}
