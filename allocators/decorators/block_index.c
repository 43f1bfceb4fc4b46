/* block_index.c: a B+-tree of live blocks by address.
 *
 * For: allocators that check their users and their child. Not for: a thousand threads; it has no lock.
 * Algorithm: a hash table would find a block faster than a tree, but says nothing of its neighbours, and
 *   overlap is a question about neighbours: the block below must end before, the one above begin behind.
 *   A map of pages answers it too, but pays for each page of a large block, and for bytes where blocks are
 *   packed as tightly as an arena does. So the tree does both, in one walk from the root:
 *
 *                 [ - | 4000 | 9000 ]              entry i leads to addresses from its own up to the next's;
 *                /       |        \                the first has no lower bound
 *     [1000 1400] <-> [4000 4800] <-> [9000 ...]   leaves: address, size, alignment; linked both ways
 *
 *   An addition splits full nodes on its way down, a removal mends sparse ones (joins two that fit well in
 *   one, else levels them), so that neither comes back up. What an addition may need is fetched before.
 * Cost: O(log n); 32 entries a node. Overhead per block: 18 to
 *   72 bytes. Thread-safe: no.
 */
#include <heapyard/block_index.h>
#include <heapyard/typed.h>

enum { FANOUT = 32, SPARSE = FANOUT / 4, JOINED_MAX = FANOUT * 3 / 4, SPARES_KEPT = 4 };

struct hy_block_index_node {
    uint32_t count;
    uint32_t height;             /* 0: a leaf */
    uintptr_t addresses[FANOUT]; /* behind the last entry: UINTPTR_MAX */
    union {
        size_t sizes[FANOUT];
        hy_block_index_node *children[FANOUT];
    };
    uint8_t align_log2s[FANOUT]; /* leaves */
    hy_block_index_node *before; /* leaves: the neighbours */
    hy_block_index_node *after;  /* spares: the next one */
};

typedef hy_block_index_node node;

_Static_assert(FANOUT == 32, "a search looks at four eights");
_Static_assert(sizeof(size_t) == sizeof(node *), "an entry's size and its child take the same room");

size_t hy_block_index_bytes(const hy_block_index *index) {
    return index->node_count * sizeof(node);
}

bool hy_block_index_reserve_more(hy_block_index *index) {
    while (index->spare_count < index->height + 2) {
        node *spare = hy_create(index->memory, node);
        if (!spare) return false;
        spare->after = index->spares;
        index->spares = spare;
        index->spare_count++;
        index->node_count++;
    }
    return true;
}

static node *take_spare(hy_block_index *index, uint32_t height) {
    HY_ASSERT(index->spare_count != 0, "a node is taken where none is ready");
    node *taken = index->spares;
    index->spares = taken->after;
    index->spare_count--;
    taken->count = 0;
    memset(taken->addresses, 0xFF, sizeof taken->addresses);
    taken->height = height;
    taken->before = taken->after = NULL;
    return taken;
}

static void give_node(hy_block_index *index, node *given) {
    HY_ASSERT(index->spare_count < index->node_count, "more nodes are ready than exist");
    if (index->spare_count >= index->height + 2 + SPARES_KEPT) {
        hy_destroy(index->memory, given);
        index->node_count--;
        return;
    }
    given->after = index->spares;
    index->spares = given;
    index->spare_count++;
}

static void destroy_nodes(hy_block_index *index, node *top) {
    for (uint32_t i = 0; top->height && i < top->count; i++)
        destroy_nodes(index, top->children[i]);
    hy_destroy(index->memory, top);
}

void hy_block_index_deinit(hy_block_index *index) {
    if (index->root) destroy_nodes(index, index->root);
    for (node *spare = index->spares; spare;) {
        node *after = spare->after;
        hy_destroy(index->memory, spare);
        spare = after;
    }
    *index = (hy_block_index)HY_BLOCK_INDEX_INIT(index->memory);
}

HY_INLINE uint32_t rank_of_eight(const uintptr_t *addresses, uintptr_t address) {
    uint32_t low = (uint32_t)(addresses[0] <= address) + (addresses[1] <= address) +
                   (addresses[2] <= address) + (addresses[3] <= address);
    uint32_t high = (uint32_t)(addresses[4] <= address) + (addresses[5] <= address) +
                    (addresses[6] <= address) + (addresses[7] <= address);
    return low + high;
}

/* How many of the node's addresses are at most `address`: first how many eights end at or below it, then
 * within the next eight. Comparisons that don't wait for each other, and sums instead of branches: a
 * binary search's steps do wait, or are predicted wrongly. */
