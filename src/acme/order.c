#include "acme/order.h"

#include <openssl/evp.h>

#include "acme/backoff.h"
#include "acme/base64url.h"
#include "acme/csr.h"
#include "acme/problem.h"
#include "base/check.h"
#include "base/mem.h"

#define POLL_FIRST_MS INT64_C(250)
#define POLL_MOST_MS  INT64_C(10000)
#define NAMES_MOST    100 /* authorizations of one order */
#define TOKEN_MOST    256
#define NAME_MOST     253 /* of what is repeated in a sentence, and */
#define STATUS_MOST   32

enum order_state {
    STATE_OPEN,      /* directory, account, order */
    STATE_AUTHORIZE, /* the next authorization is looked at */
    STATE_VALIDATE,  /* its challenge is being looked at */
    STATE_FINALIZE,  /* all names are ours: the request is sent */
    STATE_ISSUE,     /* the CA makes the certificate */
    STATE_FETCH,
    STATE_DONE,
    STATE_FAILED,
};

struct order {
    struct order_rules rules;
    enum order_state state;
    int64_t until_ms;
    int64_t poll_ms; /* the next wait, when the CA asks for none */
    size_t at;       /* of the authorizations */
    json_t *body;    /* the order as the CA sees it */
    struct buf chain;
    struct session_trouble trouble;
    /* The proof that is shown. */
    bool shows;
    struct order_proof proof;
    struct buf name, token, authorization;
    bool has_lost_account; /* the CA did not know it, and another one is made */
    bool without_replaces; /* the CA did not take it */
};

const char *order_way_name(enum order_way w)
{
    static const char *const names[] = { "http-01", "tls-alpn-01", "dns-01" };
    return names[w];
}

/* ---- helpers ---- */

static struct str text_of(const json_t *o, const char *name)
{
    return str_from(json_string_value(json_object_get(o, name)));
}

static bool is_status(const json_t *o, const char *status)
{
    return str_eq(text_of(o, "status"), str_from(status));
}

/* One place in which the machine moves. */
static void go(struct order *o, enum order_state to)
{
    o->state = to;
    o->poll_ms = POLL_FIRST_MS;
}

static bool fail(struct order *o, const char *text)
{
    buf_clear(&o->trouble.text);
    buf_add(&o->trouble.text, str_from(text));
    go(o, STATE_FAILED);
    return false;
}

static bool keep(struct order *o)
{
    struct buf why = BUF_INIT;
    bool good = o->rules.host->keep(o->rules.host, o->rules.record, &why);
    if (!good) {
        buf_clear(&o->trouble.text);
        buf_add(&o->trouble.text, buf_str(&why));
        go(o, STATE_FAILED);
    }
    buf_fini(&why);
    return good;
}

/* It comes to nothing: the next try begins anew. */
static void drop(struct order *o)
{
    struct buf why = BUF_INIT;
    buf_clear(&o->rules.record->order);
    (void)o->rules.host->keep(o->rules.host, o->rules.record, &why);
    buf_fini(&why);
}

static bool post(struct order *o, struct str url, struct str payload, int64_t now_ms, json_t **out)
{
    if (session_post(o->rules.session, url, payload, now_ms, out, &o->trouble))
        return true;
    go(o, STATE_FAILED);
    return false;
}

/* The CA has taken the message, and says no. */
static bool is_refused(const struct order *o)
{
    return o->trouble.status >= 400 && o->trouble.status < 500 && o->trouble.status != 429;
}

/* A CA refuses what it was told before, by the process before us or by ourselves when the answer was lost. So
 * after a refusal: has what is at the URL gone on from the status that it had? */
static bool has_gone_on(struct order *o, struct str url, const char *from, int64_t now_ms)
{
    struct session_trouble second = { .retry_after_ms = -1 };
    json_t *body = NULL;
    bool has = is_refused(o) && session_post(o->rules.session, url, STR_NONE, now_ms, &body, &second) &&
               text_of(body, "status").n > 0 && !is_status(body, from);
    json_decref(body);
    session_trouble_fini(&second);
    return has;
}

