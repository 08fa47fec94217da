#include "admin/certificate.h"

#include <jansson.h>

#include "admin/body.h"
#include "admin/metrics.h"

#define SAID_MOST   500 /* certificates with a metric of their own */
#define REASON_MOST 64
#define NAME_MOST   253
#define EXAMPLE     "{\"name\": \"shop.example\", \"action\": \"renew\"}"

static struct str source_name(enum certificate_source s)
{
    static const struct str names[] = { [CERTIFICATE_FILE] = STR_INIT("file"),
                                        [CERTIFICATE_ACME] = STR_INIT("acme"),
                                        [CERTIFICATE_LOCAL] = STR_INIT("local") };
    return names[s];
}

/* ---- JSON ---- */

static void write_list(struct answer_writer *w, const char *key, const struct strs *list)
{
    answer_open(w, key, '[');
    for (size_t i = 0; i < list->n; i++)
        answer_str(w, NULL, list->v[i]);
    answer_close(w, ']');
}

static void write_time(struct answer_writer *w, const char *key, int64_t wall_ms)
{
    if (wall_ms > 0)
        answer_time(w, key, wall_ms);
    else
        answer_null(w, key);
}

static void write_acme(const struct certificate_row *c, struct answer_writer *w)
{
    answer_str(w, "directory", c->from);
    answer_bool(w, "ordering", c->orders);
    answer_bool(w, "revoking", c->revokes);
    if (c->error.n) {
        answer_str(w, "error", c->error);
        answer_int(w, "failures", c->failures);
        write_time(w, "next_try", c->try_ms);
    }
    if (c->asked) {
        answer_int(w, "asked", (int64_t)c->asked);
        answer_int(w, "answered", (int64_t)c->answered);
        if (c->answered == c->asked && c->outcome.n)
            answer_str(w, "outcome", c->outcome);
    }
}

static void write_row(const struct certificate_row *c, struct answer_writer *w)
{
    answer_open(w, NULL, '{');
    answer_str(w, "id", c->id);
    answer_str(w, "source", source_name(c->source));
    write_list(w, "names", &c->names);
    write_list(w, "sites", &c->sites);
    write_time(w, "until", c->until_ms);
    write_time(w, "renewed", c->renew_ms);
    if (c->source == CERTIFICATE_ACME)
        write_acme(c, w);
    answer_close(w, '}');
}

static bool may_see(const struct certificate_row *c, const struct token_rights *rights)
{
    bool may = rights->every_site;
    for (size_t i = 0; i < c->sites.n && !may; i++)
        may = token_may_site(rights, c->sites.v[i]);
    return may;
}

void certificate_write(struct certificate_desk *d, const struct settings *s,
                       const struct token_rights *rights, struct arena *a, struct answer_writer *w)
{
    size_t n;
    if (!d)
        return;
    const struct certificate_row *all = d->list(d, s, STR_NONE, a, &n, NULL);
    answer_open(w, "certificates", '[');
    for (size_t i = 0; i < n; i++)
        if (may_see(&all[i], rights))
            write_row(&all[i], w);
    answer_close(w, ']');
}

void certificate_write_host(struct certificate_desk *d, const struct settings *s, struct str host,
                            struct arena *a, struct answer_writer *w)
{
    size_t n;
    if (!d)
        return;
    const struct certificate_row *all = d->list(d, s, host, a, &n, NULL);
    answer_open(w, "certificates", '[');
    for (size_t i = 0; i < n; i++)
        write_row(&all[i], w);
    answer_close(w, ']');
}

void certificate_list(struct admin *a, struct request *r, const struct token_rights *rights)
{
    struct answer_writer w = { .depth = 0 };
    answer_open(&w, NULL, '{');
    answer_int(&w, "pid", a->pid);
    if (a->certificates) {
        certificate_write(a->certificates, r->settings, rights, &r->arena, &w);
    } else {
        answer_open(&w, "certificates", '[');
        answer_close(&w, ']');
    }
    answer_close(&w, '}');
    answer_json(r, 200, answer_finish(&w, &r->arena));
}

/* ---- renew, revoke ---- */

struct wish {
    struct str name, action, reason;
};

static bool take_member(const char *name, const json_t *v, struct arena *a, struct wish *out,
                        struct purge_error *error)
{
    static const struct str known[] = { STR_INIT("name"), STR_INIT("action"), STR_INIT("reason") };
    struct str *to[] = { &out->name, &out->action, &out->reason };
    for (size_t i = 0; i < COUNT_OF(known); i++)
        if (str_eq(str_from(name), known[i]))
            return json_is_null(v) || body_string(name, v, a, to[i], error);
    return body_refuse_member(name, known, COUNT_OF(known), a, error);
}

