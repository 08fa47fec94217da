/*
 * A webhook of a site (the setting `webhooks`): at which path, who sends it, how the sender proves itself,
 * and what to purge. A value of the settings' snapshot; admin/webhook.h answers the requests.
 */
#ifndef CONF_WEBHOOK_H
#define CONF_WEBHOOK_H

#include "conf/template.h"

struct maps;
struct report;

#define WEBHOOKS_MAX          50     /* of a site */
#define WEBHOOK_TEMPLATES_MAX 100    /* of one list */
#define WEBHOOK_SECRET_MAX    1024   /* bytes */
#define WEBHOOK_WINDOW_MS     300000 /* the default of `window` */

enum sender {
#define SENDER(id, ...) SENDER_##id,
#include "tbl/senders.h"
#undef SENDER
    SENDER_COUNT
};

enum webhook_how {
    WEBHOOK_BODY,
    WEBHOOK_CONTENTFUL,
    WEBHOOK_SANITY,
    WEBHOOK_GHOST,
    WEBHOOK_HYGRAPH,
    WEBHOOK_STANDARD,
    WEBHOOK_SECRET,
    WEBHOOK_MEMBER
};
enum webhook_digest { WEBHOOK_SHA1, WEBHOOK_SHA256 };
enum webhook_coding { WEBHOOK_HEX, WEBHOOK_BASE64, WEBHOOK_BASE64URL };

/* How a request proves that it is the sender's: a row of tbl/senders.h, or what `generic` says. */
struct webhook_scheme {
    enum webhook_how how;
    enum webhook_digest digest;
    enum webhook_coding coding;
    struct str field, other, prefix, delivery;
};

struct webhook {
    struct str path; /* normalised, unique in its site */
    enum sender sender;
    struct webhook_scheme scheme;
    struct str secret;                  /* not empty in a snapshot that is in force */
    struct str secret_file, secret_env; /* where it is from, when the configuration only names that */
    int64_t window_ms;                  /* most that a signed time may differ from our clock; 0: any time */
    struct template *tags, *urls;
    size_t tags_n, urls_n;
    bool everything; /* purge the whole site instead */
    bool soft;
    bool secret_is_unclear; /* of settings with mistakes: one is in what says which secret is good */
};

/* Reads the setting `webhooks` of a site. Its strings stay those of the setting. Returns an array of as many
 * webhooks, in the arena. What is wrong was reported. */
struct webhook *webhook_read(const struct maps *entries, struct str site, struct arena *a,
                             struct report *report);
/* Finds the webhook at a path, which is normalised. NULL: none. */
const struct webhook *webhook_at(const struct webhook *list, size_t n, struct str path);

/* Returns a sender's name. */
struct str webhook_sender_name(enum sender s);
/* Returns how that sender proves itself. */
struct webhook_scheme webhook_scheme_of(enum sender s);

#endif
