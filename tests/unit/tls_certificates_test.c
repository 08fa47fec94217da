/* A client gets the certificate of the name that it asks for, exact or by a wildcard, of the kind that it can
 * check; one protocol; one ticket, which any handshake with the same keys takes until they have changed
 * twice. A name without a certificate gets an alert. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "tls/certificates.h"
#include "tls_test.h"

struct world {
    struct tickets *tickets;
    struct certificates *desk;
    unsigned unknown;
    char unknown_name[64];
};

static void unknown(void *ctx, struct str name)
{
    struct world *w = ctx;
    w->unknown++;
    *str_put(w->unknown_name, str_first(name, 63)) = '\0';
}

static void add(struct world *w, const char *names, unsigned bits, const struct strs *hosts)
{
    struct made m = make_cert(names, bits, -10, DAY);
    struct buf why = BUF_INIT;
    struct pair *p =
        pair_new(buf_str(&m.cert), STR("c"), buf_str(&m.key), STR("k"), (int64_t)time(NULL) * 1000, &why);
    assert_non_null(p);
    certificates_add(w->desk, p, hosts);
    pair_unref(p);
    made_fini(&m);
}

static void begin(struct world *w)
{
    memset(w, 0, sizeof(*w));
    w->tickets = tickets_new(0);
    w->desk = certificates_new(&(struct certificates_rules){
        .tickets = w->tickets,
        .protocols = STR("\x02h2\x08http/1.1"),
        .unknown = unknown,
        .ctx = w,
    });
}

static void end(struct world *w)
{
    certificates_unref(w->desk);
    tickets_free(w->tickets);
}

/* ---- one handshake, in memory ---- */

struct client {
    SSL_CTX *context;
    SSL_SESSION *session; /* to come back with, and afterwards that of the last ticket */
    unsigned tickets;
};

struct result {
    bool done, resumed;
    char cert[64]; /* the first name of the certificate */
    int type;      /* of its key */
    char protocol[16];
    int alert; /* that the client got */
};

static int alert_got;

static void info(const SSL *ssl, int where, int value)
{
    (void)ssl;
    if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT)
        alert_got = value & 0xff;
}

static int got_ticket(SSL *ssl, SSL_SESSION *s)
{
    struct client *c = SSL_get_app_data(ssl);
    c->tickets++;
    SSL_SESSION_free(c->session);
    c->session = s;
    return 1;
}

static struct client client_new(int version)
{
    struct client c = { .context = SSL_CTX_new(TLS_client_method()) };
    SSL_CTX_set_min_proto_version(c.context, version);
    SSL_CTX_set_max_proto_version(c.context, version);
    SSL_CTX_set_session_cache_mode(c.context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(c.context, got_ticket);
    SSL_CTX_set_info_callback(c.context, info);
    return c;
}

static void client_free(struct client *c)
{
    SSL_SESSION_free(c->session);
    SSL_CTX_free(c->context);
}

static void note(SSL *ssl, struct result *r)
{
    X509 *x = SSL_get0_peer_certificate(ssl);
    GENERAL_NAMES *names = x ? X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL) : NULL;
    if (names) {
        const ASN1_STRING *s = sk_GENERAL_NAME_value(names, 0)->d.ia5;
        snprintf(r->cert, sizeof(r->cert), "%.*s", ASN1_STRING_length(s),
                 (const char *)ASN1_STRING_get0_data(s));
        GENERAL_NAMES_free(names);
        r->type = EVP_PKEY_get_base_id(X509_get0_pubkey(x));
    }
    const unsigned char *protocol;
    unsigned n;
    SSL_get0_alpn_selected(ssl, &protocol, &n);
    snprintf(r->protocol, sizeof(r->protocol), "%.*s", (int)n, (const char *)protocol);
    r->resumed = SSL_session_reused(ssl);
}

