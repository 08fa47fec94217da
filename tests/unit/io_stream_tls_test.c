/* A stream with TLS, of the server's side and the client's, keeps the stream's contract: every byte once
 * and in order, the end as the peer meant it; and what is no TLS, comes too late or wants to negotiate
 * anew ends in an error. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "io_test.h"
#include "io/tls.h"
#include "tls/context.h"
#include "tls/pair.h"
#include "tls/pem.h"
#include "tls_test.h"

/* Of the stream under test, as a server and as a client, and of its peer. */
static SSL_CTX *server_context, *caller_context, *client_context;
static bool calls; /* the stream under test is the client */

/* One end is the stream under test, the other OpenSSL over a socket that the test moves itself. */
struct end {
    struct stream stream;
    struct world *world;
    int peer;
    SSL *ssl;
    char room[5000];
    size_t room_bytes;
    struct buf got;
    int reached, tickets;
    SSL_SESSION *ticket; /* the latest */
    int connected, connected_status, datas, ended, ended_status, written, written_status, closed, moved;
    bool start_in_connected, stop_in_data, close_in_data, close_in_connected, close_in_ended,
        close_in_written;
};

static void on_connected(struct stream *s, int status)
{
    struct end *e = CONTAINER_OF(s, struct end, stream);
    e->connected++;
    e->connected_status = status;
    assert_int_equal(s->state, status == 0 ? STREAM_OPEN : STREAM_CONNECTING);
    if (e->close_in_connected)
        stream_close(s);
    else if (e->start_in_connected)
        stream_read_start(s);
}

static size_t on_space(struct stream *s, char **p)
{
    struct end *e = CONTAINER_OF(s, struct end, stream);
    assert_int_equal(e->closed + e->ended, 0);
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
    assert_false(s->writing);
    e->written++;
    e->written_status = status;
    if (e->close_in_written)
        stream_close(s);
}

static void on_moved(struct stream *s)
{
    CONTAINER_OF(s, struct end, stream)->moved++;
}

static void on_closed(struct stream *s)
{
    struct end *e = CONTAINER_OF(s, struct end, stream);
    assert_int_equal(s->state, STREAM_CLOSED);
    e->closed++;
}

static const struct stream_notices notices = {
    .connected = on_connected,
    .space = on_space,
    .data = on_data,
    .ended = on_ended,
    .written = on_written,
    .moved = on_moved,
    .closed = on_closed,
};

/* ---- both ends ---- */

#define SHAKE_MS 5000
#define IN_CLEAR "400 speak TLS"

static void init_end(struct end *e, struct world *w, int fds[2])
{
    memset(e, 0, sizeof(*e));
    e->world = w;
    e->room_bytes = sizeof(e->room);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    e->peer = fds[1];
}

static void accept_end(struct end *e, int fd, struct str early)
{
    const struct tls_terms terms = {
        .context = server_context, .handshake_ms = SHAKE_MS, .early = early, .in_clear = STR_INIT(IN_CLEAR)
    };
    assert_int_equal(tls_accept(&e->stream, &e->world->loop, &notices, fd, &terms), 0);
    assert_int_equal(e->stream.state, STREAM_CONNECTING);
    assert_true(e->stream.stays);
}

static void on_reached(struct stream *s)
{
    struct end *e = CONTAINER_OF(s, struct end, stream);
    e->reached++;
    assert_int_equal(s->state, STREAM_CONNECTING);
}

static void on_ticket(struct stream *s, SSL_SESSION *session)
{
    struct end *e = CONTAINER_OF(s, struct end, stream);
    SSL_SESSION_free(e->ticket);
    e->ticket = session;
    e->tickets++;
}

/* Who is called: a socket that listens. */
static int listen_somewhere(struct address *at)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    memset(at, 0, sizeof(*at));
    at->sa.v4 = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    at->bytes = sizeof(at->sa.v4);
    assert_int_equal(bind(fd, &at->sa.any, at->bytes), 0);
    assert_int_equal(getsockname(fd, &at->sa.any, &at->bytes), 0);
    assert_int_equal(listen(fd, 10), 0);
    return fd;
}

static void call_end(struct end *e, struct world *w, const char *server_name, SSL_SESSION *session)
{
    struct address at;
    memset(e, 0, sizeof(*e));
    e->world = w;
    e->room_bytes = sizeof(e->room);
    e->peer = -1;
    const struct tls_call call = { .context = caller_context,
                                   .server_name = str_from(server_name),
                                   .session = session,
                                   .handshake_ms = SHAKE_MS,
                                   .reached = on_reached,
                                   .ticket = on_ticket };
    int listening = listen_somewhere(&at);
    assert_int_equal(tls_connect(&e->stream, &w->loop, &notices, &at, &call), 0);
    assert_int_equal(e->stream.state, STREAM_CONNECTING);
    assert_int_equal(e->connected + e->reached, 0);
    RUN_UNTIL(w, (e->peer = accept4(listening, NULL, NULL, SOCK_NONBLOCK)) >= 0);
    RUN_UNTIL(w, e->reached);
    assert_true(tls_was_reached(&e->stream));
    close(listening);
}

