#include "conf/webhook.h"

#include "conf/report.h"
#include "conf/setting.h"
#include "conf/shape.h"

static const struct str names[SENDER_COUNT] = {
#define SENDER(id, ...) STR_INIT(#id),
#include "tbl/senders.h"
#undef SENDER
};

static const struct webhook_scheme schemes[SENDER_COUNT] = {
#define SENDER(id, how, digest, coding, field, other, prefix, delivery)                                      \
    { WEBHOOK_##how,   WEBHOOK_##digest, WEBHOOK_##coding,  STR_INIT(field),                                 \
      STR_INIT(other), STR_INIT(prefix), STR_INIT(delivery) },
#include "tbl/senders.h"
#undef SENDER
};

struct str webhook_sender_name(enum sender s)
{
    CHECK(s < SENDER_COUNT);
    return names[s];
}

struct webhook_scheme webhook_scheme_of(enum sender s)
{
    CHECK(s < SENDER_COUNT);
    return schemes[s];
}

/* ---- one entry of the setting ---- */

struct entry_reader {
    const struct map *entry;
    struct arena *arena;
    struct report *report;
};

static const struct map_value *field(const struct entry_reader *r, enum webhook_field id)
{
    return &r->entry->v[id];
}

static void problem(const struct entry_reader *r, enum webhook_field id, const char *text)
{
    unsigned line = field(r, id)->line;
    report_add(r->report, PLACE_LINE(line ? line : r->entry->line), "%.*s: %s",
               STR_ARG(shape_table[SHAPE_WEBHOOK].fields[id].name), text);
}

/* Two ways to prove it: one of them would be passed over. */
static void check_generic(const struct entry_reader *r)
{
    static const enum webhook_field of_header[] = { WEBHOOK_FIELD_header, WEBHOOK_FIELD_digest,
                                                    WEBHOOK_FIELD_prefix };
    for (size_t i = 0; i < COUNT_OF(of_header); i++)
        if (field(r, WEBHOOK_FIELD_member)->line && field(r, of_header[i])->line)
            problem(r, of_header[i],
                    "is about a header, and member says that the secret is in the payload; leave one out");
    if (field(r, WEBHOOK_FIELD_coding)->line && !field(r, WEBHOOK_FIELD_digest)->line)
        problem(r, WEBHOOK_FIELD_coding, "says how a digest is written; add digest, or leave it out");
}

/* Does the sender sign a time? */
static bool signs_time(enum webhook_how how)
{
    return how != WEBHOOK_BODY && how != WEBHOOK_SECRET && how != WEBHOOK_MEMBER;
}

static void read_scheme(const struct entry_reader *r, struct webhook *w)
{
    static const enum webhook_field own[] = { WEBHOOK_FIELD_member, WEBHOOK_FIELD_digest,
                                              WEBHOOK_FIELD_coding, WEBHOOK_FIELD_prefix };
    w->sender = field(r, WEBHOOK_FIELD_sender)->line ? (enum sender)field(r, WEBHOOK_FIELD_sender)->choice
                                                     : SENDER_generic;
    struct webhook_scheme *s = &w->scheme;
    *s = schemes[w->sender];
    if (field(r, WEBHOOK_FIELD_header)->line) {
        if (s->how == WEBHOOK_MEMBER || s->how == WEBHOOK_CONTENTFUL || s->how == WEBHOOK_STANDARD)
            problem(r, WEBHOOK_FIELD_header, "this sender has no other header; leave it out");
        s->field = field(r, WEBHOOK_FIELD_header)->text;
        s->other = STR_NONE;
    }
    for (size_t i = 0; i < COUNT_OF(own); i++)
        if (w->sender != SENDER_generic && field(r, own[i])->line)
            problem(r, own[i], "is for sender: generic alone; leave it out");
    if (w->sender != SENDER_generic)
        return;
    check_generic(r);
    s->prefix = field(r, WEBHOOK_FIELD_prefix)->text;
    s->coding = (enum webhook_coding)field(r, WEBHOOK_FIELD_coding)->choice;
    if (field(r, WEBHOOK_FIELD_digest)->line) {
        s->how = WEBHOOK_BODY;
        s->digest = (enum webhook_digest)field(r, WEBHOOK_FIELD_digest)->choice;
        if (!field(r, WEBHOOK_FIELD_header)->line)
            problem(r, WEBHOOK_FIELD_digest, "needs header: the name of the header that holds it");
    } else if (field(r, WEBHOOK_FIELD_member)->line) {
        s->how = WEBHOOK_MEMBER;
        s->field = field(r, WEBHOOK_FIELD_member)->text;
    }
}

