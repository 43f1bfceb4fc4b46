/* leak_fails_main.c: a main that fails where memory leaks.
 *
 * The program uses a debug allocator, whose deinit reports every block that is still live on standard error,
 * with the stack of its allocation, and returns the exit status. So any test that runs the program detects
 * leaks.
 *
 *   $ leak_fails_main
 *   hello
 *   $ leak_fails_main --forget
 *   hello
 *   ...
 *   …leak…
 *   ...
 *   [1]
 */
#include <heapyard/heapyard.h>
#include <stdio.h>
#include <string.h>

static void greet(hy_allocator gpa, bool forget) {
    char *text = hy_dupe_z(gpa, char, "hello", 5);
    if (!text) return;
    puts(text);
    if (!forget) hy_free_sentinel(gpa, text, 5);
}

int main(int count, char **arguments) {
    bool forget = count == 2 && strcmp(arguments[1], "--forget") == 0;
    hy_debug debug;
    if (hy_debug_init(&debug, hy_libc(), NULL) != HY_OK) return 2;
    greet(hy_debug_allocator(&debug), forget);
    return hy_debug_deinit(&debug, NULL) == HY_OK ? 0 : 1;
}
