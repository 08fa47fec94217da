/*
 * Streams with TLS, over a raw stream of either kind. OpenSSL has no socket: it reads from and writes to
 * memory, through a BIO of ours.
 *
 * Receiving. Bytes come into the loop's one input buffer and are decrypted from there straight into the
 * owner's memory. What the owner does not want yet is kept; then nothing more is received.
 *
 * Sending. A turn encrypts up to TURN_MOST bytes into the loop's one output buffer, in records of 16 KiB, and
 * makes one send of it. So 100 KB are one system call, and an idle connection has no buffer. What the kernel
 * does not take is copied and sent when it has room. Both buffers are empty whenever an owner's code runs:
 * each call of OpenSSL is followed by `flush`.
 */
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/mem.h"
#include "io/ring.h"
#include "io/stream_engine.h"
#include "io/tls.h"
#include "io/tls_peer.h"

#define RECORD_MOST ((size_t)SSL3_RT_MAX_PLAIN_LENGTH)
/* Of a peer that reads slowly each turn leaves a copy of what it has encrypted. */
#define TURN_MOST      ((size_t)163840)
#define TURN_MOST_SLOW ((size_t)32768)
#define PIECE_MOST     ((size_t)32768) /* in one call of OpenSSL */
#define IN_BYTES       ((size_t)32768)
/* A turn, a head and a tag for each of its records, and room for messages of OpenSSL's own. */
#define OUT_BYTES (TURN_MOST + 32768)
#define COPY_MOST ((size_t)4096) /* for a send by the ring */
/* Of messages of OpenSSL's own behind a write that the peer does not take. */
#define WAITING_MOST ((size_t)65536)

#define WORD_MOST 20 /* of a method, and more */

/* A signature costs as much as ten requests, or fifty. So many calls for handshakes are made in a turn of the
 * loop; others wait for the next. */
#define SHAKES_MOST 8

/* The loop's; l->tls. */
struct tls_buffers {
    uint64_t beat; /* of the loop's turn in which `shakes` were made */
    unsigned shakes;
    size_t out_n;
    char in[IN_BYTES], plain[RECORD_MOST], out[OUT_BYTES];
};

/* What of the owner's write is not encrypted yet. */
struct plain {
    struct iovec iov[STREAM_IOV_MAX];
    unsigned at, n; /* pieces */
    size_t left;    /* bytes of iov[at..n) */
};

struct tls_session {
    struct stream raw;
    struct stream *stream; /* the owner's */
    SSL *ssl;
    struct timer deadline; /* of the handshake */
    struct letter letter;
    bool letter_pending;
    bool inside;    /* in `advance`, which looks at s->reading when it is done */
    bool failed;    /* OpenSSL is not to be called any more */
    bool is_mute;   /* nothing can be sent any more */
    bool fin_waits; /* the FIN comes behind `waiting` */
    bool has_end;   /* the raw stream has ended, and the owner is not told yet */
    int end_status;
    const char *in; /* received, not decrypted; in `kept`, or in the loop's buffer during a notice */
    size_t in_n;
    char *kept;
    struct plain *plain; /* of the write under way */
    char *out;           /* what the raw stream is sending */
    struct buf waiting;  /* encrypted, to be sent behind `out` */
    struct str in_clear; /* for a peer that does not speak TLS */
    const char *failure;
    struct call *call; /* of tls_connect; NULL: the server's side */
};

/* What only the client's side has. */
struct call {
    void (*reached)(struct stream *s);
    void (*ticket)(struct stream *s, struct ssl_session_st *session);
    int64_t handshake_ms;
    bool was_reached;
    bool has_record; /* the peer's first bytes are TLS */
    struct tls_peer peer;
};

static struct tls_session *of_raw(struct stream *raw)
{
    return CONTAINER_OF(raw, struct tls_session, raw);
}

static struct tls_buffers *buffers_of(const struct tls_session *t)
{
    return t->raw.loop->tls;
}

/* ---- OpenSSL's side: a BIO over the two buffers ---- */