HY_INLINE uint32_t rank_of(const node *n, uintptr_t address) {
    const uintptr_t *addresses = n->addresses;
    uint32_t eights =
        (uint32_t)(addresses[7] <= address) + (addresses[15] <= address) + (addresses[23] <= address);
    uint32_t rank = eights * 8 + rank_of_eight(addresses + (size_t)eights * 8, address);
    return rank < n->count ? rank : n->count;
}

/* Which child an address belongs to. */
HY_INLINE uint32_t child_of(const node *n, uintptr_t address) {
    uint32_t rank = rank_of(n, address);
    return rank ? rank - 1 : 0;
}

HY_INLINE hy_indexed_block block_at(const node *leaf, uint32_t at) {
    return (hy_indexed_block){leaf->addresses[at], leaf->sizes[at], {leaf->align_log2s[at]}};
}

/* The entries behind are gone. */
HY_INLINE void cut_entries(node *n, uint32_t count) {
    for (uint32_t i = count; i < n->count; i++)
        n->addresses[i] = UINTPTR_MAX;
    n->count = count;
}

/* Moves `count` entries from one place to another, which may be in the same node; counts stay. */
HY_INLINE void move_entries(node *to, uint32_t to_at, const node *from, uint32_t from_at, uint32_t count) {
    memmove(&to->addresses[to_at], &from->addresses[from_at], count * sizeof to->addresses[0]);
    memmove(&to->sizes[to_at], &from->sizes[from_at], count * sizeof to->sizes[0]);
    memmove(&to->align_log2s[to_at], &from->align_log2s[from_at], count);
}

/* Makes room for one entry. */
HY_INLINE void open_entry(node *n, uint32_t at) {
    HY_ASSERT(n->count < FANOUT, "an entry is put into a full node");
    HY_ASSERT(at <= n->count, "an entry is put behind a node's end");
    move_entries(n, at + 1, n, at, n->count - at);
    n->count++;
}

HY_INLINE void close_entry(node *n, uint32_t at) {
    HY_ASSERT(at < n->count, "an entry is taken from behind a node's end");
    move_entries(n, at, n, at + 1, n->count - at - 1);
    cut_entries(n, n->count - 1);
}

static void link_after(node *left, node *right) {
    right->after = left->after;
    right->before = left;
    if (left->after) left->after->before = right;
    left->after = right;
}

/* Takes out a leaf that has another before it. */
static void unlink_leaf(node *leaf) {
    leaf->before->after = leaf->after;
    if (leaf->after) leaf->after->before = leaf->before;
}

/* The upper half of a full child becomes the parent's next one. Requires: a parent with room. */
static void split_child(hy_block_index *index, node *parent, uint32_t at) {
    node *left = parent->children[at];
    HY_ASSERT(left->count == FANOUT, "a node is split that is not full");
    HY_ASSERT(parent->count < FANOUT, "a node is split whose parent is full");
    node *right = take_spare(index, left->height);
    right->count = left->count / 2;
    move_entries(right, 0, left, left->count - right->count, right->count);
    cut_entries(left, left->count - right->count);
    if (left->height == 0) link_after(left, right);
    open_entry(parent, at + 1);
    parent->addresses[at + 1] = right->addresses[0];
    parent->children[at + 1] = right;
    HY_ASSERT_WALK(parent != index->root || hy_block_index_check(index));
}

static void grow_root(hy_block_index *index) {
    node *top = take_spare(index, index->root->height + 1);
    top->count = 1;
    top->addresses[0] = 0;
    top->children[0] = index->root;
    index->root = top;
    index->height = top->height;
}

/* The leaf where an address belongs, with room for it. */
static node *leaf_with_room(hy_block_index *index, uintptr_t address) {
    if (!index->root) index->root = take_spare(index, 0);
    if (index->root->count == FANOUT) {
        grow_root(index);
        split_child(index, index->root, 0);
    }
    node *n = index->root;
    while (n->height) {
        uint32_t at = child_of(n, address);
        if (HY_UNLIKELY(n->children[at]->count == FANOUT)) {
            split_child(index, n, at);
            at = child_of(n, address);
        }
        n = n->children[at];
    }
    return n;
}

/* The last block that begins at or below the address whose rank in the leaf is `rank`. */
HY_INLINE bool block_below(const node *leaf, uint32_t rank, hy_indexed_block *out) {
    const node *holder = rank ? leaf : leaf->before;
    if (!holder) return false;
    *out = block_at(holder, rank ? rank - 1 : holder->count - 1);
    return true;
}

/* The first block that begins above it. */
HY_INLINE bool block_above(const node *leaf, uint32_t rank, hy_indexed_block *out) {
    const node *holder = rank < leaf->count ? leaf : leaf->after;
    if (!holder) return false;
    *out = block_at(holder, rank < leaf->count ? rank : 0);
    return true;
}

