/* A pool gives out connections: those that were given back are used again while they are good, no more are in
 * use than the limit says, who waits is served in order, and what belongs to one client alone stays his. */
#include "origin_test.h"

#define MANY 1024 /* IDLE_MAX and OWNED_MAX of origin/pool.c */

/* It carried a log-in: it is given back for that client alone. */
static void keep_for(struct connection *c, struct connection **own)
{
    c->personal = true;
    pool_keep_for(c, own);
}

static struct pool_entry *entry_of(const struct spot *p)
{
    return CONTAINER_OF(list_first(&p->pool.entries), struct pool_entry, in_pool);
}

/* ---- kept and used again ---- */

static void is_put_back_and_taken_again(void **state)
{
    (void)state;
    struct spot p;
    struct asker a = { 0 };
    int fd;
    spot_init(&p, "");
    struct connection *c = spot_connect(&p, &fd);
    assert_false(c->reused);
    assert_int_equal(origin_in_use(p.origin), 1);
    pool_keep(c, 60000);
    assert_int_equal(origin_in_use(p.origin), 0);
    assert_int_equal(pool_idle(&p.pool), 1);
    assert_null(c->user);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(spot_ask(&p, &a), POOL_READY);
        assert_ptr_equal(a.c, c);
        assert_true(c->reused);
        assert_int_equal(origin_in_use(p.origin), 1);
        assert_int_equal(pool_idle(&p.pool), 0);
        pool_keep(connection_use(c), 60000);
    }
    assert_int_equal(spot_ask(&p, &a), POOL_READY);
    pool_drop(a.c);
    assert_int_equal(origin_in_use(p.origin), 0);
    origin_hear_end(&p, fd);
    assert_int_equal(spot_count(&p, COUNTER_ORIGIN_CONNECTS), 1);
    spot_fini(&p);
}

static void the_latest_used_is_taken_first(void **state)
{
    (void)state;
    struct spot p;
    struct asker a = { 0 };
    int fd[2];
    spot_init(&p, "");
    struct connection *one = spot_connect(&p, &fd[0]), *two = spot_connect(&p, &fd[1]);
    pool_keep(two, 60000);
    pool_keep(one, 60000);
    assert_int_equal(spot_ask(&p, &a), POOL_READY);
    assert_ptr_equal(a.c, one);
    pool_drop(one);
    assert_int_equal(spot_ask(&p, &a), POOL_READY);
    assert_ptr_equal(a.c, two);
    pool_drop(two);
    close(fd[0]);
    close(fd[1]);
    spot_fini(&p);
}

static void ends_when_it_was_idle_for_long(void **state)
{
    (void)state;
    struct spot p;
    struct asker a = { 0 };
    int fd;
    spot_init(&p, "");
    struct connection *c = spot_connect(&p, &fd);
    pool_keep(c, 60000);
    world_turn(&p.world, 40000);
    origin_hears_nothing(&p, fd);
    assert_int_equal(spot_ask(&p, &a), POOL_READY);
    connection_use(c);
    /* The time for idle ones does not count while it is in use, and begins anew with each use. */
    world_turn(&p.world, 200000);
    origin_hears_nothing(&p, fd);
    pool_keep(c, 60000);
    world_turn(&p.world, 40000);
    origin_hears_nothing(&p, fd);
    assert_int_equal(pool_idle(&p.pool), 1);
    world_turn(&p.world, 40000);
    origin_hear_end(&p, fd);
    assert_int_equal(pool_idle(&p.pool), 0);
    c = spot_connect(&p, &fd);
    pool_keep(c, 0);
    assert_int_equal(pool_idle(&p.pool), 0);
    origin_hear_end(&p, fd);
    spot_fini(&p);
}

static void no_more_are_idle_than_the_limit(void **state)
{
    (void)state;
    need_descriptors(2 * (MANY + 1));
    static struct connection *all[MANY + 1];
    static int fds[MANY + 1];
    struct spot p;
    spot_init(&p, "origin_connections: 5000\n");
    for (int i = 0; i <= MANY; i++)
        all[i] = spot_connect(&p, &fds[i]);
    for (int i = 0; i < MANY; i++)
        pool_keep(all[i], 60000);
    assert_int_equal(pool_idle(&p.pool), MANY);
    pool_keep(all[MANY], 60000);
    assert_int_equal(pool_idle(&p.pool), MANY);
    origin_hear_end(&p, fds[MANY]);
    for (int i = 0; i < MANY; i++)
        close(fds[i]);
    RUN_UNTIL(&p.world, pool_idle(&p.pool) == 0);
    spot_fini(&p);
}

/* CACHING.md 7: `origin_connection_age`. */
static void an_old_one_gets_no_new_request(void **state)
{
    (void)state;
    struct spot p;
    struct asker a = { 0 };
    int fd[2];
    spot_init(&p, "origin_connection_age: 100s\n");
    struct connection *c = spot_connect(&p, &fd[0]);
    pool_keep(c, 600000);
    world_turn(&p.world, 60000);
    world_settle(&p.world);
    assert_int_equal(spot_ask(&p, &a), POOL_READY);
    pool_keep(connection_use(c), 600000);
    world_turn(&p.world, 40000);
    world_settle(&p.world);
    assert_int_equal(spot_ask(&p, &a), POOL_WAIT);
    origin_hear_end(&p, fd[0]);
    fd[1] = origin_accept(&p);
    RUN_UNTIL(&p.world, a.came);
    c = connection_use(a.c);
    /* One that became old while it was used is not kept. */
    world_turn(&p.world, 100000);
    world_settle(&p.world);
    pool_keep(c, 600000);
    assert_int_equal(pool_idle(&p.pool), 0);
    origin_hear_end(&p, fd[1]);
    spot_fini(&p);
}

/* ---- not fit for reuse ---- */

static void one_that_the_origin_closed_is_gone(void **state)
{
    (void)state;
    struct spot p;
    struct asker a = { 0 };
    int fd[2];
    spot_init(&p, "");
    pool_keep(spot_connect(&p, &fd[0]), 60000);
    world_settle(&p.world);
    close(fd[0]);
    RUN_UNTIL(&p.world, pool_idle(&p.pool) == 0);
    assert_int_equal(spot_ask(&p, &a), POOL_WAIT);
    fd[1] = origin_accept(&p);
    RUN_UNTIL(&p.world, a.came);
    pool_drop(a.c);
    origin_hear_end(&p, fd[1]);
    spot_fini(&p);
}

/* Bytes without a request: the connection is out of step; what comes next would be taken for an answer. */
static void one_that_speaks_unasked_is_closed(void **state)
{
    (void)state;
    struct spot p;
    int fd;
    spot_init(&p, "");
    pool_keep(spot_connect(&p, &fd), 60000);
    world_settle(&p.world);
    origin_say(fd, "H");
    RUN_UNTIL(&p.world, pool_idle(&p.pool) == 0);
    origin_hear_end(&p, fd);
    /* The same for bytes that come behind those that its user took, before it is given to another. */
    struct connection *c = spot_connect(&p, &fd);
    user_heard = 0;
    origin_say(fd, "all");
    RUN_UNTIL(&p.world, user_heard == 3);
    stream_read_stop(&c->stream);
    origin_say(fd, "more");
    pool_keep(c, 60000);
    RUN_UNTIL(&p.world, pool_idle(&p.pool) == 0);
    origin_hear_end(&p, fd);
    assert_int_equal(user_heard, 3);
    spot_fini(&p);
}