static int bio_read(BIO *b, char *to, int n)
{
    struct tls_session *t = BIO_get_data(b);
    size_t bytes = n > 0 && (size_t)n < t->in_n ? (size_t)n : t->in_n;
    BIO_clear_retry_flags(b);
    if (bytes == 0) {
        BIO_set_retry_read(b);
        return -1;
    }
    memcpy(to, t->in, bytes);
    t->in += bytes;
    t->in_n -= bytes;
    return (int)bytes;
}

static int bio_write(BIO *b, const char *from, int n)
{
    struct tls_buffers *buffers = buffers_of(BIO_get_data(b));
    BIO_clear_retry_flags(b);
    if (n < 0 || (size_t)n > sizeof(buffers->out) - buffers->out_n)
        return -1; /* no peer can make OpenSSL say so much */
    memcpy(buffers->out + buffers->out_n, from, (size_t)n);
    buffers->out_n += (size_t)n;
    return n;
}

static long bio_control(BIO *b, int command, long number, void *pointer)
{
    (void)b;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

/* Where sessions are, a lack of memory ends one of them. Elsewhere (at the start, certificates) OpenSSL has
 * calls that cannot say so, and some that do not ask: there it is as with other small structures. */
static _Thread_local bool has_sessions;

static void *take_memory(size_t bytes, const char *file, int line)
{
    (void)file;
    (void)line;
    return has_sessions ? mem_try(bytes) : mem_alloc(bytes);
}

static void *resize_memory(void *p, size_t bytes, const char *file, int line)
{
    (void)file;
    (void)line;
    return has_sessions ? mem_try_resize(p, bytes) : mem_resize(p, bytes);
}

/* Most of what OpenSSL gives back is nothing. */
static void free_memory(void *p, const char *file, int line)
{
    (void)file;
    (void)line;
    if (p)
        mem_free(p);
}

void tls_count_memory(void)
{
    CHECK(CRYPTO_set_mem_functions(take_memory, resize_memory, free_memory) == 1);
}

static BIO_METHOD *bio_method;

static void make_method(void)
{
    bio_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "freshet stream");
    CHECK(bio_method);
    BIO_meth_set_read(bio_method, bio_read);
    BIO_meth_set_write(bio_method, bio_write);
    BIO_meth_set_ctrl(bio_method, bio_control);
}

static bool make_session(struct tls_session *t, SSL_CTX *context)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_method);
    has_sessions = true;
    t->ssl = SSL_new(context);
    BIO *bio = t->ssl ? BIO_new(bio_method) : NULL;
    if (!bio) {
        SSL_free(t->ssl);
        ERR_clear_error();
        return false;
    }
    BIO_set_data(bio, t);
    BIO_set_init(bio, 1);
    SSL_set_bio(t->ssl, bio, bio);
    return true;
}

/* What SSL_get_error must not find. As a rule there is nothing, and ERR_clear_error goes through all of its
 * table before it knows. */
static void forget_errors(void)
{
    if (ERR_peek_error())
        ERR_clear_error();
}

/* After a call that returned `result`. Notes why, when the session is over. */
static int error_of(struct tls_session *t, int result)
{
    int error = SSL_get_error(t->ssl, result);
    if (error != SSL_ERROR_SSL && error != SSL_ERROR_SYSCALL)
        return error;
    t->failed = true;
    t->failure = ERR_reason_error_string(ERR_peek_error());
    ERR_clear_error();
    return error;
}

/* ---- going on later ---- */

static void open_letter(struct letter *l);

static void go_on_later(struct tls_session *t)
{
    if (t->letter_pending)
        return;
    t->letter_pending = true;
    t->letter.open = open_letter;
    loop_post(t->raw.loop, &t->letter); /* not deferred: others have their turn first */
}

/* ---- sending ---- */

/* A call for each send, or one for those of all connections in a turn of the ring? The ring needs a copy,
 * which must stay until the send is over: of few bytes that costs less than a call. */