static void open_raw(struct end *e, struct world *w)
{
    int fds[2];
    if (calls) {
        call_end(e, w, "a.test", NULL);
        return;
    }
    init_end(e, w, fds);
    accept_end(e, fds[0], STR_NONE);
}

static void begin_tls(struct end *e, int version)
{
    e->ssl = SSL_new(calls ? server_context : client_context);
    SSL_set_min_proto_version(e->ssl, version);
    SSL_set_max_proto_version(e->ssl, version);
    SSL_set_fd(e->ssl, e->peer);
    if (calls)
        SSL_set_accept_state(e->ssl);
    else
        SSL_set_connect_state(e->ssl);
    if (!calls)
        SSL_set_tlsext_host_name(e->ssl, "a.test");
}

static bool shaken(struct end *e)
{
    ERR_clear_error();
    return SSL_do_handshake(e->ssl) == 1;
}

static void open_end(struct end *e, struct world *w, int version)
{
    open_raw(e, w);
    begin_tls(e, version);
    RUN_UNTIL(w, shaken(e) && e->connected);
    assert_int_equal(e->connected, 1);
    assert_int_equal(e->connected_status, 0);
}

static void close_end(struct end *e)
{
    if (e->stream.state != STREAM_CLOSED)
        stream_close(&e->stream);
    RUN_UNTIL(e->world, e->closed);
    world_settle(e->world);
    assert_int_equal(e->closed, 1);
    SSL_free(e->ssl);
    SSL_SESSION_free(e->ticket);
    if (e->peer >= 0)
        close(e->peer);
    buf_fini(&e->got);
    ERR_clear_error();
}

static void peer_cuts(struct end *e)
{
    close(e->peer);
    e->peer = -1;
}

/* Writes all, while the loop runs. */
static void peer_writes(struct end *e, const char *p, size_t n)
{
    while (n) {
        ERR_clear_error();
        int done = SSL_write(e->ssl, p, n < 10000 ? (int)n : 10000);
        if (done > 0) {
            p += done;
            n -= (size_t)done;
        } else {
            assert_int_equal(SSL_get_error(e->ssl, done), SSL_ERROR_WANT_WRITE);
        }
        loop_run_once(&e->world->loop, false);
    }
}

/* Bytes that are there now; 0: none; -1: close_notify; -2: cut; -3: an alert, or damaged. */
static int peer_reads(struct end *e, char *to, int room)
{
    ERR_clear_error();
    int n = SSL_read(e->ssl, to, room);
    if (n > 0)
        return n;
    switch (SSL_get_error(e->ssl, n)) {
    case SSL_ERROR_WANT_READ: return 0;
    case SSL_ERROR_ZERO_RETURN: return -1;
    case SSL_ERROR_SYSCALL: return -2;
    default: return ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING ? -2 : -3;
    }
}

static void peer_reads_all(struct end *e, struct buf *out, size_t n)
{
    while (out->n < n) {
        int got = peer_reads(e, buf_room(out, 65536), 65536);
        assert_true(got >= 0);
        out->n += (size_t)got;
        loop_run_once(&e->world->loop, false);
    }
}

static int peer_end(struct end *e)
{
    char byte;
    int got;
    while ((got = peer_reads(e, &byte, 1)) == 0)
        loop_run_once(&e->world->loop, false);
    return got;
}

static void write_text(struct end *e, const char *text)
{
    struct iovec iov = { (char *)(uintptr_t)text, strlen(text) };
    int written = e->written;
    enum stream_write result = stream_write(&e->stream, &iov, 1);
    assert_int_not_equal(result, STREAM_BROKEN);
    assert_int_equal(e->written, written); /* never inside a call */
    if (result == STREAM_PENDING)
        RUN_UNTIL(e->world, e->written > written);
}

static void assert_got(struct end *e, const char *text)
{
    assert_int_equal(e->got.n, strlen(text));
    assert_memory_equal(e->got.p, text, e->got.n);
}

static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

/* Runs each test with both versions, as a server and as a client. */
#define BOTH(name)                                                                                           \
    static void name##_with(struct world *w, int version);                                                   \
    static void name(void **state)                                                                           \
    {                                                                                                        \
        static struct world w;                                                                               \
        (void)state;                                                                                         \
        for (size_t i = 0; i < 2 * COUNT_OF(versions); i++) {                                                \
            calls = i >= COUNT_OF(versions);                                                                 \
            world_init(&w);                                                                                  \
            name##_with(&w, versions[i % COUNT_OF(versions)]);                                               \
            world_fini(&w);                                                                                  \
            calls = false;                                                                                   \
        }                                                                                                    \
    }                                                                                                        \
    static void name##_with(struct world *w, int version)

/* ---- tests ---- */

BOTH(reads_and_writes)
{
    struct end e;
    struct tls_facts f;
    char text[64];
    open_end(&e, w, version);
    assert_true(tls_is_under(&e.stream));
    tls_facts(&e.stream, &f);
    assert_true(str_eq(f.server_name, STR("a.test")));
    assert_string_equal(f.version, version == TLS1_3_VERSION ? "TLSv1.3" : "TLSv1.2");
    assert_int_equal(f.protocol.n, 0);
    assert_false(f.resumed);
    stream_read_start(&e.stream);
    for (int i = 1; i <= 3; i++) {
        peer_writes(&e, "ask.", 4);
        RUN_UNTIL(w, e.datas == i);
        write_text(&e, "answer");
        int n = 0;
        RUN_UNTIL(w, (n = peer_reads(&e, text, sizeof(text))) != 0);
        assert_int_equal(n, 6);
    }
    assert_got(&e, "ask.ask.ask.");
    stream_close(&e.stream);
    assert_int_equal(peer_end(&e), -1); /* it says that this was all */
    close_end(&e);
}