/* A place that was given back goes on from the loop only: by then bytes that are left in it show. */
static void who_waits_gets_none_with_bytes_left_in_it(void **state)
{
    (void)state;
    struct spot p;
    struct asker waiting = { .once = true };
    int fd[2];
    spot_init(&p, "origin_connections: 1\n");
    struct connection *c = spot_connect(&p, &fd[0]);
    assert_int_equal(spot_ask(&p, &waiting), POOL_WAIT);
    origin_say(fd[0], "HTTP/1.1 200 OK\r\n");
    stream_read_stop(&c->stream);
    pool_keep(c, 60000);
    assert_false(waiting.came);
    fd[1] = origin_accept(&p);
    RUN_UNTIL(&p.world, waiting.came);
    assert_false(waiting.c->reused);
    pool_drop(waiting.c);
    origin_hear_end(&p, fd[0]);
    origin_hear_end(&p, fd[1]);
    spot_fini(&p);
}

/* Asks, and gets a new connection; drops it. *fd: the origin's end. */
static void spot_ask_gets_a_new_one(struct spot *p, struct asker *a, int *fd)
{
    assert_int_equal(spot_ask(p, a), POOL_WAIT);
    assert_int_equal(pool_idle(&p->pool), 0);
    *fd = origin_accept(p);
    RUN_UNTIL(&p->world, a->came);
    assert_false(a->c->reused);
    pool_drop(a->c);
}

/* Nobody gets a connection whose end shows already, whether the request could be sent again or not. */
static void nobody_gets_a_dead_one(void **state)
{
    (void)state;
    struct spot p;
    int fd[2];
    spot_init(&p, "");
    for (int once = 0; once <= 1; once++) {
        struct asker a = { .once = once };
        pool_keep(spot_connect(&p, &fd[0]), 60000);
        world_settle(&p.world);
        close(fd[0]);
        spot_ask_gets_a_new_one(&p, &a, &fd[1]);
        close(fd[1]);
    }
    spot_fini(&p);
}

/* Nor one with bytes behind its last answer, which would be taken for the next one: neither when they came
 * with that nor when they came while it was idle. */
static void nobody_gets_one_that_has_bytes(void **state)
{
    (void)state;
    struct spot p;
    int fd[2];
    spot_init(&p, "");
    for (int came_later = 0; came_later <= 1; came_later++) {
        struct asker a = { 0 };
        struct connection *c = spot_connect(&p, &fd[0]);
        if (!came_later)
            origin_say(fd[0], "HTTP/1.1 200 OK\r\n");
        pool_keep(c, 60000);
        if (came_later) {
            world_settle(&p.world);
            origin_say(fd[0], "HTTP/1.1 200 OK\r\n");
        }
        spot_ask_gets_a_new_one(&p, &a, &fd[1]);
        origin_hear_end(&p, fd[0]);
        origin_hear_end(&p, fd[1]);
    }
    spot_fini(&p);
}

static void who_wants_a_new_one_gets_it(void **state)
{
    (void)state;
    struct spot p;
    struct asker a = { 0 };
    int fd[2];
    spot_init(&p, "");
    pool_keep(spot_connect(&p, &fd[0]), 60000);
    assert_int_equal(asker_ask(&p.pool, p.origin, p.site, &a, true), POOL_WAIT);
    fd[1] = origin_accept(&p);
    RUN_UNTIL(&p.world, a.came);
    assert_false(a.c->reused);
    assert_int_equal(pool_idle(&p.pool), 1);
    pool_drop(a.c);
    close(fd[0]);
    close(fd[1]);
    spot_fini(&p);
}

/* ---- places and the queue ---- */

static void waits_in_order_beyond_the_limit(void **state)
{
    (void)state;
    struct spot p;
    unsigned turn = 0;
    struct asker a = { .turn = &turn }, b = { .turn = &turn }, c = { .turn = &turn },
                 late = { .turn = &turn };
    int fd[4];
    spot_init(&p, "origin_connections: 2\n");
    struct connection *one = spot_connect(&p, &fd[0]), *two = spot_connect(&p, &fd[1]);
    assert_int_equal(spot_ask(&p, &a), POOL_WAIT);
    assert_int_equal(spot_ask(&p, &b), POOL_WAIT);
    assert_int_equal(spot_ask(&p, &c), POOL_WAIT);
    assert_int_equal(p.origin->waiting, 3);
    world_settle(&p.world);
    assert_int_equal(turn, 0);
    assert_false(origin_is_called(&p));
    /* A place that becomes free is for who waits longest: nobody who comes now overtakes. */
    pool_drop(one);
    assert_int_equal(origin_in_use(p.origin), 1);
    assert_int_equal(spot_ask(&p, &late), POOL_WAIT);
    fd[2] = origin_accept(&p);
    RUN_UNTIL(&p.world, turn == 1);
    assert_int_equal(a.came, 1);
    assert_int_equal(origin_in_use(p.origin), 2);
    /* A connection that is given back goes to the next one. */
    pool_keep(two, 60000);
    RUN_UNTIL(&p.world, turn == 2);
    assert_int_equal(b.came, 2);
    assert_ptr_equal(b.c, two);
    assert_true(two->reused);
    pool_keep(connection_use(a.c), 60000);
    pool_keep(connection_use(b.c), 60000);
    RUN_UNTIL(&p.world, turn == 4);
    assert_int_equal(c.came, 3);
    assert_int_equal(late.came, 4);
    assert_int_equal(origin_in_use(p.origin), 2);
    assert_int_equal(p.origin->waiting, 0);
    assert_int_equal(spot_count(&p, COUNTER_ORIGIN_CONNECTS), 3);
    pool_drop(c.c);
    pool_drop(late.c);
    close(fd[0]);
    close(fd[1]);
    close(fd[2]);
    spot_fini(&p);
}

static void the_queue_is_bounded_in_length_and_time(void **state)
{
    (void)state;
    struct spot p;
    struct asker a = { 0 }, b = { 0 }, c = { 0 };
    int fd[2];
    spot_init(&p, "origin_connections: 1\norigin_queue: 2\nqueue_timeout: 100s\n");
    struct connection *one = spot_connect(&p, &fd[0]);
    assert_int_equal(spot_ask(&p, &a), POOL_WAIT);
    world_turn(&p.world, 50000);
    world_settle(&p.world);
    assert_int_equal(spot_ask(&p, &b), POOL_WAIT);
    assert_int_equal(spot_ask(&p, &c), POOL_REFUSED);
    assert_int_equal(c.why, REASON_QUEUE_FULL);
    assert_int_equal(p.origin->waiting, 2);
    world_turn(&p.world, 70000);
    RUN_UNTIL(&p.world, a.came);
    assert_int_equal(a.why, REASON_QUEUE_TIMEOUT);
    assert_int_equal(p.origin->waiting, 1);
    world_settle(&p.world);
    assert_false(b.came);
    /* Who gave up has no place: the next one gets it. */
    pool_drop(one);
    fd[1] = origin_accept(&p);
    RUN_UNTIL(&p.world, b.came);
    assert_non_null(b.c);
    world_turn(&p.world, 200000);
    world_settle(&p.world);
    assert_int_equal(b.came, 1);
    pool_drop(b.c);
    close(fd[0]);
    close(fd[1]);
    spot_fini(&p);
}