static bool is_direct(const struct tls_session *t, size_t n)
{
    return !t->raw.loop->ring || n > COPY_MOST || ring_is_direct(t->raw.loop->ring);
}

/* What the kernel did not take goes on from a copy. */
static enum stream_write send_copy(struct tls_session *t, const char *bytes, size_t n)
{
    t->out = mem_try(n);
    if (!t->out)
        return STREAM_BROKEN;
    memcpy(t->out, bytes, n);
    struct iovec iov = { t->out, n };
    enum stream_write result = stream_write(&t->raw, &iov, 1);
    if (result == STREAM_PENDING)
        return result;
    mem_free(t->out);
    t->out = NULL;
    return result;
}

static enum stream_write send_out(struct tls_session *t, bool direct)
{
    struct tls_buffers *b = buffers_of(t);
    size_t n = b->out_n;
    ssize_t sent = 0;
    b->out_n = 0;
    if (n == 0)
        return t->out ? STREAM_PENDING : STREAM_WRITTEN;
    if (t->out) {
        if (t->waiting.n + n > WAITING_MOST)
            return STREAM_BROKEN;
        buf_add(&t->waiting, (struct str){ b->out, n });
        return STREAM_PENDING;
    }
    if (direct || is_direct(t, n))
        sent = stream_engine_send_now(&t->raw, &(struct iovec){ b->out, n }, 1);
    if (sent < 0)
        return STREAM_BROKEN;
    if ((size_t)sent == n)
        return STREAM_WRITTEN;
    enum stream_write result = send_copy(t, b->out + sent, n - (size_t)sent);
    t->stream->refused = t->raw.refused;
    return result;
}

/* Sends what OpenSSL has written. STREAM_PENDING: some of it is still here. */
static enum stream_write flush(struct tls_session *t, bool direct)
{
    enum stream_write result = send_out(t, direct);
    if (result == STREAM_BROKEN)
        t->is_mute = true;
    return result;
}

static void used(struct plain *p, size_t n)
{
    p->left -= n;
    while (p->at < p->n && n >= p->iov[p->at].iov_len)
        n -= p->iov[p->at++].iov_len;
    if (p->at < p->n) {
        p->iov[p->at].iov_base = (char *)p->iov[p->at].iov_base + n;
        p->iov[p->at].iov_len -= n;
    }
}

/* The next bytes for one call: a piece as it lies, or, when it is short, several in one record. */
static const char *next_bytes(struct tls_session *t, struct plain *p, size_t most, size_t *n)
{
    char *plain = buffers_of(t)->plain;
    const struct iovec *first = &p->iov[p->at];
    if (most > PIECE_MOST)
        most = PIECE_MOST;
    if (first->iov_len >= RECORD_MOST || first->iov_len == p->left) {
        *n = first->iov_len < most ? first->iov_len : most;
        if (*n > RECORD_MOST && *n < p->left)
            *n -= *n % RECORD_MOST;
        return first->iov_base;
    }
    *n = 0;
    for (unsigned i = p->at; i < p->n && *n < RECORD_MOST; i++) {
        size_t room = RECORD_MOST - *n, piece = p->iov[i].iov_len < room ? p->iov[i].iov_len : room;
        memcpy(plain + *n, p->iov[i].iov_base, piece);
        *n += piece;
    }
    return plain;
}

/* false: the session is over. */
static bool encrypt(struct tls_session *t, struct plain *p)
{
    size_t most = t->stream->refused ? TURN_MOST_SLOW : TURN_MOST;
    forget_errors();
    while (p->left && most) {
        size_t n;
        const char *bytes = next_bytes(t, p, most, &n);
        int written = n ? SSL_write(t->ssl, bytes, (int)n) : 0;
        if (n && written <= 0) {
            error_of(t, written);
            return false;
        }
        CHECK((size_t)written == n);
        used(p, n);
        most -= n < most ? n : most;
    }
    return true;
}

