#include "cache/policy.h"

#include "cache/asset.h"
#include "cache/key.h"
#include "http/date.h"
#include "http/sf.h"
#include "http/validator.h"

#define SECOND_MS      ((int64_t)1000)
#define HEURISTIC_MOST (86400 * SECOND_MS)
#define IDS_MAX        64 /* cache groups of one response */

/* ---- which header rules (CACHING.md §1) ---- */

enum ruled { RULED_NONE, RULED_CACHE_CONTROL, RULED_TARGETED };

struct ruling {
    enum ruled by;
    struct directives d;
    struct directives cache_control; /* whoever rules */
    bool broken_refusal;             /* an unparsable targeted field held no-store, private or no-cache */
};

static void find_ruling(const struct judge *in, struct arena *a, struct ruling *r, struct verdict *out)
{
    *r = (struct ruling){ .by = RULED_NONE };
    directives_parse(in->response, &r->cache_control);
    for (size_t i = 0; i < in->site->cdn_cache_control.n; i++) {
        struct str name = in->site->cdn_cache_control.v[i];
        struct field_spot bad;
        enum targeted_result result = directives_parse_targeted(in->response, name, a, &r->d, &bad);
        if (bad.byte && !out->broken.at.byte)
            out->broken = (struct broken_field){ i, bad };
        switch (result) {
        case TARGETED_ABSENT: break;
        case TARGETED_INVALID: r->broken_refusal |= r->d.no_store; break;
        case TARGETED_OK:
            r->by = RULED_TARGETED;
            out->ruled_by = name;
            return;
        }
    }
    r->d = r->cache_control;
    if (fields_has(in->response, FIELD_CACHE_CONTROL)) {
        r->by = RULED_CACHE_CONTROL;
        out->ruled_by = field_name(FIELD_CACHE_CONTROL);
    }
}

/* ---- how long (§3) ---- */

struct times {
    int64_t date_ms; /* the origin's Date, else the time of receipt */
    bool has_expires;
    int64_t expires_ms; /* valid when has_expires; INT64_MIN: invalid, already expired */
};

static void read_times(const struct judge *in, struct times *t)
{
    int64_t now_s = in->received_wall_ms / SECOND_MS, s;
    t->date_ms = now_s * SECOND_MS;
    if (http_date_parse(fields_value(in->response, FIELD_DATE), now_s, &s))
        t->date_ms = s * SECOND_MS;
    t->has_expires = fields_has(in->response, FIELD_EXPIRES);
    t->expires_ms = INT64_MIN;
    if (fields_count(in->response, FIELD_EXPIRES) == 1 &&
        http_date_parse(fields_value(in->response, FIELD_EXPIRES), now_s, &s))
        t->expires_ms = s * SECOND_MS;
}

/* RFC 9111 §4.2.3: corrected_initial_age. */
static int64_t initial_age(const struct judge *in, const struct times *t)
{
    int64_t apparent = in->received_wall_ms / SECOND_MS * SECOND_MS - t->date_ms;
    int64_t stated_s = 0;
    struct str line = fields_value(in->response, FIELD_AGE), first;
    if (!list_next(&line, &first) || !delta_parse(first, &stated_s))
        stated_s = 0;
    int64_t corrected = stated_s * SECOND_MS + (in->delay_ms > 0 ? in->delay_ms : 0);
    if (corrected < apparent)
        corrected = apparent;
    int64_t most = DELTA_MAX * SECOND_MS;
    return corrected < 0 ? 0 : corrected > most ? most : corrected;
}

/* The explicit lifetime, or -1 when there is none. */
static int64_t explicit_lifetime(const struct ruling *r, const struct times *t)
{
    if (r->d.s_maxage >= 0)
        return r->d.s_maxage * SECOND_MS;
    if (r->d.max_age >= 0)
        return r->d.max_age * SECOND_MS;
    if (r->by == RULED_TARGETED || !t->has_expires)
        return -1;
    if (t->expires_ms == INT64_MIN || t->expires_ms <= t->date_ms)
        return 0;
    int64_t lifetime = t->expires_ms - t->date_ms;
    return lifetime > DELTA_MAX * SECOND_MS ? DELTA_MAX * SECOND_MS : lifetime;
}

bool policy_status_is_heuristic(int status)
{
    switch (status) {
    case 200:
    case 203:
    case 204:
    case 206:
    case 300:
    case 301:
    case 308:
    case 404:
    case 405:
    case 410:
    case 414:
    case 501: return true;
    default: return false;
    }
}

