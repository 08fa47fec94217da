/* The log of segments gives back what was appended, or nothing: in one life, after a restart, after a power
 * cut at any moment, on a disk that fails, and when files are used again. */
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "disk_test.h"
#include "segment_test.h"
#include "base/mem.h"
#include "io/background.h"
#include "io/system.h"
#include "store/segments.h"
#include "store/segments_machine.h"

#define FOLDER  "/cache"
#define SEGMENT SEGMENTS_BYTES_MIN

enum { MOST = 20000 };

struct world {
    struct disk disk;
    struct clock clock;
    struct log log;
    unsigned warnings, infos;
    char warned[512]; /* the last warning */
    struct segments *s;
    /* the owner's books, by the number of the sample */
    struct segments_found where[MOST];
    bool known[MOST], hot[MOST];
    unsigned gone, moved;
    char *room;
};

static size_t size_of(uint64_t n)
{
    return n % 50 == 7 ? 200000 + n : n * 37 % 9000;
}

static uint64_t number_of(const struct segments_found *f)
{
    uint64_t n = ~f->key.hi;
    assert_true(n < MOST && f->key.lo == n * UINT64_C(0x9e3779b97f4a7c15));
    return n;
}

static bool is_at(const struct segments_found *a, const struct segments_found *b)
{
    return a->place.segment == b->place.segment && a->place.unit == b->place.unit &&
           a->generation == b->generation;
}

static bool keeps(void *ctx, const struct segments_found *r, bool is_cheap)
{
    struct world *w = ctx;
    uint64_t n = number_of(r);
    (void)is_cheap;
    return w->known[n] && w->hot[n] && is_at(&w->where[n], r);
}

static void gone(void *ctx, const struct segments_found *r, const struct segments_found *to)
{
    struct world *w = ctx;
    uint64_t n = number_of(r);
    w->gone += !to;
    w->moved += to != NULL;
    if (!w->known[n] || !is_at(&w->where[n], r))
        return;
    w->known[n] = to != NULL;
    if (to)
        w->where[n] = *to;
}

static void on_log(struct log *log, struct str line)
{
    struct world *w = CONTAINER_OF(log, struct world, log);
    bool is_info = memmem(line.p, line.n, " info ", 6) != NULL;
    w->infos += is_info;
    w->warnings += !is_info;
    if (!is_info)
        snprintf(w->warned, sizeof(w->warned), "%.*s", STR_ARG(line));
}

static struct segments_options options_of(struct world *w, unsigned segments)
{
    return (struct segments_options){
        .files = &w->disk.files,
        .clock = &w->clock,
        .log = &w->log,
        .folder = FOLDER,
        .limit_bytes = segments * SEGMENT,
        .segment_bytes = SEGMENT,
        .buffer_bytes = SEGMENTS_BUFFER_MIN,
        .secret = "a secret's id",
        .owner = { w, keeps, gone },
    };
}

static void open_log(struct world *w, unsigned segments)
{
    struct segments_options o = options_of(w, segments);
    assert_int_equal(segments_open(&o, &w->s), 0);
}

static struct world *world_new(void)
{
    struct world *w = mem_alloc(sizeof(*w));
    disk_init(&w->disk);
    w->log = (struct log){ .write = on_log, .clock = &w->clock, .most = LOG_INFO };
    w->room = aligned_alloc(FILE_BLOCK, segments_room(SEGMENT_RECORD_MAX));
    return w;
}

static void world_free(struct world *w)
{
    segments_close(&w->s);
    disk_fini(&w->disk);
    free(w->room);
    mem_free(w);
}

/* Does all that is to be done; time passes as it is wanted. */
static void pump(struct world *w)
{
    for (int64_t us; (us = segments_work(w->s)) != BACKGROUND_IDLE;)
        w->clock.mono_shift_ms += (us + 999) / 1000;
}

static void pump_ms(struct world *w, int64_t ms)
{
    for (int64_t us; ms >= 0; ms -= us / 1000 + (us > 0)) {
        us = segments_work(w->s);
        us = us < 100000 ? us : 100000;
        w->clock.mono_shift_ms += (us + 999) / 1000;
    }
}

static enum segments_append add(struct world *w, uint64_t n)
{
    struct sample sample;
    struct segments_found found;
    sample_init(&sample, n, size_of(n));
    enum segments_append result = segments_append(w->s, &sample.record, &found);
    if (result == SEGMENTS_APPENDED) {
        assert_int_equal(found.bytes, segment_record_bytes(&sample.record));
        assert_int_equal(number_of(&found), n);
        w->where[n] = found;
        w->known[n] = true;
    }
    sample_fini(&sample);
    return result;
}

static void add_all(struct world *w, uint64_t from, uint64_t to)
{
    for (uint64_t n = from; n < to; n++)
        for (unsigned tries = 0; add(w, n) != SEGMENTS_APPENDED; tries++) {
            assert_true(tries < 1000);
            pump_ms(w, 100);
        }
}

/* Reads sample n at its place. What is read is what was appended. */
static bool can_read(struct world *w, uint64_t n)
{
    struct sample sample;
    struct segment_record r;
    size_t bytes = w->where[n].bytes;
    sample_init(&sample, n, size_of(n));
    enum segments_read result = segments_read(w->s, w->where[n].place, &sample.record, w->room, &bytes, &r);
    if (result == SEGMENTS_READ) {
        assert_int_equal(bytes, w->where[n].bytes);
        expect_same_record(&sample.record, &r);
    }
    sample_fini(&sample);
    return result == SEGMENTS_READ;
}

static unsigned count_readable(struct world *w, uint64_t from, uint64_t to)
{
    unsigned count = 0;
    for (uint64_t n = from; n < to; n++)
        count += w->known[n] && can_read(w, n);
    return count;
}

