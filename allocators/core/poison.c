/* poison.c: whether Valgrind is there, asked once before main.
 *
 * The front door of a program may check more than the library was built to, and then asks for the flag; so
 * it is there at every level, and false where the library knew nothing of Valgrind.
 */
#undef HY_CHECK
#define HY_CHECK 1
#include <heapyard/poison.h>

#if !HY_VALGRIND
extern HY_API bool hy_on_valgrind;
#endif

bool hy_on_valgrind;

#if HY_VALGRIND
__attribute__((constructor(101))) static void ask_valgrind(void) {
    hy_on_valgrind = RUNNING_ON_VALGRIND != 0;
}
#endif
