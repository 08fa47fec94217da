/* A purge request's body is either refused with a sentence, or means exactly what it says: tags, URLs,
 * prefixes or a site, no name more and none less; read again from what was understood it means the same.
 * Input: the body. */
#include <jansson.h>
#include <string.h>

#include "admin/purge.h"
#include "cache/names.h"
#include "cache/purge_names.h"
#include "two_sites.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_error(const struct purge_error *e, bool translated)
{
    CHECK(e->status == 400 || (e->status == 413 && !translated) || (e->status == 404 && translated));
    CHECK(e->text.n > 0);
}

static bool is_clean(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
            return false;
    return str_trim(s).n == s.n;
}

static void check_list(const struct strs *list, bool has, bool may_be_empty)
{
    CHECK(has || list->n == 0);
    CHECK(list->n <= PURGE_LIST_MAX);
    for (size_t i = 0; i < list->n; i++)
        CHECK(is_clean(list->v[i]) && (list->v[i].n || may_be_empty));
}

static bool has_name(const struct purge_names *plan, uint64_t name)
{
    for (size_t i = 0; i < plan->n; i++)
        if (plan->v[i] == name)
            return true;
    return false;
}

/* Tags in capitals are the same tags; the names of the plan are those of the tags, and one or more for each
 * URL. */
static void check_plan(const struct purge *ask, const struct purge_names *plan, struct arena *a)
{
    const struct site_settings *site = ask->site.n ? settings_site_by_name(settings, ask->site) : NULL;
    struct str said = purge_say(ask, a);
    CHECK(said.n > 0 && said.n <= PURGE_SAID_MAX);
    json_t *valid = json_stringn(said.p, said.n);
    CHECK(valid);
    json_decref(valid);
    if (ask->scope == PURGE_OF_SITE)
        CHECK(plan->n == 1 && (!site || plan->v[0] == name_of_site(cache, site->name)));
    if (ask->tags.n == 0 && ask->urls.n == 0 && ask->prefixes.n == 0)
        CHECK(plan->n == (ask->scope == PURGE_OF_SITE));
    else
        CHECK(plan->n > 0);
    size_t commas = 0;
    for (size_t i = 0; i < ask->tags.n; i++) {
        struct str tag = ask->tags.v[i];
        for (size_t k = 0; k < tag.n; k++)
            commas += tag.p[k] == ',';
        CHECK(!site || tag.n > (size_t)site->tag_bytes ||
              has_name(plan, name_of_tag(cache, site->name, tag, a)));
        /* Node's Latin-1 of it as well. */
        char *latin1 = arena_alloc(a, tag.n + 1);
        size_t n = str_to_latin1(tag, latin1);
        CHECK(!site || n == 0 || tag.n > (size_t)site->tag_bytes ||
              has_name(plan, name_of_tag(cache, site->name, (struct str){ latin1, n }, a)));
    }
    for (size_t i = 0; i < ask->urls.n; i++)
        CHECK(str_index(ask->urls.v[i], '*') == ask->urls.v[i].n);
    for (size_t i = 0; i < ask->prefixes.n; i++)
        CHECK(str_index(ask->prefixes.v[i], '*') == ask->prefixes.v[i].n);
    if (ask->urls.n == 0 && ask->prefixes.n == 0 && ask->tags.n > 0)
        CHECK(plan->n <= 2 * (ask->tags.n * 2 + commas));
    if (ask->scope != PURGE_OF_SITE)
        for (size_t i = 0; i < settings->sites_n; i++)
            CHECK(!has_name(plan, name_of_site(cache, settings->sites[i].name)));
}

static json_t *list_of(const struct strs *list)
{
    json_t *array = json_array();
    for (size_t i = 0; i < list->n; i++)
        CHECK(json_array_append_new(array, json_stringn(list->v[i].p, list->v[i].n)) == 0);
    return array;
}

static bool same_list(const struct strs *a, const struct strs *b)
{
    bool same = a->n == b->n;
    for (size_t i = 0; i < a->n && same; i++)
        same = str_eq(a->v[i], b->v[i]);
    return same;
}

/* Written again and read again. */
static void check_again(const struct purge *ask, struct arena *a)
{
    json_t *o = json_object();
    struct purge again;
    struct purge_error error;
    if (ask->scope & PURGE_OF_TAGS)
        json_object_set_new(o, "cache_tags", list_of(&ask->tags));
    if (ask->scope & PURGE_OF_URLS)
        json_object_set_new(o, "urls", list_of(&ask->urls));
    if (ask->scope & PURGE_OF_PREFIXES)
        json_object_set_new(o, "prefixes", list_of(&ask->prefixes));
    if (ask->site.n)
        CHECK(json_object_set_new(o, "site_slug", json_stringn(ask->site.p, ask->site.n)) == 0);
    if (ask->domain.n)
        CHECK(json_object_set_new(o, "domain", json_stringn(ask->domain.p, ask->domain.n)) == 0);
    json_object_set_new(o, "soft", json_boolean(ask->kind == PURGE_SOFT));
    char *text = json_dumps(o, JSON_INDENT(1));
    CHECK(text);
    CHECK(purge_parse(str_from(text), a, &again, &error));
    CHECK(again.scope == ask->scope && again.kind == ask->kind);
    CHECK(same_list(&again.tags, &ask->tags) && same_list(&again.urls, &ask->urls));
    CHECK(same_list(&again.prefixes, &ask->prefixes));
    CHECK(str_eq(again.site, ask->site) && str_eq(again.domain, ask->domain));
    free(text);
    json_decref(o);
}

/* Written down as a line, and read from it. */
static void check_line(const struct purge *ask, struct arena *a)
{
    struct buf line = BUF_INIT;
    struct purge again;
    struct purge_error error;
    purge_write(ask, &line);
    CHECK(purge_read(buf_str(&line), a, &again, &error));
    CHECK(again.scope == ask->scope && again.kind == ask->kind && again.cause == PURGE_BY_API);
    CHECK(same_list(&again.tags, &ask->tags) && same_list(&again.urls, &ask->urls));
    CHECK(same_list(&again.prefixes, &ask->prefixes));
    CHECK(str_eq(again.site, ask->site) && str_eq(again.domain, ask->domain));
    buf_fini(&line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str body = { (const char *)data, size };
    struct arena a;
    struct purge ask;
    struct purge_names plan;
    struct purge_error error = { 0 };
    set_up();
    arena_init(&a, 4096);
    uint64_t before = epochs_latest(cache->epochs);
    if (!purge_parse(body, &a, &ask, &error)) {
        check_error(&error, false);
    } else {
        json_t *json = json_loadb(body.p, body.n, JSON_REJECT_DUPLICATES, NULL);
        CHECK(json_is_object(json));
        json_decref(json);
        CHECK(is_clean(ask.site) && is_clean(ask.domain));
        check_list(&ask.tags, ask.scope & PURGE_OF_TAGS, false);
        check_list(&ask.urls, ask.scope & PURGE_OF_URLS, true);
        check_list(&ask.prefixes, ask.scope & PURGE_OF_PREFIXES, true);
        check_again(&ask, &a);
        if (purge_check(&ask, settings, &a, &error)) {
            CHECK(purge_names(&ask, settings, cache, &a, &plan, &error));
            check_plan(&ask, &plan, &a);
            check_line(&ask, &a);
        } else {
            check_error(&error, true);
        }
    }
    /* Understanding is not yet purging. */
    CHECK(epochs_latest(cache->epochs) == before && atomic_load(&cache->families) == 0);
    arena_fini(&a);
    return 0;
}
