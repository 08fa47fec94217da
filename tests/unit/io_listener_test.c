/* A listener accepts in bounded portions, keeps connections waiting when descriptors run out, and leaves none
 * behind when it closes; a port or path that is taken is one clear error. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "io_test.h"
#include "io/listener.h"

#define MOST 300

struct door {
    struct listener listener;
    struct address at;
    int fds[MOST];
    int accepted, closed;
    int pause_at, close_at; /* in the callback of the how-manieth */
    struct address last_peer;
};

#define FOLDER "/tmp/io_listener_test.XXXXXX"
static char folder[] = FOLDER;
static char path[64];

static void on_closed(struct listener *l)
{
    struct door *d = l->owner;
    d->closed++;
}

static void on_accepted(struct listener *l, int fd, const struct address *peer)
{
    struct door *d = l->owner;
    assert_int_equal(d->closed, 0);
    assert_true(d->accepted < MOST);
    assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    assert_int_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    d->last_peer = *peer;
    d->fds[d->accepted++] = fd;
    if (d->accepted == d->pause_at)
        listener_pause(l);
    if (d->accepted == d->close_at)
        listener_close(l, on_closed);
}

static void open_door(struct door *d, struct world *w, const char *text)
{
    struct address at;
    memset(d, 0, sizeof(*d));
    assert_true(address_parse(str_from(text), &at));
    int fd = listener_socket(&at, &d->at);
    assert_true(fd >= 0);
    assert_int_equal(listener_start(&d->listener, &w->loop, fd, on_accepted, d), 0);
    assert_int_equal(d->accepted, 0);
}

static void close_door(struct door *d, struct world *w)
{
    if (d->listener.state == LISTENER_OPEN)
        listener_close(&d->listener, on_closed);
    assert_int_equal(d->closed, 0);
    RUN_UNTIL(w, d->closed);
    world_settle(w);
    assert_int_equal(d->closed, 1);
    for (int i = 0; i < d->accepted; i++)
        close(d->fds[i]);
}

