/* A configuration is either a snapshot that keeps every promise of conf/settings.h, or lines that say what is
 * wrong. */
#include "base/check.h"
#include "conf/report.h"
#include "conf/setting.h"
#include "http/field.h"

#define FLAGS_MAX 8

/* The input begins with flags, "--name=value" a line, and goes on with the file. */
static size_t take_flags(struct str *rest, struct override flags[FLAGS_MAX])
{
    size_t n = 0;
    while (n < FLAGS_MAX && str_starts(*rest, STR("--")) && !str_starts(*rest, STR("---"))) {
        struct str value = str_cut(rest, '\n');
        struct str flag = str_cut(&value, '=');
        flags[n++] = (struct override){ .flag = flag, .name = str_from_index(flag, 2), .value = value };
    }
    return n;
}

static void check_errors(struct str errors)
{
    size_t lines = 0;
    CHECK(errors.p[errors.n - 1] == '\n');
    for (struct str rest = str_first(errors, errors.n - 1); rest.p; lines++) {
        struct str line = str_cut(&rest, '\n');
        CHECK(str_starts(line, STR("t.yaml:")) || str_starts(line, STR("--")));
        CHECK(line.n > 10);
        for (size_t i = 0; i < line.n; i++)
            CHECK((unsigned char)line.p[i] >= 0x20 && line.p[i] != 0x7f);
    }
    CHECK(lines <= REPORT_MAX + 1);
}

static bool has_control(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
            return true;
    return false;
}

static void check_strings(const struct setting *t, const struct strs *list)
{
    for (size_t i = 0; i < list->n; i++) {
        CHECK(list->v[i].n > 0 && !has_control(list->v[i]));
        CHECK(!form_check(t->form, list->v[i]));
    }
    CHECK(!t->needed || list->n);
}

/* Every value is one that its row allows. */
static void check_values(enum setting_scope scope, const void *base)
{
    for (enum setting_id id = 0; id < SETTING_COUNT; id++) {
        const struct setting *t = &setting_table[id];
        const void *at = (const char *)base + t->offset;
        if (t->scope != scope)
            continue;
        if (t->type == TYPE_COUNT || t->type == TYPE_BYTES || t->type == TYPE_TIME) {
            int64_t number = *(const int64_t *)at;
            CHECK(number >= t->least && number <= t->most);
        } else if (t->type == TYPE_TEXT) {
            struct str text = *(const struct str *)at;
            check_strings(t, &(struct strs){ &text, text.n ? 1 : 0 });
        } else if (t->type == TYPE_LIST) {
            check_strings(t, at);
        } else if (t->type == TYPE_CHOICE) {
            size_t words = 0;
            for (struct str rest = t->words; rest.p; words++)
                str_cut(&rest, '|');
            CHECK(*(const int *)at >= 0 && (size_t) * (const int *)at < words);
        }
    }
}

static void check_site(const struct settings *s, const struct site_settings *site)
{
    const struct origin_address *o = &site->origin_address;
    CHECK(!form_site_name(site->name));
    CHECK(settings_site_by_name(s, site->name) == site);
    CHECK((unsigned)site->profile < PROFILE_COUNT);
    check_values(SCOPE_SITE, site);
    CHECK((o->host_name.n == 0) != (o->local_path.n == 0));
    CHECK(o->authority.n && (o->host_name.n == 0 || o->port));
    CHECK(site->origin.n >= 1 && site->origin.n <= SITE_ORIGINS_MAX && site->origin_text.n);
    size_t backups = 0;
    for (size_t i = 0; i < site->origin.n; i++) {
        CHECK(site->origin_list[i].weight >= 1 && site->origin_list[i].weight <= SITE_ORIGIN_WEIGHT_MAX);
        backups += site->origin_list[i].is_backup;
    }
    CHECK(backups < site->origin.n);
    if (site->checks)
        CHECK(site->checks->path.p[0] == '/' && site->checks->expect_n && site->checks->every_ms > 0);
    for (size_t i = 0; i < site->hosts.n; i++)
        if (site->hosts.v[i].p[0] != '*')
            CHECK(settings_site_of_host(s, site->hosts.v[i]) == site);
    CHECK(site->hosts.n || s->site_of_rest == site);
    for (size_t i = 0; i < site->tag_headers.n; i++)
        CHECK(is_token(site->tag_header_list[i].name));
    for (size_t i = 0; i < site->ignored_params.n; i++)
        CHECK(i == 0 || str_cmp(site->ignored_params.v[i - 1], site->ignored_params.v[i]) < 0);
}

static void check_settings(const struct settings *s)
{
    size_t hosts = 0;
    CHECK(s->sites_n >= 1);
    check_values(SCOPE_PROCESS, &s->process);
    for (size_t i = 0; i < s->sites_n; i++) {
        check_site(s, &s->sites[i]);
        hosts += s->sites[i].hosts.n;
    }
    CHECK(s->hosts_n == hosts);
    for (size_t i = 1; i < s->hosts_n; i++)
        CHECK(str_cmp(s->hosts[i - 1].pattern, s->hosts[i].pattern) < 0);
    CHECK(settings_site_of_host(s, STR("no.such.host.invalid")) || !s->site_of_rest);
}

/* What is said twice is understood twice in the same way. */
static void check_same(const struct settings *a, const struct settings *b)
{
    struct buf names = BUF_INIT;
    CHECK(a->sites_n == b->sites_n);
    for (size_t i = 0; i < a->sites_n; i++)
        CHECK(!site_settings_store_changed(&a->sites[i], &b->sites[i]));
    CHECK(!settings_start_changed(a, b, &names));
    buf_fini(&names);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str yaml = { (const char *)data, size };
    struct override flags[FLAGS_MAX];
    size_t n = take_flags(&yaml, flags);
    struct buf errors = BUF_INIT, again = BUF_INIT;
    struct settings *s = settings_parse(yaml, STR("t.yaml"), flags, n, &errors);
    struct settings *t = settings_parse(yaml, STR("t.yaml"), flags, n, &again);
    CHECK((s == NULL) == (errors.n > 0));
    CHECK((t == NULL) == (s == NULL) && str_eq(buf_str(&errors), buf_str(&again)));
    if (s) {
        check_settings(s);
        check_same(s, t);
        settings_unref(t);
        settings_unref(s);
    } else {
        check_errors(buf_str(&errors));
    }
    buf_fini(&errors);
    buf_fini(&again);
    return 0;
}
