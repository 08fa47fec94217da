#include "cache/shelf_table.h"

#include <string.h>

#include "base/check.h"

/* The low halves of the tags come first: what is compared stands together. Behind the `cap` of them are as
 * many items, aligned since `cap` is odd. */
struct shelf_leaf {
    uint16_t n, cap;
    uint32_t tags[];
};

#define SEGMENT      ((uint32_t)32) /* leaves */
#define PLACES_LEAST ((uint32_t)4)

/* Items in a leaf, on average: with more the table splits one, with fewer it merges two. A leaf that is not
 * split yet has up to twice as many, and as chance wants. */
#define SPLIT ((uint32_t)24)
#define MERGE ((uint32_t)16)
/* No leaf has more, so that it is in a page. Chance alone fills none: then there was no memory to split. */
#define LEAF_MOST ((uint32_t)203)

#define SEGMENT_BYTES (SEGMENT * sizeof(struct shelf_leaf *))

/* ---- memory ---- */

static void *take(struct shelf_room *room, size_t bytes)
{
    void *p = memory_take(room->memory, bytes);
    if (!p)
        return NULL;
    memory_charge_books(room->memory, (int64_t)memory_cost(bytes));
    atomic_fetch_add_explicit(&room->bytes, memory_cost(bytes), memory_order_relaxed);
    return p;
}

static void give(struct shelf_room *room, void *p, size_t bytes)
{
    if (!p)
        return;
    memory_charge_books(room->memory, -(int64_t)memory_cost(bytes));
    atomic_fetch_sub_explicit(&room->bytes, memory_cost(bytes), memory_order_relaxed);
    memory_give(room->memory, p, bytes);
}

/* ---- a leaf ---- */

static size_t leaf_bytes(uint32_t cap)
{
    return sizeof(struct shelf_leaf) + cap * (sizeof(uint32_t) + sizeof(struct shelf_packed));
}
_Static_assert(sizeof(struct shelf_leaf) + LEAF_MOST * 20 <= HEAP_SMALL && LEAF_MOST % 2 == 1,
               "it is in a page");

static struct shelf_packed *leaf_items(struct shelf_leaf *l)
{
    return (struct shelf_packed *)(void *)(l->tags + l->cap);
}

/* Items that a leaf of n items has room for beyond them, so that not each one that comes moves the leaf. */
static uint32_t leaf_spare(uint32_t n)
{
    return 1 + n / 16;
}

static uint32_t leaf_cap(uint32_t n)
{
    uint32_t cap = (n + leaf_spare(n)) | 1;
    return cap < LEAF_MOST ? cap : LEAF_MOST;
}

/* Makes a leaf without items that has room for n and some. NULL: there is no memory. */
static struct shelf_leaf *leaf_new(struct shelf_room *room, uint32_t n)
{
    CHECK(n <= LEAF_MOST);
    uint32_t cap = leaf_cap(n);
    struct shelf_leaf *l = take(room, leaf_bytes(cap));
    if (l)
        *l = (struct shelf_leaf){ 0, (uint16_t)cap };
    return l;
}

static void leaf_free(struct shelf_room *room, struct shelf_leaf **l)
{
    if (*l)
        give(room, *l, leaf_bytes((*l)->cap));
    *l = NULL;
}

static void leaf_append(struct shelf_leaf *l, uint32_t tag_low, struct shelf_packed item)
{
    CHECK(l->n < l->cap);
    l->tags[l->n] = tag_low;
    leaf_items(l)[l->n++] = item;
}

/* Moves the leaf, which may be NULL, to a piece with room for `n` and some. false: there is no memory; it
 * stays. */
static bool leaf_resize(struct shelf_room *room, struct shelf_leaf **l, uint32_t n)
{
    struct shelf_leaf *to = leaf_new(room, n);
    if (!to)
        return false;
    if (*l) {
        CHECK((*l)->n <= to->cap);
        to->n = (*l)->n;
        memcpy(to->tags, (*l)->tags, to->n * sizeof(*to->tags));
        memcpy(leaf_items(to), leaf_items(*l), to->n * sizeof(struct shelf_packed));
    }
    leaf_free(room, l);
    *l = to;
    return true;
}