/* RFC 9111 §4.2.2: a tenth of the time since the last modification, at most a day; -1: none. */
static int64_t heuristic_lifetime(const struct judge *in, const struct ruling *r, const struct times *t)
{
    int64_t modified_s;
    if (in->site->explicit_only || (!policy_status_is_heuristic(in->status) && !r->d.public_))
        return -1;
    if (!http_date_parse(fields_value(in->response, FIELD_LAST_MODIFIED), t->date_ms / SECOND_MS,
                         &modified_s))
        return -1;
    int64_t lifetime = (t->date_ms - modified_s * SECOND_MS) / 10;
    return lifetime < 0 ? 0 : lifetime > HEURISTIC_MOST ? HEURISTIC_MOST : lifetime;
}

static int64_t window(int64_t seconds)
{
    return seconds > 0 ? seconds * SECOND_MS : 0;
}

static void set_freshness(const struct judge *in, const struct ruling *r, const struct times *t,
                          int64_t lifetime, struct freshness *f)
{
    const struct directives *d = &r->d;
    f->lifetime_ms = lifetime > 0 ? lifetime : 0;
    f->age_ms = initial_age(in, t);
    f->always_revalidate = d->no_cache;
    f->never_stale = d->must_revalidate || d->proxy_revalidate || d->no_cache ||
                     (d->s_maxage >= 0 && in->site->s_maxage_forbids_stale);
    f->foreground = fields_has(in->request, FIELD_AUTHORIZATION);
    if (!f->never_stale) {
        f->stale_while_ms = window(d->stale_while_revalidate);
        f->stale_error_ms = window(d->stale_if_error);
        if (f->stale_error_ms < f->stale_while_ms)
            f->stale_error_ms = f->stale_while_ms;
        if (in->site->stale_on_error && d->stale_if_error < 0)
            f->stale_error_ms = DELTA_MAX * SECOND_MS;
    }
    /* The origin itself answered from a stale copy: the response is old already (CACHING.md 2.11). */
    if (str_eq_nocase(fields_value(in->response, FIELD_X_NEXTJS_CACHE), STR("STALE")))
        f->lifetime_ms = 0;
}

/* ---- may it be stored (§2) ---- */

/* Final statuses whose meaning this cache knows, for must-understand (RFC 9111 §5.2.2.3). */
static bool is_understood(int status)
{
    return (status >= 200 && status <= 205) || (status >= 300 && status <= 303) || status == 305 ||
           status == 307 || status == 308 || (status >= 400 && status <= 417) || status == 421 ||
           status == 422 || status == 425 || status == 426 || status == 428 || status == 429 ||
           status == 431 || status == 451 || (status >= 500 && status <= 505) || status == 511;
}

static bool status_is_permitted(const struct judge *in)
{
    int s = in->status;
    if (s < 200 || s == 206 || s == 304)
        return false;
    if (in->site->all_statuses)
        return true;
    return s < 400 || s == 404 || s == 410 || s == 451;
}

static enum reason refused_by_status(const struct judge *in, const struct ruling *r, bool has_lifetime)
{
    if (in->status == 206)
        return REASON_PARTIAL;
    if (asset_is_missing(in->site, in->path, in->status))
        return REASON_ASSET_MISSING;
    if (!status_is_permitted(in))
        return REASON_STATUS;
    if (r->d.must_understand && !is_understood(in->status))
        return REASON_NOT_UNDERSTOOD;
    if (in->site->explicit_only && in->status >= 400 && !has_lifetime)
        return REASON_STATUS;
    return REASON_NONE;
}

/* A targeted field rules alone (RFC 9213 §2.1): does Cache-Control beside it say the opposite? */
static bool is_private_beside(const struct ruling *r)
{
    return r->by == RULED_TARGETED && (r->cache_control.private_ || r->cache_control.no_store);
}

static enum reason refused_by_directives(const struct judge *in, const struct ruling *r)
{
    const struct directives *d = &r->d;
    if (r->broken_refusal)
        return REASON_TARGETED_INVALID;
    if (d->no_store && !(d->must_understand && is_understood(in->status)))
        return REASON_NO_STORE;
    if (d->private_)
        return REASON_PRIVATE;
    if (in->site->private_vetoes && is_private_beside(r))
        return REASON_PRIVATE_VETO;
    bool has_cookie =
        fields_has(in->response, FIELD_SET_COOKIE) || fields_has(in->response, FIELD_SET_COOKIE2);
    if (has_cookie && in->site->set_cookie == SET_COOKIE_REFUSE)
        return REASON_SET_COOKIE;
    if (fields_has(in->request, FIELD_AUTHORIZATION) && !d->public_ && d->s_maxage < 0 &&
        !(d->must_revalidate && in->site->authorization_must_revalidate))
        return REASON_AUTHORIZATION;
    return REASON_NONE;
}

