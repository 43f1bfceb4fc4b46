/* poison.c: whether Valgrind is there, asked once before main. */
#include <heapyard/poison.h>

#if HY_VALGRIND

bool hy_on_valgrind;

__attribute__((constructor(101))) static void ask_valgrind(void) {
    hy_on_valgrind = RUNNING_ON_VALGRIND != 0;
}

#else

/* ISO C wants a declaration in every file. */
typedef int hy_no_valgrind_in_this_build;

#endif
