/* print_c.c: the fixed part of a reproducer, and the calls of a history. */
#include "allocators/history/print_c.h"

#include <inttypes.h>
#include <string.h>

#define SIZE_TEXT 48

/* The part that is the same in every reproducer, between its constants and its calls. */
static const char *const prologue[] = {
    /* clang-format off */
    "typedef enum { MAY, MUST, MUST_NOT } expectation;",
    "",
    "/* The child: it bumps, gives nothing back, aligns to what is asked and not more. */",
    "typedef struct { char *at; size_t size; uint8_t log2; int live; } child_block;",
    "static _Alignas(4096) char region[8u << 20];",
    "static size_t region_used;",
    "static child_block child_blocks[4096];",
    "static size_t child_count, child_live_bytes, alloc_calls, resize_calls, remap_calls;",
    "",
    "static void expect(int holds, const char *what, size_t step) {",
    "    if (holds) return;",
    "    fprintf(stderr, \"step %zu: %s\\n\", step, what);",
    "    abort();",
    "}",
    "",
    "static int child_refuses(size_t index, long at) {",
    "    return at >= 0 && (CHILD_ONCE ? index == (size_t)at : index >= (size_t)at);",
    "}",
    "",
    "static child_block *child_find(const void *ptr, size_t size, hy_align align) {",
    "    for (size_t i = 0; i < child_count; i++) {",
    "        child_block *block = &child_blocks[i];",
    "        if (block->live && block->at == ptr && block->size == size && block->log2 == align.log2) return block;",
    "    }",
    "    expect(0, \"the child was given a pointer, size or alignment of no live block\", 0);",
    "    return NULL;",
    "}",
    "",
    "static void *child_alloc(void *self, size_t size, hy_align align) {",
    "    (void)self;",
    "    if (child_refuses(alloc_calls++, CHILD_ALLOC_REFUSAL)) return NULL;",
    "    size_t bytes = hy_align_bytes(align);",
    "    if (child_count == 4096 || bytes > sizeof region || size > sizeof region) return NULL;",
    "    uintptr_t base = (uintptr_t)region, at = hy_align_forward(base + region_used + 16, align);",
    "    if (!(at & bytes)) at += bytes;",
    "    if (at - base > sizeof region || size + 16 > sizeof region - (at - base)) return NULL;",
    "    hy_poison(region + region_used, at - base - region_used);",
    "    region_used = at - base + size;",
    "    hy_poison(region + region_used, 16);",
    "    hy_unpoison((void *)at, size);",
    "    child_live_bytes += size;",
    "    child_blocks[child_count++] = (child_block){(char *)at, size, align.log2, 1};",
    "    return (void *)at;",
    "}",
    "",
    "static void child_free(void *self, void *ptr, size_t size, hy_align align) {",
    "    (void)self;",
    "    child_find(ptr, size, align)->live = 0;",
    "    child_live_bytes -= size;",
    "    memset(ptr, 0xFB, size);",
    "    hy_poison(ptr, size);",
    "}",
    "",
    "static int child_fits(child_block *block, size_t size) {",
    "    size_t room = sizeof region - 16 - (size_t)(block->at - region);",
    "    return size <= block->size || (block == &child_blocks[child_count - 1] && size <= room);",
    "}",
    "",
    "static void child_take(child_block *block, size_t size) {",
    "    hy_poison(block->at, block->size);",
    "    hy_unpoison(block->at, size);",
    "    child_live_bytes += size - block->size;",
    "    block->size = size;",
    "    size_t end = (size_t)(block->at - region) + size;",
    "    if (end > region_used) region_used = end;",
    "}",
    "",
    "static bool child_resize(void *self, void *ptr, size_t old_size, size_t size, hy_align align) {",
    "    (void)self;",
    "    child_block *block = child_find(ptr, old_size, align);",
    "    int refused = child_refuses(resize_calls++, CHILD_RESIZE_REFUSAL) || !CHILD_GROWS || !child_fits(block, size);",
    "    if (!refused) child_take(block, size);",
    "    return !refused;",
    "}",
    "",
    "static void *child_remap(void *self, void *ptr, size_t old_size, size_t size, hy_align align) {",
    "    child_block *block = child_find(ptr, old_size, align);",
    "    if (child_refuses(remap_calls++, CHILD_REMAP_REFUSAL)) return NULL;",
    "    if (CHILD_MOVES) {",
    "        size_t calls = alloc_calls;",
    "        alloc_calls = SIZE_MAX / 2;",
    "        void *moved = CHILD_ALLOC_REFUSAL < 0 || CHILD_ONCE ? child_alloc(self, size, align) : NULL;",
    "        alloc_calls = calls;",
    "        if (!moved) return NULL;",
    "        memcpy(moved, ptr, old_size < size ? old_size : size);",
    "        child_free(self, ptr, old_size, align);",
    "        return moved;",
    "    }",
    "    if (!CHILD_GROWS || !child_fits(block, size)) return NULL;",
    "    child_take(block, size);",
    "    return ptr;",
    "}",
    "",
    "static const hy_vtable child_vtable = {child_alloc, child_resize, child_remap, child_free};",
    "",
    "/* What is live, and what each byte of it should be. */",
    "typedef struct { char *at; size_t size, used_before, serial; hy_align align; int live; unsigned char fill; } slot;",
    "static slot slots[256];",
    "static unsigned char next_fill;",
    "static size_t serial, reserved_count, reserved_size;",
    "static hy_align reserved_align;",
    "",
    "/* A mark, and what lived when it was taken: the least size since. */",
    "static struct { hy_mark of_row; size_t order, serial, used, child_count, sizes[256]; } marks[4];",
    "static size_t marks_taken;",
    "static hy_allocator a;",
    "static size_t capacity = CAPACITY, budget = CAPACITY;",
    "static void *instance;",
    "",
    "static size_t child_calls(void) {",
    "    return alloc_calls + resize_calls + remap_calls;",
    "}",
    "",
    "static size_t count_of_child(void) {",
    "    size_t count = 0;",
    "    for (size_t i = 0; i < child_count; i++)",
    "        count += child_blocks[i].live != 0;",
    "    return count;",
    "}",
    "",
    "static size_t filled(size_t size) {",
    "    return size < 65536 ? size : 65536;",
    "}",
    "",
    "static int inside_child(const slot *s) {",
    "    for (size_t i = 0; i < child_count; i++) {",
    "        const child_block *block = &child_blocks[i];",
    "        if (block->live && s->at >= block->at && s->size <= block->size && (size_t)(s->at - block->at) <= block->size - s->size) return 1;",
    "    }",
    "    return 0;",
    "}",
    "",
    "static void look_at(const slot *s, size_t step) {",
    "    expect(hy_align_check_pointer(s->at, s->align), \"a block is not aligned as asked\", step);",
    "    if (s->size == 0) return;",
    "    if (child_live_bytes) expect(inside_child(s), \"a block is not inside what the child gave\", step);",
    "    if (ROW->owns) expect(ROW->owns(instance, s->at), \"the row does not own its block\", step);",
    "    for (const slot *other = slots; other < slots + 256; other++) {",
    "        if (other == s || !other->live || !other->size) continue;",
    "        expect(s->at >= other->at + other->size || other->at >= s->at + s->size, \"two blocks overlap\", step);",
    "    }",
    "    for (size_t i = 0; i < filled(s->size); i++)",
    "        expect((unsigned char)s->at[i] == s->fill, \"a byte of a live block was changed\", step);",
    "}",
    "",
    "static hy_stats stats_now(void) {",
    "    hy_stats stats = {SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX};",
    "    if (ROW->stats) (void)ROW->stats(instance, &stats);",
    "    return stats;",
    "}",
    "",
    "/* What is left: of a budget, or of what the row holds. */",
    "static size_t room(void) {",
    "    hy_stats stats = stats_now();",
    "    size_t all = HAS_BUDGET && budget >= stats.used_bytes ? budget : stats.capacity_bytes;",
    "    return all == SIZE_MAX || stats.used_bytes > all ? 0 : all - stats.used_bytes;",
    "}",
    "",
    "/* The latter alone. */",
    "static size_t held_room(void) {",
    "    hy_stats stats = stats_now();",
    "    return stats.capacity_bytes == SIZE_MAX || stats.used_bytes > stats.capacity_bytes ? 0 : stats.capacity_bytes - stats.used_bytes;",
    "}",
    "",
    "static void look(size_t step) {",
    "    size_t live = 0;",
    "    for (size_t i = 0; i < 256; i++) {",
    "        if (!slots[i].live) continue;",
    "        live += slots[i].size;",
    "        look_at(&slots[i], step);",
    "    }",
    "    hy_stats stats = stats_now();",
    "    if (stats.used_bytes != SIZE_MAX) {",
    "        expect(stats.used_bytes >= live, \"fewer bytes are said to be used than are live\", step);",
    "        expect(stats.used_bytes <= stats.capacity_bytes, \"more bytes are said to be used than there are\", step);",
    "        expect(stats.high_water_bytes >= stats.used_bytes, \"high water is below what is used\", step);",
    "        expect(live || !COUNTS_ALL || !stats.used_bytes, \"bytes are said to be used, nothing is live\", step);",
    "    }",
    "    if (FIXED_CAPACITY && stats.capacity_bytes != SIZE_MAX) expect(stats.capacity_bytes <= capacity, \"the capacity is above what was given\", step);",
    "    if (child_live_bytes && stats.capacity_bytes != SIZE_MAX) expect(stats.capacity_bytes <= child_live_bytes, \"the capacity is above what the child gave\", step);",
    "    if (step == FOOTPRINT_STEP) expect(child_live_bytes < FOOTPRINT_BYTES, \"too much of the child is held\", step);",
    "    if (ROW->check) expect(ROW->check(instance), \"the row's own check fails\", step);",
    "}",
    "",
    "static void served(slot *s, void *ptr, size_t size, expectation e, size_t step) {",
    "    expect(ptr || e != MUST, \"a request that fits was refused\", step);",
    "    expect(!ptr || e != MUST_NOT, \"a request that must be refused was served\", step);",
    "    if (!ptr) return;",
    "    size_t kept = s->live ? (s->size < size ? s->size : size) : 0;",
    "    for (size_t i = 0; i < filled(kept); i++)",
    "        expect(((unsigned char *)ptr)[i] == s->fill, \"a byte was lost when a block changed its size\", step);",
    "    if (!s->live || s->at != ptr) s->serial = ++serial;",
    "    for (size_t i = 0; i < 4; i++)",
    "        if (marks[i].sizes[s - slots] > size) marks[i].sizes[s - slots] = size;",
    "    s->at = ptr;",
    "    s->size = size;",
    "    s->live = 1;",
    "    s->fill = ++next_fill;",
    "    memset(ptr, s->fill, filled(size));",
    "}",
    "",
    "static void alloc(size_t step, size_t n, size_t size, unsigned log2, expectation e) {",
    "    slot *s = &slots[n];",
    "    if (s->live) return;",
    "    size_t used = stats_now().used_bytes, calls = child_calls();",
    "    s->align = hy_align_from_log2(log2);",
    "    int fits = FIT_GRAIN && hy_align_bytes(s->align) <= FIT_GRAIN && size <= SIZE_MAX - FIT_GRAIN && (size + FIT_GRAIN - 1) / (FIT_GRAIN + !FIT_GRAIN) * FIT_GRAIN <= held_room();",
    "    int reserved = reserved_count && size <= reserved_size && log2 <= reserved_align.log2;",
    "    void *ptr = hy_alloc(a, size, s->align);",
    "    if (size && (fits || reserved)) expect(ptr && child_calls() == calls, \"what is left or reserved was refused, or the child was asked\", step);",
    "    if (size && ptr) reserved_count = reserved ? reserved_count - 1 : 0;",
    "    s->used_before = used;",
    "    if (size) served(s, ptr, size, e, step);",
    "    else s->at = ptr, s->size = 0, s->live = 1;",
    "    if (!ptr) expect(stats_now().used_bytes == used, \"a refusal changed what is used\", step);",
    "    look(step);",
    "}",
    "",
    "static void alloc_zeroed(size_t step, size_t n, size_t size, unsigned log2, expectation e) {",
    "    slot *s = &slots[n];",
    "    if (s->live) return;",
    "    s->align = hy_align_from_log2(log2);",
    "    s->used_before = SIZE_MAX;",
    "    size_t count = size % 2 ? 1 : 2, each = size / count;",
    "    if (each > 1) expect(!hy_alloc_array_zeroed(a, SIZE_MAX / each + 1, each, s->align), \"an array whose size overflows was served\", step);",
    "    char *ptr = hy_alloc_array_zeroed(a, count, each, s->align);",
    "    if (ptr) reserved_count = 0;",
    "    for (size_t i = 0; ptr && i < filled(size); i++)",
    "        expect(ptr[i] == 0, \"a byte of zeroed memory is not zero\", step);",
    "    if (size) served(s, ptr, size, e, step);",
    "    else s->at = ptr, s->size = 0, s->live = 1;",
    "    look(step);",
    "}",
    "",
    "static void end(size_t step, size_t n, int comparable) {",
    "    slot *s = &slots[n];",
    "    if (!s->live) return;",
    "    look(step);",
    "    s->live = 0;",
    "    hy_free(a, s->at, s->size, s->align);",
    "    if (comparable && s->size) expect(stats_now().used_bytes <= s->used_before, \"more is used than before the newest block\", step);",
    "    look(step);",
    "}",
    "",
    "/* how: 'r' resize, 'm' remap, 'a' realloc. */",
    "static void change(size_t step, char how, size_t n, size_t size, expectation e) {",
    "    slot *s = &slots[n];",
    "    if (!s->live) return;",
    "    size_t used = stats_now().used_bytes;",
    "    reserved_count = 0;",
    "    if (size == 0) s->live = 0;",
    "    void *ptr = how == 'a' ? hy_realloc(a, s->at, s->size, size, s->align)",
    "        : how == 'm'       ? hy_remap(a, s->at, s->size, size, s->align)",
    "        : hy_resize(a, s->at, s->size, size, s->align) ? s->at : NULL;",
    "    if (size) served(s, ptr, size, e, step);",
    "    if (!ptr) expect(stats_now().used_bytes == used, \"a refusal changed what is used\", step);",
    "    look(step);",
    "}",
    "",
    "static void reset(size_t step, hy_reset_mode mode, size_t limit, size_t child_bytes) {",
    "    if (!ROW->reset) return;",
    "    size_t live = 0;",
    "    for (size_t i = 0; i < 256; i++) {",
    "        live += slots[i].live && slots[i].size;",
    "        slots[i].live = 0;",
    "    }",
    "    memset(marks, 0, sizeof marks);",
    "    size_t bytes = stats_now().capacity_bytes;",
    "    int limited = mode == HY_RESET_RETAIN_WITH_LIMIT && !BLOCK_SIZE;",
    "    int kept = ROW->reset(instance, mode, limit) && (limited || mode == HY_RESET_RETAIN_CAPACITY);",
    "    reserved_count = !kept ? 0 : BLOCK_SIZE ? live : FIT_GRAIN && bytes != SIZE_MAX;",
    "    if (limited && bytes != SIZE_MAX && limit < bytes) bytes = limit;",
    "    reserved_size = BLOCK_SIZE ? BLOCK_SIZE : bytes / (FIT_GRAIN + !FIT_GRAIN) * FIT_GRAIN;",
    "    reserved_align = hy_align_from_log2(BLOCK_SIZE ? BLOCK_ALIGN_LOG2 : (unsigned char)__builtin_ctz(FIT_GRAIN + !FIT_GRAIN));",
    "    hy_stats stats = stats_now();",
    "    expect(stats.used_bytes == 0 || stats.used_bytes == SIZE_MAX, \"bytes are used after a reset\", step);",
    "    if (mode == HY_RESET_FREE_ALL) expect(child_live_bytes <= child_bytes, \"memory is held after a reset that frees all\", step);",
    "    if (mode == HY_RESET_RETAIN_WITH_LIMIT && !FIXED_CAPACITY && stats.capacity_bytes != SIZE_MAX)",
    "        expect(stats.capacity_bytes <= limit, \"more is kept than the limit\", step);",
    "    look(step);",
    "}",
    "",
    "/* What is older than the mark lives on, with the least size that it had since. */",
    "static void restored(size_t step, size_t m) {",
    "    for (size_t i = 0; i < 4; i++)",
    "        if (marks[i].order > marks[m].order) marks[i].order = 0;",
    "    for (size_t i = 0; i < 256; i++) {",
    "        if (!slots[i].live) continue;",
    "        if (slots[i].serial > marks[m].serial) slots[i].live = 0;",
    "        else if (slots[i].size > marks[m].sizes[i]) slots[i].size = marks[m].sizes[i];",
    "    }",
    "    size_t used = stats_now().used_bytes;",
    "    expect(used == SIZE_MAX || used <= marks[m].used, \"more is used after a restore than at its mark\", step);",
    "    expect(ROW->stack || count_of_child() <= marks[m].child_count, \"memory taken since a mark was not given back\", step);",
    "}",
    "",
    "static void taken(size_t m) {",
    "    marks[m].order = ++marks_taken;",
    "    marks[m].serial = serial;",
    "    marks[m].used = stats_now().used_bytes;",
    "    marks[m].child_count = count_of_child();",
    "    for (size_t i = 0; i < 256; i++)",
    "        marks[m].sizes[i] = slots[i].size;",
    "}",
    "",
    "/* An operation of the row's own. */",
    "static void operate(size_t step, size_t n, size_t number) {",
    "    const hy_row_operation *operation = &ROW->operations[n];",
    "    size_t m = number % 4, used = stats_now().used_bytes;",
    "    int marked = operation->effect == HY_EFFECT_MARK || operation->effect == HY_EFFECT_RESTORE;",
    "    if (operation->effect == HY_EFFECT_RESTORE && !marks[m].order) return;",
    "    look(step);",
    "    void *state = ROW->operated ? ROW->operated(instance) : instance;",
    "    int good = operation->run(state, number, marked ? &marks[m].of_row : NULL);",
    "    expect(good || !operation->certain, \"an operation was refused that never is\", step);",
    "    if (!good) expect(stats_now().used_bytes == used, \"a refusal changed what is used\", step);",
    "    if (good && operation->effect == HY_EFFECT_MARK) taken(m);",
    "    if (good && operation->effect == HY_EFFECT_RESTORE) restored(step, m), reserved_count = 0;",
    "    if (operation->effect == HY_EFFECT_RESTORE) expect(stats_now().used_bytes <= used, \"more is used after a restore than before it\", step);",
    "    if (good && operation->effect == HY_EFFECT_CAPACITY) budget = number, capacity = number > capacity ? number : capacity;",
    "    if (good && operation->effect == HY_EFFECT_ROOM) reserved_count = 1, reserved_size = number, reserved_align = HY_ALIGN_8;",
    "    if (good && operation->effect == HY_EFFECT_BLOCKS) reserved_count = number, reserved_size = BLOCK_SIZE, reserved_align = hy_align_from_log2(BLOCK_ALIGN_LOG2);",
    "    if (operation->effect != HY_EFFECT_RESTORE && operation->effect != HY_EFFECT_ROOM) expect(stats_now().used_bytes == used, \"an operation changed what is used\", step);",
    "    look(step);",
    "}",
    "",
    "/* Another instance has blocks and ends. */",
    "static void twin(size_t step, size_t size, const hy_config *config) {",
    "    size_t bytes = child_live_bytes;",
    "    hy_align aligns[] = {HY_ALIGN_8, HY_ALIGN_1, HY_ALIGN_16};",
    "    hy_allocator b;",
    "#if COMPOSED",
    "    hy_instance other;",
    "    if (!hy_instance_make(&other, ROW, config)) return;",
    "    b = other.allocator;",
    "    void *state = other.state;",
    "#else",
    "    void *state = ROW->make(ROW, config, &b);",
    "    if (!state) return;",
    "#endif",
    "    for (int i = 0; i < 3; i++) {",
    "        void *block = hy_alloc(b, size, aligns[i]);",
    "        if (!block) continue;",
    "        memset(block, 0xA5, size);",
    "        if (i == 1 || !ROW->reset) hy_free(b, block, size, aligns[i]);",
    "    }",
    "    if (ROW->reset) (void)ROW->reset(state, HY_RESET_RETAIN_CAPACITY, 0);",
    "#if COMPOSED",
    "    hy_instance_destroy(&other);",
    "#else",
    "    ROW->destroy(ROW, state);",
    "#endif",
    "    expect(child_live_bytes == bytes, \"another instance came and went, and the child has not everything back\", step);",
    "    look(step);",
    "}",
    /* clang-format on */
};

