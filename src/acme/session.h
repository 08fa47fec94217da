/*
 * What is said to a CA: its directory, fresh nonces, the account, and signed requests (RFC 8555 §§6, 7.1 to
 * 7.3). One CA at a time. Waits for answers; one thread, but for session_stop.
 */
#ifndef ACME_SESSION_H
#define ACME_SESSION_H

#include <jansson.h>

#include "acme/exchange.h"
#include "acme/jws.h"
#include "acme/store.h"

/* Who we are to which CA. The strings outlive the session. */
struct session_rules {
    struct str directory; /* a URL */
    struct str email;     /* empty: none */
    struct str eab_kid, eab_key;
    const char *ca_file; /* NULL: the system's authorities */
};

struct session {
    struct exchange exchange;
    struct session_rules rules;
    const struct store *store;
    struct jws_key *key;          /* of the account; NULL: not read yet */
    struct store_account account; /* url empty: not asked for yet */
    bool account_is_good;         /* in this process */
    json_t *directory;            /* NULL: not asked for yet */
    struct buf nonce;             /* empty: none at hand */
    struct exchange_reply reply;
};

/* Why something failed. */
struct session_trouble {
    struct buf text;        /* a sentence for people, without a full stop */
    int64_t retry_after_ms; /* what the CA asked for; -1: nothing */
    int status;             /* of its answer; 0: none came */
    json_t *problem;        /* what it said (RFC 7807); NULL: nothing */
    const char *challenge;  /* set by the caller: how names are shown to be ours, for advice */
};
void session_trouble_fini(struct session_trouble *t);

/* Makes one. false: libcurl does not work here. */
bool session_init(struct session *s, const struct store *store);
void session_fini(struct session *s);
/* What follows is said to this CA. Forgets what was found out of another one. false: libcurl does not take
 * the rules. */
bool session_set_rules(struct session *s, const struct session_rules *rules);

/* Finds out what the next functions need: the directory, and the account, which is made when there is none.
 * now_ms: wall-clock, here and below. false: *t says why. */
bool session_open(struct session *s, int64_t now_ms, struct session_trouble *t);
/* A URL of the directory ("newOrder", "renewalInfo"). Empty: the CA has none. After session_open. */
struct str session_url(const struct session *s, const char *name);
/* Posts a signed message; an empty payload asks for what is at the URL. true: the status is 2xx, and the
 * answer is in s->reply; *out, which may be NULL, is its JSON, for the caller to give back, NULL when it
 * is none. A nonce that is refused is tried again with another. */
bool session_post(struct session *s, struct str url, struct str payload, int64_t now_ms, json_t **out,
                  struct session_trouble *t);
/* Asks without a signature. */
bool session_get(struct session *s, struct str url, int64_t now_ms, struct session_trouble *t);
/* Nothing is said for a while. */
void session_rest(struct session *s);
/* Ends what waits, now and later. Any thread, between init and fini. */
void session_stop(struct session *s);

#endif
