/* handles.c: objects that refer to each other, and end in any order.
 *
 *   $ handles
 *   archer aims at goblin
 *   goblin is gone; troll stands in its place
 *   archer aims at nobody
 *   left: archer troll
 */
#include <heapyard/heapyard.h>
#include <stdio.h>

typedef struct unit {
    const char *name;
    hy_handle target;
} unit;

typedef hy_typed_handles(unit) units;

static hy_handle add(units *all, const char *name) {
    hy_handle handle = hy_handle_none();
    unit *it = hy_typed_handles_create(all, &handle);
    if (it) *it = (unit){.name = name};
    return handle;
}

static void tell(const units *all, hy_handle archer) {
    const unit *it = hy_typed_handles_get(all, archer);
    const unit *target = it ? hy_typed_handles_get(all, it->target) : NULL;
    printf("archer aims at %s\n", target ? target->name : "nobody");
}

int main(void) {
    hy_pool pool;
    if (hy_pool_init(&pool, hy_libc(), sizeof(unit), hy_align_of(unit), NULL) != HY_OK) return 1;
    units all;
    hy_typed_handles_init(&all, hy_pool_allocator(&pool), hy_libc());
    hy_handle archer = add(&all, "archer"), goblin = add(&all, "goblin");
    unit *it = hy_typed_handles_get(&all, archer);
    if (it) it->target = goblin;
    tell(&all, archer);

    const unit *before = hy_typed_handles_get(&all, goblin);
    hy_handles_destroy(&all.handles, goblin);
    hy_handle troll = add(&all, "troll");
    bool is_in_its_place = hy_typed_handles_get(&all, troll) == before;
    printf("goblin is gone; troll stands %s\n", is_in_its_place ? "in its place" : "elsewhere");
    tell(&all, archer);

    printf("left:");
    hy_handle at = hy_handle_none();
    while ((it = hy_typed_handles_next(&all, &at)) != NULL)
        printf(" %s", it->name);
    printf("\n");
    hy_handles_deinit(&all.handles);
    hy_pool_deinit(&pool);
    return 0;
}