static bool has_validator(const struct judge *in)
{
    return etag_parse(fields_value(in->response, FIELD_ETAG)).opaque.n > 0 ||
           fields_has(in->response, FIELD_LAST_MODIFIED);
}

/* `lifetime`: -1 for none. */
static enum reason refused_for_want(const struct judge *in, const struct ruling *r, const struct times *t,
                                    int64_t lifetime, const struct freshness *f)
{
    const struct directives *d = &r->d;
    bool explicit_word = lifetime >= 0 || d->stale_while_revalidate >= 0 || d->stale_if_error >= 0 ||
                         d->public_ || d->no_cache || (r->by != RULED_TARGETED && t->has_expires);
    bool heuristic = !in->site->explicit_only && policy_status_is_heuristic(in->status);
    if (!explicit_word && !heuristic)
        return REASON_NO_PERMISSION;
    bool windows = f->stale_while_ms > 0 || (d->stale_if_error > 0 && !f->never_stale);
    if (lifetime <= 0 && !windows && !has_validator(in))
        return REASON_NO_LIFETIME;
    return REASON_NONE;
}

/* Could the response be stored if the targeted field had no mistake? Then the mistake is the reason. An
 * answer to a request with Authorization is that visitor's alone either way, and says nothing about the
 * page. */
static bool depends_on_ruling(const struct judge *in, enum reason why)
{
    switch (why) {
    case REASON_NO_STORE:
    case REASON_PRIVATE:
    case REASON_NOT_UNDERSTOOD:
    case REASON_NO_PERMISSION:
    case REASON_NO_LIFETIME: return true;
    case REASON_STATUS: return status_is_permitted(in); /* a 404 without a lifetime */
    default: return false;
    }
}

static bool method_is_stored(const struct judge *in)
{
    return in->method == METHOD_GET ||
           (in->method == METHOD_POST && in->site->store_post && in->post_names_itself);
}

/* ---- the rule (§4.6) ---- */

/*
 * Once a 2xx has brought the rule, errors and redirects are stored under it or not at all: any visitor can
 * provoke one, and under another rule the pages of the 2xx would not be found. A compressed error for a page
 * without a rule is harmless: all visitors' requests are sent with the same normal form, so no visitor
 * controls it. true: the answer's rule is not taken.
 */
static bool is_held_to_known(const struct judge *in, const struct rule *rule)
{
    return !in->provisional && (in->known || !rule_is_encoding_only(rule));
}

static enum rule_result rule_of_answer(const struct judge *in, const struct rule *known, bool good,
                                       const struct verdict *v, struct arena *a, struct rule **rule)
{
    if (!in->site->compress)
        return rule_of_response(in->response, known, good, a, rule);
    return rule_of_response_uncoded(in->response, known, good, v->stays_coded, a, rule);
}

/* ---- codings (docs/decisions/076) ---- */

static bool type_matches(struct str type, struct str pattern)
{
    size_t star = str_index(pattern, '*');
    struct str end = str_from_index(pattern, star + 1);
    if (star == pattern.n)
        return str_eq_nocase(type, pattern);
    return type.n >= star + end.n && str_eq_nocase(str_first(type, star), str_first(pattern, star)) &&
           str_eq_nocase(str_from_index(type, type.n - end.n), end);
}

static bool is_compressed_type(const struct site_settings *site, struct str content_type)
{
    struct str type = str_trim(str_cut(&content_type, ';'));
    if (type.n == 0 || str_eq_nocase(type, STR("text/event-stream")))
        return false;
    for (size_t i = 0; i < site->compress_types.n; i++)
        if (type_matches(type, site->compress_types.v[i]))
            return true;
    return false;
}

