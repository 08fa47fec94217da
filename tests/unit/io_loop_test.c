/* Letters are opened once, in order, from the loop, whoever sent them, and starve nobody; the time is read
 * anew after each wait. */
#include <pthread.h>
#include <sys/socket.h>

#include "io_test.h"
#include "io/stream.h"

struct note {
    struct letter letter;
    struct world *world;
    int number;
};

static int opened[64];
static int opened_count;

static void open_note(struct letter *letter)
{
    struct note *n = CONTAINER_OF(letter, struct note, letter);
    assert_true(opened_count < (int)COUNT_OF(opened));
    opened[opened_count++] = n->number;
}

static void opens_in_order_posted(void **state)
{
    (void)state;
    static struct world w;
    struct note notes[20];
    world_init(&w);
    opened_count = 0;
    for (int i = 0; i < 20; i++) {
        notes[i] = (struct note){ .letter.open = open_note, .number = i };
        loop_post(&w.loop, &notes[i].letter);
    }
    assert_int_equal(opened_count, 0);
    RUN_UNTIL(&w, opened_count == 20);
    for (int i = 0; i < 20; i++)
        assert_int_equal(opened[i], i);
    world_settle(&w);
    assert_int_equal(opened_count, 20);
    world_fini(&w);
}

#define SENDERS      4
#define LETTERS_EACH 5000

struct sender {
    struct world *world;
    pthread_t thread;
    struct note *notes;
    int next; /* the number that must be opened next: touched by the loop's thread only */
};

static struct sender senders[SENDERS];
static int received;

static void open_numbered(struct letter *letter)
{
    struct note *n = CONTAINER_OF(letter, struct note, letter);
    struct sender *s = &senders[n->number / LETTERS_EACH];
    assert_int_equal(n->number % LETTERS_EACH, s->next);
    s->next++;
    received++;
}

static void *send_letters(void *arg)
{
    struct sender *s = arg;
    for (int i = 0; i < LETTERS_EACH; i++)
        loop_post(&s->world->loop, &s->notes[i].letter);
    return NULL;
}

static void opens_all_letters_of_many_threads(void **state)
{
    (void)state;
    static struct world w;
    static struct note notes[SENDERS * LETTERS_EACH];
    world_init(&w);
    received = 0;
    for (int i = 0; i < SENDERS * LETTERS_EACH; i++)
        notes[i] = (struct note){ .letter.open = open_numbered, .number = i };
    for (int i = 0; i < SENDERS; i++) {
        senders[i] = (struct sender){ .world = &w, .notes = notes + i * LETTERS_EACH };
        assert_int_equal(pthread_create(&senders[i].thread, NULL, send_letters, &senders[i]), 0);
    }
    RUN_UNTIL(&w, received == SENDERS * LETTERS_EACH);
    for (int i = 0; i < SENDERS; i++)
        pthread_join(senders[i].thread, NULL);
    world_settle(&w);
    assert_int_equal(received, SENDERS * LETTERS_EACH);
    world_fini(&w);
}

/* Two threads post the same few letters again and again, each only after its letter was opened. */
struct rally {
    struct letter letter;
    struct world *to;
    _Atomic bool pending;
    int opened;
};

static struct rally rally;

static void open_rally(struct letter *letter)
{
    struct rally *r = CONTAINER_OF(letter, struct rally, letter);
    r->opened++;
    atomic_store_explicit(&r->pending, false, memory_order_release);
}

static void *post_rally(void *arg)
{
    struct rally *r = arg;
    for (int i = 0; i < 2000;) {
        bool no = false;
        if (atomic_compare_exchange_strong(&r->pending, &no, true)) {
            loop_post(&r->to->loop, &r->letter);
            i++;
        }
    }
    return NULL;
}

static void a_letter_may_be_posted_again_once_opened(void **state)
{
    (void)state;
    static struct world w;
    pthread_t thread;
    world_init(&w);
    rally = (struct rally){ .letter.open = open_rally, .to = &w };
    assert_int_equal(pthread_create(&thread, NULL, post_rally, &rally), 0);
    RUN_UNTIL(&w, rally.opened == 2000);
    pthread_join(thread, NULL);
    world_fini(&w);
}

static bool in_callback;
static struct note inner;

static void open_inner(struct letter *letter)
{
    assert_false(in_callback);
    open_note(letter);
}

