#include "store/heap.h"

#include <string.h>
#include <sys/mman.h>

#include "base/check.h"
#include "base/mem.h"
#include "base/pages.h"

/*
 * Pages come in chunks of 4 MiB, aligned to their size, so that a piece's address gives its chunk. A chunk
 * begins with its books: which pages are free, which of these are dirty, and the slab of each page.
 */
#define CHUNK_BYTES ((size_t)4 << 20)
#define CHUNK_PAGES (CHUNK_BYTES / HEAP_PAGE)
#define WORDS       (CHUNK_PAGES / 64)

/* Pages for one class of pieces. The books are at the first page; the other pages only say how far back that
 * is. */
struct slab {
    struct link link; /* among slabs of its class that are as full; a full one is in no list */
    uint16_t used;    /* pieces given out */
    uint16_t touched; /* pieces that were given out at least once: those behind them are new */
    uint16_t first;   /* a piece that came back, which names the next one; NONE */
    uint8_t class;
    uint8_t back;
};

struct chunk {
    size_t at; /* in the heap's list */
    uint64_t free[WORDS], dirty[WORDS];
    struct slab slabs[CHUNK_PAGES];
};

#define BOOKS      ((sizeof(struct chunk) + HEAP_PAGE - 1) / HEAP_PAGE) /* pages */
#define RUN_MOST   (CHUNK_PAGES - BOOKS)
#define NONE       UINT16_MAX
#define SLAB_PAGES 16
#define DIRTY_LOOK 16 /* chunks that are searched for dirty pages */
/* With huge pages the first byte takes 2 MiB: little beside so many chunks, too much in a small cache. */
#define HUGE_FROM    16
#define RELEASE_MOST ((size_t)32) /* pages given back to the system at once */

/* ---- sizes ---- */

static unsigned class_of(size_t bytes)
{
    if (bytes <= 512)
        return bytes ? (unsigned)(bytes - 1) / 8 : 0;
    if (bytes <= 1024)
        return 64 + (unsigned)(bytes - 513) / 16;
    if (bytes <= 2048)
        return 96 + (unsigned)(bytes - 1025) / 32;
    return 128 + (unsigned)(bytes - 2049) / 64;
}

static size_t class_bytes(unsigned class)
{
    if (class < 64)
        return 8 * (class + (size_t)1);
    if (class < 96)
        return 512 + 16 * (class - (size_t)63);
    if (class < 128)
        return 1024 + 32 * (class - (size_t)95);
    return 2048 + 64 * (class - (size_t)127);
}

static size_t pages_of(size_t bytes)
{
    return (bytes + HEAP_PAGE - 1) / HEAP_PAGE;
}

size_t heap_cost(size_t bytes)
{
    return bytes <= HEAP_SMALL ? class_bytes(class_of(bytes)) : pages_of(bytes) * HEAP_PAGE;
}

/* Returns the smallest number of pages that wastes at most a sixty-fourth at its end, else the number that
 * wastes least. */
static uint16_t slab_pages(size_t bytes)
{
    size_t best = 1, best_waste = SIZE_MAX;
    for (size_t pages = 1; pages <= SLAB_PAGES; pages++) {
        size_t waste = pages * HEAP_PAGE % bytes * SLAB_PAGES / pages;
        if (waste < best_waste) {
            best = pages;
            best_waste = waste;
        }
        if (waste <= SLAB_PAGES * HEAP_PAGE / 64)
            break;
    }
    return (uint16_t)best;
}

/* ---- bits of pages ---- */

/* Returns the first bit from `i` on that equals `value`, or CHUNK_PAGES. */
static size_t next_bit(const uint64_t *bits, size_t i, bool value)
{
    for (; i < CHUNK_PAGES; i = (i / 64 + 1) * 64) {
        uint64_t word = (value ? bits[i / 64] : ~bits[i / 64]) >> i % 64;
        if (word)
            return i + (size_t)__builtin_ctzll(word);
    }
    return CHUNK_PAGES;
}

/* Returns where the run of set bits that ends before `i` begins; `i`: there is none. */
static size_t run_begin(const uint64_t *bits, size_t i)
{
    while (i > 0) {
        /* the bits of the word below i, moved to its top */
        size_t n = (i - 1) % 64 + 1;
        uint64_t unset = ~(bits[(i - 1) / 64] << (64 - n));
        size_t set = unset ? (size_t)__builtin_clzll(unset) : 64;
        if (set < n)
            return i - set;
        i -= n;
    }
    return 0;
}