/* The first bytes may come with the end of the handshake, before anybody reads. */
BOTH(what_comes_with_the_handshake_waits)
{
    struct end e;
    open_end(&e, w, version);
    peer_writes(&e, "early", 5);
    world_settle(w);
    assert_int_equal(e.datas, 0);
    stream_read_start(&e.stream);
    assert_int_equal(e.datas, 0);
    RUN_UNTIL(w, e.got.n == 5);
    close_end(&e);

    open_raw(&e, w);
    e.start_in_connected = true;
    begin_tls(&e, version);
    RUN_UNTIL(w, shaken(&e));
    peer_writes(&e, "early", 5);
    RUN_UNTIL(w, e.got.n == 5);
    close_end(&e);
}

static char *fill(size_t n)
{
    char *p = malloc(n);
    uint32_t x = 1;
    for (size_t i = 0; i < n; i++) {
        x = x * 1664525 + 1013904223;
        p[i] = (char)(x >> 24);
    }
    return p;
}

#define BIG (3u << 20)

BOTH(large_bodies_come_whole)
{
    struct end e;
    char *bytes = fill(BIG);
    open_end(&e, w, version);
    stream_read_start(&e.stream);
    peer_writes(&e, bytes, BIG);
    RUN_UNTIL(w, e.got.n == BIG);
    assert_memory_equal(e.got.p, bytes, BIG);
    close_end(&e);
    free(bytes);
}

#define RECORD 16000u /* eight buffers of the ring */
#define TURNS  5

/* A record of somebody whom we call does not take a turn of the loop for each buffer that it fills. */
BOTH(a_long_record_is_read_at_once)
{
    struct end e;
    char *bytes = fill(RECORD);
    open_end(&e, w, version);
    stream_read_start(&e.stream);
    for (unsigned i = 1; calls && i <= 3; i++) {
        int waiting = 0;
        world_settle(w);
        assert_int_equal(SSL_write(e.ssl, bytes, RECORD), RECORD);
        while (waiting < (int)RECORD)
            assert_int_equal(ioctl(e.stream.fd, FIONREAD, &waiting), 0);
        for (int turn = 0; turn < TURNS && e.got.n < i * RECORD; turn++) {
            usleep(1000);
            loop_run_once(&w->loop, false);
        }
        assert_int_equal(e.got.n, i * RECORD);
    }
    close_end(&e);
    free(bytes);
}

/* Pieces of all sizes, some of them empty; the peer reads slowly. */
BOTH(large_writes_are_sent_whole)
{
    struct end e;
    struct buf out = BUF_INIT;
    char *bytes = fill(BIG);
    struct iovec iov[STREAM_IOV_MAX];
    size_t at = 0;
    static const size_t sizes[] = {
        0, 300, 0, 1, 16383, 16384, 20000, 16385, 32768, 32769, 50, 0, 131072, 7
    };
    for (unsigned i = 0; i < STREAM_IOV_MAX; i++) {
        size_t n = i < COUNT_OF(sizes) ? sizes[i] : i == STREAM_IOV_MAX - 1 ? BIG - at : 200000;
        iov[i] = (struct iovec){ bytes + at, n };
        at += n;
    }
    open_end(&e, w, version);
    assert_int_equal(stream_write(&e.stream, iov, STREAM_IOV_MAX), STREAM_PENDING);
    memset(iov, 0, sizeof(iov)); /* iov itself may go */
    assert_true(stream_queued(&e.stream) > BIG / 2);
    peer_reads_all(&e, &out, BIG);
    RUN_UNTIL(w, e.written);
    assert_int_equal(e.written_status, 0);
    assert_int_equal(stream_queued(&e.stream), 0);
    assert_memory_equal(out.p, bytes, BIG);
    assert_true(e.moved > 0);
    /* and both ways at once */
    stream_read_start(&e.stream);
    iov[0] = (struct iovec){ bytes, BIG };
    assert_int_equal(stream_write(&e.stream, iov, 1), STREAM_PENDING);
    peer_writes(&e, bytes, 100000);
    buf_clear(&out);
    peer_reads_all(&e, &out, BIG);
    RUN_UNTIL(w, e.written == 2 && e.got.n == 100000);
    assert_memory_equal(out.p, bytes, BIG);
    assert_memory_equal(e.got.p, bytes, 100000);
    close_end(&e);
    buf_fini(&out);
    free(bytes);
}

