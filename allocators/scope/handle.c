/* handle.c: a table of generations between a reference and its object.
 *
 * For: objects that refer to each other and end in any order: entities of a game, connections, nodes of a
 *   graph; references that are kept across requests or sent elsewhere. Not for: what ends together (an arena
 *   needs no handles), or what is reached through one owner.
 * Algorithm: an array of slots, the free ones linked by index, the last one freed served first. Creating
 * makes the slot's generation odd, destroying makes it even; the last odd one is followed by none: the slot
 * is retired. Slots of which none was used yet need no links: they begin at `used`.
 *
 *       slots:  | live 7 | free 4 | live 1 | free 2 | never used ...
 *                            │ ▲                │
 *       first_free ──────────┼─┼────────────────┘ next_free
 *                            ▼ └──────── ...
 *
 * Cost: create and destroy O(1) beside the allocators; get is inline. Overhead: 16 bytes an object, up to 32
 *   just after the table doubled. Thread-safe: no. Source: slot maps, as game engines have them.
 */
#include <heapyard/handle.h>
#include <heapyard/typed.h>

/* The table begins with as many slots. */
#define FIRST_CAPACITY 16u

void hy_handles_init(
    hy_handles *handles, hy_allocator objects, hy_allocator table, size_t size, hy_align align) {
    hy_require_child(objects, "hy_handles_init");
    hy_require_child(table, "hy_handles_init");
    HY_REQUIRE(size > 0, "hy_handles_init", size, "the size of an object, above 0");
    *handles = (hy_handles){
        .first_free = HY_HANDLE_NO_SLOT,
        .objects = objects,
        .table = table,
        .size = size,
        .align = align,
    };
}

static bool is_live(const hy_handle_slot *slot) {
    return slot->generation % 2 != 0;
}

void hy_handles_clear(hy_handles *handles) {
    for (uint32_t i = 0; i < handles->used; i++)
        hy_handles_destroy(handles, (hy_handle){i, handles->slots[i].generation});
}

void hy_handles_deinit(hy_handles *handles) {
    hy_handles_clear(handles);
    if (handles->slots) hy_free_n(handles->table, handles->slots, handles->capacity);
    hy_handles_init(handles, handles->objects, handles->table, handles->size, handles->align);
}

/* Twice as many slots; false: refused, or there are as many as indices. */
static bool grow(hy_handles *handles) {
    if (handles->capacity == HY_HANDLE_NO_SLOT) return false;
    uint32_t capacity = FIRST_CAPACITY;
    if (handles->capacity) {
        capacity = handles->capacity <= HY_HANDLE_NO_SLOT / 2 ? handles->capacity * 2 : HY_HANDLE_NO_SLOT;
    }
    hy_handle_slot *slots =
        hy_realloc_n(handles->table, hy_handle_slot, handles->slots, handles->capacity, capacity);
    if (!slots) return false;
    handles->slots = slots;
    handles->capacity = capacity;
    return true;
}

/* A slot without an object, taken from the free ones or from those never used; NULL: refused. */
static hy_handle_slot *take_slot(hy_handles *handles) {
    if (handles->first_free != HY_HANDLE_NO_SLOT) {
        hy_handle_slot *slot = &handles->slots[handles->first_free];
        handles->first_free = slot->next_free;
        return slot;
    }
    if (handles->used == handles->capacity && !grow(handles)) return NULL;
    hy_handle_slot *slot = &handles->slots[handles->used++];
    *slot = (hy_handle_slot){.next_free = HY_HANDLE_NO_SLOT};
    return slot;
}

static void give_slot(hy_handles *handles, hy_handle_slot *slot) {
    slot->next_free = handles->first_free;
    handles->first_free = (uint32_t)(slot - handles->slots);
}

void *hy_handles_create(hy_handles *handles, hy_handle *handle) {
    hy_handle_slot *slot = take_slot(handles);
    if (!slot) return NULL;
    void *object = hy_alloc(handles->objects, handles->size, handles->align);
    if (!object) {
        give_slot(handles, slot);
        return NULL;
    }
    slot->object = object;
    slot->generation++;
    slot->next_free = HY_HANDLE_NO_SLOT;
    handles->count++;
    *handle = (hy_handle){(uint32_t)(slot - handles->slots), slot->generation};
    return object;
}

bool hy_handles_destroy(hy_handles *handles, hy_handle handle) {
    void *object = hy_handles_get(handles, handle);
    if (!object) return false;
    hy_handle_slot *slot = &handles->slots[handle.index];
    /* Before the object goes: whoever frees it may ask for handles. */
    slot->object = NULL;
    slot->generation++;
    handles->count--;
    /* From the last generation it comes to 0, which no handle has, and must not begin again. */
    if (slot->generation != 0) give_slot(handles, slot);
    hy_free(handles->objects, object, handles->size, handles->align);
    return true;
}

void *hy_handles_next(const hy_handles *handles, hy_handle *handle) {
    /* The handle of none begins; any other is of a slot that was visited. */
    uint32_t i = handle->generation == 0 ? 0 : handle->index + 1;
    for (; i < handles->used; i++) {
        const hy_handle_slot *slot = &handles->slots[i];
        if (!is_live(slot)) continue;
        *handle = (hy_handle){i, slot->generation};
        return slot->object;
    }
    *handle = hy_handle_none();
    return NULL;
}

/* The free slots of the list, and how many of them no object has lived in; false where it leaves the slots
 * that were used, holds a live one, or does not end. */
static bool count_free(const hy_handles *handles, uint32_t *count, uint32_t *fresh) {
    *count = *fresh = 0;
    for (uint32_t i = handles->first_free; i != HY_HANDLE_NO_SLOT; i = handles->slots[i].next_free) {
        if (i >= handles->used || is_live(&handles->slots[i]) || ++*count > handles->used) return false;
        if (handles->slots[i].generation == 0) ++*fresh;
    }
    return true;
}

bool hy_handles_check(const hy_handles *handles) {
    if (handles->used > handles->capacity || (handles->capacity != 0) != (handles->slots != NULL))
        return false;
    uint32_t live = 0, zero = 0, free_slots, fresh;
    for (uint32_t i = 0; i < handles->used; i++) {
        const hy_handle_slot *slot = &handles->slots[i];
        if (is_live(slot) != (slot->object != NULL)) return false;
        if (is_live(slot)) live++;
        if (slot->generation == 0) zero++;
    }
    if (live != handles->count || !count_free(handles, &free_slots, &fresh)) return false;
    /* Retired slots are at generation 0 again, and in no list. */
    return handles->used - live - free_slots == zero - fresh;
}
