/* What the tests of pools and fetches share: a worker's pool, and an origin on a Unix socket. The test plays
 * the origin itself, on the same thread: it runs the loop until what it waits for has come. */
#ifndef ORIGIN_TEST_H
#define ORIGIN_TEST_H

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "io_test.h"

#include "base/mem.h"
#include "conf/settings.h"
#include "io/listener.h"
#include "origin/pool_machine.h"

static char spot_folder[64];

static int spot_folder_make(void **state)
{
    (void)state;
    snprintf(spot_folder, sizeof(spot_folder), "/tmp/origin_test.XXXXXX");
    return mkdtemp(spot_folder) ? 0 : -1;
}

static int spot_folder_remove(void **state)
{
    (void)state;
    return rmdir(spot_folder);
}

struct spot {
    struct world world;
    struct counters counters;
    struct origins origins;
    struct settings *settings;
    struct site_settings *site; /* a test may change it */
    struct origin *origin;
    struct pool pool;
    char path[96];
    int listening; /* -1: the origin is down */
};

static inline void origin_up(struct spot *p)
{
    struct address at;
    assert_true(address_local(str_from(p->path), &at));
    unlink(p->path); /* of a test that failed */
    p->listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(p->listening, &at.sa.any, at.bytes), 0);
    assert_int_equal(listen(p->listening, 4096), 0);
}

static inline void origin_down(struct spot *p)
{
    close(p->listening);
    unlink(p->path);
    p->listening = -1;
}

/* `yaml`: lines of the configuration besides the origin. */
static inline void spot_init(struct spot *p, const char *yaml)
{
    struct buf text = BUF_INIT, errors = BUF_INIT;
    memset(p, 0, sizeof(*p));
    world_init(&p->world);
    snprintf(p->path, sizeof(p->path), "%s/socket", spot_folder);
    buf_printf(&text, "origin: unix:%s\n%s", p->path, yaml);
    p->settings = settings_parse(buf_str(&text), STR("test"), NULL, 0, &errors);
    if (!p->settings)
        fail_msg("%.*s", STR_ARG(buf_str(&errors)));
    buf_fini(&text);
    buf_fini(&errors);
    p->site = &p->settings->sites[0];
    origins_init(&p->origins);
    p->origin = origins_get(&p->origins, &p->site->origin_address);
    pool_init(&p->pool, &p->world.loop, &p->world.log, &p->counters);
    origin_up(p);
}

/* All connections were given back: nothing may be counted any more. */
static inline void spot_fini(struct spot *p)
{
    pool_close(&p->pool);
    loop_close(&p->world.loop);
    loop_run(&p->world.loop);
    assert_int_equal(counter_read(&p->counters, COUNTER_ORIGIN_CONNECTIONS), 0);
    assert_int_equal(p->origin->places, 0);
    assert_int_equal(p->origin->waiting, 0);
    assert_int_equal(p->origin->waiting_uploads, 0);
    assert_int_equal(p->origin->waiting_low, 0);
    assert_int_equal(pool_idle(&p->pool), 0);
    pool_fini(&p->pool);
    origins_fini(&p->origins);
    settings_unref(p->settings);
    if (p->listening >= 0)
        origin_down(p);
    world_fini(&p->world);
}

static inline int64_t spot_count(const struct spot *p, enum counter which)
{
    return counter_read(&p->counters, which);
}

/* ---- the origin's side ---- */

/* Does a connection wait to be accepted? */
static inline bool origin_is_called(const struct spot *p)
{
    struct pollfd at = { .fd = p->listening, .events = POLLIN };
    return poll(&at, 1, 0) == 1;
}