/* No callback comes, and the place is another's. */
static void who_cancels_gives_its_place_back(void **state)
{
    (void)state;
    struct spot p;
    struct asker a = { 0 }, b = { 0 };
    spot_init(&p, "origin_connections: 1\n");
    pool_cancel(&a.ticket); /* never asked */
    assert_int_equal(spot_ask(&p, &a), POOL_WAIT);
    assert_int_equal(a.ticket.state, TICKET_CONNECTING);
    assert_int_equal(spot_ask(&p, &b), POOL_WAIT);
    assert_int_equal(b.ticket.state, TICKET_QUEUED);
    pool_cancel(&a.ticket);
    assert_int_equal(a.ticket.state, TICKET_NONE);
    RUN_UNTIL(&p.world, b.came);
    assert_false(a.came);
    assert_int_equal(origin_in_use(p.origin), 1);
    assert_int_equal(spot_ask(&p, &a), POOL_WAIT);
    pool_cancel(&a.ticket);
    pool_cancel(&a.ticket);
    assert_int_equal(p.origin->waiting, 0);
    pool_drop(b.c);
    world_settle(&p.world);
    assert_false(a.came);
    assert_int_equal(origin_in_use(p.origin), 0);
    /* The one that was being made was ended as well, if the origin heard of it at all. */
    while (origin_is_called(&p))
        origin_hear_end(&p, origin_accept(&p));
    spot_fini(&p);
}

/* A reload changes the limit: those who wait under the old one go on under the new one. */
static void a_higher_limit_holds_for_who_waits(void **state)
{
    (void)state;
    struct spot p;
    struct asker a = { 0 }, b = { 0 };
    int fd[3];
    spot_init(&p, "origin_connections: 1\n");
    struct connection *one = spot_connect(&p, &fd[0]);
    assert_int_equal(spot_ask(&p, &a), POOL_WAIT);
    world_settle(&p.world);
    assert_false(a.came);
    p.site->origin_connections = 3;
    assert_int_equal(spot_ask(&p, &b), POOL_WAIT);
    fd[1] = origin_accept(&p);
    fd[2] = origin_accept(&p);
    RUN_UNTIL(&p.world, a.came && b.came);
    assert_int_equal(origin_in_use(p.origin), 3);
    /* And a lower one, once enough were given back. */
    p.site->origin_connections = 1;
    pool_keep(connection_use(a.c), 60000);
    pool_keep(connection_use(b.c), 60000);
    assert_int_equal(spot_ask(&p, &a), POOL_WAIT);
    world_settle(&p.world);
    assert_false(a.came);
    pool_keep(one, 60000);
    RUN_UNTIL(&p.world, a.came);
    assert_ptr_equal(a.c, one);
    pool_drop(one);
    for (int i = 0; i < 3; i++)
        close(fd[i]);
    spot_fini(&p);
}

/* All workers together have the limit; one that gives a place back tells those of the others who wait. */
static void a_place_goes_to_another_worker(void **state)
{
    (void)state;
    struct spot p;
    struct world other;
    struct pool its_pool;
    struct counters its_counters = { 0 };
    struct asker mine = { 0 }, its = { 0 };
    int fd[2];
    spot_init(&p, "origin_connections: 1\n");
    world_init(&other);
    pool_init(&its_pool, &other.loop, &other.log, &its_counters);
    struct connection *one = spot_connect(&p, &fd[0]);
    assert_int_equal(asker_ask(&its_pool, p.origin, p.site, &its, false), POOL_WAIT);
    world_settle(&other);
    assert_false(its.came);
    /* Somebody waits here, so the others are not told; it leaves before it gets the place. */
    assert_int_equal(spot_ask(&p, &mine), POOL_WAIT);
    pool_drop(one);
    pool_cancel(&mine.ticket);
    world_settle(&p.world);
    RUN_UNTIL(&other, its.came);
    assert_non_null(its.c);
    fd[1] = origin_accept(&p);
    assert_int_equal(origin_in_use(p.origin), 1);
    assert_int_equal(spot_ask(&p, &mine), POOL_WAIT);
    world_settle(&p.world);
    assert_false(mine.came);
    pool_drop(its.c); /* nobody waits there */
    origin_hear_end(&p, fd[0]);
    int last = origin_accept(&p);
    RUN_UNTIL(&p.world, mine.came);
    pool_drop(mine.c);
    origin_hear_end(&p, last);
    pool_close(&its_pool);
    loop_close(&other.loop);
    loop_run(&other.loop);
    close(fd[1]);
    pool_fini(&its_pool);
    world_fini(&other);
    spot_fini(&p);
}

/* ---- low priority ---- */

static void of_low_priority_waits_behind_all_others(void **state)
{
    (void)state;
    struct spot p;
    unsigned turn = 0;
    struct asker first = { .turn = &turn, .low = true }, second = { .turn = &turn, .low = true },
                 a = { .turn = &turn }, b = { .turn = &turn };
    int fd;
    spot_init(&p, "origin_connections: 1\n");
    struct connection *c = spot_connect(&p, &fd);
    assert_int_equal(spot_ask(&p, &first), POOL_WAIT);
    assert_int_equal(spot_ask(&p, &second), POOL_WAIT);
    assert_int_equal(spot_ask(&p, &a), POOL_WAIT);
    pool_keep(c, 60000);
    RUN_UNTIL(&p.world, turn == 1);
    assert_int_equal(a.came, 1);
    /* One that comes later goes before them, too. */
    assert_int_equal(spot_ask(&p, &b), POOL_WAIT);
    pool_keep(connection_use(c), 60000);
    RUN_UNTIL(&p.world, turn == 2);
    assert_int_equal(b.came, 2);
    pool_keep(connection_use(c), 60000);
    RUN_UNTIL(&p.world, turn == 3);
    assert_int_equal(first.came, 3);
    pool_keep(connection_use(c), 60000);
    RUN_UNTIL(&p.world, turn == 4);
    assert_int_equal(second.came, 4);
    /* With a free place nobody waits. */
    pool_keep(connection_use(c), 60000);
    assert_int_equal(spot_ask(&p, &first), POOL_READY);
    pool_drop(first.c);
    close(fd);
    spot_fini(&p);
}

static void the_youngest_of_low_priority_gives_way(void **state)
{
    (void)state;
    struct spot p;
    struct asker old = { .low = true }, young = { .low = true }, more = { .low = true }, a = { 0 }, b = { 0 },
                 c = { 0 };
    int fd;
    spot_init(&p, "origin_connections: 1\norigin_queue: 2\n");
    struct connection *one = spot_connect(&p, &fd);
    assert_int_equal(spot_ask(&p, &old), POOL_WAIT);
    assert_int_equal(spot_ask(&p, &young), POOL_WAIT);
    world_settle(&p.world);
    assert_false(old.came || young.came); /* there is room */
    assert_int_equal(spot_ask(&p, &more), POOL_REFUSED);
    assert_int_equal(more.why, REASON_QUEUE_FULL);
    assert_int_equal(spot_ask(&p, &a), POOL_WAIT);
    assert_false(young.came); /* from the loop only */
    RUN_UNTIL(&p.world, young.came);
    assert_int_equal(young.why, REASON_GAVE_WAY);
    world_settle(&p.world);
    assert_false(old.came);
    assert_int_equal(spot_ask(&p, &b), POOL_WAIT);
    RUN_UNTIL(&p.world, old.came);
    assert_int_equal(old.why, REASON_GAVE_WAY);
    assert_int_equal(spot_ask(&p, &c), POOL_REFUSED);
    assert_int_equal(c.why, REASON_QUEUE_FULL);
    pool_cancel(&a.ticket);
    pool_cancel(&b.ticket);
    pool_drop(one);
    close(fd);
    spot_fini(&p);
}