static bool has(const hy_row *row, hy_traits traits) {
    return (row->traits & traits) == traits;
}

/* The label of a plugin's row, which is named "name@label"; NULL for a row of this build. */
static const char *label_of(const hy_row *row) {
    const char *at = strchr(row->name, '@');
    return at ? at + 1 : NULL;
}

/* Whether the row can be made only through the registry: a composition of others, or a peer's. */
static bool is_registrys(const hy_row *row) {
    return !label_of(row) && (row->stack != NULL || row->group == HY_GROUP_PEER);
}

static void print_row(FILE *out, const hy_row *row) {
    const char *label = label_of(row);
    if (label) {
        fprintf(out, "/* The row, in whatever plugin the program is linked with. */\n"
                     "static const hy_row *row(void) {\n    const hy_plugin *plugin = heapyard_plugin();\n"
                     "    for (size_t i = 0; i < plugin->row_count; i++) {\n");
        fprintf(out, "        if (strcmp(plugin->rows[i]->name, \"%.*s\") == 0) return plugin->rows[i];\n",
            (int)(label - 1 - row->name), row->name);
        fprintf(out, "    }\n    abort();\n}\n#define ROW (row())\n");
    } else if (is_registrys(row)) {
        fprintf(out, "static hy_instance made;\n#define ROW (made.row)\n");
    } else {
        fprintf(out, "extern const hy_row hy_%s_row;\n#define ROW (&hy_%s_row)\n", row->name, row->name);
    }
}