/* 100 KB with their head are one turn: seven records, none of them for the head alone. */
BOTH(a_head_shares_a_record)
{
    struct end e;
    char *bytes = fill(102400);
    struct iovec iov[2] = { { (char[]){ "HTTP/1.1 200 OK\r\n" }, 17 }, { bytes, 102400 } };
    static char raw[300000];
    size_t n = 0, at = 0, records = 0;
    open_end(&e, w, version);
    world_settle(w);
    while (peer_reads(&e, raw, 1) != 0) /* tickets */
        continue;
    enum stream_write result = stream_write(&e.stream, iov, 2);
    while (n < 102417 || (result == STREAM_PENDING && !e.written)) {
        ssize_t got = read(e.peer, raw + n, sizeof(raw) - n);
        n += got > 0 ? (size_t)got : 0;
        loop_run_once(&w->loop, false);
    }
    for (; at + 5 <= n; records++)
        at += 5 + ((size_t)(unsigned char)raw[at + 3] << 8 | (unsigned char)raw[at + 4]);
    assert_int_equal(at, n);
    assert_int_equal(records, 7);
    close_end(&e);
    free(bytes);
}

BOTH(stopping_stops_and_starting_goes_on)
{
    struct end e;
    char *bytes = fill(100000);
    open_end(&e, w, version);
    e.stop_in_data = true;
    e.room_bytes = 777;
    stream_read_start(&e.stream);
    size_t sent = 0;
    while (e.got.n < 100000) {
        if (sent < 100000) {
            int n = SSL_write(e.ssl, bytes + sent, 5000);
            sent += n > 0 ? (size_t)n : 0;
        }
        int datas = e.datas;
        world_settle(w);
        assert_true(e.datas <= datas + 1);
        stream_read_start(&e.stream);
        assert_true(e.datas <= datas + 1);
    }
    RUN_UNTIL(w, e.got.n == 100000);
    assert_memory_equal(e.got.p, bytes, 100000);
    close_end(&e);
    free(bytes);
}

BOTH(close_notify_is_a_proper_end)
{
    struct end e;
    char text[16];
    open_end(&e, w, version);
    stream_read_start(&e.stream);
    peer_writes(&e, "last", 4);
    SSL_shutdown(e.ssl);
    RUN_UNTIL(w, e.ended);
    assert_got(&e, "last");
    assert_int_equal(e.ended_status, 0);
    write_text(&e, "bye"); /* the other direction is open */
    int n = 0;
    RUN_UNTIL(w, (n = peer_reads(&e, text, sizeof(text))) != 0);
    assert_int_equal(n, 3);
    stream_shutdown(&e.stream);
    assert_int_equal(peer_end(&e), -1);
    close_end(&e);
}

BOTH(a_cut_is_no_end)
{
    struct end e;
    open_end(&e, w, version);
    stream_read_start(&e.stream);
    peer_writes(&e, "half", 4);
    RUN_UNTIL(w, e.got.n == 4);
    world_settle(w);
    assert_int_equal(peer_reads(&e, (char[1]){ 0 }, 1), 0); /* tickets: a socket with unread bytes is reset */
    peer_cuts(&e);
    RUN_UNTIL(w, e.ended);
    assert_got(&e, "half");
    assert_int_equal(e.ended_status, UV_ECONNABORTED);
    close_end(&e);
}

BOTH(while_stopped_the_end_waits)
{
    struct end e;
    open_end(&e, w, version);
    peer_writes(&e, "last", 4);
    SSL_shutdown(e.ssl);
    peer_cuts(&e);
    world_settle(w);
    assert_int_equal(e.datas + e.ended, 0);
    stream_read_start(&e.stream);
    assert_int_equal(e.datas + e.ended, 0);
    RUN_UNTIL(w, e.ended);
    assert_got(&e, "last");
    assert_int_equal(e.ended_status, 0);
    close_end(&e);
}

BOTH(a_shutdown_says_that_it_was_all_and_waits_for_the_write)
{
    struct end e;
    struct buf out = BUF_INIT;
    char *bytes = fill(BIG);
    struct iovec iov = { bytes, BIG };
    open_end(&e, w, version);
    stream_read_start(&e.stream);
    assert_int_equal(stream_write(&e.stream, &iov, 1), STREAM_PENDING);
    stream_shutdown(&e.stream);
    peer_reads_all(&e, &out, BIG);
    assert_int_equal(peer_end(&e), -1);
    assert_memory_equal(out.p, bytes, BIG);
    RUN_UNTIL(w, e.written == 1);
    peer_writes(&e, "still", 5); /* reading goes on */
    RUN_UNTIL(w, e.got.n == 5);
    close_end(&e);
    buf_fini(&out);
    free(bytes);
}

BOTH(a_reset_or_a_close_midway_is_a_cut)
{
    struct end e;
    open_end(&e, w, version);
    write_text(&e, "x");
    stream_reset(&e.stream);
    assert_int_equal(peer_end(&e), 1);
    assert_int_equal(peer_end(&e), -2);
    close_end(&e);

    char *bytes = fill(BIG), *got = malloc(BIG);
    struct iovec iov = { bytes, BIG };
    int n;
    open_end(&e, w, version);
    assert_int_equal(stream_write(&e.stream, &iov, 1), STREAM_PENDING);
    stream_close(&e.stream);
    memset(bytes, 0, BIG); /* the owner's again */
    RUN_UNTIL(w, e.closed);
    while ((n = peer_reads(&e, got, BIG)) > 0)
        continue;
    assert_int_equal(n, -2);
    assert_int_equal(e.written, 0);
    close_end(&e);
    free(bytes);
    free(got);
}

