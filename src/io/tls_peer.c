#include "io/tls_peer.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"

#define NAMES_SHOWN 3 /* of a certificate for others */
#define WORD_MOST   64

static int place = -1; /* of `struct tls_peer *` in a session */

static void make_place(void)
{
    place = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
    CHECK(place >= 0);
}

/* ---- words ---- */

__attribute__((format(printf, 2, 3))) static void say(struct tls_peer *p, const char *format, ...)
{
    size_t n = strlen(p->text);
    va_list args;
    va_start(args, format);
    vsnprintf(p->text + n, sizeof(p->text) - n, format, args);
    va_end(args);
}

/* What stands in a certificate is its maker's: nothing of it may look like a line of a log. */
static void say_word(struct tls_peer *p, const unsigned char *s, int bytes)
{
    char word[WORD_MOST + 1];
    size_t n = 0;
    for (int i = 0; i < bytes && n < WORD_MOST; i++)
        word[n++] = (char)(s[i] > ' ' && s[i] < 0x7f && s[i] != '"' ? s[i] : s[i] == ' ' ? ' ' : '?');
    word[n] = '\0';
    say(p, "%s", word);
}

/* The last part of a name that a person would call it by. */
static void say_common_name(struct tls_peer *p, const X509_NAME *name)
{
    int at = X509_NAME_get_index_by_NID((X509_NAME *)(uintptr_t)name, NID_commonName, -1);
    if (at < 0)
        at = X509_NAME_get_index_by_NID((X509_NAME *)(uintptr_t)name, NID_organizationName, -1);
    ASN1_STRING *s = at < 0 ? NULL : X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at));
    say(p, "\"");
    if (s)
        say_word(p, ASN1_STRING_get0_data(s), ASN1_STRING_length(s));
    say(p, "\"");
}

static void say_date(struct tls_peer *p, const ASN1_TIME *t)
{
    struct tm tm;
    if (ASN1_TIME_to_tm(t, &tm) == 1)
        say(p, " %04d-%02d-%02d", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
}

static bool say_general_name(struct tls_peer *p, const GENERAL_NAME *g, const char *before)
{
    unsigned char address[16];
    if (g->type == GEN_DNS) {
        say(p, "%s", before);
        size_t n = strlen(p->text);
        say_word(p, ASN1_STRING_get0_data(g->d.dNSName), ASN1_STRING_length(g->d.dNSName));
        if (inet_pton(AF_INET, p->text + n, address) == 1 || inet_pton(AF_INET6, p->text + n, address) == 1)
            say(p, " (as the name of a host, not as an address)");
        return true;
    }
    int bytes = g->type == GEN_IPADD ? ASN1_STRING_length(g->d.iPAddress) : 0;
    char text[INET6_ADDRSTRLEN];
    if ((bytes != 4 && bytes != 16) || !inet_ntop(bytes == 4 ? AF_INET : AF_INET6,
                                                  ASN1_STRING_get0_data(g->d.iPAddress), text, sizeof(text)))
        return false;
    say(p, "%s%s", before, text);
    return true;
}

static void say_names(struct tls_peer *p, const X509 *cert)
{
    GENERAL_NAMES *all = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    int n = all ? sk_GENERAL_NAME_num(all) : 0, shown = 0, more = 0;
    for (int i = 0; i < n; i++)
        if (shown == NAMES_SHOWN)
            more++;
        else
            shown += say_general_name(p, sk_GENERAL_NAME_value(all, i), shown ? ", " : " is for ");
    GENERAL_NAMES_free(all);
    if (more)
        say(p, " and %d more", more);
    if (shown)
        say(p, ", not for %s", p->name);
    else
        say(p, " names no host (subjectAltName), so it is not for %s", p->name);
}

/* ---- what is wrong ---- */

static void explain(struct tls_peer *p, X509_STORE_CTX *c)
{
    int error = X509_STORE_CTX_get_error(c);
    const X509 *cert = X509_STORE_CTX_get_current_cert(c);
    bool is_own = X509_STORE_CTX_get_error_depth(c) == 0;
    p->text[0] = '\0';
    say(p, is_own ? "its certificate" : "a certificate above its own");
    if (!cert) {
        say(p, ": %s", X509_verify_cert_error_string(error));
        return;
    }
    switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        say(p, " expired on");
        say_date(p, X509_get0_notAfter(cert));
        break;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        say(p, " is not valid before");
        say_date(p, X509_get0_notBefore(cert));
        break;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH: say_names(p, cert); break;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT: say(p, " is signed by itself, by no authority"); break;
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        say(p, ", of the authority ");
        say_common_name(p, X509_get_subject_name(cert));
        say(p, ", is of none that freshet trusts");
        break;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        say(p, " is signed by ");
        say_common_name(p, X509_get_issuer_name(cert));
        say(p, ", which freshet does not know, and the origin does not send its certificate");
        break;
    default: say(p, ": %s", X509_verify_cert_error_string(error)); break;
    }
}

/* OpenSSL calls it for each certificate of the chain. The first that is wrong ends the handshake. */
static int certificate_checked(int good, X509_STORE_CTX *c)
{
    const SSL *ssl = X509_STORE_CTX_get_ex_data(c, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls_peer *p = SSL_get_ex_data(ssl, place);
    if (!good && !p->is_wrong) {
        p->is_wrong = true;
        explain(p, c);
    }
    return good;
}

/* ---- the name ---- */

bool tls_peer_expect(struct tls_peer *p, SSL *ssl, struct str name, int64_t now_ms)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    unsigned char address[16];
    X509_VERIFY_PARAM *rules = SSL_get0_param(ssl);
    pthread_once(&once, make_place);
    if (name.n == 0 || name.n >= sizeof(p->name))
        return false;
    memcpy(p->name, name.p, name.n);
    p->name[name.n] = '\0';
    bool is_address = inet_pton(AF_INET, p->name, address) == 1 || inet_pton(AF_INET6, p->name, address) == 1;
    if (!is_address && SSL_set_tlsext_host_name(ssl, p->name) != 1)
        return false;
    if (SSL_get_verify_mode(ssl) == SSL_VERIFY_NONE)
        return true;
    X509_VERIFY_PARAM_set_hostflags(rules, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
                                               X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    X509_VERIFY_PARAM_set_time(rules, (time_t)(now_ms / 1000));
    SSL_set_verify(ssl, SSL_VERIFY_PEER, certificate_checked);
    return SSL_set_ex_data(ssl, place, p) == 1 &&
           (is_address ? X509_VERIFY_PARAM_set1_ip_asc(rules, p->name)
                       : X509_VERIFY_PARAM_set1_host(rules, p->name, name.n)) == 1;
}
