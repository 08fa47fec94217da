#include "server/secrets.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "admin/webhook_proof.h"
#include "conf/form.h"
#include "io/system.h"
#include "server/secret_file.h"

static void warn_if_readable(struct str file)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%.*s", STR_ARG(file));
    if (file.n)
        secret_file_warn(path, "the secret of a webhook", "it");
}

/* NULL: w->secret is set, perhaps to nothing. Else why not. */
static const char *read_file(struct settings *s, struct webhook *w)
{
    char path[PATH_MAX];
    struct buf text = BUF_INIT;
    snprintf(path, sizeof(path), "%.*s", STR_ARG(w->secret_file));
    int status = secret_file_read(path, &text);
    w->secret = arena_dup(&s->arena, buf_str(&text));
    buf_fini(&text);
    if (status < 0)
        return system_strerror(status);
    warn_if_readable(w->secret_file);
    return NULL;
}

/* The same. */
static const char *read_environment(struct settings *s, struct webhook *w)
{
    char name[256];
    snprintf(name, sizeof(name), "%.*s", STR_ARG(w->secret_env));
    const char *value = getenv(name);
    w->secret = arena_dup(&s->arena, str_from(value));
    return value ? NULL : "the environment of freshet has no such variable; set it there, or name another";
}

static bool read_one(struct settings *s, const struct site_settings *site, struct webhook *w,
                     struct buf *errors)
{
    const char *wrong = NULL;
    if (w->secret_file.n)
        wrong = read_file(s, w);
    else if (w->secret_env.n)
        wrong = read_environment(s, w);
    if (!wrong && w->secret.n)
        wrong = form_check(FORM_SECRET, w->secret);
    if (!wrong)
        wrong = webhook_proof_secret(&w->scheme, w->secret, &s->arena);
    if (!wrong)
        return true;
    const char *field = w->secret_file.n ? "secret_file" : w->secret_env.n ? "secret_env" : "secret";
    struct str from = w->secret_file.n ? w->secret_file : w->secret_env;
    buf_printf(errors, "%.*s: webhook %.*s of %.*s: its secret (%s%s%.*s): %s\n", STR_ARG(s->path),
               STR_ARG(w->path), STR_ARG(site->name), field, from.n ? " " : "", STR_ARG(from), wrong);
    return false;
}

bool secrets_read(struct settings *s, struct buf *errors)
{
    bool good = true, inside = false;
    for (size_t i = 0; i < s->sites_n; i++)
        for (size_t k = 0; k < s->sites[i].webhooks.n; k++) {
            struct webhook *w = &s->sites[i].webhook_list[k];
            inside |= w->secret.n > 0;
            good &= !w->secret_is_unclear && read_one(s, &s->sites[i], w, errors);
        }
    if (inside)
        warn_if_readable(s->path);
    return good;
}
