/* setjmp.h: for code that jumps out of calls that went wrong: here these end the program. */
#ifndef HEAPYARD_WASM_SETJMP_H
#define HEAPYARD_WASM_SETJMP_H

typedef int jmp_buf[1];
typedef int sigjmp_buf[1];

#define setjmp(place) ((void)(place), 0)
#define sigsetjmp(place, saves_signals) ((void)(place), (void)(saves_signals), 0)
#define longjmp(place, value) __builtin_trap()
#define siglongjmp(place, value) __builtin_trap()

#endif