BOTH(a_write_to_who_has_gone_fails)
{
    struct end e;
    char *bytes = fill(BIG);
    struct iovec iov = { bytes, BIG };
    open_end(&e, w, version);
    assert_int_equal(stream_write(&e.stream, &iov, 1), STREAM_PENDING);
    peer_cuts(&e);
    RUN_UNTIL(w, e.written);
    assert_true(e.written_status < 0);
    assert_int_equal(stream_write(&e.stream, &iov, 1), STREAM_BROKEN);
    close_end(&e);
    free(bytes);
}

BOTH(may_be_closed_in_any_notice)
{
    struct end e;
    open_raw(&e, w);
    e.close_in_connected = true;
    begin_tls(&e, version);
    RUN_UNTIL(w, (shaken(&e), e.closed));
    close_end(&e);

    open_end(&e, w, version);
    e.close_in_data = true;
    stream_read_start(&e.stream);
    peer_writes(&e, "ask", 3);
    RUN_UNTIL(w, e.closed);
    close_end(&e);

    open_end(&e, w, version);
    e.close_in_ended = true;
    stream_read_start(&e.stream);
    SSL_shutdown(e.ssl);
    RUN_UNTIL(w, e.closed);
    close_end(&e);

    char *bytes = fill(BIG);
    struct iovec iov = { bytes, BIG };
    struct buf out = BUF_INIT;
    open_end(&e, w, version);
    e.close_in_written = true;
    stream_read_start(&e.stream); /* tickets: a socket that is closed with unread bytes is reset */
    assert_int_equal(stream_write(&e.stream, &iov, 1), STREAM_PENDING);
    peer_reads_all(&e, &out, BIG);
    RUN_UNTIL(w, e.closed);
    close_end(&e);
    buf_fini(&out);
    free(bytes);
}

/* TLS 1.2 alone has it. The client hears no_renegotiation, and the connection does nothing more for it.
 * hostile h3-23 */
static void renegotiation_is_refused(void **state)
{
    (void)state;
    static struct world w;
    struct end e;
    char text[16];
    int n = 0;
    world_init(&w);
    open_end(&e, &w, TLS1_2_VERSION);
    stream_read_start(&e.stream);
    assert_int_equal(SSL_renegotiate(e.ssl), 1);
    SSL_do_handshake(e.ssl);
    RUN_UNTIL(&w, (n = peer_reads(&e, text, sizeof(text))) != 0);
    assert_int_equal(n, -3);
    assert_int_equal(e.datas, 0);
    close_end(&e);
    world_fini(&w);
}

/* TLS 1.3 lets the peer change its key, and ask for a new one of ours, at any time. */
static void keys_may_be_updated(void **state)
{
    (void)state;
    static struct world w;
    struct end e;
    char text[16];
    int n = 0;
    world_init(&w);
    open_end(&e, &w, TLS1_3_VERSION);
    stream_read_start(&e.stream);
    for (int i = 1; i <= 40; i++) {
        assert_int_equal(SSL_key_update(e.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
        peer_writes(&e, "ask.", 4);
        RUN_UNTIL(&w, e.datas == i);
        write_text(&e, "answer");
        RUN_UNTIL(&w, (n = peer_reads(&e, text, sizeof(text))) != 0);
        assert_int_equal(n, 6);
    }
    close_end(&e);
    world_fini(&w);
}

static void write_raw(struct end *e, const char *p, size_t n)
{
    assert_int_equal(write(e->peer, p, n), (ssize_t)n);
}

/* What is no TLS fails at once, and the peer gets an alert. */
static void garbage_is_refused(void **state)
{
    (void)state;
    static struct world w;
    static const char http[] = "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n";
    static const char zeros[64], big[] = "\x16\x03\x01\x48\x01xxxxxxx",
                                 alert[] = "\x15\x03\x01\x00\x02\x02\x28";
    static const struct {
        const char *p;
        size_t n;
    } rows[] = { { http, sizeof(http) - 1 }, { zeros, sizeof(zeros) }, { big, 12 }, { alert, 7 } };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct end e;
        world_init(&w);
        open_raw(&e, &w);
        write_raw(&e, rows[i].p, rows[i].n);
        RUN_UNTIL(&w, e.connected);
        assert_int_equal(e.connected_status, UV_EPROTO);
        assert_non_null(tls_failure(&e.stream));
        write_raw(&e, "more", 4);
        world_settle(&w);
        assert_int_equal(e.connected, 1);
        close_end(&e);
        world_fini(&w);
    }
}

/* Who does not speak TLS is told so in his own words; in one piece or two. */
static void what_comes_in_clear_is_answered_in_clear(void **state)
{
    (void)state;
    static struct world w;
    static const char *const rows[] = { "GET / HTTP/1.1\r\n\r\n", "OPTIONS * HTTP/1.1\r\n\r\n", "P" };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct end e;
        char text[64];
        world_init(&w);
        open_raw(&e, &w);
        write_raw(&e, rows[i], strlen(rows[i]));
        RUN_UNTIL(&w, e.connected);
        assert_int_equal(e.connected_status, UV_EPROTO);
        assert_int_equal(read(e.peer, text, sizeof(text)), sizeof(IN_CLEAR) - 1);
        assert_memory_equal(text, IN_CLEAR, sizeof(IN_CLEAR) - 1);
        close_end(&e);
        world_fini(&w);
    }
}

