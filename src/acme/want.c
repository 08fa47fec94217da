#include "acme/want.h"

#include <openssl/crypto.h>

#include "acme/backoff.h"
#include "acme/revoke.h"
#include "base/log.h"

#define SAID_NAMES 3

void want_fini(struct want *w)
{
    store_record_fini(&w->record);
    if (w->pem.n)
        OPENSSL_cleanse(w->pem.p, w->pem.n);
    buf_fini(&w->pem);
    buf_fini(&w->outcome);
    if (w->pair)
        pair_unref(w->pair);
    if (w->substitute)
        pair_unref(w->substitute);
}

/* ---- words ---- */

void want_add_names(const struct want *w, struct buf *out)
{
    const struct strs *names = &w->set.names;
    for (size_t i = 0; i < names->n && i < SAID_NAMES; i++)
        buf_printf(out, "%s%.*s", i ? ", " : "", STR_ARG(names->v[i]));
    if (names->n > SAID_NAMES)
        buf_printf(out, " and %zu more", names->n - SAID_NAMES);
}

void want_add_span(int64_t ms, struct buf *out)
{
    int64_t minutes = (ms + 59999) / 60000;
    if (minutes < 120)
        buf_printf(out, "%lld minute%s", (long long)minutes, minutes == 1 ? "" : "s");
    else if (minutes < 48 * 60)
        buf_printf(out, "%lld hours", (long long)(minutes / 60));
    else
        buf_printf(out, "%lld days", (long long)(minutes / 1440));
}

/* ---- when ---- */

/* A clock that went back, or a CA that asks for years, must not silence it for good. */
static int64_t not_before(int64_t ms, int64_t now_ms)
{
    return ms > now_ms + 2 * BACKOFF_MOST_MS ? now_ms : ms;
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t want_order_ms(const struct want *w, int64_t now_ms)
{
    int64_t at = not_before(w->record.try_ms, now_ms);
    if (!w->pair || w->record.wanted || w->record.order.n) /* what was begun goes on */
        return at;
    int64_t renew = w->record.renew_ms, again = w->record.issued_ms + WANT_AGAIN_MS;
    if (renew < again && w->record.issued_ms <= now_ms)
        renew = again;
    return later(renew, at);
}

int64_t want_advice_ms(const struct want *w, int64_t now_ms)
{
    if (!w->pair)
        return INT64_MAX;
    return later(w->record.advised_until_ms, not_before(w->record.try_ms, now_ms));
}

/* When the key is in others' hands it comes first, once; else no visitor is to be left without a
 * certificate. */
int64_t want_revoke_ms(const struct want *w, int64_t now_ms)
{
    const struct store_record *r = &w->record;
    bool is_first = r->reason == REVOKE_KEY_COMPROMISE && r->revoke_failures == 0;
    if (r->revoke.n == 0 || (r->wanted && !is_first))
        return INT64_MAX;
    return not_before(r->revoke_try_ms, now_ms);
}

int64_t want_due_ms(const struct want *w, int64_t now_ms)
{
    return sooner(want_order_ms(w, now_ms), sooner(want_advice_ms(w, now_ms), want_revoke_ms(w, now_ms)));
}

/* ---- by hand ---- */

static int64_t told_ms(const struct want *w, int64_t now_ms)
{
    return not_before(w->record.told_ms, now_ms);
}

static bool refuse_told(const struct want *w, int64_t now_ms, struct buf *why)
{
    char text[32];
    log_time_write(text, told_ms(w, now_ms));
    buf_printf(why, "the CA has asked not to be asked before %.16sZ", text);
    return false;
}

/* Whoever asks by hand may ask too often. What the CA itself wants is no mistake of his. */
static bool refuse_hour(const struct want *w, int64_t now_ms, struct buf *why)
{
    buf_add(why, STR("the one that is there came "));
    want_add_span(now_ms - w->record.issued_ms, why);
    buf_add(why, STR(" ago, and between two for the same names there is an hour, since CAs count them; ask "
                     "again in "));
    want_add_span(w->record.issued_ms + WANT_AGAIN_MS - now_ms, why);
    return false;
}

bool want_renew(struct want *w, int64_t now_ms, struct buf *why)
{
    struct store_record *r = &w->record;
    bool is_new = w->pair && r->issued_ms <= now_ms && now_ms < r->issued_ms + WANT_AGAIN_MS;
    if (told_ms(w, now_ms) > now_ms)
        return refuse_told(w, now_ms, why);
    if (is_new && r->renew_ms > now_ms && !r->wanted)
        return refuse_hour(w, now_ms, why);
    r->wanted = true;
    r->try_ms = 0;
    return true;
}

bool want_revoke(struct want *w, unsigned reason, int64_t now_ms, struct buf *why)
{
    struct store_record *r = &w->record;
    if (!w->pair) {
        buf_add(why, STR("there is no certificate that could be revoked"));
        return false;
    }
    if (r->revoke.n) {
        buf_add(why, STR("one is being revoked already"));
        return false;
    }
    if (!revoke_add_certificate(buf_str(&w->pem), &r->revoke)) {
        buf_add(why, STR("the certificate's file is damaged"));
        return false;
    }
    r->reason = reason;
    r->revoke_failures = 0;
    r->revoke_try_ms = 0;
    r->wanted = true;
    r->try_ms = told_ms(w, now_ms);
    return true;
}

void want_answer(struct want *w, struct str text)
{
    if (w->asked <= w->answered)
        return;
    w->answered = w->asked;
    buf_clear(&w->outcome);
    buf_add(&w->outcome, text);
}