static bool take_wish(struct request *r, struct str body, struct wish *out)
{
    struct purge_error error;
    json_t *root, *v;
    const char *name;
    bool good = body_parse(body, EXAMPLE, &r->arena, &root, &error);
    if (good) {
        json_object_foreach(root, name, v) good = good && take_member(name, v, &r->arena, out, &error);
        json_decref(root);
    }
    if (!good) {
        answer_error(r, error.status, "%.*s", STR_ARG(error.text));
        return false;
    }
    bool renews = str_eq(out->action, STR("renew")), revokes = str_eq(out->action, STR("revoke"));
    if (!out->name.n || out->name.n > NAME_MOST)
        answer_error(r, 400, "name is missing: one of the certificate's names, or its id");
    else if (!renews && !revokes)
        answer_error(r, 400, "action must be \"renew\" or \"revoke\"");
    else if (renews && out->reason.n)
        answer_error(r, 400, "reason is for revoke; leave it out");
    if (revokes && !out->reason.n)
        out->reason = STR("superseded");
    out->reason = str_first(out->reason, REASON_MOST);
    return out->name.n && out->name.n <= NAME_MOST && (revokes || (renews && !out->reason.n));
}

void certificate_ask(struct admin *a, struct request *r, const struct token_rights *rights, struct str body)
{
    struct wish wish = { .name = STR_NONE };
    struct answer_writer w = { .depth = 0 };
    struct str why = STR("there is no https here, so no certificate");
    if (!take_wish(r, body, &wish))
        return;
    struct certificate_desk *d = a->certificates;
    uint64_t number = d ? d->ask(d, r->settings, wish.name, wish.reason, &r->arena, &why) : 0;
    if (number == 0) {
        answer_error(r, 409, "%.*s", STR_ARG(why));
        return;
    }
    log_info(r->w->log, "admin", "%.*s wants the certificate for %.*s to be %s",
             STR_ARG(token_called(rights, &r->arena)), STR_ARG(wish.name),
             wish.reason.n ? "revoked" : "renewed");
    answer_open(&w, NULL, '{');
    answer_int(&w, "pid", a->pid);
    answer_str(&w, "name", wish.name);
    answer_int(&w, "asked", (int64_t)number);
    answer_close(&w, '}');
    answer_json(r, 202, answer_finish(&w, &r->arena));
}

/* ---- metrics ---- */

static void add_total(struct buf *b, const char *name, uint64_t value, const char *help)
{
    metrics_add(b, name, "counter", (int64_t)value, help);
}

void certificate_metrics(struct certificate_desk *d, const struct settings *s, struct arena *a, struct buf *b)
{
    struct certificate_totals t = { 0 };
    size_t n = 0;
    const struct certificate_row *all = d ? d->list(d, s, STR_NONE, a, &n, &t) : NULL;
    if (n)
        metrics_begin(b, "certificate_expiry_timestamp_seconds", "gauge",
                      "When the certificate expires; 0: it is to come. Of the first 500");
    for (size_t i = 0; i < n && i < SAID_MOST; i++) {
        buf_add(b, STR("freshet_certificate_expiry_timestamp_seconds{certificate=\""));
        metrics_add_label(b, all[i].id);
        buf_add(b, STR("\",name=\""));
        metrics_add_label(b, all[i].names.n ? all[i].names.v[0] : STR_NONE);
        buf_printf(b, "\",source=\"%.*s\"} %lld\n", STR_ARG(source_name(all[i].source)),
                   (long long)(all[i].until_ms / 1000));
    }
    int64_t failing = 0;
    for (size_t i = 0; i < n; i++)
        failing += all[i].error.n > 0;
    metrics_add(b, "certificates", "gauge", (int64_t)n, "Certificates for visitors, and such as are to come");
    metrics_add(b, "acme_failing", "gauge", failing, "Certificates whose last order or revocation failed");
    add_total(b, "acme_orders_total", t.orders, "Orders that were begun or gone on with at a CA");
    add_total(b, "acme_failures_total", t.failures, "Orders and revocations that failed");
    add_total(b, "acme_issued_total", t.issued, "Certificates that came from a CA");
    add_total(b, "acme_renewals_total", t.renewed, "Of these, those in the place of another one");
    add_total(b, "acme_revocations_total", t.revoked, "Certificates that a CA has revoked for us");
}
