#include "client/running.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "io/system.h"

#define SYSTEM_FOLDER "/run/freshet"

size_t running_folders(char out[RUNNING_FOLDERS][PATH_MAX])
{
    const char *named = getenv("FRESHET_RUNTIME_DIR"), *xdg = getenv("XDG_RUNTIME_DIR");
    if (named)
        return named[0] && snprintf(out[0], PATH_MAX, "%s", named) < PATH_MAX ? 1 : 0;
    size_t n = 0;
    if (xdg && xdg[0] == '/' && snprintf(out[n], PATH_MAX, "%s/freshet", xdg) < PATH_MAX)
        n++;
    snprintf(out[n++], PATH_MAX, SYSTEM_FOLDER);
    snprintf(out[n++], PATH_MAX, "/tmp/freshet-%lu", (unsigned long)geteuid());
    return n;
}

int running_show(struct presence *p, struct str admin, const char *state)
{
    char all[RUNNING_FOLDERS][PATH_MAX], path[PATH_MAX];
    *p = (struct presence){ .folder = -1, .file = -1 };
    int status = system_absolute(state, path);
    if (status < 0)
        return status;
    json_t *json =
        json_pack("{s:I, s:s%, s:s}", "pid", (json_int_t)getpid(), "admin", admin.p, admin.n, "state", path);
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    if (!text)
        return -EINVAL; /* a path that is no UTF-8 */
    size_t n = running_folders(all);
    status = -ENOENT;
    for (size_t i = 0; i < n; i++)
        if ((status = presence_show(p, all[i], str_from(text))) == 0)
            break;
    free(text);
    return status;
}

struct found {
    struct running *v;
    size_t n;
};

static bool take(char *to, size_t room, const json_t *object, const char *name)
{
    const json_t *v = json_object_get(object, name);
    size_t n = json_string_length(v);
    if (!json_is_string(v) || n == 0 || n >= room)
        return false;
    memcpy(to, json_string_value(v), n + 1);
    return strlen(to) == n;
}

static bool owns_token(const struct running *r)
{
    char path[PATH_MAX + sizeof("/token")];
    uid_t owner;
    snprintf(path, sizeof(path), "%s/token", r->state);
    return presence_owner(path, &owner) == 0 && owner == r->owner;
}

static void add(void *ctx, struct str content, uid_t owner)
{
    struct found *f = ctx;
    if (f->n == RUNNING_MAX)
        return;
    json_t *json = json_loadb(content.p ? content.p : "", content.n, 0, NULL);
    struct running *r = &f->v[f->n];
    *r = (struct running){ .owner = owner, .pid = (long)json_integer_value(json_object_get(json, "pid")) };
    if (r->pid > 0 && take(r->admin, sizeof(r->admin), json, "admin") &&
        take(r->state, sizeof(r->state), json, "state") && r->state[0] == '/') {
        r->owns_token = owns_token(r);
        /* The token of our own folder is not for the freshet of another user. */
        f->n += r->owns_token || r->owner == geteuid() || r->owner == 0;
    }
    json_decref(json);
}

static int by_pid(const void *a, const void *b)
{
    const struct running *x = a, *y = b;
    return (x->pid > y->pid) - (x->pid < y->pid);
}

/* Root alone decides whose this folder is: a user cannot put one there for root to read, as he can in
 * /tmp. */
static bool is_given(const char *folder)
{
    return getenv("FRESHET_RUNTIME_DIR") || strcmp(folder, SYSTEM_FOLDER) == 0;
}

size_t running_find(struct running out[RUNNING_MAX])
{
    char all[RUNNING_FOLDERS][PATH_MAX];
    struct found f = { out, 0 };
    size_t n = running_folders(all);
    for (size_t i = 0; i < n; i++)
        presence_each(all[i], is_given(all[i]), add, &f);
    qsort(out, f.n, sizeof(*out), by_pid);
    return f.n;
}
