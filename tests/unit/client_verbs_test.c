/* The verbs purge, explain and status find the running freshet, ask it exactly one thing, and say what came
 * of it; whatever answers instead, they end with a sentence and an exit code. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>
#include <netdb.h>
#include <pthread.h>

#include "base/check.h"
#include "client/client.h"
#include "io/address.h"
#include "client/state.h"

#define TOKEN "token-of-the-tests"

/* ---- a server that answers one connection with bytes that were written before ---- */

struct server {
    pthread_t thread;
    int fd;
    char address[64];
    struct str answer;
    size_t piece;     /* bytes of one write; 0: all at once */
    struct buf asked; /* what it was sent */
};

static struct server server;
static char folder[] = "/tmp/freshet-client-XXXXXX";

/* A head, and as much body as it says. */
static bool is_whole(struct str s)
{
    const char *end = s.n ? memmem(s.p, s.n, "\r\n\r\n", 4) : NULL;
    if (!end)
        return false;
    const char *length = memmem(s.p, s.n, "Content-Length: ", 16);
    size_t body = s.n - (size_t)(end + 4 - s.p);
    return !length || body >= strtoul(length + 16, NULL, 10);
}

static void *serve(void *arg)
{
    struct server *s = arg;
    int c = accept(s->fd, NULL, NULL);
    while (c >= 0 && !is_whole(buf_str(&s->asked))) {
        ssize_t n = read(c, buf_room(&s->asked, 4096), 4096);
        if (n <= 0)
            break;
        s->asked.n += (size_t)n;
    }
    for (size_t at = 0; c >= 0 && at < s->answer.n;) {
        size_t n = s->piece && s->answer.n - at > s->piece ? s->piece : s->answer.n - at;
        if (send(c, s->answer.p + at, n, MSG_NOSIGNAL) <= 0)
            break;
        at += n;
    }
    if (c >= 0)
        close(c);
    return NULL;
}

static void server_start(const char *answer, size_t piece)
{
    struct sockaddr_in any = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof(any);
    server = (struct server){ .answer = str_from(answer), .piece = piece };
    server.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(server.fd, (struct sockaddr *)&any, n), 0);
    assert_int_equal(listen(server.fd, 1), 0);
    assert_int_equal(getsockname(server.fd, (struct sockaddr *)&any, &n), 0);
    snprintf(server.address, sizeof(server.address), "127.0.0.1:%u", ntohs(any.sin_port));
    assert_int_equal(pthread_create(&server.thread, NULL, serve, &server), 0);
}

/* What it was asked; NUL-terminated, lives until the next start. */
static const char *server_end(void)
{
    static char asked[16384];
    shutdown(server.fd, SHUT_RDWR); /* wakes an accept that nobody came for */
    assert_int_equal(pthread_join(server.thread, NULL), 0);
    close(server.fd);
    assert_true(server.asked.n < sizeof(asked));
    if (server.asked.n)
        memcpy(asked, server.asked.p, server.asked.n);
    asked[server.asked.n] = '\0';
    buf_fini(&server.asked);
    return asked;
}

/* ---- names ---- */

/* Stands before the C library's: every name has two addresses, as localhost usually has, and nobody answers
 * at the first. */
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **out)
{
    static struct sockaddr_in at[2];
    static struct addrinfo answers[2];
    (void)name;
    (void)service;
    for (int i = 0; i < 2; i++) {
        at[i] =
            (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 - i) };
        answers[i] = (struct addrinfo){ .ai_family = AF_INET,
                                        .ai_socktype = hints->ai_socktype,
                                        .ai_addrlen = sizeof(at[i]),
                                        .ai_addr = (struct sockaddr *)&at[i],
                                        .ai_next = i == 0 ? &answers[1] : NULL };
    }
    *out = answers;
    return 0;
}