bool hy_block_index_add(hy_block_index *index, hy_indexed_block block, hy_indexed_block *clash) {
    HY_ASSERT(index->spare_count >= index->height + 2, "an addition for which no room was reserved");
    node *leaf = leaf_with_room(index, block.address);
    uint32_t rank = rank_of(leaf, block.address);
    hy_indexed_block other;
    if ((block_below(leaf, rank, &other) && block.address - other.address < other.size) ||
        (block_above(leaf, rank, &other) && other.address - block.address < block.size)) {
        *clash = other;
        return false;
    }
    open_entry(leaf, rank);
    leaf->addresses[rank] = block.address;
    leaf->sizes[rank] = block.size;
    leaf->align_log2s[rank] = block.align.log2;
    HY_ASSERT(rank == 0 || leaf->addresses[rank - 1] < block.address, "a block lies before the one below it");
    HY_ASSERT(rank + 1 == leaf->count || leaf->addresses[rank + 1] > block.address,
        "a block lies behind the one above it");
    index->block_count++;
    index->live_bytes += block.size;
    return true;
}

/* Joins two neighbours in the left one. */
static void join_children(hy_block_index *index, node *parent, uint32_t at) {
    node *left = parent->children[at], *right = parent->children[at + 1];
    HY_ASSERT(left->count + right->count <= FANOUT, "two nodes are joined that do not fit in one");
    move_entries(left, left->count, right, 0, right->count);
    left->count += right->count;
    if (right->height == 0) unlink_leaf(right);
    close_entry(parent, at + 1);
    give_node(index, right);
}

/* Moves entries between two neighbours until they have as many. */
static void level_children(node *parent, uint32_t at) {
    node *left = parent->children[at], *right = parent->children[at + 1];
    uint32_t half = (left->count + right->count) / 2;
    if (left->count < half) {
        uint32_t moved = half - left->count;
        move_entries(left, left->count, right, 0, moved);
        move_entries(right, 0, right, moved, right->count - moved);
        left->count += moved;
        cut_entries(right, right->count - moved);
    } else {
        uint32_t moved = left->count - half;
        move_entries(right, moved, right, 0, right->count);
        move_entries(right, 0, left, half, moved);
        cut_entries(left, half);
        right->count += moved;
    }
    parent->addresses[at + 1] = right->addresses[0];
    HY_ASSERT(left->count >= SPARSE, "levelling leaves the left node sparse");
    HY_ASSERT(right->count >= SPARSE, "levelling leaves the right node sparse");
}

/* A sparse child is joined with a neighbour, or gets some of its entries. The first address of an inner node
 * is not looked at where it stands, but is the one that its parent has for it: so it can take any place. */
static void mend_child(hy_block_index *index, node *parent, uint32_t at) {
    if (at + 1 == parent->count) at--;
    node *left = parent->children[at], *right = parent->children[at + 1];
    if (left->count + right->count <= JOINED_MAX)
        join_children(index, parent, at);
    else
        level_children(parent, at);
    HY_ASSERT_WALK(parent != index->root || parent->count == 1 || hy_block_index_check(index));
}

static void lower_root(hy_block_index *index) {
    node *top = index->root;
    HY_ASSERT(top->count == 1, "a root with several children is taken away");
    index->root = top->children[0];
    index->height = index->root->height;
    give_node(index, top);
    HY_ASSERT_WALK(hy_block_index_check(index));
}

/* The leaf that holds the address if any does; on the way no node but the root is left sparse. */
static node *leaf_to_shrink(hy_block_index *index, uintptr_t address) {
    node *n = index->root;
    while (n->height) {
        uint32_t at = child_of(n, address);
        if (HY_UNLIKELY(n->children[at]->count <= SPARSE)) {
            mend_child(index, n, at);
            at = child_of(n, address);
        }
        n = n->children[at];
        if (HY_UNLIKELY(index->root->count == 1)) lower_root(index);
    }
    return n;
}

/* Compares the block with what the leaf has where it would stand. */
HY_INLINE hy_block_index_result compare_at(
    const node *leaf, uint32_t rank, hy_indexed_block block, hy_indexed_block *found) {
    *found = (hy_indexed_block){0, 0, {0}};
    hy_indexed_block below;
    if (!block_below(leaf, rank, &below)) return HY_BLOCK_INDEX_UNKNOWN;
    if (block.address - below.address < below.size) *found = below;
    if (below.address != block.address) return HY_BLOCK_INDEX_UNKNOWN;
    bool same = below.size == block.size && below.align.log2 == block.align.log2;
    return same ? HY_BLOCK_INDEX_SAME : HY_BLOCK_INDEX_DIFFERS;
}