/* Lets go of what a leaf has no use for. Without memory for a smaller one it stays. */
static void leaf_trim(struct shelf_room *room, struct shelf_leaf **l)
{
    if (!*l)
        return;
    uint32_t n = (*l)->n;
    if (n == 0)
        leaf_free(room, l);
    else if ((*l)->cap > n + 2 * leaf_spare(n) + 1)
        leaf_resize(room, l, n);
}

/* Returns the number of the item in its leaf; the leaf's n: it is not there. */
static uint32_t leaf_find(struct shelf_leaf *l, uint64_t tag)
{
    uint32_t low = (uint32_t)tag, i = 0;
    while (i < l->n && (l->tags[i] != low || leaf_items(l)[i].tag_high != tag >> 32))
        i++;
    return i;
}

/* ---- the table ---- */

static struct shelf_leaf **leaf_at(const struct shelf_table *t, uint32_t i)
{
    return &t->segments[i / SEGMENT][i % SEGMENT];
}

/* Returns the leaf of a tag, of a table that has leaves. */
static struct shelf_leaf **leaf_of(const struct shelf_table *t, uint32_t tag_low)
{
    uint32_t i = tag_low & t->mask;
    return leaf_at(t, i < t->leaves ? i : i & t->mask >> 1);
}

static uint32_t segments_of(uint32_t leaves)
{
    return (leaves + SEGMENT - 1) / SEGMENT;
}

/* The array of pointers to segments is the one thing that moves as a whole: 8 bytes for some 700 items. */
static bool resize_places(struct shelf_table *t, struct shelf_room *room, uint32_t places)
{
    const size_t place = sizeof(*t->segments);
    uint32_t n = segments_of(t->leaves);
    struct shelf_leaf ***segments = take(room, places * place);
    if (!segments)
        return false;
    if (n)
        memcpy(segments, t->segments, n * place);
    give(room, t->segments, t->places * place);
    t->segments = segments;
    t->places = places;
    return true;
}

/* Makes room for one leaf more. */
static bool add_place(struct shelf_table *t, struct shelf_room *room)
{
    if (t->leaves % SEGMENT != 0)
        return true;
    uint32_t n = segments_of(t->leaves);
    if (n == t->places && !resize_places(t, room, t->places ? 2 * t->places : PLACES_LEAST))
        return false;
    t->segments[n] = take(room, SEGMENT_BYTES);
    return t->segments[n] != NULL;
}

/* Takes the last leaf, which is NULL, off the table. */
static void drop_leaf(struct shelf_table *t, struct shelf_room *room)
{
    uint32_t leaf = --t->leaves, n = segments_of(t->leaves);
    if (leaf == (t->mask + 1) / 2)
        t->mask >>= 1;
    if (leaf % SEGMENT != 0)
        return;
    give(room, t->segments[n], SEGMENT_BYTES);
    if (n == 0) {
        give(room, t->segments, t->places * sizeof(*t->segments));
        *t = (struct shelf_table){ 0 };
    } else if (t->places > PLACES_LEAST && n <= t->places / 4) {
        resize_places(t, room, t->places / 2);
    }
}

static void move_items(struct shelf_leaf *from, struct shelf_leaf *to, uint32_t mask, uint32_t leaf)
{
    uint32_t stay = 0;
    for (uint32_t i = 0; i < from->n; i++) {
        if ((from->tags[i] & mask) == leaf) {
            leaf_append(to, from->tags[i], leaf_items(from)[i]);
            continue;
        }
        from->tags[stay] = from->tags[i];
        leaf_items(from)[stay++] = leaf_items(from)[i];
    }
    from->n = (uint16_t)stay;
}

