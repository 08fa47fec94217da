/* A command line is either a value whose parts point into it, or one line that says what is wrong. */
#include <string.h>

#include "base/check.h"
#include "conf/cli.h"

#define ARGS_MAX 32

static void check_sentence(struct str error)
{
    CHECK(str_starts(error, STR("freshet")));
    CHECK(error.n > 10 && str_index(error, '\n') == error.n - 1);
    for (size_t i = 0; i + 1 < error.n; i++)
        CHECK((unsigned char)error.p[i] >= 0x20 && error.p[i] != 0x7f);
}

static void check_cli(const struct cli *c, size_t argc)
{
    CHECK((unsigned)c->verb < CLI_VERB_COUNT);
    CHECK(c->overrides_n + c->tags.n + c->urls.n + c->headers.n < argc);
    CHECK(!c->overrides_n || c->verb == CLI_RUN || c->verb == CLI_CHECK);
    for (size_t i = 0; i < c->overrides_n; i++)
        CHECK(str_starts(c->overrides[i].flag, STR("--")) && c->overrides[i].name.n &&
              c->overrides[i].value.p);
    if (c->help)
        return;
    CHECK(!c->config || c->verb == CLI_RUN || c->verb == CLI_CHECK);
    CHECK(!c->config || c->config[0]);
    CHECK(c->verb != CLI_EXPLAIN || c->url.n);
    CHECK(c->verb != CLI_PURGE || c->all == (c->tags.n + c->urls.n == 0));
    for (size_t i = 0; i < c->headers.n; i++)
        CHECK(str_index(c->headers.v[i], ':') < c->headers.v[i].n);
}

/* One word a line. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct cli cli;
    struct buf error = BUF_INIT;
    char name[] = "freshet", *argv[ARGS_MAX] = { name };
    size_t argc = 1;
    arena_init(&a, 4096);
    for (struct str rest = { (const char *)data, size }; rest.p && argc < ARGS_MAX; argc++) {
        struct str word = str_cut(&rest, '\n');
        argv[argc] = memcpy(arena_zero(&a, word.n + 1), word.p, word.n);
    }
    if (cli_parse((int)argc, argv, &a, &cli, &error)) {
        CHECK(error.n == 0);
        check_cli(&cli, argc);
    } else {
        check_sentence(buf_str(&error));
    }
    buf_fini(&error);
    arena_fini(&a);
    return 0;
}
