#include "origin/trust.h"

#include <stdatomic.h>

#include "base/lock.h"
#include "base/mem.h"

struct trust {
    struct trust *next;
    struct outgoing_files files; /* strings owned, in one piece */
    char *bytes;
    struct outgoing *outgoing; /* a reference */
};

struct trusts {
    const struct clock *clock;
    struct lock lock; /* over `first` */
    struct trust *first;
    struct trust *tried; /* main's: read, and not in force */
    _Atomic uint64_t version;
};

static struct outgoing_files files_of(const struct origin_tls *tls)
{
    return (struct outgoing_files){
        .ca = tls->ca, .cert = tls->cert, .key = tls->key, .insecure = tls->insecure
    };
}

static bool is_same(const struct outgoing_files *a, const struct outgoing_files *b)
{
    return a->insecure == b->insecure && str_eq(a->ca, b->ca) && str_eq(a->cert, b->cert) &&
           str_eq(a->key, b->key);
}

static struct trust *find(struct trust *first, const struct outgoing_files *files)
{
    while (first && !is_same(&first->files, files))
        first = first->next;
    return first;
}

static void add(struct trust **first, const struct outgoing_files *files, struct outgoing *o)
{
    struct trust *t = mem_alloc(sizeof(*t));
    char *to = t->bytes = mem_alloc(files->ca.n + files->cert.n + files->key.n + 1);
    t->files = (struct outgoing_files){ { to, files->ca.n },
                                        { to + files->ca.n, files->cert.n },
                                        { to + files->ca.n + files->cert.n, files->key.n },
                                        files->insecure };
    to = str_put(to, files->ca);
    to = str_put(to, files->cert);
    str_put(to, files->key);
    t->outgoing = o;
    t->next = *first;
    *first = t;
}

static void free_all(struct trust *first)
{
    while (first) {
        struct trust *next = first->next;
        outgoing_unref(first->outgoing);
        mem_free(first->bytes);
        mem_free(first);
        first = next;
    }
}

struct trusts *trusts_new(const struct clock *clock)
{
    struct trusts *t = mem_alloc(sizeof(*t));
    t->clock = clock;
    lock_init(&t->lock);
    return t;
}

void trusts_free(struct trusts *t)
{
    if (!t)
        return;
    free_all(t->first);
    free_all(t->tried);
    lock_fini(&t->lock);
    mem_free(t);
}

/* ---- loading ---- */

struct loading {
    struct trusts *trusts;
    struct trust *first;
    int64_t now_ms;
    struct buf *errors;
    bool good;
};

static struct outgoing *get(struct trusts *t, const struct outgoing_files *files)
{
    lock_take(&t->lock);
    struct trust *found = find(t->first, files);
    struct outgoing *o = found ? outgoing_ref(found->outgoing) : NULL;
    lock_give(&t->lock);
    return o;
}

static void load_site(struct loading *l, const struct settings *s, const struct site_settings *site)
{
    struct arena a;
    struct origin_tls tls;
    struct buf why = BUF_INIT;
    arena_init(&a, 512);
    site_settings_origin_tls(site, settings_as_read(s)->path, &a, &tls);
    struct outgoing_files files = files_of(&tls);
    if (!find(l->first, &files)) {
        struct outgoing *before = get(l->trusts, &files);
        struct outgoing *o = outgoing_load(&files, before, l->now_ms, &why);
        if (o)
            add(&l->first, &files, o);
        outgoing_unref(before);
    }
    if (why.n) {
        buf_printf(l->errors, "site %.*s: to its origin: %.*s\n", STR_ARG(site->name),
                   STR_ARG(buf_str(&why)));
        l->good = false;
    }
    buf_fini(&why);
    arena_fini(&a);
}

static bool has_tls(const struct site_settings *site)
{
    for (size_t i = 0; i < site->origin.n; i++)
        if (site->origin_list[i].at.tls.is_on)
            return true;
    return false;
}

static bool has_trust(const struct site_settings *site)
{
    return has_tls(site) || site->origin_ca.n || site->origin_cert.n;
}

bool trusts_try(struct trusts *t, const struct settings *s, struct buf *errors, struct buf *warnings)
{
    struct loading l = { .trusts = t, .now_ms = clock_now(t->clock).wall_ms, .errors = errors, .good = true };
    for (size_t i = 0; i < s->sites_n; i++) {
        const struct site_settings *site = &s->sites[i];
        if (has_trust(site))
            load_site(&l, s, site);
        if (site->origin_insecure)
            buf_printf(warnings,
                       "site %.*s: origin_insecure: whoever answers for an https:// origin is believed; name "
                       "its authority with origin_ca instead\n",
                       STR_ARG(site->name));
    }
    free_all(t->tried);
    t->tried = l.first;
    return l.good;
}

bool trusts_take(struct trusts *t)
{
    lock_take(&t->lock);
    struct trust *before = t->first;
    t->first = t->tried;
    t->tried = NULL;
    atomic_fetch_add(&t->version, 1); /* under the lock: trusts_get adds nothing of before */
    lock_give(&t->lock);
    free_all(before);
    return true;
}

/* ---- use ---- */

uint64_t trusts_version(const struct trusts *t)
{
    return atomic_load_explicit(&t->version, memory_order_acquire);
}

/* What was read before the files were read again may be old, and would stay until they are read once more.
 * false: that is so. */
static bool keep(struct trusts *t, const struct outgoing_files *files, uint64_t version, struct outgoing **o)
{
    lock_take(&t->lock);
    struct trust *other = find(t->first, files); /* of another worker, or of a reload */
    bool is_old = !other && atomic_load_explicit(&t->version, memory_order_relaxed) != version;
    if (!other && !is_old)
        add(&t->first, files, outgoing_ref(*o));
    struct outgoing *before = *o;
    if (other)
        *o = outgoing_ref(other->outgoing);
    lock_give(&t->lock);
    if (*o != before)
        outgoing_unref(before);
    return !is_old;
}

#define READ_MOST 4 /* that many reloads in a row, each amid the reading, do not come */

struct outgoing *trusts_get(struct trusts *t, const struct origin_tls *tls, struct buf *why)
{
    struct outgoing_files files = files_of(tls);
    struct outgoing *o = NULL;
    for (unsigned i = 0; i < READ_MOST; i++) {
        uint64_t version = trusts_version(t);
        outgoing_unref(o);
        if ((o = get(t, &files)) != NULL)
            break;
        buf_clear(why);
        o = outgoing_load(&files, NULL, clock_now(t->clock).wall_ms, why);
        if (!o || keep(t, &files, version, &o))
            break;
    }
    return o;
}