static void who_hurries_is_one_of_the_others(void **state)
{
    (void)state;
    struct spot p;
    unsigned turn = 0;
    struct asker low = { .turn = &turn, .low = true }, hurried = { .turn = &turn, .low = true },
                 a = { .turn = &turn }, b = { .turn = &turn };
    int fd;
    spot_init(&p, "origin_connections: 1\norigin_queue: 3\n");
    struct connection *c = spot_connect(&p, &fd);
    assert_int_equal(spot_ask(&p, &low), POOL_WAIT);
    assert_int_equal(spot_ask(&p, &hurried), POOL_WAIT);
    assert_int_equal(spot_ask(&p, &a), POOL_WAIT);
    pool_hurry(&hurried.ticket);
    pool_hurry(&hurried.ticket);
    pool_hurry(&a.ticket);
    assert_int_equal(p.origin->waiting, 2);
    assert_int_equal(p.origin->waiting_low, 1);
    assert_int_equal(origin_waiting(p.origin), 3);
    assert_int_equal(spot_ask(&p, &b), POOL_WAIT);
    RUN_UNTIL(&p.world, low.came == 1);
    assert_int_equal(low.why, REASON_GAVE_WAY);
    struct asker *order[] = { &a, &hurried, &b };
    for (unsigned i = 0; i < COUNT_OF(order); i++) {
        pool_keep(i ? connection_use(c) : c, 60000);
        RUN_UNTIL(&p.world, turn == i + 2);
        assert_int_equal(order[i]->came, i + 2);
    }
    pool_hurry(&hurried.ticket); /* it waits no more */
    pool_drop(c);
    close(fd);
    spot_fini(&p);
}

/* One of low priority may wait on another worker than those that it waits for, or gives way to. */
static void of_low_priority_on_another_worker(void **state)
{
    (void)state;
    struct spot p;
    struct world other;
    struct pool its_pool;
    struct counters its_counters = { 0 };
    struct asker low = { .low = true }, next = { .low = true }, a = { 0 }, b = { 0 };
    int fd;
    spot_init(&p, "origin_connections: 1\norigin_queue: 2\n");
    world_init(&other);
    pool_init(&its_pool, &other.loop, &other.log, &its_counters);
    struct connection *c = spot_connect(&p, &fd);
    assert_int_equal(asker_ask(&its_pool, p.origin, p.site, &low, false), POOL_WAIT);
    assert_int_equal(asker_ask(&its_pool, p.origin, p.site, &next, false), POOL_WAIT);
    world_settle(&other);
    assert_int_equal(spot_ask(&p, &a), POOL_WAIT);
    world_settle(&p.world);
    RUN_UNTIL(&other, next.came);
    assert_int_equal(next.why, REASON_GAVE_WAY);
    world_settle(&other);
    assert_false(low.came);
    /* The free place is for the one that is not of low priority, whose worker hears of it. */
    assert_int_equal(asker_ask(&its_pool, p.origin, p.site, &next, false), POOL_REFUSED);
    pool_keep(c, 60000);
    world_settle(&other);
    assert_false(low.came);
    RUN_UNTIL(&p.world, a.came);
    assert_ptr_equal(a.c, c);
    /* When the last of those has left without a place, the one of low priority hears of it. */
    assert_int_equal(spot_ask(&p, &b), POOL_WAIT);
    connection_use(c);
    pool_drop(c);
    pool_cancel(&b.ticket);
    world_settle(&p.world);
    RUN_UNTIL(&other, low.came);
    assert_non_null(low.c);
    int last = origin_accept(&p);
    pool_drop(low.c);
    pool_close(&its_pool);
    loop_close(&other.loop);
    loop_run(&other.loop);
    close(fd);
    close(last);
    pool_fini(&its_pool);
    world_fini(&other);
    spot_fini(&p);
}

/* ---- uploads that still come ---- */

/* They have half of the places, rounded up; others go on meanwhile, and all are served in their order. */
static void uploads_leave_half_of_the_places(void **state)
{
    (void)state;
    struct spot p;
    unsigned turn = 0;
    struct asker u[4], a = { .turn = &turn }, b = { .turn = &turn };
    int fd[3];
    spot_init(&p, "origin_connections: 3\n");
    for (unsigned i = 0; i < COUNT_OF(u); i++) {
        u[i] = (struct asker){ .turn = &turn, .uploads = true };
        assert_int_equal(spot_ask(&p, &u[i]), POOL_WAIT);
    }
    assert_int_equal(origin_in_use(p.origin), 2);
    assert_int_equal(origin_uploads(p.origin), 2);
    assert_int_equal(p.origin->waiting_uploads, 2);
    assert_int_equal(origin_waiting(p.origin), 2);
    fd[0] = origin_accept(&p);
    fd[1] = origin_accept(&p);
    RUN_UNTIL(&p.world, turn == 2);
    /* What is no upload does not wait for them. */
    assert_int_equal(spot_ask(&p, &a), POOL_WAIT);
    fd[2] = origin_accept(&p);
    RUN_UNTIL(&p.world, turn == 3);
    assert_int_equal(a.came, 3);
    /* One has come, and there is no place. */
    pool_came_on(connection_use(u[0].c));
    pool_came_on(u[0].c);
    assert_int_equal(origin_in_use(p.origin), 3);
    assert_int_equal(origin_uploads(p.origin), 1);
    world_settle(&p.world);
    assert_int_equal(turn, 3);
    /* Who waits longest goes first, if he may. */
    assert_int_equal(spot_ask(&p, &b), POOL_WAIT);
    pool_keep(connection_use(a.c), 60000);
    RUN_UNTIL(&p.world, turn == 4);
    assert_int_equal(u[2].came, 4);
    pool_keep(u[0].c, 60000);
    RUN_UNTIL(&p.world, turn == 5);
    assert_int_equal(b.came, 5);
    assert_int_equal(origin_uploads(p.origin), 2);
    /* A place alone is of no use to the last; that one more has come, is. */
    pool_keep(connection_use(b.c), 60000);
    world_settle(&p.world);
    assert_int_equal(turn, 5);
    pool_came_on(connection_use(u[1].c));
    RUN_UNTIL(&p.world, turn == 6);
    assert_int_equal(u[3].came, 6);
    assert_int_equal(origin_uploads(p.origin), 2);
    for (unsigned i = 1; i < COUNT_OF(u); i++)
        pool_drop(u[i].c);
    for (unsigned i = 0; i < COUNT_OF(fd); i++)
        close(fd[i]);
    spot_fini(&p);
}

