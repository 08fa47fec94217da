/*
 * What ACME keeps in the state folder, below acme/: the account of each CA, and of each set of names its
 * certificate with the key, and how far it has come. Files for their owner alone (0600), each replaced as a
 * whole. The layout stands in docs/decisions/073-acme.md. Waits for the disk; one thread.
 */
#ifndef ACME_STORE_H
#define ACME_STORE_H

#include <limits.h>

#include "base/buf.h"

struct store {
    char folder[PATH_MAX];
};

/* Names the folder, which need not exist. `state`: the state folder. false: the name is too long. */
bool store_init(struct store *s, const char *state);

/* An account at a CA (RFC 8555 §7.1.2). */
struct store_account {
    struct buf key; /* PEM */
    struct buf url; /* empty: not made yet */
    struct buf email;
};
/* Reads that of the CA with this directory. 0; -ENOENT: there is none; -EINVAL: the file is damaged; or
 * another negative errno. Members that are not there are empty. */
int store_read_account(const struct store *s, struct str directory, struct store_account *out);
int store_write_account(const struct store *s, struct str directory, const struct store_account *a);
void store_account_fini(struct store_account *a);

/* How far a set of names has come. Times are wall-clock, in milliseconds; 0: none. */
struct store_record {
    struct buf order; /* the URL of the one that is under way; empty: none */
    struct buf key;   /* PEM: the key of that order */
    /* What it shows to the CA at the moment (struct order_proof); all empty: nothing. Another process, or the
     * next start, goes on with it. */
    struct buf shown_name, shown_token, shown_authorization;
    struct buf error;  /* what was wrong the last time, for people */
    unsigned failures; /* tries in a row */
    int64_t try_ms;    /* not before this time */
    int64_t issued_ms; /* when the certificate came */
    int64_t renew_ms;  /* when the next one is due, and until when that was asked of the CA */
    int64_t advised_until_ms;
    int64_t told_ms; /* the CA has asked not to be asked before this time */
    bool wanted;     /* somebody wants the next one now */
    /* One that is to be revoked: DER in base64url; empty: none. Why (acme/revoke.h), and as for orders. */
    struct buf revoke;
    unsigned reason, revoke_failures;
    int64_t revoke_try_ms;
};

/* Returns the name of a set's files, without an end: its first name and a hash of all of them and of the CA.
 * `names`: sorted. */
#define STORE_ID_MAX 128
void store_id(struct str directory, const struct strs *names, char out[STORE_ID_MAX]);
/* Read and write a record. As for accounts. */
int store_read_record(const struct store *s, const char *id, struct store_record *out);
int store_write_record(const struct store *s, const char *id, const struct store_record *r);
void store_record_fini(struct store_record *r);

/* The certificate: PEM, the chain and then the key, as other programs read it too. */
int store_read_pem(const struct store *s, const char *id, struct buf *out);
int store_write_pem(const struct store *s, const char *id, struct str chain, struct str key);
/* Calls `look` with the content of each certificate that is kept, until it returns false. */
void store_each_pem(const struct store *s, bool (*look)(void *ctx, const char *file, struct str pem),
                    void *ctx);
/* Returns the path of that file. */
void store_pem_path(const struct store *s, const char *id, char out[PATH_MAX]);

#endif
