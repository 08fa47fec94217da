#include "admin/webhook.h"

#include "admin/admin.h"
#include "admin/body.h"
#include "admin/purge.h"
#include "admin/webhook_payload.h"
#include "admin/webhook_proof.h"

void webhook_init(struct webhooks *h)
{
    lock_init(&h->lock);
}

void webhook_fini(struct webhooks *h)
{
    lock_fini(&h->lock);
}

/* ---- deliveries that came before ---- */

static size_t find_seen(const struct webhooks *h, struct hash128 delivery)
{
    size_t n = h->seen_n < WEBHOOK_SEEN ? h->seen_n : WEBHOOK_SEEN, i = 0;
    while (i < n && !hash128_eq(h->seen[i], delivery))
        i++;
    return i < n ? i : WEBHOOK_SEEN;
}

bool webhook_take(struct webhooks *h, struct hash128 delivery)
{
    lock_take(&h->lock);
    bool is_new = find_seen(h, delivery) == WEBHOOK_SEEN;
    if (is_new)
        h->seen[h->seen_n++ % WEBHOOK_SEEN] = delivery;
    lock_give(&h->lock);
    return is_new;
}

void webhook_forget(struct webhooks *h, struct hash128 delivery)
{
    lock_take(&h->lock);
    size_t at = find_seen(h, delivery);
    if (at < WEBHOOK_SEEN)
        h->seen[at] = (struct hash128){ 0, 0 };
    lock_give(&h->lock);
}

/* ---- the latest ---- */

static void copy_cut(char *to, size_t room, struct str s)
{
    *str_put(to, str_utf8_first(s, room - 1)) = '\0';
}

/* Did strangers get the same answer? */
static bool is_same_answer(const struct webhook_line *a, const struct webhook_line *b)
{
    return !a->proven && !b->proven && a->status == b->status && strcmp(a->site, b->site) == 0 &&
           strcmp(a->path, b->path) == 0 && strcmp(a->verdict, b->verdict) == 0;
}

static struct webhook_line *older(struct webhook_line *a, struct webhook_line *b)
{
    return !a || b->wall_ms < a->wall_ms ? b : a;
}

/* Strangers do not fill the list: equal answers to them share a line, and all of them have so many. */
static struct webhook_line *choose_line(struct webhooks *h, const struct webhook_line *line)
{
    struct webhook_line *oldest = NULL, *oldest_stranger = NULL;
    size_t strangers = 0;
    for (size_t i = 0; i < h->latest_n; i++) {
        struct webhook_line *l = &h->latest[i];
        if (is_same_answer(l, line))
            return l;
        oldest = older(oldest, l);
        if (!l->proven)
            oldest_stranger = older(oldest_stranger, l);
        strangers += !l->proven;
    }
    if (!line->proven && strangers >= WEBHOOK_STRANGERS)
        return oldest_stranger;
    return h->latest_n < WEBHOOK_LATEST ? &h->latest[h->latest_n] : oldest;
}

static void note(struct webhooks *h, const struct webhook_line *line)
{
    lock_take(&h->lock);
    struct webhook_line *to = choose_line(h, line);
    bool is_new = h->latest_n < WEBHOOK_LATEST && to == &h->latest[h->latest_n];
    uint64_t times = !is_new && is_same_answer(to, line) ? to->times + 1 : 1;
    h->latest_n += is_new;
    *to = *line;
    to->times = times;
    h->deliveries++;
    h->refused += line->status >= 400;
    lock_give(&h->lock);
}

static void write_line(const struct webhook_line *l, struct answer_writer *w)
{
    answer_open(w, NULL, '{');
    answer_time(w, "time", l->wall_ms);
    answer_str(w, "site", str_from(l->site));
    answer_str(w, "path", str_from(l->path));
    answer_str(w, "sender", str_from(l->sender));
    answer_int(w, "status", l->status);
    answer_int(w, "times", (int64_t)l->times);
    answer_str(w, "verdict", str_from(l->verdict));
    answer_close(w, '}');
}