/* What the program is compiled with: the library and the rows, or the plugin that brings its own. */
static void print_sources(FILE *out, const hy_print_job *job) {
    const char *library = "allocators/core allocators/sources allocators/strategies allocators/decorators";
    const char *registry = is_registrys(job->row) ? " allocators/registry.c allocators/peers" : "";
    const char *rows = label_of(job->row) ? " ! -name '*_row.c'" : "";
    fprintf(
        out, " *       $(find %s%s -maxdepth 1 -name '*.c' ! -name '*_test.c'%s)", library, registry, rows);
    if (label_of(job->row)) fprintf(out, " PLUGIN.so");
    if (job->row_source) fprintf(out, " %s", job->row_source);
}

static void print_comment(FILE *out, const hy_print_job *job) {
    fprintf(out, "/* A reproducer of heapyard's fuzzers: fails (aborts, or a sanitizer tells) while the bug "
                 "is there.\n");
    fprintf(out, " *\n *   %s\n *\n", job->finding);
    fprintf(out, " * From the project's root:\n");
    fprintf(out, " *   gcc -std=gnu17 -D_GNU_SOURCE -DHY_CHECK=2 -DHY_WALK=1 -DHY_SMP_SMALL=1 -g \\\n");
    fprintf(out, " *       -fsanitize=address,undefined -Iallocators/include -Iallocators/plugin/include -I. "
                 "THIS.c \\\n");
    print_sources(out, job);
    fprintf(out, " -lpthread -ldl\n */\n");
    fprintf(out, "#ifndef HY_CHECK\n#define HY_CHECK 2\n#endif\n");
    if (is_registrys(job->row)) fprintf(out, "#include \"allocators/registry.h\"\n");
    fprintf(out, "#include <heapyard/plugin.h>\n#include <heapyard/typed.h>\n#include <stdio.h>\n#include "
                 "<stdlib.h>\n#include <string.h>\n\n");
    print_row(out, job->row);
}