/* Returns the bits of `from`'s word that are among the n bits from there on; *now: how many. */
static uint64_t mask_in_word(size_t from, size_t n, size_t *now)
{
    size_t shift = from % 64;
    *now = n < 64 - shift ? n : 64 - shift;
    return (*now == 64 ? ~(uint64_t)0 : ((uint64_t)1 << *now) - 1) << shift;
}

static void set_bits(uint64_t *bits, size_t from, size_t n, bool value)
{
    for (size_t now; n; from += now, n -= now) {
        uint64_t mask = mask_in_word(from, n, &now);
        if (value)
            bits[from / 64] |= mask;
        else
            bits[from / 64] &= ~mask;
    }
}

static size_t count_bits(const uint64_t *bits, size_t from, size_t n)
{
    size_t sum = 0;
    for (size_t now; n; from += now, n -= now)
        sum += (size_t)__builtin_popcountll(bits[from / 64] & mask_in_word(from, n, &now));
    return sum;
}

static struct chunk *chunk_of(const void *p)
{
    return (struct chunk *)((uintptr_t)p & ~(uintptr_t)(CHUNK_BYTES - 1));
}

static char *page_at(struct chunk *c, size_t page)
{
    return (char *)c + page * HEAP_PAGE;
}

/* ---- what chunks offer ---- */

static bool is_empty(const struct heap_chunk *k)
{
    return k->free == RUN_MOST;
}

static struct heap_offer offer_of(const struct heap_chunk *k)
{
    struct heap_offer offer = { .dirty = k->dirty > 0, .idle = k->dirty > 0 && is_empty(k) };
    offer.run[k->for_slabs] = k->longest;
    if (is_empty(k))
        offer.run[!k->for_slabs] = k->longest;
    return offer;
}

static struct heap_offer best_of(const struct heap_offer *halves)
{
    struct heap_offer best = halves[0];
    for (int i = 0; i < 2; i++)
        best.run[i] = halves[1].run[i] > best.run[i] ? halves[1].run[i] : best.run[i];
    best.dirty |= halves[1].dirty;
    best.idle |= halves[1].idle;
    return best;
}

static void set_offer(struct heap *h, size_t chunk, struct heap_offer offer)
{
    size_t i = h->chunks_cap + chunk;
    h->offers[i] = offer;
    while ((i /= 2) > 0) {
        struct heap_offer best = best_of(&h->offers[2 * i]);
        if (memcmp(&best, &h->offers[i], sizeof(best)) == 0)
            return;
        h->offers[i] = best;
    }
}

static void update_offer(struct heap *h, const struct chunk *c)
{
    set_offer(h, c->at, offer_of(&h->chunks[c->at]));
}

/* Makes room for twice as many chunks. */
static void grow_chunks(struct heap *h)
{
    h->chunks_cap = h->chunks_cap ? 2 * h->chunks_cap : 64;
    h->chunks = mem_resize(h->chunks, h->chunks_cap * sizeof(*h->chunks));
    mem_free(h->offers);
    h->offers = mem_alloc(2 * h->chunks_cap * sizeof(*h->offers));
    for (size_t i = 0; i < h->chunks_n; i++)
        h->offers[h->chunks_cap + i] = offer_of(&h->chunks[i]);
    for (size_t i = h->chunks_cap; i-- > 1;)
        h->offers[i] = best_of(&h->offers[2 * i]);
}

struct wanted {
    size_t pages; /* a run of so many, or 0 */
    bool for_slabs, dirty, idle;
};

static bool offers(struct heap *h, size_t i, const struct wanted *w)
{
    const struct heap_offer *o = &h->offers[i];
    h->steps++;
    return o->run[w->for_slabs] >= w->pages && o->dirty >= w->dirty && o->idle >= w->idle;
}

