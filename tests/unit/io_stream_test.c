/* Streams deliver every byte once and in order, say how the peer ended, and close from anywhere with one last
 * notice: on TCP and on Unix sockets. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "io_test.h"
#include "io/background.h"
#include "io/ring.h"
#include "io/stream.h"

/* One end is the stream under test, with its loop; the other a plain socket that the test reads and writes
 * itself. */
struct end {
    struct stream stream;
    struct world *world;
    int peer;
    char room[4096];
    size_t room_bytes; /* what `space` gives; 0: refuses */
    struct buf got;
    int connected, connected_status;
    int spaces, datas, ended, ended_status, written, written_status, closed, left, left_fd;
    bool close_in_connected, close_in_space, close_in_data, close_in_ended, close_in_written;
    bool stop_in_space, stop_in_data, start_in_data;
    char *pending_text; /* of a write under way */
};

static void on_connected(struct stream *s, int status)
{
    struct end *e = CONTAINER_OF(s, struct end, stream);
    assert_int_equal(e->closed, 0);
    e->connected++;
    e->connected_status = status;
    if (e->close_in_connected)
        stream_close(s);
}

static size_t on_space(struct stream *s, char **p)
{
    struct end *e = CONTAINER_OF(s, struct end, stream);
    assert_int_equal(e->closed + e->ended, 0);
    e->spaces++;
    if (e->close_in_space)
        stream_close(s);
    if (e->stop_in_space)
        stream_read_stop(s);
    *p = e->room;
    return e->room_bytes;
}

static void on_data(struct stream *s, size_t n)
{
    struct end *e = CONTAINER_OF(s, struct end, stream);
    assert_int_equal(e->closed + e->ended, 0);
    assert_true(n > 0 && n <= e->room_bytes && s->reading);
    e->datas++;
    buf_add(&e->got, (struct str){ e->room, n });
    if (e->close_in_data)
        stream_close(s);
    if (e->stop_in_data)
        stream_read_stop(s);
    if (e->start_in_data)
        stream_read_start(s);
}

static void on_ended(struct stream *s, int status)
{
    struct end *e = CONTAINER_OF(s, struct end, stream);
    assert_int_equal(e->closed + e->ended, 0);
    assert_false(s->reading);
    e->ended++;
    e->ended_status = status;
    if (e->close_in_ended)
        stream_close(s);
}

static void on_written(struct stream *s, int status)
{
    struct end *e = CONTAINER_OF(s, struct end, stream);
    assert_int_equal(e->closed, 0);
    assert_int_equal(s->state, STREAM_OPEN);
    assert_false(s->writing);
    e->written++;
    e->written_status = status;
    free(e->pending_text);
    e->pending_text = NULL;
    if (e->close_in_written)
        stream_close(s);
}

static void on_closed(struct stream *s)
{
    struct end *e = CONTAINER_OF(s, struct end, stream);
    assert_int_equal(s->state, STREAM_CLOSED);
    e->closed++;
}

/* The connection goes on elsewhere: `early` is what the stream had of it. */
static void on_left(struct stream *s, int fd, struct str early)
{
    struct end *e = CONTAINER_OF(s, struct end, stream);
    assert_int_equal(e->closed + e->left, 0);
    e->left++;
    e->left_fd = fd;
    buf_add(&e->got, early);
}

static const struct stream_notices notices = {
    .left = on_left,
    .connected = on_connected,
    .space = on_space,
    .data = on_data,
    .ended = on_ended,
    .written = on_written,
    .closed = on_closed,
};

/* ---- pairs of sockets ---- */

static int tcp_listener(struct address *at)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    socklen_t bytes = sizeof(at->sa);
    assert_true(fd >= 0);
    assert_true(address_parse(STR("127.0.0.1:0"), at));
    assert_int_equal(bind(fd, &at->sa.any, at->bytes), 0);
    assert_int_equal(listen(fd, 16), 0);
    assert_int_equal(getsockname(fd, &at->sa.any, &bytes), 0);
    return fd;
}

static void tcp_pair(int fds[2])
{
    struct address at;
    int listening = tcp_listener(&at);
    fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fds[0], &at.sa.any, at.bytes), 0);
    fds[1] = accept(listening, NULL, NULL);
    assert_true(fds[1] >= 0);
    close(listening);
}

static void make_pair(bool tcp, int fds[2])
{
    if (tcp)
        tcp_pair(fds);
    else
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(fcntl(fds[i], F_SETFL, O_NONBLOCK), 0);
}

static void open_end(struct end *e, struct world *w, bool tcp)
{
    int fds[2];
    memset(e, 0, sizeof(*e));
    e->world = w;
    e->room_bytes = sizeof(e->room);
    make_pair(tcp, fds);
    e->peer = fds[1];
    assert_int_equal(stream_open(&e->stream, &w->loop, &notices, fds[0]), 0);
}

static void close_end(struct end *e)
{
    if (e->stream.state != STREAM_CLOSED)
        stream_close(&e->stream);
    RUN_UNTIL(e->world, e->closed);
    world_settle(e->world);
    assert_int_equal(e->closed, 1);
    if (e->peer >= 0)
        close(e->peer);
    free(e->pending_text);
    buf_fini(&e->got);
}

