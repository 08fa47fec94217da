/* Whom freshet believes is made of PEM files: what is wrong with one is said with its line, and the same
 * bytes are the same trust. Sessions are bounded, and one of TLS 1.3 is given once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tls/outgoing.h"
#include "tls/sessions.h"
#include "tls_test.h"

static char folder[] = "/tmp/freshet-outgoing-XXXXXX";
static int64_t now_ms;

/* Returns the path; the string is static. */
static struct str put(const char *name, struct str text)
{
    static char paths[8][64];
    static unsigned at;
    char *path = paths[at++ % 8];
    snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fwrite(text.p ? text.p : "", 1, text.n, f);
    fclose(f);
    return str_from(path);
}

static void assert_refused(struct outgoing_files files, const char *says)
{
    struct buf why = BUF_INIT;
    assert_null(outgoing_load(&files, NULL, now_ms, &why));
    buf_add_char(&why, '\0');
    if (!strstr(why.p, says))
        fail_msg("%s", why.p);
    buf_fini(&why);
}

static void what_is_wrong_is_said(void **state)
{
    (void)state;
    struct made m = make_cert("DNS:a.test", 0, -10, DAY), other = make_cert("DNS:b.test", 0, -10, DAY);
    struct made old = make_cert("DNS:a.test", 0, -2 * DAY, -DAY);
    struct buf damaged = BUF_INIT;
    buf_add(&damaged, STR("# two\n"));
    buf_add(&damaged, buf_str(&m.cert));
    buf_add(&damaged, STR("\n# and\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"));
    unsigned lines = 1;
    for (size_t i = 0; i < damaged.n; i++)
        lines += damaged.p[i] == '\n';
    char says[64];
    snprintf(says, sizeof(says), "damaged:%u: this certificate is damaged", lines - 3);
    assert_refused((struct outgoing_files){ .ca = put("damaged", buf_str(&damaged)) }, says);
    assert_refused(
        (struct outgoing_files){ .ca = STR("/nowhere/ca.pem") },
        "cannot read /nowhere/ca.pem: no such file or directory; `origin_ca` names it: write there");
    assert_refused((struct outgoing_files){ .ca = put("empty", STR_NONE) }, "empty: the file is empty");
    assert_refused((struct outgoing_files){ .ca = put("text", STR("hello\n")) },
                   "text:1: no certificate is in it; a PEM file is wanted");
    assert_refused((struct outgoing_files){ .ca = put("key", buf_str(&m.key)) },
                   "key:1: no certificate is in it");
    struct str ca = put("ca", buf_str(&m.cert)), key = put("k", buf_str(&m.key));
    assert_refused((struct outgoing_files){ .ca = ca, .cert = put("c", buf_str(&other.cert)), .key = key },
                   "does not match the certificate");
    assert_refused((struct outgoing_files){ .ca = ca, .cert = ca, .key = STR("/nowhere/k.pem") },
                   "`origin_key` names it");
    assert_refused((struct outgoing_files){ .ca = ca, .cert = ca, .key = ca }, "no private key is in it");
    assert_refused((struct outgoing_files){ .insecure = true,
                                            .cert = put("old", buf_str(&old.cert)),
                                            .key = put("oldkey", buf_str(&old.key)) },
                   "the certificate expired on");
    buf_fini(&damaged);
    made_fini(&m);
    made_fini(&other);
    made_fini(&old);
}

static void the_same_bytes_are_the_same_trust(void **state)
{
    (void)state;
    struct made m = make_cert("DNS:a.test", 0, -10, DAY), other = make_cert("DNS:b.test", 0, -10, DAY);
    struct buf why = BUF_INIT;
    struct outgoing_files files = { .ca = put("ca", buf_str(&m.cert)) };
    struct outgoing *first = outgoing_load(&files, NULL, now_ms, &why);
    assert_non_null(first);
    struct outgoing *again = outgoing_load(&files, first, now_ms, &why);
    assert_ptr_equal(again, first);
    put("ca", buf_str(&other.cert));
    struct outgoing *changed = outgoing_load(&files, first, now_ms, &why);
    assert_ptr_not_equal(changed, first);
    assert_int_not_equal(outgoing_number(changed), outgoing_number(first));
    files.cert = put("c", buf_str(&m.cert));
    files.key = put("k", buf_str(&m.key));
    struct outgoing *shows = outgoing_load(&files, changed, now_ms, &why);
    assert_ptr_not_equal(shows, changed);
    assert_non_null(SSL_CTX_get0_certificate(outgoing_context(shows)));
    assert_int_equal(SSL_CTX_get_verify_mode(outgoing_context(shows)), SSL_VERIFY_PEER);
    files.insecure = true;
    struct outgoing *insecure = outgoing_load(&files, shows, now_ms, &why);
    assert_int_equal(SSL_CTX_get_verify_mode(outgoing_context(insecure)), SSL_VERIFY_NONE);
    outgoing_unref(first);
    outgoing_unref(again);
    outgoing_unref(changed);
    outgoing_unref(shows);
    outgoing_unref(insecure);
    outgoing_unref(NULL);
    assert_int_equal(why.n, 0);
    made_fini(&m);
    made_fini(&other);
}

static SSL_SESSION *session_of(int version)
{
    SSL_SESSION *s = SSL_SESSION_new();
    unsigned char id[4] = { 1, 2, 3, 4 };
    SSL_SESSION_set_protocol_version(s, version);
    SSL_SESSION_set1_id(s, id, sizeof(id));
    SSL_SESSION_set_time(s, now_ms / 1000);
    SSL_SESSION_set_timeout(s, 100);
    return s;
}

static void sessions_are_few_and_used_once(void **state)
{
    (void)state;
    struct sessions all = { .n = 0 };
    SSL_SESSION *latest = NULL;
    assert_null(sessions_take(&all, now_ms));
    for (int i = 0; i < 3 * SESSIONS_MOST; i++)
        sessions_put(&all, latest = session_of(TLS1_3_VERSION));
    assert_int_equal(all.n, SESSIONS_MOST);
    SSL_SESSION *s = sessions_take(&all, now_ms);
    assert_ptr_equal(s, latest);
    assert_int_equal(all.n, SESSIONS_MOST - 1);
    sessions_drop(s);
    assert_null(sessions_take(&all, now_ms + 101000)); /* all are too old, and gone */
    assert_int_equal(all.n, 0);
    sessions_put(&all, latest = session_of(TLS1_2_VERSION));
    for (int i = 0; i < 2; i++) {
        s = sessions_take(&all, now_ms);
        assert_ptr_equal(s, latest);
        sessions_drop(s);
    }
    assert_int_equal(all.n, 1);
    sessions_clear(&all);
    assert_null(sessions_take(&all, now_ms));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_wrong_is_said),
        cmocka_unit_test(the_same_bytes_are_the_same_trust),
        cmocka_unit_test(sessions_are_few_and_used_once),
    };
    char command[64];
    now_ms = (int64_t)time(NULL) * 1000;
    if (!mkdtemp(folder))
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    snprintf(command, sizeof(command), "rm -r %s", folder);
    return system(command) == 0 ? failed : 1;
}
