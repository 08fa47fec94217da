#include "acme/session.h"

#include <errno.h>

#include "acme/backoff.h"
#include "acme/problem.h"
#include "base/check.h"
#include "io/system.h"

#define NONCES_MOST 6 /* tries of one request */

/* ---- trouble ---- */

void session_trouble_fini(struct session_trouble *t)
{
    buf_fini(&t->text);
    json_decref(t->problem);
    t->problem = NULL;
}

static void forget_trouble(struct session_trouble *t)
{
    buf_clear(&t->text);
    json_decref(t->problem);
    t->problem = NULL;
    t->retry_after_ms = -1;
    t->status = 0;
}

static json_t *json_of(const struct exchange_reply *r)
{
    return json_loadb(r->body.n ? r->body.p : "", r->body.n, 0, NULL);
}

static bool is_good(const struct exchange_reply *r)
{
    return r->status >= 200 && r->status < 300;
}

/* The CA has answered, and not as we hoped. */
static void take_refusal(const struct exchange_reply *r, int64_t now_ms, struct session_trouble *t)
{
    t->status = r->status;
    t->problem = json_of(r);
    t->retry_after_ms = backoff_retry_after(buf_str(&r->retry_after), now_ms);
    problem_say(t->problem, r->status, t->challenge ? t->challenge : "", &t->text);
}

/* ---- life ---- */

bool session_init(struct session *s, const struct store *store)
{
    *s = (struct session){ .store = store };
    return exchange_init(&s->exchange);
}

static void forget(struct session *s)
{
    jws_key_free(s->key);
    s->key = NULL;
    store_account_fini(&s->account);
    s->account_is_good = false;
    json_decref(s->directory);
    s->directory = NULL;
    buf_clear(&s->nonce);
}

void session_fini(struct session *s)
{
    forget(s);
    buf_fini(&s->nonce);
    exchange_reply_fini(&s->reply);
    exchange_fini(&s->exchange);
}

bool session_set_rules(struct session *s, const struct session_rules *rules)
{
    forget(s);
    s->rules = *rules;
    return exchange_set_ca(&s->exchange, rules->ca_file);
}

void session_rest(struct session *s)
{
    exchange_rest(&s->exchange);
}

void session_stop(struct session *s)
{
    exchange_stop(&s->exchange);
}

/* ---- asking ---- */

static bool ask(struct session *s, const char *method, struct str url, struct str body,
                struct session_trouble *t)
{
    forget_trouble(t);
    bool came = exchange_ask(&s->exchange, method, url, body, &s->reply, &t->text);
    if (came && s->reply.nonce.n) {
        buf_clear(&s->nonce);
        buf_add(&s->nonce, buf_str(&s->reply.nonce));
    }
    return came;
}

bool session_get(struct session *s, struct str url, int64_t now_ms, struct session_trouble *t)
{
    if (!ask(s, "GET", url, STR_NONE, t))
        return false;
    if (is_good(&s->reply))
        return true;
    take_refusal(&s->reply, now_ms, t);
    return false;
}

static bool find_nonce(struct session *s, int64_t now_ms, struct session_trouble *t)
{
    if (s->nonce.n)
        return true;
    if (!ask(s, "HEAD", session_url(s, "newNonce"), STR_NONE, t))
        return false;
    if (is_good(&s->reply) && s->nonce.n)
        return true;
    if (is_good(&s->reply))
        buf_add(&t->text, STR("the CA gives no nonce"));
    else
        take_refusal(&s->reply, now_ms, t);
    return false;
}

static bool post_once(struct session *s, struct str url, struct str payload, bool with_key, int64_t now_ms,
                      struct session_trouble *t)
{
    struct buf body = BUF_INIT;
    if (!find_nonce(s, now_ms, t))
        return false;
    const struct jws_head head = { .nonce = buf_str(&s->nonce),
                                   .url = url,
                                   .kid = with_key ? STR_NONE : buf_str(&s->account.url) };
    jws_sign(s->key, &head, payload, &body);
    buf_clear(&s->nonce); /* good for once */
    bool came = ask(s, "POST", url, buf_str(&body), t);
    buf_fini(&body);
    if (came && !is_good(&s->reply))
        take_refusal(&s->reply, now_ms, t);
    if (!with_key && problem_is(t->problem, "accountDoesNotExist")) { /* another one is made the next time */
        s->account_is_good = false;
        buf_clear(&s->account.url);
    }
    return came && is_good(&s->reply);
}

static bool post(struct session *s, struct str url, struct str payload, bool with_key, int64_t now_ms,
                 json_t **out, struct session_trouble *t)
{
    bool good = post_once(s, url, payload, with_key, now_ms, t);
    for (unsigned i = 1; !good && i < NONCES_MOST && problem_is(t->problem, "badNonce"); i++)
        good = post_once(s, url, payload, with_key, now_ms, t);
    if (out)
        *out = good ? json_of(&s->reply) : NULL;
    return good;
}

bool session_post(struct session *s, struct str url, struct str payload, int64_t now_ms, json_t **out,
                  struct session_trouble *t)
{
    return post(s, url, payload, false, now_ms, out, t);
}

/* ---- the directory ---- */

struct str session_url(const struct session *s, const char *name)
{
    return str_from(json_string_value(json_object_get(s->directory, name)));
}