/* The same: at the default address nobody answers, whoever does on this machine. */
int connect(int fd, const struct sockaddr *at, socklen_t n)
{
    const struct sockaddr_in *v4 = (const void *)at;
    if (at->sa_family == AF_INET && v4->sin_port == htons(8081)) {
        errno = ECONNREFUSED;
        return -1;
    }
    return (int)syscall(SYS_connect, fd, at, n);
}

void freeaddrinfo(struct addrinfo *answers)
{
    (void)answers;
}

/* ---- what a verb prints ---- */

static char said[32768], complained[8192];

static int open_temporary(void)
{
    FILE *f = tmpfile();
    assert_non_null(f);
    int fd = dup(fileno(f));
    fclose(f);
    return fd;
}

static void read_back(int fd, char *to, size_t cap)
{
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    ssize_t n = read(fd, to, cap - 1);
    assert_true(n >= 0 && (size_t)n < cap - 1);
    to[n] = '\0';
    close(fd);
}

static int run(int (*verb)(const struct cli *), const struct cli *cli)
{
    int out = open_temporary(), error = open_temporary();
    fflush(stdout);
    fflush(stderr);
    int old_out = dup(STDOUT_FILENO), old_error = dup(STDERR_FILENO);
    dup2(out, STDOUT_FILENO);
    dup2(error, STDERR_FILENO);
    int code = verb(cli);
    fflush(stdout);
    fflush(stderr);
    dup2(old_out, STDOUT_FILENO);
    dup2(old_error, STDERR_FILENO);
    close(old_out);
    close(old_error);
    read_back(out, said, sizeof(said));
    read_back(error, complained, sizeof(complained));
    return code;
}

static void expect_in(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("\"%s\" is not in \"%s\"", part, text);
}

static struct cli command(void)
{
    return (struct cli){ .admin = str_from(server.address), .token = STR(TOKEN), .state = str_from(folder) };
}

static struct strs one(struct str *v)
{
    return (struct strs){ v, 1 };
}

static int setup(void **state)
{
    (void)state;
    alarm(60);
    unsetenv("FRESHET_ADMIN");
    setenv("FRESHET_RUNTIME_DIR", "", 1);
    unsetenv("FRESHET_TOKEN");
    strcpy(folder + sizeof(folder) - 7, "XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/token", folder);
    unlink(path);
    snprintf(path, sizeof(path), "%s/admin", folder);
    unlink(path);
    return rmdir(folder);
}

#define JSON_HEAD "HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\n"
#define PURGED    "{\"sequence\": 42, \"durable\": true, \"purged\": \"site default: tags book-1, books\"}\n"

/* ---- purge ---- */

static void purge_asks_and_says_what_was_purged(void **state)
{
    (void)state;
    struct str tags[] = { STR("book-1"), STR("b\"\xc3\xbc") }, urls[] = { STR("http://a/?x=1&y=2") };
    /* However the answer comes: with a length in single bytes, in chunks, until the end. */
    static const struct {
        const char *answer;
        size_t piece;
    } rows[] = {
        { JSON_HEAD "Content-Length: 80\r\n\r\n" PURGED, 0 },
        { JSON_HEAD "Content-Length: 80\r\n\r\n" PURGED, 1 },
        { "HTTP/1.1 103 Early Hints\r\n\r\n" JSON_HEAD "Content-Length: 80\r\n\r\n" PURGED, 7 },
        { JSON_HEAD "Transfer-Encoding: chunked\r\n\r\n50\r\n" PURGED "\r\n0\r\n\r\n", 1 },
        { JSON_HEAD "Connection: close\r\n\r\n" PURGED, 3 },
        { "HTTP/1.0 202\r\n\r\n" PURGED, 1 },
    };
    assert_int_equal(strlen(PURGED), 80);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        server_start(rows[i].answer, rows[i].piece);
        struct cli cli = command();
        cli.tags = (struct strs){ tags, 2 };
        cli.urls = one(urls);
        cli.site = STR("default");
        cli.soft = true;
        int code = run(client_purge, &cli);
        const char *asked = server_end();
        assert_string_equal(complained, "");
        assert_string_equal(said, "purged site default: tags book-1, books (sequence 42)\n");
        assert_int_equal(code, 0);
        assert_int_equal(strncmp(asked, "POST /api/v1/purge HTTP/1.1\r\n", 29), 0);
        expect_in(asked, "\r\nAuthorization: Bearer " TOKEN "\r\n");
        expect_in(asked, "\r\nHost: 127.0.0.1:");
        expect_in(asked, "\"site_id\":\"default\"");
        expect_in(asked, "\"cache_tags\":[\"book-1\",\"b\\\"\xc3\xbc\"]");
        expect_in(asked, "\"urls\":[\"http://a/?x=1&y=2\"]");
        expect_in(asked, "\"soft\":true");
    }
}