static long refusal(uint16_t index) {
    return index == HY_BYTES_NEVER ? -1 : (long)index;
}

static void print_constants(FILE *out, const hy_print_job *job) {
    const hy_fault_policy *faults = &job->faults;
    bool footprint = job->claim == HY_PRINT_FOOTPRINT;
    fprintf(out, "#define FIXED_CAPACITY %d\n",
        has(job->row, HY_TRAIT_FIXED_CAPACITY) && !has(job->row, HY_TRAIT_FIXED_BLOCK));
    fprintf(out, "#define COUNTS_ALL %d\n", has(job->row, HY_TRAIT_FREE_ANY | HY_TRAIT_REAL_FREE));
    fprintf(out, "#define CAPACITY ((size_t)%zu)\n", job->config.capacity);
    bool blocks = has(job->row, HY_TRAIT_FIXED_BLOCK);
    hy_align align = job->config.block_align.log2 ? job->config.block_align : job->row->greatest_align;
    fprintf(out, "#define HAS_BUDGET %d\n", has(job->row, HY_TRAIT_FIXED_CAPACITY));
    fprintf(out,
        "#define FIT_GRAIN %u\n#define BLOCK_SIZE %zu\n#define BLOCK_ALIGN_LOG2 %u\n#define COMPOSED %d\n",
        job->row->promises.fit_grain, blocks ? job->config.block_size : 0, align.log2,
        is_registrys(job->row));
    fprintf(out, "#define CHILD_GROWS %d\n#define CHILD_MOVES %d\n#define CHILD_ONCE %d\n", faults->grows,
        faults->moves, faults->once);
    fprintf(out, "#define CHILD_ALLOC_REFUSAL %ldL\n", refusal(faults->alloc_refusal));
    fprintf(out, "#define CHILD_RESIZE_REFUSAL %ldL\n", refusal(faults->resize_refusal));
    fprintf(out, "#define CHILD_REMAP_REFUSAL %ldL\n", refusal(faults->remap_refusal));
    fprintf(out, "#define FOOTPRINT_STEP ((size_t)%zd)\n", footprint ? (ptrdiff_t)job->step : -1);
    fprintf(out, "#define FOOTPRINT_BYTES ((size_t)%zuu)\n\n", footprint ? job->bytes : SIZE_MAX);
}