/* STREAM_PENDING: it goes on when the raw stream has written, or by the letter. */
static enum stream_write take_turn(struct tls_session *t, struct plain *p)
{
    if (t->out)
        return STREAM_PENDING;
    if (t->failed || t->is_mute || !encrypt(t, p))
        return STREAM_BROKEN;
    enum stream_write result = flush(t, false);
    if (result != STREAM_WRITTEN || p->left == 0)
        return result;
    go_on_later(t);
    return STREAM_PENDING;
}

static enum stream_write tls_write(struct stream *s, const struct iovec *iov, unsigned n)
{
    struct tls_session *t = s->tls;
    struct plain p = { .n = n };
    for (unsigned i = 0; i < n; i++) {
        p.iov[i] = iov[i];
        p.left += iov[i].iov_len;
    }
    used(&p, 0);
    s->refused = false;
    enum stream_write result = take_turn(t, &p);
    if (result != STREAM_PENDING)
        return result;
    t->plain = mem_resize(NULL, sizeof(p));
    *t->plain = p;
    s->writing = true;
    return result;
}

static size_t tls_queued(const struct stream *s)
{
    const struct tls_session *t = s->tls;
    return t->plain->left + stream_queued(&t->raw);
}

/* The FIN, behind close_notify. */
static void tls_fin(struct stream *s)
{
    struct tls_session *t = s->tls;
    forget_errors();
    if (!t->failed && !t->is_mute && SSL_shutdown(t->ssl) < 0)
        forget_errors();
    enum stream_write result = flush(t, false);
    t->fin_waits = result == STREAM_PENDING && t->waiting.n > 0;
    if (!t->fin_waits)
        stream_shutdown(&t->raw);
}

static void end_write(struct tls_session *t, int status)
{
    struct stream *s = t->stream;
    mem_free(t->plain);
    t->plain = NULL;
    s->writing = false;
    if (status == 0 && s->fin)
        tls_fin(s);
    s->notices->written(s, status);
}

static int status_of_broken(const struct tls_session *t)
{
    return t->raw.lost ? t->raw.lost : t->failed ? UV_EPROTO : UV_EPIPE;
}

static void go_on_writing(struct tls_session *t)
{
    struct stream *s = t->stream;
    if (!t->plain || s->state != STREAM_OPEN)
        return;
    size_t before = t->plain->left;
    enum stream_write result = take_turn(t, t->plain);
    if (result != STREAM_PENDING)
        end_write(t, result == STREAM_WRITTEN ? 0 : status_of_broken(t));
    else if (t->plain->left < before && s->notices->moved)
        s->notices->moved(s);
}

/* What waited behind a write that is done. */
static void send_waiting(struct tls_session *t)
{
    struct buf waiting = t->waiting;
    t->waiting = BUF_INIT;
    if (send_copy(t, waiting.p, waiting.n) == STREAM_BROKEN)
        t->is_mute = true; /* the raw stream tells the reader, and the next write fails */
    buf_fini(&waiting);
    if (t->fin_waits)
        stream_shutdown(&t->raw);
    t->fin_waits = false;
}

static void raw_written(struct stream *raw, int status)
{
    struct tls_session *t = of_raw(raw);
    mem_free(t->out);
    t->out = NULL;
    if (status != 0) {
        t->is_mute = true;
        if (t->plain && t->stream->state == STREAM_OPEN)
            end_write(t, status);
        return;
    }
    if (t->waiting.n)
        send_waiting(t);
    if (!t->out && t->plain && t->plain->left == 0)
        end_write(t, 0);
    else
        go_on_writing(t);
}

static void raw_moved(struct stream *raw)
{
    struct stream *s = of_raw(raw)->stream;
    s->refused = true;
    if (s->writing && s->notices->moved)
        s->notices->moved(s);
}

/* ---- the handshake ---- */

static void connected(struct tls_session *t, int status)
{
    struct stream *s = t->stream;
    timer_stop(t->raw.loop, &t->deadline);
    if (status == 0)
        s->state = STREAM_OPEN;
    else
        t->failed = true;
    s->notices->connected(s, status);
}

