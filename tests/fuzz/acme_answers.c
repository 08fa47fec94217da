/* What a CA answers, whatever it is, to an order, a question for advice and a revocation (acme/): the machine
 * comes to an end, asks no more often than it gets answers, shows proofs for names of ours alone and none at
 * the end, and what it says of its trouble fits into a line. The bytes are answers, one behind the other:
 * status, location, nonce, retry-after, body, each ended by 0x1f, an answer by 0x1e. */
#include <string.h>

#include "acme/ari.h"
#include "acme/backoff.h"
#include "acme/order.h"
#include "acme/revoke.h"
#include "base/check.h"

#define FIELD 0x1f
#define REPLY 0x1e

#define STEPS_MOST 4000
#define TEXT_MOST  ((size_t)8192)

/* A key that is no secret. */
static const char key_pem[] = "-----BEGIN PRIVATE KEY-----\n"
                              "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgIg10G0CMCA4E9syg\n"
                              "v9v0GIGj1cQXRvr1ZL+a+EopmzehRANCAARH+Ta4AwSyzLgkaqiJZpZUMtdVqBpj\n"
                              "aHvxPoHhwlAR2FxvIiRrJCSTZpX//gbaS7ZFjpDk44E+peXK+hfRvhBO\n"
                              "-----END PRIVATE KEY-----\n";

static struct str names_list[] = { STR_INIT("*.shop.example"), STR_INIT("shop.example") };
static const struct strs names = { names_list, 2 };

/* ---- in place of acme/exchange.c: answers come from the input ---- */

static struct str input;
static size_t asked, answered, shown;

bool exchange_init(struct exchange *e)
{
    *e = (struct exchange){ .multi = NULL };
    return true;
}

bool exchange_set_ca(struct exchange *e, const char *file)
{
    (void)e;
    (void)file;
    return true;
}

void exchange_fini(struct exchange *e)
{
    (void)e;
}

void exchange_rest(struct exchange *e)
{
    (void)e;
}

void exchange_stop(struct exchange *e)
{
    (void)e;
}

void exchange_reply_fini(struct exchange_reply *r)
{
    buf_fini(&r->body);
    buf_fini(&r->nonce);
    buf_fini(&r->location);
    buf_fini(&r->retry_after);
}

static void take(struct str *from, struct buf *to, size_t most)
{
    buf_clear(to);
    if (from->p)
        buf_add(to, str_first(str_cut(from, FIELD), most));
}

bool exchange_ask(struct exchange *e, const char *method, struct str url, struct str body,
                  struct exchange_reply *r, struct buf *why)
{
    (void)e;
    (void)url;
    CHECK(strcmp(method, "POST") != 0 || body.n > 0);
    asked++;
    if (!input.p || input.n == 0) {
        buf_add(why, STR("no answer"));
        return false;
    }
    answered++;
    struct buf status = BUF_INIT;
    struct str one = str_cut(&input, REPLY);
    uint64_t n = 200;
    take(&one, &status, 3);
    (void)str_to_u64(buf_str(&status), 999, &n);
    buf_fini(&status);
    r->status = (int)n;
    take(&one, &r->location, 1024);
    take(&one, &r->nonce, 1024);
    take(&one, &r->retry_after, 1024);
    buf_clear(&r->body);
    if (one.p)
        buf_add(&r->body, one);
    return true;
}

/* ---- in place of acme/store.c ---- */

int store_read_account(const struct store *s, struct str directory, struct store_account *out)
{
    (void)s;
    (void)directory;
    buf_clear(&out->key);
    buf_add(&out->key, STR(key_pem));
    return 0;
}

int store_write_account(const struct store *s, struct str directory, const struct store_account *a)
{
    (void)s;
    (void)directory;
    CHECK(a->key.n > 0);
    return 0;
}

void store_account_fini(struct store_account *a)
{
    buf_fini(&a->key);
    buf_fini(&a->url);
    buf_fini(&a->email);
}

/* ---- the order's host ---- */

static bool show(struct order_host *h, const struct order_proof *p, struct buf *why)
{
    (void)h;
    (void)why;
    CHECK(str_eq(p->name, STR("shop.example")));
    CHECK(p->token.n > 0 && p->token.n <= 256 && p->authorization.n > p->token.n);
    shown++;
    return true;
}