static void found_one(void *ctx, const struct segments_found *f)
{
    struct world *w = ctx;
    uint64_t n = number_of(f);
    assert_int_equal(f->begin, 1000 + n);
    if (!w->known[n] || segments_wins(f, &w->where[n]))
        w->where[n] = *f;
    w->known[n] = true;
}

static unsigned recover(struct world *w)
{
    struct segments_figures f;
    memset(w->known, 0, sizeof(w->known));
    while (segments_recover(w->s, found_one, w))
        continue;
    segments_figures(w->s, &f);
    return (unsigned)f.recovered;
}

static unsigned reopen(struct world *w, unsigned segments)
{
    segments_close(&w->s);
    open_log(w, segments);
    return recover(w);
}

static struct segments_figures figures(struct world *w)
{
    struct segments_figures f;
    segments_figures(w->s, &f);
    return f;
}

/* ---- what is right ---- */

static void what_is_appended_is_read(void **state)
{
    (void)state;
    enum { N = 600 };
    struct world *w = world_new();
    open_log(w, 8);
    assert_int_equal(add(w, 0), SEGMENTS_BUSY);
    pump(w);
    for (uint64_t n = 0; n < N; n++) {
        add_all(w, n, n + 1);
        assert_true(can_read(w, n)); /* from the buffer */
        if (n % 40 == 0)
            pump_ms(w, n % 80 * 10);
        assert_true(can_read(w, n / 2));
    }
    pump(w);
    assert_int_equal(count_readable(w, 0, N), N);
    assert_int_equal(reopen(w, 8), N);
    assert_int_equal(count_readable(w, 0, N), N);
    assert_true(figures(w).scanned <= 1); /* one that was made ready */
    assert_int_equal(figures(w).damaged + figures(w).foreign + figures(w).newer, 0);
    assert_int_equal(w->warnings, 0);
    world_free(w);
}

static void a_read_asks_for_all_of_the_key(void **state)
{
    (void)state;
    struct world *w = world_new();
    struct sample sample;
    struct segment_record r;
    open_log(w, 2);
    pump(w);
    add_all(w, 1, 4);
    pump(w);
    sample_init(&sample, 2, size_of(2));
    size_t exact = w->where[2].bytes, bytes = 192;
    struct segments_place place = w->where[2].place;
    assert_int_equal(segments_read(w->s, place, &sample.record, w->room, &bytes, &r), SEGMENTS_LONG);
    assert_int_equal(bytes, exact);
    bytes = exact + 1000;
    assert_int_equal(segments_read(w->s, place, &sample.record, w->room, &bytes, &r), SEGMENTS_READ);
    assert_int_equal(bytes, exact);
    struct segment_record wrong[4];
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        wrong[i] = sample.record;
    wrong[0].key.lo++;
    wrong[1].part++;
    wrong[2].url = STR("u3.");
    wrong[3].variant = STR("v3.");
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        assert_int_equal(segments_read(w->s, place, &wrong[i], w->room, &bytes, &r), SEGMENTS_MISS);
    const struct segments_place nowhere[] = { { 0, 0 },
                                              { 0, 65 },
                                              { 0, SEGMENTS_MOST - 1 },
                                              { 1, 64 },
                                              { 2, 64 },
                                              { SEGMENTS_MOST, 64 },
                                              { place.segment, 20000 } };
    for (size_t i = 0; i < COUNT_OF(nowhere); i++)
        assert_int_equal(segments_read(w->s, nowhere[i], &sample.record, w->room, &bytes, &r), SEGMENTS_MISS);
    assert_int_equal(figures(w).missed, COUNT_OF(wrong) + COUNT_OF(nowhere));
    sample_fini(&sample);
    world_free(w);
}

/* ---- what nobody has to wait for ---- */

/* A page cache that has everything, or nothing; and which files are written past it. */
static bool is_warm, is_direct[64];

static int64_t read_cached(struct files *f, int file, void *to, size_t bytes, uint64_t at)
{
    assert_false(is_direct[file]);
    return is_warm ? disk_read(f, file, to, bytes, at) : -EAGAIN;
}

static int set_direct(struct files *f, int file, bool direct)
{
    (void)f;
    is_direct[file] = direct;
    return 0;
}

static int64_t write_direct(struct files *f, int file, const void *from, size_t bytes, uint64_t at)
{
    assert_true(is_direct[file]);
    return disk_write(f, file, from, bytes, at);
}

static int open_direct(struct files *f, const char *path, unsigned flags)
{
    int file = disk_open(f, path, flags);
    if (file >= 0)
        is_direct[file] = flags & FILE_DIRECT;
    return file;
}

static enum segments_read read_at_hand(struct world *w, uint64_t n)
{
    struct sample sample;
    struct segment_record r;
    size_t bytes = w->where[n].bytes;
    sample_init(&sample, n, size_of(n));
    enum segments_read result =
        segments_read_at_hand(w->s, w->where[n].place, &sample.record, w->room, &bytes, &r);
    if (result == SEGMENTS_READ)
        expect_same_record(&sample.record, &r);
    sample_fini(&sample);
    return result;
}

static unsigned count_at_hand(struct world *w, uint64_t from, uint64_t to, unsigned *far)
{
    unsigned count = 0;
    *far = 0;
    for (uint64_t n = from; n < to; n++) {
        enum segments_read result = w->known[n] ? read_at_hand(w, n) : SEGMENTS_MISS;
        count += result == SEGMENTS_READ;
        *far += result == SEGMENTS_FAR;
    }
    return count;
}

