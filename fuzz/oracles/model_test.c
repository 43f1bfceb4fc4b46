/* model_test.c: the model accepts what is right and finds each kind of wrong, block by block. */
#include "fuzz/minimise.h"
#include "fuzz/oracles.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static _Alignas(64) char memory[65536];

static const hy_row row = {.name = "memory"};
static const hy_run run = {.row = &row};

static void begin(void) {
    char error[256];
    if (!hy_oracles_choose("model", error, sizeof error)) abort();
    hy_live_begin();
}

static void add(uint32_t slot, void *ptr, uint64_t size, hy_align align) {
    hy_run_call call = {.kind = HY_OP_ALLOC, .slot = slot, .size = size, .align = align, .ptr = ptr};
    hy_live_add(slot, ptr, size, align, SIZE_MAX);
    hy_oracles_see(HY_ON_SERVED, &run, &call);
}

/* A call of a block that is live. */
static hy_run_call call_of(hy_op_kind kind, uint32_t slot) {
    hy_live_block block = *hy_live_at(slot);
    hy_align align = hy_align_from_log2(block.align_log2);
    return (hy_run_call){.kind = kind, .slot = slot, .align = align, .before = block};
}

static void change(uint32_t slot, void *ptr, uint64_t size) {
    hy_run_call call = call_of(HY_OP_REALLOC, slot);
    call.size = size;
    call.ptr = ptr;
    hy_live_change(slot, ptr, size, SIZE_MAX);
    hy_oracles_see(HY_ON_SERVED, &run, &call);
}

static void look_at(hy_op_kind kind, uint32_t slot) {
    hy_run_call call = call_of(kind, slot);
    hy_oracles_see(HY_ON_BEFORE, &run, &call);
}

static void contents_are_followed(void **unused) {
    (void)unused;
    begin();
    add(3, memory + 128, 100, HY_ALIGN_8);
    add(1, memory, 128, HY_ALIGN_64);
    add(2, memory + 4096, 40000, HY_ALIGN_8);
    assert_int_equal(hy_live_count(), 3);
    assert_int_equal(hy_live_bytes(), 40228);
    assert_int_equal(hy_live_by_address(0), 1);
    assert_int_equal(hy_live_newest(), 2);
    look_at(HY_OP_CHECK, 0);
    change(3, memory + 128, 30);
    memmove(memory + 256, memory + 128, 30);
    change(3, memory + 256, 3000);
    change(2, memory + 4096, 1500);
    look_at(HY_OP_CHECK, 0);
    hy_run_call call = call_of(HY_OP_FREE, 1);
    hy_live_remove(1);
    hy_oracles_see(HY_ON_ENDED, &run, &call);
    hy_live_clear();
    assert_int_equal(hy_live_bytes(), 0);
}

/* Each wrong, by number. */
static void wrong(const void *argument) {
    begin();
    add(0, memory, 100, HY_ALIGN_8);
    add(1, memory + 1024, 5000, HY_ALIGN_8);
    switch (*(const int *)argument) {
    case 0:
        add(2, memory + 99, 1, HY_ALIGN_1);
        break;
    case 1:
        add(2, memory + 900, 125, HY_ALIGN_4);
        break;
    case 2:
        add(2, memory + 8 * 1024 + 4, 8, HY_ALIGN_8);
        break;
    case 3:
        add(2, memory + 8 * 1024, UINT64_MAX - 100, HY_ALIGN_8);
        break;
    case 4:
        memory[99]++;
        look_at(HY_OP_FREE, 0);
        break;
    case 5:
        memory[1024 + 4999]++;
        look_at(HY_OP_RESIZE, 0);
        break;
    case 6:
        memory[50]++;
        change(0, memory, 51);
        break;
    case 7:
        change(0, memory, 1025);
        break;
    }
}

static void each_wrong_is_found(void **unused) {
    (void)unused;
    static const char *const kinds[] = {
        "overlap", "overlap", "alignment", "overlap", "content", "content", "content", "overlap"};
    for (int i = 0; i < (int)(sizeof kinds / sizeof kinds[0]); i++) {
        hy_verdict verdict;
        char wanted[40];
        hy_verdict_of(wrong, &i, 20, &verdict);
        snprintf(wanted, sizeof wanted, "finding: %s", kinds[i]);
        assert_string_equal(verdict.key, wanted);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(contents_are_followed),
        cmocka_unit_test(each_wrong_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