/* What the CA asked for with its last answer, else a little longer each time. */
static int64_t next_poll_ms(struct order *o, int64_t now_ms)
{
    int64_t asked = backoff_retry_after(buf_str(&o->rules.session->reply.retry_after), now_ms);
    int64_t ms = asked >= 0 ? asked : o->poll_ms;
    o->poll_ms = o->poll_ms * 2 > POLL_MOST_MS ? POLL_MOST_MS : o->poll_ms * 2;
    return ms < POLL_FIRST_MS ? POLL_FIRST_MS : ms;
}

static void take_body(struct order *o, json_t *body)
{
    json_decref(o->body);
    o->body = body;
}

/* ---- proofs ---- */

static void forget_shown(struct store_record *r)
{
    buf_clear(&r->shown_name);
    buf_clear(&r->shown_token);
    buf_clear(&r->shown_authorization);
}

/* What cannot be written now is said by the next `keep`; at worst an answer is shown that nobody asks for. */
static void hide(struct order *o)
{
    struct buf why = BUF_INIT;
    if (o->shows) {
        o->rules.host->hide(o->rules.host, &o->proof);
        forget_shown(o->rules.record);
        (void)o->rules.host->keep(o->rules.host, o->rules.record, &why);
    }
    buf_fini(&why);
    o->shows = false;
}

/* The record has copies, the proof points into ours: the record may change while it is shown. */
static void take_proof(struct order *o, struct str name, struct str token, struct str authorization)
{
    struct buf *const to[] = { &o->name, &o->token, &o->authorization };
    const struct str from[] = { name, token, authorization };
    for (size_t i = 0; i < COUNT_OF(to); i++) {
        buf_clear(to[i]);
        buf_add(to[i], from[i]);
    }
    o->proof = (struct order_proof){ .way = o->rules.way,
                                     .name = buf_str(&o->name),
                                     .token = buf_str(&o->token),
                                     .authorization = buf_str(&o->authorization) };
}

static void note_shown(const struct order *o, struct store_record *r)
{
    forget_shown(r);
    buf_add(&r->shown_name, o->proof.name);
    buf_add(&r->shown_token, o->proof.token);
    buf_add(&r->shown_authorization, o->proof.authorization);
}

bool order_shown(const struct store_record *r, enum order_way way, struct order_proof *out)
{
    *out = (struct order_proof){ .way = way,
                                 .name = buf_str(&r->shown_name),
                                 .token = buf_str(&r->shown_token),
                                 .authorization = buf_str(&r->shown_authorization) };
    return r->order.n && out->name.n && out->token.n && out->authorization.n;
}

static bool is_token_of_acme(struct str s)
{
    bool good = s.n > 0 && s.n <= TOKEN_MOST;
    for (size_t i = 0; good && i < s.n; i++)
        good = is_alpha(s.p[i]) || is_digit(s.p[i]) || s.p[i] == '-' || s.p[i] == '_';
    return good;
}

static bool show(struct order *o, struct str name, struct str token)
{
    struct buf why = BUF_INIT, authorization = BUF_INIT;
    if (!is_token_of_acme(token))
        return fail(o, "the CA's challenge has a token that is none");
    buf_printf(&authorization, "%.*s.", STR_ARG(token));
    jws_add_thumbprint(o->rules.session->key, &authorization);
    bool is_there = o->shows && str_eq(o->proof.name, name) && str_eq(o->proof.token, token) &&
                    str_eq(o->proof.authorization, buf_str(&authorization));
    if (!is_there) {
        hide(o);
        take_proof(o, name, token, buf_str(&authorization));
        o->shows = o->rules.host->show(o->rules.host, &o->proof, &why);
    }
    buf_fini(&authorization);
    if (!o->shows) {
        buf_add_char(&why, '\0');
        fail(o, why.p);
    }
    buf_fini(&why);
    if (!o->shows || is_there)
        return o->shows;
    note_shown(o, o->rules.record);
    return keep(o);
}

/* ---- the order ---- */

static void add_names(const struct order *o, struct buf *out)
{
    for (size_t i = 0; i < o->rules.names.n; i++) {
        buf_add(out, i ? STR(",{\"type\":\"dns\",\"value\":") : STR("{\"type\":\"dns\",\"value\":"));
        buf_add_json(out, o->rules.names.v[i]);
        buf_add_char(out, '}');
    }
}