static void what_is_at_hand_is_read_at_once(void **state)
{
    (void)state;
    enum { N = 1500 };
    unsigned far;
    struct world *w = world_new();
    w->disk.files.open = open_direct;
    w->disk.files.write = write_direct;
    w->disk.files.read_cached = read_cached;
    w->disk.files.set_direct = set_direct;
    open_log(w, 8);
    pump(w);
    is_warm = false;
    add_all(w, 0, 1);
    assert_int_equal(read_at_hand(w, 0), SEGMENTS_READ); /* it is in the buffer */
    add_all(w, 1, N);
    pump(w);
    unsigned there = count_readable(w, 0, N);
    assert_true(there > N / 2);
    /* Of what is on disk nothing is at hand, but what is still in the buffer. */
    unsigned cold = count_at_hand(w, 0, N, &far);
    assert_true(far > 0 && cold < there && cold + far == there);
    /* With a page cache all is, but in the segment that is being filled. */
    is_warm = true;
    unsigned warm = count_at_hand(w, 0, N, &far);
    assert_true(warm > cold && warm + far == there && far < there / 4);
    /* The same after a restart, when all is found; and files that are used again are written past it. */
    assert_int_equal(reopen(w, 8), there);
    assert_int_equal(count_at_hand(w, 0, N, &far), there);
    add_all(w, N, 4 * N);
    pump(w);
    assert_true(figures(w).carried + w->gone > 0);
    is_warm = false;
    there = count_readable(w, N, 4 * N);
    assert_int_equal(count_at_hand(w, N, 4 * N, &far) + far, there);
    assert_int_equal(w->warnings, 0);
    world_free(w);
}

static void a_full_buffer_says_no(void **state)
{
    (void)state;
    struct world *w = world_new();
    open_log(w, 8);
    pump(w);
    uint64_t n = 0, bytes = 0;
    while (add(w, n) == SEGMENTS_APPENDED)
        bytes += w->where[n++].bytes;
    assert_in_range(bytes, SEGMENT / 2, SEGMENTS_BUFFER_MIN);
    assert_int_equal(count_readable(w, 0, n), n);
    pump(w);
    assert_int_equal(figures(w).busy, 1);
    assert_int_equal(figures(w).appended, n);
    /* Step by step: what is written in part can be read as well. */
    for (uint64_t old = n; n < old + 1500; segments_work(w->s)) {
        while (n < old + 1500 && add(w, n) == SEGMENTS_APPENDED)
            n++;
        assert_int_equal(count_readable(w, n - 300, n), 300);
    }
    world_free(w);
}

static void the_limits_are_kept_to(void **state)
{
    (void)state;
    struct world *w = world_new();
    struct segments *s;
    struct segments_options good = options_of(w, 2), o;
#define BAD(member, value)                                                                                   \
    o = good;                                                                                                \
    o.member = value;                                                                                        \
    assert_int_equal(segments_open(&o, &s), -EINVAL);                                                        \
    assert_null(s);
    BAD(limit_bytes, 2 * SEGMENT - 1)
    BAD(segment_bytes, SEGMENT - SEGMENT_BLOCK)
    BAD(segment_bytes, SEGMENT + 1)
    BAD(segment_bytes, SEGMENTS_BYTES + SEGMENT_BLOCK)
    BAD(buffer_bytes, SEGMENTS_BUFFER_MIN - 1)
    BAD(buffer_bytes, SEGMENTS_BUFFER_MIN + 4096)
    BAD(limit_bytes, ((uint64_t)SEGMENTS_MOST + 1) * SEGMENT)
    open_log(w, 2);
    assert_int_equal(segments_open(&good, &s), -EWOULDBLOCK);
    struct segment_record r = { .status = 1000 };
    struct segments_found f;
    assert_int_equal(segments_append(w->s, &r, &f), SEGMENTS_REFUSED);
    assert_int_equal(figures(w).refused, 1);
    world_free(w);
}

static void count_one(void *ctx, const struct segments_found *f)
{
    (void)f;
    ++*(size_t *)ctx;
}

/* While it is paused another one has the folder and finds all that was appended; here it can be read on, and
 * nothing is appended. When the other one has gone, it goes on. */
static void another_may_have_it_meanwhile(void **state)
{
    struct world *w = world_new(), *other = world_new();
    struct segments_options o;
    (void)state;
    open_log(w, 4);
    pump(w);
    add_all(w, 0, 100);
    o = options_of(other, 4);
    o.files = &w->disk.files;
    assert_int_equal(segments_open(&o, &other->s), -EWOULDBLOCK);
    segments_pause(w->s);
    assert_int_equal(add(w, 100), SEGMENTS_OFF);
    for (uint64_t n = 0; n < 100; n++)
        assert_true(can_read(w, n));
    assert_int_equal(segments_open(&o, &other->s), 0);
    assert_int_equal(segments_resume(w->s), -EWOULDBLOCK);
    size_t found = 0;
    while (segments_recover(other->s, count_one, &found))
        ;
    assert_int_equal(found, 100);
    segments_close(&other->s);
    assert_int_equal(segments_resume(w->s), 0);
    segments_pause(w->s); /* it has a thread now, which the disk of tests does not want */
    for (uint64_t n = 0; n < 100; n++)
        assert_true(can_read(w, n));
    world_free(other);
    world_free(w);
}

static void the_one_that_wins(void **state)
{
    (void)state;
    struct segments_found a = { .begin = 5, .generation = 5, .place = { 5, 5 } }, b = a;
    assert_false(segments_wins(&a, &b));
    b.place.unit = 4;
    assert_true(segments_wins(&a, &b) && !segments_wins(&b, &a));
    b.generation = 6;
    assert_true(!segments_wins(&a, &b) && segments_wins(&b, &a));
    b.begin = 4;
    assert_true(segments_wins(&a, &b) && !segments_wins(&b, &a));
}

static void note_winner(void *ctx, const struct segments_found *f)
{
    struct segments_found *best = ctx;
    if (best->bytes == 0 || segments_wins(f, best))
        *best = *f;
}

