// late_runtime.cc: a library in C++ for a program in C: the C++ runtime comes with it, and for it alone.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <string>

static volatile std::size_t huge = SIZE_MAX / 2 + 2;

/* 0: new serves, throws and refuses as it should. */
extern "C" int late_new() {
    auto text = std::make_unique<std::string>(1000, 'x');
    if (text->size() != 1000) return 1;
    if (::operator new(huge, std::nothrow)) return 2;
    try {
        ::operator delete(::operator new(huge));
    } catch (const std::bad_alloc &) {
        return 0;
    }
    return 3;
}