static void open_outer(struct letter *letter)
{
    struct note *n = CONTAINER_OF(letter, struct note, letter);
    in_callback = true;
    inner = (struct note){ .letter.open = open_inner, .number = 100 };
    loop_defer(&n->world->loop, &inner.letter);
    open_note(letter);
    in_callback = false;
}

static void deferred_letters_follow_the_callback(void **state)
{
    (void)state;
    static struct world w;
    world_init(&w);
    opened_count = 0;
    struct note outer = { .letter.open = open_outer, .world = &w, .number = 1 };
    struct note second = { .letter.open = open_note, .number = 2 };
    loop_defer(&w.loop, &outer.letter);
    loop_defer(&w.loop, &second.letter);
    assert_int_equal(opened_count, 0);
    /* It does not wait, although no event would ever come; what is deferred meanwhile is opened before it
     * waits, too. */
    loop_run_once(&w.loop, true);
    assert_int_equal(opened_count, 3);
    assert_int_equal(opened[0], 1);
    assert_int_equal(opened[1], 2);
    assert_int_equal(opened[2], 100);
    world_fini(&w);
}

static struct {
    struct letter letter;
    struct world *world;
    long opened;
    bool enough;
} endless;

static void open_endless(struct letter *letter)
{
    endless.opened++;
    if (!endless.enough)
        loop_defer(&endless.world->loop, letter);
}

static void open_enough(struct letter *letter)
{
    (void)letter;
    endless.enough = true;
}

static void *post_note(void *arg)
{
    struct note *n = arg;
    loop_post(&n->world->loop, &n->letter);
    return NULL;
}

static void on_fire(struct timer *t)
{
    (void)t;
    endless.enough = true;
}

static void endless_deferring_starves_neither_letters_nor_timers(void **state)
{
    (void)state;
    static struct world w;
    world_init(&w);
    for (int with_timer = 0; with_timer < 2; with_timer++) {
        pthread_t thread;
        struct timer timer = { .due_ms = 0 };
        struct note stop = { .letter.open = open_enough, .world = &w };
        endless.opened = 0;
        endless.enough = false;
        endless.world = &w;
        endless.letter.open = open_endless;
        loop_defer(&w.loop, &endless.letter);
        if (with_timer)
            timer_start(&w.loop, &timer, 1, on_fire);
        else
            assert_int_equal(pthread_create(&thread, NULL, post_note, &stop), 0);
        RUN_UNTIL(&w, endless.enough);
        if (!with_timer)
            pthread_join(thread, NULL);
        assert_true(endless.opened > 0);
        long before = endless.opened;
        world_settle(&w);
        assert_true(endless.opened <= before + 1);
    }
    world_fini(&w);
}

static void open_stop(struct letter *letter);

/* More letters than are opened at one go, and nothing else that would end a wait. */
static void what_is_left_over_is_opened_without_waiting(void **state)
{
    (void)state;
    static struct world w;
    static struct note notes[5000];
    world_init(&w);
    received = 0;
    opened_count = 0;
    for (int i = 0; i < SENDERS; i++)
        senders[i].next = 0;
    for (int i = 0; i < 4999; i++) {
        notes[i] = (struct note){ .letter.open = open_numbered, .number = i };
        loop_defer(&w.loop, &notes[i].letter);
    }
    notes[4999] = (struct note){ .letter.open = open_stop, .world = &w };
    loop_defer(&w.loop, &notes[4999].letter);
    loop_run(&w.loop);
    assert_int_equal(received, 4999);
    assert_int_equal(opened_count, 1);
    world_settle(&w);
    assert_false(uv_is_active((uv_handle_t *)&w.loop.mail.again)); /* and then it sleeps */
    world_fini(&w);
}

static void open_stop(struct letter *letter)
{
    struct note *n = CONTAINER_OF(letter, struct note, letter);
    opened_count++;
    loop_stop(&n->world->loop);
}