/* Of one key the higher begin wins, wherever it was written; then what was written last. */
static void recovery_tells_all_of_one_key(void **state)
{
    (void)state;
    static const uint64_t begins[] = { 7, 9, 9, 8 };
    struct world *w = world_new();
    struct segments_found f[COUNT_OF(begins)], best = { 0 };
    for (size_t i = 0; i < COUNT_OF(begins); i++) {
        struct segment_record r = { .key = { 1, 2 }, .begin = begins[i], .status = 200 };
        open_log(w, 6);
        while (segments_recover(w->s, note_winner, &best))
            continue;
        pump(w);
        assert_int_equal(segments_append(w->s, &r, &f[i]), SEGMENTS_APPENDED);
        segments_close(&w->s);
    }
    open_log(w, 6);
    best = (struct segments_found){ 0 };
    while (segments_recover(w->s, note_winner, &best))
        continue;
    assert_int_equal(figures(w).recovered, COUNT_OF(begins));
    assert_true(is_at(&best, &f[2]));
    world_free(w);
}

/* The owner has no room to know more: the oldest leaves, for good, and what is written later is not in its
 * way. */
static void the_oldest_segment_is_retired(void **state)
{
    (void)state;
    struct world *w = world_new();
    open_log(w, 8);
    recover(w);
    segments_retire(w->s);
    pump(w);
    assert_false(segments_retire(w->s)); /* no segment is full */
    add_all(w, 0, 700);
    pump(w);
    assert_true(figures(w).file_bytes > 3 * SEGMENT);
    unsigned all = count_readable(w, 0, 700), readable[3] = { all };
    assert_int_equal(all, 700);
    for (int i = 1; i < 3; i++) {
        uint32_t oldest = w->where[700 - readable[i - 1]].place.segment;
        assert_true(segments_retire(w->s));
        assert_true(segments_retire(w->s)); /* one at once */
        pump(w);
        readable[i] = count_readable(w, 0, 700);
        assert_true(readable[i] < readable[i - 1]);
        for (uint64_t n = 0; n < 700; n++) /* these, and no others */
            assert_int_equal(w->known[n], n >= 700 - readable[i]);
        assert_int_equal(w->where[700 - readable[i] - 1].place.segment, oldest);
    }
    add_all(w, 700, 720);
    pump(w);
    /* A start finds no more of it. */
    assert_int_equal(reopen(w, 8), readable[2] + 20);
    assert_int_equal(count_readable(w, 0, 720), readable[2] + 20);
    assert_false(w->known[0]);
    world_free(w);
}

static void must_win(void *ctx, const struct segments_found *f)
{
    struct segments_found *before = ctx;
    assert_true(before->bytes == 0 || segments_wins(before, f));
    *before = *f;
}

/* While it goes on a page may be asked for: then the latest one must have been found. */
static void recovery_finds_the_latest_first(void **state)
{
    (void)state;
    struct world *w = world_new();
    struct segments_found f, before = { 0 };
    for (uint64_t begin = 1; begin <= 12; begin++) {
        struct segment_record r = { .key = { 1, 2 }, .begin = begin / 2, .status = 200 };
        if (begin % 4 == 1) { /* three segments, four records in each */
            open_log(w, 6);
            while (segments_recover(w->s, must_win, &before))
                continue;
            before = (struct segments_found){ 0 };
            pump(w);
        }
        assert_int_equal(segments_append(w->s, &r, &f), SEGMENTS_APPENDED);
        if (begin % 4 == 0)
            segments_close(&w->s);
    }
    open_log(w, 6);
    while (segments_recover(w->s, must_win, &before))
        continue;
    assert_int_equal(figures(w).recovered, 12);
    world_free(w);
}

static void the_oldest_begin(void **state)
{
    (void)state;
    struct world *w = world_new();
    open_log(w, 2);
    pump(w);
    assert_true(segments_oldest_begin(w->s) == UINT64_MAX);
    add_all(w, 5, 10);
    assert_int_equal(segments_oldest_begin(w->s), 1005);
    add_all(w, 3, 4);
    pump(w);
    assert_int_equal(segments_oldest_begin(w->s), 1003);
    segments_close(&w->s);
    open_log(w, 2);
    assert_int_equal(segments_oldest_begin(w->s), 0);
    recover(w);
    assert_int_equal(segments_oldest_begin(w->s), 1003);
    /* What is used again counts no more. */
    add_all(w, 100, 1500);
    pump(w);
    assert_true(segments_oldest_begin(w->s) > 1100);
    world_free(w);
}

/* ---- files are used again ---- */

/* scenarios Q8 */
static void the_size_limit_holds(void **state)
{
    (void)state;
    enum { SEGMENTS = 3, N = 3000 };
    struct world *w = world_new();
    open_log(w, SEGMENTS);
    add_all(w, 0, N);
    pump(w);
    assert_true(figures(w).written_bytes > 2 * SEGMENTS * SEGMENT);
    assert_int_equal(w->disk.most_bytes, SEGMENTS * SEGMENT);
    assert_int_equal(figures(w).file_bytes, SEGMENTS * SEGMENT);
    assert_int_equal(figures(w).zeroed_bytes, SEGMENTS * SEGMENT);
    /* All that was told to be gone is, all else is there. */
    unsigned known = 0;
    for (uint64_t n = 0; n < N; n++)
        known += w->known[n];
    assert_int_equal(known + w->gone, N);
    assert_int_equal(count_readable(w, 0, N), known);
    assert_true(known > N / 10);
    /* A lower limit at the next start. */
    assert_true(reopen(w, 2) > 0);
    assert_true(w->disk.now_bytes <= 2 * SEGMENT);
    add_all(w, 0, 1000);
    assert_true(w->disk.now_bytes <= 2 * SEGMENT);
    world_free(w);
}