/* Returns the first chunk from `from` on that offers it; chunks_cap: none does. */
static size_t first_offer(struct heap *h, size_t from, const struct wanted *w)
{
    if (from >= h->chunks_cap)
        return h->chunks_cap;
    size_t i = h->chunks_cap + from;
    while (!offers(h, i, w)) {
        while (i % 2)
            i /= 2;
        if (i == 0)
            return h->chunks_cap;
        i++;
    }
    while (i < h->chunks_cap)
        i = offers(h, 2 * i, w) ? 2 * i : 2 * i + 1;
    return i - h->chunks_cap;
}

/* ---- runs of pages; under the lock ---- */

/* Returns the first run that is long enough, or CHUNK_PAGES. */
static size_t find_run(const struct chunk *c, size_t pages)
{
    for (size_t i = next_bit(c->free, BOOKS, true), end; i < CHUNK_PAGES; i = next_bit(c->free, end, true)) {
        end = next_bit(c->free, i, false);
        if (end - i >= pages)
            return i;
    }
    return CHUNK_PAGES;
}

static size_t longest_run(const struct chunk *c)
{
    size_t longest = 0;
    for (size_t i = next_bit(c->free, BOOKS, true), end; i < CHUNK_PAGES; i = next_bit(c->free, end, true)) {
        end = next_bit(c->free, i, false);
        longest = end - i > longest ? end - i : longest;
    }
    return longest;
}

static struct chunk *add_chunk(struct heap *h)
{
    bool huge = h->chunks_n >= HUGE_FROM;
    struct chunk *c = pages_map(CHUNK_BYTES, huge);
    if (!c)
        return NULL;
    mem_count(-(int64_t)CHUNK_BYTES); /* the budget counts it */
    if (h->chunks_n == h->chunks_cap)
        grow_chunks(h);
    c->at = h->chunks_n++;
    set_bits(c->free, BOOKS, RUN_MOST, true);
    h->used += BOOKS;
    h->chunks[c->at] = (struct heap_chunk){ .chunk = c, .free = RUN_MOST, .longest = RUN_MOST, .huge = huge };
    update_offer(h, c);
    return c;
}

static void set_dirty(struct heap *h, struct chunk *c, size_t page, size_t pages, bool dirty)
{
    size_t before = count_bits(c->dirty, page, pages), after = dirty ? pages : 0;
    set_bits(c->dirty, page, pages, dirty);
    h->chunks[c->at].dirty = (uint16_t)(h->chunks[c->at].dirty - before + after);
    h->dirty = h->dirty - before + after;
}

/* Returns the length of the free run that the page is in. */
static size_t run_length(const struct chunk *c, size_t page)
{
    return next_bit(c->free, page, false) - run_begin(c->free, page);
}

static void take_pages(struct heap *h, struct chunk *c, size_t page, size_t pages)
{
    struct heap_chunk *k = &h->chunks[c->at];
    bool of_longest = run_length(c, page) == k->longest;
    set_bits(c->free, page, pages, false);
    set_dirty(h, c, page, pages, false);
    k->free = (uint16_t)(k->free - pages);
    h->used += pages;
    if (of_longest)
        k->longest = (uint16_t)longest_run(c);
    update_offer(h, c);
}

/* An empty chunk serves for slabs and for runs. */
static bool serves(const struct heap_chunk *k, size_t pages, bool for_slabs)
{
    return k->longest >= pages && (k->for_slabs == for_slabs || is_empty(k));
}

/* Finds a run that the system has memory for already, near the pages that came back last. In a full cache
 * each page takes the place of others; clean pages would cost the system as much again. */
static size_t find_dirty(struct heap *h, size_t pages, bool for_slabs, struct chunk **c)
{
    for (size_t k = 0; k < h->chunks_n && k < DIRTY_LOOK; k++) {
        const struct heap_chunk *at = &h->chunks[(h->recent + k) % h->chunks_n];
        if (at->dirty < pages || !serves(at, pages, for_slabs))
            continue;
        const uint64_t *dirty = at->chunk->dirty;
        for (size_t i = next_bit(dirty, BOOKS, true), end; i < CHUNK_PAGES; i = next_bit(dirty, end, true)) {
            end = next_bit(dirty, i, false);
            if (end - i >= pages) {
                *c = at->chunk;
                return i;
            }
        }
    }
    return CHUNK_PAGES;
}

