/*
 * Webhooks, answered (the setting `webhooks`, docs/WEBHOOKS.md): POST to a path of a site, on the site's own
 * listener. Such a request never reaches an origin. Here are also the memory of deliveries, so that a copy of
 * one does nothing, and the list of the latest, for status. One for the process; any worker's thread calls
 * it.
 */
#ifndef ADMIN_WEBHOOK_H
#define ADMIN_WEBHOOK_H

#include "admin/answer.h"
#include "admin/token.h"
#include "base/hash.h"
#include "base/lock.h"

struct admin;

#define WEBHOOK_LATEST       50
#define WEBHOOK_STRANGERS    25   /* of them, at most, for deliveries that nobody has proven */
#define WEBHOOK_SEEN         4096 /* deliveries that are remembered */
#define WEBHOOK_BODY_MAX     ((size_t)1 << 20)
#define WEBHOOK_MEMBER_BYTES ((size_t)1 << 16) /* of a body that must be parsed before anybody is known */
#define WEBHOOK_SAID_MAX     255

/* A delivery, or several that nobody has proven and that got the same answer. */
struct webhook_line {
    int64_t wall_ms; /* of the latest */
    uint64_t times;
    int status;
    bool proven;
    char site[TOKEN_SITE_MAX + 1], path[129], sender[16],
        verdict[WEBHOOK_SAID_MAX + 1]; /* NUL-terminated, cut */
};

struct webhooks {
    struct lock lock; /* guards all below */
    struct hash128 seen[WEBHOOK_SEEN];
    size_t seen_n; /* ever */
    struct webhook_line latest[WEBHOOK_LATEST];
    size_t latest_n; /* used */
    uint64_t deliveries, refused;
};

/* Prepares a zeroed struct, and ends it. On main's thread. */
void webhook_init(struct webhooks *h);
void webhook_fini(struct webhooks *h);

/* Makes r->answer for a request to a webhook of r->site; r->key.path is its path. On the request's worker. */
void webhook_answer(struct admin *a, struct request *r, struct str body);
/* Makes it before the body is taken, when the head alone shows that it will be refused. false: it does not;
 * then r->body_most may be set. */
bool webhook_refuse_head(struct admin *a, struct request *r);

/* Writes the member "webhooks": the latest deliveries to sites of the token that asks, the latest first. Any
 * thread. */
void webhook_write(struct webhooks *h, const struct token_rights *rights, struct answer_writer *w);

/* Notes a delivery. false: a copy of it was noted before, and not forgotten since. Any thread. */
bool webhook_take(struct webhooks *h, struct hash128 delivery);
/* Forgets a delivery that came to nothing, so that the sender may send it again. */
void webhook_forget(struct webhooks *h, struct hash128 delivery);

#endif
