#include "acme/acme_machine.h"
#include "acme/backoff.h"
#include "acme/revoke.h"

static void revoked(struct acme *a, struct want *w)
{
    struct buf names = BUF_INIT;
    want_add_names(w, &names);
    log_info(a->owner->log, "acme", "the CA has revoked %s for %.*s",
             w->record.wanted ? "the certificate" : "the earlier certificate", STR_ARG(buf_str(&names)));
    buf_fini(&names);
    a->totals.revoked++;
    buf_clear(&w->record.revoke);
    w->record.revoke_failures = 0;
    w->record.revoke_try_ms = 0;
    if (w->record.failures == 0)
        buf_clear(&w->record.error);
    acme_keep_record(a, w);
    if (!w->record.wanted) /* else the new one is waited for */
        want_answer(w, STR_NONE);
}

static void not_revoked(struct acme *a, struct want *w, const struct session_trouble *t, bool is_final)
{
    struct buf names = BUF_INIT, text = BUF_INIT;
    int64_t wait_ms = backoff_ms(++w->record.revoke_failures, t->retry_after_ms, acme_chance());
    w->record.revoke_try_ms = acme_now(a).wall_ms + wait_ms;
    a->totals.failures++;
    want_add_names(w, &names);
    buf_printf(&text, "cannot revoke the certificate for %.*s: %.*s", STR_ARG(buf_str(&names)),
               STR_ARG(buf_str(&t->text)));
    if (is_final) {
        buf_clear(&w->record.revoke);
        w->record.revoke_failures = 0;
    }
    acme_keep_error(a, w, buf_str(&text));
    buf_add(&text, is_final ? STR(". It is not tried again") : STR(". The next try is in "));
    if (!is_final)
        want_add_span(wait_ms, &text);
    log_error(a->owner->log, "acme", "%.*s", STR_ARG(buf_str(&text)));
    want_answer(w, buf_str(&text));
    buf_fini(&names);
    buf_fini(&text);
}

void acme_revoke(struct acme *a, struct want *w)
{
    struct session_trouble t = { .retry_after_ms = -1 };
    enum revoke_result result =
        revoke_ask(&a->session, buf_str(&w->record.revoke), w->record.reason, acme_now(a).wall_ms, &t);
    if (result == REVOKE_DONE)
        revoked(a, w);
    else if (!atomic_load(&a->stopping)) /* else the stop is why */
        not_revoked(a, w, &t, result == REVOKE_NEVER);
    session_rest(&a->session);
    session_trouble_fini(&t);
}

struct want *acme_to_revoke(const struct acme *a)
{
    int64_t now_ms = acme_now(a).wall_ms;
    for (size_t i = 0; a->plan && i < a->plan->rules.n; i++)
        if (want_revoke_ms(&a->plan->wants[i], now_ms) <= now_ms)
            return &a->plan->wants[i];
    return NULL;
}