static struct result shake(struct world *w, struct client *c, const char *name, const char *sigalgs,
                           const char *alpn)
{
    struct result r = { 0 };
    SSL *server = SSL_new(certificates_context(w->desk)), *client = SSL_new(c->context);
    BIO *a, *b;
    char byte;
    BIO_new_bio_pair(&a, 0, &b, 0);
    SSL_set_bio(server, a, a);
    SSL_set_bio(client, b, b);
    SSL_set_accept_state(server);
    SSL_set_connect_state(client);
    SSL_set_app_data(client, c);
    if (name)
        SSL_set_tlsext_host_name(client, name);
    if (sigalgs)
        assert_int_equal(SSL_set1_sigalgs_list(client, sigalgs), 1);
    if (alpn)
        SSL_set_alpn_protos(client, (const unsigned char *)alpn, (unsigned)strlen(alpn));
    if (c->session)
        assert_int_equal(SSL_set_session(client, c->session), 1);
    alert_got = 0;
    c->tickets = 0;
    for (int i = 0; i < 8; i++) {
        SSL_do_handshake(client);
        SSL_do_handshake(server);
    }
    r.done = SSL_is_init_finished(client) && SSL_is_init_finished(server);
    if (r.done) {
        SSL_read(client, &byte, 1); /* the ticket */
        note(client, &r);
        if (SSL_version(client) == TLS1_2_VERSION) { /* a new ticket for an old session is no new session */
            SSL_SESSION_free(c->session);
            c->session = SSL_get1_session(client);
        }
        SSL_shutdown(client);
        SSL_shutdown(server);
    }
    SSL_read(client, &byte, 1);
    r.alert = alert_got;
    SSL_free(server);
    SSL_free(client);
    ERR_clear_error();
    return r;
}

#define ECDSA    "ECDSA+SHA256"
#define RSA_ONLY "RSA-PSS+SHA256:RSA+SHA256"

static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

static void the_name_decides(void **state)
{
    (void)state;
    struct world w;
    struct str host = STR_INIT("Extra.test");
    struct strs hosts = { &host, 1 };
    begin(&w);
    add(&w, "DNS:a.test,DNS:www.a.test", 0, NULL);
    add(&w, "DNS:*.b.test,DNS:b.test", 0, &hosts);
    add(&w, "DNS:exact.b.test", 0, NULL);
    certificates_seal(w.desk);
    static const struct {
        const char *name, *cert;
    } rows[] = {
        { "a.test", "a.test" },       { "WWW.A.TEST", "a.test" }, { "a.test.", "a.test" },
        { "x.b.test", "*.b.test" },   { "b.test", "*.b.test" },   { "exact.b.test", "exact.b.test" },
        { "extra.test", "*.b.test" }, { NULL, "a.test" },         { "x.y.b.test", NULL },
        { "x.a.test", NULL },         { "test", NULL },           { ".b.test", NULL },
        { "c.test", NULL },
    };
    for (size_t v = 0; v < 2; v++)
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
            struct client c = client_new(versions[v]);
            unsigned before = w.unknown;
            struct result r = shake(&w, &c, rows[i].name, NULL, NULL);
            assert_int_equal(r.done, rows[i].cert != NULL);
            if (rows[i].cert) {
                assert_string_equal(r.cert, rows[i].cert);
                assert_int_equal(w.unknown, before);
            } else {
                assert_int_equal(r.alert, SSL_AD_UNRECOGNIZED_NAME);
                assert_int_equal(w.unknown, before + 1);
                assert_string_equal(w.unknown_name, rows[i].name);
            }
            client_free(&c);
        }
    assert_true(certificates_has(w.desk, STR("a.test")));
    assert_true(certificates_has(w.desk, STR("*.b.test")));
    assert_true(certificates_has(w.desk, STR("x.b.test")));
    assert_false(certificates_has(w.desk, STR("*.a.test")));
    assert_false(certificates_has(w.desk, STR("c.test")));
    end(&w);
}

static void without_any_certificate_all_get_the_alert(void **state)
{
    (void)state;
    struct world w;
    const struct pair *p;
    begin(&w);
    certificates_seal(w.desk);
    struct client c = client_new(TLS1_3_VERSION);
    struct result r = shake(&w, &c, NULL, NULL, NULL);
    assert_false(r.done);
    assert_int_equal(r.alert, SSL_AD_UNRECOGNIZED_NAME);
    assert_int_equal(w.unknown, 1);
    assert_true(certificates_until_ms(w.desk, &p) == INT64_MAX);
    client_free(&c);
    end(&w);
}

