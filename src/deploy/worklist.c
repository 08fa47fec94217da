#include "deploy/worklist.h"

#include "base/mem.h"

#define SEEN 32768

_Static_assert(SEEN >= 2 * WORKLIST_MAX, "half of the places are free");

static uint32_t *place_of(struct worklist *w, struct str target)
{
    uint32_t i = (uint32_t)hash64(w->secret, target) % SEEN;
    while (w->seen[i] && !str_eq(w->v[w->seen[i] - 1], target))
        i = (i + 1) % SEEN;
    return &w->seen[i];
}

void worklist_add(struct worklist *w, struct str target)
{
    if (!w->seen)
        w->seen = mem_alloc(SEEN * sizeof(*w->seen));
    uint32_t *place = place_of(w, target);
    if (*place)
        return;
    if (w->n == WORKLIST_MAX) {
        w->is_full = true;
        return;
    }
    if (w->n == w->room) {
        w->room = w->room ? 2 * w->room : 64;
        w->v = mem_resize(w->v, w->room * sizeof(*w->v));
    }
    w->v[w->n++] = arena_dup(w->arena, target);
    *place = (uint32_t)w->n;
}

bool worklist_take(struct worklist *w, struct str *out)
{
    if (w->next == w->n)
        return false;
    *out = w->v[w->next++];
    return true;
}

void worklist_fini(struct worklist *w)
{
    mem_free(w->v);
    mem_free(w->seen);
    *w = (struct worklist){ .arena = w->arena, .secret = w->secret };
}
