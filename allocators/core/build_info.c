/* build_info.c: what this library was built as, in one line. */
#include <heapyard/allocator.h>
#include <heapyard/os.h>
#include <heapyard/poison.h>

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)

#if HY_ASAN
#define SANITIZER " asan"
#elif HY_TSAN
#define SANITIZER " tsan"
#else
#define SANITIZER ""
#endif

#if HY_VALGRIND
#define VALGRIND " valgrind-requests"
#else
#define VALGRIND ""
#endif

#if HY_FILLS
#define FILLS " fills"
#else
#define FILLS ""
#endif

#if HY_SYMBOLS
#define LINES " lines=libdw"
#else
#define LINES ""
#endif

#define LINE(includer)                                                                                       \
    "heapyard " HY_VERSION " library-check=" TEXT(                                                           \
        HY_CHECK) " includer-check=" includer FILLS SANITIZER VALGRIND LINES " compiler=" __VERSION__

const char *hy_build_info_for(int includer_check_level) {
    static const char *const lines[] = {LINE("0"), LINE("1"), LINE("2")};
    int level = includer_check_level < 0 ? 0 : includer_check_level > 2 ? 2 : includer_check_level;
    return lines[level];
}
