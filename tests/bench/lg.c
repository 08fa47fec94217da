/*
 * Load for tables with TLS: many connections, on each so many requests at once, the next one when an answer
 * is whole. wrk knows neither HTTP/2 nor resumption, and h2load is slower than the servers are.
 * Usage: lg PORT PATH [FLAGS]
 *   -t            TLS 1.3             -2 STREAMS  HTTP/2, so many requests at once on a connection
 *   -c N          connections (1)     -H FIELD    another field, "Name: value"
 *   -b BYTES      each body's length; anything else is an error
 *   -s SECONDS    how long, or -n REQUESTS how many
 *   -i            says "ready" when each connection has had one answer, a few of them at a time; begins at a
 *                 line of the input, and ends at the end of the input, so that who measures can leave out all
 *                 but the requests
 *   -f full|resumed  a new connection for each request, with such a handshake
 * Prints one line of JSON. Every status must be 200 and every body as long as was said.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"
#include "wire.h"

#define EVENTS       256
#define SLOTS        4096u /* streams that are open at once, by id */
#define HEAD_MOST    8192
#define FIELDS_MOST  16
#define STREAM_BYTES (1u << 24)
#define WINDOW_BYTES 0x7fffffffu
#define LATENCY_MOST 4096 /* a figure each 1/16 of a power of two, in us */

struct connection {
    struct wire wire;
    bool has_begun;
    bool is_ready; /* HTTP/2: the server's SETTINGS are here */
    unsigned open; /* requests without an answer */
    uint64_t answered;
    /* ---- the answer of HTTP/1.1 ---- */
    bool in_body;
    size_t left; /* of the body; HTTP/2: of the frame */
    size_t head_n;
    char head[HEAD_MOST];
    uint64_t asked_ns;
    /* ---- HTTP/2 ---- */
    uint32_t next_id, taken; /* taken: bytes of DATA since the last WINDOW_UPDATE */
    bool has_asked;
    struct frame frame;
    bool in_frame;
    struct slot {
        uint32_t id, bytes;
        uint64_t asked_ns;
    } * slots;
};

static const char *port, *path, *extra[FIELDS_MOST];
static unsigned extras, connections_n = 1, streams = 1;
static bool is_h2, has_tls, waits;
static enum { KEPT, FULL, RESUMED } mode;
static size_t body_bytes;
static uint64_t requests_most;

static struct connection *connections;
static SSL_CTX *context;
static SSL_SESSION *session;
static int poll_fd;

static char text[WIRE_PIECE], plain[262144];
static char first_block[4096], next_block[4096], settings_block[8];
static size_t request_n, first_n, next_n, text_n;
static char request[8192];

static bool is_counting;
static uint64_t sent, answered, errors, resumed, head_bytes, end_ns, latency[LATENCY_MOST], turn_ns;

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "lg: %s (after %llu answers)\n", what, (unsigned long long)answered);
    exit(1);
}

/* ---- what is asked ---- */

static void make_request(void)
{
    request_n =
        (size_t)snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%s\r\n", path, port);
    for (unsigned i = 0; i < extras; i++)
        request_n += (size_t)snprintf(request + request_n, sizeof(request) - request_n, "%s\r\n", extra[i]);
    request_n += (size_t)snprintf(request + request_n, sizeof(request) - request_n, "\r\n");
}

/* The first block puts all into the server's table, those behind it are indices: so do browsers. */
static void make_blocks(void)
{
    char host[32], *first = first_block, *next = next_block;
    snprintf(host, sizeof(host), "127.0.0.1:%s", port);
    unsigned table = 2 + extras;
    *first++ = *next++ = (char)0x82; /* GET */
    *first++ = *next++ = (char)(has_tls ? 0x87 : 0x86);
    *first++ = 0x44;
    first = hpack_put_text(first, path, strlen(path));
    *first++ = 0x41;
    first = hpack_put_text(first, host, strlen(host));
    for (unsigned i = 0; i < table; i++)
        next = hpack_put_integer(next, 0x80, 7, 62 + table - 1 - i);
    for (unsigned i = 0; i < extras; i++) {
        const char *colon = strchr(extra[i], ':');
        char name[64];
        size_t n = colon ? (size_t)(colon - extra[i]) : 0;
        if (n == 0 || n > sizeof(name) || colon[1] != ' ')
            fail("a field is \"Name: value\"");
        for (size_t j = 0; j < n; j++)
            name[j] = (char)(extra[i][j] >= 'A' && extra[i][j] <= 'Z' ? extra[i][j] + 32 : extra[i][j]);
        *first++ = 0x40;
        first = hpack_put_text(first, name, n);
        first = hpack_put_text(first, colon + 2, strlen(colon + 2));
    }
    first_n = (size_t)(first - first_block);
    next_n = (size_t)(next - next_block);
}

