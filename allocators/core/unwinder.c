/* unwinder.c: the unwinder that comes with the compiler (libgcc's, or LLVM's of the same interface).
 *
 * Cost: O(frames), most of it the search for each frame's table. Source: the C++ ABI, level 1.
 */
#include "allocators/core/unwinder.h"

#if defined(__has_include)
#if __has_include(<unwind.h>) && !defined(__wasm__)
#define HAS_UNWINDER 1
#endif
#endif

#if HAS_UNWINDER
#include <unwind.h>

typedef struct walk {
    hy_unwinder_take take;
    void *context;
    bool is_own; /* the first frame is hy_unwind's */
} walk;

static _Unwind_Reason_Code take_frame(struct _Unwind_Context *frame, void *argument) {
    walk *w = argument;
    uintptr_t address = (uintptr_t)_Unwind_GetIP(frame);
    if (!w->is_own && (address == 0 || !w->take(w->context, address))) return _URC_END_OF_STACK;
    w->is_own = false;
    return _URC_NO_REASON;
}

bool hy_unwind(hy_unwinder_take take, void *context) {
    walk w = {take, context, true};
    _Unwind_Backtrace(take_frame, &w);
    return true;
}

#else

bool hy_unwind(hy_unwinder_take take, void *context) {
    (void)take, (void)context;
    return false;
}

#endif
