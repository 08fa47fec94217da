/* A deploy request's body is refused with a sentence, or is a plan whose every page belongs to its site, and
 * whose numbers are within their limits. Input: the body. */
#include "admin/deploy.h"
#include "cache/named.h"
#include "conf/form.h"
#include "deploy/top.h"
#include "two_sites.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A request with that target is taken. */
static void check_target(struct str target, struct arena *a)
{
    struct target t;
    struct str path;
    CHECK(target.n > 0 && target.p[0] == '/');
    CHECK(target_parse(target, &t) == HTTP_ERROR_NONE && t.form == TARGET_ORIGIN);
    CHECK(path_normalize(t.path, a, &path) == HTTP_ERROR_NONE && str_eq(path, t.path));
    CHECK(!t.has_query || query_check(t.query) == HTTP_ERROR_NONE);
}

/* A page is such a target, or a URL of the site in its one spelling. */
static void check_page(const struct deploy_plan *p, struct str page, struct arena *a)
{
    struct named n;
    CHECK(page.n > 0);
    if (page.p[0] == '/') {
        check_target(page, a);
        return;
    }
    CHECK(named_parse(page, a, &n) == HTTP_ERROR_NONE && n.has_host);
    CHECK(settings_site_of_host(settings, n.host.name) == p->site);
    CHECK(str_eq(named_url(&n, a), page));
    check_target(named_target(&n, a), a);
}

static void check_pages(const struct deploy_plan *p, const struct strs *list, struct arena *a)
{
    CHECK(list->n <= PURGE_LIST_MAX);
    for (size_t i = 0; i < list->n; i++)
        check_page(p, list->v[i], a);
}

static void check_plan(const struct deploy_plan *p, struct arena *a)
{
    struct origin_address unused;
    struct host host;
    CHECK(p->site == &settings->sites[0] || p->site == &settings->sites[1]);
    CHECK(p->id.n <= LEDGER_ID_MAX && p->origin.n <= LEDGER_ORIGIN_MAX && p->top <= TOP_MOST);
    CHECK(!p->origin.n || !form_origin(p->origin, a, &unused));
    CHECK(p->wait_ms >= 0 && p->wait_ms <= DEPLOY_WAIT_MOST);
    CHECK(p->warm_ms >= 0 && p->warm_ms <= DEPLOY_WARM_MOST);
    CHECK(p->keep_ms >= 0 && p->keep_ms <= DEPLOY_KEEP_MOST);
    CHECK(!p->rollback || (!p->id.n && !p->origin.n));
    if (p->host.n) {
        CHECK(host_parse(p->host, p->https, a, &host) == HTTP_ERROR_NONE);
        CHECK(settings_site_of_host(settings, host.name) == p->site);
    }
    if (p->check.n)
        check_page(p, p->check, a);
    if (p->sitemap.n)
        check_page(p, p->sitemap, a);
    check_pages(p, &p->pages, a);
    check_pages(p, &p->assets, a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct deploy_plan plan;
    struct purge_error error = { 0 };
    set_up();
    arena_init(&a, 4096);
    if (deploy_parse((struct str){ (const char *)data, size }, settings, &token_rights_all, &a, &plan,
                     &error))
        check_plan(&plan, &a);
    else
        CHECK((error.status == 400 || error.status == 404 || error.status == 413) && error.text.n > 0);
    arena_fini(&a);
    return 0;
}