static void only_all_asks_for_everything(void **state)
{
    (void)state;
    server_start(JSON_HEAD "Content-Length: 80\r\n\r\n" PURGED, 0);
    struct cli cli = command();
    assert_int_equal(run(client_purge, &cli), 2);
    expect_in(complained, "--all");
    assert_string_equal(server_end(), "");

    server_start(JSON_HEAD "Content-Length: 80\r\n\r\n" PURGED, 0);
    cli = command();
    cli.all = true;
    assert_int_equal(run(client_purge, &cli), 0);
    const char *asked = server_end();
    assert_string_equal(strstr(asked, "\r\n\r\n"), "\r\n\r\n{}");
}

static void what_is_no_text_is_not_sent(void **state)
{
    (void)state;
    server_start("", 0);
    struct cli cli = command();
    struct str bad = STR("\xff");
    cli.tags = one(&bad);
    assert_int_equal(run(client_purge, &cli), 2);
    expect_in(complained, "UTF-8");
    assert_string_equal(server_end(), "");
}

static void answers_that_are_none_end_in_a_sentence(void **state)
{
    (void)state;
    static const struct {
        const char *answer;
        int code;
        const char *says;
    } rows[] = {
        { "HTTP/1.1 401 Unauthorized\r\n\r\n{\"code\": 401, \"message\": \"wrong "
          "token\"}",
          1, "does not take the token from --token" },
        { "HTTP/1.1 404 Not Found\r\n\r\n{\"code\": 404, \"message\": \"no site is "
          "named\"}",
          1, "no site is named" },
        { "HTTP/1.1 400 Bad Request\r\n\r\n{\"code\": 400, \"message\": \"several "
          "sites\"}",
          2, "several sites" },
        { "HTTP/1.1 400 Bad Request\r\n\r\n{\"code\": 400, \"message\": "
          "\"a\\u001b[2J\"}",
          2, "a?[2J" },
        { "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 1, "is not freshet's admin listener" },
        { "HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nhello", 1, "is not freshet's admin listener" },
        { "HTTP/1.1 204 No Content\r\n\r\n", 1, "is not freshet's admin listener" },
        { "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello", 1, "before its answer was whole" },
        { "HTTP/1.1 200 OK\r\nContent-Le", 1, "before its answer was whole" },
        { "", 1, "no freshet answers at" },
        { "SSH-2.0-OpenSSH_9.2\r\n", 1, "is no HTTP" },
        { "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 1, "is no HTTP" },
        { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 1, "is no HTTP" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        server_start(rows[i].answer, 0);
        struct cli cli = command();
        cli.all = true;
        int code = run(client_purge, &cli);
        server_end();
        assert_string_equal(said, "");
        expect_in(complained, "freshet purge: ");
        expect_in(complained, rows[i].says);
        assert_int_equal(code, rows[i].code);
        assert_null(strstr(complained, TOKEN));
    }
}

static void an_answer_without_end_is_given_up(void **state)
{
    (void)state;
    size_t n = (size_t)9 << 20;
    char *text = malloc(n);
    assert_non_null(text);
    memset(text, 'x', n - 1);
    text[n - 1] = '\0';
    const char *head = "HTTP/1.1 200 OK\r\n\r\n";
    memcpy(text, head, strlen(head));
    server_start(text, 0);
    struct cli cli = command();
    assert_int_equal(run(client_status, &cli), 1);
    expect_in(complained, "is larger than");
    server_end();
    free(text);
}

/* ---- where it is ---- */

static void address_and_token_come_from_flag_environment_or_state(void **state)
{
    (void)state;
    const char *answer = JSON_HEAD "Content-Length: 80\r\n\r\n" PURGED;
    struct cli cli;

    server_start(answer, 0);
    struct file_id id;
    assert_int_equal(state_write_admin(folder, str_from(server.address), &id), 0);
    assert_int_equal(state_write_token(folder, STR("kept")), 0);
    cli = (struct cli){ .all = true, .state = str_from(folder) };
    assert_int_equal(run(client_purge, &cli), 0);
    expect_in(server_end(), "Bearer kept\r\n");

    /* The environment counts more; an address may look like a URL, or have a name. */
    static const char *const spellings[] = { "%s", "http://%s", "http://%s/", "HTTP://localhost:%s" };
    for (size_t i = 0; i < COUNT_OF(spellings); i++) {
        char environment[100];
        server_start(answer, 0);
        const char *where = i == 3 ? strchr(server.address, ':') + 1 : server.address;
        snprintf(environment, sizeof(environment), spellings[i], where);
        setenv("FRESHET_ADMIN", environment, 1);
        setenv("FRESHET_TOKEN", "surrounding", 1);
        int code = run(client_purge, &cli);
        const char *asked = server_end();
        assert_string_equal(complained, "");
        assert_int_equal(code, 0);
        expect_in(asked, "Bearer surrounding\r\n");
    }

    setenv("FRESHET_ADMIN", "127.0.0.1:1", 1);
    server_start(answer, 0);
    cli.admin = str_from(server.address);
    cli.token = STR("flag");
    assert_int_equal(run(client_purge, &cli), 0);
    expect_in(server_end(), "Bearer flag\r\n");
}

static void nobody_there_is_said(void **state)
{
    (void)state;
    server_start("", 0);
    server_end(); /* its port is free now */
    struct cli cli = command();
    assert_int_equal(run(client_status, &cli), 1);
    expect_in(complained, "no freshet answers at 127.0.0.1:");
    expect_in(complained, "Connection refused");
    cli.admin = STR("no such place");
    assert_int_equal(run(client_status, &cli), 1);
    expect_in(complained, "no freshet answers at no such place");
    cli.admin = STR("unix:/nonexistent/admin");
    assert_int_equal(run(client_status, &cli), 1);
    expect_in(complained, "No such file");
}

static void whoever_named_the_address_is_named(void **state)
{
    (void)state;
    char expected[PATH_MAX];
    struct file_id id;
    server_start("", 0);
    server_end(); /* its port is free now */
    struct cli cli = command();
    assert_int_equal(run(client_status, &cli), 1);
    expect_in(complained, "(Connection refused), the address of --admin; start it with");

    cli.admin = STR_NONE;
    setenv("FRESHET_ADMIN", server.address, 1);
    assert_int_equal(run(client_status, &cli), 1);
    expect_in(complained, "(Connection refused), the address in FRESHET_ADMIN; start it with");
    unsetenv("FRESHET_ADMIN");
    setenv("FRESHET_RUNTIME_DIR", "", 1);

    /* It stays when a freshet had no time to remove it. */
    assert_int_equal(state_write_admin(folder, str_from(server.address), &id), 0);
    assert_int_equal(run(client_status, &cli), 1);
    snprintf(expected, sizeof(expected),
             "(Connection refused), the address in \"%s/admin\"; the one that wrote it has ended: start it",
             folder);
    expect_in(complained, expected);
    state_remove_admin(folder, &id);

    /* Not the listener, or not the token: the same. */
    server_start("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 0);
    cli = command();
    assert_int_equal(run(client_status, &cli), 1);
    server_end();
    expect_in(complained, ", the address of --admin, is not freshet's admin listener");
    server_start("HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\n{}", 0);
    cli = command();
    assert_int_equal(run(client_status, &cli), 1);
    server_end();
    expect_in(complained, ", the address of --admin, does not take the token from --token");
}

static void before_the_first_start_it_is_said_what_to_do(void **state)
{
    (void)state;
    char expected[PATH_MAX];
    struct cli cli = { .state = str_from(folder) };
    assert_int_equal(run(client_status, &cli), 1);
    snprintf(expected, sizeof(expected),
             "freshet status: no freshet was started with the state folder \"%s\" yet; start one with "
             "\"freshet run "
             "--origin URL\", or name the state folder of the one that runs with --state\n",
             folder);
    assert_string_equal(complained, expected);

    /* Stopped: its token is there, its address is not. */
    assert_int_equal(state_write_token(folder, STR("kept")), 0);
    assert_int_equal(run(client_status, &cli), 1);
    snprintf(expected, sizeof(expected),
             ", the default, as there is no \"%s/admin\"; start one with \"freshet run\"", folder);
    expect_in(complained, "no freshet answers at 127.0.0.1:8081 (");
    expect_in(complained, expected);

    unsetenv("XDG_STATE_HOME");
    unsetenv("HOME");
    cli.state = STR_NONE;
    assert_int_equal(run(client_status, &cli), 1);
    expect_in(complained, "neither XDG_STATE_HOME nor HOME is set");
}

static void no_token_is_said(void **state)
{
    (void)state;
    server_start("", 0);
    struct cli cli = command();
    cli.token = STR_NONE;
    assert_int_equal(run(client_status, &cli), 1);
    expect_in(complained, "no admin token");
    expect_in(complained, folder);
    setenv("FRESHET_TOKEN", "a\r\nInjected: b", 1);
    assert_int_equal(run(client_status, &cli), 2);
    expect_in(complained, "FRESHET_TOKEN");
    assert_string_equal(server_end(), "");
}

/* ---- explain ---- */

static void explain_prints_what_is_known(void **state)
{
    (void)state;
    struct str headers[] = { STR("Cookie: a=b; c=\"d\"") };
    struct buf answer = BUF_INIT;
    const char *json =
        "{\"outcome\": \"hit\", \"text\": \"answered from memory\", \"request\": {\"site\": "
        "\"default\", \"profile\": \"isr\"},"
        "\"origin\": {\"address\": \"http://o\", \"failed_in_row\": 2, \"last_reason_text\": \"it is away\"},"
        "\"resource\": {\"rule\": \"query=a\", \"rule_from\": [\"Netlify-Vary\"], \"variants\": "
        "2, \"fetch_running\": true},"
        "\"key\": \"site: default; url: http://a/; query: a=1\", \"stored\": {\"status\": "
        "200, \"content_type\": \"text/html\","
        "\"body_bytes\": 2048, \"head_bytes\": 100, \"hits\": 1, \"received\": "
        "\"2026-01-01T00:00:00.000Z\", \"age_s\": 3700,"
        "\"lifetime_s\": 60, \"ttl_s\": -3640, \"stale_while_revalidate_s\": 7200, "
        "\"stale_while_revalidate_left_s\": 3560,"
        "\"ruled_by\": \"Cache-Control: max-age=60\", \"tags\": [\"t\\u001b\", \"u\"], "
        "\"purged\": \"soft\"}}";
    buf_printf(&answer, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen(json), json);
    buf_add_char(&answer, '\0');
    server_start(answer.p, 0);
    struct cli cli = command();
    cli.url = STR("http://a/?a=1&b=\xc3\xbc");
    cli.headers = one(headers);
    int code = run(client_explain, &cli);
    const char *asked = server_end();
    assert_string_equal(complained, "");
    assert_int_equal(code, 0);
    const char *target = "GET /api/v1/explain?url=http%3A%2F%2Fa%2F%3Fa%3D1%26b%3D%C3%BC"
                         "&header=Cookie%3A%20a%3Db%3B%20c%3D%22d%22 HTTP/1.1\r\n";
    assert_int_equal(strncmp(asked, target, strlen(target)), 0);
    expect_in(said, "hit: answered from memory");
    expect_in(said, "url: http://a/\n");
    expect_in(said, "origin      http://o (failing: it is away)\n");
    expect_in(said, "status 200, text/html, body 2.0 KiB, head 100 bytes, 1 hit\n");
    expect_in(said, "1 h 1 m of 1 m, stale for 1 h, stale-while-revalidate 2 h (59 m 20 s left)");
    expect_in(said, "ruled by    Cache-Control: max-age=60\n");
    expect_in(said, "tags        t?, u\n");
    expect_in(said, "purged      soft\n");
    expect_in(said, "2 stored; a fetch runs\n");
    buf_fini(&answer);
}

/* Its age says nothing any more. */
static void what_was_purged_is_not_called_fresh(void **state)
{
    (void)state;
    static const struct {
        const char *purged, *age;
    } cases[] = {
        { "null", "age         12 s of 1 m, fresh for another 48 s, stale-while-revalidate 10 m\n" },
        { "\"hard\"", "age         12 s of 1 m, purged: not served again\n" },
        { "\"invalidated by an unsafe method\"",
          "age         12 s of 1 m, invalidated: not served before the origin confirms it\n" },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buf json = BUF_INIT, answer = BUF_INIT;
        buf_printf(
            &json,
            "{\"outcome\": \"miss\", \"stored\": {\"age_s\": 12, \"lifetime_s\": 60, \"ttl_s\": 48, "
            "\"stale_while_revalidate_s\": 600, \"stale_while_revalidate_left_s\": 600, \"purged\": %s}}",
            cases[i].purged);
        buf_printf(&answer, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%.*s", json.n,
                   STR_ARG(buf_str(&json)));
        buf_add_char(&answer, '\0');
        server_start(answer.p, 0);
        struct cli cli = command();
        cli.url = STR("http://a/");
        assert_int_equal(run(client_explain, &cli), 0);
        server_end();
        expect_in(said, cases[i].age);
        buf_fini(&answer);
        buf_fini(&json);
    }
}

static void explain_names_the_fields_of_the_rule(void **state)
{
    (void)state;
    static const struct {
        const char *resource, *line;
    } cases[] = {
        { "\"rule\": \"r\", \"rule_from\": [\"Vary\"]", "rule        r (from Vary)\n" },
        { "\"rule\": \"r\", \"rule_from\": [\"A\", \"B\"]", "rule        r (from A and B)\n" },
        { "\"rule\": \"r\", \"rule_from\": [\"A\", \"B\\u001b\", \"C\"]",
          "rule        r (from A, B? and C)\n" },
        { "\"rule\": \"r\", \"rule_from\": [], \"known\": true",
          "rule        r (the default: no answer named anything else)\n" },
        { "\"rule\": \"r\", \"rule_from\": [], \"known\": false", "rule        r (the default)\n" },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buf json = BUF_INIT, answer = BUF_INIT;
        buf_printf(&json, "{\"outcome\": \"miss\", \"resource\": {%s}, \"stored\": null}", cases[i].resource);
        buf_printf(&answer, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%.*s", json.n,
                   STR_ARG(buf_str(&json)));
        buf_add_char(&answer, '\0');
        server_start(answer.p, 0);
        struct cli cli = command();
        cli.url = STR("http://a/");
        assert_int_equal(run(client_explain, &cli), 0);
        server_end();
        expect_in(said, cases[i].line);
        buf_fini(&answer);
        buf_fini(&json);
    }
}

/* ---- status ---- */

static void status_prints_for_people_or_as_it_came(void **state)
{
    (void)state;
    struct buf answer = BUF_INIT;
    const char *json =
        "{\"version\": \"9.9\", \"ready\": true, \"uptime_s\": 90061, \"workers\": 1,"
        "\"requests\": {\"total\": 10, \"open\": 1, \"hit_ratio\": 0.755, \"memory_hit_ratio\": "
        "0.5, \"disk_hit_ratio\": 0.51, \"hits\": 1, \"misses\": 2},"
        "\"disk\": {\"file_bytes\": 4194304, \"limit_bytes\": 1073741824, \"responses\": 9, \"complete\": "
        "true, "
        "\"written_bytes_per_s\": 2048, \"oldest_s\": 7201},"
        "\"memory\": {\"used_bytes\": 500, \"budget_bytes\": 268435456}, \"cache\": {\"objects\": 3, "
        "\"resources\": 1},"
        "\"purges\": {\"sequence\": 7, \"latest\": [{\"sequence\": 7, \"time\": \"2026\", \"what\": \"site "
        "a: everything\"}]},"
        "\"sites\": [{\"name\": \"a\", \"profile\": \"isr\", \"hosts\": [\"a.example\", \"*.b\"], "
        "\"origin\": \"http://o\"},"
        "{\"name\": \"b\", \"profile\": \"dev\", \"hosts\": [], \"origin\": \"unix:/o\"}],"
        "\"origins\": [{\"address\": \"http://o\", \"health\": \"sick\", \"answered\": 1, \"failed\": 2, "
        "\"failed_in_row\": "
        "1, \"last_failed\": "
        "\"then\","
        "\"last_reason_text\": \"it is away\"}]}\n";
    buf_printf(&answer, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen(json), json);
    buf_add_char(&answer, '\0');
    server_start(answer.p, 0);
    struct cli cli = command();
    assert_int_equal(run(client_status, &cli), 0);
    expect_in(server_end(), "GET /api/v1/status HTTP/1.1\r\n");
    expect_in(said, "freshet 9.9, admin at 127.0.0.1:");
    expect_in(said, "up 1 d 1 h, 1 worker\n");
    expect_in(said, "75.5 % answered from the cache (memory 50.0 %; of the rest, disk 51.0 %)\n");
    expect_in(said, "4.0 MiB of 1.0 GiB, 9 responses;");
    expect_in(said, "2.0 KiB a second written lately; the oldest of it is at most 3 h old\n");
    expect_in(said, "500 bytes of 256 MiB");
    expect_in(said, "3 stored, of 1 known URL;");
    expect_in(said, "a (profile isr): a.example, *.b from http://o\n");
    expect_in(said, "b (profile dev): every other host from unix:/o\n");
    expect_in(said, "sick: asked by one page at a time, 0 waiting, 1 answer, 2 failures\n");
    expect_in(said, "1 failed in a row; the last at then: it is away\n");
    expect_in(said, "2026  7  site a: everything\n");

    server_start(answer.p, 0);
    cli = command();
    cli.json = true;
    assert_int_equal(run(client_status, &cli), 0);
    server_end();
    assert_string_equal(said, json);
    buf_fini(&answer);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(purge_asks_and_says_what_was_purged),
        TEST(only_all_asks_for_everything),
        TEST(what_is_no_text_is_not_sent),
        TEST(answers_that_are_none_end_in_a_sentence),
        TEST(an_answer_without_end_is_given_up),
        TEST(address_and_token_come_from_flag_environment_or_state),
        TEST(nobody_there_is_said),
        TEST(whoever_named_the_address_is_named),
        TEST(before_the_first_start_it_is_said_what_to_do),
        TEST(no_token_is_said),
        TEST(explain_prints_what_is_known),
        TEST(what_was_purged_is_not_called_fresh),
        TEST(explain_names_the_fields_of_the_rule),
        TEST(status_prints_for_people_or_as_it_came),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
