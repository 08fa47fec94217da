/*
 * The certificates for visitors, as the admin listener says them: in status, in metrics, in explain, and at a
 * route of their own, where one can be renewed or revoked. What is known of them is told by who has them
 * (server/certified.h). On the request's worker.
 */
#ifndef ADMIN_CERTIFICATE_H
#define ADMIN_CERTIFICATE_H

#include "admin/admin.h"
#include "admin/answer.h"

enum certificate_source { CERTIFICATE_FILE, CERTIFICATE_ACME, CERTIFICATE_LOCAL };

/* One certificate, or one that is to come. Times are wall-clock, in milliseconds; 0: none. */
struct certificate_row {
    struct str id; /* which one it is: the file, ACME's name for it, or "local" */
    enum certificate_source source;
    struct str from;    /* with ACME: the CA's directory */
    struct strs names;  /* that it is for */
    struct strs sites;  /* whose visitors get it, by name */
    int64_t until_ms;   /* 0: it is to come */
    int64_t renew_ms;   /* when it is renewed by itself */
    bool orders;        /* ACME: an order is under way */
    bool revokes;       /* ACME: one is to be revoked */
    struct str error;   /* ACME: of the last tries; empty: none */
    unsigned failures;  /* in a row */
    int64_t try_ms;     /* when the next one is, after an error */
    uint64_t asked;     /* ACME: the number of what was asked for by hand, */
    uint64_t answered;  /* and of the last one whose outcome is known; */
    struct str outcome; /* this one; empty: it was done */
};

/* Since the start, by ACME. */
struct certificate_totals {
    uint64_t orders, failures, issued, renewed, revoked;
};

/* Who has them. Set by main; functions on any thread, without a lock held. */
struct certificate_desk {
    /* Returns all, or with a host those that its visitors get; *n of them, in the arena. `totals` may be
     * NULL. */
    struct certificate_row *(*list)(struct certificate_desk *d, const struct settings *s, struct str host,
                                    struct arena *a, size_t *n, struct certificate_totals *totals);
    /* Asks for one to be renewed, or with a reason to be revoked and replaced. `name`: an id, or one of its
     * names. Returns its number; 0: it cannot be asked for; *why is a sentence without a full stop, in the
     * arena. */
    uint64_t (*ask)(struct certificate_desk *d, const struct settings *s, struct str name, struct str reason,
                    struct arena *a, struct str *why);
};

/* Write a member "certificates": of the sites that the token is for; or of a host, as "certificate": what its
 * visitors get, null without any. `d` NULL: there is no https, and nothing is written. */
void certificate_write(struct certificate_desk *d, const struct settings *s,
                       const struct token_rights *rights, struct arena *a, struct answer_writer *w);
void certificate_write_host(struct certificate_desk *d, const struct settings *s, struct str host,
                            struct arena *a, struct answer_writer *w);
/* Answer GET and POST. */
void certificate_list(struct admin *a, struct request *r, const struct token_rights *rights);
void certificate_ask(struct admin *a, struct request *r, const struct token_rights *rights, struct str body);
/* Appends metrics. */
void certificate_metrics(struct certificate_desk *d, const struct settings *s, struct arena *a,
                         struct buf *b);

#endif
