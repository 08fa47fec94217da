/* Bytes of an HTTP/2 server, to a client that has asked three times, break no invariant and are told the same
 * however they are cut; what we take for an answer without a fault nghttp2's session takes as well. A first
 * SETTINGS is put in front, unless the input begins with one. */
#include "h2_asker.h"
#include "h2_frames.h"

#include <nghttp2/nghttp2.h>

#define ASKED 3

static struct str with_start(struct str in, struct buf *to)
{
    static const char settings[9] = { 0, 0, 0, H2_SETTINGS };
    if (in.n >= 4 && in.p[3] == H2_SETTINGS)
        return in;
    buf_add(to, (struct str){ settings, sizeof(settings) });
    buf_add(to, in);
    return buf_str(to);
}

static void run(struct asker *a, struct str in, struct dice *d, size_t step)
{
    asker_init(a, 131072);
    for (int i = 0; i < ASKED; i++)
        asker_ask(a);
    for (size_t at = 0; at < in.n;) {
        struct str piece =
            piece_copy(str_first(str_from_index(in, at), step ? 1 + dice_roll(d, step) : in.n));
        bool goes_on = asker_feed(a, piece);
        at += piece.n;
        piece_free(piece);
        if (!goes_on)
            break;
    }
}

/* ---- the oracle ---- */

static int on_invalid(nghttp2_session *session, const nghttp2_frame *frame, int code, void *user)
{
    (void)session;
    (void)frame;
    (void)code;
    ++*(int *)user;
    return 0;
}

static ssize_t read_body(nghttp2_session *session, int32_t id, uint8_t *p, size_t n, uint32_t *flags,
                         nghttp2_data_source *source, void *user)
{
    (void)session;
    (void)id;
    (void)p;
    (void)n;
    (void)flags;
    (void)source;
    (void)user;
    return NGHTTP2_ERR_DEFERRED;
}

#define NV(n, v)                                                                                             \
    {                                                                                                        \
        (uint8_t *)(uintptr_t)(n), (uint8_t *)(uintptr_t)(v), strlen(n), strlen(v), NGHTTP2_NV_FLAG_NONE     \
    }

static void drain(nghttp2_session *s)
{
    const uint8_t *p;
    while (nghttp2_session_mem_send(s, &p) > 0)
        continue;
}

/* The frames that both must take alike: whole ones, before the first that nghttp2 may refuse. It also refuses
 * a frame by its head alone, where we wait for all of it. */
static struct str comparable(struct str in)
{
    struct str rest = in, frame;
    unsigned continuations = 0;
    size_t n = 0;
    while ((frame = frame_next(&rest)).n) {
        continuations = frame.p[3] == H2_CONTINUATION ? continuations + 1 : 0;
        if (frame_is_excused(frame, continuations))
            break;
        if (!frame_leaves_block_open(frame))
            n = in.n - rest.n;
    }
    return str_first(in, n);
}

/* Has nghttp2 a fault to find? */
static bool finds_fault(struct str in)
{
    nghttp2_session_callbacks *callbacks;
    nghttp2_session *s;
    int invalid = 0;
    const nghttp2_settings_entry settings[] = { { NGHTTP2_SETTINGS_ENABLE_PUSH, 0 },
                                                { NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 131072 } };
    const char *methods[] = { "GET", "HEAD", "POST" };
    nghttp2_data_provider provider = { .read_callback = read_body };
    CHECK(nghttp2_session_callbacks_new(&callbacks) == 0);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid);
    CHECK(nghttp2_session_client_new(&s, callbacks, &invalid) == 0);
    CHECK(nghttp2_submit_settings(s, 0, settings, COUNT_OF(settings)) == 0);
    for (int i = 0; i < ASKED; i++) {
        const nghttp2_nv nv[] = { NV(":method", methods[i]), NV(":scheme", "https"),
                                  NV(":authority", "www.example.org"), NV(":path", "/page") };
        CHECK(nghttp2_submit_request(s, NULL, nv, COUNT_OF(nv), i == 2 ? &provider : NULL, NULL) > 0);
    }
    drain(s);
    ssize_t n = nghttp2_session_mem_recv(s, (const uint8_t *)in.p, in.n);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_session_del(s);
    return n < 0 || invalid > 0;
}

/* Is it one whole answer to the first question, and no more? Else the two may differ in what they forgive. */
static bool is_plain(const struct asker *a)
{
    return !a->failed && a->questions[0].whole && !memmem(a->log.p, a->log.n, "reset", 5) &&
           !memmem(a->log.p, a->log.n, "gone", 4) && a->questions[1].status == 0 &&
           a->questions[2].status == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct asker whole, cut;
    struct str given = { (const char *)data, size };
    struct dice d = dice_of(given);
    struct buf room = BUF_INIT;
    struct str in = with_start(given, &room);
    run(&whole, in, &d, 0);
    run(&cut, in, &d, 1 + dice_roll(&d, in.n + 1));
    CHECK(str_eq(buf_str(&whole.log), buf_str(&cut.log)));
    if (is_plain(&whole))
        CHECK(!finds_fault(comparable(in)));
    asker_fini(&whole);
    asker_fini(&cut);
    buf_fini(&room);
    return 0;
}
