/* What the tests of admin/ share: a cache with pages, an admin site over it, and requests that reach it
 * without a front. */
#ifndef ADMIN_TEST_H
#define ADMIN_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "admin/admin.h"
#include "cache/named.h"
#include "cache/names.h"

#define TOKEN "the-admin-token"

struct world {
    struct arena arena;
    struct hash_secret secret;
    struct clock clock;
    struct log log;
    struct buf logged;
    struct settings *settings;
    struct cache *cache;
    struct origins origins;
    struct deploys deploys;
    struct tokens tokens;
    struct counters counters[2], *both[2];
    struct admin admin;
    struct overload overload;
    struct requests requests;
    struct snapshot snapshot;
    struct request request;
    struct address peer;
};

static void world_log(struct log *log, struct str line)
{
    buf_add(&CONTAINER_OF(log, struct world, log)->logged, line);
}

static inline void world_configure(struct world *w, const char *yaml)
{
    struct buf errors = BUF_INIT;
    struct settings *s = settings_parse(str_from(yaml), STR("test.yaml"), NULL, 0, &errors);
    if (!s)
        fail_msg("%.*s", STR_ARG(buf_str(&errors)));
    if (w->settings)
        settings_unref(w->settings);
    w->settings = s;
}

static inline void world_init(struct world *w, const char *yaml)
{
    memset(w, 0, sizeof(*w));
    for (size_t i = 0; i < sizeof(w->secret.bytes); i++)
        w->secret.bytes[i] = (unsigned char)(i * 37 + 11);
    arena_init(&w->arena, 16384);
    w->log = (struct log){ .write = world_log, .clock = &w->clock, .most = LOG_INFO };
    world_configure(w, yaml);
    w->cache = cache_new(&w->secret, 64 << 20);
    origins_init(&w->origins);
    deploys_init(&w->deploys);
    assert_true(address_parse(STR("127.0.0.1:50000"), &w->peer));
    struct now now = clock_now(&w->clock);
    w->both[0] = &w->counters[0];
    w->both[1] = &w->counters[1];
    w->admin.cache = w->cache;
    w->admin.origins = &w->origins;
    w->admin.deploys = &w->deploys;
    tokens_init(&w->tokens);
    w->admin.tokens = &w->tokens;
    w->admin.overload = &w->overload;
    w->admin.counters = w->both;
    w->admin.workers = 2;
    w->admin.clock = &w->clock;
    w->admin.token = STR(TOKEN);
    w->admin.started_wall_ms = now.wall_ms;
    w->admin.started_mono_ms = now.mono_ms;
    admin_init(&w->admin);
    w->requests = (struct requests){ .log = &w->log,
                                     .cache = w->cache,
                                     .origins = &w->origins,
                                     .counters = &w->counters[0],
                                     .source = &w->admin.source,
                                     .self = STR("freshet-00000000") };
    request_init(&w->request, &w->requests, NULL);
}

static inline void world_fini(struct world *w)
{
    request_fini(&w->request);
    admin_fini(&w->admin);
    tokens_fini(&w->tokens);
    cache_free(w->cache);
    origins_fini(&w->origins);
    deploys_fini(&w->deploys);
    settings_unref(w->settings);
    buf_fini(&w->logged);
    arena_fini(&w->arena);
}

/* Fields from "Name: value" lines, "\n" between them; NULL: none. */
static inline struct fields lines_of(struct arena *a, const char *text)
{
    struct fields f = { 0 };
    for (struct str rest = text ? str_from(text) : STR_NONE; rest.p;) {
        struct str line = str_cut(&rest, '\n');
        size_t colon = str_index(line, ':');
        if (line.n == 0)
            continue;
        assert_true(colon < line.n);
        fields_add(&f, a, str_first(line, colon), str_trim(str_from_index(line, colon + 1)));
    }
    return f;
}

/* ---- asking the admin ---- */

/* `target`: a path, with a query or without. The answer stands in w->request.answer until the next one. */
static inline struct answer_page *world_ask(struct world *w, enum method method, const char *target,
                                            const char *lines, struct str body)
{
    struct request *r = &w->request;
    struct str rest = arena_dup(&w->arena, str_from(target));
    request_reset(r);
    r->settings = w->settings;
    w->snapshot = (struct snapshot){ .settings = w->settings, .users = 1 };
    r->snapshot = &w->snapshot;
    r->peer = &w->peer;
    r->method = method;
    r->fields = lines_of(&w->arena, lines);
    r->key.path = str_cut(&rest, '?');
    r->key.has_query = rest.p != NULL;
    r->key.query = rest;
    assert_true(admin_answer(&w->admin, r, NULL, body));
    assert_in_range(r->answer.status, 200, 599);
    return &r->answer;
}

static inline struct answer_page *world_post(struct world *w, const char *json)
{
    return world_ask(w, METHOD_POST, "/api/v1/purge", "Authorization: Bearer " TOKEN, str_from(json));
}

static inline struct answer_page *world_get(struct world *w, const char *target)
{
    return world_ask(w, METHOD_GET, target, "Authorization: Bearer " TOKEN, STR_NONE);
}

/* The value of an extra field of the answer; p == NULL: none. */
static inline struct str world_field(const struct answer_page *page, const char *name)
{
    for (unsigned i = 0; i < page->extra_n; i++)
        if (str_eq_nocase(page->extra[i].name, str_from(name)))
            return page->extra[i].value;
    return STR_NONE;
}

