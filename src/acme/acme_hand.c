#include <openssl/crypto.h>

#include "acme/acme_machine.h"
#include "acme/revoke.h"
#include "base/mem.h"

/* An order that goes on has a key that others may have, too. */
static void forget_key(struct acme *a, struct want *w)
{
    if (a->of == w)
        acme_end_order(a);
    buf_clear(&w->record.order);
    if (w->record.key.n)
        OPENSSL_cleanse(w->record.key.p, w->record.key.n);
    buf_clear(&w->record.key);
}

static void take_wish(struct acme *a, const struct wish *q)
{
    struct want *w = acme_want_by_id(a->plan, q->id);
    struct buf why = BUF_INIT;
    int64_t now_ms = acme_now(a).wall_ms;
    if (!w)
        return; /* the settings have changed since */
    want_answer(w, STR("somebody else has asked for it, too"));
    w->asked = q->number;
    w->wish = q->wish;
    bool good = q->wish == WANT_RENEW ? want_renew(w, now_ms, &why) : want_revoke(w, q->reason, now_ms, &why);
    if (good && q->wish == WANT_REVOKE && q->reason == REVOKE_KEY_COMPROMISE)
        forget_key(a, w);
    if (good)
        acme_keep_record(a, w);
    else
        want_answer(w, buf_str(&why));
    buf_fini(&why);
}

void acme_take_wishes(struct acme *a)
{
    struct wish all[ACME_ASKED_MOST];
    lock_take(&a->lock);
    size_t n = a->wishes_n;
    memcpy(all, a->wishes, n * sizeof(*all));
    a->wishes_n = 0;
    atomic_store(&a->is_asked, false);
    lock_give(&a->lock);
    for (size_t i = 0; i < n; i++)
        take_wish(a, &all[i]);
}

static bool has_name(const struct acme_state *s, struct str name)
{
    for (size_t i = 0; i < s->names.n; i++)
        if (str_eq_nocase(s->names.v[i], name))
            return true;
    return str_eq(s->id, name);
}

static void say_unknown(struct str name, const struct acme_state *v, size_t n, struct buf *why)
{
    buf_printf(why, "no certificate of ACME is for \"%.*s\"", STR_ARG(str_utf8_first(name, 253)));
    buf_add(why, n ? STR("; there are those for ") : STR("; there is none at all"));
    for (size_t i = 0; i < n && i < ACME_ASKED_MOST; i++)
        buf_printf(why, "%s%.*s", i ? ", " : "", STR_ARG(v[i].names.v[0]));
    if (n > ACME_ASKED_MOST)
        buf_printf(why, " and %zu more", n - ACME_ASKED_MOST);
}

static uint64_t put_wish(struct acme *a, struct wish *q)
{
    lock_take(&a->lock);
    bool has_room = a->wishes_n < ACME_ASKED_MOST;
    q->number = has_room ? ++a->asked : 0;
    if (has_room)
        a->wishes[a->wishes_n++] = *q;
    atomic_store(&a->is_asked, has_room || a->wishes_n > 0);
    lock_give(&a->lock);
    return q->number;
}

uint64_t acme_ask(struct acme *a, const struct acme_asked *q, struct buf *why)
{
    struct arena arena;
    size_t n, i = 0;
    struct wish wish = { .wish = q->wish, .reason = q->reason };
    arena_init(&arena, 4096);
    const struct acme_state *v = states_copy(&a->states, &arena, &n, NULL);
    while (i < n && !has_name(&v[i], q->name))
        i++;
    if (i == n)
        say_unknown(q->name, v, n, why);
    else
        memcpy(wish.id, v[i].id.p, v[i].id.n); /* the rest is zero */
    arena_fini(&arena);
    if (!wish.id[0])
        return 0;
    if (!put_wish(a, &wish))
        buf_add(why, STR("too much is asked for at once; ask again in a moment"));
    return wish.number;
}