static int compare_lines(const void *a, const void *b)
{
    const struct webhook_line *x = *(const struct webhook_line *const *)a,
                              *y = *(const struct webhook_line *const *)b;
    return x->wall_ms == y->wall_ms ? (x < y) - (x > y) : x->wall_ms < y->wall_ms ? 1 : -1;
}

void webhook_write(struct webhooks *h, const struct token_rights *rights, struct answer_writer *w)
{
    const struct webhook_line *sorted[WEBHOOK_LATEST];
    lock_take(&h->lock);
    for (size_t i = 0; i < h->latest_n; i++)
        sorted[i] = &h->latest[i];
    qsort(sorted, h->latest_n, sizeof(*sorted), compare_lines);
    answer_open(w, "webhooks", '{');
    answer_int(w, "deliveries", (int64_t)h->deliveries);
    answer_int(w, "refused", (int64_t)h->refused);
    answer_open(w, "latest", '[');
    for (size_t i = 0; i < h->latest_n; i++)
        if (rights->every_site || token_may_site(rights, str_from(sorted[i]->site)))
            write_line(sorted[i], w);
    answer_close(w, ']');
    answer_close(w, '}');
    lock_give(&h->lock);
}

/* ---- one delivery ---- */

struct delivery {
    struct admin *a;
    struct request *r;
    const struct webhook *w;
    struct str body;
    struct now now;
    struct json_t *payload; /* NULL before it was parsed */
    struct hash128 id;
    bool has_id;
    bool proven; /* it is the sender's */
};

/* Every answer passes here: it is noted with its verdict. */
static void finish(struct delivery *d, int status, struct str verdict)
{
    struct webhook_line line = { .wall_ms = d->now.wall_ms, .status = status, .proven = d->proven };
    copy_cut(line.site, sizeof(line.site), d->r->site->name);
    copy_cut(line.path, sizeof(line.path), d->w->path);
    copy_cut(line.sender, sizeof(line.sender), webhook_sender_name(d->w->sender));
    copy_cut(line.verdict, sizeof(line.verdict), verdict);
    note(&d->a->webhooks, &line);
    webhook_payload_free(d->payload);
}

static void refuse(struct delivery *d, int status, struct str why)
{
    answer_error(d->r, status, "%.*s", STR_ARG(why));
    finish(d, status, why);
}

/* What was left out stands behind what was purged, in the list and in the log. */
static struct str verdict_of(const struct delivery *d, struct str said, const struct webhook_filled *filled)
{
    if (!filled || filled->missed.n == 0)
        return said;
    struct str left_out =
        arena_printf(&d->r->arena, "%zu left out: %.*s", filled->missed_n, STR_ARG(filled->missed.v[0]));
    log_warning(d->r->w->log, "webhook", "%.*s of %.*s: %.*s", STR_ARG(d->w->path), STR_ARG(d->r->site->name),
                STR_ARG(left_out));
    return ARENA_JOIN(&d->r->arena, said, STR("; "), left_out);
}

static void answer_done(struct delivery *d, struct str said, const struct purge_made *made,
                        const struct webhook_filled *filled)
{
    struct answer_writer w = { .depth = 0 };
    answer_open(&w, NULL, '{');
    answer_str(&w, "purged", said);
    if (made)
        answer_int(&w, "sequence", (int64_t)made->sequence);
    answer_open(&w, "missing", '[');
    for (size_t i = 0; filled && i < filled->missed.n; i++)
        answer_str(&w, NULL, filled->missed.v[i]);
    answer_close(&w, ']');
    answer_close(&w, '}');
    answer_json(d->r, 200, answer_finish(&w, &d->r->arena));
    finish(d, 200, verdict_of(d, said, filled));
}

static struct str field_of(const struct delivery *d, struct str name)
{
    return fields_joined_by_name(&d->r->fields, name, &d->r->arena);
}

/* WooCommerce asks unsigned whether anybody is there, before it sends anything else. */
#define PING       "webhook_id="
#define PING_BYTES (sizeof(PING) - 1 + 10) /* at most: a number of 32 bits follows */

