/* Whom freshet believes is in force from a reload on: what was read of a file before it stays nowhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <pthread.h>

#include "origin/trust.h"
#include "tls_test.h"

static const struct clock real_clock;
static char folder[] = "/tmp/freshet-trust-XXXXXX";
static char path[64]; /* a pipe: who reads it waits for who writes */

struct asking {
    struct trusts *trusts;
    struct outgoing *got;
    struct buf why;
};

static void *ask(void *arg)
{
    struct asking *a = arg;
    struct origin_tls tls = { .is_on = true, .ca = str_from(path) };
    a->got = trusts_get(a->trusts, &tls, &a->why);
    return NULL;
}

/* Returns when somebody reads. Who reads next gets another pipe. */
static FILE *open_pipe(void)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    return f;
}

static void write_pipe(FILE *f, const struct buf *text)
{
    assert_int_equal(fwrite(text->p, 1, text->n, f), text->n);
    fclose(f);
}

static void reload(struct trusts *t)
{
    struct settings none = { .sites_n = 0 };
    struct buf said = BUF_INIT;
    assert_true(trusts_try(t, &none, &said, &said) && trusts_take(t));
    assert_int_equal(said.n, 0);
    buf_fini(&said);
}

static void what_was_read_before_a_reload_is_read_again(void **state)
{
    (void)state;
    struct made old = make_cert("DNS:a.test", 0, -10, 1000), now = make_cert("DNS:b.test", 0, -10, 1000);
    struct asking a = { .trusts = trusts_new(&real_clock), .why = BUF_INIT }, b = a;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, ask, &a), 0);
    FILE *f = open_pipe();
    reload(a.trusts);
    write_pipe(f, &old.cert);
    write_pipe(open_pipe(), &now.cert); /* the second reading */
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_non_null(a.got);
    assert_int_equal(a.why.n, 0);
    ask(&b); /* reads nothing: nobody writes */
    assert_ptr_equal(b.got, a.got);
    outgoing_unref(a.got);
    outgoing_unref(b.got);
    /* After a reload that does not know it, the next one reads. */
    reload(a.trusts);
    assert_int_equal(pthread_create(&thread, NULL, ask, &b), 0);
    write_pipe(open_pipe(), &old.cert);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_non_null(b.got);
    outgoing_unref(b.got);
    trusts_free(a.trusts);
    made_fini(&old);
    made_fini(&now);
}

static void what_cannot_be_read_is_said(void **state)
{
    (void)state;
    struct trusts *t = trusts_new(&real_clock);
    struct origin_tls tls = { .is_on = true, .ca = STR("/nowhere/ca.pem") };
    struct buf why = BUF_INIT;
    assert_null(trusts_get(t, &tls, &why));
    buf_add_char(&why, '\0');
    assert_non_null(strstr(why.p, "cannot read /nowhere/ca.pem"));
    buf_fini(&why);
    trusts_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_read_before_a_reload_is_read_again),
        cmocka_unit_test(what_cannot_be_read_is_said),
    };
    alarm(150);
    if (!mkdtemp(folder))
        return 1;
    snprintf(path, sizeof(path), "%s/ca.pem", folder);
    if (mkfifo(path, 0600) < 0)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    rmdir(folder);
    return failed;
}