static bool has_turn(const struct tls_session *t)
{
    struct tls_buffers *b = buffers_of(t);
    uint64_t beat = atomic_load_explicit(&t->raw.loop->pulse.beat, memory_order_relaxed);
    if (beat != b->beat)
        b->shakes = 0;
    b->beat = beat;
    return b->shakes++ < SHAKES_MOST;
}

/* A word in capital letters, like a method of HTTP. No record begins with a letter (RFC 8446 §5.1). */
static bool is_in_clear(const struct tls_session *t)
{
    size_t n = 0;
    if (t->in_clear.n == 0 || t->in_n == 0 || !SSL_in_before(t->ssl))
        return false;
    while (n < t->in_n && n < WORD_MOST && t->in[n] >= 'A' && t->in[n] <= 'Z')
        n++;
    return n && n < WORD_MOST && (n == t->in_n || t->in[n] == ' ');
}

static void answer_in_clear(struct tls_session *t)
{
    struct tls_buffers *b = buffers_of(t);
    CHECK(b->out_n == 0 && t->in_clear.n <= 1024);
    str_put(b->out, t->in_clear);
    b->out_n = t->in_clear.n;
    flush(t, true);
    t->failure = "not TLS, but in clear";
    connected(t, UV_EPROTO);
}

/* RFC 8446 §5.1: a handshake, or an alert. */
static bool is_record(char first)
{
    return first == SSL3_RT_HANDSHAKE || first == SSL3_RT_ALERT;
}

/* false: whom the client has called does not speak TLS. */
static bool is_answered_in_tls(struct tls_session *t)
{
    if (!t->call || t->call->has_record || t->in_n == 0)
        return true;
    t->call->has_record = is_record(t->in[0]);
    if (!t->call->has_record)
        t->failure = t->in[0] == 'H' ? "no TLS is spoken there, but HTTP in clear" : "no TLS is spoken there";
    return t->call->has_record;
}

/* Whom the client does not believe is said in more words than OpenSSL has. */
static void handshake_failed(struct tls_session *t)
{
    if (t->call && t->call->peer.is_wrong)
        t->failure = t->call->peer.text;
    connected(t, UV_EPROTO);
}

static void shake_hands(struct tls_session *t)
{
    if (is_in_clear(t)) {
        answer_in_clear(t);
        return;
    }
    if (!is_answered_in_tls(t)) {
        connected(t, UV_EPROTO);
        return;
    }
    if (t->in_n && !has_turn(t)) {
        go_on_later(t);
        return;
    }
    forget_errors();
    int result = SSL_do_handshake(t->ssl);
    int error = result == 1 ? SSL_ERROR_NONE : error_of(t, result);
    bool is_over = error == SSL_ERROR_SSL || error == SSL_ERROR_SYSCALL;
    /* The alert goes at once: the owner will close the stream. */
    if (flush(t, is_over) == STREAM_BROKEN && !is_over)
        connected(t, status_of_broken(t));
    else if (is_over)
        handshake_failed(t);
    else if (error == SSL_ERROR_NONE)
        connected(t, 0);
}

static void deadline_came(struct timer *timer)
{
    connected(CONTAINER_OF(timer, struct tls_session, deadline), UV_ETIMEDOUT);
}

/* ---- receiving ---- */

static void tell_end(struct tls_session *t, int status)
{
    struct stream *s = t->stream;
    stream_read_stop(&t->raw);
    s->reading = false;
    s->ended = true;
    s->notices->ended(s, status);
}

/* The peer's side is over for TLS, or the session is. */
static void read_ended(struct tls_session *t, int error)
{
    if (error == SSL_ERROR_ZERO_RETURN)
        tell_end(t, 0);
    else if (error != SSL_ERROR_WANT_READ)
        tell_end(t, UV_EPROTO);
}

static bool has_bytes(const struct tls_session *t)
{
    return !t->failed && (t->in_n > 0 || SSL_pending(t->ssl) > 0);
}