static bool is_unsigned_ping(const struct delivery *d)
{
    uint64_t id;
    return d->w->sender == SENDER_woocommerce && str_starts(d->body, STR(PING)) &&
           str_to_u64(str_from_index(d->body, sizeof(PING) - 1), UINT32_MAX, &id);
}

static bool may_be_unsigned_ping(const struct delivery *d)
{
    const struct framing *f = &d->r->framing;
    return d->w->sender == SENDER_woocommerce && f->kind == FRAMING_LENGTH && f->length <= PING_BYTES;
}

static bool is_ping(const struct delivery *d)
{
    struct webhook_text type;
    if (d->w->sender == SENDER_github)
        return str_eq(field_of(d, STR("X-GitHub-Event")), STR("ping"));
    if (d->w->sender != SENDER_prismic)
        return false;
    webhook_payload_at(d->payload, STR("type"), &d->r->arena, &type);
    return !type.missing && str_eq(type.value, STR("test-trigger"));
}

/* Is the secret in the body? */
static bool is_by_member(const struct delivery *d)
{
    return d->w->scheme.how == WEBHOOK_MEMBER;
}

static bool parse(struct delivery *d)
{
    struct str error;
    if (!d->payload)
        d->payload = webhook_payload_parse(d->body, &d->r->arena, &error);
    if (!d->payload)
        refuse(d, 400, error);
    return d->payload != NULL;
}

static void check_proof(struct delivery *d, struct webhook_proof *out)
{
    webhook_proof_check(d->w,
                        &(struct webhook_message){ .method = d->r->method_name,
                                                   .target = d->r->came,
                                                   .fields = &d->r->fields,
                                                   .body = d->body,
                                                   .parsed = is_by_member(d) ? d->payload : NULL,
                                                   .now_wall_ms = d->now.wall_ms },
                        &d->r->arena, out);
}

static void refuse_length(struct delivery *d)
{
    refuse(d, 413, STR("the body has more than 65536 bytes, and nobody knows yet who sent it"));
}

/* Is it the sender's? false: it was refused. */
static bool prove(struct delivery *d)
{
    struct webhook_proof proof;
    if (is_by_member(d) && d->body.n > WEBHOOK_MEMBER_BYTES) {
        refuse_length(d);
        return false;
    }
    if (is_by_member(d) && !parse(d))
        return false;
    check_proof(d, &proof);
    if (proof.verdict != WEBHOOK_PROOF_GOOD) {
        refuse(d, proof.verdict == WEBHOOK_PROOF_FAILED ? 500 : 401, proof.said);
        return false;
    }
    d->proven = true;
    d->has_id = proof.delivery.n > 0;
    if (d->has_id)
        d->id = hash128(d->a->cache->secret, ARENA_JOIN(&d->r->arena, d->r->site->name, STR("\n"), d->w->path,
                                                        STR("\n"), proof.delivery));
    return true;
}

/* Leaves out texts that no page can have, and says so: sent again they would be refused again, and the others
 * with them. */
static void keep_good(struct delivery *d, struct strs *list, enum purge_scope scope,
                      struct webhook_filled *filled)
{
    const struct str which = STR("urls[0] ");
    size_t kept = 0;
    for (size_t i = 0; i < list->n; i++) {
        struct strs one = { &list->v[i], 1 };
        struct purge_error error;
        struct purge p = { .scope = scope, .site = d->r->site->name, .cause = PURGE_BY_WEBHOOK };
        *(scope == PURGE_OF_TAGS ? &p.tags : &p.urls) = one;
        if (purge_check(&p, d->r->settings, &d->r->arena, &error))
            list->v[kept++] = list->v[i];
        else
            webhook_payload_miss(filled,
                                 str_from_index(error.text, str_starts(error.text, which) ? which.n : 0));
    }
    list->n = kept;
}