static void print_make(FILE *out, const hy_print_job *job) {
    const hy_config *config = &job->config;
    bool composed = is_registrys(job->row);
    fprintf(out,
        "\nint main(void) {\n    hy_config config = {.capacity = %zu, .block_size = %zu, .block_align = "
        "{%u}, .options = 0x%x};\n",
        config->capacity, config->block_size, config->block_align.log2, config->options);
    if (job->config.child.vtable)
        fprintf(out, "    config.child = (hy_allocator){NULL, &child_vtable};\n");
    else
        fprintf(out, "    (void)child_vtable;\n");
    if (composed) {
        fprintf(out, "    int is_made = hy_instance_make(&made, hy_registry_find(\"%s\"), &config);\n",
            job->row->name);
        fprintf(out, "    instance = is_made ? made.state : NULL;\n    a = made.allocator;\n");
    } else {
        fprintf(out, "    instance = ROW->make(ROW, &config, &a);\n");
    }
    bool must = job->claim == HY_PRINT_MUST && job->history->count == 0;
    fprintf(out, "    if (!instance) {\n        expect(%s, \"an instance could not be made\", 0);\n",
        must ? "0" : "child_live_bytes == 0");
    fprintf(out,
        "        return 0;\n    }\n    size_t child_bytes = child_live_bytes;\n    (void)child_bytes;\n");
}