/* An end with RST: what a crashed process or a broken box in between looks like. */
static void reset_peer(struct end *e)
{
    struct linger linger = { 1, 0 };
    assert_int_equal(setsockopt(e->peer, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
    close(e->peer);
    e->peer = -1;
}

static void send_text(struct end *e, const char *text)
{
    assert_int_equal(write(e->peer, text, strlen(text)), strlen(text));
}

static enum stream_write write_text(struct end *e, const char *text)
{
    char *p = strdup(text);
    struct iovec iov = { p, strlen(text) };
    enum stream_write result = stream_write(&e->stream, &iov, 1);
    if (result == STREAM_WRITTEN)
        memset(p, '#', strlen(text)); /* it is with the kernel: the memory is ours again */
    if (result == STREAM_PENDING) {
        assert_null(e->pending_text);
        e->pending_text = p;
    } else {
        free(p);
    }
    return result;
}

/* What the peer can read now; "" at the end of the stream, "-" when there is nothing. */
static const char *peer_reads(struct end *e)
{
    static char text[1024];
    ssize_t n = read(e->peer, text, sizeof(text) - 1);
    if (n < 0 && errno == EAGAIN)
        return "-";
    assert_true(n >= 0);
    text[n] = '\0';
    return text;
}

static void assert_got(struct end *e, const char *text)
{
    assert_int_equal(e->got.n, strlen(text));
    assert_memory_equal(e->got.p, text, e->got.n);
}

/* A write that the kernel takes whole: at once, or as a result of the queue. */
static void write_whole(struct end *e, const char *text)
{
    int written = e->written;
    if (world_way != WAY_QUEUE) {
        assert_int_equal(write_text(e, text), STREAM_WRITTEN);
        assert_int_equal(e->written, written);
        return;
    }
    assert_int_equal(write_text(e, text), STREAM_PENDING);
    assert_int_equal(e->written, written); /* never inside a call */
    RUN_UNTIL(e->world, e->written > written);
    assert_int_equal(e->written, written + 1);
    assert_int_equal(e->written_status, 0);
    e->written = written;
}

static void write_fails(struct end *e)
{
    int written = e->written;
    if (world_way != WAY_QUEUE) {
        assert_int_equal(write_text(e, "x"), STREAM_BROKEN);
        return;
    }
    assert_int_equal(write_text(e, "x"), STREAM_PENDING);
    RUN_UNTIL(e->world, e->written > written);
    assert_true(e->written_status == UV_ECONNRESET || e->written_status == UV_EPIPE);
}

/* Runs each test on both kinds of sockets. */
#define BOTH(name)                                                                                           \
    static void name##_on(struct world *w, bool tcp);                                                        \
    static void name(void **state)                                                                           \
    {                                                                                                        \
        static struct world w;                                                                               \
        (void)state;                                                                                         \
        for (int tcp = 0; tcp < 2; tcp++) {                                                                  \
            world_init(&w);                                                                                  \
            name##_on(&w, tcp);                                                                              \
            world_fini(&w);                                                                                  \
        }                                                                                                    \
    }                                                                                                        \
    static void name##_on(struct world *w, bool tcp)

/* ---- the plain way ---- */

BOTH(reads_and_writes)
{
    struct end e;
    open_end(&e, w, tcp);
    stream_read_start(&e.stream);
    for (int i = 1; i <= 3; i++) {
        send_text(&e, "ask.");
        assert_int_equal(e.datas, i - 1); /* never inside a call */
        RUN_UNTIL(w, e.datas == i);
        write_whole(&e, "answer");
        assert_string_equal(peer_reads(&e), "answer");
    }
    assert_got(&e, "ask.ask.ask.");
    assert_int_equal(e.written, 0);
    stream_close(&e.stream);
    stream_close(&e.stream);
    assert_int_equal(e.closed, 0);
    RUN_UNTIL(w, e.closed);
    assert_string_equal(peer_reads(&e), "");
    assert_int_equal(e.ended, 0);
    close_end(&e);
}

static void fill(char *p, size_t n)
{
    uint32_t x = 1;
    for (size_t i = 0; i < n; i++) {
        x = x * 1664525 + 1013904223;
        p[i] = (char)(x >> 24);
    }
}

#define BIG (6u << 20)

/* Cuts the bytes into pieces of odd sizes, some of them empty. */
static unsigned cut(char *p, size_t n, struct iovec iov[STREAM_IOV_MAX])
{
    size_t at = 0;
    for (unsigned i = 0; i < STREAM_IOV_MAX; i++) {
        size_t piece = i == STREAM_IOV_MAX - 1 ? n - at : i % 5 == 2 ? 0 : (n / 20) | 1;
        iov[i] = (struct iovec){ p + at, piece };
        at += piece;
    }
    return STREAM_IOV_MAX;
}

static void read_all_of(struct end *e, struct buf *out, size_t n)
{
    while (out->n < n) {
        ssize_t got = read(e->peer, buf_room(out, 65536), 65536);
        if (got > 0)
            out->n += (size_t)got;
        else
            assert_true(got < 0 && errno == EAGAIN);
        loop_run_once(&e->world->loop, false);
    }
}

BOTH(a_big_write_is_sent_whole)
{
    struct end e;
    struct iovec iov[STREAM_IOV_MAX];
    struct buf out = BUF_INIT;
    char *big = malloc(BIG);
    fill(big, BIG);
    open_end(&e, w, tcp);
    for (int round = 1; round <= 2; round++) {
        unsigned n = cut(big, BIG, iov);
        assert_int_equal(stream_write(&e.stream, iov, n), STREAM_PENDING);
        memset(iov, 0, sizeof(iov)); /* the bytes must stay, not the list of them */
        assert_true(e.stream.writing);
        assert_true(stream_unsent(&e.stream) > 0 || world_way == WAY_QUEUE);
        assert_true(stream_queued(&e.stream) > 0);
        assert_int_equal(e.written, round - 1);
        out.n = 0;
        read_all_of(&e, &out, BIG);
        RUN_UNTIL(w, e.written == round);
        assert_int_equal(e.written_status, 0);
        assert_int_equal(out.n, BIG);
        assert_memory_equal(out.p, big, BIG);
    }
    assert_string_equal(peer_reads(&e), "-");
    assert_int_equal(stream_unsent(&e.stream), 0);
    close_end(&e);
    buf_fini(&out);
    free(big);
}

/* With little room in the kernel the rest begins in the middle of pieces and between them. */
BOTH(a_write_may_be_cut_anywhere)
{
    const size_t all = 300000;
    char *bytes = malloc(all);
    fill(bytes, all);
    for (size_t extra = 0; extra < 40; extra++) {
        struct end e;
        struct iovec iov[3];
        struct buf out = BUF_INIT;
        int little = 4096;
        open_end(&e, w, tcp);
        assert_int_equal(setsockopt(e.stream.fd, SOL_SOCKET, SO_SNDBUF, &little, sizeof(little)), 0);
        size_t first = 1 + extra * 977, second = 10000 - extra;
        iov[0] = (struct iovec){ bytes, first };
        iov[1] = (struct iovec){ bytes + first, second };
        iov[2] = (struct iovec){ bytes + first + second, all - first - second };
        assert_int_equal(stream_write(&e.stream, iov, 3), STREAM_PENDING);
        read_all_of(&e, &out, all);
        assert_memory_equal(out.p, bytes, all);
        RUN_UNTIL(w, e.written == 1);
        close_end(&e);
        buf_fini(&out);
    }
    free(bytes);
}

BOTH(reads_more_than_fits_at_once)
{
    struct end e;
    size_t sent = 0;
    char *big = malloc(1 << 20);
    fill(big, 1 << 20);
    open_end(&e, w, tcp);
    e.room_bytes = 1000;
    stream_read_start(&e.stream);
    while (e.got.n < 1 << 20) {
        ssize_t n = write(e.peer, big + sent, (1 << 20) - sent);
        if (n > 0)
            sent += (size_t)n;
        loop_run_once(&w->loop, false);
    }
    assert_memory_equal(e.got.p, big, 1 << 20);
    close_end(&e);
    free(big);
}

/* ---- stopping ---- */

BOTH(stopping_stops_at_once_and_starting_goes_on)
{
    struct end e;
    open_end(&e, w, tcp);
    stream_read_start(&e.stream);
    stream_read_stop(&e.stream);
    send_text(&e, "early");
    world_settle(w);
    assert_int_equal(e.datas + e.spaces, 0);
    stream_read_start(&e.stream);
    RUN_UNTIL(w, e.got.n == 5);

    e.stop_in_data = true;
    e.room_bytes = 1;
    send_text(&e, "abc");
    RUN_UNTIL(w, e.got.n == 6);
    world_settle(w);
    assert_int_equal(e.got.n, 6);
    assert_false(e.stream.reading);
    e.stop_in_data = false;
    stream_read_start(&e.stream);
    RUN_UNTIL(w, e.got.n == 8);

    e.stop_in_space = true;
    int spaces = e.spaces;
    send_text(&e, "def");
    RUN_UNTIL(w, e.spaces > spaces);
    world_settle(w);
    assert_int_equal(e.spaces, spaces + 1); /* it does not ask again and again */
    assert_int_equal(e.got.n, 8);
    e.stop_in_space = false;
    stream_read_start(&e.stream);
    RUN_UNTIL(w, e.got.n == 11);
    assert_got(&e, "earlyabcdef");
    close_end(&e);
}

BOTH(no_space_stops_reading)
{
    struct end e;
    open_end(&e, w, tcp);
    e.room_bytes = 0;
    stream_read_start(&e.stream);
    send_text(&e, "waits");
    RUN_UNTIL(w, e.spaces == 1);
    assert_false(e.stream.reading);
    world_settle(w);
    assert_int_equal(e.spaces, 1);
    assert_int_equal(e.datas + e.ended, 0);
    e.room_bytes = 3;
    stream_read_start(&e.stream);
    RUN_UNTIL(w, e.got.n == 5);
    assert_got(&e, "waits");
    close_end(&e);
}

BOTH(while_stopped_the_end_waits)
{
    struct end e;
    open_end(&e, w, tcp);
    stream_read_start(&e.stream);
    e.stop_in_data = true;
    send_text(&e, "last");
    shutdown(e.peer, SHUT_WR);
    RUN_UNTIL(w, e.datas == 1);
    world_settle(w);
    assert_int_equal(e.ended, 0);
    stream_read_start(&e.stream);
    RUN_UNTIL(w, e.ended == 1);
    assert_int_equal(e.ended_status, 0);
    close_end(&e);
}

/* The same when both directions are shut, which epoll reports as a hang-up. */
BOTH(while_stopped_a_hang_up_waits)
{
    struct end e;
    open_end(&e, w, tcp);
    stream_shutdown(&e.stream);
    assert_string_equal(peer_reads(&e), "");
    stream_read_start(&e.stream);
    e.stop_in_data = true;
    send_text(&e, "last");
    shutdown(e.peer, SHUT_WR);
    RUN_UNTIL(w, e.datas == 1);
    world_settle(w);
    assert_int_equal(e.ended, 0);
    assert_int_equal(e.spaces, 1);
    stream_read_start(&e.stream);
    RUN_UNTIL(w, e.ended == 1);
    assert_int_equal(e.ended_status, 0);
    close_end(&e);
}

/* Urgent data (scenarios N12): TCP takes one byte out of the stream and keeps it beside it, where we do not
 * look. */
static void urgent_data_is_left_out(void **state)
{
    static struct world w;
    struct end e;
    (void)state;
    world_init(&w);
    open_end(&e, &w, true);
    stream_read_start(&e.stream);
    send_text(&e, "GET ");
    assert_int_equal(send(e.peer, "/!", 2, MSG_OOB), 2);
    send_text(&e, " HTTP/1.1");
    RUN_UNTIL(&w, e.got.n >= 14);
    world_settle(&w);
    assert_got(&e, "GET / HTTP/1.1");

    /* Alone it wakes nobody, and above all not again and again. */
    int spaces = e.spaces, datas = e.datas;
    assert_int_equal(send(e.peer, "!", 1, MSG_OOB), 1);
    for (int i = 0; i < 100; i++)
        loop_run_once(&w.loop, false);
    assert_in_range(e.spaces, spaces, spaces + 1);
    assert_int_equal(e.datas, datas);
    send_text(&e, "\r\n");
    RUN_UNTIL(&w, e.got.n >= 16);
    assert_got(&e, "GET / HTTP/1.1\r\n");

    /* Behind what was read, before the end. */
    assert_int_equal(send(e.peer, "!", 1, MSG_OOB), 1);
    shutdown(e.peer, SHUT_WR);
    RUN_UNTIL(&w, e.ended);
    assert_int_equal(e.ended_status, 0);
    assert_got(&e, "GET / HTTP/1.1\r\n");
    close_end(&e);
    world_fini(&w);
}

/* ---- ends ---- */

BOTH(after_the_peers_end_one_can_still_write)
{
    struct end e;
    open_end(&e, w, tcp);
    stream_read_start(&e.stream);
    send_text(&e, "bye");
    shutdown(e.peer, SHUT_WR);
    RUN_UNTIL(w, e.ended == 1);
    assert_got(&e, "bye");
    assert_int_equal(e.ended_status, 0);
    stream_read_start(&e.stream); /* does nothing: `ended` comes once */
    assert_false(e.stream.reading);
    world_settle(w);
    assert_int_equal(e.ended, 1);
    write_whole(&e, "well");
    assert_string_equal(peer_reads(&e), "well");
    stream_shutdown(&e.stream);
    stream_shutdown(&e.stream);
    assert_string_equal(peer_reads(&e), "");
    close_end(&e);
}

BOTH(a_shutdown_leaves_the_other_direction_open)
{
    struct end e;
    open_end(&e, w, tcp);
    stream_read_start(&e.stream);
    write_whole(&e, "ask");
    stream_shutdown(&e.stream);
    assert_string_equal(peer_reads(&e), "ask");
    assert_string_equal(peer_reads(&e), "");
    send_text(&e, "answer");
    RUN_UNTIL(w, e.got.n == 6);
    close(e.peer);
    e.peer = -1;
    RUN_UNTIL(w, e.ended == 1);
    assert_int_equal(e.ended_status, 0);
    close_end(&e);
}

BOTH(a_shutdown_waits_for_the_pending_write)
{
    struct end e;
    struct buf out = BUF_INIT;
    char *big = malloc(BIG);
    fill(big, BIG);
    open_end(&e, w, tcp);
    struct iovec iov = { big, BIG };
    assert_int_equal(stream_write(&e.stream, &iov, 1), STREAM_PENDING);
    stream_shutdown(&e.stream);
    read_all_of(&e, &out, BIG);
    RUN_UNTIL(w, e.written == 1);
    assert_memory_equal(out.p, big, BIG);
    assert_string_equal(peer_reads(&e), "");
    close_end(&e);
    buf_fini(&out);
    free(big);
}

static void a_reset_is_an_error(void **state)
{
    static struct world w;
    struct end e;
    (void)state;
    world_init(&w);
    open_end(&e, &w, true);
    stream_read_start(&e.stream);
    world_settle(&w);
    reset_peer(&e);
    RUN_UNTIL(&w, e.ended == 1);
    assert_int_equal(e.ended_status, UV_ECONNRESET);
    world_settle(&w); /* the write is the only thing in its turn */
    write_fails(&e);
    close_end(&e);
    world_fini(&w);
}

/* How a peer leaves that sends nothing more. */
enum leaving { LEAVES_OPEN_TO_READ, LEAVES, LEAVES_BY_RESET, LEAVINGS };

static int leave(struct end *e, bool tcp, enum leaving how)
{
    if (how == LEAVES_BY_RESET && tcp) {
        reset_peer(e);
        return UV_ECONNRESET;
    }
    if (how == LEAVES_OPEN_TO_READ) {
        shutdown(e->peer, SHUT_WR);
        return 0;
    }
    close(e->peer);
    e->peer = -1;
    return 0;
}

/* Sends as much as the kernel takes, and returns how much that was. */
static size_t send_much(struct end *e)
{
    static char much[1 << 20];
    size_t sent = 0;
    for (;;) {
        ssize_t n = send(e->peer, much, sizeof(much), MSG_NOSIGNAL);
        if (n <= 0)
            break;
        sent += (size_t)n;
    }
    assert_true(sent > 100000);
    return sent;
}

/* A client whose upload waits leaves. The kernel receives a part of what is there before it waits itself, and
 * the rest when it finds that there is more; then it waits for news of a peer that has no more. */
BOTH(the_end_behind_much_that_waited_is_told)
{
    for (enum leaving how = 0; how < LEAVINGS; how++) {
        for (int stopped = 0; stopped < 2; stopped++) {
            struct end e;
            open_end(&e, w, tcp);
            if (stopped) {
                e.stop_in_data = true;
                stream_read_start(&e.stream);
                send_text(&e, "x");
                RUN_UNTIL(w, e.datas == 1);
                e.stop_in_data = false;
            }
            size_t sent = send_much(&e) + (size_t)stopped;
            world_settle(w);
            int status = leave(&e, tcp, how);
            stream_read_start(&e.stream);
            RUN_UNTIL(w, e.ended == 1);
            assert_int_equal(e.ended_status, status);
            /* a reset takes with it what the receiver's kernel did not have yet */
            if (status == 0)
                assert_int_equal(e.got.n, sent);
            close_end(&e);
        }
    }
}

/* Bytes and the end behind them come between two turns of the loop, while the kernel waits for bytes. */
BOTH(the_end_that_comes_with_bytes_is_told)
{
    for (enum leaving how = 0; how < LEAVINGS; how++) {
        struct end e;
        open_end(&e, w, tcp);
        stream_read_start(&e.stream);
        world_settle(w);
        send_text(&e, "half a body");
        int status = leave(&e, tcp, how);
        RUN_UNTIL(w, e.ended == 1);
        assert_int_equal(e.ended_status, status);
        assert_got(&e, "half a body");
        close_end(&e);
    }
}

/* Bytes and the reset behind them come in one wake-up. A body that was cut must not look whole. */
static void a_reset_behind_data_is_an_error(void **state)
{
    static struct world w;
    (void)state;
    world_init(&w);
    for (int half_closed = 0; half_closed < 2; half_closed++) {
        struct end e;
        open_end(&e, &w, true);
        if (half_closed)
            stream_shutdown(&e.stream);
        send_text(&e, "half a body");
        reset_peer(&e);
        stream_read_start(&e.stream);
        RUN_UNTIL(&w, e.ended == 1);
        assert_got(&e, "half a body");
        assert_int_equal(e.ended_status, UV_ECONNRESET);
        close_end(&e);
    }
    world_fini(&w);
}

/* The kernel tells of a reset once: here to a write, before anybody reads. */
static void a_reset_that_a_write_met_is_an_error_for_the_reader(void **state)
{
    static struct world w;
    struct end e;
    (void)state;
    world_init(&w);
    open_end(&e, &w, true);
    send_text(&e, "part");
    reset_peer(&e);
    write_fails(&e);
    stream_read_start(&e.stream);
    RUN_UNTIL(&w, e.ended == 1);
    assert_got(&e, "part");
    assert_int_equal(e.ended_status, UV_ECONNRESET);
    close_end(&e);
    world_fini(&w);
}

/* A peer that closes with our bytes unread resets; on Unix sockets behind what it sent. */
BOTH(a_peer_that_throws_our_bytes_away_is_an_error)
{
    struct end e;
    open_end(&e, w, tcp);
    write_whole(&e, "unread");
    struct pollfd ready = { .fd = e.peer, .events = POLLIN };
    assert_int_equal(poll(&ready, 1, -1), 1); /* they are there before it closes */
    send_text(&e, "part");
    close(e.peer);
    e.peer = -1;
    stream_read_start(&e.stream);
    RUN_UNTIL(w, e.ended == 1);
    assert_int_equal(e.ended_status, UV_ECONNRESET);
    assert_got(&e, "part");
    close_end(&e);
}

BOTH(a_pending_write_is_told_that_the_peer_has_gone)
{
    struct end e;
    char *big = malloc(BIG);
    fill(big, BIG);
    open_end(&e, w, tcp);
    struct iovec iov = { big, BIG };
    assert_int_equal(stream_write(&e.stream, &iov, 1), STREAM_PENDING);
    world_settle(w);
    reset_peer(&e);
    RUN_UNTIL(w, e.written == 1);
    assert_true(e.written_status == UV_ECONNRESET || e.written_status == UV_EPIPE);
    write_fails(&e);
    close_end(&e);
    free(big);
}

/* ---- closing ---- */

BOTH(closing_forgets_the_pending_write)
{
    char *big = malloc(BIG);
    fill(big, BIG);
    for (int reset = 0; reset < 2; reset++) {
        struct end e;
        open_end(&e, w, tcp);
        stream_read_start(&e.stream);
        struct iovec iov = { big, BIG };
        assert_int_equal(stream_write(&e.stream, &iov, 1), STREAM_PENDING);
        stream_shutdown(&e.stream);
        if (reset)
            stream_reset(&e.stream);
        else
            stream_close(&e.stream);
        assert_int_equal(e.closed, 0);
        assert_int_equal(stream_write(&e.stream, &iov, 1), STREAM_BROKEN);
        close_end(&e);
        assert_int_equal(e.written + e.ended, 0);
    }
    free(big);
}

/* So many times the kernel takes nothing from the queue. */
static int refusals;

int io_uring_enter(unsigned fd, unsigned submit, unsigned wait, unsigned flags, sigset_t *sig)
{
    if (refusals > 0) {
        refusals--;
        errno = EAGAIN;
        return -EAGAIN;
    }
    long status = syscall(__NR_io_uring_enter, fd, submit, wait, flags, sig, _NSIG / 8);
    return status < 0 ? -errno : (int)status;
}

/* Operations in front of what comes: more than the queue has room for, and more than it can tell of at
 * once. */
static void crowd(struct world *w, int n)
{
    for (int i = 0; w->loop.ring && i < n; i++) {
        struct io_uring_sqe *sqe = ring_place(w->loop.ring);
        io_uring_prep_nop(sqe);
        ring_submit(sqe, NULL);
    }
}

static void peer_reads_nothing_of(struct end *e, char c)
{
    char bytes[65536];
    ssize_t n;
    while ((n = read(e->peer, bytes, sizeof(bytes))) > 0)
        assert_null(memchr(bytes, c, (size_t)n));
}

/* The memory of a write may go when its stream is closed, however much stands in the queue in front of its
 * cancellation. */
BOTH(a_write_of_a_closed_stream_is_not_gone_on_with)
{
    static const struct {
        int crowd, refusals;
    } cases[] = { { 0, 0 }, { 3000, 0 }, { 3000, 1 }, { 12000, 0 } };
    char *big = malloc(BIG);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct end e;
        memset(big, 'a', BIG);
        open_end(&e, w, tcp);
        struct iovec iov = { big, BIG };
        assert_int_equal(stream_write(&e.stream, &iov, 1), STREAM_PENDING);
        world_settle(w);
        crowd(w, cases[i].crowd);
        stream_close(&e.stream);
        memset(big, '#', BIG);
        peer_reads_nothing_of(&e, '#'); /* and so there is room for more */
        refusals = w->loop.ring ? cases[i].refusals : 0;
        RUN_UNTIL(w, e.closed);
        peer_reads_nothing_of(&e, '#');
        assert_int_equal(refusals, 0);
        close_end(&e);
    }
    free(big);
}

BOTH(may_be_closed_in_any_notice)
{
    struct end e;

    open_end(&e, w, tcp);
    e.close_in_space = true;
    stream_read_start(&e.stream);
    send_text(&e, "x");
    RUN_UNTIL(w, e.closed);
    assert_int_equal(e.spaces, 1);
    assert_int_equal(e.datas + e.ended, 0);
    close_end(&e);

    open_end(&e, w, tcp); /* and it refuses the space as well */
    e.close_in_space = true;
    e.room_bytes = 0;
    stream_read_start(&e.stream);
    send_text(&e, "x");
    RUN_UNTIL(w, e.closed);
    close_end(&e);

    open_end(&e, w, tcp); /* while more bytes wait */
    e.close_in_data = true;
    e.room_bytes = 1;
    stream_read_start(&e.stream);
    send_text(&e, "xyz");
    RUN_UNTIL(w, e.closed);
    assert_int_equal(e.datas, 1);
    close_end(&e);

    open_end(&e, w, tcp);
    e.close_in_ended = true;
    stream_read_start(&e.stream);
    close(e.peer);
    e.peer = -1;
    RUN_UNTIL(w, e.closed);
    assert_int_equal(e.ended, 1);
    close_end(&e);

    open_end(&e, w, tcp); /* data and hang-up in one wake-up */
    e.close_in_data = true;
    stream_read_start(&e.stream);
    send_text(&e, "x");
    close(e.peer);
    e.peer = -1;
    RUN_UNTIL(w, e.closed);
    assert_int_equal(e.ended, 0);
    close_end(&e);

    struct buf out = BUF_INIT;
    char *big = malloc(BIG);
    fill(big, BIG);
    open_end(&e, w, tcp);
    e.close_in_written = true;
    struct iovec iov = { big, BIG };
    assert_int_equal(stream_write(&e.stream, &iov, 1), STREAM_PENDING);
    read_all_of(&e, &out, BIG);
    RUN_UNTIL(w, e.closed);
    assert_int_equal(e.written, 1);
    close_end(&e);
    buf_fini(&out);
    free(big);
}

/* Whatever has come, and however far, nothing is lost: what the stream was told, what it had, and what is
 * still to be read at the descriptor are the bytes that were sent. Both ends are still there. */
BOTH(a_connection_that_leaves_lives_on)
{
    for (int turns = 0; turns < 4; turns++) {
        struct end e;
        char text[64];
        open_end(&e, w, tcp);
        stream_read_start(&e.stream);
        if (turns > 0) /* so that it waits for bytes */
            loop_run_once(&w->loop, false);
        send_text(&e, "one.");
        for (int i = 1; i < turns; i++) {
            loop_run_once(&w->loop, false);
            send_text(&e, "more.");
        }
        if (turns == 3)
            stream_read_stop(&e.stream);
        stream_leave(&e.stream);
        assert_int_equal(e.left, 0); /* never inside a call */
        send_text(&e, "late.");
        RUN_UNTIL(w, e.closed);
        assert_int_equal(e.left, 1);
        assert_int_equal(e.ended, 0);
        assert_true(e.left_fd >= 0);
        ssize_t n = recv(e.left_fd, text, sizeof(text), MSG_DONTWAIT);
        if (n > 0)
            buf_add(&e.got, (struct str){ text, (size_t)n });
        static const char *const all[] = { "one.late.", "one.late.", "one.more.late.",
                                           "one.more.more.late." };
        assert_got(&e, all[turns]);
        assert_int_equal(send(e.left_fd, "here", 4, 0), 4);
        assert_string_equal(peer_reads(&e), "here");
        assert_string_equal(peer_reads(&e), "-");
        close(e.left_fd);
        assert_string_equal(peer_reads(&e), "");
        close_end(&e);
    }
}

static void a_reset_reaches_the_peer(void **state)
{
    static struct world w;
    (void)state;
    world_init(&w);
    for (int after_shutdown = 0; after_shutdown < 2; after_shutdown++) {
        struct end e;
        char c;
        open_end(&e, &w, true);
        write_whole(&e, "half");
        if (after_shutdown)
            stream_shutdown(&e.stream);
        else
            assert_string_equal(peer_reads(&e), "half");
        stream_reset(&e.stream);
        RUN_UNTIL(&w, e.closed);
        /* After a FIN the peer has an end already; its own writing breaks. */
        if (after_shutdown) {
            int error = 0;
            socklen_t bytes = sizeof(error);
            getsockopt(e.peer, SOL_SOCKET, SO_ERROR, &error, &bytes);
            assert_int_equal(error, EPIPE);
        } else {
            assert_int_equal(read(e.peer, &c, 1), -1);
            assert_int_equal(errno, ECONNRESET);
        }
        close_end(&e);
    }

    struct end e; /* a Unix socket knows no RST: a plain end */
    open_end(&e, &w, false);
    write_whole(&e, "half");
    stream_reset(&e.stream);
    RUN_UNTIL(&w, e.closed);
    assert_string_equal(peer_reads(&e), "half");
    assert_string_equal(peer_reads(&e), "");
    close_end(&e);
    world_fini(&w);
}

/* ---- connecting ---- */

static void connect_end(struct end *e, struct world *w, const struct address *to)
{
    memset(e, 0, sizeof(*e));
    e->world = w;
    e->peer = -1;
    e->room_bytes = sizeof(e->room);
    assert_int_equal(stream_connect(&e->stream, &w->loop, &notices, to), 0);
    assert_int_equal(e->stream.state, STREAM_CONNECTING);
    assert_int_equal(e->connected, 0);
}

/* Over TCP, with e->peer at the other side. Returns the listener. */
static int connected_end(struct end *e, struct world *w)
{
    struct address at;
    int listening = tcp_listener(&at);
    connect_end(e, w, &at);
    RUN_UNTIL(w, e->connected == 1);
    e->peer = accept(listening, NULL, NULL);
    return listening;
}

/* The same for much, which an origin's stream reads piece by piece until nothing is left: the last piece
 * fills the room to its end, so the next look meets the reset. */
static void a_reset_behind_full_pieces_is_an_error(void **state)
{
    static struct world w;
    static char bytes[RING_BUFFER_BYTES + 4 * sizeof(((struct end *)0)->room)];
    struct end e;
    (void)state;
    world_init(&w);
    int listening = connected_end(&e, &w);
    fill(bytes, sizeof(bytes));
    assert_int_equal(write(e.peer, bytes, sizeof(bytes)), sizeof(bytes));
    reset_peer(&e);
    stream_read_start(&e.stream);
    RUN_UNTIL(&w, e.ended == 1);
    assert_int_equal(e.got.n, sizeof(bytes));
    assert_memory_equal(e.got.p, bytes, sizeof(bytes));
    assert_int_equal(e.ended_status, UV_ECONNRESET);
    close_end(&e);
    close(listening);
    world_fini(&w);
}

/* Sends n bytes as one piece and runs until they are here; returns how many notices that took. */
static int receives(struct end *e, const char *bytes, size_t n)
{
    int datas = e->datas;
    size_t before = e->got.n;
    assert_int_equal(write(e->peer, bytes, n), n);
    RUN_UNTIL(e->world, e->got.n >= before + n);
    assert_int_equal(e->got.n, before + n);
    assert_memory_equal(e->got.p + before, bytes, n);
    return e->datas - datas;
}

/* What is longer than a buffer of the ring comes as one piece from the second time on, as by readiness. An
 * owner who asks anew when he has all of it is not asked for space again before there is more. */
static void much_comes_as_one_piece(void **state)
{
    static struct world w;
    static char bytes[RING_BUFFER_BYTES + 1000];
    struct end e;
    (void)state;
    world_init(&w);
    int listening = connected_end(&e, &w);
    fill(bytes, sizeof(bytes));
    stream_read_start(&e.stream);
    assert_true(receives(&e, bytes, sizeof(bytes)) <= 2);
    assert_int_equal(receives(&e, bytes, sizeof(bytes)), 1);
    assert_int_equal(receives(&e, bytes, 1), 1);
    assert_true(receives(&e, bytes, sizeof(bytes)) <= 2);
    e.room_bytes = sizeof(bytes);
    e.start_in_data = true;
    for (int i = 0; i < 3; i++) {
        int spaces = e.spaces;
        assert_int_equal(receives(&e, bytes, sizeof(bytes)), 1);
        world_settle(&w);
        assert_true(world_way == WAY_READINESS || e.spaces == spaces + 1);
    }
    /* More than it has asked for comes all the same, and the end behind it. */
    e.room_bytes = 700;
    assert_true(receives(&e, bytes, sizeof(bytes)) >= 4);
    close(e.peer);
    e.peer = -1;
    RUN_UNTIL(&w, e.ended == 1);
    assert_int_equal(e.ended_status, 0);
    close_end(&e);
    close(listening);
    world_fini(&w);
}

#define FOLDER "/tmp/io_stream_test.XXXXXX"
static char folder[] = FOLDER;

static int local_listener(struct address *at)
{
    char path[64];
    snprintf(path, sizeof(path), "%s/socket", folder);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    unlink(path);
    assert_true(address_local(str_from(path), at));
    assert_int_equal(bind(fd, &at->sa.any, at->bytes), 0);
    assert_int_equal(listen(fd, 16), 0);
    return fd;
}

BOTH(connects)
{
    struct end e;
    struct address at, name;
    char text[ADDRESS_TEXT_MAX], wanted[ADDRESS_TEXT_MAX];
    int listening = tcp ? tcp_listener(&at) : local_listener(&at);
    connect_end(&e, w, &at);
    RUN_UNTIL(w, e.connected);
    assert_int_equal(e.connected_status, 0);
    assert_int_equal(e.stream.state, STREAM_OPEN);
    e.peer = accept(listening, NULL, NULL);
    assert_true(e.peer >= 0);
    assert_int_equal(fcntl(e.peer, F_SETFL, O_NONBLOCK), 0);
    stream_peer(&e.stream, &name);
    size_t n = address_write(&name, text);
    assert_int_equal(n, address_write(&at, wanted));
    assert_memory_equal(text, wanted, n);
    stream_local(&e.stream, &name);
    assert_int_equal(name.sa.any.sa_family, tcp ? AF_INET : AF_UNIX);

    write_whole(&e, "ask");
    assert_string_equal(peer_reads(&e), "ask");
    stream_read_start(&e.stream);
    send_text(&e, "answer");
    RUN_UNTIL(w, e.got.n == 6);
    close_end(&e);
    assert_int_equal(e.connected, 1);
    close(listening);
}

BOTH(a_refused_connection_is_told)
{
    struct end e;
    struct address at;
    close(tcp ? tcp_listener(&at) : local_listener(&at));
    for (int close_at_once = 0; close_at_once < 2; close_at_once++) {
        connect_end(&e, w, &at);
        e.close_in_connected = close_at_once;
        RUN_UNTIL(w, e.connected);
        assert_int_equal(e.connected_status, UV_ECONNREFUSED);
        close_end(&e);
        assert_int_equal(e.connected, 1);
    }
}

static void open_nothing(struct letter *letter)
{
    (void)letter;
}

static void what_fails_at_once_is_told_from_the_loop(void **state)
{
    static struct world w;
    struct end e;
    struct address at;
    (void)state;
    world_init(&w);

    assert_true(address_local(STR("/nowhere/at/all"), &at));
    connect_end(&e, &w, &at);
    RUN_UNTIL(&w, e.connected);
    assert_int_equal(e.connected_status, UV_ENOENT);
    close_end(&e);

    assert_true(address_parse(STR("255.255.255.255:80"), &at)); /* TCP cannot broadcast */
    for (int close_at_once = 0; close_at_once < 2; close_at_once++) {
        connect_end(&e, &w, &at);
        e.close_in_connected = close_at_once;
        RUN_UNTIL(&w, e.connected);
        assert_true(e.connected_status < 0);
        close_end(&e);
        assert_int_equal(e.connected, 1);
    }
    connect_end(&e, &w, &at); /* closed before it was told */
    close_end(&e);
    assert_int_equal(e.connected, 0);

    /* And when so many other letters were before it that the handle is closed first. */
    static struct letter others[3000];
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        others[i].open = open_nothing;
        loop_defer(&w.loop, &others[i]);
    }
    connect_end(&e, &w, &at);
    stream_close(&e.stream);
    loop_run_once(&w.loop, true);
    if (world_way == WAY_READINESS)
        assert_int_equal(e.stream.state, STREAM_CLOSED);
    assert_int_equal(e.closed, 0); /* the letter is still in the memory that the owner would free */
    RUN_UNTIL(&w, e.closed);
    close_end(&e);
    assert_int_equal(e.connected, 0);

    at.bytes = 0;
    assert_int_equal(stream_connect(&e.stream, &w.loop, &notices, &at), UV_EINVAL);
    world_fini(&w);
}