/* false: nothing more can be decrypted now, or is wanted. */
static bool decrypt(struct tls_session *t)
{
    struct stream *s = t->stream;
    char *to = NULL;
    size_t room = s->notices->space(s, &to);
    if (room == 0)
        s->reading = false;
    if (!s->reading || s->state != STREAM_OPEN)
        return false;
    forget_errors();
    int n = SSL_read(t->ssl, to, room < INT32_MAX ? (int)room : INT32_MAX);
    int error = n > 0 ? SSL_ERROR_NONE : error_of(t, n);
    flush(t, error == SSL_ERROR_SSL); /* a broken connection is told by its end, or by the next write */
    if (n > 0)
        s->notices->data(s, (size_t)n);
    else
        read_ended(t, error);
    return n > 0;
}

/* What was cut must not look whole. */
static int status_of_end(const struct tls_session *t)
{
    return t->end_status ? t->end_status : UV_ECONNABORTED;
}

static void drop_kept(struct tls_session *t)
{
    mem_free(t->kept);
    t->kept = NULL;
    t->in_n = 0;
}

/* What is left in the loop's buffer is kept. */
static void keep(struct tls_session *t)
{
    if (t->in_n == 0 || t->failed || t->stream->state == STREAM_CLOSING || t->stream->ended) {
        drop_kept(t);
        return;
    }
    if (t->kept)
        return;
    t->kept = mem_resize(NULL, t->in_n);
    memcpy(t->kept, t->in, t->in_n);
    t->in = t->kept;
}

/* A raw stream that has been reading all the while may have more of it at hand: it is not to begin anew. */
static void receive_more(struct tls_session *t)
{
    if (!t->raw.reading)
        stream_read_start(&t->raw);
}

static void advance(struct tls_session *t)
{
    struct stream *s = t->stream;
    t->inside = true;
    if (s->state == STREAM_CONNECTING && !t->failed)
        shake_hands(t);
    while (s->state == STREAM_OPEN && s->reading && has_bytes(t) && decrypt(t))
        continue;
    t->inside = false;
    keep(t);
    bool shakes = s->state == STREAM_CONNECTING && !t->failed && !t->letter_pending;
    if (shakes && t->has_end)
        connected(t, t->end_status ? t->end_status : UV_EOF);
    else if (shakes)
        receive_more(t);
    else if (s->state == STREAM_OPEN && s->reading && t->has_end && !has_bytes(t))
        tell_end(t, status_of_end(t));
    else if (s->state == STREAM_OPEN && s->reading && !has_bytes(t) && !t->has_end)
        receive_more(t);
}

static size_t raw_space(struct stream *raw, char **to)
{
    struct tls_session *t = of_raw(raw);
    struct stream *s = t->stream;
    bool wants = (s->state == STREAM_CONNECTING ? !t->failed : s->reading) && !t->kept;
    *to = buffers_of(t)->in;
    return wants ? IN_BYTES : 0;
}

static void raw_data(struct stream *raw, size_t n)
{
    struct tls_session *t = of_raw(raw);
    CHECK(!t->kept);
    t->in = buffers_of(t)->in;
    t->in_n = n;
    advance(t);
}

static void raw_ended(struct stream *raw, int status)
{
    struct tls_session *t = of_raw(raw);
    t->has_end = true;
    t->end_status = status;
    advance(t);
}

static void tls_read_start(struct stream *s)
{
    struct tls_session *t = s->tls;
    if (t->inside)
        return;
    if (has_bytes(t) || t->has_end)
        go_on_later(t);
    else
        stream_read_start(&t->raw);
}

static void tls_leave_bytes(struct stream *s)
{
    struct stream *raw = &s->tls->raw;
    if (raw->engine->leave_bytes)
        raw->engine->leave_bytes(raw);
}

static bool tls_has_untold(const struct stream *s)
{
    const struct stream *raw = &s->tls->raw;
    return has_bytes(s->tls) || (raw->engine->has_untold && raw->engine->has_untold(raw));
}

/* ---- opening and closing ---- */

