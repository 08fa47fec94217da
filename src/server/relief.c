#include "server/relief.h"

#include "base/mem.h"
#include "server/worker.h"

/* Malloc gives back by itself what is free at the end of its heaps, and keeps the rest. */
#define TRIM_EVERY 10 /* looks */

static int64_t names_bytes(void *ctx)
{
    const struct process *p = ctx;
    return (int64_t)epochs_bytes(p->cache->epochs);
}

void relief_init(struct process *p)
{
    p->overload = (struct overload){ .most_bytes = p->settings->process.overhead,
                                     .passing = &p->cache->memory.passing_bytes,
                                     .beside = names_bytes,
                                     .ctx = p };
}

void relief_begin(struct process *p)
{
    if (!overload_begin(&p->overload))
        log_warning(
            &p->log, "overload",
            "overhead: %lld of %lld bytes are in use before the first client; raise it, or lower workers",
            (long long)p->overload.base_bytes, (long long)p->overload.most_bytes);
}

static void say(struct process *p, enum overload_step step, enum overload_step before)
{
    static const char *const what[OVERLOAD_STEPS] = { "", "buffers are small and idle connections end sooner",
                                                      "the slowest clients are cut off",
                                                      "pages that are not in the cache get 503",
                                                      "accepting pauses when nobody can be cut off" };
    char held[LOG_HELD_MAX];
    struct clock plain = { 0 };
    long long bytes = atomic_load_explicit(&p->overload.held_bytes, memory_order_relaxed);
    if (step <= before || !log_valve_opens(&p->overload_said[step], clock_mono_us(&plain) / 1000, held))
        return;
    log_warning(&p->log, "overload", "%lld of %lld bytes are in use beside the cache (overhead): %s%s", bytes,
                (long long)p->overload.most_bytes, what[step], held);
}

static bool is_needed(const struct process *p)
{
    for (size_t i = 0; i < p->workers_n; i++)
        if (acceptor_needs_relief(&p->workers[i].acceptor))
            return true;
    return false;
}

bool relief_look(struct process *p)
{
    enum overload_step before = overload_step(&p->overload), step = overload_judge(&p->overload);
    bool is_short = step > OVERLOAD_NONE || is_needed(p);
    say(p, step, before);
    if (step > OVERLOAD_NONE && ++p->relief.looks % TRIM_EVERY == 0)
        mem_trim();
    bool was_short = p->relief.was_short;
    if (is_short || was_short)
        for (size_t i = 0; i < p->workers_n; i++)
            worker_post_relief(&p->workers[i]);
    p->relief.was_short = is_short;
    return is_short || was_short;
}