/* No descriptor is left for the socket: that, too, comes from the loop, and nothing leaks. */
static void without_descriptors_connecting_fails(void **state)
{
    static struct world w;
    struct end e;
    struct address at;
    struct rlimit before, none;
    (void)state;
    world_init(&w);
    int listening = tcp_listener(&at);
    int first_free = dup(0);
    close(first_free);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = (struct rlimit){ .rlim_cur = (rlim_t)first_free, .rlim_max = before.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    connect_end(&e, &w, &at);
    RUN_UNTIL(&w, e.connected);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(e.connected_status, UV_EMFILE);
    close_end(&e);
    close(listening);
    world_fini(&w);
}

BOTH(closing_cancels_a_connection)
{
    struct end e;
    struct address at;
    int listening = tcp ? tcp_listener(&at) : local_listener(&at);
    for (int reset = 0; reset < 2; reset++) {
        connect_end(&e, w, &at);
        if (reset)
            stream_reset(&e.stream);
        else
            stream_close(&e.stream);
        close_end(&e);
        assert_int_equal(e.connected, 0);
    }
    connect_end(&e, w, &at);
    e.close_in_connected = true;
    RUN_UNTIL(w, e.closed);
    assert_int_equal(e.connected, 1);
    close_end(&e);
    close(listening);
}

static void what_is_no_socket_is_refused(void **state)
{
    static struct world w;
    struct stream s;
    int fds[2];
    (void)state;
    world_init(&w);
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(stream_open(&s, &w.loop, &notices, fds[0]), UV_ENOTSOCK);
    assert_int_equal(fcntl(fds[0], F_GETFD), -1); /* closed */
    assert_int_equal(stream_open(&s, &w.loop, &notices, fds[0]), UV_EBADF);
    close(fds[1]);
    world_fini(&w);
}

struct deadline {
    struct timer timer;
    struct end *end;
    size_t got_before; /* bytes that had been read when it fired */
    bool fired;
};

static void deadline_came(struct timer *t)
{
    struct deadline *d = CONTAINER_OF(t, struct deadline, timer);
    d->fired = true;
    d->got_before = d->end->got.n;
}

/* The process was stopped, or the machine slept: time is up for all, but whose bytes are there already is not
 * late. */
static void what_came_while_the_process_stood_is_read_before_timers_fire(void **state)
{
    (void)state;
    static struct world w;
    struct end e;
    world_init(&w);
    open_end(&e, &w, true);
    stream_read_start(&e.stream);
    world_settle(&w);
    struct deadline d = { .end = &e };
    timer_start(&w.loop, &d.timer, 10, deadline_came);
    send_text(&e, "in time");
    atomic_fetch_add(&w.clock.mono_shift_ms, 3600 * 1000);
    background_nap(150000); /* it stands still itself until libuv's own timer is over */
    RUN_UNTIL(&w, d.fired);
    assert_int_equal(d.got_before, strlen("in time"));
    close_end(&e);
    world_fini(&w);
}

static void an_idle_connection_is_small(void **state)
{
    (void)state;
    assert_true(sizeof(struct stream) <= 136);
}

static int make_folder(void **state)
{
    (void)state;
    memcpy(folder, FOLDER, sizeof(FOLDER));
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    char path[64];
    (void)state;
    snprintf(path, sizeof(path), "%s/socket", folder);
    unlink(path);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_and_writes),
        cmocka_unit_test(a_big_write_is_sent_whole),
        cmocka_unit_test(a_write_may_be_cut_anywhere),
        cmocka_unit_test(reads_more_than_fits_at_once),
        cmocka_unit_test(stopping_stops_at_once_and_starting_goes_on),
        cmocka_unit_test(no_space_stops_reading),
        cmocka_unit_test(while_stopped_the_end_waits),
        cmocka_unit_test(while_stopped_a_hang_up_waits),
        cmocka_unit_test(urgent_data_is_left_out),
        cmocka_unit_test(after_the_peers_end_one_can_still_write),
        cmocka_unit_test(a_shutdown_leaves_the_other_direction_open),
        cmocka_unit_test(a_shutdown_waits_for_the_pending_write),
        cmocka_unit_test(a_reset_is_an_error),
        cmocka_unit_test(the_end_behind_much_that_waited_is_told),
        cmocka_unit_test(the_end_that_comes_with_bytes_is_told),
        cmocka_unit_test(a_reset_behind_data_is_an_error),
        cmocka_unit_test(a_reset_that_a_write_met_is_an_error_for_the_reader),
        cmocka_unit_test(a_reset_behind_full_pieces_is_an_error),
        cmocka_unit_test(much_comes_as_one_piece),
        cmocka_unit_test(a_peer_that_throws_our_bytes_away_is_an_error),
        cmocka_unit_test(a_pending_write_is_told_that_the_peer_has_gone),
        cmocka_unit_test(closing_forgets_the_pending_write),
        cmocka_unit_test(a_write_of_a_closed_stream_is_not_gone_on_with),
        cmocka_unit_test(may_be_closed_in_any_notice),
        cmocka_unit_test(a_connection_that_leaves_lives_on),
        cmocka_unit_test(a_reset_reaches_the_peer),
        cmocka_unit_test(connects),
        cmocka_unit_test(a_refused_connection_is_told),
        cmocka_unit_test(what_fails_at_once_is_told_from_the_loop),
        cmocka_unit_test(without_descriptors_connecting_fails),
        cmocka_unit_test(closing_cancels_a_connection),
        cmocka_unit_test(what_is_no_socket_is_refused),
        cmocka_unit_test(what_came_while_the_process_stood_is_read_before_timers_fire),
        cmocka_unit_test(an_idle_connection_is_small),
    };
    RUN_ALL_WAYS(tests, make_folder, remove_folder);
}