hy_block_index_result hy_block_index_remove(
    hy_block_index *index, hy_indexed_block block, hy_indexed_block *found) {
    *found = (hy_indexed_block){0, 0, {0}};
    if (!index->root) return HY_BLOCK_INDEX_UNKNOWN;
    node *leaf = leaf_to_shrink(index, block.address);
    uint32_t rank = rank_of(leaf, block.address);
    hy_block_index_result result = compare_at(leaf, rank, block, found);
    if (result != HY_BLOCK_INDEX_SAME) return result;
    HY_ASSERT(index->block_count != 0, "a block is removed from an empty index");
    HY_ASSERT(index->live_bytes >= block.size, "a block is larger than all in the index together");
    close_entry(leaf, rank - 1);
    index->block_count--;
    index->live_bytes -= block.size;
    return result;
}

static node *leaf_of(const hy_block_index *index, uintptr_t address) {
    node *n = index->root;
    while (n->height)
        n = n->children[child_of(n, address)];
    return n;
}

hy_block_index_result hy_block_index_find(
    const hy_block_index *index, hy_indexed_block block, hy_indexed_block *found) {
    *found = (hy_indexed_block){0, 0, {0}};
    if (!index->root) return HY_BLOCK_INDEX_UNKNOWN;
    const node *leaf = leaf_of(index, block.address);
    return compare_at(leaf, rank_of(leaf, block.address), block, found);
}

bool hy_block_index_resize(hy_block_index *index, uintptr_t address, size_t size, hy_indexed_block *clash) {
    node *leaf = leaf_of(index, address);
    uint32_t rank = rank_of(leaf, address);
    HY_ASSERT(rank && leaf->addresses[rank - 1] == address, "a block to resize that is not in the index");
    if (block_above(leaf, rank, clash) && clash->address - address < size) return false;
    index->live_bytes += size - leaf->sizes[rank - 1];
    leaf->sizes[rank - 1] = size;
    return true;
}

static const node *first_leaf(const hy_block_index *index) {
    const node *n = index->root;
    while (n && n->height)
        n = n->children[0];
    return n;
}

void hy_block_index_each(
    const hy_block_index *index, void (*visit)(void *context, hy_indexed_block block), void *context) {
    for (const node *leaf = first_leaf(index); leaf; leaf = leaf->after) {
        for (uint32_t i = 0; i < leaf->count; i++)
            visit(context, block_at(leaf, i));
    }
}

/* What a walk has seen. */
typedef struct walk {
    size_t nodes, blocks, bytes;
    const node *leaf; /* the last one */
    uintptr_t end;    /* of the last block */
} walk;

static bool leaf_holds(walk *w, const node *leaf, uintptr_t low, uintptr_t high) {
    if (leaf->before != w->leaf || (w->leaf && w->leaf->after != leaf)) return false;
    w->leaf = leaf;
    for (uint32_t i = 0; i < leaf->count; i++) {
        hy_indexed_block block = block_at(leaf, i);
        if (block.address < low || block.address > high || block.address < w->end) return false;
        if (block.size == 0 || block.size - 1 > UINTPTR_MAX - block.address) return false;
        w->end = block.address + block.size;
        w->blocks++;
        w->bytes += block.size;
    }
    return true;
}

/* Every address below `top` lies in [low, high]. */
static bool nodes_hold(walk *w, const node *top, bool is_root, uintptr_t low, uintptr_t high) {
    w->nodes++;
    if (top->count > FANOUT || (!is_root && top->count < SPARSE)) return false;
    for (uint32_t i = top->count; i < FANOUT; i++) {
        if (top->addresses[i] != UINTPTR_MAX) return false;
    }
    if (top->height == 0) return leaf_holds(w, top, low, high);
    if (top->count < 2 || (low && top->addresses[0] != low)) return false;
    for (uint32_t i = 0; i < top->count; i++) {
        uintptr_t from = i ? top->addresses[i] : low;
        bool is_last = i + 1 == top->count;
        bool in_order = is_last ? from <= high : from < top->addresses[i + 1];
        if (!in_order || top->children[i]->height + 1 != top->height) return false;
        uintptr_t to = is_last ? high : top->addresses[i + 1] - 1;
        if (!nodes_hold(w, top->children[i], false, from, to)) return false;
    }
    return true;
}

bool hy_block_index_check(const hy_block_index *index) {
    walk w = {0, 0, 0, NULL, 0};
    if (index->root) {
        if (index->root->height != index->height) return false;
        if (!nodes_hold(&w, index->root, true, 0, UINTPTR_MAX) || w.leaf->after) return false;
    }
    size_t spares = 0;
    for (const node *spare = index->spares; spare; spare = spare->after)
        spares++;
    return spares == index->spare_count && w.nodes + spares == index->node_count &&
           w.blocks == index->block_count && w.bytes == index->live_bytes;
}