static bool fill(struct delivery *d, struct webhook_filled *filled, struct purge *out)
{
    struct str error;
    *out = (struct purge){ .kind = d->w->soft ? PURGE_SOFT : PURGE_HARD,
                           .cause = PURGE_BY_WEBHOOK,
                           .site = d->r->site->name };
    if (!webhook_payload_fill(d->w, d->payload, &d->r->arena, filled, &error)) {
        refuse(d, 413, error);
        return false;
    }
    keep_good(d, &filled->tags, PURGE_OF_TAGS, filled);
    keep_good(d, &filled->urls, PURGE_OF_URLS, filled);
    if (filled->tags.n + filled->urls.n == 0 && filled->missed.n) {
        refuse(d, 422, ARENA_JOIN(&d->r->arena, STR("nothing was purged: "), filled->missed.v[0]));
        return false;
    }
    out->tags = filled->tags;
    out->urls = filled->urls;
    out->scope = (d->w->tags_n ? PURGE_OF_TAGS : 0) | (d->w->urls_n ? PURGE_OF_URLS : 0);
    if (d->w->everything)
        out->scope = PURGE_OF_SITE;
    return true;
}

static void purge(struct delivery *d)
{
    struct webhook_filled filled = { 0 };
    struct purge p;
    struct purge_made made;
    struct purge_error error;
    if (!fill(d, &filled, &p))
        return;
    if (d->has_id && !webhook_take(&d->a->webhooks, d->id)) {
        answer_done(d, STR("nothing: this delivery was taken before"), NULL, NULL);
        return;
    }
    struct str by =
        ARENA_JOIN(&d->r->arena, STR("webhook "), d->w->path, STR(" of "), webhook_sender_name(d->w->sender));
    if (purge_make(d->a, d->r, NULL, &p, 1, by, &made, &error)) {
        answer_done(d, made.said, &made, &filled);
        return;
    }
    /* The sender shall try again, so it is not 4xx, whatever was wrong. */
    if (d->has_id)
        webhook_forget(&d->a->webhooks, d->id);
    bool later = error.status == 429;
    refuse(d, later ? 503 : 500, error.text);
    if (later)
        answer_field(d->r, STR("Retry-After"), STR("1"));
}

static void refuse_method(struct request *r)
{
    answer_error(r, 405, "this is a webhook; it takes POST only");
    answer_field(r, STR("Allow"), STR("POST"));
}

static struct delivery begin(struct admin *a, struct request *r, struct str body)
{
    r->head_only = r->method == METHOD_HEAD;
    return (struct delivery){ .a = a,
                              .r = r,
                              .w = webhook_at(r->site->webhook_list, r->site->webhooks.n, r->key.path),
                              .body = body,
                              .now = clock_now(a->clock) };
}

/* Does the head alone show that it is not the sender's? What is in a field is there or not, and in the
 * sender's form or not, whatever the body is. */
static bool is_no_proof(struct delivery *d, struct webhook_proof *proof)
{
    check_proof(d, proof);
    return proof->verdict == WEBHOOK_PROOF_MISSING || proof->verdict == WEBHOOK_PROOF_MALFORMED ||
           (proof->verdict == WEBHOOK_PROOF_WRONG && d->w->scheme.how == WEBHOOK_SECRET);
}

bool webhook_refuse_head(struct admin *a, struct request *r)
{
    struct delivery d = begin(a, r, STR_NONE);
    struct webhook_proof proof;
    if (r->method != METHOD_POST) {
        refuse_method(r);
        return true;
    }
    if (is_by_member(&d)) {
        bool too_long = r->framing.kind == FRAMING_LENGTH && r->framing.length > WEBHOOK_MEMBER_BYTES;
        if (too_long)
            refuse_length(&d);
        r->body_most = WEBHOOK_MEMBER_BYTES;
        return too_long;
    }
    if (may_be_unsigned_ping(&d) || !is_no_proof(&d, &proof))
        return false;
    refuse(&d, 401, proof.said);
    return true;
}

void webhook_answer(struct admin *a, struct request *r, struct str body)
{
    struct delivery d = begin(a, r, body);
    if (r->method != METHOD_POST) {
        refuse_method(r);
        return;
    }
    if (is_unsigned_ping(&d)) {
        answer_done(&d, STR("nothing: a ping"), NULL, NULL);
        return;
    }
    if (!prove(&d) || !parse(&d))
        return;
    if (is_ping(&d))
        answer_done(&d, STR("nothing: a ping"), NULL, NULL);
    else
        purge(&d);
}
