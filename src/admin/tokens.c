#include "admin/tokens.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "store/facts.h"

#define KEY_MAX 16

void tokens_init(struct tokens *t)
{
    lock_init(&t->lock);
}

void tokens_fini(struct tokens *t)
{
    for (size_t i = 0; i < COUNT_OF(t->slots); i++)
        mem_free(t->slots[i]);
    lock_fini(&t->lock);
}

/* ---- on disk ---- */

static struct str key_of(size_t slot, char out[KEY_MAX])
{
    int n = snprintf(out, KEY_MAX, "token %zu", slot);
    return (struct str){ out, (size_t)n };
}

/* NULL in the slot: it is removed. Under the lock: so the facts have the order of the changes. */
static void save(struct tokens *t, size_t slot)
{
    char key[KEY_MAX];
    struct buf text = BUF_INIT;
    if (!t->facts)
        return;
    if (t->slots[slot])
        token_write(&t->slots[slot]->token, &text);
    CHECK(text.n <= FACTS_VALUE_MAX);
    facts_put(t->facts, key_of(slot, key), buf_str(&text));
    buf_fini(&text);
}

static struct tokens_kept *keep(const struct token *token, struct now now)
{
    struct tokens_kept *k = mem_alloc(sizeof(*k));
    k->token = *token;
    k->due_mono_ms =
        token->expires_wall_ms ? now.mono_ms + (token->expires_wall_ms - now.wall_ms) : INT64_MAX;
    return k;
}

void tokens_load(struct tokens *t, struct facts *f, struct now now, struct buf *said)
{
    char key[KEY_MAX];
    size_t bad = 0;
    struct token *token = mem_alloc(sizeof(*token));
    for (size_t i = 0; i < COUNT_OF(t->slots); i++) {
        struct str text = facts_get(f, key_of(i, key));
        if (text.n == 0)
            continue;
        if (token_read(text, token))
            t->slots[i] = keep(token, now);
        else
            bad++;
    }
    mem_free(token);
    if (bad)
        buf_printf(said, "%s%zu token%s cannot be read in the state folder and work%s no more; make new ones",
                   said->n ? "; " : "", bad, bad == 1 ? "" : "s", bad == 1 ? "s" : "");
    t->facts = f;
    for (size_t i = 0; i < COUNT_OF(t->slots) && bad; i++)
        if (!t->slots[i])
            save(t, i);
}

bool tokens_are_kept(struct tokens *t, char why[256])
{
    struct facts_state state = { .is_failing = true };
    if (t->facts)
        facts_state(t->facts, &state);
    snprintf(why, 256, "%s", state.why[0] ? state.why : "there is no state folder");
    return !state.is_failing;
}

/* ---- looking ---- */

/* By the wall clock, or by the other one when the wall clock was turned back. Once it has expired it stays
 * so, also on disk: then a turned clock revives it at a restart neither. */
static bool is_expired(struct tokens *t, size_t slot, struct now now)
{
    struct tokens_kept *k = t->slots[slot];
    bool due = k->token.expires_wall_ms &&
               (now.wall_ms >= k->token.expires_wall_ms || now.mono_ms >= k->due_mono_ms);
    if (due && !k->token.expired) {
        k->token.expired = true;
        save(t, slot);
        if (t->facts)
            facts_ask(t->facts); /* nobody waits for it */
    }
    return k->token.expired;
}

enum tokens_found tokens_find(struct tokens *t, struct str secret, struct now now, struct arena *a,
                              struct token_rights *out, int64_t *expired_wall_ms)
{
    unsigned char hash[TOKEN_HASH_BYTES];
    struct tokens_kept *found = NULL;
    enum tokens_found result = TOKENS_NONE;
    token_hash(secret, hash);
    lock_take(&t->lock);
    for (size_t i = 0; i < COUNT_OF(t->slots); i++) {
        if (!t->slots[i])
            continue;
        bool expired = is_expired(t, i, now);
        if (!token_hash_is(hash, t->slots[i]->token.hash))
            continue; /* and the others are compared as well: the time says nothing of the place */
        found = t->slots[i];
        result = expired ? TOKENS_EXPIRED : TOKENS_GOOD;
    }
    if (found) {
        token_rights_of(&found->token, a, out);
        *expired_wall_ms = found->token.expires_wall_ms;
        if (result == TOKENS_GOOD)
            found->used_wall_ms = now.wall_ms;
    }
    lock_give(&t->lock);
    return result;
}

/* ---- changes ---- */

static size_t find_name(const struct tokens *t, struct str name)
{
    size_t i = 0;
    while (i < COUNT_OF(t->slots) && !(t->slots[i] && str_eq(str_from(t->slots[i]->token.name), name)))
        i++;
    return i;
}

enum tokens_made tokens_add(struct tokens *t, const struct token *token, struct now now, size_t *expired)
{
    enum tokens_made made = TOKENS_MADE;
    size_t slot = 0;
    *expired = 0;
    lock_take(&t->lock);
    while (slot < COUNT_OF(t->slots) && t->slots[slot])
        slot++;
    for (size_t i = 0; i < COUNT_OF(t->slots); i++)
        *expired += t->slots[i] && is_expired(t, i, now);
    if (find_name(t, str_from(token->name)) < COUNT_OF(t->slots)) {
        made = TOKENS_HAS_NAME;
    } else if (slot == COUNT_OF(t->slots)) {
        made = TOKENS_FULL;
    } else {
        t->slots[slot] = keep(token, now);
        save(t, slot);
    }
    lock_give(&t->lock);
    return made;
}

bool tokens_revoke(struct tokens *t, struct str name, const unsigned char *hash)
{
    lock_take(&t->lock);
    size_t slot = find_name(t, name);
    bool found = slot < COUNT_OF(t->slots) && (!hash || token_hash_is(t->slots[slot]->token.hash, hash));
    if (found) {
        mem_free(t->slots[slot]);
        t->slots[slot] = NULL;
        save(t, slot);
    }
    lock_give(&t->lock);
    return found;
}

static int by_name(const void *a, const void *b)
{
    const struct tokens_kept *x = a, *y = b;
    return str_cmp(str_from(x->token.name), str_from(y->token.name));
}

size_t tokens_list(struct tokens *t, struct now now, struct arena *a, struct tokens_kept **out)
{
    size_t n = 0;
    *out = arena_alloc(a, COUNT_OF(t->slots) * sizeof(**out));
    lock_take(&t->lock);
    for (size_t i = 0; i < COUNT_OF(t->slots); i++) {
        if (!t->slots[i])
            continue;
        is_expired(t, i, now);
        (*out)[n++] = *t->slots[i];
    }
    lock_give(&t->lock);
    qsort(*out, n, sizeof(**out), by_name);
    return n;
}