/* Adds a leaf, which takes over its items from the leaf where they were. Without memory for it the other one
 * goes on with them. */
static bool split(struct shelf_table *t, struct shelf_room *room)
{
    if (!add_place(t, room))
        return false;
    uint32_t leaf = t->leaves, mask = leaf > t->mask ? t->mask * 2 + 1 : t->mask, n = 0;
    struct shelf_leaf *to = NULL, **from = leaf ? leaf_at(t, leaf & mask >> 1) : &to;
    for (uint32_t i = 0; *from && i < (*from)->n; i++)
        n += ((*from)->tags[i] & mask) == leaf;
    if (n && !(to = leaf_new(room, n))) {
        if (leaf % SEGMENT == 0)
            give(room, t->segments[leaf / SEGMENT], SEGMENT_BYTES);
        return false;
    }
    if (n)
        move_items(*from, to, mask, leaf);
    t->leaves++;
    t->mask = mask;
    *leaf_at(t, leaf) = to;
    leaf_trim(room, from);
    return true;
}

/* The last leaf's items return to the leaf that they came from. Without memory, or when they are too many for
 * one leaf, all stays. */
static void merge(struct shelf_table *t, struct shelf_room *room)
{
    uint32_t leaf = t->leaves - 1;
    struct shelf_leaf **from = leaf_at(t, leaf);
    if (*from) {
        struct shelf_leaf **to = leaf_at(t, leaf & t->mask >> 1);
        uint32_t n = (*from)->n + (*to ? (*to)->n : 0u);
        if (n > LEAF_MOST || ((!*to || (*to)->cap < n) && !leaf_resize(room, to, n)))
            return;
        for (uint32_t i = 0; i < (*from)->n; i++)
            leaf_append(*to, (*from)->tags[i], leaf_items(*from)[i]);
        leaf_free(room, from);
    }
    drop_leaf(t, room);
}

struct shelf_packed *shelf_table_find(const struct shelf_table *t, uint64_t tag)
{
    struct shelf_leaf *l = t->leaves ? *leaf_of(t, (uint32_t)tag) : NULL;
    uint32_t i = l ? leaf_find(l, tag) : 0;
    return l && i < l->n ? &leaf_items(l)[i] : NULL;
}

bool shelf_table_add(struct shelf_table *t, struct shelf_room *room, uint64_t tag, struct shelf_packed item)
{
    CHECK_DEBUG(!shelf_table_find(t, tag));
    if (t->n >= t->leaves * SPLIT && !split(t, room) && t->leaves == 0)
        return false;
    struct shelf_leaf **l = leaf_of(t, (uint32_t)tag);
    uint32_t n = *l ? (*l)->n : 0;
    if (n == LEAF_MOST || ((!*l || n == (*l)->cap) && !leaf_resize(room, l, n + 1)))
        return false;
    item.tag_high = tag >> 32 & 0xff;
    leaf_append(*l, (uint32_t)tag, item);
    t->n++;
    return true;
}

void shelf_table_remove(struct shelf_table *t, struct shelf_room *room, uint64_t tag)
{
    struct shelf_leaf **l = leaf_of(t, (uint32_t)tag);
    uint32_t i = leaf_find(*l, tag), last = --(*l)->n;
    CHECK(i <= last);
    (*l)->tags[i] = (*l)->tags[last];
    leaf_items(*l)[i] = leaf_items(*l)[last];
    leaf_trim(room, l);
    t->n--;
    if (t->leaves > 1 ? t->n < (t->leaves - 1) * MERGE : t->n == 0)
        merge(t, room);
}

void shelf_table_fini(struct shelf_table *t, struct shelf_room *room)
{
    for (uint32_t i = 0; i < t->leaves; i++)
        leaf_free(room, leaf_at(t, i));
    while (t->leaves)
        drop_leaf(t, room);
    give(room, t->segments, t->places * sizeof(*t->segments));
    *t = (struct shelf_table){ 0 };
}
