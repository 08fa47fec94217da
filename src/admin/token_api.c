#include "admin/token_api.h"

#include <string.h>

#include <openssl/crypto.h>

#include "admin/answer.h"
#include "admin/body.h"
#include "admin/saved.h"
#include "conf/form.h"
#include "conf/number.h"
#include "http/url.h"

#define QUOTED_MAX 100 /* bytes of the input repeated in a message */
#define DAY_MS     ((int64_t)86400000)

struct parse {
    const struct settings *settings;
    struct now now;
    struct arena *arena;
    struct token *out;
    struct purge_error *error;
};

#define REFUSE(p, ...) purge_refuse((p)->error, (p)->arena, 400, __VA_ARGS__)

/* ---- the body ---- */

static bool take_name(struct parse *p, const char *name, const json_t *v)
{
    struct str text;
    if (!body_string(name, v, p->arena, &text, p->error))
        return false;
    const char *wrong = token_name_check(text);
    if (wrong)
        return REFUSE(p, "name \"%.*s\" %s", STR_ARG(str_utf8_first(text, QUOTED_MAX)), wrong);
    *str_put(p->out->name, text) = '\0';
    return true;
}

static bool take_scopes(struct parse *p, const char *name, const json_t *v)
{
    struct strs words = { 0 };
    if (!body_list(name, v, true, p->arena, &words, p->error))
        return false;
    for (size_t i = 0; i < words.n; i++) {
        enum token_scope scope = token_scope_of(words.v[i]);
        if (scope == TOKEN_SCOPE_NONE) {
            struct buf known = BUF_INIT;
            token_scopes_write(~0u, ", ", &known);
            REFUSE(p, "scopes[%zu] \"%.*s\" is none; there are %.*s", i,
                   STR_ARG(str_utf8_first(words.v[i], QUOTED_MAX)), STR_ARG(buf_str(&known)));
            buf_fini(&known);
            return false;
        }
        p->out->scopes |= (unsigned)scope;
    }
    return true;
}

static bool has_site(const struct token *t, struct str name)
{
    for (size_t i = 0; i < t->sites_n; i++)
        if (str_eq(str_from(t->sites[i]), name))
            return true;
    return false;
}

static bool take_sites(struct parse *p, const char *name, const json_t *v)
{
    struct strs names = { 0 };
    if (!body_list(name, v, true, p->arena, &names, p->error))
        return false;
    if (names.n == 0)
        return REFUSE(p, "sites names none; leave it out for all sites");
    for (size_t i = 0; i < names.n; i++) {
        struct str site = names.v[i];
        if (!settings_site_by_name(p->settings, site))
            return purge_refuse(p->error, p->arena, 404, "no site is named \"%.*s\"",
                                STR_ARG(str_utf8_first(site, QUOTED_MAX)));
        if (has_site(p->out, site))
            continue;
        if (p->out->sites_n == TOKEN_LIMIT_SITES)
            return REFUSE(p, "more than %d sites; leave them out for all sites, or make several tokens",
                          TOKEN_LIMIT_SITES);
        CHECK(site.n <= TOKEN_SITE_MAX);
        *str_put(p->out->sites[p->out->sites_n++], site) = '\0';
    }
    return true;
}

/* "90d", or a number of seconds. */
static bool take_expires(struct parse *p, const json_t *v)
{
    const int64_t most = TOKEN_LIMIT_DAYS * DAY_MS;
    int64_t ms = 0, seconds = (int64_t)json_integer_value(v);
    bool good = json_is_integer(v) ? seconds <= most / 1000 : number_parse(TYPE_TIME, body_text(v), &ms);
    if (json_is_integer(v) && good)
        ms = seconds * 1000;
    if (!good || ms <= 0 || ms > most)
        return REFUSE(p,
                      "expires must be a time like \"12h\" or \"90d\", at most %dd; leave it out for a token "
                      "that never does",
                      TOKEN_LIMIT_DAYS);
    p->out->expires_wall_ms = p->now.wall_ms + ms;
    return true;
}

