#include "conf/limits.h"

#include "base/check.h"
#include "conf/nearest.h"
#include "conf/setting.h"

/* Listeners, logs, the admin's connections, idle connections to origins. */
#define DESCRIPTORS_KEPT 512

static bool is_same_origin(const struct origin_address *a, const struct origin_address *b)
{
    return a->port == b->port && str_eq(a->host_name, b->host_name) && str_eq(a->local_path, b->local_path) &&
           a->tls.is_on == b->tls.is_on;
}

/* Connections to origins in use at once; sites with one origin share its limit. */
static uint64_t origin_connections(const struct settings *s)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < s->sites_n; i++) {
        int64_t most = s->sites[i].origin_connections;
        bool counted = false;
        for (size_t k = 0; k < s->sites_n && !counted; k++) {
            bool same = k != i && s->sites[i].origin.n == 1 && s->sites[k].origin.n == 1 &&
                        is_same_origin(&s->sites[i].origin_address, &s->sites[k].origin_address);
            int64_t other = s->sites[k].origin_connections;
            counted = same && (other > most || (other == most && k < i));
        }
        sum += counted ? 0 : (uint64_t)most * s->sites[i].origin.n;
    }
    return sum;
}

/* All but the clients' connections. */
static uint64_t needed_beside(const struct settings *s)
{
    return origin_connections(s) + (uint64_t)s->process.tunnels + (uint64_t)s->process.streams +
           DESCRIPTORS_KEPT;
}

int64_t limits_connections(const struct settings *s, uint64_t files)
{
    if (s->process.connections)
        return s->process.connections;
    uint64_t beside = needed_beside(s);
    return (int64_t)(files > 2 * beside ? files - beside : files / 2);
}

/* A default that is above what was chosen contradicts nobody. */
static bool is_default(enum setting_id id, int64_t value)
{
    struct buf b = BUF_INIT;
    setting_write_number(setting_table[id].type, value, &b);
    bool same = str_eq(buf_str(&b), setting_table[id].initial);
    buf_fini(&b);
    return same;
}

static size_t check_above(enum setting_id id, int64_t value, enum setting_id above_id, int64_t above,
                          const char *why, struct buf *out)
{
    if (above == 0 || value <= above || is_default(id, value))
        return 0;
    buf_printf(out, "%.*s: ", STR_ARG(setting_table[id].name));
    setting_write_number(setting_table[id].type, value, out);
    buf_printf(out, " is above %.*s (", STR_ARG(setting_table[above_id].name));
    setting_write_number(setting_table[above_id].type, above, out);
    buf_printf(out, "): %s; lower it, or raise %.*s\n", why, STR_ARG(setting_table[above_id].name));
    return 1;
}

static size_t check_descriptors(const struct settings *s, uint64_t files, struct buf *out)
{
    uint64_t beside = needed_beside(s), clients = (uint64_t)s->process.connections;
    uint64_t needed = beside + (clients ? clients : beside);
    if (needed <= files)
        return 0;
    buf_printf(out, "%llu descriptors are too few for these limits: ", (unsigned long long)files);
    if (clients)
        buf_printf(out, "connections %llu, ", (unsigned long long)clients);
    buf_printf(
        out,
        "origin_connections %llu, tunnels %lld, streams %lld and %d for freshet itself%s; lower them, or "
        "raise the limit of open files to %llu (LimitNOFILE=%llu, ulimit -n %llu)\n",
        (unsigned long long)origin_connections(s), (long long)s->process.tunnels,
        (long long)s->process.streams, DESCRIPTORS_KEPT, clients ? "" : ", and as many for clients",
        (unsigned long long)needed, (unsigned long long)needed, (unsigned long long)needed);
    return 1;
}

/* Names of one letter less than a list's: what is in the list would go on counting. */
static size_t check_words(enum setting_id id, const struct strs *names, const struct str *words, size_t n,
                          struct buf *out)
{
    size_t found = 0;
    for (size_t i = 0; i < names->n; i++) {
        struct nearest near = nearest_to(names->v[i]);
        for (size_t k = 0; k < n; k++)
            nearest_offer(&near, words[k]);
        if (!near.name.n || str_eq(near.name, names->v[i]))
            continue;
        buf_printf(out, "%.*s: \"%.*s\" is one name; the list of names is called \"%.*s\"\n",
                   STR_ARG(setting_table[id].name), STR_ARG(names->v[i]), STR_ARG(near.name));
        found++;
    }
    return found;
}

static size_t check_lists(const struct site_settings *site, struct buf *out)
{
    static const struct str params[] = { STR_INIT("tracking") },
                            cookies[] = { STR_INIT("preview"), STR_INIT("logged-in"), STR_INIT("analytics") };
    return check_words(SETTING_ignore_query, &site->ignore_query, params, COUNT_OF(params), out) +
           check_words(SETTING_ignore_cookies, &site->ignore_cookies, cookies, COUNT_OF(cookies), out) +
           check_words(SETTING_bypass_cookies, &site->bypass_cookies, cookies, COUNT_OF(cookies), out);
}

size_t limits_check(const struct settings *s, uint64_t files, struct buf *out)
{
    const struct process_settings *p = &s->process;
    size_t n = check_descriptors(s, files, out);
    n += check_above(SETTING_tunnels, p->tunnels, SETTING_connections, p->connections,
                     "each is a client's connection, so there are never so many", out);
    n += check_above(SETTING_streams, p->streams, SETTING_connections, p->connections,
                     "each has a client's connection, so there are never so many", out);
    for (size_t i = 0; i < s->sites_n; i++) {
        const struct site_settings *site = &s->sites[i];
        struct buf line = BUF_INIT;
        n += check_above(SETTING_object_bytes, site->object_bytes, SETTING_memory, p->memory,
                         "so large a body is never stored", &line);
        n += check_above(SETTING_upload_buffer, site->upload_buffer, SETTING_request_body, p->request_body,
                         "so long a body is refused before", &line);
        n += check_lists(site, &line);
        for (struct str rest = buf_str(&line), text; rest.p && (text = str_cut(&rest, '\n')).n;)
            buf_printf(out, "site %.*s: %.*s\n", STR_ARG(site->name), STR_ARG(text));
        buf_fini(&line);
    }
    return n;
}