/* Returns when the connection is in the backlog. -1: refused. */
static int knock(const struct address *at)
{
    int fd = socket(at->sa.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    if (connect(fd, &at->sa.any, at->bytes) != 0) {
        assert_true(errno == ECONNREFUSED || errno == ENOENT);
        close(fd);
        return -1;
    }
    return fd;
}

static void knock_often(const struct address *at, int *fds, int n)
{
    for (int i = 0; i < n; i++) {
        fds[i] = knock(at);
        assert_true(fds[i] >= 0);
    }
}

static void close_all(int *fds, int n)
{
    for (int i = 0; i < n; i++)
        close(fds[i]);
}

static void accepts_and_says_who_comes(void **state)
{
    static struct world w;
    struct door d;
    struct address own;
    char text[ADDRESS_TEXT_MAX], wanted[ADDRESS_TEXT_MAX];
    (void)state;
    world_init(&w);
    open_door(&d, &w, "127.0.0.1:0");
    assert_true(ntohs(d.at.sa.v4.sin_port) != 0);
    int fd = knock(&d.at);
    RUN_UNTIL(&w, d.accepted);
    socklen_t bytes = sizeof(own.sa);
    assert_int_equal(getsockname(fd, &own.sa.any, &bytes), 0);
    own.bytes = bytes;
    size_t n = address_write(&d.last_peer, text);
    assert_int_equal(n, address_write(&own, wanted));
    assert_memory_equal(text, wanted, n);
    close(fd);
    close_door(&d, &w);
    assert_int_equal(knock(&d.at), -1);
    world_fini(&w);
}

static void any_address_takes_both_families(void **state)
{
    static struct world w;
    struct door d;
    struct address v4, v6;
    char text[ADDRESS_TEXT_MAX];
    (void)state;
    world_init(&w);
    open_door(&d, &w, ":0");
    uint16_t port = ntohs(d.at.sa.v6.sin6_port); /* at the same place in both */
    assert_true(address_parse_ip(STR("127.0.0.1"), port, &v4));
    assert_true(address_parse_ip(STR("::1"), port, &v6));
    int a = knock(&v4);
    assert_true(a >= 0);
    RUN_UNTIL(&w, d.accepted == 1);
    assert_int_equal(address_write_ip(&d.last_peer, text), 9);
    assert_memory_equal(text, "127.0.0.1", 9);
    if (d.at.sa.any.sa_family == AF_INET6) {
        int b = knock(&v6);
        assert_true(b >= 0);
        RUN_UNTIL(&w, d.accepted == 2);
        assert_int_equal(address_write_ip(&d.last_peer, text), 3);
        assert_memory_equal(text, "::1", 3);
        close(b);
    }
    close(a);
    close_door(&d, &w);
    world_fini(&w);
}

static void accepts_64_a_turn(void **state)
{
    static struct world w;
    struct door d;
    int fds[150];
    (void)state;
    world_init(&w);
    open_door(&d, &w, "127.0.0.1:0");
    knock_often(&d.at, fds, 150);
    loop_run_once(&w.loop, true);
    assert_int_equal(d.accepted, 64);
    loop_run_once(&w.loop, true);
    assert_int_equal(d.accepted, 128);
    loop_run_once(&w.loop, true);
    assert_int_equal(d.accepted, 150);
    close_all(fds, 150);
    close_door(&d, &w);
    world_fini(&w);
}

static void a_paused_listener_accepts_nothing(void **state)
{
    static struct world w;
    struct door d;
    int fds[20];
    (void)state;
    world_init(&w);
    open_door(&d, &w, "127.0.0.1:0");
    listener_pause(&d.listener);
    listener_pause(&d.listener);
    knock_often(&d.at, fds, 20);
    world_settle(&w);
    assert_int_equal(d.accepted, 0);
    d.pause_at = 7;
    listener_resume(&d.listener);
    RUN_UNTIL(&w, d.accepted);
    world_settle(&w);
    assert_int_equal(d.accepted, 7); /* paused inside its callback: not one more */
    listener_resume(&d.listener);
    RUN_UNTIL(&w, d.accepted == 20);
    close_all(fds, 20);
    close_door(&d, &w);
    world_fini(&w);
}

static void without_descriptors_connections_wait(void **state)
{
    static struct world w;
    struct door d;
    int fds[10];
    struct rlimit before, little;
    (void)state;
    world_init(&w);
    open_door(&d, &w, "127.0.0.1:0");
    knock_often(&d.at, fds, 10);
    int first_free = dup(0);
    close(first_free);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    little = (struct rlimit){ .rlim_cur = (rlim_t)first_free + 3, .rlim_max = before.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &little), 0);
    RUN_UNTIL(&w, w.log_lines);
    assert_int_equal(d.accepted, 3);
    RUN_UNTIL(&w, !uv_is_active((uv_handle_t *)&d.listener.poll)); /* it does not spin */

    /* It tries again and again, and says so once a minute. */
    for (int i = 0; i < 5; i++) {
        world_turn(&w, 1000);
        world_settle(&w);
        RUN_UNTIL(&w, d.listener.exhausted);
    }
    assert_int_equal(d.accepted, 3);
    assert_int_equal(w.log_lines, 1);
    world_turn(&w, 60000);
    world_settle(&w);
    assert_int_equal(w.log_lines, 2);

    /* The owner's pause is another one: neither ends the other. */
    listener_pause(&d.listener);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    world_turn(&w, 1000);
    world_settle(&w);
    assert_int_equal(d.accepted, 3);
    listener_resume(&d.listener);
    RUN_UNTIL(&w, d.accepted == 10);
    assert_int_equal(w.log_lines, 2);
    close_all(fds, 10);
    close_door(&d, &w);
    world_fini(&w);
}