static bool take_member(struct parse *p, const char *name, const json_t *v)
{
    static const struct str known[] = { STR_INIT("name"), STR_INIT("scopes"), STR_INIT("sites"),
                                        STR_INIT("expires") };
    struct str key = str_from(name);
    if (json_is_null(v))
        return true;
    if (str_eq(key, known[0]))
        return take_name(p, name, v);
    if (str_eq(key, known[1]))
        return take_scopes(p, name, v);
    if (str_eq(key, known[2]))
        return take_sites(p, name, v);
    if (str_eq(key, known[3]))
        return take_expires(p, v);
    return body_refuse_member(name, known, COUNT_OF(known), p->arena, p->error);
}

bool token_api_parse(struct str body, const struct settings *settings, struct now now, struct arena *a,
                     struct token *out, struct purge_error *error)
{
    struct parse p = { .settings = settings, .now = now, .arena = a, .out = out, .error = error };
    json_t *root, *value;
    const char *name;
    bool good = true;
    memset(out, 0, sizeof(*out));
    out->created_wall_ms = now.wall_ms;
    if (!body_parse(body, "{\"name\": \"ci\", \"scopes\": [\"purge\"]}", a, &root, error))
        return false;
    json_object_foreach(root, name, value) good = good && take_member(&p, name, value);
    json_decref(root);
    out->every_site = out->sites_n == 0;
    if (good && !out->name[0])
        return REFUSE(&p, "name is missing: a word by which the token can be revoked");
    if (good && !out->scopes)
        return REFUSE(&p, "scopes is missing, or names none: what the token is for");
    return good;
}

/* ---- answers ---- */

static void write_token(const struct token *t, struct answer_writer *w)
{
    struct buf words = BUF_INIT;
    token_scopes_write(t->scopes, ",", &words);
    answer_str(w, "name", str_from(t->name));
    answer_open(w, "scopes", '[');
    for (struct str rest = buf_str(&words); rest.p;)
        answer_str(w, NULL, str_cut(&rest, ','));
    answer_close(w, ']');
    buf_fini(&words);
    if (t->every_site) {
        answer_null(w, "sites");
    } else {
        answer_open(w, "sites", '[');
        for (size_t i = 0; i < t->sites_n; i++)
            answer_str(w, NULL, str_from(t->sites[i]));
        answer_close(w, ']');
    }
    answer_time(w, "created", t->created_wall_ms);
    if (t->expires_wall_ms)
        answer_time(w, "expires", t->expires_wall_ms);
    else
        answer_null(w, "expires");
}

static void refuse_unkept(struct request *r, struct str why)
{
    answer_error(
        r, 503,
        "the token was not made, since it could not be kept: %.*s. A token that ends with the process "
        "would be missed later; see that the state folder can be written, or use the admin token",
        STR_ARG(why));
}

/* ---- a new one ---- */

struct creation {
    struct admin *admin;
    struct str name;
    unsigned char hash[TOKEN_HASH_BYTES];
};

/* Nobody has got its secret. */
static void undo(struct request *r, void *ctx)
{
    struct creation *c = ctx;
    char why[256];
    tokens_revoke(c->admin->tokens, c->name, c->hash);
    tokens_are_kept(c->admin->tokens, why);
    refuse_unkept(r, why[0] ? str_from(why) : STR("the disk does not answer"));
    log_warning(r->w->log, "admin",
                "the token %.*s was not made: it could not be kept, or nobody waited for it",
                STR_ARG(c->name));
}

static void answer_made(struct admin *a, struct request *r, const struct token_rights *by,
                        const struct token *t, struct str secret)
{
    struct answer_writer w = { .depth = 0 };
    struct creation *c = arena_alloc(&r->arena, sizeof(*c));
    struct buf scopes = BUF_INIT;
    struct token_rights rights;
    *c = (struct creation){ .admin = a, .name = arena_dup(&r->arena, str_from(t->name)) };
    memcpy(c->hash, t->hash, sizeof(c->hash));
    answer_open(&w, NULL, '{');
    answer_str(&w, "secret", secret);
    write_token(t, &w);
    answer_close(&w, '}');
    answer_json(r, 201, answer_finish(&w, &r->arena));
    saved_expect(r);
    saved_undo(r, undo, c);
    token_scopes_write(t->scopes, ", ", &scopes);
    token_rights_of(t, &r->arena, &rights);
    log_info(r->w->log, "admin", "%.*s has made the token \"%s\" (%.*s; %.*s)",
             STR_ARG(token_called(by, &r->arena)), t->name, STR_ARG(buf_str(&scopes)),
             STR_ARG(t->every_site ? STR("all sites") : token_sites_said(&rights, &r->arena)));
    buf_fini(&scopes);
}