static bool ask_for(struct order *o, int64_t now_ms)
{
    struct session *s = o->rules.session;
    struct buf payload = BUF_INIT;
    json_t *body;
    bool replaces = o->rules.replaces.n && !o->without_replaces && session_url(s, "renewalInfo").n;
    buf_add(&payload, STR("{\"identifiers\":["));
    add_names(o, &payload);
    buf_add_char(&payload, ']');
    if (replaces) {
        buf_add(&payload, STR(",\"replaces\":"));
        buf_add_json(&payload, o->rules.replaces);
    }
    buf_add_char(&payload, '}');
    bool good = session_post(s, session_url(s, "newOrder"), buf_str(&payload), now_ms, &body, &o->trouble);
    buf_fini(&payload);
    if (!good && replaces && (o->trouble.status == 409 || problem_is(o->trouble.problem, "malformed"))) {
        o->without_replaces = true; /* RFC 9773 §5: it was replaced already, or is of another account */
        return true;
    }
    if (!good && !o->has_lost_account && problem_is(o->trouble.problem, "accountDoesNotExist")) {
        o->has_lost_account = true;
        return true;
    }
    if (!good) {
        go(o, STATE_FAILED);
        return false;
    }
    take_body(o, body);
    if (s->reply.location.n == 0)
        return fail(o, "the CA does not say where the order is");
    buf_clear(&o->rules.record->order);
    buf_add(&o->rules.record->order, buf_str(&s->reply.location));
    return keep(o);
}

/* false: the CA does not know it any more, or does not tell. */
static bool look(struct order *o, int64_t now_ms)
{
    json_t *body;
    if (!session_post(o->rules.session, buf_str(&o->rules.record->order), STR_NONE, now_ms, &body,
                      &o->trouble)) {
        if (is_refused(o))
            drop(o);
        go(o, STATE_FAILED);
        return false;
    }
    take_body(o, body);
    return true;
}

static bool need_key(struct order *o)
{
    if (o->rules.record->key.n)
        return true;
    csr_make_key(&o->rules.record->key);
    return keep(o);
}

/* Where to go on from what the CA says of the order (RFC 8555 §7.1.6). */
static void follow(struct order *o)
{
    if (is_status(o->body, "pending"))
        go(o, STATE_AUTHORIZE);
    else if (is_status(o->body, "ready"))
        go(o, STATE_FINALIZE);
    else if (is_status(o->body, "processing"))
        go(o, STATE_ISSUE);
    else if (is_status(o->body, "valid"))
        go(o, STATE_FETCH);
    else {
        const json_t *error = json_object_get(o->body, "error");
        buf_clear(&o->trouble.text);
        if (error)
            problem_say(error, 0, order_way_name(o->rules.way), &o->trouble.text);
        else
            buf_add(&o->trouble.text, STR("the CA has given up the order"));
        drop(o);
        go(o, STATE_FAILED);
    }
}

static void step_open(struct order *o, int64_t now_ms)
{
    if (!session_open(o->rules.session, now_ms, &o->trouble)) {
        go(o, STATE_FAILED);
        return;
    }
    if (!need_key(o) || !(o->rules.record->order.n ? look : ask_for)(o, now_ms))
        return;
    if (o->rules.record->order.n) /* else it is asked for once more */
        follow(o);
}

/* ---- authorizations ---- */

static const json_t *challenge_of(const struct order *o, const json_t *authorization)
{
    const json_t *all = json_object_get(authorization, "challenges");
    for (size_t i = 0; i < json_array_size(all); i++)
        if (str_eq(text_of(json_array_get(all, i), "type"), str_from(order_way_name(o->rules.way))))
            return json_array_get(all, i);
    return NULL;
}

/* For people: cut, since the CA may write anything. */
static struct str name_of(const json_t *authorization)
{
    return str_utf8_first(text_of(json_object_get(authorization, "identifier"), "value"), NAME_MOST);
}

