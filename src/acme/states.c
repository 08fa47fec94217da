#include "acme/states.h"

#define FIRST_BYTES 4096

static struct acme_state *copy(const struct acme_state *v, size_t n, struct arena *to)
{
    struct acme_state *out = arena_zero(to, (n + 1) * sizeof(*out));
    for (size_t i = 0; i < n; i++) {
        out[i] = v[i];
        out[i].id = arena_dup(to, v[i].id);
        out[i].directory = arena_dup(to, v[i].directory);
        out[i].error = arena_dup(to, v[i].error);
        out[i].outcome = arena_dup(to, v[i].outcome);
        out[i].names = (struct strs){ 0 };
        for (size_t k = 0; k < v[i].names.n; k++)
            arena_add_str(to, &out[i].names, arena_dup(to, v[i].names.v[k]));
    }
    return out;
}

void states_init(struct states *s)
{
    *s = (struct states){ .n = 0 };
    lock_init(&s->lock);
    arena_init(&s->arena, FIRST_BYTES);
}

void states_fini(struct states *s)
{
    arena_fini(&s->arena);
    lock_fini(&s->lock);
}

void states_put(struct states *s, const struct acme_state *v, size_t n, const struct acme_totals *totals)
{
    struct arena arena;
    arena_init(&arena, FIRST_BYTES);
    struct acme_state *copies = copy(v, n, &arena);
    lock_take(&s->lock);
    struct arena before = s->arena;
    s->arena = arena;
    s->v = copies;
    s->n = n;
    s->totals = *totals;
    lock_give(&s->lock);
    arena_fini(&before);
}

struct acme_state *states_copy(struct states *s, struct arena *to, size_t *n, struct acme_totals *totals)
{
    lock_take(&s->lock);
    struct acme_state *out = copy(s->v, s->n, to);
    *n = s->n;
    if (totals)
        *totals = s->totals;
    lock_give(&s->lock);
    return out;
}