static void what_is_hot_is_carried_over(void **state)
{
    (void)state;
    enum { N = 3000, HOT = 30 };
    struct world *w = world_new();
    open_log(w, 3);
    for (uint64_t n = 0; n < HOT; n++)
        w->hot[n] = true;
    add_all(w, 0, N);
    pump(w);
    assert_int_equal(count_readable(w, 0, HOT), HOT);
    assert_true(w->moved >= 3 * HOT);
    assert_int_equal(figures(w).carried, w->moved);
    assert_true(reopen(w, 3) > HOT);
    assert_int_equal(count_readable(w, 0, HOT), HOT);
    world_free(w);
}

/* What is hot takes half of a segment at most, so new records always find room. */
static void not_all_can_be_hot(void **state)
{
    (void)state;
    struct world *w = world_new();
    open_log(w, 2);
    memset(w->hot, 1, sizeof(w->hot));
    add_all(w, 0, 3000);
    pump(w);
    struct segments_figures f = figures(w);
    assert_true(f.carried_bytes > 0 && f.carried_bytes < f.appended_bytes / 2);
    world_free(w);
}

/* A file that is used again is full of whole records of the past. */
static void the_past_stays_past(void **state)
{
    (void)state;
    struct world *w = world_new();
    open_log(w, 2);
    pump(w);
    add_all(w, 0, 100);
    unsigned char sector[SEGMENT_SECTOR];
    segments_close(&w->s);
    for (int i = 0; i < w->disk.files_n; i++) {
        struct segment_head head;
        struct disk_file *k = &w->disk.file[i];
        if (segment_head_read((struct str){ (char *)k->data, k->bytes }, &head) != SEGMENT_OK)
            continue;
        head.generation++;
        segment_head_write(&head, sector);
        memcpy(k->data, sector, sizeof(sector));
    }
    open_log(w, 2);
    assert_int_equal(recover(w), 0);
    memset(w->known, 1, 100);
    assert_int_equal(count_readable(w, 0, 100), 0);
    world_free(w);
}

/* Each use has a generation of its own, also when the head with the largest one was damaged. */
static void no_generation_comes_twice(void **state)
{
    (void)state;
    struct world *w = world_new();
    uint64_t last[2] = { 0 };
    for (int life = 0; life < 2; life++) {
        open_log(w, 2);
        recover(w);
        pump(w);
        add_all(w, 0, 1);
        last[life] = w->where[0].generation;
        pump(w);
        segments_close(&w->s);
        for (int i = 0; i < w->disk.files_n; i++)
            if (w->disk.file[i].bytes)
                w->disk.file[i].data[100] ^= 1;
    }
    assert_true(last[0] >> 24 == last[1] >> 24 && last[0] != last[1]);
    world_free(w);
}

/* ---- damage ---- */

static void recovery_by_index_is_recovery_by_scan(void **state)
{
    (void)state;
    enum { N = 700 };
    struct world *w = world_new();
    open_log(w, 8);
    add_all(w, 0, N);
    pump(w);
    assert_int_equal(reopen(w, 8), N);
    struct segments_found *by_index = mem_alloc(sizeof(w->where));
    memcpy(by_index, w->where, sizeof(w->where));
    segments_close(&w->s);
    for (int i = 0; i < w->disk.files_n; i++)
        if (w->disk.file[i].bytes)
            w->disk.file[i].data[w->disk.file[i].bytes - SEGMENT_SECTOR + 20] ^= 1;
    open_log(w, 8);
    assert_int_equal(recover(w), N);
    assert_true(figures(w).scanned > 2);
    for (uint64_t n = 0; n < N; n++)
        assert_true(is_at(&by_index[n], &w->where[n]) && by_index[n].bytes == w->where[n].bytes &&
                    by_index[n].expires_wall_ms == w->where[n].expires_wall_ms &&
                    by_index[n].status == w->where[n].status && by_index[n].flags == w->where[n].flags);
    mem_free(by_index);
    world_free(w);
}

static uint64_t roll(uint64_t *dice)
{
    *dice = *dice * 6364136223846793005u + 1442695040888963407u;
    return *dice >> 20;
}

/* Whatever bytes are flipped: what is read is right, or is not read. */
static void damage_is_a_miss(void **state)
{
    (void)state;
    enum { N = 300 };
    uint64_t dice = 7;
    for (int round = 0; round < 8; round++) {
        struct world *w = world_new();
        open_log(w, 4);
        pump(w);
        add_all(w, 0, N);
        segments_close(&w->s);
        for (int flip = 0; flip < 40; flip++) {
            struct disk_file *k = &w->disk.file[roll(&dice) % (uint64_t)w->disk.files_n];
            /* The first blocks, the last ones, and in between. */
            size_t near = roll(&dice) % 3 ? SEGMENT : 8192;
            if (k->bytes)
                k->data[(roll(&dice) % 2 ? k->bytes - near : 0) + roll(&dice) % near] ^=
                    (unsigned char)(1 << flip % 8);
        }
        open_log(w, 4);
        recover(w);
        assert_true(count_readable(w, 0, N) < N || figures(w).damaged + figures(w).scanned > 0);
        add_all(w, N, 2 * N);
        assert_int_equal(count_readable(w, N, 2 * N), N);
        world_free(w);
    }
}

static void newer_and_foreign_segments_are_told(void **state)
{
    (void)state;
    struct world *w = world_new();
    open_log(w, 2);
    pump(w);
    add_all(w, 0, 10);
    segments_close(&w->s);
    /* A newer record in the middle ends a scan; a newer head leaves nothing. */
    struct disk_file *k = &w->disk.file[w->disk.files_n - 1];
    k->data[w->where[5].place.unit * SEGMENT_UNIT + 4]++;
    k->data[k->bytes - 10] ^= 1;
    open_log(w, 2);
    assert_int_equal(recover(w), 5);
    assert_int_equal(figures(w).newer, 1);
    segments_close(&w->s);
    k->data[8]++;
    open_log(w, 2);
    assert_int_equal(recover(w), 0);
    assert_int_equal(figures(w).newer, 1);
    segments_close(&w->s);
    k->data[8]--;
    struct segments_options o = options_of(w, 2);
    o.secret[0]++;
    assert_int_equal(segments_open(&o, &w->s), 0);
    assert_int_equal(recover(w), 0);
    assert_int_equal(figures(w).foreign, 1);
    world_free(w);
}