static void free_session(struct tls_session *t)
{
    struct stream *s = t->stream;
    drop_kept(t);
    SSL_free(t->ssl);
    mem_free(t->call);
    mem_free(t->plain);
    mem_free(t->out);
    buf_fini(&t->waiting);
    mem_free(t);
    s->fd = -1;
    s->tls = NULL;
    s->state = STREAM_CLOSED;
    s->notices->closed(s);
}

static void raw_closed(struct stream *raw)
{
    struct tls_session *t = of_raw(raw);
    if (!t->letter_pending)
        free_session(t);
}

static void open_letter(struct letter *l)
{
    struct tls_session *t = CONTAINER_OF(l, struct tls_session, letter);
    t->letter_pending = false;
    if (t->raw.state == STREAM_CLOSED) {
        free_session(t);
        return;
    }
    go_on_writing(t);
    if (t->stream->state != STREAM_CLOSING)
        advance(t);
}

static void tls_close(struct stream *s)
{
    struct tls_session *t = s->tls;
    bool is_whole =
        !s->resets && !s->fin && !s->writing && !t->failed && !t->is_mute && SSL_is_init_finished(t->ssl);
    timer_stop(t->raw.loop, &t->deadline);
    if (is_whole) {
        forget_errors();
        if (SSL_shutdown(t->ssl) < 0)
            forget_errors();
        flush(t, true);
    }
    stream_close(&t->raw);
}

/* Of the client's side alone: the other one begins with a connection. */
static void raw_connected(struct stream *raw, int status)
{
    struct tls_session *t = of_raw(raw);
    t->stream->fd = raw->fd;
    if (status != 0) {
        connected(t, status);
        return;
    }
    t->call->was_reached = true;
    if (t->call->handshake_ms)
        timer_start(raw->loop, &t->deadline, t->call->handshake_ms, deadline_came);
    if (t->call->reached)
        t->call->reached(t->stream);
    advance(t);
}

static const struct stream_notices raw_notices = {
    .connected = raw_connected,
    .space = raw_space,
    .data = raw_data,
    .ended = raw_ended,
    .written = raw_written,
    .closed = raw_closed,
    .moved = raw_moved,
};

static const struct stream_engine stream_tls = {
    .read_start = tls_read_start,
    .leave_bytes = tls_leave_bytes,
    .has_untold = tls_has_untold,
    .write = tls_write,
    .close = tls_close,
    .queued = tls_queued,
    .fin = tls_fin,
};

static void take_early(struct tls_session *t, struct str early)
{
    t->kept = mem_resize(NULL, early.n);
    str_put(t->kept, early);
    t->in = t->kept;
    t->in_n = early.n;
    go_on_later(t);
}

static void begin(struct tls_session *t, struct stream *s, struct loop *l, const struct stream_notices *n)
{
    if (!l->tls)
        l->tls = mem_alloc(sizeof(struct tls_buffers));
    t->stream = s;
    *s = (struct stream){ .loop = l, .notices = n, .engine = &stream_tls, .state = STREAM_CONNECTING };
    s->local = t->raw.local;
    s->fd = t->raw.fd;
    s->tls = t;
    s->stays = true;
}

int tls_accept(struct stream *s, struct loop *l, const struct stream_notices *n, int fd,
               const struct tls_terms *terms)
{
    struct tls_session *t = mem_alloc(sizeof(*t));
    if (!make_session(t, terms->context)) {
        mem_free(t);
        close(fd);
        return UV_ENOMEM;
    }
    int status = stream_open(&t->raw, l, &raw_notices, fd);
    if (status < 0) {
        SSL_free(t->ssl);
        mem_free(t);
        return status;
    }
    SSL_set_accept_state(t->ssl);
    begin(t, s, l, n);
    t->in_clear = terms->in_clear;
    timer_start(l, &t->deadline, terms->handshake_ms, deadline_came);
    if (terms->early.n)
        take_early(t, terms->early);
    else
        stream_read_start(&t->raw);
    return 0;
}

/* ---- the client's side ---- */