/* NULL: the system has no memory. */
static char *take_run(struct heap *h, size_t pages, bool for_slabs)
{
    struct chunk *c = NULL;
    size_t page = find_dirty(h, pages, for_slabs, &c);
    size_t first = h->chunks_cap;
    if (page == CHUNK_PAGES)
        first = first_offer(h, 0, &(struct wanted){ .pages = pages, .for_slabs = for_slabs });
    if (first < h->chunks_cap) {
        c = h->chunks[first].chunk;
        page = find_run(c, pages);
    }
    if (page == CHUNK_PAGES) {
        CHECK(first == h->chunks_cap); /* a chunk offers only what it has */
        c = add_chunk(h);
        if (!c)
            return NULL;
        page = BOOKS;
    }
    h->chunks[c->at].for_slabs = for_slabs;
    take_pages(h, c, page, pages);
    return page_at(c, page);
}

static void give_run(struct heap *h, char *p, size_t pages, bool dirty)
{
    struct chunk *c = chunk_of(p);
    struct heap_chunk *k = &h->chunks[c->at];
    size_t page = (size_t)(p - (char *)c) / HEAP_PAGE;
    CHECK(page >= BOOKS && page + pages <= CHUNK_PAGES && count_bits(c->free, page, pages) == 0);
    set_bits(c->free, page, pages, true);
    set_dirty(h, c, page, pages, dirty);
    k->free = (uint16_t)(k->free + pages);
    h->used -= pages;
    if (dirty)
        h->recent = c->at;
    size_t length = run_length(c, page);
    k->longest = (uint16_t)(length > k->longest ? length : k->longest);
    update_offer(h, c);
}

/* ---- pages that go back to the system ---- */

/* The last chunk takes the place of the one that goes. */
static void forget_chunk(struct heap *h, struct chunk *c)
{
    set_dirty(h, c, BOOKS, RUN_MOST, false);
    h->used -= BOOKS;
    size_t last = --h->chunks_n, at = c->at;
    h->chunks[at] = h->chunks[last];
    h->chunks[at].chunk->at = at;
    set_offer(h, last, (struct heap_offer){ 0 });
    if (at != last)
        update_offer(h, h->chunks[at].chunk);
}

/* Returns the first chunk from `from` on with dirty pages, except the one that got pages last; chunks_cap:
 * none. */
static size_t first_dirty(struct heap *h, size_t from, bool idle)
{
    const struct wanted w = { .dirty = true, .idle = idle };
    size_t i = first_offer(h, from, &w);
    return i == h->recent && i < h->chunks_cap ? first_offer(h, i + 1, &w) : i;
}

/* Returns the chunk whose dirty pages go back: an empty one first, which goes as a whole, so that no huge
 * pages are split. Else one chunk after the other, so that none keeps unused pages while others lose pages
 * that they need at once. The chunk that got pages last comes only when no other has any. */
static size_t next_release(struct heap *h)
{
    size_t i = first_dirty(h, 0, true);
    if (i < h->chunks_cap)
        return i;
    i = first_dirty(h, h->release, false);
    if (i == h->chunks_cap)
        i = first_dirty(h, 0, false);
    if (i < h->chunks_cap)
        return h->release = i;
    CHECK(h->recent < h->chunks_n && h->chunks[h->recent].dirty > 0);
    return h->recent;
}

/* Under the lock, which it gives back while the system works: nobody owns the pages meanwhile. A chunk with
 * no page in use goes as a whole. */
static void release_some(struct heap *h)
{
    size_t i = next_release(h);
    struct chunk *c = h->chunks[i].chunk;
    if (is_empty(&h->chunks[i])) {
        forget_chunk(h, c);
        lock_give(&h->lock);
        pages_unmap(c, CHUNK_BYTES);
        mem_count((int64_t)CHUNK_BYTES);
        lock_take(&h->lock);
        return;
    }
    size_t page = next_bit(c->dirty, BOOKS, true), pages = next_bit(c->dirty, page, false) - page;
    pages = pages < RELEASE_MOST ? pages : RELEASE_MOST;
    take_pages(h, c, page, pages);
    bool huge = h->chunks[i].huge;
    h->chunks[i].huge = false;
    lock_give(&h->lock);
    if (huge) /* else the system would fill the given pages in again */
        madvise(c, CHUNK_BYTES, MADV_NOHUGEPAGE);
    /* The system refuses only pages that are locked into memory, and would refuse them again. */
    (void)madvise(page_at(c, page), pages * HEAP_PAGE, MADV_DONTNEED);
    lock_take(&h->lock);
    give_run(h, page_at(c, page), pages, false);
}