static void runs_until_stopped_or_closed(void **state)
{
    (void)state;
    static struct world w;
    world_init(&w);
    struct note stop = { .letter.open = open_stop, .world = &w };
    opened_count = 0;

    loop_stop(&w.loop);
    loop_run(&w.loop); /* stopped before */
    assert_int_equal(opened_count, 0);

    loop_post(&w.loop, &stop.letter);
    loop_run(&w.loop); /* the mailbox keeps it running until the letter stops it */
    assert_int_equal(opened_count, 1);

    /* A letter from another thread finds it waiting, although nothing else is there. */
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, post_note, &stop), 0);
    loop_run(&w.loop);
    pthread_join(thread, NULL);
    assert_int_equal(opened_count, 2);

    loop_close(&w.loop);
    loop_close(&w.loop);
    loop_run(&w.loop); /* nothing is left */

    /* After loop_close, too, it ends only when the letters are opened. */
    struct note last = { .letter.open = open_outer, .world = &w, .number = 3 };
    opened_count = 0;
    loop_post(&w.loop, &last.letter);
    loop_run(&w.loop);
    assert_int_equal(opened_count, 2);
    world_fini(&w);
}

/* ---- the time ---- */

#define HOUR_MS 3600000

static struct {
    struct world *world;
    struct stream stream;
    int peer;
    int64_t before_ms;
    bool seen;
    bool closed;
    char byte;
} timed;

static size_t give_space(struct stream *s, char **p)
{
    (void)s;
    *p = &timed.byte;
    return 1;
}

static void got_data(struct stream *s, size_t n)
{
    assert_int_equal(n, 1);
    assert_true(s->loop->now.mono_ms >= timed.before_ms + HOUR_MS);
    timed.seen = true;
    stream_close(s);
}

static void got_end(struct stream *s, int status)
{
    (void)s;
    (void)status;
    fail();
}

static void got_closed(struct stream *s)
{
    (void)s;
    timed.closed = true;
}

static const struct stream_notices timed_notices = {
    .space = give_space, .data = got_data, .ended = got_end, .closed = got_closed
};

static void *turn_and_send(void *arg)
{
    (void)arg;
    atomic_fetch_add(&timed.world->clock.mono_shift_ms, HOUR_MS);
    assert_int_equal(write(timed.peer, "x", 1), 1);
    return NULL;
}

static void the_first_callback_after_a_wait_sees_the_new_time(void **state)
{
    (void)state;
    static struct world w;
    int fds[2];
    pthread_t thread;
    world_init(&w);
    timed.world = &w;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    timed.peer = fds[1];
    assert_int_equal(stream_open(&timed.stream, &w.loop, &timed_notices, fds[0]), 0);
    stream_read_start(&timed.stream);
    world_settle(&w);
    timed.before_ms = w.loop.now.mono_ms;
    assert_int_equal(pthread_create(&thread, NULL, turn_and_send, NULL), 0);
    RUN_UNTIL(&w, timed.seen && timed.closed);
    pthread_join(thread, NULL);
    close(fds[1]);
    world_fini(&w);
}

static void open_late(struct letter *letter)
{
    struct note *n = CONTAINER_OF(letter, struct note, letter);
    assert_true(n->world->loop.now.mono_ms >= timed.before_ms + HOUR_MS);
    opened_count++;
}

static void *turn_and_post(void *arg)
{
    struct note *n = arg;
    atomic_fetch_add(&n->world->clock.mono_shift_ms, HOUR_MS);
    loop_post(&n->world->loop, &n->letter);
    return NULL;
}

static void a_letter_after_a_wait_sees_the_new_time(void **state)
{
    (void)state;
    static struct world w;
    pthread_t thread;
    world_init(&w);
    struct note late = { .letter.open = open_late, .world = &w };
    opened_count = 0;
    world_settle(&w);
    timed.before_ms = w.loop.now.mono_ms;
    assert_int_equal(pthread_create(&thread, NULL, turn_and_post, &late), 0);
    RUN_UNTIL(&w, opened_count == 1);
    pthread_join(thread, NULL);
    world_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_in_order_posted),
        cmocka_unit_test(opens_all_letters_of_many_threads),
        cmocka_unit_test(a_letter_may_be_posted_again_once_opened),
        cmocka_unit_test(deferred_letters_follow_the_callback),
        cmocka_unit_test(endless_deferring_starves_neither_letters_nor_timers),
        cmocka_unit_test(what_is_left_over_is_opened_without_waiting),
        cmocka_unit_test(runs_until_stopped_or_closed),
        cmocka_unit_test(the_first_callback_after_a_wait_sees_the_new_time),
        cmocka_unit_test(a_letter_after_a_wait_sees_the_new_time),
    };
    RUN_ALL_WAYS(tests, NULL, NULL);
}