static const char *expectation(const hy_print_job *job, size_t step) {
    if (step != job->step) return "MAY";
    return job->claim == HY_PRINT_MUST ? "MUST" : job->claim == HY_PRINT_MUST_NOT ? "MUST_NOT" : "MAY";
}

/* A size as an expression: some follow from what is left. */
static const char *size_text(hy_op op, char text[SIZE_TEXT]) {
    if (op.flags & HY_OP_OF_ROOM)
        (void)snprintf(text, SIZE_TEXT, "room() + (size_t)%" PRId64, (int64_t)op.size);
    else
        (void)snprintf(text, SIZE_TEXT, "%" PRIu64 "u", op.size);
    return text;
}

static void print_special(FILE *out, size_t step, hy_op op, const char *number) {
    if (op.slot == HY_OP_TWIN)
        fprintf(out, "twin(%zu, (%s) %% 4096 + 1, &config);\n", step, number);
    else
        fprintf(out, "operate(%zu, %u, %s);\n", step, op.slot, number);
}

static void print_call(FILE *out, const hy_print_job *job, size_t step) {
    static const char *const modes[] = {
        "HY_RESET_FREE_ALL", "HY_RESET_RETAIN_CAPACITY", "HY_RESET_RETAIN_WITH_LIMIT", "HY_RESET_FREE_ALL"};
    static const char hows[HY_OP_KIND_COUNT] = {
        [HY_OP_REALLOC] = 'a', [HY_OP_RESIZE] = 'r', [HY_OP_REMAP] = 'm'};
    hy_op op = job->history->ops[step];
    char text[SIZE_TEXT];
    const char *size = size_text(op, text);
    const char *wanted = expectation(job, step);
    fprintf(out, "    ");
    switch ((hy_op_kind)op.kind) {
    case HY_OP_ALLOC:
        fprintf(out, "alloc%s(%zu, %u, %s, %u, %s);\n", op.flags & HY_OP_ZEROED ? "_zeroed" : "", step,
            op.slot, size, op.align_log2, wanted);
        break;
    case HY_OP_FREE:
        fprintf(
            out, "end(%zu, %u, %d);\n", step, op.slot, job->claim == HY_PRINT_NEWEST && step == job->step);
        break;
    case HY_OP_REALLOC:
    case HY_OP_RESIZE:
    case HY_OP_REMAP:
        fprintf(out, "change(%zu, '%c', %u, %s, %s);\n", step, hows[op.kind], op.slot, size, wanted);
        break;
    case HY_OP_SPECIAL:
        print_special(out, step, op, size);
        break;
    case HY_OP_RESET:
        fprintf(out, "reset(%zu, %s, %" PRIu64 "u, child_bytes);\n", step, modes[op.size & 3], op.size >> 2);
        break;
    default:
        fprintf(out, "look(%zu);\n", step);
    }
}

static void print_end(FILE *out, const hy_print_job *job) {
    size_t step = job->history->count;
    bool composed = is_registrys(job->row);
    if (!has(job->row, HY_TRAIT_BULK_RESET))
        fprintf(out, "    for (size_t i = 0; i < 256; i++)\n        end(%zu, i, 0);\n", step);
    fprintf(out, composed ? "    hy_instance_destroy(&made);\n" : "    ROW->destroy(ROW, instance);\n");
    fprintf(out, "    expect(child_live_bytes == 0, \"the child has not everything back\", %zu);\n", step);
    fprintf(out, "    (void)alloc, (void)alloc_zeroed, (void)change, (void)end, (void)reset;\n    "
                 "(void)operate, (void)twin, (void)room;\n    return 0;\n}\n");
}

bool hy_print_c(FILE *out, const hy_print_job *job) {
    print_comment(out, job);
    print_constants(out, job);
    for (size_t i = 0; i < sizeof prologue / sizeof prologue[0]; i++)
        fprintf(out, "%s\n", prologue[i]);
    print_make(out, job);
    for (size_t i = 0; i < job->history->count; i++)
        print_call(out, job, i);
    print_end(out, job);
    return fflush(out) == 0 && !ferror(out);
}
