/* comforts_test.c: the properties strings, handles and scopes find a bug that is planted for each, and
 * nothing without it.
 *
 * The linker puts a function of this file in front of one of the library's (--wrap), which does what it
 * should unless the bug is on.
 */
#include "allocators/conformance/dies.h"
#include "fuzz/properties.h"
#include <heapyard/handle.h>
#include <heapyard/headered.h>
#include <heapyard/string.h>

static bool is_planted;

hy_error __real_hy_string_copy(hy_allocator allocator, hy_string *out, hy_string string);
hy_error __wrap_hy_string_copy(hy_allocator allocator, hy_string *out, hy_string string);
bool __real_hy_handles_destroy(hy_handles *handles, hy_handle handle);
bool __wrap_hy_handles_destroy(hy_handles *handles, hy_handle handle);
void __real_hy_headered_free(hy_headered *headered, void *ptr);
void __wrap_hy_headered_free(hy_headered *headered, void *ptr);

/* Shares what an owned string has. */
hy_error __wrap_hy_string_copy(hy_allocator allocator, hy_string *out, hy_string string) {
    if (!is_planted) return __real_hy_string_copy(allocator, out, string);
    hy_string_drop(out);
    *out = string;
    return HY_OK;
}

/* Says that the object has ended. */
bool __wrap_hy_handles_destroy(hy_handles *handles, hy_handle handle) {
    return is_planted ? hy_handles_get(handles, handle) != NULL : __real_hy_handles_destroy(handles, handle);
}

/* Frees nothing. */
void __wrap_hy_headered_free(hy_headered *headered, void *ptr) {
    if (!is_planted) __real_hy_headered_free(headered, ptr);
}

static void run(const char *name, const uint8_t *bytes, size_t size) {
    const hy_property *property = hy_property_find(name);
    assert_non_null(property);
    assert_false(property->over_rows);
    assert_true(property->run(NULL, bytes, size) > 0);
}

/* "hi", and a copy of it. */
static void copies(void) {
    static const uint8_t bytes[] = {255, 0x01, 2, 'h', 'i', 0x12, 0};
    run("strings", bytes, sizeof bytes);
}

/* An object that begins and ends. */
static void creates_and_destroys(void) {
    static const uint8_t bytes[] = {255, 0x00, 0x01, 0};
    run("handles", bytes, sizeof bytes);
}

/* An ambient block that is made and freed. */
static void allocates_and_frees(void) {
    static const uint8_t bytes[] = {0x02, 40, 0x03};
    run("scopes", bytes, sizeof bytes);
}

static void each_finds_its_planted_bug(void **state) {
    (void)state;
    is_planted = true;
    assert_dies_saying(copies, "finding: strings: an owned copy has the same bytes");
    assert_dies_saying(
        creates_and_destroys, "finding: handles: the handle of object 1, which has ended, names one");
    assert_dies_saying(allocates_and_frees, "finding: scopes: 57 bytes live when all are freed");
}

static void none_finds_anything_without_it(void **state) {
    (void)state;
    is_planted = false;
    copies();
    creates_and_destroys();
    allocates_and_frees();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(none_finds_anything_without_it),
        cmocka_unit_test(each_finds_its_planted_bug),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
