#include "cache/room.h"
#include "request/request_machine.h"
#include "request/window.h"

/* A pending send is looked at so often within the client's time: a client that stops is cut off later by such
 * a step at most. */
#define SEND_LOOKS 4
/* A client that holds up others has less time (decision 040). */
#define HELD_UP_MS 1000
/* The speed of a client is measured over this time. */
#define RATE_MS 5000

static bool is_passing(const struct request *r)
{
    return r->object && object_is_closed(request_filled(r));
}

/* Nobody joins a passing body: its only reader holds up nobody from then on. */
static bool may_hold_up(const struct request *r)
{
    return is_passing(r) && (r->poured || object_readers(r->object) > 1);
}

/* Do others have all that there is, and wait for this one? The readers of a coding that is being made hold up
 * the page's, too. */
static bool holds_up(const struct request *r)
{
    if (!r->body || r->at >= body_length(r->body))
        return false;
    if (object_waits_at(request_filled(r), body_length(r->body)))
        return true;
    struct body *plain = r->poured && object_is_paused(r->poured) ? object_body(r->object) : NULL;
    bool waits = plain && object_waits_at(r->object, body_length(plain));
    body_unref(plain);
    return waits;
}

/* How long the client may take nothing. A body that is not kept holds up its origin, and with it all its
 * readers. */
static int64_t send_patience(const struct request *r)
{
    if (!is_passing(r))
        return r->settings->process.send_timeout;
    return holds_up(r) && r->site->window_stall > HELD_UP_MS ? HELD_UP_MS : r->site->window_stall;
}

/* Until the next look. Others may come to wait at any time. */
static int64_t send_step(const struct request *r, int64_t patience)
{
    int64_t step = patience / SEND_LOOKS, most = may_hold_up(r) ? HELD_UP_MS / SEND_LOOKS
                                                 : r->held      ? RATE_MS
                                                                : step;
    return step < most ? step : most;
}

/* ---- the client's speed ---- */

static void measure_rate(struct request *r)
{
    r->rate_ms = r->w->loop->now.mono_ms;
    r->rate_at = request_taken(r);
}

/* Is memory short that the client holds? */
static bool is_short(const struct request *r)
{
    return room_is_short(r->w->cache) || (r->view && windows_are_short(r->w->windows));
}

/* The client holds memory that others need, and takes too little of it (CACHING.md 6.8). */
static bool is_too_slow(struct request *r)
{
    int64_t ms = r->w->loop->now.mono_ms - r->rate_ms;
    if (!r->held || ms < RATE_MS)
        return false;
    uint64_t before = r->rate_at;
    measure_rate(r);
    int64_t taken = r->rate_at > before ? (int64_t)(r->rate_at - before) : 0;
    return taken * 1000 / ms < r->settings->process.send_rate_min && is_short(r);
}

/* ---- the watch ---- */

/* A slow client is not gone: only one that acknowledges no byte is. */
static void look_at_sending(struct timer *t)
{
    struct request *r = CONTAINER_OF(t, struct request, timer);
    CHECK(r->tag == REQUEST_TAG && r->sending && r->step == STEP_SEND);
    int64_t now_ms = r->w->loop->now.mono_ms, patience = send_patience(r), step = send_step(r, patience);
    if (r->front->took(r))
        r->took_ms = now_ms;
    int64_t left = r->took_ms + patience - now_ms;
    bool too_slow = is_too_slow(r);
    if (too_slow) {
        count(r->w->counters, COUNTER_SLOW_READERS);
        r->reason = REASON_SLOW_READER;
    } else if (left > 0) {
        timer_start(r->w->loop, &r->timer, left < step ? left : step, look_at_sending);
        return;
    }
    r->gone = true;
    request_wake(r);
}

void request_watch_sending(struct request *r)
{
    CHECK(r->sending && !timer_is_running(&r->timer));
    r->took_ms = r->w->loop->now.mono_ms;
    r->front->note(r);
    if (!r->held && r->object && object_hold(r->object)) {
        r->held = object_ref(r->object);
        measure_rate(r);
    }
    r->watched_as_passing = is_passing(r);
    timer_start(r->w->loop, &r->timer, send_step(r, send_patience(r)), look_at_sending);
}

void request_watch_closely(struct request *r)
{
    CHECK(r->sending);
    if (r->watched_as_passing || !is_passing(r))
        return;
    r->watched_as_passing = true;
    timer_start(r->w->loop, &r->timer, send_step(r, send_patience(r)), look_at_sending);
}

void request_moved(struct request *r)
{
    CHECK(r->tag == REQUEST_TAG);
    if (!r->sending)
        return;
    r->took_ms = r->w->loop->now.mono_ms; /* the timer goes on, since it also measures the speed */
    r->front->note(r);
}
