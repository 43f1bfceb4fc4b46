/* tree_nodes.c: a binary search tree whose nodes come from a pool.
 *
 * All nodes have one size and are freed in any order. The node freed last is the next one allocated, while it
 * is still in the cache. The typed pool knows the type: create returns a node, destroy accepts only nodes.
 *
 *   $ tree_nodes
 *   in order: 1 3 4 6 7 9
 *   without 1 and 9: 3 4 6 7
 *   the next node lies where the last one was: yes
 *   live: 5 nodes
 *   after reset: 0 nodes, room for 64 kept
 */
#include <heapyard/heapyard.h>
#include <stdio.h>

typedef struct node {
    struct node *left, *right;
    int key;
} node;

typedef hy_typed_pool(node) node_pool;

/* False: out of memory, the tree is unchanged. */
static bool insert(node_pool *pool, node **place, int key) {
    while (*place)
        place = key < (*place)->key ? &(*place)->left : &(*place)->right;
    node *made = hy_typed_pool_create(pool);
    if (!made) return false;
    *made = (node){NULL, NULL, key};
    *place = made;
    return true;
}

/* Removes the least or the greatest node and returns it to the pool; returns its former address. */
static node *drop_end(node_pool *pool, node **place, bool greatest) {
    while (greatest ? (*place)->right : (*place)->left)
        place = greatest ? &(*place)->right : &(*place)->left;
    node *end = *place;
    *place = greatest ? end->left : end->right;
    hy_typed_pool_destroy(pool, end);
    return end;
}

static void print(const node *tree) {
    if (!tree) return;
    print(tree->left);
    printf(" %d", tree->key);
    print(tree->right);
}

int main(void) {
    node_pool pool;
    if (hy_typed_pool_init(&pool, hy_libc(), &(hy_pool_options){.preheat = 64}) != HY_OK) return 1;

    node *tree = NULL;
    const int keys[] = {6, 3, 9, 1, 4, 7};
    for (size_t i = 0; i < 6; i++) {
        if (!insert(&pool, &tree, keys[i])) return 1;
    }
    printf("in order:");
    print(tree);

    drop_end(&pool, &tree, false);
    node *gone = drop_end(&pool, &tree, true);
    printf("\nwithout 1 and 9:");
    print(tree);

    node *next = hy_typed_pool_create(&pool);
    printf("\nthe next node lies where the last one was: %s\n", next == gone ? "yes" : "no");
    printf("live: %zu nodes\n", hy_pool_live(&pool.pool));

    hy_pool_reset(&pool.pool, HY_ARENA_RETAIN_CAPACITY, 0);
    bool roomy = hy_pool_capacity(&pool.pool) >= 64;
    printf("after reset: %zu nodes, room for 64 %s\n", hy_pool_live(&pool.pool), roomy ? "kept" : "lost");
    hy_pool_deinit(&pool.pool);
    return 0;
}