/* Somebody has read the beginning of the handshake, up to any byte. */
static void bytes_that_came_before_count(void **state)
{
    (void)state;
    static struct world w;
    static char hello[2000];
    for (size_t early = 1, most = 2; early < most; early++) {
        struct end e;
        int fds[2];
        world_init(&w);
        init_end(&e, &w, fds);
        begin_tls(&e, TLS1_3_VERSION);
        assert_false(shaken(&e));
        ssize_t n = recv(fds[0], hello, sizeof(hello), MSG_PEEK);
        assert_true(n > 100);
        most = (size_t)n;
        assert_int_equal(read(fds[0], hello, early), early);
        accept_end(&e, fds[0], (struct str){ hello, early });
        memset(hello, 0, sizeof(hello));
        RUN_UNTIL(&w, shaken(&e) && e.connected);
        assert_int_equal(e.connected_status, 0);
        stream_read_start(&e.stream);
        peer_writes(&e, "hello", 5);
        RUN_UNTIL(&w, e.datas);
        assert_got(&e, "hello");
        close_end(&e);
        world_fini(&w);
    }
}

/* A handshake byte by byte; and each of its beginnings, then nothing more. */
static void a_handshake_may_be_cut_anywhere(void **state)
{
    (void)state;
    static struct world w;
    static char hello[2000];
    BIO *b = BIO_new(BIO_s_mem());
    SSL *ssl = SSL_new(client_context);
    SSL_set_bio(ssl, BIO_new(BIO_s_mem()), b);
    SSL_set_connect_state(ssl);
    SSL_do_handshake(ssl);
    int n = BIO_read(b, hello, sizeof(hello));
    assert_true(n > 100);
    SSL_free(ssl);
    world_init(&w);
    for (int cut = 0; cut <= n; cut += cut < 12 ? 1 : 29) {
        struct end e;
        open_raw(&e, &w);
        if (cut)
            write_raw(&e, hello, (size_t)cut);
        peer_cuts(&e);
        RUN_UNTIL(&w, e.connected);
        assert_true(e.connected_status < 0);
        close_end(&e);
    }
    struct end e;
    open_raw(&e, &w);
    for (int i = 0; i < n; i++) {
        char c;
        assert_int_equal(read(e.peer, &c, 1), -1);
        write_raw(&e, hello + i, 1);
        world_settle(&w);
    }
    char c;
    RUN_UNTIL(&w, read(e.peer, &c, 1) == 1); /* the answer begins */
    close_end(&e);
    world_fini(&w);
}

/* Bytes that are changed on their way end the connection: nothing false reaches the owner. */
BOTH(damage_is_an_error)
{
    struct end e;
    open_end(&e, w, version);
    stream_read_start(&e.stream);
    peer_writes(&e, "good", 4);
    RUN_UNTIL(w, e.got.n == 4);
    write_raw(&e,
              "\x17\x03\x03\x00\x18"
              "abcdefghijklmnopqrstuvwx",
              29);
    RUN_UNTIL(w, e.ended);
    assert_int_equal(e.ended_status, UV_EPROTO);
    assert_got(&e, "good");
    assert_int_equal(peer_end(&e), -3);
    assert_int_equal(stream_write(&e.stream, &(struct iovec){ (char[]){ "x" }, 1 }, 1), STREAM_BROKEN);
    close_end(&e);
}

static void a_handshake_has_a_time(void **state)
{
    (void)state;
    static struct world w;
    struct end e;
    world_init(&w);
    open_raw(&e, &w);
    world_turn(&w, SHAKE_MS - 200);
    world_settle(&w);
    assert_int_equal(e.connected, 0);
    world_turn(&w, 1000);
    RUN_UNTIL(&w, e.connected);
    assert_int_equal(e.connected_status, UV_ETIMEDOUT);
    close_end(&e);
    /* One that is done has none. */
    open_end(&e, &w, TLS1_3_VERSION);
    world_turn(&w, 10 * SHAKE_MS);
    world_settle(&w);
    assert_int_equal(e.connected, 1);
    assert_int_equal(e.ended, 0);
    close_end(&e);
    /* Closed by its owner midway. */
    open_raw(&e, &w);
    close_end(&e);
    assert_int_equal(e.connected, 0);
    world_fini(&w);
}

/* Signatures take long: of a crowd that comes at once only some are made in a turn of the loop, and what else
 * the loop has to do is done in between. */
#define CROWD 40

static void a_crowd_shakes_hands_turn_by_turn(void **state)
{
    (void)state;
    static struct world w;
    static struct end crowd[CROWD];
    int done = 0, most = 0;
    world_init(&w);
    for (int i = 0; i < CROWD; i++) {
        open_raw(&crowd[i], &w);
        begin_tls(&crowd[i], TLS1_3_VERSION);
        shaken(&crowd[i]);
    }
    while (done < CROWD) {
        int before = done;
        loop_run_once(&w.loop, false);
        done = 0;
        for (int i = 0; i < CROWD; i++) {
            char byte;
            done += recv(crowd[i].peer, &byte, 1, MSG_PEEK) == 1;
        }
        most = done - before > most ? done - before : most;
    }
    assert_true(most <= 16); /* turns of libuv's and of ours do not always meet */
    for (int i = 0; i < CROWD; i++)
        RUN_UNTIL(&w, (shaken(&crowd[i]), crowd[i].connected));
    for (int i = 0; i < CROWD; i++) {
        assert_int_equal(crowd[i].connected_status, 0);
        close_end(&crowd[i]);
    }
    world_fini(&w);
}

