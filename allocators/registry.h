/* registry.h: table 1: every allocator and composition that this build knows.
 *
 * A row is a constant in a file beside its allocator's (arena_row.c), and one line of rows.def. Rows that
 * can't be built here stay listed with what to install.
 */
#ifndef HEAPYARD_REGISTRY_H
#define HEAPYARD_REGISTRY_H

#include <heapyard/plugin.h>

/* The rows in the order of the table: floors, sources, strategies, decorators, compositions, peers.
 * The array lives for the whole process. Traits of compositions are computed. Thread-safe after the
 * first call. */
const hy_row *const *hy_registry_rows(size_t *count);

/* For a plugin of this library's own rows: writes the rows but for the peers into *plugin and makes it
 * their origin, so that they stand on each other wherever they are loaded. *plugin must live as long as
 * the rows. Call it before any instance is made; once is enough. */
void hy_registry_export(hy_plugin *plugin);

/* The row of that name, also a missing one; NULL where there is none. */
const hy_row *hy_registry_find(const char *name);

/* The same among the rows that `row` came with: a plugin's row stands on that plugin's own. */
const hy_row *hy_registry_near(const hy_row *row, const char *name);

/* A composition of rows by their names, from the top, NULL-terminated: what it can do and promises follows
 * from its layers. `stack` and `name` must outlive *out. */
void hy_registry_compose(const char *const *stack, const char *name, hy_row *out);

/* What the row promises beyond its traits: defaults are filled in, and all layers of a composition count. */
hy_promises hy_registry_promises(const hy_row *row);

/* Insertions, deletions and replacements between two names: how near what somebody typed is to what is
 * there. What is longer than 64 characters counts as cut off there. O(product of the lengths). */
size_t hy_name_distance(const char *left, const char *right);

/* The name closest to what somebody typed, for "did you mean"; never NULL. */
const char *hy_registry_suggest(const char *name);

#define HY_INSTANCE_BELOW_MAX 8 /* children that are made for an instance, each below the one before it */

/* An instance of a row and, below it, of the rows it needs as children. */
typedef struct hy_instance {
    const hy_row *row;
    hy_allocator allocator;
    void *state; /* what row->make returned: for reset, owns, check, stats */
    struct {
        const hy_row *row;
        void *state;
    } below[HY_INSTANCE_BELOW_MAX]; /* children that were made for it, from the top down */
    size_t below_count;
} hy_instance;

/* Makes an instance of `row` over config->child where config gives one (config->child.vtable is not
 * NULL), else over the row's default child, made for it. config may be NULL for all defaults.
 * False: refused, or the row is missing; nothing is kept. */
bool hy_instance_make(hy_instance *instance, const hy_row *row, const hy_config *config);
void hy_instance_destroy(hy_instance *instance);

/* Present operations of the top row, by its state; false or 0 where the row has none. */
bool hy_instance_reset(hy_instance *instance, hy_reset_mode mode, size_t limit);
bool hy_instance_check(hy_instance *instance);
bool hy_instance_stats(hy_instance *instance, hy_stats *out);
/* One of the row's operations, operation < its operation_count. */
bool hy_instance_operate(hy_instance *instance, size_t operation, size_t number, hy_mark *mark);
/* What it tells, all of *told being written; of a block: false where the row tells nothing. */
void hy_instance_tell(const hy_instance *instance, hy_told *told);
bool hy_instance_tell_block(const hy_instance *instance, const void *block, size_t *size, hy_align *align);

const char *hy_group_name(hy_group group);
/* The name of the trait of bit `bit`, 0 … HY_TRAIT_COUNT - 1, as documents print it. */
const char *hy_trait_name(unsigned bit);

#endif