/* ---- power cuts ---- */

/* What one thread does at every byte and every call is done at some of them under the thread sanitizer, which
 * sees nothing in it. */
#ifdef __SANITIZE_THREAD__
#define CUTS_EACH 8
#else
#define CUTS_EACH 1
#endif

/* After a cut behind each operation, with what was not synced lost, or there, lost or torn by sectors, each
 * write by itself: what is found and can be read is right (scenarios R3). */
static void a_power_cut_loses_what_was_not_synced(void **state)
{
    (void)state;
    enum { N = 700 };
    struct world *w = world_new();
    uint64_t dice = 11;
    w->disk.records = true;
    open_log(w, 3);
    for (uint64_t n = 0; n < N; n++) {
        add_all(w, n, n + 1);
        if (n % 16 == 0)
            pump_ms(w, 700);
    }
    segments_close(&w->s);
    unsigned readable = 0, cuts = 0;
    for (size_t n = 1; n <= w->disk.ops_n; n += cuts % 3 ? 0 : 4 * CUTS_EACH - 3) {
        struct world *v = world_new();
        disk_cut(&w->disk, n, cuts++ % 3 ? &dice : NULL, &v->disk); /* three of each */
        open_log(v, 3);
        unsigned found = recover(v);
        unsigned good = count_readable(v, 0, N);
        assert_int_equal(good, found); /* an index is there only when its records are */
        readable += good;
        pump(v);
        add_all(v, N, N + 20);
        assert_int_equal(count_readable(v, N, N + 20), 20);
        world_free(v);
    }
    assert_true(readable > cuts * 50);
    world_free(w);
}

/* Whatever was appended two seconds ago survives. */
static void two_seconds_later_it_is_safe(void **state)
{
    (void)state;
    struct world *w = world_new(), *v = world_new();
    w->disk.records = true;
    open_log(w, 2);
    pump(w);
    add_all(w, 0, 1);
    pump(w);
    add_all(w, 1, 3);
    pump_ms(w, 2000);
    add_all(w, 3, 4);
    disk_cut(&w->disk, w->disk.ops_n, NULL, &v->disk);
    open_log(v, 2);
    assert_int_equal(recover(v), 3);
    assert_int_equal(count_readable(v, 0, 3), 3);
    world_free(v);
    world_free(w);
}

/* The last bytes of a segment that was not finished, cut at each byte of its last record (scenarios R11). */
static void a_torn_tail_leaves_whole_records(void **state)
{
    (void)state;
    struct world *w = world_new();
    w->disk.records = true;
    open_log(w, 2);
    pump(w);
    add_all(w, 0, 5);
    pump(w);
    struct segments_found last = w->where[4];
    size_t from = last.place.unit * SEGMENT_UNIT, used = last.bytes - 63;
    struct world *v = world_new();
    disk_cut(&w->disk, w->disk.ops_n, NULL, &v->disk);
    for (size_t cut = used; cut-- > 0; cut -= cut % CUTS_EACH) {
        for (int i = 0; i < v->disk.files_n; i++)
            if (v->disk.file[i].bytes)
                v->disk.file[i].data[from + cut] ^= 0xa5;
        open_log(v, 2);
        uint64_t synced = v->disk.calls[DISK_SYNC];
        assert_int_equal(recover(v), 4);
        /* What the kernel alone had is durable before it is used. */
        assert_true(v->disk.calls[DISK_SYNC] > synced);
        assert_int_equal(count_readable(v, 0, 4), 4);
        segments_close(&v->s);
    }
    world_free(v);
    world_free(w);
}

/* A segment's file that was cut at any multiple of 512 bytes, up to the end of its last record: what is read
 * of it is right or not read, and the log goes on (scenarios Q4). */
static void a_file_cut_short_is_a_miss(void **state)
{
    enum { N = 8, STEP = 512 * CUTS_EACH };
    (void)state;
    struct world *w = world_new();
    w->disk.records = true;
    open_log(w, 2);
    pump(w);
    add_all(w, 0, N);
    pump(w);
    size_t end = w->where[N - 1].place.unit * SEGMENT_UNIT + w->where[N - 1].bytes, fewest = N;
    for (size_t cut = 0; cut <= end + STEP; cut += STEP) {
        struct world *v = world_new();
        disk_cut(&w->disk, w->disk.ops_n, NULL, &v->disk);
        for (int i = 0; i < v->disk.files_n; i++)
            if (v->disk.file[i].bytes > cut)
                v->disk.file[i].bytes = cut;
        open_log(v, 2);
        recover(v);
        unsigned good = count_readable(v, 0, N);
        fewest = good < fewest ? good : fewest;
        pump(v);
        add_all(v, N, N + 3);
        pump(v);
        assert_int_equal(count_readable(v, N, N + 3), 3);
        world_free(v);
    }
    assert_true(fewest < N);
    world_free(w);
}

/* ---- a disk that fails ---- */

/* The disk fails once, at the n-th call of a kind: nothing is said but one warning, nothing wrong is read,
 * and it goes on by itself. disk_test.h checks that a file that failed is not written or synced again. */