/* What may be done with the body's coding. A redirect's and a part's body stay as they are. */
static void judge_coding(const struct judge *in, bool no_transform, struct arena *a, struct verdict *out)
{
    const struct fields *f = in->response;
    bool known = accept_coding_from(fields_joined(f, FIELD_CONTENT_ENCODING, a), &out->coded_in);
    bool whole = (in->status >= 200 && in->status <= 299 && in->status != 206) || in->status >= 400;
    /* Who answers identity in a coding of his own choice does not look at the field: asking again for what a
     * visitor takes would bring the same. */
    out->stays_coded =
        in->site->compress && known && out->coded_in != CODING_IDENTITY && (no_transform || !whole);
    if (!in->site->compress || out->stays_coded)
        out->coded_in = CODING_IDENTITY;
    out->is_codable = in->site->compress && known && !out->stays_coded && whole && !no_transform &&
                      !fields_has(f, FIELD_SET_COOKIE) &&
                      is_compressed_type(in->site, fields_value(f, FIELD_CONTENT_TYPE));
}

static enum reason find_rule(const struct judge *in, struct arena *a, struct verdict *out)
{
    struct rule *rule = NULL;
    bool good = in->status >= 200 && in->status <= 299;
    /* A 2xx inherits nothing from errors and redirects. */
    switch (rule_of_answer(in, good && in->provisional ? NULL : in->known, good, out, a, &rule)) {
    case RULE_STAR: return REASON_VARY_STAR;
    case RULE_INVALID: return REASON_VARY_INVALID;
    case RULE_OK: break;
    }
    if (!good) {
        bool more = rule_names_more(rule, in->known), held = is_held_to_known(in, rule);
        /* Nor does it replace a rule that names as much: its variants can still be found. */
        if (held || (in->known && !more)) {
            rule_unref(rule);
            rule = in->known ? rule_ref(in->known) : NULL;
        }
        if (held && more) {
            out->rule = rule;
            return REASON_VARY_CONFLICT;
        }
    }
    out->vary_ignored = rule_headers_ignored(in->response, a);
    out->search_invalid = rule_search_is_invalid(in->response, a);
    out->rule = rule;
    out->rule_changed = !rule_equal(rule, in->known) || (good && in->provisional);
    bool left_out = false;
    if (in->site->unkeyed_query == UNKEYED_STRIP && in->query.n)
        query_keep_listed(in->query, rule, a, &left_out);
    /* A query too long to be taken apart is sent whole: each spelling would be a page of its own. */
    if (rule_cuts_query(rule) && key_query_is_long(in->query))
        left_out = true;
    if (left_out)
        return REASON_UNKEYED_QUERY;
    bool is_build = out->is_asset && (in->called_static || asset_is_below_prefix(in->site, in->path));
    if (in->site->unkeyed_cookies == UNKEYED_STRIP && !is_build && key_has_unkeyed_cookies(in->request, rule))
        return REASON_UNKEYED_COOKIE;
    return REASON_NONE;
}

/* ---- tags (§5) ---- */

struct collector {
    struct strs *to;
    size_t most, room;
    struct arena *arena;
};

static bool collect(struct collector *c, struct str item, bool lower)
{
    if (c->to->n == c->most)
        return false;
    if (c->to->n == c->room) {
        c->room = c->room ? 2 * c->room : 8;
        struct str *v = arena_alloc(c->arena, c->room * sizeof(*v));
        for (size_t i = 0; i < c->to->n; i++)
            v[i] = c->to->v[i];
        c->to->v = v;
    }
    c->to->v[c->to->n++] = lower ? arena_dup_lower(c->arena, item) : item;
    return true;
}

/* Where the tag ends that s begins with. */
static size_t tag_end(struct str s, const struct tag_header *h)
{
    size_t n = 0;
    if (h->separator == TAG_SEPARATOR_COMMA)
        return str_index(s, ',');
    while (n < s.n && s.p[n] != ' ' && s.p[n] != '\t' &&
           (s.p[n] != ',' || h->separator == TAG_SEPARATOR_SPACE))
        n++;
    return n;
}

/* The next tag: separated by a comma, by white space, or by either; trimmed; empty ones are skipped. */
static bool next_tag(struct str *rest, const struct tag_header *h, struct str *tag)
{
    while (rest->n) {
        while (rest->n > 1 && rest->p[0] == ',' && rest->p[1] == ',') { /* empty ones, fast */
            rest->p++;
            rest->n--;
        }
        size_t n = tag_end(*rest, h);
        *tag = str_trim(str_first(*rest, n));
        *rest = str_from_index(*rest, n + 1);
        if (tag->n)
            return true;
    }
    return false;
}

static bool add_tags_of(const struct judge *in, struct str name, const struct tag_header *h,
                        struct collector *c)
{
    for (size_t i = 0; (i = fields_index_of(in->response, name, i)) < in->response->n; i++) {
        struct str rest = in->response->v[i].value, tag;
        while (next_tag(&rest, h, &tag))
            if (tag.n > (size_t)in->site->tag_bytes || !collect(c, tag, true))
                return false;
    }
    return true;
}