/* ---- slabs; under the lock ---- */

static struct slab *slab_of(const void *p)
{
    struct chunk *c = chunk_of(p);
    struct slab *s = &c->slabs[(size_t)((const char *)p - (const char *)c) / HEAP_PAGE];
    return s - s->back;
}

static char *slab_begin(struct slab *s)
{
    struct chunk *c = chunk_of(s);
    return page_at(c, (size_t)(s - c->slabs));
}

static void add_holes(struct heap *h, int64_t bytes)
{
    /* Written under the lock, read without it. */
    atomic_store_explicit(&h->holes, atomic_load_explicit(&h->holes, memory_order_relaxed) + bytes,
                          memory_order_relaxed);
}

static unsigned fullness(const struct heap_class *k, unsigned used)
{
    return used * HEAP_FULLNESS / k->pieces;
}

/* Puts the slab into the list of slabs that are as full. Pieces are taken from the fullest, so that others
 * become empty. */
static void file_slab(struct heap *h, struct slab *s)
{
    struct heap_class *k = &h->classes[s->class];
    link_remove(&s->link);
    if (s->used < k->pieces)
        list_push_front(&k->slabs[fullness(k, s->used)], &s->link);
}

static struct slab *add_slab(struct heap *h, unsigned class)
{
    const struct heap_class *k = &h->classes[class];
    char *p = take_run(h, k->pages, true);
    if (!p)
        return NULL;
    struct chunk *c = chunk_of(p);
    struct slab *s = &c->slabs[(size_t)(p - (char *)c) / HEAP_PAGE];
    for (unsigned i = 0; i < k->pages; i++)
        s[i].back = (uint8_t)i;
    s->used = s->touched = 0;
    s->first = NONE;
    s->class = (uint8_t) class;
    link_init(&s->link);
    add_holes(h, (int64_t)(k->pages * HEAP_PAGE));
    return s;
}

static struct slab *slab_with_room(struct heap *h, unsigned class)
{
    for (int i = HEAP_FULLNESS; i-- > 0;) {
        struct link *l = list_first(&h->classes[class].slabs[i]);
        if (l)
            return CONTAINER_OF(l, struct slab, link);
    }
    return add_slab(h, class);
}

static void *take_from_slab(struct heap *h, struct slab *s, unsigned class)
{
    size_t bytes = class_bytes(class);
    char *p;
    if (s->first != NONE) {
        p = slab_begin(s) + s->first * bytes;
        memcpy(&s->first, p, sizeof(s->first));
        /* Else the owner of a piece wrote to it after giving it back. */
        CHECK(s->first < s->touched || s->first == NONE);
    } else {
        p = slab_begin(s) + s->touched++ * bytes;
    }
    const struct heap_class *k = &h->classes[class];
    s->used++;
    if (fullness(k, s->used) != fullness(k, s->used - 1u) || !link_is_in(&s->link))
        file_slab(h, s);
    add_holes(h, -(int64_t)bytes);
    return p;
}

static void *take_piece(struct heap *h, unsigned class)
{
    struct slab *s = slab_with_room(h, class);
    return s ? take_from_slab(h, s, class) : NULL;
}

/* Returns one of the fullest slabs with room, except that one; or NULL. */
static struct slab *densest_but(struct heap *h, const struct slab *s)
{
    for (int i = HEAP_FULLNESS; i-- > 0;)
        LIST_EACH(l, &h->classes[s->class].slabs[i])
            if (l != &s->link)
                return CONTAINER_OF(l, struct slab, link);
    return NULL;
}

#ifdef FRESHET_DEBUG
static bool is_given(struct slab *s, size_t piece, size_t bytes)
{
    uint16_t at = s->first;
    while (at != NONE && at != piece)
        memcpy(&at, slab_begin(s) + at * bytes, sizeof(at));
    return at == NONE && piece < s->touched;
}
#endif