/* The same of the queue, so that they do not fill it. */
static void uploads_leave_half_of_the_queue(void **state)
{
    (void)state;
    struct spot p;
    struct asker u[4], a[3], low = { .low = true };
    int fd;
    spot_init(&p, "origin_connections: 1\norigin_queue: 3\n");
    struct connection *c = spot_connect(&p, &fd);
    for (unsigned i = 0; i < COUNT_OF(u); i++)
        u[i] = (struct asker){ .uploads = true };
    for (unsigned i = 0; i < COUNT_OF(a); i++)
        a[i] = (struct asker){ 0 };
    assert_int_equal(spot_ask(&p, &u[0]), POOL_WAIT);
    assert_int_equal(spot_ask(&p, &u[1]), POOL_WAIT);
    assert_int_equal(spot_ask(&p, &u[2]), POOL_REFUSED);
    assert_int_equal(u[2].why, REASON_QUEUE_FULL);
    assert_int_equal(spot_ask(&p, &low), POOL_WAIT);
    assert_int_equal(spot_ask(&p, &a[0]), POOL_WAIT);
    RUN_UNTIL(&p.world, low.came);
    assert_int_equal(low.why, REASON_GAVE_WAY);
    assert_int_equal(spot_ask(&p, &a[1]), POOL_REFUSED);
    assert_int_equal(a[1].why, REASON_QUEUE_FULL);
    pool_cancel(&u[0].ticket);
    assert_int_equal(p.origin->waiting_uploads, 1);
    assert_int_equal(spot_ask(&p, &a[2]), POOL_WAIT);
    assert_int_equal(spot_ask(&p, &u[3]), POOL_REFUSED);
    world_turn(&p.world, 10000);
    RUN_UNTIL(&p.world, u[1].came && a[0].came && a[2].came);
    assert_int_equal(u[1].why, REASON_QUEUE_TIMEOUT);
    pool_drop(c);
    close(fd);
    spot_fini(&p);
}

/* An upload may come before its ticket has a connection; and each may end at any time. */
static void an_upload_comes_while_it_waits(void **state)
{
    (void)state;
    struct spot p;
    struct asker u[4], a = { 0 };
    int fd[3];
    spot_init(&p, "origin_connections: 2\n");
    for (unsigned i = 0; i < COUNT_OF(u); i++)
        u[i] = (struct asker){ .uploads = true };
    assert_int_equal(spot_ask(&p, &u[0]), POOL_WAIT);
    assert_int_equal(u[0].ticket.state, TICKET_CONNECTING);
    assert_int_equal(spot_ask(&p, &u[1]), POOL_WAIT);
    assert_int_equal(spot_ask(&p, &u[2]), POOL_WAIT);
    assert_int_equal(spot_ask(&p, &u[3]), POOL_WAIT);
    assert_int_equal(origin_uploads(p.origin), 1);
    /* In the queue: from now on it is one of the others, for which there is a place. */
    pool_came(&u[2].ticket);
    pool_came(&u[2].ticket);
    assert_int_equal(p.origin->waiting_uploads, 2);
    assert_int_equal(p.origin->waiting, 1);
    fd[0] = origin_accept(&p);
    fd[1] = origin_accept(&p);
    RUN_UNTIL(&p.world, u[0].came && u[2].came);
    assert_int_equal(origin_uploads(p.origin), 1);
    assert_int_equal(origin_in_use(p.origin), 2);
    pool_cancel(&u[1].ticket);
    pool_cancel(&u[3].ticket);
    assert_int_equal(p.origin->waiting_uploads, 0);
    pool_drop(u[0].c);
    assert_int_equal(origin_uploads(p.origin), 0);
    /* While it connects. */
    assert_int_equal(spot_ask(&p, &u[1]), POOL_WAIT);
    assert_int_equal(u[1].ticket.state, TICKET_CONNECTING);
    assert_int_equal(origin_uploads(p.origin), 1);
    pool_came(&u[1].ticket);
    assert_int_equal(origin_uploads(p.origin), 0);
    assert_int_equal(origin_in_use(p.origin), 2);
    pool_cancel(&u[1].ticket);
    assert_int_equal(spot_ask(&p, &u[3]), POOL_WAIT);
    assert_int_equal(u[3].ticket.state, TICKET_CONNECTING);
    assert_int_equal(origin_uploads(p.origin), 1);
    pool_cancel(&u[3].ticket);
    assert_int_equal(origin_uploads(p.origin), 0);
    world_settle(&p.world);
    while (origin_is_called(&p))
        close(origin_accept(&p));
    pool_drop(u[2].c);
    close(fd[0]);
    close(fd[1]);
    /* The origin is down, or the connection is counted elsewhere. */
    origin_down(&p);
    assert_int_equal(spot_ask(&p, &u[0]), POOL_WAIT);
    RUN_UNTIL(&p.world, u[0].came);
    assert_int_equal(u[0].why, REASON_CONNECT_FAILED);
    assert_int_equal(p.origin->places, 0);
    origin_up(&p);
    assert_int_equal(spot_ask(&p, &u[0]), POOL_WAIT);
    fd[2] = origin_accept(&p);
    RUN_UNTIL(&p.world, u[0].came);
    pool_give_place(connection_use(u[0].c));
    assert_int_equal(p.origin->places, 0);
    pool_came_on(u[0].c);
    assert_int_equal(p.origin->places, 0);
    pool_keep(u[0].c, 60000);
    assert_int_equal(spot_ask(&p, &a), POOL_READY);
    assert_int_equal(origin_uploads(p.origin), 0);
    pool_keep(a.c, 60000);
    assert_int_equal(spot_ask(&p, &u[1]), POOL_READY);
    assert_int_equal(origin_uploads(p.origin), 1);
    pool_drop(u[1].c);
    close(fd[2]);
    spot_fini(&p);
}

/* Uploads of all workers are counted together; one that has come tells those that wait on other workers, and
 * a place that no upload may have is for one of low priority. */
static void uploads_on_another_worker(void **state)
{
    (void)state;
    struct spot p;
    struct world other;
    struct pool its_pool;
    struct counters its_counters = { 0 };
    struct asker mine = { .uploads = true }, its = { .uploads = true }, next = { .uploads = true },
                 low = { .low = true }, late = { .low = true };
    int fd[4];
    spot_init(&p, "origin_connections: 2\n");
    world_init(&other);
    pool_init(&its_pool, &other.loop, &other.log, &its_counters);
    assert_int_equal(spot_ask(&p, &mine), POOL_WAIT);
    fd[0] = origin_accept(&p);
    RUN_UNTIL(&p.world, mine.came);
    assert_int_equal(asker_ask(&its_pool, p.origin, p.site, &its, false), POOL_WAIT);
    assert_int_equal(asker_ask(&its_pool, p.origin, p.site, &next, false), POOL_WAIT);
    world_settle(&other);
    assert_int_equal(its.ticket.state, TICKET_QUEUED);
    assert_int_equal(origin_in_use(p.origin), 1);
    assert_int_equal(spot_ask(&p, &low), POOL_WAIT);
    assert_int_equal(low.ticket.state, TICKET_CONNECTING);
    fd[1] = origin_accept(&p);
    RUN_UNTIL(&p.world, low.came);
    assert_int_equal(spot_ask(&p, &late), POOL_WAIT);
    assert_int_equal(late.ticket.state, TICKET_QUEUED);
    pool_came_on(connection_use(mine.c));
    world_settle(&p.world);
    world_settle(&other);
    assert_false(its.came || late.came); /* there is no place */
    pool_drop(mine.c);
    world_settle(&p.world);
    assert_int_equal(late.ticket.state, TICKET_QUEUED); /* it is behind them */
    while (!origin_is_called(&p))
        loop_run_once(&other.loop, false);
    fd[2] = origin_accept(&p);
    RUN_UNTIL(&other, its.came);
    assert_int_equal(origin_uploads(p.origin), 1);
    assert_int_equal(p.origin->waiting_uploads, 1);
    pool_drop(low.c);
    fd[3] = origin_accept(&p);
    RUN_UNTIL(&p.world, late.came);
    pool_cancel(&next.ticket);
    pool_drop(late.c);
    pool_drop(its.c);
    assert_int_equal(p.origin->places, 0);
    pool_close(&its_pool);
    loop_close(&other.loop);
    loop_run(&other.loop);
    for (unsigned i = 0; i < COUNT_OF(fd); i++)
        close(fd[i]);
    pool_fini(&its_pool);
    world_fini(&other);
    spot_fini(&p);
}

