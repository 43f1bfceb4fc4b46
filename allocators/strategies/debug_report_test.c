/* debug_report_test.c: what people read of each class of finding. */
#include "allocators/conformance/dies.h"

#include "allocators/strategies/debug_watch.h"

static char text[8192];

/* The text of the newest finding. */
static const char *print_newest(const watch *w) {
    FILE *stream = fmemopen(text, sizeof text, "w");
    assert_non_null(stream);
    assert_true(w->count > 0 && w->count <= WATCH_MAX);
    hy_debug_report_print(stream, &w->reports[w->count - 1]);
    fclose(stream);
    return text;
}

static void assert_says(const char *words) {
    if (!strstr(text, words)) fail_msg("expected \"%s\" in: %s", words, text);
}

static void assert_does_not_say(const char *words) {
    if (strstr(text, words)) fail_msg("did not expect \"%s\" in: %s", words, text);
}

static void wrong_addresses(void **state) {
    watch *w = *state;
    char *block = hidden(hy_debug_alloc(&w->debug, 64, HY_ALIGN_8));
    hy_debug_free(&w->debug, block + 8, 56, HY_ALIGN_8);
    print_newest(w);
    assert_says("heapyard: invalid free: free of 0x");
    assert_says(": it lies 8 bytes from the begin of a block");
    assert_says("alignment 2^3, live");
    hy_debug_free(&w->debug, block + 200, 56, HY_ALIGN_8);
    print_newest(w);
    assert_says("but was never handed out");
    hy_debug_free(&w->debug, w, 56, HY_ALIGN_8);
    print_newest(w);
    assert_says("heapyard: foreign pointer: free of 0x");
    assert_says("no debug allocator of this process has handed it out");
    assert_says("  now, by thread ");
    assert_does_not_say("allocated, by");
    assert_false(hy_debug_resize(&w->debug, w, 56, 50, HY_ALIGN_8));
    print_newest(w);
    assert_says("found during resize");
    hy_debug_free(&w->debug, block, 64, HY_ALIGN_8);
    hy_debug_free(&w->debug, block, 64, HY_ALIGN_8);
    print_newest(w);
    assert_says("heapyard: double free: free of 0x");
    assert_says("alignment 2^3, freed");
    assert_says("  allocated, by thread ");
    assert_says("  first freed, by thread ");
}

static void other_instances(void **state) {
    watch *w = *state;
    static const char *const names[] = {"the other", NULL};
    for (size_t i = 0; i < 2; i++) {
        hy_debug other;
        hy_debug_config config = hy_debug_defaults();
        config.name = names[i];
        assert_int_equal(hy_debug_init(&other, hy_libc(), &config), HY_OK);
        void *block = hy_debug_alloc(&other, 64, HY_ALIGN_8);
        hy_debug_free(&w->debug, block, 64, HY_ALIGN_8);
        print_newest(w);
        assert_says("heapyard: wrong instance: free of 0x");
        assert_says(names[i] ? "it is a block of the debug allocator \"the other\" (0x"
                             : "it is a block of the debug allocator 0x");
        hy_debug_free(&other, block, 64, HY_ALIGN_8);
        assert_int_equal(hy_debug_deinit(&other, NULL), HY_OK);
    }
}

static void wrong_arguments(void **state) {
    watch *w = *state;
    char *block = hidden(hy_debug_alloc(&w->debug, 64, HY_ALIGN_8));
    assert_false(hy_debug_resize(&w->debug, block, 60, SIZE_MAX - 5, HY_ALIGN_8));
    print_newest(w);
    assert_says("heapyard: size mismatch: resize of 0x");
    assert_says(": given 60 bytes, it lives with 64");
    hy_debug_free(&w->debug, block, 64, HY_ALIGN_64);
    print_newest(w);
    assert_says("heapyard: alignment mismatch: free of 0x");
    assert_says(": given alignment 2^6, it lives with 2^3");
}

static void damage(void **state) {
    watch *w = *state;
    char *block = hidden(hy_debug_alloc(&w->debug, 20, HY_ALIGN_8));
    memcpy(block, "The quick brown fox.", 20);
    poke(block + 20, 0);
    poke(block + 22, 'Z');
    assert_int_equal(hy_debug_scan(&w->debug), 1);
    print_newest(w);
    assert_says("heapyard: overflow: 3 bytes written behind a block of 20 bytes at 0x");
    assert_says("  first written at 0x");
    assert_says(", the block's byte 20; marked:\n");
    assert_says("  54 68 65 20 71 75 69 63 6b 20 62 72 6f 77 6e 20  The quick brown \n");
    assert_says("  66 6f 78 2e 00 ");
    assert_says("\n                                ^^    ^^\n");
    poke(block - 2, 1);
    hy_debug_free(&w->debug, block, 20, HY_ALIGN_8);
    print_newest(w);
    assert_says("heapyard: underflow: 1 byte written before a block of 20 bytes at 0x");
    assert_says(", the block's byte -2; marked:\n");
    poke(block, 1);
    assert_int_equal(hy_debug_scan(&w->debug), 1);
    print_newest(w);
    assert_says("heapyard: write after free: 1 byte written into a freed block of 20 bytes at 0x");
    assert_says("  dd dd dd dd");
}

/* The newest slot's end is nearer than the dump is long, and a leak has no "now". */
static void leaks(void **state) {
    watch *w = *state;
    char *block = hidden(hy_debug_alloc(&w->debug, 64, HY_ALIGN_8));
    assert_int_equal(hy_debug_detect_leaks(&w->debug), 1);
    print_newest(w);
    assert_says("heapyard: leak: a block of 64 bytes at 0x");
    assert_says("  in the debug allocator 0x");
    assert_says("found during detect_leaks");
    assert_says("  allocated, by thread ");
    assert_does_not_say("  now, by thread ");
    hy_debug_free(&w->debug, block, 64, HY_ALIGN_8);
}

/* Without a hook, a leak beyond the number to be printed is counted all the same. */
static void leaks_beyond_the_printed_are_counted(void **state) {
    (void)state;
    hy_debug debug;
    hy_debug_config config = hy_debug_defaults();
    config.leaks_printed = 0;
    assert_int_equal(hy_debug_init(&debug, hy_libc(), &config), HY_OK);
    for (int i = 0; i < 5; i++)
        (void)hidden(hy_debug_alloc(&debug, 64, HY_ALIGN_8));
    assert_int_equal(hy_debug_detect_leaks(&debug), 5);
    assert_int_equal(hy_debug_counted(&debug).found[HY_DEBUG_LEAK], 5);
    assert_int_equal(hy_debug_deinit_quietly(&debug, NULL), HY_LEAK);
}

static int set_up(void **state) {
    static watch w;
    watch_begin(&w);
    *state = &w;
    return 0;
}

static int tear_down(void **state) {
    watch_end(*state);
    return 0;
}

#define WATCHED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        WATCHED(wrong_addresses),
        WATCHED(other_instances),
        WATCHED(wrong_arguments),
        WATCHED(damage),
        WATCHED(leaks),
        cmocka_unit_test(leaks_beyond_the_printed_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