static void give_piece(struct heap *h, char *p, unsigned class)
{
    struct slab *s = slab_of(p);
    const struct heap_class *k = &h->classes[class];
    size_t bytes = class_bytes(class);
    CHECK(s->class == class && s->used > 0);
    size_t piece = (size_t)(p - slab_begin(s)) / bytes;
    CHECK(slab_begin(s) + piece * bytes == p);
    CHECK_DEBUG(is_given(s, piece, bytes));
    add_holes(h, (int64_t)bytes);
    if (--s->used == 0) {
        link_remove(&s->link);
        add_holes(h, -(int64_t)(k->pages * HEAP_PAGE));
        give_run(h, slab_begin(s), k->pages, true);
        return;
    }
    memcpy(p, &s->first, sizeof(s->first));
    s->first = (uint16_t)piece;
    if (fullness(k, s->used) != fullness(k, s->used + 1u) || !link_is_in(&s->link))
        file_slab(h, s);
}

/* ---- the heap ---- */

void heap_init(struct heap *h, size_t dirty_max, size_t most)
{
    *h = (struct heap){ .dirty_max = dirty_max, .most = most };
    lock_init(&h->lock);
    h->classes = mem_alloc(HEAP_CLASSES * sizeof(*h->classes));
    CHECK(class_of(HEAP_SMALL) == HEAP_CLASSES - 1);
    for (unsigned i = 0; i < HEAP_CLASSES; i++) {
        struct heap_class *k = &h->classes[i];
        k->pages = slab_pages(class_bytes(i));
        k->pieces = (uint16_t)(k->pages * HEAP_PAGE / class_bytes(i));
        for (int f = 0; f < HEAP_FULLNESS; f++)
            list_init(&k->slabs[f]);
    }
}

void heap_fini(struct heap *h)
{
    for (size_t i = 0; i < h->chunks_n; i++) {
        CHECK(is_empty(&h->chunks[i]));
        pages_unmap(h->chunks[i].chunk, CHUNK_BYTES);
        mem_count((int64_t)CHUNK_BYTES);
    }
    mem_free(h->chunks);
    mem_free(h->offers);
    mem_free(h->classes);
    lock_fini(&h->lock);
}

void *heap_take(struct heap *h, size_t bytes)
{
    size_t pages = pages_of(bytes);
    if (pages > RUN_MOST)
        return mem_try_budgeted(pages * HEAP_PAGE);
    lock_take(&h->lock);
    void *p = bytes <= HEAP_SMALL ? take_piece(h, class_of(bytes)) : take_run(h, pages, false);
    lock_give(&h->lock);
    return p;
}

void *heap_take_denser(struct heap *h, const void *p, size_t bytes, unsigned quarters)
{
    if (bytes > HEAP_SMALL)
        return NULL;
    unsigned class = class_of(bytes);
    void *denser = NULL;
    lock_take(&h->lock);
    struct slab *s = slab_of(p);
    CHECK(s->class == class && s->used > 0);
    if ((size_t)s->used * HEAP_FULLNESS < (size_t)quarters * h->classes[class].pieces) {
        struct slab *to = densest_but(h, s);
        /* At least as full, so that nothing moves to and fro. */
        if (to && to->used >= s->used)
            denser = take_from_slab(h, to, class);
    }
    lock_give(&h->lock);
    return denser;
}

void heap_give(struct heap *h, void *p, size_t bytes)
{
    size_t pages = pages_of(bytes);
    if (!p)
        return;
    if (pages > RUN_MOST) {
        mem_free_budgeted(p);
        return;
    }
    lock_take(&h->lock);
    if (bytes <= HEAP_SMALL)
        give_piece(h, p, class_of(bytes));
    else
        give_run(h, p, pages, true);
    while (h->dirty > h->dirty_max && h->used + h->dirty > h->most)
        release_some(h);
    lock_give(&h->lock);
}

bool heap_trim(struct heap *h)
{
    lock_take(&h->lock);
    if (h->dirty > h->dirty_max)
        release_some(h);
    bool more = h->dirty > h->dirty_max;
    lock_give(&h->lock);
    return more;
}

size_t heap_resident(struct heap *h)
{
    lock_take(&h->lock);
    size_t pages = h->dirty;
    for (size_t i = 0; i < h->chunks_n; i++)
        pages += CHUNK_PAGES - h->chunks[i].free;
    lock_give(&h->lock);
    return pages * HEAP_PAGE;
}