/* Tunnels and streams are counted elsewhere: they live on and take no place. */
static void one_without_an_end_takes_no_place(void **state)
{
    (void)state;
    struct spot p;
    struct asker a = { 0 };
    int fd[2];
    spot_init(&p, "origin_connections: 1\n");
    struct connection *tunnel = spot_connect(&p, &fd[0]);
    assert_int_equal(spot_ask(&p, &a), POOL_WAIT);
    pool_give_place(tunnel);
    assert_int_equal(origin_in_use(p.origin), 0);
    pool_give_place(tunnel);
    assert_int_equal(origin_in_use(p.origin), 0);
    fd[1] = origin_accept(&p);
    RUN_UNTIL(&p.world, a.came);
    assert_int_equal(origin_in_use(p.origin), 1);
    user_heard = 0;
    origin_say(fd[0], "still there");
    RUN_UNTIL(&p.world, user_heard == 11);
    pool_drop(tunnel);
    assert_int_equal(origin_in_use(p.origin), 1);
    pool_drop(a.c);
    close(fd[0]);
    close(fd[1]);
    spot_fini(&p);
}

/* ---- no connection ---- */

static void fails_while_the_origin_is_down(void **state)
{
    (void)state;
    struct spot p;
    struct asker a = { 0 }, b = { 0 };
    spot_init(&p, "origin_connections: 1\n");
    origin_down(&p);
    assert_int_equal(spot_ask(&p, &a), POOL_WAIT);
    assert_int_equal(spot_ask(&p, &b), POOL_WAIT);
    RUN_UNTIL(&p.world, a.came && b.came);
    assert_int_equal(a.why, REASON_CONNECT_FAILED);
    assert_int_equal(b.why, REASON_CONNECT_FAILED);
    assert_int_equal(origin_in_use(p.origin), 0);
    assert_int_equal(p.origin->last_error, UV_ENOENT);
    spot_fini(&p);
}

static void tries_again_while_the_origin_restarts(void **state)
{
    (void)state;
    struct spot p;
    struct asker a = { .retry_ms = 60000 }, b = { .retry_ms = 60000 }, c = { .retry_ms = 60000 };
    spot_init(&p, "");
    origin_down(&p);
    assert_int_equal(spot_ask(&p, &a), POOL_WAIT);
    assert_int_equal(spot_ask(&p, &b), POOL_WAIT);
    RUN_UNTIL(&p.world, a.ticket.state == TICKET_PAUSED && b.ticket.state == TICKET_PAUSED);
    assert_int_equal(origin_in_use(p.origin), 2);
    pool_cancel(&b.ticket);
    assert_int_equal(origin_in_use(p.origin), 1);
    origin_up(&p);
    world_turn(&p.world, 200);
    int fd = origin_accept(&p);
    RUN_UNTIL(&p.world, a.came);
    assert_non_null(a.c);
    assert_false(b.came);
    pool_drop(a.c);
    origin_hear_end(&p, fd);
    /* It has an end. */
    origin_down(&p);
    assert_int_equal(spot_ask(&p, &c), POOL_WAIT);
    RUN_UNTIL(&p.world, c.ticket.state == TICKET_PAUSED);
    world_turn(&p.world, 61000);
    RUN_UNTIL(&p.world, c.came);
    assert_int_equal(c.why, REASON_CONNECT_FAILED);
    assert_true(c.ticket.refused_ms > 0);
    spot_fini(&p);
}

/* ---- names ---- */

/* Writes the file of io/hosts.h, which names the addresses. */
static void say_names(const char *lines)
{
    char path[96];
    snprintf(path, sizeof(path), "%s/hosts", spot_folder);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(lines, f);
    assert_int_equal(fclose(f), 0);
    setenv("FRESHET_TEST_HOSTS", path, 1);
}

static int forget_names(void **state)
{
    const char *path = getenv("FRESHET_TEST_HOSTS");
    (void)state;
    if (path)
        unlink(path);
    return unsetenv("FRESHET_TEST_HOSTS");
}

/* An origin with that name, on a port of 127.0.0.1 where the spot's origin listens from now on. */
static struct origin *named(struct spot *p, struct str name)
{
    struct address at, bound;
    origin_down(p);
    assert_true(address_parse(STR("127.0.0.1:0"), &at));
    p->listening = listener_socket(&at, &bound);
    assert_true(p->listening >= 0);
    assert_int_equal(listen(p->listening, 16), 0);
    return origins_get(&p->origins, &(struct origin_address){ .host_name = name,
                                                              .port = ntohs(bound.sa.v4.sin_port),
                                                              .authority = name });
}

/* Asks for a new connection and gives it back at once. */
static void reaches(struct spot *p, struct origin *o)
{
    struct asker a = { 0 };
    assert_int_equal(asker_ask(&p->pool, o, p->site, &a, true), POOL_WAIT);
    RUN_UNTIL(&p->world, a.came);
    if (!a.c)
        fail_msg("%.*s", STR_ARG(reason_detail(a.why)));
    close(origin_accept(p));
    pool_drop(a.c);
}

static void fails_for(struct spot *p, struct origin *o, enum reason why)
{
    struct asker a = { 0 };
    assert_int_equal(asker_ask(&p->pool, o, p->site, &a, true), POOL_WAIT);
    RUN_UNTIL(&p->world, a.came);
    assert_null(a.c);
    assert_int_equal(a.why, why);
    assert_int_equal(origin_in_use(o), 0);
}

