/* small_or_large.c: the same function on a small input in a buffer, and on a large one behind it.
 *
 * Most inputs are small, and the buffer in the frame serves them without touching any heap. A large one is
 * served by the allocator behind, and freed there: by its address the allocator knows whose a block is. The
 * function sees one allocator, and does not know which case it is.
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

/* The text backwards, printed; the copy lives on scratch, and ends here. */
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

/* One input, with a buffer in this frame; how often the heap was asked so far stands behind it. */
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