/* OpenSSL calls it for each session that the peer gives. 1: the reference is taken. */
static int ticket_came(SSL *ssl, SSL_SESSION *session)
{
    struct tls_session *t = BIO_get_data(SSL_get_rbio(ssl));
    if (!t->call || !t->call->ticket || t->stream->state == STREAM_CLOSING)
        return 0;
    t->call->ticket(t->stream, session);
    return 1;
}

void tls_tell_tickets(struct ssl_ctx_st *context)
{
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, ticket_came);
}

/* false: OpenSSL refuses the name, or there is no memory. */
static bool set_call(struct tls_session *t, const struct tls_call *call, int64_t now_ms)
{
    t->call = mem_alloc(sizeof(*t->call));
    t->call->reached = call->reached;
    t->call->ticket = call->ticket;
    t->call->handshake_ms = call->handshake_ms;
    SSL_set_connect_state(t->ssl);
    if (call->protocols.n && SSL_set_alpn_protos(t->ssl, (const unsigned char *)call->protocols.p,
                                                 (unsigned)call->protocols.n) != 0)
        return false;
    return tls_peer_expect(&t->call->peer, t->ssl, call->server_name, now_ms) &&
           (!call->session || SSL_set_session(t->ssl, call->session) == 1);
}

int tls_connect(struct stream *s, struct loop *l, const struct stream_notices *n, const struct address *to,
                const struct tls_call *call)
{
    struct tls_session *t = mem_alloc(sizeof(*t));
    int status = make_session(t, call->context) && set_call(t, call, l->now.wall_ms) ? 0 : UV_ENOMEM;
    ERR_clear_error();
    if (status == 0)
        status = stream_connect(&t->raw, l, &raw_notices, to);
    if (status < 0) {
        SSL_free(t->ssl);
        mem_free(t->call);
        mem_free(t);
        return status;
    }
    begin(t, s, l, n);
    return 0;
}

/* ---- questions ---- */

bool tls_was_reached(const struct stream *s)
{
    return tls_is_under(s) && s->tls && s->tls->call && s->tls->call->was_reached;
}

bool tls_is_distrusted(const struct stream *s)
{
    return tls_is_under(s) && s->tls && s->tls->call && s->tls->call->peer.is_wrong;
}

bool tls_is_under(const struct stream *s)
{
    return s->engine == &stream_tls;
}

void tls_facts(const struct stream *s, struct tls_facts *out)
{
    CHECK(tls_is_under(s) && s->state == STREAM_OPEN);
    const SSL *ssl = s->tls->ssl;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    const unsigned char *protocol = NULL;
    unsigned protocol_n = 0;
    SSL_get0_alpn_selected(ssl, &protocol, &protocol_n);
    *out = (struct tls_facts){
        .server_name = name ? str_from(name) : STR_NONE,
        .protocol = { (const char *)protocol, protocol_n },
        .version = SSL_get_version(ssl),
        .suite = SSL_get_cipher_name(ssl),
        .resumed = SSL_session_reused(ssl),
    };
}

static struct str host_of(struct str authority)
{
    size_t end = authority.n;
    if (end && authority.p[0] == '[') { /* [V6] or [V6]:PORT */
        end = str_index(authority, ']');
        return str_first(str_from_index(authority, 1), end ? end - 1 : 0);
    }
    end = str_index(authority, ':');
    if (end && authority.p[end - 1] == '.')
        end--;
    return str_first(authority, end);
}

bool tls_is_for(const struct stream *s, struct str authority)
{
    CHECK(tls_is_under(s));
    const SSL *ssl = s->tls->ssl;
    const char *asked = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    struct str host = host_of(authority);
    if (!asked || str_eq_nocase(str_from(asked), host))
        return true;
    X509 *certificate = SSL_get_certificate(ssl);
    return certificate && host.n &&
           X509_check_host(certificate, host.p, host.n, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NULL) == 1;
}

const char *tls_failure(const struct stream *s)
{
    return s->tls ? s->tls->failure : NULL;
}
