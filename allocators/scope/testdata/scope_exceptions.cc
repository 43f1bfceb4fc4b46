/* scope_exceptions.cc: the macros of scope.h and string.h in C++, where an exception is a way out as well. */
#include <cstdio>
#include <heapyard/libc.h>
#include <heapyard/null.h>
#include <heapyard/scope.h>
#include <heapyard/string.h>
#include <stdexcept>

static void say(void *word) {
    std::fputs(static_cast<const char *>(word), stdout);
}

static char one[] = "1", two[] = "2", error[] = "e";

static hy_error leave(bool throws) {
    HY_ERROR_SCOPE();
    HY_ERRDEFER(say, error);
    HY_DEFER(say, one);
    HY_USING(hy_null()) {
        HY_DEFER(say, two);
        if (throws) throw std::runtime_error("thrown");
    }
    return HY_SUCCESS(HY_OK);
}

static const char *is_ambient_again() {
    return hy_ambient().vtable->alloc == hy_libc().vtable->alloc ? "yes" : "no";
}

static hy_string moved() {
    HY_MANAGED_STRING text = HY_STRING("hel");
    if (hy_string_append(hy_ambient(), &text, HY_STRING("lo")) != HY_OK) return HY_STRING("refused");
    return HY_MOVE(text);
}

int main() {
    try {
        std::printf("thrown: ");
        if (leave(true) == HY_OK) return 1;
    } catch (const std::runtime_error &) {
        std::printf(", ambient again: %s\n", is_ambient_again());
    }
    std::printf("not thrown: ");
    if (leave(false) != HY_OK) return 1;
    std::printf(", ambient again: %s\n", is_ambient_again());
    HY_MANAGED_STRING text = moved();
    std::printf("moved: %s\n", hy_string_cstr(&text));
    return 0;
}
