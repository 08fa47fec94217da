/*
 * Connections to https:// origins: how they are believed, the sessions that they go on with, and what is
 * wrong when they fail. The handshake is a part of connecting, and of its time.
 */
#include <stdio.h>

#include "base/buf.h"
#include "io/system.h"
#include "io/tls.h"
#include "origin/pool_machine.h"
#include "origin/trust.h"

static struct connection *of_stream(struct stream *s)
{
    struct connection *c = CONTAINER_OF(s, struct connection, stream);
    CHECK(c->tag == CONNECTION_TAG);
    return c;
}

bool connect_has_tls(const struct pool_entry *e)
{
    return e->origin->at.tls.is_on;
}

/* ---- who is believed ---- */

static void take_trust(struct pool_entry *e, struct outgoing *o)
{
    bool is_same = e->trust == o;
    outgoing_unref(e->trust);
    e->trust = o;
    if (!is_same)
        sessions_clear(&e->sessions);
}

bool connect_trust(struct pool_entry *e)
{
    struct origin *o = e->origin;
    struct trusts *all = o->all->trusts;
    uint64_t version = all ? trusts_version(all) : 0;
    if (e->trust && e->trust_version == version)
        return true;
    struct buf why = BUF_INIT;
    struct outgoing *now = all ? trusts_get(all, &o->at.tls, &why) : NULL;
    if (now)
        take_trust(e, now);
    else
        origin_distrusted(o, buf_str(&why));
    buf_fini(&why);
    e->trust_version = version;
    return e->trust != NULL;
}

bool connect_is_trusted(const struct connection *c)
{
    return !connect_has_tls(c->entry) || (c->entry->trust && outgoing_number(c->entry->trust) == c->trust);
}

void connect_distrust(struct pool_entry *e)
{
    sessions_clear(&e->sessions);
    outgoing_unref(e->trust);
    e->trust = NULL;
}

/* ---- connecting ---- */

/* Its time is known to pass at the origin itself now: another address would only double its work. */
static void reached(struct stream *s)
{
    struct connection *c = of_stream(s);
    struct ticket *t = c->ctx;
    if (t)
        timer_stop(c->entry->pool->loop, &t->next);
}

static void ticket_came(struct stream *s, struct ssl_session_st *session)
{
    struct connection *c = of_stream(s);
    if (connect_is_trusted(c))
        sessions_put(&c->entry->sessions, session);
    else
        sessions_drop(session);
}

static const struct str both = STR_INIT("\x02h2\x08http/1.1");

int connect_open(struct pool_entry *e, struct connection *c, const struct address *to,
                 enum origin_http2 http2)
{
    struct loop *loop = e->pool->loop;
    if (!connect_has_tls(e))
        return stream_connect(&c->stream, loop, &pool_notices, to);
    struct ssl_session_st *session = sessions_take(&e->sessions, loop->now.wall_ms);
    const struct tls_call call = { .context = outgoing_context(e->trust),
                                   .server_name = e->origin->at.tls.server_name,
                                   .session = session,
                                   .protocols = http2 == ORIGIN_HTTP2_OFF ? STR_NONE : both,
                                   .reached = reached,
                                   .ticket = ticket_came };
    c->trust = outgoing_number(e->trust);
    int status = tls_connect(&c->stream, loop, &pool_notices, to, &call);
    sessions_drop(session);
    return status;
}

bool connect_agreed(const struct connection *c, enum origin_http2 http2)
{
    struct tls_facts facts;
    if (!connect_has_tls(c->entry))
        return http2 == ORIGIN_HTTP2_ONLY;
    tls_facts(&c->stream, &facts);
    return http2 != ORIGIN_HTTP2_OFF && str_eq(facts.protocol, STR("h2"));
}

/* ---- failing ---- */

static void say(struct connection *c, int status, char *text, size_t bytes)
{
    const char *failure = tls_failure(&c->stream);
    if (tls_is_distrusted(&c->stream) || (failure && str_starts(str_from(failure), STR("no TLS "))))
        snprintf(text, bytes, "%s", failure);
    else if (failure)
        snprintf(text, bytes, "the handshake failed: %s", failure);
    else if (status == UV_EOF)
        snprintf(text, bytes, "it closed the connection during the handshake");
    else
        snprintf(text, bytes, "the connection broke during the handshake: %s", system_strerror(status));
}

bool connect_shook(struct connection *c, int status)
{
    char text[ORIGIN_ERROR_MAX];
    if (!connect_has_tls(c->entry) || !tls_was_reached(&c->stream))
        return false;
    say(c, status, text, sizeof(text));
    /* The next one is a whole handshake: it may be a session that the origin breaks off at. */
    sessions_clear(&c->entry->sessions);
    origin_distrusted(c->entry->origin, str_from(text));
    return true;
}

void connect_late(const struct connection *c)
{
    struct str text = STR_NONE;
    if (c->mux)
        text = STR("it was reached, but did not begin to speak HTTP/2 in time");
    else if (connect_has_tls(c->entry) && tls_was_reached(&c->stream))
        text = STR("it was reached, but the TLS handshake took too long");
    origin_distrusted(c->entry->origin, text);
}

bool pool_is_refused(struct connection *c, int status)
{
    return status == UV_EPROTO && !c->lane && connect_shook(c, status);
}