static void put(struct connection *c, const char *bytes, size_t n)
{
    if (text_n + n > sizeof(text)) {
        wire_write(&c->wire, text, text_n);
        text_n = 0;
    }
    memcpy(text + text_n, bytes, n);
    text_n += n;
}

static bool may_ask(void)
{
    if (waits && !is_counting)
        return false;
    return requests_most ? sent < requests_most : turn_ns < end_ns;
}

static void ask_h2(struct connection *c)
{
    struct slot *s = &c->slots[(c->next_id >> 1) % SLOTS];
    char head[H2_HEAD];
    size_t change = c->has_asked ? 0 : strlen(settings_block);
    size_t n = c->has_asked ? next_n : first_n;
    if (s->id)
        fail("a stream waited too long");
    *s = (struct slot){ .id = c->next_id, .asked_ns = turn_ns };
    frame_put(head, (uint32_t)(n + change), H2_HEADERS, H2_END | H2_END_HEAD, c->next_id);
    put(c, head, H2_HEAD);
    put(c, settings_block, change);
    put(c, c->has_asked ? next_block : first_block, n);
    c->has_asked = true;
    c->next_id += 2;
}

static void ask(struct connection *c)
{
    c->asked_ns = turn_ns;
    if (is_h2)
        ask_h2(c);
    else
        put(c, request, request_n);
    c->open++;
    sent++;
}

static void ask_all(struct connection *c)
{
    bool is_first = waits && c->answered == 0 && c->open == 0 && !is_counting;
    if (is_h2 && !c->is_ready)
        return;
    if (mode != KEPT && c->answered + c->open > 0)
        return;
    if (is_first) /* before all begin */
        ask(c);
    while (c->open < streams && may_ask())
        ask(c);
}

/* ---- what comes ---- */

static void note_latency(uint64_t asked_ns)
{
    uint64_t us = (turn_ns - asked_ns) / 1000;
    unsigned shift = us < 16 ? 0 : 60u - (unsigned)__builtin_clzll(us) - 1;
    latency[shift * 16 + (us >> shift)]++;
}

static void whole(struct connection *c, size_t bytes, uint64_t asked_ns)
{
    c->open--;
    c->answered++;
    answered++;
    if (bytes != body_bytes)
        errors++;
    note_latency(asked_ns);
}

static size_t length_of(const char *head)
{
    const char *at = strcasestr(head, "\ncontent-length:");
    return at ? strtoull(at + sizeof("\ncontent-length:") - 1, NULL, 10) : (size_t)-1;
}

static void take_h1(struct connection *c, const char *p, size_t n)
{
    while (n) {
        if (!c->in_body) {
            size_t some = n < HEAD_MOST - 1 - c->head_n ? n : HEAD_MOST - 1 - c->head_n;
            size_t before = c->head_n;
            memcpy(c->head + before, p, some);
            c->head[before + some] = 0;
            char *end = strstr(c->head, "\r\n\r\n");
            if (!end && before + some == HEAD_MOST - 1)
                fail("a head without an end");
            c->head_n = end ? (size_t)(end - c->head) + 4 : before + some;
            p += c->head_n - before;
            n -= c->head_n - before;
            if (!end)
                return;
            *end = 0;
            head_bytes = c->head_n;
            c->left = length_of(c->head);
            if (memcmp(c->head + 9, "200", 3) != 0 || c->left == (size_t)-1)
                fail(c->head);
            c->in_body = c->left != 0;
            if (c->left != body_bytes)
                errors++;
        }
        size_t some = n < c->left ? n : c->left;
        c->left -= some;
        p += some;
        n -= some;
        if (c->left == 0) {
            c->in_body = false;
            c->head_n = 0;
            whole(c, body_bytes, c->asked_ns);
            ask_all(c);
        }
    }
}

static struct slot *slot_of(struct connection *c, uint32_t id)
{
    struct slot *s = &c->slots[(id >> 1) % SLOTS];
    if (s->id != id)
        fail("a frame of a stream that is not open");
    return s;
}