enum reason policy_tags(const struct judge *in, struct arena *a, struct verdict *out)
{
    out->tags = out->groups = (struct strs){ 0 };
    size_t most = (size_t)in->site->tags;
    struct collector tags = { &out->tags, most, 0, a };
    for (size_t i = 0; i < in->site->tag_headers.n; i++) {
        const struct tag_header *h = &in->site->tag_header_list[i];
        if (fields_index_of(in->response, h->name, 0) == in->response->n)
            continue;
        if (!add_tags_of(in, h->name, h, &tags))
            return REASON_TAGS_LIMIT;
        break; /* not merged: the first that is present counts */
    }
    static const struct tag_header ids = { .separator = TAG_SEPARATOR_COMMA };
    tags.most = out->tags.n + most; /* as many of each kind (CACHING.md 2.13) */
    if (!add_tags_of(in, field_name(FIELD_NETLIFY_CACHE_ID), &ids, &tags))
        return REASON_TAGS_LIMIT;
    /* RFC 9875 §2: a list of strings; case matters. */
    struct collector groups = { &out->groups, IDS_MAX, 0, a };
    struct sf_members members;
    if (fields_has(in->response, FIELD_CACHE_GROUPS) &&
        sf_parse_list(fields_joined(in->response, FIELD_CACHE_GROUPS, a), a, &members))
        for (size_t i = 0; i < members.n; i++)
            if (members.v[i].value.type == SF_STRING && !collect(&groups, members.v[i].value.text, false))
                return REASON_TAGS_LIMIT;
    return REASON_NONE;
}

/* ---- the verdict ---- */

void policy_judge(const struct judge *in, struct arena *a, struct verdict *out)
{
    *out = (struct verdict){ 0 };
    struct ruling r;
    struct times t;
    find_ruling(in, a, &r, out);
    read_times(in, &t);
    int64_t lifetime = explicit_lifetime(&r, &t);
    bool is_explicit = lifetime >= 0;
    if (!is_explicit)
        lifetime = heuristic_lifetime(in, &r, &t);
    set_freshness(in, &r, &t, lifetime, &out->fresh);
    judge_coding(in, r.d.no_transform || r.cache_control.no_transform, a, out);
    out->strip_cookies = in->site->set_cookie == SET_COOKIE_STRIP;
    out->is_asset =
        asset_is(&(struct asset_question){ in->site, in->method, in->path, in->status, in->request,
                                           in->response, &r.cache_control, in->called_static });

    enum reason why = method_is_stored(in) ? REASON_NONE : REASON_METHOD;
    if (why == REASON_NONE)
        why = refused_by_directives(in, &r);
    if (why == REASON_NONE)
        why = refused_by_status(in, &r, is_explicit);
    if (why == REASON_NONE)
        why = refused_for_want(in, &r, &t, lifetime, &out->fresh);
    /* A POST's answer is never stored on a guess (RFC 9110 §9.3.3). */
    if (why == REASON_NONE && in->method == METHOD_POST && !is_explicit)
        why = REASON_NO_PERMISSION;
    if (out->broken.at.byte && depends_on_ruling(in, why))
        why = REASON_TARGETED_INVALID;
    if (why == REASON_NONE && in->bypass && !out->is_asset)
        why = REASON_BYPASS_COOKIE;
    /* The rule is needed whatever the answer so far: waiting requests and the next one use it. */
    enum reason why_rule = find_rule(in, a, out);
    if (why == REASON_NONE)
        why = why_rule;
    /* A response that is not stored needs no names for purges. */
    if (why == REASON_NONE)
        why = policy_tags(in, a, out);
    out->has_cache_id = fields_value(in->response, FIELD_NETLIFY_CACHE_ID).n > 0;
    out->overrules = is_private_beside(&r);
    if (why == REASON_NONE && !in->site->store)
        why = REASON_DEV;
    out->reason = why;
    out->store = why == REASON_NONE;
}

/* ---- mistakes in words ---- */

#define PACKED_BYTE_BITS  20
#define PACKED_LINE_BITS  8
#define PACKED_MOST(bits) ((1u << (bits)) - 1)

