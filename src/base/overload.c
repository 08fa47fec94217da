#include "base/overload.h"

#include <stddef.h>

#include "base/check.h"
#include "base/mem.h"

/* Sixteenths of the whole at which a step begins. */
static const int begins[OVERLOAD_STEPS] = { 0, 8, 10, 13, 15 };
#define ENDS_BELOW 2

static int64_t sixteenths(int64_t most, int n)
{
    return most / 16 * n + most % 16 * n / 16;
}

enum overload_step overload_next(enum overload_step before, int64_t held, int64_t most)
{
    int step = OVERLOAD_NONE;
    CHECK(before < OVERLOAD_STEPS && held >= 0);
    if (most <= 0)
        return OVERLOAD_NONE;
    for (int i = 1; i < OVERLOAD_STEPS; i++)
        if (held >= sixteenths(most, begins[i] - (i <= (int)before ? ENDS_BELOW : 0)))
            step = i;
    return (enum overload_step)step;
}

static int64_t sum(const struct overload *o)
{
    int64_t held = mem_held();
    if (o->passing)
        held += atomic_load_explicit(o->passing, memory_order_relaxed);
    if (o->beside)
        held += o->beside(o->ctx);
    return held > 0 ? held : 0;
}

/* What clients may have together; the base never takes all. */
static int64_t for_clients(const struct overload *o)
{
    int64_t rest = o->most_bytes - o->base_bytes, least = o->most_bytes / 16;
    return rest > least ? rest : least;
}

/* What they have. */
static int64_t of_clients(const struct overload *o, int64_t held)
{
    return held > o->base_bytes ? held - o->base_bytes : 0;
}

bool overload_begin(struct overload *o)
{
    o->base_bytes = sum(o);
    return o->most_bytes <= 0 || o->base_bytes <= o->most_bytes / 2;
}

int64_t overload_excess(const struct overload *o)
{
    int64_t over = of_clients(o, sum(o)) - sixteenths(for_clients(o), begins[OVERLOAD_CUT] - ENDS_BELOW);
    return o->most_bytes > 0 && over > 0 ? over : 0;
}

enum overload_step overload_judge(struct overload *o)
{
    int64_t held = sum(o);
    enum overload_step step = OVERLOAD_NONE;
    if (o->most_bytes > 0)
        step = overload_next(overload_step(o), of_clients(o, held), for_clients(o));
    atomic_store_explicit(&o->held_bytes, held, memory_order_relaxed);
    if (held > atomic_load_explicit(&o->high_bytes, memory_order_relaxed))
        atomic_store_explicit(&o->high_bytes, held, memory_order_relaxed);
    atomic_store_explicit(&o->step, step, memory_order_relaxed);
    return step;
}

enum overload_step overload_with(const struct overload *o, int64_t bytes)
{
    if (!o || o->most_bytes <= 0)
        return OVERLOAD_NONE;
    return overload_next(OVERLOAD_NONE, of_clients(o, sum(o)) + bytes, for_clients(o));
}

bool overload_is_over(const struct overload *o, int64_t bytes)
{
    return o && o->most_bytes > 0 && of_clients(o, sum(o)) + bytes > for_clients(o);
}