/* The answer's body as JSON; to be given back. */
static inline json_t *world_json(const struct answer_page *page)
{
    json_error_t why;
    json_t *json = json_loadb(page->body.p, page->body.n, JSON_REJECT_DUPLICATES, &why);
    if (!json)
        fail_msg("%s: %.*s", why.text, STR_ARG(page->body));
    assert_true(str_eq(page->content_type, STR("application/json")));
    assert_true(str_ends(page->body, STR("\n")));
    return json;
}

/* "a.b.c": NULL when something of it is missing. */
static inline const json_t *json_at(const json_t *o, const char *path)
{
    for (struct str rest = str_from(path); rest.p && o;) {
        struct str name = str_cut(&rest, '.');
        char c[64];
        snprintf(c, sizeof(c), "%.*s", STR_ARG(name));
        o = is_digit(c[0]) ? json_array_get(o, (size_t)(c[0] - '0')) : json_object_get(o, c);
    }
    return o;
}

static inline const char *text_at(const json_t *o, const char *path)
{
    const char *text = json_string_value(json_at(o, path));
    if (!text)
        fail_msg("no text at %s", path);
    return text;
}

static inline int64_t number_at(const json_t *o, const char *path)
{
    if (!json_is_integer(json_at(o, path)))
        fail_msg("no number at %s", path);
    return json_integer_value(json_at(o, path));
}

/* ---- pages ---- */

struct page_at {
    struct key_request key;
    struct place place;
    struct rule *rule; /* a reference */
};

/* The place of a URL's page under its family's rule, or under `rule` when that is not NULL. */
static inline struct page_at page_at(struct world *w, const char *url, const struct fields *fields,
                                     struct rule *rule)
{
    struct page_at p;
    struct named n;
    bool known, busy;
    assert_int_equal(named_parse(str_from(url), &w->arena, &n), HTTP_ERROR_NONE);
    assert_true(n.has_host);
    const struct site_settings *site = settings_site_of_host(w->settings, n.host.name);
    assert_non_null(site);
    named_request(&n, site, &n.host, &w->arena, &p.key);
    p.key.fields = fields;
    p.place = (struct place){ .primary = key_primary(&p.key, &w->arena), .release = site->release->number };
    place_hash(w->cache, &p.place);
    p.rule = rule ? rule_ref(rule) : index_rule(w->cache, &p.place, &known, &busy);
    p.place.rule = p.rule;
    p.place.variant = key_variant(&p.key, p.rule, &w->arena);
    place_hash(w->cache, &p.place);
    return p;
}

/* Stores a page as a fetch would have. `lines`: of the response. */
static inline void world_store(struct world *w, const char *url, const char *request_lines, const char *lines)
{
    struct arena *a = &w->arena;
    struct fields asked = lines_of(a, request_lines), answered = lines_of(a, lines);
    struct page_at before = page_at(w, url, &asked, NULL);
    const struct site_settings *site = settings_site_by_name(w->settings, before.key.site);
    struct now now = clock_now(&w->clock);
    struct verdict v;
    policy_judge(&(struct judge){ .site = site,
                                  .method = METHOD_GET,
                                  .request = &asked,
                                  .query = before.key.query,
                                  .status = 200,
                                  .response = &answered,
                                  .known = before.rule,
                                  .received_wall_ms = now.wall_ms },
                 a, &v);
    if (!v.store)
        fail_msg("%s is not stored: %s", url, reason_detail(v.reason).p);
    struct page_at p = page_at(w, url, &asked, v.rule);
    struct body *body = body_new(&w->cache->memory, 5);
    assert_int_equal(body_append(body, STR("hello")), 5);
    struct name_list names;
    names_of_response(w->cache, &p.key, v.rule, v.rule, &v, a, &names);
    struct response *response =
        response_new(&w->cache->memory, &(struct response_plan){ .names = names.v,
                                                                 .names_n = names.n,
                                                                 .names_are_short = names.is_short,
                                                                 .status = 200,
                                                                 .fields = &answered,
                                                                 .site = site,
                                                                 .declared_length = -1 });
    struct object *o = object_new(w->cache, epochs_latest(w->cache->epochs));
    index_settle(o, &p.place, v.rule);
    object_set_head(o, &(struct object_head){ .response = &response,
                                              .body = &body,
                                              .verdict = &v,
                                              .received_mono_ms = now.mono_ms,
                                              .fetched_status = 200 });
    o->begun_mono_ms = now.mono_ms;
    object_seal(o, site->generate_etag);
    assert_true(index_publish(o, &p.place, (size_t)site->variants, now.mono_ms));
    object_unref(o);
    rule_unref(v.rule);
    rule_unref(p.rule);
    rule_unref(before.rule);
}

/* What a request for the URL finds now; it begins no fetch. */
static inline enum outcome world_look(struct world *w, const char *url, const char *lines)
{
    struct fields asked = lines_of(&w->arena, lines);
    struct page_at p = page_at(w, url, &asked, NULL);
    struct directives none;
    policy_request_directives(settings_site_by_name(w->settings, p.key.site), &asked, &none);
    struct look look = { .place = p.place,
                         .request = &none,
                         .now = clock_now(&w->clock),
                         .latest = epochs_latest(w->cache->epochs) };
    struct found found;
    index_look(w->cache, &look, &found);
    object_unref(found.stored);
    object_unref(found.busy);
    rule_unref(found.rule);
    rule_unref(p.rule);
    return found.outcome;
}

static inline bool world_has(struct world *w, const char *url)
{
    return world_look(w, url, NULL) == OUTCOME_HIT;
}

#endif
