/*
 * Keys and certificates as PEM (RFC 7468). Nobody is ever asked for a password. Any thread.
 */
#ifndef TLS_PEM_H
#define TLS_PEM_H

#include "base/buf.h"

/* The largest PEM file that is read. */
#define PEM_FILE_MAX ((size_t)1 << 20)

struct bio_st;
struct evp_pkey_st;
struct x509_st;
struct asn1_string_st;

/* For OpenSSL's readers, in place of a question for a password. `asked`: a bool that it sets; NULL: none. */
int pem_no_password(char *to, int room, int writing, void *asked);

/* Reads a file of at most PEM_FILE_MAX bytes. `setting` is what names it. false: it cannot be read, and `why`
 * gets a sentence without a full stop that names file and setting, and says what to do. Waits for it. */
bool pem_read_file(const char *path, const char *setting, struct buf *out, struct buf *why);

/* Returns a reader of that text, which must stay. The caller frees it. */
struct bio_st *pem_reader(struct str text);
/* Read the first key or certificate. NULL: there is none that can be read. The caller frees it. */
struct evp_pkey_st *pem_read_key(struct str text);
struct x509_st *pem_read_cert(struct str text);
/* Append it. A key is a secret; PKCS #8. */
void pem_add_key(const struct evp_pkey_st *key, struct buf *out);
void pem_add_cert(const struct x509_st *cert, struct buf *out);

/* Returns a certificate's time in wall-clock milliseconds; -1: it is no time. */
int64_t pem_time_ms(const struct asn1_string_st *t);

#endif