static void end_stream(struct connection *c, struct slot *s)
{
    whole(c, s->bytes, s->asked_ns);
    s->id = 0;
    ask_all(c);
}

/* The status is the first field; a change of the table's size may stand before it. */
static void look_at_head(struct connection *c, const unsigned char *p, const unsigned char *end)
{
    while (p < end && (*p & 0xe0) == 0x20)
        if ((*p++ & 0x1f) == 0x1f)
            while (p < end && *p++ & 0x80)
                continue;
    if (p == end || *p != 0x88)
        fail("a status that is not 200");
    head_bytes = c->frame.bytes;
}

static void take_settings(struct connection *c, const char *p)
{
    char ack[H2_HEAD];
    uint32_t table = 4096;
    for (size_t i = 0; i + 6 <= c->frame.bytes; i += 6)
        if (p[i] == 0 && p[i + 1] == 1)
            table = frame_number(p + i + 2);
    if (table < 4096) /* RFC 7541 §4.2 */
        *hpack_put_integer(settings_block, 0x20, 5, table) = 0;
    if (table < 512)
        fail("a table that is too small for the requests");
    frame_put(ack, 0, H2_SETTINGS, H2_ACK, 0);
    put(c, ack, H2_HEAD);
    c->is_ready = true;
    ask_all(c);
}

static void take_control(struct connection *c, const char *p)
{
    char pong[H2_HEAD + 8];
    switch (c->frame.type) {
    case H2_SETTINGS:
        if (!(c->frame.flags & H2_ACK))
            take_settings(c, p);
        return;
    case H2_PING:
        memcpy(frame_put(pong, 8, H2_PING, H2_ACK, 0), p, 8);
        if (!(c->frame.flags & H2_ACK))
            put(c, pong, sizeof(pong));
        return;
    case H2_HEADERS:
        look_at_head(c, (const unsigned char *)p, (const unsigned char *)p + c->frame.bytes);
        struct slot *s = slot_of(c, c->frame.stream);
        if (c->frame.flags & H2_END)
            end_stream(c, s);
        return;
    case H2_RST_STREAM: fail("a stream was reset");
    case H2_GOAWAY: fail("GOAWAY");
    case H2_CONTINUATION: fail("a head in two frames");
    default: return;
    }
}

static void take_data(struct connection *c, size_t n)
{
    c->left -= n;
    slot_of(c, c->frame.stream)->bytes += (uint32_t)n;
    c->taken += (uint32_t)n;
    if (c->taken > WINDOW_BYTES / 2) {
        char update[H2_HEAD + 4];
        frame_put_number(frame_put(update, 4, H2_WINDOW_UPDATE, 0, 0), c->taken);
        put(c, update, sizeof(update));
        c->taken = 0;
    }
    if (c->left)
        return;
    c->in_frame = false;
    if (c->frame.flags & H2_END)
        end_stream(c, slot_of(c, c->frame.stream));
}

/* Heads and control frames are collected in c->head, DATA is counted. */
static void take_h2(struct connection *c, const char *p, size_t n)
{
    for (;;) {
        if (!c->in_frame) {
            size_t some = n < H2_HEAD - c->head_n ? n : H2_HEAD - c->head_n;
            memcpy(c->head + c->head_n, p, some);
            c->head_n += some;
            p += some;
            n -= some;
            if (c->head_n < H2_HEAD)
                return;
            c->frame = frame_of(c->head);
            c->head_n = 0;
            c->in_frame = true;
            c->left = c->frame.bytes;
            if (c->frame.type != H2_DATA && c->frame.bytes > HEAD_MOST)
                fail("a long frame");
        }
        size_t some = n < c->left ? n : c->left;
        if (c->frame.type == H2_DATA) {
            if (some == 0 && c->left)
                return;
            take_data(c, some);
        } else {
            memcpy(c->head + c->head_n, p, some);
            c->head_n += some;
            c->left -= some;
            if (c->left)
                return;
            c->head_n = 0;
            c->in_frame = false;
            take_control(c, c->head);
        }
        p += some;
        n -= some;
    }
}

/* ---- connections ---- */

