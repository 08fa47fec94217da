#include "server/load.h"

#include "server/secrets.h"
#include "site/rules.h"

struct settings *load_look(const struct cli *cli, struct buf *errors)
{
    struct settings *s = settings_look(cli->config, cli->overrides, cli->overrides_n, errors);
    if (!s)
        return NULL;
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
