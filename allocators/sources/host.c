/* host.c: a foreign heap, given as functions, as an allocator.
 *
 * For: code inside a program that owns the memory: the Erlang virtual machine's enif_alloc, a database's
 *   or an interpreter's allocator hooks. Not for: heaps that take sizes back at free; write four functions
 *   for one of those, they are as short as these.
 * Algorithm: one call of the heap's for each of ours, with the size as asked. The heap keeps its own sizes,
 *   which is why nothing is resized in place here: it would not know of it.
 * Cost: a call through the vtable and one of the heap's. Overhead per block: the heap's own.
 * Thread-safe where the heap is.
 * Source: Zigler's beam allocator, over any heap.
 */
#include <heapyard/host.h>

void hy_host_init(hy_host *host, void *context, void *(*heap_alloc)(void *context, size_t size),
    void *(*heap_realloc)(void *context, void *ptr, size_t size), void (*heap_free)(void *context, void *ptr),
    hy_align greatest) {
    HY_REQUIRE(heap_alloc != NULL, "hy_host_init", 0, "a heap with an alloc function");
    HY_REQUIRE(heap_free != NULL, "hy_host_init", 0, "a heap with a free function");
    *host = (hy_host){context, heap_alloc, heap_realloc, heap_free, greatest};
}

void hy_host_plain_init(hy_host_plain *host, void *(*heap_alloc)(size_t size),
    void *(*heap_realloc)(void *ptr, size_t size), void (*heap_free)(void *ptr), hy_align greatest) {
    HY_REQUIRE(heap_alloc != NULL, "hy_host_plain_init", 0, "a heap with an alloc function");
    HY_REQUIRE(heap_free != NULL, "hy_host_plain_init", 0, "a heap with a free function");
    *host = (hy_host_plain){heap_alloc, heap_realloc, heap_free, greatest};
}