static void hide(struct order_host *h, const struct order_proof *p)
{
    (void)h;
    CHECK(str_eq(p->name, STR("shop.example")) && shown > 0);
    shown--;
}

static bool keep(struct order_host *h, struct store_record *r, struct buf *why)
{
    (void)h;
    (void)why;
    CHECK(r->order.n <= 1024);
    return true;
}

static void check_trouble(const struct session_trouble *t)
{
    CHECK(t->text.n > 0 && t->text.n <= TEXT_MOST);
    CHECK(t->retry_after_ms >= -1 && t->retry_after_ms <= BACKOFF_MOST_MS);
}

/* Until it ends. A process that is replaced leaves it to the next one after `leaves` steps. */
static bool run(struct session *s, struct store_record *record, enum order_way way, size_t leaves,
                int64_t *now)
{
    struct order_host host = { .show = show, .hide = hide, .keep = keep };
    const struct order_rules rules = { .session = s,
                                       .host = &host,
                                       .record = record,
                                       .names = names,
                                       .way = way,
                                       .replaces = STR("a.b"),
                                       .most_ms = 900000 };
    enum order_step result = ORDER_WAIT;
    struct order *o = order_new(&rules, *now);
    size_t steps = 0;
    for (; result == ORDER_WAIT && steps < leaves; steps++) {
        int64_t wait_ms;
        size_t before = asked;
        CHECK(steps < STEPS_MOST + answered);
        result = order_step(o, *now, &wait_ms);
        CHECK(asked > before || result != ORDER_WAIT || wait_ms >= 0);
        CHECK(wait_ms >= 0 && wait_ms <= BACKOFF_MOST_MS);
        CHECK(shown <= 1);
        *now += wait_ms;
    }
    if (result == ORDER_FAILED)
        check_trouble(order_trouble(o));
    if (result == ORDER_DONE)
        CHECK(order_chain(o).n == s->reply.body.n);
    if (result == ORDER_WAIT)
        order_leave(o);
    else
        order_free(o);
    return result == ORDER_WAIT;
}

/* ---- the rest ---- */

static void ask_advice(struct session *s, int64_t now)
{
    struct session_trouble t = { .retry_after_ms = -1 };
    struct ari_window w;
    if (session_open(s, now, &t) && session_get(s, STR("https://ca/renewalInfo/a.b"), now, &t)) {
        int64_t ms = backoff_retry_after(buf_str(&s->reply.retry_after), now);
        CHECK(ms >= -1 && ms <= BACKOFF_MOST_MS && ari_holds_ms(ms) >= 60000);
        if (ari_read_window(buf_str(&s->reply.body), &w)) {
            int64_t at = ari_in_window(&w, UINT32_MAX);
            CHECK(w.start_ms < w.end_ms && at >= w.start_ms && at <= w.end_ms);
        }
    } else {
        check_trouble(&t);
    }
    session_trouble_fini(&t);
}

static void revoke(struct session *s, int64_t now)
{
    struct session_trouble t = { .retry_after_ms = -1 };
    if (revoke_ask(s, STR("MAAA"), REVOKE_SUPERSEDED, now, &t) != REVOKE_DONE)
        check_trouble(&t);
    session_trouble_fini(&t);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t n);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t n)
{
    struct store store = { "" };
    struct session s;
    struct store_record record = { 0 };
    int64_t now = INT64_C(1790000000000);
    const struct session_rules rules = { .directory = STR("https://ca/dir"),
                                         .email = STR("me@shop.example") };
    if (n < 2)
        return 0;
    input = (struct str){ (const char *)data + 2, n - 2 };
    asked = answered = shown = 0;
    CHECK(session_init(&s, &store) && session_set_rules(&s, &rules));
    buf_add(&record.key, STR(key_pem));
    enum order_way way = (enum order_way)(data[0] % 3);
    bool left = run(&s, &record, way, data[1] ? data[1] : SIZE_MAX, &now);
    if (left)
        (void)run(&s, &record, way, SIZE_MAX, &now);
    CHECK(shown == 0);
    ask_advice(&s, now);
    revoke(&s, now);
    struct buf *const all[] = { &record.order,      &record.key,         &record.error,
                                &record.shown_name, &record.shown_token, &record.shown_authorization };
    for (size_t i = 0; i < COUNT_OF(all); i++)
        buf_fini(all[i]);
    session_fini(&s);
    return 0;
}
