/* frame_entry_test.c: entries of call frame information as bytes: sound ones, and what no assembler writes.
 * The reader of one entry is not for others to call, so it is compiled in here. */
#include "allocators/core/frame_rule.c"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#if HY_HAS_FRAME_RULES
enum { ROOM = 128, CODE_BYTES = 16 };

/* An entry and, before it, what it has in common with others. */
typedef struct table {
    _Alignas(8) uint8_t bytes[ROOM];
    size_t size, entry;
} table;

static void put(table *t, const void *bytes, size_t size) {
    assert_true(size <= ROOM - t->size);
    memcpy(t->bytes + t->size, bytes, size);
    t->size += size;
}

static void put_u32(table *t, uint32_t value) {
    put(t, &value, sizeof value);
}

static void set_u32(table *t, size_t at, uint32_t value) {
    memcpy(t->bytes + at, &value, sizeof value);
}

/* The code that the entry is for begins where its address is written. */
static table make_table(const void *common, size_t common_size, const void *own, size_t own_size) {
    table t = {.size = 0};
    put_u32(&t, (uint32_t)(4 + common_size));
    put_u32(&t, 0);
    put(&t, common, common_size);
    t.entry = t.size;
    put_u32(&t, (uint32_t)(12 + own_size));
    put_u32(&t, (uint32_t)(t.entry + 4));
    put_u32(&t, 0);
    put_u32(&t, CODE_BYTES);
    put(&t, own, own_size);
    return t;
}

static bool read_at(const table *t, size_t offset, hy_frame_rule *rule) {
    program p = {.target = (uintptr_t)(t->bytes + t->entry + 8) + offset};
    bool is_read = read_entry(t->bytes + t->entry, &p);
    *rule = rule_of(&p.state);
    return is_read;
}

static bool is_read(const table *t) {
    hy_frame_rule rule;
    return read_at(t, 1, &rule);
}

/* Version, letters, factors 1 and -8, the return address's register, one byte of data, and: the base is the
 * stack pointer + 8, the return address 8 below it. */
#define COMMON(version, letters, address_register, form)                                                     \
    version letters "\0\x01\x78" address_register "\x01" form "\x0c\x07\x08\x90\x01"
#define TABLE(common, own) make_table(common, sizeof(common) - 1, own, sizeof(own) - 1)
#define SOUND COMMON("\x01", "zR", "\x10", "\x1b")

static void sound_entries_are_read(void **state) {
    (void)state;
    hy_frame_rule rule;
    table t = TABLE(SOUND, "\0");
    assert_true(read_at(&t, 1, &rule));
    assert_int_equal(rule.kind, HY_FRAME_RULE_STEP);
    assert_int_equal(rule.frame_offset, 8);
    t = TABLE(COMMON("\x03", "zR", "\x10", "\x1b"), "\0\x0e\x20");
    assert_true(read_at(&t, 1, &rule));
    assert_int_equal(rule.frame_offset, 32);
    assert_true(read_at(&t, CODE_BYTES - 1, &rule));
    assert_false(read_at(&t, CODE_BYTES, &rule));
    assert_false(read_at(&t, (size_t)-1, &rule));
}

static void other_forms_are_not_read(void **state) {
    (void)state;
    table t = TABLE(COMMON("\x01", "zR", "\x03", "\x1b"), "\0");
    assert_false(is_read(&t));
    t = TABLE(COMMON("\x01", "zR", "\x10", "\x03"), "\0");
    assert_false(is_read(&t));
    t = TABLE(COMMON("\x01", "zQR", "\x10", "\x1b"), "\0");
    assert_false(is_read(&t));
    t = TABLE(COMMON("\x01", "zRS", "\x10", "\x1b"), "\0");
    assert_false(is_read(&t));
    t = TABLE("\x01\0\x01\x78\x10\x0c\x07\x08\x90\x01", "\0"); /* no letters, no data */
    assert_false(is_read(&t));
    t = TABLE("\x01z\0\x01\x78\x10\0\x0c\x07\x08\x90\x01", "\0"); /* data of no bytes */
    assert_false(is_read(&t));
}

static void ends_and_long_lengths_are_not_read(void **state) {
    (void)state;
    const uint32_t lengths[] = {0, UINT32_MAX};
    for (size_t i = 0; i < 2; i++) {
        table t = TABLE(SOUND, "\0");
        set_u32(&t, 0, lengths[i]);
        assert_false(is_read(&t));
        t = TABLE(SOUND, "\0");
        set_u32(&t, t.entry, lengths[i]);
        assert_false(is_read(&t));
    }
}

static void what_ends_too_early_is_not_read(void **state) {
    (void)state;
    table t = TABLE(SOUND, "\0\x0e"); /* the base's offset is missing */
    assert_false(is_read(&t));
    t = TABLE(SOUND, "\x40"); /* data longer than the entry */
    assert_false(is_read(&t));
    t = TABLE("\x01zR\0\x01\x78\x10\x40\x1b", "\0");
    assert_false(is_read(&t));
    t = TABLE("\x01zPR\0\x01\x78\x10\x02\x1b\x1b", "\0"); /* the personality's address is missing */
    assert_false(is_read(&t));
    t = TABLE(SOUND "\x01", "\0"); /* an instruction that is not read */
    assert_false(is_read(&t));
    for (uint32_t size = 4; size < sizeof SOUND - 1 + 4 - 5; size++) {
        t = TABLE(SOUND, "\0");
        set_u32(&t, 0, size);
        assert_false(is_read(&t));
    }
}
#endif

int main(void) {
#if HY_HAS_FRAME_RULES
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sound_entries_are_read),
        cmocka_unit_test(other_forms_are_not_read),
        cmocka_unit_test(ends_and_long_lengths_are_not_read),
        cmocka_unit_test(what_ends_too_early_is_not_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
#else
    return 0; /* no entries are read on this system */
#endif
}
