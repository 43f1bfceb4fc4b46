// operators_test.cc: new and delete in every form, over glibc's and libstdc++'s and over ours, as
// semantics_test.c.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <malloc.h>
#include <memory>
#include <new>
#include <string>
#include <vector>

#define EXPECT(condition) ((condition) ? (void)0 : failed(#condition, __LINE__))

static void failed(const char *what, int line) {
    std::fprintf(stderr, "operators_test.cc:%d: %s\n", line, what);
    std::exit(1);
}

static volatile std::size_t huge = SIZE_MAX / 2 + 2;

/* Memory that a handler can free. */
static int calls, calls_wanted;

static void give_up() {
    if (++calls == calls_wanted) std::set_new_handler(nullptr);
}

static void throw_bad_alloc() {
    calls++;
    throw std::bad_alloc();
}

template <typename Function> static bool throws(Function function) {
    try {
        function();
    } catch (const std::bad_alloc &) {
        return true;
    }
    return false;
}

static void failures_throw() {
    EXPECT(throws([] { ::operator delete(::operator new(huge)); }));
    EXPECT(throws([] { ::operator delete[](::operator new[](huge)); }));
    EXPECT(throws([] { ::operator delete(::operator new(huge, std::align_val_t(64))); }));
    EXPECT(throws([] { ::operator delete(::operator new(64, std::align_val_t(std::size_t(1) << 62))); }));
    EXPECT(!::operator new(huge, std::nothrow));
    EXPECT(!::operator new[](huge, std::nothrow));
    EXPECT(!::operator new(huge, std::align_val_t(64), std::nothrow));
    EXPECT(!::operator new[](huge, std::align_val_t(64), std::nothrow));
}

static void the_handler_is_asked_until_it_gives_up() {
    calls = 0, calls_wanted = 3;
    std::set_new_handler(give_up);
    EXPECT(throws([] { ::operator delete(::operator new(huge)); }));
    EXPECT(calls == 3);
    calls = 0;
    std::set_new_handler(give_up);
    EXPECT(!::operator new(huge, std::nothrow));
    EXPECT(calls == 3);
    calls = 0;
    std::set_new_handler(give_up);
    EXPECT(throws([] { ::operator delete(::operator new(huge, std::align_val_t(256))); }));
    EXPECT(calls == 3);
}

static void what_the_handler_throws_arrives() {
    calls = 0;
    std::set_new_handler(throw_bad_alloc);
    EXPECT(throws([] { ::operator delete(::operator new(huge)); }));
    EXPECT(!::operator new(huge, std::nothrow));
    EXPECT(!::operator new[](huge, std::align_val_t(64), std::nothrow));
    EXPECT(calls == 3);
    std::set_new_handler(nullptr);
}

static void every_form_serves() {
    for (std::size_t size = 0; size < 200000; size = size < 3000 ? size + 7 : size * 3) {
        void *plain = ::operator new(size), *array = ::operator new[](size);
        void *silent = ::operator new(size, std::nothrow);
        EXPECT(plain && array && silent && plain != array);
        EXPECT(reinterpret_cast<std::uintptr_t>(plain) % 16 == 0);
        std::memset(plain, 1, size);
        ::operator delete(plain, size);
        ::operator delete[](array);
        ::operator delete(silent, std::nothrow);
        for (std::size_t align = 1; align <= 65536; align *= 4) {
            auto value = static_cast<std::align_val_t>(align);
            void *aligned = ::operator new(size, value), *more = ::operator new[](size, value, std::nothrow);
            EXPECT(reinterpret_cast<std::uintptr_t>(aligned) % align == 0);
            EXPECT(reinterpret_cast<std::uintptr_t>(more) % align == 0);
            ::operator delete(aligned, size, value);
            ::operator delete[](more, value);
        }
    }
    ::operator delete(nullptr);
    ::operator delete[](nullptr, std::size_t(10));
}

struct base {
    long value = 1;
};
struct derived : base {
    long more[100] = {};
};

/* Wrong by the standard, and what many programs do. */
static void a_wrong_size_is_no_harm() {
    for (int i = 0; i < 10000; i++) {
        base *object = new derived;
        ::operator delete(static_cast<void *>(object), sizeof(base));
    }
    malloc_trim(0);
}

struct alignas(128) wide {
    char bytes[128];
};

static void the_library_runs_on_it() {
    std::vector<std::string> words;
    std::vector<std::unique_ptr<wide>> wides;
    for (int i = 0; i < 10000; i++) {
        words.push_back(std::to_string(i) + " bottles of beer on the wall");
        wides.push_back(std::make_unique<wide>());
        EXPECT(reinterpret_cast<std::uintptr_t>(wides.back().get()) % 128 == 0);
    }
    EXPECT(words[9999] == "9999 bottles of beer on the wall");
}

int main() {
    failures_throw();
    the_handler_is_asked_until_it_gives_up();
    what_the_handler_throws_arrives();
    every_form_serves();
    a_wrong_size_is_no_harm();
    the_library_runs_on_it();
    return 0;
}
