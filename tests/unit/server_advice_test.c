/* Who cannot listen, or cannot open a log, is told what to do about just this failure; where nothing helps,
 * nothing is said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "server/advice.h"
#include "base/check.h"

/* `part` stands in the advice; NULL: there is none. */
static void expect(const char *advice, const char *part)
{
    if (!part)
        assert_null(advice);
    else if (!advice || !strstr(advice, part))
        fail_msg("\"%s\" is not in \"%s\"", part, advice ? advice : "(none)");
}

static void listening_is_refused_for_a_reason(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *at, *part;
    } rows[] = {
        { UV_EADDRINUSE, "127.0.0.1:80", "stop what listens there" },
        { UV_EADDRINUSE, "unix:/run/f.sock", "stop what listens there" },
        { UV_EADDRNOTAVAIL, "192.0.2.1:8080", "ip address" },
        { UV_EACCES, "127.0.0.1:80", "CAP_NET_BIND_SERVICE" },
        { UV_EACCES, "[::1]:1023", "CAP_NET_BIND_SERVICE" },
        { UV_EPERM, ":443", "CAP_NET_BIND_SERVICE" },
        { UV_EACCES, "127.0.0.1:1024", NULL },
        { UV_EACCES, "unix:/run/f.sock", "folder writable" },
        { UV_ENOENT, "unix:/run/f.sock", "make its folder" },
        { UV_EAFNOSUPPORT, "[::1]:80", "IPv6 on" },
        { UV_ENOMEM, "[::1]:80", NULL },
        { UV_ENOMEM, "unix:/run/f.sock", NULL },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct address at;
        assert_true(address_parse(str_from(rows[i].at), &at));
        expect(advice_listen(rows[i].status, &at), rows[i].part);
    }
}

static void a_log_is_refused_for_a_reason(void **state)
{
    (void)state;
    expect(advice_log(UV_ENOENT), "make its folder");
    expect(advice_log(UV_EACCES), "writable");
    expect(advice_log(UV_EPERM), "writable");
    expect(advice_log(UV_EISDIR), "a file in");
    expect(advice_log(UV_ENXIO), "reader");
    expect(advice_log(UV_ENOSPC), NULL);
}

static void a_state_folder_or_token_file_is_refused_for_a_reason(void **state)
{
    (void)state;
    expect(advice_state(UV_ENOTDIR), "move away the file");
    expect(advice_state(UV_EACCES), "writable");
    expect(advice_state(UV_EPERM), "writable");
    expect(advice_state(UV_EROFS), "can be written to");
    expect(advice_state(UV_ENOSPC), "room");
    expect(advice_state(UV_EIO), NULL);
    expect(advice_token_file(UV_ENOENT), "write the token into it");
    expect(advice_token_file(UV_EACCES), "readable");
    expect(advice_token_file(UV_EISDIR), "a file in");
    expect(advice_token_file(UV_EFBIG), "one line");
    expect(advice_token_file(UV_EIO), NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(listening_is_refused_for_a_reason),
        cmocka_unit_test(a_log_is_refused_for_a_reason),
        cmocka_unit_test(a_state_folder_or_token_file_is_refused_for_a_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
