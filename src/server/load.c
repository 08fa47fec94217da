#include "server/load.h"

#include <unistd.h>

#include "server/secrets.h"
#include "site/rules.h"

/* "--compress gzip": there is no such file, and the word was meant for the flag. */
static void say_what_was_meant(const struct cli *cli, struct buf *errors)
{
    if (cli->config_behind.n && access(cli->config, F_OK) != 0)
        buf_printf(errors,
                   "%.*s: it is true or false, and true without a value; \"%s\" behind it was taken for the "
                   "configuration file\n",
                   STR_ARG(cli->config_behind), cli->config);
}

struct settings *load_look(const struct cli *cli, struct buf *errors)
{
    struct settings *s = settings_look(cli->config, cli->overrides, cli->overrides_n, errors);
    if (!s) {
        say_what_was_meant(cli, errors);
        return NULL;
    }
    bool rules_are_good = rules_prepare(s, errors), secrets_are_good = secrets_read(s, errors);
    s->is_broken |= !rules_are_good || !secrets_are_good;
    return s;
}

struct settings *load_settings(const struct cli *cli, struct buf *errors)
{
    struct settings *s = load_look(cli, errors);
    if (!s || !s->is_broken)
        return s;
    settings_unref(s);
    return NULL;
}