void token_api_create(struct admin *a, struct request *r, const struct token_rights *by, struct str body)
{
    unsigned char random[TOKEN_RANDOM_BYTES];
    char secret[TOKEN_SECRET_MAX], why[256];
    struct now now = clock_now(a->clock);
    struct purge_error error;
    size_t expired;
    struct token *t = arena_alloc(&r->arena, sizeof(*t));
    if (!token_api_parse(body, r->settings, now, &r->arena, t, &error)) {
        answer_error(r, error.status, "%.*s", STR_ARG(error.text));
        return;
    }
    if (!tokens_are_kept(a->tokens, why)) {
        refuse_unkept(r, str_from(why));
        return;
    }
    loop_random(r->w->loop, random, sizeof(random));
    size_t length = token_secret(random, secret);
    token_hash((struct str){ secret, length }, t->hash);
    switch (tokens_add(a->tokens, t, now, &expired)) {
    case TOKENS_MADE: answer_made(a, r, by, t, (struct str){ secret, length }); break;
    case TOKENS_HAS_NAME:
        answer_error(r, 409, "there is a token \"%s\"; revoke it first, or take another name", t->name);
        break;
    case TOKENS_FULL:
        answer_error(r, 409, "there are %d tokens, which is the most; revoke some: %zu of them have expired",
                     TOKEN_LIMIT_TOKENS, expired);
        break;
    }
    OPENSSL_cleanse(random, sizeof(random));
    OPENSSL_cleanse(secret, sizeof(secret));
}

/* ---- all of them ---- */

void token_api_list(struct admin *a, struct request *r)
{
    struct answer_writer w = { .depth = 0 };
    struct tokens_kept *all;
    size_t n = tokens_list(a->tokens, clock_now(a->clock), &r->arena, &all);
    answer_open(&w, NULL, '{');
    answer_open(&w, "tokens", '[');
    for (size_t i = 0; i < n; i++) {
        answer_open(&w, NULL, '{');
        write_token(&all[i].token, &w);
        answer_bool(&w, "expired", all[i].token.expired);
        if (all[i].used_wall_ms)
            answer_time(&w, "used", all[i].used_wall_ms);
        else
            answer_null(&w, "used");
        answer_close(&w, '}');
    }
    answer_close(&w, ']');
    answer_close(&w, '}');
    answer_json(r, 200, answer_finish(&w, &r->arena));
}

/* ---- one less ---- */

static struct str revoked_text(struct request *r, struct str name, bool durable)
{
    return ARENA_JOIN(&r->arena, STR("{\"revoked\": \""), name, STR("\", \"durable\": "),
                      durable ? STR("true") : STR("false"), STR("}\n"));
}

void token_api_revoke(struct admin *a, struct request *r, const struct token_rights *by)
{
    struct str name = STR_NONE;
    struct query_param q;
    for (struct str rest = r->key.has_query ? r->key.query : STR_NONE; query_next(&rest, &q);)
        if (str_eq(q.name, STR("name")))
            name = query_decode(q.value, &r->arena);
    if (token_name_check(name)) {
        answer_error(r, 400, "write which one: DELETE /api/v1/tokens?name=NAME");
        return;
    }
    if (!tokens_revoke(a->tokens, name, NULL)) {
        answer_error(r, 404, "there is no token \"%.*s\"; \"freshet token list\" shows them", STR_ARG(name));
        return;
    }
    log_info(r->w->log, "admin", "%.*s has revoked the token \"%.*s\"", STR_ARG(token_called(by, &r->arena)),
             STR_ARG(name));
    saved_expect(r);
    answer_json(r, 200, revoked_text(r, name, saved_is_expected(r)));
    saved_otherwise(r, revoked_text(r, name, false));
}
