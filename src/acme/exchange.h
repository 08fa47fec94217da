/*
 * Requests to a CA and their answers, by libcurl: https alone, the server's certificate verified, no
 * redirect followed, everything limited. Waits; for a thread that serves nobody. One thread uses it, but for
 * exchange_stop.
 */
#ifndef ACME_EXCHANGE_H
#define ACME_EXCHANGE_H

#include <stdatomic.h>

#include "acme/libcurl.h"
#include "base/buf.h"
#include "base/lock.h"

#define EXCHANGE_BODY_MAX ((size_t)1 << 20) /* of an answer */
#define EXCHANGE_URL_MAX  2048

struct exchange {
    const struct libcurl *curl;
    struct lock lock; /* over `multi`, for exchange_stop */
    CURLM *multi;
    CURL *easy;
    struct curl_slist *fields;
    atomic_bool stopped;
};

struct exchange_reply {
    int status;
    struct buf body;
    struct buf nonce, location, retry_after; /* fields of that name; empty: absent */
    bool too_large;
};

/* Makes one, and loads libcurl. false: libcurl does not work here; libcurl_trouble says why. */
bool exchange_init(struct exchange *e);
/* `file`: PEM of the authorities that are believed; NULL: those of the system. Read at each new connection.
 * false: libcurl does not take it. */
bool exchange_set_ca(struct exchange *e, const char *file);
void exchange_fini(struct exchange *e);

/* Asks. `method`: "GET" or "HEAD", or "POST" with a JOSE message as body. true: an answer came, whatever its
 * status. false: none did; `why` gets a sentence. Empties the reply before. */
bool exchange_ask(struct exchange *e, const char *method, struct str url, struct str body,
                  struct exchange_reply *reply, struct buf *why);
/* Closes the connections that are kept for more: nothing is asked for a while. */
void exchange_rest(struct exchange *e);
/* Ends what exchange_ask waits for, now and later: it returns false. Any thread. */
void exchange_stop(struct exchange *e);

void exchange_reply_fini(struct exchange_reply *r);

#endif