/* CACHING.md 7: old addresses stay in use while a resolver is slow or fails, and new ones are asked for. */
static void a_name_is_resolved_again(void **state)
{
    (void)state;
    struct spot p;
    struct asker a = { 0 }, b = { 0 };
    spot_init(&p, "origin_resolve: 300s\n");
    say_names("site.test fail\n");
    struct origin *o = named(&p, STR("site.test"));
    assert_int_equal(asker_ask(&p.pool, o, p.site, &a, false), POOL_WAIT);
    assert_int_equal(a.ticket.state, TICKET_RESOLVING);
    assert_int_equal(asker_ask(&p.pool, o, p.site, &b, false), POOL_WAIT);
    RUN_UNTIL(&p.world, a.came && b.came);
    assert_int_equal(a.why, REASON_RESOLVE_FAILED);
    assert_int_equal(b.why, REASON_RESOLVE_FAILED);
    assert_int_equal(origin_in_use(o), 0);
    say_names("site.test 127.0.0.1\n");
    reaches(&p, o);
    /* It moves: whoever asks gets the old address once more, and those behind the new one. */
    say_names("site.test 127.0.0.2\n");
    world_turn(&p.world, 200000);
    world_settle(&p.world);
    reaches(&p, o);
    assert_false(entry_of(&p)->is_resolving);
    world_turn(&p.world, 150000);
    world_settle(&p.world);
    reaches(&p, o);
    RUN_UNTIL(&p.world, !entry_of(&p)->is_resolving);
    fails_for(&p, o, REASON_CONNECT_FAILED);
    /* Back again: that is found out at once, for the same request. */
    world_turn(&p.world, 2000);
    world_settle(&p.world);
    say_names("site.test 127.0.0.1\n");
    reaches(&p, o);
    /* A resolver that fails changes nothing. */
    say_names("site.test fail\n");
    world_turn(&p.world, 301000);
    world_settle(&p.world);
    reaches(&p, o);
    RUN_UNTIL(&p.world, !entry_of(&p)->is_resolving);
    reaches(&p, o);
    spot_fini(&p);
}

static void the_next_address_is_tried(void **state)
{
    (void)state;
    struct spot p;
    spot_init(&p, "");
    say_names("two.test 127.0.0.2 127.0.0.1\n");
    struct origin *o = named(&p, STR("two.test"));
    reaches(&p, o);
    assert_int_equal(spot_count(&p, COUNTER_ORIGIN_CONNECTS), 2);
    /* The one that failed is the last for a minute, also when the name is resolved again. */
    reaches(&p, o);
    assert_int_equal(spot_count(&p, COUNTER_ORIGIN_CONNECTS), 3);
    world_turn(&p.world, 31000);
    world_settle(&p.world);
    reaches(&p, o);
    RUN_UNTIL(&p.world, !entry_of(&p)->is_resolving);
    reaches(&p, o);
    assert_int_equal(spot_count(&p, COUNTER_ORIGIN_CONNECTS), 5);
    world_turn(&p.world, 30000);
    world_settle(&p.world);
    reaches(&p, o);
    assert_int_equal(spot_count(&p, COUNTER_ORIGIN_CONNECTS), 7);
    RUN_UNTIL(&p.world, !entry_of(&p)->is_resolving);
    spot_fini(&p);
}

static void a_slow_resolver_has_its_time(void **state)
{
    (void)state;
    struct spot p;
    struct asker a = { 0 }, b = { 0 };
    spot_init(&p, "connect_timeout: 60s\n");
    say_names("slow.test slow\n");
    struct origin *o = named(&p, STR("slow.test"));
    assert_int_equal(asker_ask(&p.pool, o, p.site, &a, false), POOL_WAIT);
    assert_int_equal(asker_ask(&p.pool, o, p.site, &b, false), POOL_WAIT);
    pool_cancel(&b.ticket);
    assert_int_equal(origin_in_use(o), 1);
    world_turn(&p.world, 30000);
    world_settle(&p.world);
    assert_false(a.came);
    world_turn(&p.world, 40000);
    RUN_UNTIL(&p.world, a.came);
    assert_int_equal(a.why, REASON_RESOLVE_FAILED);
    assert_int_equal(origin_in_use(o), 0);
    assert_true(entry_of(&p)->is_resolving);
    spot_fini(&p); /* ends it */
    assert_false(b.came);
}

/* ---- one client's own ---- */

static void a_clients_own_goes_to_nobody_else(void **state)
{
    (void)state;
    struct spot p;
    struct connection *his = NULL, *hers = NULL;
    struct asker he = { .own = &his }, he_too = { .own = &his }, she = { .own = &hers }, anybody = { 0 };
    int fd[4];
    spot_init(&p, "origin_connection_age: 10s\n");
    struct connection *c = spot_connect(&p, &fd[0]), *idle = spot_connect(&p, &fd[1]);
    keep_for(c, &his);
    pool_keep(idle, 60000);
    assert_ptr_equal(his, c);
    assert_int_equal(pool_idle(&p.pool), 1);
    assert_int_equal(origin_in_use(p.origin), 0);
    assert_int_equal(spot_ask(&p, &she), POOL_READY);
    assert_ptr_equal(she.c, idle);
    connection_use(idle);
    assert_int_equal(spot_ask(&p, &anybody), POOL_WAIT);
    fd[2] = origin_accept(&p);
    RUN_UNTIL(&p.world, anybody.came);
    assert_ptr_not_equal(anybody.c, c);
    /* He gets it, however old it is, and it is not taken from him while he uses it. */
    world_turn(&p.world, 3600000);
    world_settle(&p.world);
    assert_int_equal(spot_ask(&p, &he), POOL_READY);
    assert_ptr_equal(he.c, c);
    assert_int_equal(origin_in_use(p.origin), 3);
    connection_use(c);
    assert_int_equal(spot_ask(&p, &he_too), POOL_WAIT);
    fd[3] = origin_accept(&p);
    RUN_UNTIL(&p.world, he_too.came);
    assert_ptr_not_equal(he_too.c, c);
    /* The second that he logs in with takes the place of the first. */
    keep_for(c, &his);
    keep_for(connection_use(he_too.c), &his);
    assert_ptr_equal(his, he_too.c);
    origin_hear_end(&p, fd[0]);
    assert_int_equal(entry_of(&p)->owned_n, 1);
    pool_disown(&his);
    assert_null(his);
    origin_hear_end(&p, fd[3]);
    pool_disown(&his);
    assert_int_equal(entry_of(&p)->owned_n, 0);
    pool_drop(idle);
    pool_drop(anybody.c);
    close(fd[1]);
    close(fd[2]);
    spot_fini(&p);
}

static void a_clients_own_ends_with_either(void **state)
{
    (void)state;
    struct spot p;
    struct connection *his = NULL;
    struct asker he = { .own = &his, .once = true };
    int fd;
    spot_init(&p, "");
    /* The origin's end is heard of while nobody uses it. */
    keep_for(spot_connect(&p, &fd), &his);
    close(fd);
    RUN_UNTIL(&p.world, !his);
    assert_int_equal(entry_of(&p)->owned_n, 0);
    /* Or is seen when it is asked for. */
    keep_for(spot_connect(&p, &fd), &his);
    world_settle(&p.world);
    close(fd);
    assert_int_equal(spot_ask(&p, &he), POOL_WAIT);
    assert_null(his);
    fd = origin_accept(&p);
    RUN_UNTIL(&p.world, he.came);
    /* The client leaves in the middle: its user gives it back, and it is no one's. */
    keep_for(connection_use(he.c), &his);
    assert_int_equal(spot_ask(&p, &he), POOL_READY);
    struct connection *c = connection_use(he.c);
    pool_disown(&his);
    assert_null(his);
    assert_null(c->own);
    origin_hears_nothing(&p, fd);
    pool_drop(c);
    origin_hear_end(&p, fd);
    assert_int_equal(entry_of(&p)->owned_n, 0);
    assert_int_equal(origin_in_use(p.origin), 0);
    spot_fini(&p);
}