static void fails_once(enum disk_kind kind, uint64_t after, int status)
{
    enum { N = 150, LAP = 900, LAST = 100 };
    struct world *w = world_new();
    open_log(w, 3);
    disk_fail(&w->disk, kind, after, 1, status);
    for (uint64_t n = 0; n < N; n++) {
        add(w, n);
        pump_ms(w, 100);
    }
    pump_ms(w, 100000);
    assert_int_equal(figures(w).faults, 1);
    assert_int_equal(w->warnings, 1);
    /* All files are used again. */
    add_all(w, N, N + LAP);
    pump(w);
    assert_int_equal(w->infos, 1);
    assert_false(figures(w).is_off);
    assert_int_equal(figures(w).file_bytes, 3 * SEGMENT);
    assert_int_equal(count_readable(w, N + LAP - LAST, N + LAP), LAST);
    unsigned readable = count_readable(w, 0, N + LAP);
    assert_true(reopen(w, 3) >= readable);
    assert_int_equal(count_readable(w, 0, N + LAP), readable);
    world_free(w);
}

static void a_fault_gives_up_one_segment(void **state)
{
    (void)state;
    for (uint64_t after = 1; after < 30; after += 7) {
        fails_once(DISK_WRITE, after, -EIO);
        fails_once(DISK_WRITE, after, -ENOSPC);
        fails_once(DISK_WRITE, after, DISK_SHORT);
    }
    for (uint64_t after = 1; after < 6; after++)
        fails_once(DISK_SYNC, after, -EIO);
    fails_once(DISK_ALLOCATE, 1, -ENOSPC);
    fails_once(DISK_ALLOCATE, 2, -ENOSPC);
    fails_once(DISK_RENAME, 1, -EIO);
    fails_once(DISK_SYNC_FOLDER, 1, -EIO);
    fails_once(DISK_OPEN, 1, -EROFS);
}

/* It fails for long: one warning, no end of tries, and it comes back. */
static void a_disk_that_is_gone_comes_back(void **state)
{
    (void)state;
    static const struct {
        enum disk_kind kind;
        int status;
        const char *advice; /* in the warning */
    } ways[] = { { DISK_WRITE, -EIO, "until it works again\n" },
                 { DISK_SYNC, -EIO, "until it works again\n" },
                 { DISK_ALLOCATE, -ENOSPC,
                   "make room there, or give pages less of it with the setting disk" },
                 { DISK_OPEN, -EROFS, "see that freshet's user may write there" } };
    for (size_t i = 0; i < COUNT_OF(ways); i++) {
        struct world *w = world_new();
        disk_fail(&w->disk, ways[i].kind, 1, UINT64_MAX, ways[i].status);
        open_log(w, 3);
        uint64_t n = 0;
        for (; n < 600; n++) {
            assert_true(add(w, n) != SEGMENTS_APPENDED || can_read(w, n));
            pump_ms(w, 1000);
        }
        assert_true(figures(w).off > 0 && figures(w).is_off);
        /* It tries again by itself, also when nothing is appended. */
        assert_true(segments_work(w->s) != BACKGROUND_IDLE);
        assert_in_range(figures(w).faults, 5, 30);
        assert_int_equal(w->warnings, 1);
        assert_non_null(strstr(w->warned, ways[i].advice));
        w->disk.fail[ways[i].kind].times = 0;
        add_all(w, n, n + 200);
        pump(w);
        assert_int_equal(w->infos, 1);
        assert_int_equal(count_readable(w, n, n + 200), 200);
        world_free(w);
    }
}

/* A folder that could not be written at start begins empty, and stays below the limit. */
static void a_folder_that_was_read_only_begins_empty(void **state)
{
    (void)state;
    struct world *w = world_new();
    open_log(w, 3);
    add_all(w, 0, 900);
    segments_close(&w->s);
    disk_fail(&w->disk, DISK_OPEN, 1, UINT64_MAX, -EROFS);
    open_log(w, 3);
    assert_int_equal(recover(w), 0);
    pump_ms(w, 3000);
    assert_int_equal(w->disk.now_bytes, 3 * SEGMENT);
    w->disk.fail[DISK_OPEN].times = 0;
    add_all(w, 0, 900);
    pump(w);
    assert_int_equal(count_readable(w, 800, 900), 100);
    assert_int_equal(w->disk.most_bytes, 3 * SEGMENT);
    assert_int_equal(w->warnings, 1);
    assert_int_equal(w->infos, 1);
    world_free(w);
}

/* Full after two segments: the two are used in turns. */
static void a_full_disk_holds_what_fits(void **state)
{
    (void)state;
    struct world *w = world_new();
    w->disk.room_bytes = 2 * SEGMENT + 4096;
    open_log(w, 6);
    add_all(w, 0, 2000);
    pump_ms(w, 1000);
    assert_int_equal(figures(w).file_bytes, 2 * SEGMENT);
    assert_true(count_readable(w, 0, 2000) > 50);
    assert_int_equal(w->warnings, w->infos);
    world_free(w);
}

/* scenarios Q2 */
static void a_disk_that_cannot_be_read_is_a_miss(void **state)
{
    (void)state;
    struct world *w = world_new();
    open_log(w, 3);
    pump(w);
    add_all(w, 0, 50);
    reopen(w, 3);
    disk_fail(&w->disk, DISK_READ, 1, UINT64_MAX, -EIO);
    assert_int_equal(count_readable(w, 0, 50), 0);
    w->disk.fail[DISK_READ].times = 0;
    assert_int_equal(count_readable(w, 0, 50), 50);
    disk_fail(&w->disk, DISK_READ, 1, UINT64_MAX, -EIO);
    assert_int_equal(reopen(w, 3), 0);
    w->disk.fail[DISK_READ].times = 0;
    add_all(w, 50, 60);
    assert_int_equal(count_readable(w, 50, 60), 10);
    world_free(w);
}

/* ---- a real folder, and threads ---- */

struct crowd {
    struct world *w;
    uint64_t from, to;
    unsigned lost;
};