static void read_secret(const struct entry_reader *r, struct webhook *w)
{
    w->secret = field(r, WEBHOOK_FIELD_secret)->text;
    w->secret_file = field(r, WEBHOOK_FIELD_secret_file)->text;
    w->secret_env = field(r, WEBHOOK_FIELD_secret_env)->text;
    int given = (w->secret.n > 0) + (w->secret_file.n > 0) + (w->secret_env.n > 0);
    if (given == 0)
        problem(r, WEBHOOK_FIELD_secret, "is missing; write secret, secret_file or secret_env");
    else if (given > 1)
        problem(r, WEBHOOK_FIELD_secret,
                "the secret is given twice; leave one of secret, secret_file and secret_env");
}

static void read_templates(const struct entry_reader *r, enum webhook_field id, struct template **out,
                           size_t *n)
{
    const struct strs *list = &field(r, id)->list;
    if (list->n > WEBHOOK_TEMPLATES_MAX)
        problem(r, id, "has more than 100 entries");
    *out = arena_alloc(r->arena, list->n * sizeof(**out));
    for (size_t i = 0; i < list->n && i < WEBHOOK_TEMPLATES_MAX; i++) {
        const char *wrong = template_parse(list->v[i], r->arena, &(*out)[i]);
        if (wrong)
            problem(
                r, id,
                (const char *)arena_printf(r->arena, "%s %s", report_quote(r->report, list->v[i]), wrong).p);
    }
    *n = list->n;
}

static void read_one(const struct entry_reader *r, struct webhook *w)
{
    const struct map_value *window = field(r, WEBHOOK_FIELD_window);
    w->path = field(r, WEBHOOK_FIELD_path)->text;
    w->window_ms = window->line ? window->number : WEBHOOK_WINDOW_MS;
    w->everything = field(r, WEBHOOK_FIELD_everything)->yes;
    w->soft = field(r, WEBHOOK_FIELD_soft)->yes;
    size_t before = r->report->n;
    read_scheme(r, w);
    read_secret(r, w);
    w->secret_is_unclear = r->report->n > before;
    if (window->line && !signs_time(w->scheme.how))
        problem(r, WEBHOOK_FIELD_window, "this sender signs no time; leave it out");
    read_templates(r, WEBHOOK_FIELD_tags, &w->tags, &w->tags_n);
    read_templates(r, WEBHOOK_FIELD_urls, &w->urls, &w->urls_n);
    if (w->everything && w->tags_n + w->urls_n)
        problem(r, WEBHOOK_FIELD_everything,
                "purges what tags and urls purge as well; leave one of them out");
    if (!w->everything && w->tags_n + w->urls_n == 0)
        problem(r, WEBHOOK_FIELD_tags, "is missing; write tags, urls, or everything: true");
}

/* Of an entry with a mistake: what can be judged without the rest of it. */
static void read_part(const struct entry_reader *r, struct webhook *w)
{
    w->path = field(r, WEBHOOK_FIELD_path)->text;
    w->secret_is_unclear = true;
    read_templates(r, WEBHOOK_FIELD_tags, &w->tags, &w->tags_n);
    read_templates(r, WEBHOOK_FIELD_urls, &w->urls, &w->urls_n);
}

struct webhook *webhook_read(const struct maps *entries, struct str site, struct arena *a,
                             struct report *report)
{
    struct webhook *list = arena_zero(a, entries->n * sizeof(*list));
    for (size_t i = 0; i < entries->n; i++) {
        struct entry_reader r = { &entries->v[i], a, report };
        report->subject = arena_printf(a, "webhook %zu of %.*s", i + 1, STR_ARG(site));
        if (entries->v[i].has_mistake)
            read_part(&r, &list[i]);
        else
            read_one(&r, &list[i]);
        for (size_t k = 0; list[i].path.n && k < i; k++)
            if (str_eq(list[k].path, list[i].path))
                problem(&r, WEBHOOK_FIELD_path, "another webhook of this site has it already");
        report->subject = STR_NONE;
    }
    return list;
}

const struct webhook *webhook_at(const struct webhook *list, size_t n, struct str path)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(list[i].path, path))
            return &list[i];
    return NULL;
}
