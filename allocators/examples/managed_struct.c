/* managed_struct.c: a struct that holds strings, and is managed as they are.
 *
 *   $ managed_struct
 *   Ada Lovelace, then Ada King
 *   4 allocations, 0 bytes live
 *   without memory for the copy: out of memory, 0 bytes live
 */
#include <heapyard/heapyard.h>
#include <stdio.h>

typedef struct person {
    hy_string first, last;
} person;

static void person_drop(person *it) {
    hy_string_drop(&it->last);
    hy_string_drop(&it->first);
}

/* Both names deep; where one is refused, neither is kept and *out is as it was. */
static hy_error person_copy(hy_allocator gpa, person *out, const person *it) {
    HY_MANAGED(person_drop) person copy = {0};
    hy_error error = hy_string_copy(gpa, &copy.first, it->first);
    if (error == HY_OK) error = hy_string_copy(gpa, &copy.last, it->last);
    if (error != HY_OK) return error;
    person_drop(out);
    *out = HY_MOVE(copy);
    return HY_OK;
}

static hy_error marry(hy_allocator gpa) {
    HY_MANAGED(person_drop) person ada = {0};
    HY_MANAGED(person_drop) person later = {0};
    hy_error error = hy_string_format(gpa, &ada.first, "%s", "Ada");
    if (error == HY_OK) error = hy_string_format(gpa, &ada.last, "%s", "Lovelace");
    if (error == HY_OK) error = person_copy(gpa, &later, &ada);
    if (error != HY_OK) return error;
    hy_string_drop(&later.last);
    later.last = HY_STRING("King");
    printf("%s %s, then %s %s\n", hy_string_cstr(&ada.first), hy_string_cstr(&ada.last),
        hy_string_cstr(&later.first), hy_string_cstr(&later.last));
    return HY_OK;
}

int main(void) {
    hy_counting count = HY_COUNTING_INIT(hy_libc());
    if (marry(hy_counting_allocator(&count)) != HY_OK) return 1;
    printf("%d allocations, %zu bytes live\n", (int)count.counts.alloc_count, count.counts.live_bytes);
    hy_failing failing;
    hy_failing_options options = {.fail_alloc_at = 3, .fail_resize_at = HY_FAILING_NEVER};
    hy_failing_init(&failing, hy_counting_allocator(&count), &options);
    hy_error error = marry(hy_failing_allocator(&failing));
    printf(
        "without memory for the copy: %s, %zu bytes live\n", hy_error_string(error), count.counts.live_bytes);
    return 0;
}