uint32_t policy_broken_pack(const struct broken_field *b)
{
    const uint32_t line_most = PACKED_MOST(PACKED_LINE_BITS), byte_most = PACKED_MOST(PACKED_BYTE_BITS);
    if (!b->at.byte || b->which > PACKED_MOST(32 - PACKED_LINE_BITS - PACKED_BYTE_BITS))
        return 0;
    uint32_t line = b->at.lines == 1 ? 0 : b->at.line < line_most ? b->at.line : line_most;
    uint32_t byte = b->at.byte < byte_most ? b->at.byte : byte_most;
    return ((uint32_t)b->which << PACKED_LINE_BITS | line) << PACKED_BYTE_BITS | byte;
}

struct broken_field policy_broken_unpack(uint32_t packed)
{
    uint32_t line = packed >> PACKED_BYTE_BITS & PACKED_MOST(PACKED_LINE_BITS);
    struct field_spot at = { .line = line ? line : 1,
                             .lines = line ? 2 : 1,
                             .byte = packed & PACKED_MOST(PACKED_BYTE_BITS) };
    return (struct broken_field){ packed >> (PACKED_LINE_BITS + PACKED_BYTE_BITS), at };
}

struct str policy_broken_text(const struct site_settings *site, const struct broken_field *b, struct arena *a)
{
    if (!b->at.byte || b->which >= site->cdn_cache_control.n)
        return STR_NONE;
    struct str name = site->cdn_cache_control.v[b->which];
    if (b->at.lines == 1)
        return arena_printf(a, "%.*s, byte %u", STR_ARG(name), b->at.byte);
    return arena_printf(a, "%.*s, line %u, byte %u", STR_ARG(name), b->at.line, b->at.byte);
}

/* ---- reuse ---- */

struct age policy_age(const struct freshness *f, int64_t resident_ms, int64_t soft_ms)
{
    /* The worker that received it may have read the clock a moment later. */
    struct age age = { .age_ms = f->age_ms + (resident_ms > 0 ? resident_ms : 0) };
    age.stale_ms = age.age_ms - f->lifetime_ms;
    if (soft_ms >= 0 && age.stale_ms < soft_ms)
        age.stale_ms = soft_ms;
    return age;
}

void policy_request_directives(const struct site_settings *site, const struct fields *request,
                               struct directives *out)
{
    static const struct fields none;
    directives_parse(site->client_directives ? request : &none, out);
    if (!site->client_directives) {
        /* only-if-cached alone is honoured in every profile (CACHING.md 6.6). */
        if (fields_has(request, FIELD_CACHE_CONTROL))
            out->only_if_cached = fields_list_has(request, FIELD_CACHE_CONTROL, STR("only-if-cached"));
        return;
    }
    if (!fields_has(request, FIELD_CACHE_CONTROL) && fields_list_has(request, FIELD_PRAGMA, STR("no-cache")))
        out->no_cache = true;
}

static bool is_in_window(const struct freshness *f, struct age age)
{
    return age.stale_ms <= f->stale_while_ms && !f->foreground && f->stale_while_ms > 0;
}

bool policy_is_over(const struct freshness *f, struct age age)
{
    return f->always_revalidate || (age.stale_ms >= 0 && (f->never_stale || !is_in_window(f, age)));
}

enum reuse policy_reuse(const struct freshness *f, struct age age, bool invalidated,
                        const struct directives *request)
{
    if (f->always_revalidate || invalidated || request->no_cache)
        return REUSE_REVALIDATE;
    if (request->max_age >= 0 && age.age_ms > request->max_age * SECOND_MS)
        return REUSE_REVALIDATE;
    if (request->min_fresh >= 0 && -age.stale_ms < request->min_fresh * SECOND_MS)
        return REUSE_REVALIDATE;
    if (age.stale_ms < 0)
        return REUSE_FRESH;
    if (f->never_stale)
        return REUSE_REVALIDATE;
    if (is_in_window(f, age))
        return REUSE_STALE;
    if (request->max_stale == DELTA_ANY ||
        (request->max_stale >= 0 && age.stale_ms <= request->max_stale * SECOND_MS))
        return REUSE_FRESH;
    return REUSE_REVALIDATE;
}

bool policy_stale_on_error(const struct freshness *f, struct age age, bool invalidated,
                           const struct directives *request)
{
    if (f->never_stale || f->always_revalidate || invalidated || request->no_cache)
        return false;
    int64_t window = f->stale_error_ms;
    if (request->stale_if_error >= 0 && request->stale_if_error * SECOND_MS > window)
        window = request->stale_if_error * SECOND_MS;
    return age.stale_ms < 0 || (window > 0 && age.stale_ms <= window);
}

bool policy_status_is_failure(int status)
{
    return status == 500 || status == 502 || status == 503 || status == 504;
}