static void *append_and_read(void *ctx)
{
    struct crowd *c = ctx;
    struct world *w = c->w;
    char *room = aligned_alloc(FILE_BLOCK, segments_room(SEGMENT_RECORD_MAX));
    for (uint64_t n = c->from; n < c->to; n++) {
        struct segments_found found;
        struct segment_record r;
        struct sample sample;
        sample_init(&sample, n, size_of(n));
        while (segments_append(w->s, &sample.record, &found) != SEGMENTS_APPENDED)
            usleep(1000);
        size_t bytes = found.bytes;
        c->lost += segments_read(w->s, found.place, &sample.record, room, &bytes, &r) != SEGMENTS_READ;
        sample_fini(&sample);
    }
    free(room);
    return NULL;
}

static bool keeps_none(void *ctx, const struct segments_found *r, bool is_cheap)
{
    (void)ctx;
    (void)r;
    return is_cheap;
}

static void is_gone(void *ctx, const struct segments_found *r, const struct segments_found *to)
{
    (void)ctx;
    (void)r;
    (void)to;
}

static void many_threads_use_a_real_folder(void **state)
{
    (void)state;
    enum { THREADS = 4, EACH = 800 };
    char folder[] = "/tmp/store_segments_test.XXXXXX", command[100];
    assert_non_null(mkdtemp(folder));
    struct world *w = world_new();
    struct segments_options o = options_of(w, 5);
    o.files = &file_system;
    o.folder = folder;
    o.owner = (struct segments_owner){ NULL, keeps_none, is_gone };
    assert_int_equal(segments_open(&o, &w->s), 0);
    segments_start(w->s);
    struct segments *second;
    assert_int_equal(segments_open(&o, &second), -EWOULDBLOCK);
    pthread_t threads[THREADS];
    struct crowd crowd[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        crowd[i] = (struct crowd){ w, i * EACH, (i + 1) * EACH, 0 };
        assert_int_equal(pthread_create(&threads[i], NULL, append_and_read, &crowd[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(crowd[i].lost, 0);
    }
    segments_close(&w->s);
    assert_int_equal(segments_open(&o, &w->s), 0);
    segments_start(w->s);
    unsigned found = recover(w);
    assert_true(found > THREADS * EACH / 4);
    assert_int_equal(count_readable(w, 0, THREADS * EACH), found);
    struct segments_figures f = figures(w);
    assert_int_equal(f.faults + f.damaged, 0);
    world_free(w);
    snprintf(command, sizeof(command), "rm -r %s", folder);
    assert_int_equal(system(command), 0);
}

/* What status calls written lately is there from the first second on, follows what is written, fades. */
static void says_how_much_is_written_lately(void **state)
{
    (void)state;
    const int64_t second = 1000000, from = 77 * second;
    struct segments_rate r = { .is_begun = false };
    assert_int_equal(segments_rate(&r, from), 0);
    segments_rate_add(&r, 500, from);
    assert_int_equal(segments_rate(&r, from), 500);
    assert_int_equal(segments_rate(&r, from + second), 500);
    assert_int_equal(segments_rate(&r, from + 5 * second), 100);
    for (int i = 1; i <= 60; i++) {
        segments_rate_add(&r, 1000, from + i * second);
        uint64_t rate = segments_rate(&r, from + i * second);
        assert_true(rate >= 900 && rate <= 1500);
        assert_true(i < 21 ||
                    (rate >= 1000 && rate <= 1100)); /* what was just written has taken no time yet */
    }
    for (int i = 0; i < 5; i++)
        segments_rate_add(&r, 10000, from + 61 * second);
    assert_true(segments_rate(&r, from + 61 * second) >= 5000); /* a burst is seen at once */
    uint64_t before = UINT64_MAX;
    for (int i = 62; i < 200; i++) {
        uint64_t rate = segments_rate(&r, from + i * second);
        assert_true(rate <= before);
        before = rate;
    }
    assert_true(before < 600);
    segments_rate_add(&r, 1, from + 3600 * second);
    assert_true(segments_rate(&r, from + 3600 * second) < 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_how_much_is_written_lately),
        cmocka_unit_test(what_is_appended_is_read),
        cmocka_unit_test(a_read_asks_for_all_of_the_key),
        cmocka_unit_test(what_is_at_hand_is_read_at_once),
        cmocka_unit_test(a_full_buffer_says_no),
        cmocka_unit_test(the_limits_are_kept_to),
        cmocka_unit_test(another_may_have_it_meanwhile),
        cmocka_unit_test(the_one_that_wins),
        cmocka_unit_test(recovery_finds_the_latest_first),
        cmocka_unit_test(the_oldest_segment_is_retired),
        cmocka_unit_test(recovery_tells_all_of_one_key),
        cmocka_unit_test(the_oldest_begin),
        cmocka_unit_test(the_size_limit_holds),
        cmocka_unit_test(what_is_hot_is_carried_over),
        cmocka_unit_test(not_all_can_be_hot),
        cmocka_unit_test(the_past_stays_past),
        cmocka_unit_test(no_generation_comes_twice),
        cmocka_unit_test(recovery_by_index_is_recovery_by_scan),
        cmocka_unit_test(damage_is_a_miss),
        cmocka_unit_test(newer_and_foreign_segments_are_told),
        cmocka_unit_test(a_power_cut_loses_what_was_not_synced),
        cmocka_unit_test(two_seconds_later_it_is_safe),
        cmocka_unit_test(a_torn_tail_leaves_whole_records),
        cmocka_unit_test(a_file_cut_short_is_a_miss),
        cmocka_unit_test(a_fault_gives_up_one_segment),
        cmocka_unit_test(a_disk_that_is_gone_comes_back),
        cmocka_unit_test(a_folder_that_was_read_only_begins_empty),
        cmocka_unit_test(a_full_disk_holds_what_fits),
        cmocka_unit_test(a_disk_that_cannot_be_read_is_a_miss),
        cmocka_unit_test(many_threads_use_a_real_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