static void what_is_no_socket_is_refused(void **state)
{
    (void)state;
    static struct world w;
    struct stream s;
    int fds[2];
    world_init(&w);
    assert_int_equal(pipe(fds), 0);
    const struct tls_terms terms = { .context = server_context, .handshake_ms = SHAKE_MS };
    assert_int_equal(tls_accept(&s, &w.loop, &notices, fds[0], &terms), UV_ENOTSOCK);
    assert_int_equal(fcntl(fds[0], F_GETFD), -1); /* closed */
    close(fds[1]);
    world_fini(&w);
}

/* ---- the client's side alone ---- */

static void called_by(struct end *e, struct world *w, SSL_CTX *peer, const char *name, SSL_SESSION *session)
{
    call_end(e, w, name, session);
    e->ssl = SSL_new(peer);
    if (session)
        SSL_set_max_proto_version(e->ssl, SSL_SESSION_get_protocol_version(session));
    SSL_set_fd(e->ssl, e->peer);
    SSL_set_accept_state(e->ssl);
    RUN_UNTIL(w, (shaken(e), e->connected));
}

/* The peer is believed for the name in its certificate, and no other. */
static void whom_it_calls_must_have_the_name(void **state)
{
    (void)state;
    static struct world w;
    static const struct {
        const char *name, *failure; /* NULL: it is good */
    } rows[] = {
        { "a.test", NULL },
        { "A.Test", NULL },
        { "b.test", "its certificate is for a.test, not for b.test" },
        { "x.a.test", "its certificate is for a.test, not for x.a.test" },
        { "127.0.0.1", "its certificate is for a.test, not for 127.0.0.1" },
        { "::1", "its certificate is for a.test, not for ::1" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct end e;
        world_init(&w);
        called_by(&e, &w, server_context, rows[i].name, NULL);
        assert_int_equal(e.connected, 1);
        assert_int_equal(e.connected_status, rows[i].failure ? UV_EPROTO : 0);
        assert_int_equal(tls_is_distrusted(&e.stream), rows[i].failure != NULL);
        if (rows[i].failure)
            assert_string_equal(tls_failure(&e.stream), rows[i].failure);
        close_end(&e);
        world_fini(&w);
    }
}

/* Who is not believed gets an alert and no byte of ours. */
static void strangers_are_refused(void **state)
{
    (void)state;
    static struct world w;
    struct end e;
    struct made m = make_cert("DNS:a.test", 0, -10, DAY);
    struct buf why = BUF_INIT;
    struct pair *p =
        pair_new(buf_str(&m.cert), STR("c"), buf_str(&m.key), STR("k"), (int64_t)time(NULL) * 1000, &why);
    SSL_CTX *other = context_new();
    pair_use(p, other);
    pair_unref(p);
    made_fini(&m);
    world_init(&w);
    called_by(&e, &w, other, "a.test", NULL);
    assert_int_equal(e.connected_status, UV_EPROTO);
    assert_string_equal(tls_failure(&e.stream), "its certificate is signed by itself, by no authority");
    assert_false(shaken(&e));
    close_end(&e);
    world_fini(&w);
    SSL_CTX_free(other);
}

/* Its time is the loop's. */
static void certificates_have_a_time(void **state)
{
    (void)state;
    static struct world w;
    struct end e;
    world_init(&w);
    atomic_fetch_add(&w.clock.wall_shift_ms, 2 * DAY * 1000);
    loop_run_once(&w.loop, false);
    called_by(&e, &w, server_context, "a.test", NULL);
    assert_int_equal(e.connected_status, UV_EPROTO);
    assert_true(str_starts(str_from(tls_failure(&e.stream)), STR("its certificate expired on 20")));
    close_end(&e);
    world_fini(&w);
}

/* What answers in clear is told apart from what answers badly. */
static void who_speaks_no_tls_is_told(void **state)
{
    (void)state;
    static struct world w;
    static const struct {
        const char *answer, *failure;
    } rows[] = {
        { "HTTP/1.1 400 Bad Request\r\n\r\n", "no TLS is spoken there, but HTTP in clear" },
        { "H", "no TLS is spoken there, but HTTP in clear" },
        { "<html>", "no TLS is spoken there" },
        { "220 mail ESMTP\r\n", "no TLS is spoken there" },
        { "\x16\x03\x03\x48\x01xxxxxx", NULL },
        { "\x15\x03\x01", NULL },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct end e;
        world_init(&w);
        call_end(&e, &w, "a.test", NULL);
        write_raw(&e, rows[i].answer, strlen(rows[i].answer));
        world_settle(&w);
        if (!e.connected)
            peer_cuts(&e);
        RUN_UNTIL(&w, e.connected);
        assert_true(e.connected_status < 0);
        if (rows[i].failure)
            assert_string_equal(tls_failure(&e.stream), rows[i].failure);
        close_end(&e);
        world_fini(&w);
    }
}

/* Tickets are told, and a call with one goes on with the session. */
BOTH(sessions_are_gone_on_with)
{
    struct end e;
    struct tls_facts f;
    if (!calls)
        return;
    open_end(&e, w, version);
    stream_read_start(&e.stream);
    RUN_UNTIL(w, e.tickets);
    SSL_SESSION *session = e.ticket;
    e.ticket = NULL;
    close_end(&e);
    called_by(&e, w, server_context, "a.test", session);
    assert_int_equal(e.connected_status, 0);
    tls_facts(&e.stream, &f);
    assert_true(f.resumed);
    SSL_SESSION_free(session);
    close_end(&e);
}

/* Who is not there, or too slow. */
static void a_call_may_fail(void **state)
{
    (void)state;
    static struct world w;
    struct end e;
    struct address at;
    world_init(&w);
    const struct tls_call call = { .context = caller_context, .server_name = STR_INIT("a.test") };
    memset(&e, 0, sizeof(e));
    e.world = &w;
    e.peer = -1;
    close(listen_somewhere(&at));
    assert_int_equal(tls_connect(&e.stream, &w.loop, &notices, &at, &call), 0);
    RUN_UNTIL(&w, e.connected);
    assert_int_equal(e.connected_status, UV_ECONNREFUSED);
    assert_false(tls_was_reached(&e.stream));
    close_end(&e);

    call_end(&e, &w, "a.test", NULL);
    world_turn(&w, SHAKE_MS + 1000);
    RUN_UNTIL(&w, e.connected);
    assert_int_equal(e.connected_status, UV_ETIMEDOUT);
    close_end(&e);

    call_end(&e, &w, "a.test", NULL); /* closed midway, by its owner */
    close_end(&e);
    assert_int_equal(e.connected, 0);

    struct address none = { .bytes = 0 };
    assert_int_equal(tls_connect(&e.stream, &w.loop, &notices, &none, &call), UV_EINVAL);
    const struct tls_call nobody = { .context = caller_context };
    assert_true(tls_connect(&e.stream, &w.loop, &notices, &at, &nobody) < 0);
    world_fini(&w);
}

static int make_contexts(void **state)
{
    (void)state;
    struct made m = make_cert("DNS:a.test", 0, -10, DAY);
    struct buf why = BUF_INIT;
    struct pair *p =
        pair_new(buf_str(&m.cert), STR("c"), buf_str(&m.key), STR("k"), (int64_t)time(NULL) * 1000, &why);
    server_context = context_new();
    pair_use(p, server_context);
    pair_unref(p);
    caller_context = context_new_client();
    X509 *cert = pem_read_cert(buf_str(&m.cert));
    X509_STORE_add_cert(SSL_CTX_get_cert_store(caller_context), cert);
    X509_free(cert);
    SSL_CTX_set_verify(caller_context, SSL_VERIFY_PEER, NULL);
    tls_tell_tickets(caller_context);
    made_fini(&m);
    client_context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_mode(client_context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return 0;
}

static int free_contexts(void **state)
{
    (void)state;
    SSL_CTX_free(server_context);
    SSL_CTX_free(client_context);
    SSL_CTX_free(caller_context);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_and_writes),
        cmocka_unit_test(what_comes_with_the_handshake_waits),
        cmocka_unit_test(large_bodies_come_whole),
        cmocka_unit_test(a_long_record_is_read_at_once),
        cmocka_unit_test(large_writes_are_sent_whole),
        cmocka_unit_test(a_head_shares_a_record),
        cmocka_unit_test(stopping_stops_and_starting_goes_on),
        cmocka_unit_test(close_notify_is_a_proper_end),
        cmocka_unit_test(a_cut_is_no_end),
        cmocka_unit_test(while_stopped_the_end_waits),
        cmocka_unit_test(a_shutdown_says_that_it_was_all_and_waits_for_the_write),
        cmocka_unit_test(a_reset_or_a_close_midway_is_a_cut),
        cmocka_unit_test(a_write_to_who_has_gone_fails),
        cmocka_unit_test(may_be_closed_in_any_notice),
        cmocka_unit_test(renegotiation_is_refused),
        cmocka_unit_test(keys_may_be_updated),
        cmocka_unit_test(garbage_is_refused),
        cmocka_unit_test(what_comes_in_clear_is_answered_in_clear),
        cmocka_unit_test(bytes_that_came_before_count),
        cmocka_unit_test(a_handshake_may_be_cut_anywhere),
        cmocka_unit_test(damage_is_an_error),
        cmocka_unit_test(a_handshake_has_a_time),
        cmocka_unit_test(a_crowd_shakes_hands_turn_by_turn),
        cmocka_unit_test(what_is_no_socket_is_refused),
        cmocka_unit_test(whom_it_calls_must_have_the_name),
        cmocka_unit_test(strangers_are_refused),
        cmocka_unit_test(certificates_have_a_time),
        cmocka_unit_test(who_speaks_no_tls_is_told),
        cmocka_unit_test(sessions_are_gone_on_with),
        cmocka_unit_test(a_call_may_fail),
    };
    RUN_ALL_WAYS(tests, make_contexts, free_contexts);
}