static void open_connection(struct connection *c)
{
    int fd = bench_connect(port, 1);
    if (fd < 0)
        bench_fatal("connect");
    SSL_SESSION *copy = mode == RESUMED ? SSL_SESSION_dup(session) : NULL;
    wire_open(&c->wire, fd, context, false, copy);
    SSL_SESSION_free(copy);
    c->has_begun = c->in_body = c->in_frame = c->is_ready = c->has_asked = false;
    c->head_n = c->left = 0;
    c->next_id = 1;
    c->taken = 0;
    if (is_h2 && !c->slots && !(c->slots = calloc(SLOTS, sizeof(*c->slots))))
        bench_fatal("calloc");
    struct epoll_event e = { .events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c };
    if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &e))
        bench_fatal("epoll_ctl");
}

/* TLS is open, or the connection in clear stands. */
static void begin(struct connection *c)
{
    c->has_begun = true;
    if (is_h2) {
        char first[64], *at = mempcpy(first, H2_PREFACE, sizeof(H2_PREFACE) - 1);
        at = frame_put(at, 6, H2_SETTINGS, 0, 0);
        *at++ = 0;
        *at++ = 4; /* INITIAL_WINDOW_SIZE */
        at = frame_put_number(at, STREAM_BYTES);
        at = frame_put_number(frame_put(at, 4, H2_WINDOW_UPDATE, 0, 0), WINDOW_BYTES - 65535);
        put(c, first, (size_t)(at - first));
    }
    ask_all(c);
}

static void flush(struct connection *c)
{
    if (text_n)
        wire_write(&c->wire, text, text_n);
    text_n = 0;
    if (!wire_flush(&c->wire))
        fail("a connection broke");
}

static void shake(struct connection *c)
{
    int result = wire_shake(&c->wire);
    if (result < 0)
        fail("a handshake failed");
    if (result == 0) {
        flush(c);
        return;
    }
    if (is_h2 != wire_is_h2(&c->wire))
        fail("another protocol was chosen");
    resumed += (uint64_t)SSL_session_reused(c->wire.ssl);
    begin(c);
}

static void read_all(struct connection *c)
{
    ssize_t n;
    while ((n = wire_read(&c->wire, plain, sizeof(plain))) > 0)
        if (is_h2)
            take_h2(c, plain, (size_t)n);
        else
            take_h1(c, plain, (size_t)n);
    if (n < 0)
        fail("TLS is broken, or was ended");
}

static bool again(void)
{
    return requests_most ? sent < requests_most : turn_ns < end_ns;
}

static void on_event(struct connection *c)
{
    if (c->wire.fd < 0)
        return;
    if (wire_waits(&c->wire) && !wire_flush(&c->wire))
        fail("a connection broke");
    if (wire_waits(&c->wire))
        return;
    /* In the first event the connection stands. */
    if (has_tls && !c->wire.is_open)
        shake(c);
    else if (!c->has_begun)
        begin(c);
    for (int came = 2; came == 2 && !wire_waits(&c->wire);) {
        flush(c);
        if ((came = wire_receive(&c->wire)) < 0)
            fail("a connection was closed");
        if (came && has_tls && !c->wire.is_open)
            shake(c);
        if (came && c->wire.is_open)
            read_all(c);
    }
    flush(c);
    if (mode != KEPT && c->answered) {
        wire_close(&c->wire);
        c->wire.fd = -1;
        c->answered = 0;
        if (again())
            open_connection(c);
    }
}

/* A copy of the latest: OpenSSL does not use a session again that another ticket came behind. */
static int keep_session(SSL *ssl, SSL_SESSION *s)
{
    (void)ssl;
    SSL_SESSION_free(session);
    session = SSL_SESSION_dup(s);
    return 0;
}

/* ---- the run ---- */

static void turn(int ms)
{
    struct epoll_event events[EVENTS];
    int n = epoll_wait(poll_fd, events, EVENTS, ms);
    turn_ns = bench_now_ns();
    for (int i = 0; i < n; i++)
        on_event(events[i].data.ptr);
}

/* Opens them, and waits until each has had an answer; with so many handshakes at a time, since those of
 * hundreds at once take memory that no connection needs later. */
#define SHAKES_MOST 16
static void gather(void)
{
    unsigned opened = 0;
    while (answered < connections_n) {
        while (opened < connections_n && opened - answered < SHAKES_MOST)
            open_connection(&connections[opened++]);
        turn(1000);
    }
}

static void wait_for_line(void)
{
    char line[64];
    printf("ready\n");
    fflush(stdout);
    if (!fgets(line, sizeof(line), stdin))
        exit(0); /* only to stand there */
    sent = answered = errors = 0;
    memset(latency, 0, sizeof(latency));
}