static void both_kinds_side_by_side(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    add(&w, "DNS:a.test", 2048, NULL);
    add(&w, "DNS:a.test", 0, NULL);
    certificates_seal(w.desk);
    for (size_t v = 0; v < 2; v++)
        for (int named = 0; named < 2; named++) {
            struct client c = client_new(versions[v]);
            const char *name = named ? "a.test" : NULL;
            assert_int_equal(shake(&w, &c, name, ECDSA, NULL).type, EVP_PKEY_EC);
            client_free(&c);
            c = client_new(versions[v]);
            assert_int_equal(shake(&w, &c, name, RSA_ONLY, NULL).type, EVP_PKEY_RSA);
            client_free(&c);
            c = client_new(versions[v]);
            assert_true(shake(&w, &c, name, NULL, NULL).done);
            client_free(&c);
        }
    end(&w);
}

static void our_order_of_protocols_counts(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    add(&w, "DNS:a.test", 0, NULL);
    certificates_seal(w.desk);
    struct client c = client_new(TLS1_3_VERSION);
    assert_string_equal(shake(&w, &c, "a.test", NULL, "\x08http/1.1\x02h2").protocol, "h2");
    assert_string_equal(shake(&w, &c, "a.test", NULL,
                              "\x03"
                              "foo\x08http/1.1")
                            .protocol,
                        "http/1.1");
    struct result r = shake(&w, &c, "a.test", NULL, NULL);
    assert_true(r.done);
    assert_string_equal(r.protocol, "");
    r = shake(&w, &c, "a.test", NULL,
              "\x03"
              "foo");
    assert_false(r.done);
    assert_int_equal(r.alert, SSL_AD_NO_APPLICATION_PROTOCOL);
    client_free(&c);
    end(&w);
}

static void a_ticket_brings_the_client_back(void **state)
{
    (void)state;
    for (size_t v = 0; v < 2; v++) {
        struct world w;
        begin(&w);
        add(&w, "DNS:a.test", 0, NULL);
        certificates_seal(w.desk);
        struct client c = client_new(versions[v]);
        assert_false(shake(&w, &c, "a.test", NULL, NULL).resumed);
        assert_int_equal(c.tickets, 1); /* exactly one */
        assert_int_equal(SSL_SESSION_get_max_early_data(c.session), 0);
        assert_true(shake(&w, &c, "a.test", NULL, NULL).resumed);
        assert_int_equal(c.tickets, versions[v] == TLS1_3_VERSION); /* where each is used once */

        /* Another desk with the same keys, as after a reload. */
        certificates_unref(w.desk);
        w.desk = certificates_new(&(struct certificates_rules){ .tickets = w.tickets });
        add(&w, "DNS:a.test", 0, NULL);
        certificates_seal(w.desk);
        assert_true(shake(&w, &c, "a.test", NULL, NULL).resumed);

        /* A key that has changed once is read, and a new ticket made. */
        SSL_SESSION *old = c.session;
        SSL_SESSION_up_ref(old);
        assert_false(tickets_rotate(w.tickets, TICKETS_ROTATE_MS - 1));
        assert_true(tickets_rotate(w.tickets, TICKETS_ROTATE_MS));
        assert_true(shake(&w, &c, "a.test", NULL, NULL).resumed);
        assert_true(tickets_rotate(w.tickets, 2 * TICKETS_ROTATE_MS));
        assert_true(shake(&w, &c, "a.test", NULL, NULL).resumed);
        /* The oldest ticket's key has gone. */
        assert_true(tickets_rotate(w.tickets, 3 * TICKETS_ROTATE_MS));
        SSL_SESSION_free(c.session);
        c.session = old;
        assert_false(shake(&w, &c, "a.test", NULL, NULL).resumed);
        client_free(&c);
        end(&w);
    }
}