static void may_be_closed_while_descriptors_are_out(void **state)
{
    static struct world w;
    struct door d;
    struct rlimit before, none;
    (void)state;
    world_init(&w);
    open_door(&d, &w, "127.0.0.1:0");
    int fd = knock(&d.at);
    int first_free = dup(0);
    close(first_free);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = (struct rlimit){ .rlim_cur = (rlim_t)first_free, .rlim_max = before.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    RUN_UNTIL(&w, w.log_lines);
    close_door(&d, &w);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(d.accepted, 0);
    close(fd);
    world_fini(&w);
}

static void closing_takes_those_who_wait(void **state)
{
    static struct world w;
    struct door d;
    int fds[100];
    (void)state;
    world_init(&w);
    for (int paused = 0; paused < 2; paused++) {
        open_door(&d, &w, "127.0.0.1:0");
        if (paused)
            listener_pause(&d.listener);
        knock_often(&d.at, fds, 100);
        listener_close(&d.listener, on_closed);
        assert_int_equal(d.accepted, 0); /* never inside the call */
        close_door(&d, &w);
        assert_int_equal(d.accepted, 100);
        assert_int_equal(knock(&d.at), -1);
        close_all(fds, 100);
    }
    open_door(&d, &w, "127.0.0.1:0"); /* in its callback */
    d.close_at = 5;
    knock_often(&d.at, fds, 20);
    RUN_UNTIL(&w, d.closed);
    assert_int_equal(d.accepted, 20);
    close_all(fds, 20);
    for (int i = 0; i < d.accepted; i++)
        close(d.fds[i]);
    world_fini(&w);
}

static void workers_share_a_port(void **state)
{
    struct address at, bound, again;
    int fds[3];
    (void)state;
    assert_true(address_parse(STR("127.0.0.1:0"), &at));
    assert_int_equal(listener_sockets(&at, fds, 3, &bound), 0);
    for (int i = 0; i < 3; i++) {
        socklen_t bytes = sizeof(again.sa);
        assert_int_equal(getsockname(fds[i], &again.sa.any, &bytes), 0);
        assert_int_equal(again.sa.v4.sin_port, bound.sa.v4.sin_port);
    }
    /* Connections reach them all: of 100, each gets some, unless the odds are one in ten to the
     * seventeenth. */
    int clients[100], got[3] = { 0 };
    knock_often(&bound, clients, 100);
    for (int i = 0; i < 3; i++)
        for (int fd; (fd = accept(fds[i], NULL, NULL)) >= 0; got[i]++)
            close(fd);
    assert_int_equal(got[0] + got[1] + got[2], 100);
    assert_true(got[0] > 0 && got[1] > 0 && got[2] > 0);

    /* Another process of the same user could join in silently; it is told instead. */
    int more[2];
    assert_int_equal(listener_sockets(&bound, more, 2, &again), UV_EADDRINUSE);
    close_all(clients, 100);
    close_all(fds, 3);
    assert_int_equal(listener_sockets(&bound, more, 2, &again), 0);
    close_all(more, 2);
}

static void a_taken_port_is_an_error(void **state)
{
    struct address at, bound;
    (void)state;
    int other = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(address_parse(STR("127.0.0.1:0"), &at));
    socklen_t bytes = sizeof(at.sa);
    assert_int_equal(bind(other, &at.sa.any, at.bytes), 0);
    assert_int_equal(listen(other, 1), 0);
    assert_int_equal(getsockname(other, &at.sa.any, &bytes), 0);
    assert_int_equal(listener_socket(&at, &bound), UV_EADDRINUSE);
    close(other);
    assert_true(address_parse(STR("192.0.2.1:0"), &at)); /* not ours (RFC 5737) */
    assert_int_equal(listener_socket(&at, &bound), UV_EADDRNOTAVAIL);
    at.bytes = 0;
    assert_int_equal(listener_socket(&at, &bound), UV_EINVAL);
}

static void unix_sockets_replace_only_stale_files(void **state)
{
    static struct world w;
    struct door d;
    struct address at, bound;
    char text[ADDRESS_TEXT_MAX];
    (void)state;
    world_init(&w);
    snprintf(text, sizeof(text), "unix:%s", path);
    open_door(&d, &w, text);
    assert_int_equal(listener_socket(&d.at, &bound), UV_EADDRINUSE); /* somebody answers */
    int fd = knock(&d.at);
    RUN_UNTIL(&w, d.accepted); /* the question, and the client */
    RUN_UNTIL(&w, d.accepted == 2);
    assert_int_equal(d.last_peer.sa.any.sa_family, AF_UNIX);
    assert_int_equal(address_write_ip(&d.last_peer, text), 0);
    close(fd);
    close_door(&d, &w);

    /* Now the file is stale: taken over. */
    assert_int_equal(access(path, F_OK), 0);
    assert_true(address_local(str_from(path), &at));
    int fds[2];
    assert_int_equal(listener_sockets(&at, fds, 2, &bound), 0);
    fd = knock(&at);
    assert_true(fd >= 0);
    int taken = accept(fds[1], NULL, NULL); /* one socket: each worker can take each connection */
    assert_true(taken >= 0);
    close(taken);
    close(fd);
    close_all(fds, 2);
    unlink(path);

    /* What is no socket is not ours to remove. */
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fclose(file);
    assert_int_equal(listener_socket(&at, &bound), UV_ENOTSOCK);
    assert_int_equal(access(path, F_OK), 0);
    unlink(path);
    assert_true(address_local(STR("/nowhere/at/all"), &at));
    assert_int_equal(listener_socket(&at, &bound), UV_ENOENT);
    world_fini(&w);
}

static int make_folder(void **state)
{
    (void)state;
    memcpy(folder, FOLDER, sizeof(FOLDER));
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof(path), "%s/socket", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts_and_says_who_comes),
        cmocka_unit_test(any_address_takes_both_families),
        cmocka_unit_test(accepts_64_a_turn),
        cmocka_unit_test(a_paused_listener_accepts_nothing),
        cmocka_unit_test(without_descriptors_connections_wait),
        cmocka_unit_test(may_be_closed_while_descriptors_are_out),
        cmocka_unit_test(closing_takes_those_who_wait),
        cmocka_unit_test(workers_share_a_port),
        cmocka_unit_test(a_taken_port_is_an_error),
        cmocka_unit_test(unix_sockets_replace_only_stale_files),
    };
    RUN_ALL_WAYS(tests, make_folder, remove_folder);
}