/* Is it one that we have asked for? An authorization has it without "*." (RFC 8555 §7.1.4). */
static bool is_ours(const struct order *o, struct str name)
{
    bool found = false;
    for (size_t i = 0; i < o->rules.names.n && !found; i++) {
        struct str own = o->rules.names.v[i];
        found = str_eq_nocase(str_starts(own, STR("*.")) ? str_from_index(own, 2) : own, name);
    }
    return found;
}

static void fail_invalid(struct order *o, const json_t *authorization)
{
    const json_t *challenge = challenge_of(o, authorization);
    const json_t *error = json_object_get(challenge, "error");
    struct str name = name_of(authorization);
    buf_clear(&o->trouble.text);
    if (o->rules.names.n > 1)
        buf_printf(&o->trouble.text, "%.*s: ", STR_ARG(name));
    if (error)
        problem_say(error, 0, order_way_name(o->rules.way), &o->trouble.text);
    else
        buf_printf(&o->trouble.text, "the CA does not believe that it is ours (it says: %.*s)",
                   STR_ARG(str_utf8_first(text_of(authorization, "status"), STATUS_MOST)));
    drop(o);
    go(o, STATE_FAILED);
}

static struct str url_at(const struct order *o)
{
    return str_from(json_string_value(json_array_get(json_object_get(o->body, "authorizations"), o->at)));
}

static bool let_look(struct order *o, struct str url, int64_t now_ms)
{
    if (session_post(o->rules.session, url, STR("{}"), now_ms, NULL, &o->trouble) ||
        has_gone_on(o, url_at(o), "pending", now_ms))
        return true;
    go(o, STATE_FAILED);
    return false;
}

static void begin_challenge(struct order *o, const json_t *authorization, int64_t now_ms)
{
    const json_t *challenge = challenge_of(o, authorization);
    struct str name = name_of(authorization);
    if (!is_ours(o, name)) {
        buf_clear(&o->trouble.text);
        buf_printf(&o->trouble.text, "the CA wants a proof for \"%.*s\", which nobody has asked for",
                   STR_ARG(name));
        drop(o);
        go(o, STATE_FAILED);
        return;
    }
    if (!challenge) {
        buf_clear(&o->trouble.text);
        buf_printf(&o->trouble.text,
                   "%.*s: this CA does not offer %s for it; set acme_challenge to another one", STR_ARG(name),
                   order_way_name(o->rules.way));
        go(o, STATE_FAILED);
        return;
    }
    /* "processing": the one before us has said that the CA may look. */
    if (show(o, name, text_of(challenge, "token")) &&
        (is_status(challenge, "processing") || let_look(o, text_of(challenge, "url"), now_ms)))
        go(o, STATE_VALIDATE);
}

static void step_authorize(struct order *o, int64_t now_ms)
{
    json_t *authorization;
    size_t n = json_array_size(json_object_get(o->body, "authorizations"));
    if (n > NAMES_MOST) {
        fail(o, "the CA's order has too many authorizations");
        return;
    }
    if (o->at >= n) {
        /* The order is ready, or soon will be. */
        if (!look(o, now_ms))
            return;
        if (is_status(o->body, "pending"))
            go(o, STATE_ISSUE);
        else
            follow(o);
        return;
    }
    if (!post(o, url_at(o), STR_NONE, now_ms, &authorization))
        return;
    if (is_status(authorization, "valid"))
        o->at++;
    else if (is_status(authorization, "pending"))
        begin_challenge(o, authorization, now_ms);
    else
        fail_invalid(o, authorization);
    json_decref(authorization);
}

static void step_validate(struct order *o, int64_t now_ms, int64_t *wait_ms)
{
    json_t *authorization;
    if (!post(o, url_at(o), STR_NONE, now_ms, &authorization))
        return;
    if (is_status(authorization, "valid")) {
        hide(o);
        o->at++;
        go(o, STATE_AUTHORIZE);
    } else if (is_status(authorization, "pending")) {
        *wait_ms = next_poll_ms(o, now_ms);
    } else {
        fail_invalid(o, authorization);
    }
    json_decref(authorization);
}

/* ---- the certificate ---- */

