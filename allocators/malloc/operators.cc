// operators.cc: C++'s operators new and delete over the malloc family.
//
// The shared library must not need the C++ runtime, since C programs preload it too: it is compiled with
// HY_MALLOC_WEAK_RUNTIME, and refers to the runtime weakly. Where a program brings the runtime later, by
// dlopen and for itself alone, it is looked up when an allocation fails. In the static library this file is
// an object of its own, which only programs that call these operators get.
//
// Sizes given to delete are not relied on: a program that deletes an object through a base class without a
// virtual destructor gives a wrong one, and runs with other mallocs.
#include "allocators/malloc/heap.h"

#include <cstdlib>
#include <new>

#ifdef HY_MALLOC_WEAK_RUNTIME
#include <dlfcn.h>
#define WEAK __attribute__((weak))
// What the compiler itself refers to where exceptions are caught.
__asm__(".weak __cxa_begin_catch, __cxa_end_catch, __gxx_personality_v0");
#else
#define WEAK
#endif

namespace std {
WEAK new_handler get_new_handler() noexcept;
WEAK void __throw_bad_alloc();
} // namespace std

namespace {

typedef std::new_handler (*get_handler_function)() noexcept;
typedef void (*throw_function)();

/* The functions of the C++ runtime that a failed allocation needs. */
struct runtime {
    get_handler_function get_handler;
    throw_function throw_bad_alloc;
    bool can_catch; // in this file's own frames
};

#ifdef HY_MALLOC_WEAK_RUNTIME
runtime find_runtime() {
    runtime found = {&std::get_new_handler, &std::__throw_bad_alloc, true};
    if (found.get_handler && found.throw_bad_alloc) return found;
    found.can_catch = false;
    void *library = dlopen("libstdc++.so.6", RTLD_LAZY | RTLD_NOLOAD);
    if (!library) return found;
    found.get_handler = reinterpret_cast<get_handler_function>(dlsym(library, "_ZSt15get_new_handlerv"));
    found.throw_bad_alloc = reinterpret_cast<throw_function>(dlsym(library, "_ZSt17__throw_bad_allocv"));
    dlclose(library);
    return found;
}
#else
runtime find_runtime() {
    return {&std::get_new_handler, &std::__throw_bad_alloc, true};
}
#endif

/* Both kinds of requests as one; align 0: HY_MALLOC_ALIGN. */
void *take(std::size_t size, std::size_t align) noexcept {
    return align ? aligned_alloc(align, size) : hy_malloc_slow(size);
}

/* Asks the new handler for memory until there is some, or until it throws, or is none. */
HY_COLD void *retry(std::size_t size, std::size_t align) {
    runtime found = find_runtime();
    for (;;) {
        std::new_handler handler = found.get_handler ? found.get_handler() : nullptr;
        if (!handler) break;
        handler();
        if (void *ptr = take(size, align)) return ptr;
    }
    if (found.throw_bad_alloc) found.throw_bad_alloc();
    std::abort(); // nobody is there who could catch anything
}

HY_COLD void *retry_nothrow(std::size_t size, std::size_t align) noexcept {
    if (!find_runtime().can_catch) return nullptr;
    try {
        return retry(size, align);
    } catch (...) {
        return nullptr;
    }
}

/* What the thread's cache does not have at hand. */
HY_NOINLINE void *allocate_slow(std::size_t size, std::size_t align) {
    void *ptr = take(size, align);
    return HY_LIKELY(ptr != nullptr) ? ptr : retry(size, align);
}

HY_NOINLINE void *allocate_slow_nothrow(std::size_t size, std::size_t align) noexcept {
    void *ptr = take(size, align);
    return HY_LIKELY(ptr != nullptr) ? ptr : retry_nothrow(size, align);
}

HY_INLINE void *allocate(std::size_t size) {
    void *ptr = hy_malloc_pop(size);
    return HY_LIKELY(ptr != nullptr) ? ptr : allocate_slow(size, 0);
}

HY_INLINE void *allocate(std::size_t size, std::align_val_t align) {
    return allocate_slow(size, static_cast<std::size_t>(align));
}

HY_INLINE void *allocate_nothrow(std::size_t size) noexcept {
    void *ptr = hy_malloc_pop(size);
    return HY_LIKELY(ptr != nullptr) ? ptr : allocate_slow_nothrow(size, 0);
}

HY_INLINE void *allocate_nothrow(std::size_t size, std::align_val_t align) noexcept {
    return allocate_slow_nothrow(size, static_cast<std::size_t>(align));
}

} // namespace

#define API HY_MALLOC_API // the operators' lines below are a table

// clang-format off
API void *operator new(std::size_t size) { return allocate(size); }
API void *operator new[](std::size_t size) { return allocate(size); }
API void *operator new(std::size_t size, const std::nothrow_t &) noexcept { return allocate_nothrow(size); }
API void *operator new[](std::size_t size, const std::nothrow_t &) noexcept { return allocate_nothrow(size); }
API void *operator new(std::size_t size, std::align_val_t align) { return allocate(size, align); }
API void *operator new[](std::size_t size, std::align_val_t align) { return allocate(size, align); }
API void *operator new(std::size_t size, std::align_val_t align, const std::nothrow_t &) noexcept { return allocate_nothrow(size, align); }
API void *operator new[](std::size_t size, std::align_val_t align, const std::nothrow_t &) noexcept { return allocate_nothrow(size, align); }

API void operator delete(void *ptr) noexcept { hy_malloc_give(ptr); }
API void operator delete[](void *ptr) noexcept { hy_malloc_give(ptr); }
API void operator delete(void *ptr, const std::nothrow_t &) noexcept { hy_malloc_give(ptr); }
API void operator delete[](void *ptr, const std::nothrow_t &) noexcept { hy_malloc_give(ptr); }
API void operator delete(void *ptr, std::size_t) noexcept { hy_malloc_give(ptr); }
API void operator delete[](void *ptr, std::size_t) noexcept { hy_malloc_give(ptr); }
API void operator delete(void *ptr, std::align_val_t) noexcept { hy_malloc_give(ptr); }
API void operator delete[](void *ptr, std::align_val_t) noexcept { hy_malloc_give(ptr); }
API void operator delete(void *ptr, std::align_val_t, const std::nothrow_t &) noexcept { hy_malloc_give(ptr); }
API void operator delete[](void *ptr, std::align_val_t, const std::nothrow_t &) noexcept { hy_malloc_give(ptr); }
API void operator delete(void *ptr, std::size_t, std::align_val_t) noexcept { hy_malloc_give(ptr); }
API void operator delete[](void *ptr, std::size_t, std::align_val_t) noexcept { hy_malloc_give(ptr); }
// clang-format on