/* Sessions of TLS 1.3 come behind the handshake. */
static void get_session(void)
{
    struct connection *c = &connections[0];
    mode = KEPT;
    requests_most = 1;
    open_connection(c);
    while (c->answered == 0 || !session)
        turn(1000);
    wire_close(&c->wire);
    c->answered = 0;
    sent = answered = resumed = 0;
    mode = RESUMED;
}

static double percentile_us(double p)
{
    uint64_t all = 0, seen = 0;
    for (unsigned i = 0; i < LATENCY_MOST; i++)
        all += latency[i];
    for (unsigned i = 0; i < LATENCY_MOST; i++) {
        seen += latency[i];
        if (seen && (double)seen >= (double)all * p / 100)
            return i < 32 ? i : (double)((16ull + i % 16) << (i / 16 - 1));
    }
    return 0;
}

static void report(double seconds)
{
    printf("{\"requests\":%llu,\"errors\":%llu,\"resumed\":%llu,\"seconds\":%.3f,\"rps\":%.0f,"
           "\"p50_us\":%.0f,\"p99_us\":%.0f,\"head_bytes\":%llu}\n",
           (unsigned long long)answered, (unsigned long long)errors, (unsigned long long)resumed, seconds,
           (double)answered / seconds, percentile_us(50), percentile_us(99), (unsigned long long)head_bytes);
    fflush(stdout);
}

static double read_flags(int argc, char **argv)
{
    double seconds = 0;
    for (int f; (f = getopt(argc, argv, "t2:c:H:b:s:n:if:")) >= 0;) {
        switch (f) {
        case 't': has_tls = true; break;
        case '2': is_h2 = true, streams = (unsigned)bench_number(optarg, 1024); break;
        case 'c': connections_n = (unsigned)bench_number(optarg, 20000); break;
        case 'b': body_bytes = bench_number(optarg, UINT32_MAX); break;
        case 's': seconds = (double)bench_number(optarg, 3600); break;
        case 'n': requests_most = bench_number(optarg, UINT32_MAX); break;
        case 'i': waits = true; break;
        case 'f': mode = strcmp(optarg, "resumed") == 0 ? RESUMED : FULL; break;
        case 'H':
            if (extras == FIELDS_MOST)
                fail("too many fields");
            extra[extras++] = optarg;
            break;
        default: exit(2);
        }
    }
    if (mode != KEPT)
        streams = 1;
    if (argc - optind != 2 || (seconds == 0 && !requests_most) || connections_n == 0 || streams == 0) {
        fprintf(stderr, "usage: lg PORT PATH [-t] [-2 STREAMS] [-c CONNECTIONS] [-b BYTES] [-H FIELD] "
                        "[-i] [-f full|resumed] -s SECONDS | -n REQUESTS\n");
        exit(2);
    }
    port = argv[optind];
    path = argv[optind + 1];
    return seconds;
}

int main(int argc, char **argv)
{
    double seconds = read_flags(argc, argv);
    uint64_t requests = requests_most;
    signal(SIGPIPE, SIG_IGN);
    make_request();
    make_blocks();
    connections = calloc(connections_n, sizeof(*connections));
    poll_fd = epoll_create1(0);
    if (!connections || poll_fd < 0)
        bench_fatal("calloc");
    if (has_tls) {
        context = wire_client(is_h2 ? "h2" : "http/1.1");
        SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
        SSL_CTX_sess_set_new_cb(context, keep_session);
    }
    turn_ns = bench_now_ns();
    if (mode == RESUMED)
        get_session();
    requests_most = requests;
    uint64_t begin_ns = bench_now_ns();
    end_ns = begin_ns + (uint64_t)(seconds * 1e9);
    for (unsigned i = 0; i < connections_n && !waits; i++)
        open_connection(&connections[i]);
    if (waits) {
        gather();
        wait_for_line();
        is_counting = true;
        begin_ns = turn_ns = bench_now_ns();
        end_ns = begin_ns + (uint64_t)(seconds * 1e9);
        for (unsigned i = 0; i < connections_n; i++) {
            ask_all(&connections[i]);
            flush(&connections[i]);
        }
    }
    while (requests_most ? answered < requests_most : turn_ns < end_ns || answered < sent)
        turn(1000);
    report((double)(bench_now_ns() - begin_ns) / 1e9);
    if (waits)
        while (getchar() != EOF)
            continue;
    return errors ? 1 : 0;
}