static void step_finalize(struct order *o, int64_t now_ms)
{
    struct buf der = BUF_INIT, payload = BUF_INIT;
    json_t *body;
    if (!csr_make(buf_str(&o->rules.record->key), &o->rules.names, &der)) {
        buf_clear(&o->rules.record->key);
        drop(o);
        fail(o, "the key that was kept for this order is damaged; another one is made");
        return;
    }
    buf_add(&payload, STR("{\"csr\":\""));
    base64url_add(&payload, der.p, der.n);
    buf_add(&payload, STR("\"}"));
    if (session_post(o->rules.session, text_of(o->body, "finalize"), buf_str(&payload), now_ms, &body,
                     &o->trouble)) {
        take_body(o, body);
        follow(o);
    } else if (has_gone_on(o, buf_str(&o->rules.record->order), "ready", now_ms)) {
        go(o, STATE_ISSUE);
    } else {
        if (is_refused(o))
            drop(o);
        go(o, STATE_FAILED);
    }
    buf_fini(&der);
    buf_fini(&payload);
}

static void step_issue(struct order *o, int64_t now_ms, int64_t *wait_ms)
{
    enum order_state before = o->state;
    int64_t poll_ms = o->poll_ms;
    if (!look(o, now_ms))
        return;
    if (!is_status(o->body, "processing") && !is_status(o->body, "pending")) {
        follow(o);
        return;
    }
    go(o, before);
    o->poll_ms = poll_ms;
    *wait_ms = next_poll_ms(o, now_ms);
}

static void step_fetch(struct order *o, int64_t now_ms)
{
    if (!post(o, text_of(o->body, "certificate"), STR_NONE, now_ms, NULL))
        return;
    buf_clear(&o->chain);
    buf_add(&o->chain, buf_str(&o->rules.session->reply.body));
    go(o, STATE_DONE);
}

/* ---- the machine ---- */

struct order *order_new(const struct order_rules *rules, int64_t now_ms)
{
    struct order *o = mem_alloc(sizeof(*o));
    o->rules = *rules;
    o->until_ms = now_ms + rules->most_ms;
    o->trouble = (struct session_trouble){ .retry_after_ms = -1, .challenge = order_way_name(rules->way) };
    struct order_proof shown;
    o->shows = order_shown(rules->record, rules->way, &shown);
    if (o->shows)
        take_proof(o, shown.name, shown.token, shown.authorization);
    go(o, STATE_OPEN);
    return o;
}

void order_leave(struct order *o)
{
    if (o)
        o->shows = false;
    order_free(o);
}

void order_free(struct order *o)
{
    if (!o)
        return;
    hide(o);
    json_decref(o->body);
    buf_fini(&o->chain);
    buf_fini(&o->name);
    buf_fini(&o->token);
    buf_fini(&o->authorization);
    session_trouble_fini(&o->trouble);
    mem_free(o);
}

static void step(struct order *o, int64_t now_ms, int64_t *wait_ms)
{
    switch (o->state) {
    case STATE_OPEN: step_open(o, now_ms); break;
    case STATE_AUTHORIZE: step_authorize(o, now_ms); break;
    case STATE_VALIDATE: step_validate(o, now_ms, wait_ms); break;
    case STATE_FINALIZE: step_finalize(o, now_ms); break;
    case STATE_ISSUE: step_issue(o, now_ms, wait_ms); break;
    case STATE_FETCH: step_fetch(o, now_ms); break;
    case STATE_DONE:
    case STATE_FAILED: break;
    }
}

enum order_step order_step(struct order *o, int64_t now_ms, int64_t *wait_ms)
{
    *wait_ms = 0;
    if (now_ms > o->until_ms && o->state < STATE_DONE)
        fail(o, "the CA has taken too long");
    step(o, now_ms, wait_ms);
    if (o->state ==
        STATE_DONE) /* what has failed may have done so since the process is replaced: order_leave */
        hide(o);
    return o->state == STATE_DONE ? ORDER_DONE : o->state == STATE_FAILED ? ORDER_FAILED : ORDER_WAIT;
}

struct str order_chain(const struct order *o)
{
    return buf_str(&o->chain);
}

struct session_trouble *order_trouble(struct order *o)
{
    return &o->trouble;
}