static void a_clients_own_is_for_its_origin(void **state)
{
    (void)state;
    struct spot p;
    struct connection *his = NULL;
    struct asker he = { .own = &his };
    int fd;
    spot_init(&p, "");
    struct origin_address there = { .local_path = STR("/nowhere"), .authority = STR("localhost") };
    struct origin *other = origins_get(&p.origins, &there);
    struct connection *c = spot_connect(&p, &fd);
    keep_for(c, &his);
    assert_true(pool_is_to(c, &p.site->origin_address));
    assert_false(pool_is_to(c, &there));
    assert_int_equal(asker_ask(&p.pool, other, p.site, &he, false), POOL_WAIT);
    RUN_UNTIL(&p.world, he.came);
    assert_null(he.c);
    assert_ptr_equal(his, c);
    pool_disown(&his);
    origin_hear_end(&p, fd);
    spot_fini(&p);
}

/* CACHING.md 7: one origin keeps 1024 for each worker. The next one is closed after its answer, so its client
 * cannot log in; those who have one keep it, and one that ends makes room. */
static void clients_own_no_more_than_the_limit(void **state)
{
    (void)state;
    need_descriptors(2 * (MANY + 2));
    static struct connection *own[MANY + 1];
    static int fds[MANY + 1];
    struct spot p;
    spot_init(&p, "origin_connections: 5\n");
    for (int i = 0; i <= MANY; i++)
        keep_for(spot_connect(&p, &fds[i]), &own[i]);
    assert_int_equal(entry_of(&p)->owned_n, MANY);
    assert_null(own[MANY]);
    origin_hear_end(&p, fds[MANY]);
    struct asker first = { .own = &own[0] };
    assert_int_equal(spot_ask(&p, &first), POOL_READY);
    keep_for(connection_use(first.c), &own[0]);
    assert_ptr_equal(own[0], first.c);
    /* His next one takes the place of his own. */
    int another;
    struct connection *c = spot_connect(&p, &another);
    keep_for(c, &own[0]);
    assert_ptr_equal(own[0], c);
    origin_hear_end(&p, fds[0]);
    assert_int_equal(entry_of(&p)->owned_n, MANY);
    pool_disown(&own[1]);
    keep_for(spot_connect(&p, &fds[MANY]), &own[MANY]);
    assert_non_null(own[MANY]);
    assert_int_equal(entry_of(&p)->owned_n, MANY);
    assert_int_equal(origin_in_use(p.origin), 0);
    for (int i = 0; i <= MANY; i++) {
        pool_disown(&own[i]);
        if (i > 0)
            close(fds[i]);
    }
    origin_hear_end(&p, another);
    spot_fini(&p);
}

/* ---- the end ---- */

static void keeps_none_once_it_closes(void **state)
{
    (void)state;
    struct spot p;
    struct connection *his = NULL;
    struct asker a = { 0 }, b = { 0 };
    int fd[4];
    spot_init(&p, "origin_connections: 2\n");
    struct connection *one = spot_connect(&p, &fd[0]), *two = spot_connect(&p, &fd[1]);
    assert_int_equal(spot_ask(&p, &a), POOL_WAIT);
    assert_int_equal(spot_ask(&p, &b), POOL_WAIT);
    pool_close(&p.pool);
    origin_hears_nothing(&p, fd[0]);
    pool_keep(one, 60000);
    keep_for(two, &his);
    assert_int_equal(pool_idle(&p.pool), 0);
    assert_null(his);
    /* Who waits already still gets one; who is cancelled hears of nothing. */
    pool_cancel(&b.ticket);
    origin_hear_end(&p, fd[0]);
    origin_hear_end(&p, fd[1]);
    fd[2] = origin_accept(&p);
    RUN_UNTIL(&p.world, a.came);
    assert_non_null(a.c);
    assert_false(b.came);
    pool_drop(a.c);
    origin_hear_end(&p, fd[2]);
    spot_fini(&p);
}

static void closes_those_that_are_idle(void **state)
{
    (void)state;
    struct spot p;
    int fd[2];
    spot_init(&p, "");
    struct connection *one = spot_connect(&p, &fd[0]), *two = spot_connect(&p, &fd[1]);
    pool_keep(one, 60000);
    pool_keep(two, 60000);
    pool_close(&p.pool);
    assert_int_equal(pool_idle(&p.pool), 0);
    origin_hear_end(&p, fd[0]);
    origin_hear_end(&p, fd[1]);
    spot_fini(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_put_back_and_taken_again),
        cmocka_unit_test(the_latest_used_is_taken_first),
        cmocka_unit_test(ends_when_it_was_idle_for_long),
        cmocka_unit_test(no_more_are_idle_than_the_limit),
        cmocka_unit_test(an_old_one_gets_no_new_request),
        cmocka_unit_test(one_that_the_origin_closed_is_gone),
        cmocka_unit_test(one_that_speaks_unasked_is_closed),
        cmocka_unit_test(who_waits_gets_none_with_bytes_left_in_it),
        cmocka_unit_test(nobody_gets_a_dead_one),
        cmocka_unit_test(nobody_gets_one_that_has_bytes),
        cmocka_unit_test(who_wants_a_new_one_gets_it),
        cmocka_unit_test(waits_in_order_beyond_the_limit),
        cmocka_unit_test(the_queue_is_bounded_in_length_and_time),
        cmocka_unit_test(who_cancels_gives_its_place_back),
        cmocka_unit_test(a_higher_limit_holds_for_who_waits),
        cmocka_unit_test(a_place_goes_to_another_worker),
        cmocka_unit_test(of_low_priority_waits_behind_all_others),
        cmocka_unit_test(the_youngest_of_low_priority_gives_way),
        cmocka_unit_test(who_hurries_is_one_of_the_others),
        cmocka_unit_test(of_low_priority_on_another_worker),
        cmocka_unit_test(uploads_leave_half_of_the_places),
        cmocka_unit_test(uploads_leave_half_of_the_queue),
        cmocka_unit_test(an_upload_comes_while_it_waits),
        cmocka_unit_test(uploads_on_another_worker),
        cmocka_unit_test(one_without_an_end_takes_no_place),
        cmocka_unit_test(fails_while_the_origin_is_down),
        cmocka_unit_test(tries_again_while_the_origin_restarts),
        cmocka_unit_test_teardown(a_name_is_resolved_again, forget_names),
        cmocka_unit_test_teardown(the_next_address_is_tried, forget_names),
        cmocka_unit_test_teardown(a_slow_resolver_has_its_time, forget_names),
        cmocka_unit_test(a_clients_own_goes_to_nobody_else),
        cmocka_unit_test(a_clients_own_ends_with_either),
        cmocka_unit_test(a_clients_own_is_for_its_origin),
        cmocka_unit_test(clients_own_no_more_than_the_limit),
        cmocka_unit_test(keeps_none_once_it_closes),
        cmocka_unit_test(closes_those_that_are_idle),
    };
    RUN_ALL_WAYS(tests, spot_folder_make, spot_folder_remove);
}