/* As in an upgrade: another process has another desk, and the keys of the one before. */
static void keys_go_from_one_to_the_next(void **state)
{
    (void)state;
    for (size_t v = 0; v < 2; v++) {
        struct world w, next;
        struct buf keys = BUF_INIT;
        begin(&w);
        add(&w, "DNS:a.test", 0, NULL);
        certificates_seal(w.desk);
        begin(&next);
        add(&next, "DNS:a.test", 0, NULL);
        certificates_seal(next.desk);
        struct client c = client_new(versions[v]);
        assert_false(shake(&w, &c, "a.test", NULL, NULL).resumed);
        SSL_SESSION *old = c.session;
        SSL_SESSION_up_ref(old);
        assert_false(shake(&next, &c, "a.test", NULL, NULL).resumed);
        tickets_write(w.tickets, 1000, &keys);
        assert_int_equal(keys.n, TICKETS_BYTES);
        /* What is none changes nothing. */
        for (size_t n = 0; n < keys.n; n++)
            assert_false(tickets_read(next.tickets, (struct str){ keys.p, n }, 0));
        keys.p[0]++;
        assert_false(tickets_read(next.tickets, buf_str(&keys), 0));
        keys.p[0]--;
        assert_true(shake(&next, &c, "a.test", NULL, NULL).resumed);

        assert_true(tickets_read(next.tickets, buf_str(&keys), 7000000));
        SSL_SESSION_free(c.session);
        c.session = old;
        assert_true(shake(&next, &c, "a.test", NULL, NULL).resumed);
        /* They are as old as they were. */
        assert_false(tickets_rotate(next.tickets, 7000000 + TICKETS_ROTATE_MS - 1001));
        assert_true(tickets_rotate(next.tickets, 7000000 + TICKETS_ROTATE_MS - 1000));
        /* An age that no key has: it is changed soon. */
        memset(keys.p + 1, 0xff, 8);
        assert_true(tickets_read(next.tickets, buf_str(&keys), 5));
        assert_true(tickets_rotate(next.tickets, 5));
        buf_fini(&keys);
        client_free(&c);
        end(&next);
        end(&w);
    }
}

/* What a scanner calls weak is refused. */
static void old_versions_and_suites_are_refused(void **state)
{
    (void)state;
    static const char *const weak[] = { "AES128-SHA", "ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA384",
                                        "AES128-GCM-SHA256", "NULL-SHA256" };
    struct world w;
    begin(&w);
    add(&w, "DNS:a.test", 0, NULL);
    add(&w, "DNS:a.test", 2048, NULL);
    certificates_seal(w.desk);
    struct client c = client_new(TLS1_1_VERSION);
    SSL_CTX_set_security_level(c.context, 0);
    assert_false(shake(&w, &c, "a.test", NULL, NULL).done);
    client_free(&c);
    for (size_t i = 0; i < sizeof(weak) / sizeof(weak[0]); i++) {
        c = client_new(TLS1_2_VERSION);
        SSL_CTX_set_security_level(c.context, 0);
        assert_int_equal(SSL_CTX_set_cipher_list(c.context, weak[i]), 1);
        assert_false(shake(&w, &c, "a.test", NULL, NULL).done);
        client_free(&c);
    }
    end(&w);
}

/* A connection keeps its desk. */
static void the_desk_goes_with_its_last_connection(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    add(&w, "DNS:a.test", 0, NULL);
    certificates_seal(w.desk);
    SSL *ssl = SSL_new(certificates_context(w.desk));
    certificates_unref(certificates_ref(w.desk));
    certificates_unref(w.desk);
    w.desk = NULL;
    SSL_free(ssl); /* the leak check sees the rest */
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_name_decides),
        cmocka_unit_test(without_any_certificate_all_get_the_alert),
        cmocka_unit_test(both_kinds_side_by_side),
        cmocka_unit_test(our_order_of_protocols_counts),
        cmocka_unit_test(a_ticket_brings_the_client_back),
        cmocka_unit_test(keys_go_from_one_to_the_next),
        cmocka_unit_test(old_versions_and_suites_are_refused),
        cmocka_unit_test(the_desk_goes_with_its_last_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
