/* where_library.c: the shared library of where.c: calls back through a static function. */
void library_call(void (*function)(void));

static __attribute__((noinline)) void hidden_in_library(void (*function)(void)) {
    function(); /* line: library */
    __asm__ volatile("");
}

void library_call(void (*function)(void)) {
    hidden_in_library(function);
    __asm__ volatile("");
}