static inline int origin_accept(struct spot *p)
{
    RUN_UNTIL(&p->world, origin_is_called(p));
    int fd = accept4(p->listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    assert_true(fd >= 0);
    return fd;
}

static inline void origin_say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Runs the loop until exactly this came. */
static inline void origin_hear(struct spot *p, int fd, const char *text)
{
    char got[4096];
    size_t n = 0, want = strlen(text);
    assert_true(want <= sizeof(got));
    while (n < want) {
        ssize_t more = recv(fd, got + n, want - n, 0);
        if (more > 0)
            n += (size_t)more;
        else if (more == 0 || errno != EAGAIN)
            fail_msg("it ended after \"%.*s\"", (int)n, got);
        else
            loop_run_once(&p->world.loop, false);
    }
    if (memcmp(got, text, n) != 0)
        fail_msg("\"%.*s\" instead of \"%s\"", (int)n, got, text);
}

/* Runs the loop until freshet has closed the connection, and closes it too. */
static inline void origin_hear_end(struct spot *p, int fd)
{
    char byte;
    ssize_t n;
    while ((n = recv(fd, &byte, 1, 0)) < 0 && errno == EAGAIN)
        loop_run_once(&p->world.loop, false);
    /* A reset, when what the origin said was not read. */
    if (n > 0)
        fail_msg("'%c' instead of the end", byte);
    close(fd);
}

/* Nothing came and the connection is open. */
static inline void origin_hears_nothing(struct spot *p, int fd)
{
    char byte;
    world_settle(&p->world);
    assert_int_equal(recv(fd, &byte, 1, MSG_PEEK), -1);
    assert_int_equal(errno, EAGAIN);
}

/* ---- who asks the pool ---- */

struct asker {
    struct ticket ticket;
    struct connection *c;
    struct connection **own;
    enum reason why;
    bool once, low, uploads;
    int64_t retry_ms;
    unsigned *turn, came; /* `came`: the how-manieth answer it got, by *turn */
};

static void asker_ready(struct ticket *t, struct connection *c)
{
    struct asker *a = CONTAINER_OF(t, struct asker, ticket);
    assert_false(a->came);
    a->c = c;
    a->came = a->turn ? ++*a->turn : 1;
}

static void asker_failed(struct ticket *t, enum reason why)
{
    struct asker *a = CONTAINER_OF(t, struct asker, ticket);
    assert_false(a->came);
    a->why = why;
    a->came = a->turn ? ++*a->turn : 1;
}

static inline enum pool_answer asker_ask(struct pool *pool, struct origin *o,
                                         const struct site_settings *site, struct asker *a, bool fresh)
{
    a->ticket = (struct ticket){ .ready = asker_ready,
                                 .failed = asker_failed,
                                 .low = a->low,
                                 .uploads = a->uploads,
                                 .once = a->once,
                                 .own = a->own,
                                 .retry_ms = a->retry_ms };
    a->came = 0;
    a->c = NULL;
    a->why = REASON_NONE;
    return pool_ask(pool, o, site, fresh, &a->ticket, &a->c, &a->why);
}

static inline enum pool_answer spot_ask(struct spot *p, struct asker *a)
{
    return asker_ask(&p->pool, p->origin, p->site, a, false);
}

static size_t user_space(struct connection *c, char **p)
{
    static char bytes[64];
    (void)c;
    *p = bytes;
    return sizeof(bytes);
}

static void user_data(struct connection *c, size_t n)
{
    *(size_t *)c->ctx += n;
}

static void user_ended(struct connection *c, int status)
{
    (void)status;
    *(size_t *)c->ctx |= (size_t)1 << 32;
}

static void user_written(struct connection *c, int status)
{
    (void)c, (void)status;
    UNREACHABLE();
}

static const struct connection_user connection_user = { user_space, user_data, user_ended, user_written };
static size_t user_heard; /* bytes; and 2^32: the end */

/* What an asker does with what it got. */
static inline struct connection *connection_use(struct connection *c)
{
    assert_non_null(c);
    assert_true(c->counted);
    c->user = &connection_user;
    c->ctx = &user_heard;
    stream_read_start(&c->stream);
    return c;
}

/* Makes a new connection. *fd: the origin's end of it. */
static inline struct connection *spot_connect(struct spot *p, int *fd)
{
    struct asker a = { 0 };
    assert_int_equal(asker_ask(&p->pool, p->origin, p->site, &a, true), POOL_WAIT);
    *fd = origin_accept(p);
    RUN_UNTIL(&p->world, a.came);
    return connection_use(a.c);
}

/* May this process open so many more descriptors? A system that does not allow it cannot test it. */
static inline void need_descriptors(rlim_t n)
{
    struct rlimit most;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &most), 0);
    most.rlim_cur = most.rlim_max;
    if (most.rlim_max < n + 64) {
        print_message("needs %llu descriptors\n", (unsigned long long)n);
        skip();
    }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &most), 0);
}

#endif
