/* fibre.c: the switch: callee-saved registers onto the stack, the stack pointer exchanged, and back.
 *
 *   a stack before its first switch: | registers, all 0 | entry | 0 |
 */
#include "fuzz/fibre.h"

#include <heapyard/poison.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#if HY_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

#define GUARD_BYTES ((size_t)64 << 10) /* a multiple of every system's page */

#if defined(__x86_64__)
#define SAVED_WORDS 6
void hy_fibre_exchange(void **from, void *to);
__asm__(".text\n"
        ".hidden hy_fibre_exchange\n"
        ".globl hy_fibre_exchange\n"
        ".type hy_fibre_exchange, @function\n"
        "hy_fibre_exchange:\n"
        "  pushq %rbp\n  pushq %rbx\n  pushq %r12\n  pushq %r13\n  pushq %r14\n  pushq %r15\n"
        "  movq %rsp, (%rdi)\n"
        "  movq %rsi, %rsp\n"
        "  popq %r15\n  popq %r14\n  popq %r13\n  popq %r12\n  popq %rbx\n  popq %rbp\n"
        "  ret\n"
        ".size hy_fibre_exchange, . - hy_fibre_exchange\n");

static void lay_out(hy_fibre *fibre, void (*entry)(void)) {
    uintptr_t *top = (uintptr_t *)(void *)(fibre->stack + fibre->stack_bytes);
    *--top = 0; /* where entry would return to: walks of the stack end here */
    *--top = (uintptr_t)entry;
    fibre->stack_pointer = memset(top - SAVED_WORDS, 0, SAVED_WORDS * sizeof *top);
}
#elif defined(__aarch64__)
#define SAVED_WORDS 20 /* x19 … x30, d8 … d15 */
void hy_fibre_exchange(void **from, void *to);
__asm__(".text\n"
        ".hidden hy_fibre_exchange\n"
        ".globl hy_fibre_exchange\n"
        ".type hy_fibre_exchange, %function\n"
        "hy_fibre_exchange:\n"
        "  sub sp, sp, #160\n"
        "  stp x19, x20, [sp, #0]\n  stp x21, x22, [sp, #16]\n  stp x23, x24, [sp, #32]\n"
        "  stp x25, x26, [sp, #48]\n  stp x27, x28, [sp, #64]\n  stp x29, x30, [sp, #80]\n"
        "  stp d8, d9, [sp, #96]\n  stp d10, d11, [sp, #112]\n"
        "  stp d12, d13, [sp, #128]\n  stp d14, d15, [sp, #144]\n"
        "  mov x2, sp\n"
        "  str x2, [x0]\n"
        "  mov sp, x1\n"
        "  ldp x19, x20, [sp, #0]\n  ldp x21, x22, [sp, #16]\n  ldp x23, x24, [sp, #32]\n"
        "  ldp x25, x26, [sp, #48]\n  ldp x27, x28, [sp, #64]\n  ldp x29, x30, [sp, #80]\n"
        "  ldp d8, d9, [sp, #96]\n  ldp d10, d11, [sp, #112]\n"
        "  ldp d12, d13, [sp, #128]\n  ldp d14, d15, [sp, #144]\n"
        "  add sp, sp, #160\n"
        "  ret\n"
        ".size hy_fibre_exchange, . - hy_fibre_exchange\n");

static void lay_out(hy_fibre *fibre, void (*entry)(void)) {
    uintptr_t *saved = (uintptr_t *)(void *)(fibre->stack + fibre->stack_bytes) - SAVED_WORDS;
    memset(saved, 0, SAVED_WORDS * sizeof *saved);
    saved[11] = (uintptr_t)entry; /* x30 */
    fibre->stack_pointer = saved;
}
#else
static void lay_out(hy_fibre *fibre, void (*entry)(void)) {
    getcontext(&fibre->context);
    fibre->context.uc_stack.ss_sp = fibre->stack;
    fibre->context.uc_stack.ss_size = fibre->stack_bytes;
    makecontext(&fibre->context, entry, 0);
}
#endif

bool hy_fibre_begin(hy_fibre *fibre, void (*entry)(void)) {
    if (!fibre->stack) {
        char *mapped = mmap(NULL, GUARD_BYTES + HY_FIBRE_STACK_BYTES, PROT_READ | PROT_WRITE,
            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (mapped == MAP_FAILED) return false;
        (void)mprotect(mapped, GUARD_BYTES, PROT_NONE);
        fibre->stack = mapped + GUARD_BYTES;
        fibre->stack_bytes = HY_FIBRE_STACK_BYTES;
    }
#if HY_ASAN
    /* A fibre that was given up has left its frames poisoned. */
    __asan_unpoison_memory_region(fibre->stack, fibre->stack_bytes);
    fibre->fake_stack = NULL;
#endif
    lay_out(fibre, entry);
    return true;
}

void hy_fibre_switch(hy_fibre *from, hy_fibre *to) {
#if HY_ASAN
    __sanitizer_start_switch_fiber(&from->fake_stack, to->stack, to->stack_bytes);
#endif
#ifdef HY_FIBRE_UCONTEXT
    swapcontext(&from->context, &to->context);
#else
    hy_fibre_exchange(&from->stack_pointer, to->stack_pointer);
#endif
#if HY_ASAN
    __sanitizer_finish_switch_fiber(from->fake_stack, NULL, NULL);
#endif
}

void hy_fibre_arrived(hy_fibre *self, hy_fibre *from) {
    (void)self, (void)from;
#if HY_ASAN
    const void *stack = NULL;
    size_t stack_bytes = 0;
    __sanitizer_finish_switch_fiber(self->fake_stack, &stack, &stack_bytes);
    if (from->stack) return;
    from->stack = (char *)(uintptr_t)stack;
    from->stack_bytes = stack_bytes;
#endif
}
