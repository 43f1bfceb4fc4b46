/* scope.c: the ambient allocator's one variable.
 *
 * For: code between a caller who knows the allocator and a callee who needs it, with neither's signature in
 *   hand. Not for: a library's interface, which takes an hy_allocator; who reads it then sees what it uses.
 * Algorithm: a variable of each thread holds the allocator itself, not a list of scopes. HY_USING keeps the
 *   outer one in its frame and puts it back from there, so that entering and leaving are four moves each, and
 *   asking is a load of two words and a test, with no scope to follow. A longjmp past the end leaves the
 * inner value behind, but no pointer into a frame that is gone. Blocks that are freed without their size are
 * headered's (headered.h): its header tells whose they are. Thread-safe: each thread has its own. Source: an
 * allocator in a context that calls inherit, as Odin's and Jai's; what runs at the end of a block by the
 * cleanup attribute of gcc and clang.
 */
#include <heapyard/scope.h>

HY_THREAD_LOCAL hy_allocator hy_ambient_of_thread;