static bool find_directory(struct session *s, int64_t now_ms, struct session_trouble *t)
{
    static const char *const needed[] = { "newNonce", "newAccount", "newOrder" };
    if (s->directory)
        return true;
    if (!session_get(s, s->rules.directory, now_ms, t))
        return false;
    s->directory = json_of(&s->reply);
    for (size_t i = 0; i < COUNT_OF(needed); i++)
        if (session_url(s, needed[i]).n == 0) {
            buf_printf(&t->text,
                       "what is at %.*s is no directory of ACME: it has no %s; look at acme_directory",
                       STR_ARG(s->rules.directory), needed[i]);
            json_decref(s->directory);
            s->directory = NULL;
            return false;
        }
    return true;
}

/* ---- the account ---- */

static bool find_key(struct session *s, struct session_trouble *t)
{
    if (s->key)
        return true;
    int status = store_read_account(s->store, s->rules.directory, &s->account);
    if (status == 0)
        s->key = jws_key_read(buf_str(&s->account.key));
    if (s->key)
        return true;
    if (status != -ENOENT) {
        buf_printf(&t->text,
                   "cannot read the account in %s: %s; remove account-*.json there to make a new one",
                   s->store->folder, status < 0 ? system_strerror(status) : "it has no key");
        return false;
    }
    /* On disk before the CA hears of it: an account whose key is lost cannot be asked for again. */
    s->key = jws_key_new();
    jws_key_write(s->key, &s->account.key);
    status = store_write_account(s->store, s->rules.directory, &s->account);
    if (status == 0)
        return true;
    buf_printf(&t->text, "cannot keep the account in %s: %s", s->store->folder, system_strerror(status));
    jws_key_free(s->key);
    s->key = NULL;
    return false;
}

static void add_contact(const struct session *s, struct buf *out)
{
    buf_add(out, STR("\"contact\":["));
    if (s->rules.email.n) {
        struct buf text = BUF_INIT;
        buf_printf(&text, "mailto:%.*s", STR_ARG(s->rules.email));
        buf_add_json(out, buf_str(&text));
        buf_fini(&text);
    }
    buf_add_char(out, ']');
}

static bool add_binding(const struct session *s, struct buf *out, struct session_trouble *t)
{
    const json_t *wanted = json_object_get(json_object_get(s->directory, "meta"), "externalAccountRequired");
    if (s->rules.eab_kid.n == 0 && json_is_true(wanted)) {
        buf_add(&t->text,
                STR("this CA wants to know whose account it is: set acme_eab_kid and acme_eab_key to what it "
                    "gave you"));
        return false;
    }
    if (s->rules.eab_kid.n == 0)
        return true;
    buf_add(out, STR(",\"externalAccountBinding\":"));
    if (jws_bind(s->key, s->rules.eab_kid, s->rules.eab_key, session_url(s, "newAccount"), out))
        return true;
    buf_add(&t->text, STR("acme_eab_key is no text in base64url; write it as the CA gave it to you"));
    return false;
}

static bool keep_account(struct session *s, struct session_trouble *t)
{
    buf_clear(&s->account.email);
    buf_add(&s->account.email, s->rules.email);
    int status = store_write_account(s->store, s->rules.directory, &s->account);
    if (status < 0)
        buf_printf(&t->text, "cannot keep the account in %s: %s", s->store->folder, system_strerror(status));
    s->account_is_good = status == 0;
    return status == 0;
}

/* With a key that the CA knows it returns that key's account (RFC 8555 §7.3.1). */
static bool make_account(struct session *s, int64_t now_ms, struct session_trouble *t)
{
    struct buf payload = BUF_INIT;
    forget_trouble(t);
    buf_add(&payload, STR("{\"termsOfServiceAgreed\":true,"));
    add_contact(s, &payload);
    bool good = add_binding(s, &payload, t);
    buf_add_char(&payload, '}');
    good = good && post(s, session_url(s, "newAccount"), buf_str(&payload), true, now_ms, NULL, t);
    buf_fini(&payload);
    if (good && s->reply.location.n == 0) {
        buf_add(&t->text, STR("the CA does not say where the account is"));
        good = false;
    }
    if (!good)
        return false;
    buf_clear(&s->account.url);
    buf_add(&s->account.url, buf_str(&s->reply.location));
    return keep_account(s, t);
}

static bool change_contact(struct session *s, int64_t now_ms, struct session_trouble *t)
{
    struct buf payload = BUF_INIT;
    buf_add_char(&payload, '{');
    add_contact(s, &payload);
    buf_add_char(&payload, '}');
    bool good = session_post(s, buf_str(&s->account.url), buf_str(&payload), now_ms, NULL, t);
    buf_fini(&payload);
    return good && keep_account(s, t);
}

static bool find_account(struct session *s, int64_t now_ms, struct session_trouble *t)
{
    if (s->account_is_good)
        return true;
    if (!find_key(s, t))
        return false;
    if (s->account.url.n == 0)
        return make_account(s, now_ms, t);
    if (str_eq(buf_str(&s->account.email), s->rules.email)) {
        s->account_is_good = true;
        return true;
    }
    return change_contact(s, now_ms, t) ||
           (problem_is(t->problem, "accountDoesNotExist") && make_account(s, now_ms, t));
}

bool session_open(struct session *s, int64_t now_ms, struct session_trouble *t)
{
    forget_trouble(t);
    return find_directory(s, now_ms, t) && find_account(s, now_ms, t);
}
