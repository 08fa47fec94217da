#include "server/tls.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/mem.h"
#include "io/system.h"
#include "io/user.h"
#include "server/local_tls.h"

#define LOOK_MS   1000
#define DAY_MS    INT64_C(86400000)
#define WARN_DAYS 14
#define SAID_MOST 64 /* names without a certificate that are logged, until there are new ones */
#define HTTP1     "\x08http/1.1"
#define HTTP2     "\x02h2"

#define OTHERS_MAY_READ 0004

struct watched {
    char *path;
    struct file_stamp read, seen; /* as it was read, and at the last look */
};

struct process_tls {
    const struct clock *clock;
    struct tickets *tickets;
    pthread_mutex_t lock;      /* over desk, held, held_n, said, said_n */
    struct certificates *desk; /* a reference */
    struct process_tls_held *held;
    size_t held_n;
    uint64_t said[SAID_MOST];
    size_t said_n;
    struct watched *files;
    size_t files_n;
    struct pair **pairs; /* of each two files, in their order; references */
    bool settles;        /* a file has changed since the look before the last one */
    struct local_tls local;
    bool signs; /* one of the certificates is of the local authority */
    int64_t warned_ms;
    struct process_tls_more *more; /* NULL: there are no others */
    struct loop *loop;
    struct settings *const *settings;
    struct timer look;
    bool watches;
};

/* ---- who asks for a name that has none ---- */

/* On a worker's thread. */
static void unknown(void *ctx, struct str name)
{
    struct process_tls *t = ctx;
    uint64_t hash = hash_sum(name);
    bool is_new = true;
    pthread_mutex_lock(&t->lock);
    for (size_t i = 0; i < t->said_n && is_new; i++)
        is_new = t->said[i] != hash;
    is_new = is_new && t->said_n < SAID_MOST;
    if (is_new)
        t->said[t->said_n++] = hash;
    pthread_mutex_unlock(&t->lock);
    if (is_new && t->loop)
        log_warning(
            t->loop->log, "tls",
            "no certificate for %s%.*s%s: who asks gets the alert unrecognized_name; this is said once",
            name.n ? "\"" : "", STR_ARG(name.n ? name : STR("visitors that name no host")),
            name.n ? "\"" : "");
}

/* ---- others ---- */

static bool has_proofs(void *ctx)
{
    const struct process_tls *t = ctx;
    return t->more->has_proofs(t->more);
}

static struct ssl_ctx_st *proof(void *ctx, struct str name)
{
    const struct process_tls *t = ctx;
    return t->more->proof(t->more, name);
}

void process_tls_set_more(struct process_tls *t, struct process_tls_more *m)
{
    t->more = m;
}

/* ---- reading ---- */

/* One reading of all that the settings name. */
struct reading {
    const struct settings *s;
    int64_t now_ms;
    struct buf *errors, *warnings;
    struct watched *files;
    size_t files_n;
    struct pair **pairs; /* of each two files, in their order; NULL: it is wrong */
    bool good;
};

void process_tls_path(const struct settings *s, struct str file, char out[PATH_MAX])
{
    struct str folder = s->path;
    while (folder.n && folder.p[folder.n - 1] != '/')
        folder.n--;
    if (file.n && file.p[0] == '/')
        folder = STR_NONE;
    snprintf(out, PATH_MAX, "%.*s%.*s", STR_ARG(folder), STR_ARG(file));
}

static char *copy_path(const char *path)
{
    char *copy = mem_resize(NULL, strlen(path) + 1);
    strcpy(copy, path);
    return copy;
}

static void note_file(struct reading *r, const char *path)
{
    r->files = mem_resize(r->files, (r->files_n + 1) * sizeof(*r->files));
    struct watched *w = &r->files[r->files_n++];
    w->path = copy_path(path);
    system_file_stamp(path, &w->read);
    w->seen = w->read;
}

/* The place of a pair among those that were read. files_n / 2: it is none of them. */
static size_t find_pair(const struct watched *files, size_t files_n, const char *cert, const char *key)
{
    size_t i = 0;
    while (i < files_n && (strcmp(files[i].path, cert) != 0 || strcmp(files[i + 1].path, key) != 0))
        i += 2;
    return i / 2;
}

/* Root may have read it at the start. */
static bool is_for_root_alone(const struct settings *s, struct str why)
{
    const char *denied = system_strerror(-EACCES);
    return s->process.user.n && !user_is_root() && memmem(why.p, why.n, denied, strlen(denied));
}

static void refuse_pair(struct reading *r, const struct site_settings *site, struct str why)
{
    buf_printf(r->errors, "site %.*s: %.*s%s%.*s%s\n", STR_ARG(site->name), STR_ARG(why),
               is_for_root_alone(r->s, why) ? "; as root it was read at the start, since then freshet is "
                                            : "",
               STR_ARG(is_for_root_alone(r->s, why) ? r->s->process.user : STR_NONE),
               is_for_root_alone(r->s, why) ? ": let this user read it, or start freshet anew" : "");
    r->good = false;
}

static void warn_of_mode(struct reading *r, const char *key)
{
    int mode = system_file_mode(key);
    if (mode >= 0 && (mode & OTHERS_MAY_READ))
        buf_printf(r->warnings, "everybody on this machine can read the private key in %s; chmod 600 %s\n",
                   key, key);
}

/* The same pair for several sites is read once. NULL: it is wrong, and that is said. */
static struct pair *read_pair(struct reading *r, const struct site_settings *site, const char *cert,
                              const char *key)
{
    struct buf why = BUF_INIT;
    size_t place = find_pair(r->files, r->files_n, cert, key);
    if (place < r->files_n / 2)
        return r->pairs[place];
    note_file(r, cert);
    note_file(r, key);
    struct pair *p = pair_load(cert, key, r->now_ms, &why);
    r->pairs = mem_resize(r->pairs, r->files_n / 2 * sizeof(struct pair *));
    r->pairs[r->files_n / 2 - 1] = p;
    if (p)
        warn_of_mode(r, key);
    else
        refuse_pair(r, site, buf_str(&why));
    buf_fini(&why);
    return p;
}

static void warn_of_hosts(struct reading *r, const struct site_settings *site, const char *cert,
                          const struct pair *p)
{
    for (size_t i = 0; i < site->hosts.n; i++)
        if (!pair_is_for(p, site->hosts.v[i]))
            buf_printf(r->warnings,
                       "site %.*s: the certificate in %s is not for %.*s: browsers will refuse it there\n",
                       STR_ARG(site->name), cert, STR_ARG(site->hosts.v[i]));
}

static void site_paths(const struct settings *s, const struct site_settings *site, size_t i,
                       char cert[PATH_MAX], char key[PATH_MAX])
{
    process_tls_path(s, site->cert.v[i], cert);
    process_tls_path(s, site->key.n ? site->key.v[i] : site->cert.v[i], key);
}

static void read_site(struct reading *r, const struct site_settings *site)
{
    char cert[PATH_MAX], key[PATH_MAX];
    if (site->key.n && site->key.n != site->cert.n) {
        buf_printf(r->errors,
                   "site %.*s: cert names %zu file%s and key %zu; each certificate needs its key\n",
                   STR_ARG(site->name), site->cert.n, site->cert.n == 1 ? "" : "s", site->key.n);
        r->good = false;
        return;
    }
    for (size_t i = 0; i < site->cert.n; i++) {
        site_paths(r->s, site, i, cert, key);
        struct pair *p = read_pair(r, site, cert, key);
        if (p)
            warn_of_hosts(r, site, cert, p);
    }
}

static void free_files(struct watched *files, size_t n)
{
    for (size_t i = 0; i < n; i++)
        mem_free(files[i].path);
    mem_free(files);
}

static void free_pairs(struct pair **pairs, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (pairs[i])
            pair_unref(pairs[i]);
    mem_free(pairs);
}

/* ---- the desk: what was read, and what the local authority signs ---- */

static void add_site(const struct process_tls *t, struct certificates *desk, const struct settings *s,
                     const struct site_settings *site)
{
    char cert[PATH_MAX], key[PATH_MAX];
    for (size_t i = 0; i < site->cert.n; i++) {
        site_paths(s, site, i, cert, key);
        size_t place = find_pair(t->files, t->files_n, cert, key);
        if (place < t->files_n / 2)
            certificates_add(desk, t->pairs[place], &site->hosts);
    }
}

static void free_held(struct process_tls_held *held, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        pair_unref(held[i].pair);
        mem_free(held[i].file);
    }
    mem_free(held);
}

/* What others may know of the pairs, as values. */
static void put_held(struct process_tls *t, struct pair *local)
{
    size_t n = t->files_n / 2;
    struct process_tls_held *held = mem_alloc((n + 1) * sizeof(*held));
    for (size_t i = 0; i < n; i++)
        held[i] = (struct process_tls_held){ pair_ref(t->pairs[i]), copy_path(t->files[2 * i].path), 0 };
    if (local)
        held[n++] = (struct process_tls_held){ pair_ref(local), NULL, t->local.renew_ms };
    pthread_mutex_lock(&t->lock);
    struct process_tls_held *before = t->held;
    size_t before_n = t->held_n;
    t->held = held;
    t->held_n = n;
    pthread_mutex_unlock(&t->lock);
    free_held(before, before_n);
}

static void put_desk(struct process_tls *t, struct certificates *desk)
{
    pthread_mutex_lock(&t->lock);
    struct certificates *before = t->desk;
    t->desk = desk;
    t->said_n = 0;
    pthread_mutex_unlock(&t->lock);
    certificates_unref(before);
    t->warned_ms = 0;
}

static void make_desk(struct process_tls *t, const struct settings *s, struct buf *warnings)
{
    const struct certificates_rules rules = { .tickets = t->tickets,
                                              .protocols = s->process.http2 ? STR(HTTP2 HTTP1) : STR(HTTP1),
                                              .unknown = unknown,
                                              .has_proofs = t->more ? has_proofs : NULL,
                                              .proof = proof,
                                              .ctx = t };
    struct certificates *desk = certificates_new(&rules);
    for (size_t i = 0; i < s->sites_n; i++)
        add_site(t, desk, s, &s->sites[i]);
    if (t->more)
        t->more->add(t->more, desk);
    struct pair *local = local_tls_sign(&t->local, s, clock_now(t->clock).wall_ms, warnings);
    t->signs = local != NULL;
    put_held(t, local);
    if (local) {
        certificates_add(desk, local, NULL);
        pair_unref(local);
    }
    certificates_seal(desk);
    put_desk(t, desk);
}

static bool is_to_come(const struct process_tls *t, const struct settings *s,
                       const struct site_settings *site, struct str host)
{
    return t->more && t->more->is_for(t->more, s, site, host);
}

static void warn_of_missing(const struct process_tls *t, const struct settings *s, struct buf *warnings)
{
    for (size_t i = 0; i < s->sites_n; i++) {
        const struct site_settings *site = &s->sites[i];
        if (local_tls_is_for(s, site))
            continue;
        for (size_t k = 0; k < site->hosts.n; k++)
            if (!certificates_has(t->desk, site->hosts.v[k]) && !is_to_come(t, s, site, site->hosts.v[k]))
                buf_printf(warnings,
                           "site %.*s: there is no certificate for %.*s; name one with `cert` and `key`\n",
                           STR_ARG(site->name), STR_ARG(site->hosts.v[k]));
        if (site->hosts.n == 0 && site->cert.n == 0)
            buf_printf(warnings,
                       "site %.*s: it has no certificate, and no `hosts` for which one could come by itself; "
                       "name them, or a certificate with `cert` and `key`\n",
                       STR_ARG(site->name));
    }
}

bool process_tls_load(struct process_tls *t, const struct settings *s, struct buf *errors,
                      struct buf *warnings)
{
    struct reading r = { .s = s, .errors = errors, .warnings = warnings, .good = true };
    r.now_ms = clock_now(t->clock).wall_ms;
    for (size_t i = 0; i < s->sites_n; i++)
        read_site(&r, &s->sites[i]);
    if (t->local.state[0] && local_tls_is_wanted(s))
        r.good = local_tls_open(&t->local, r.now_ms, errors, warnings) && r.good;
    if (!r.good) {
        free_pairs(r.pairs, r.files_n / 2);
        free_files(r.files, r.files_n);
        return false;
    }
    free_pairs(t->pairs, t->files_n / 2);
    free_files(t->files, t->files_n);
    t->pairs = r.pairs;
    t->files = r.files;
    t->files_n = r.files_n;
    t->settles = false;
    make_desk(t, s, warnings);
    warn_of_missing(t, s, warnings);
    return true;
}

bool process_tls_sign(struct process_tls *t, const struct settings *s, const char *state, struct buf *errors,
                      struct buf *warnings)
{
    snprintf(t->local.state, sizeof(t->local.state), "%s", state);
    if (!local_tls_is_wanted(s))
        return true;
    if (!local_tls_open(&t->local, clock_now(t->clock).wall_ms, errors, warnings))
        return false;
    make_desk(t, s, warnings);
    return true;
}

bool process_tls_signs(const struct process_tls *t)
{
    return t->signs;
}

size_t process_tls_held_n(struct process_tls *t)
{
    pthread_mutex_lock(&t->lock);
    size_t n = t->held_n;
    pthread_mutex_unlock(&t->lock);
    return n;
}

void process_tls_each_held(struct process_tls *t, void (*take)(void *ctx, const struct process_tls_held *h),
                           void *ctx)
{
    pthread_mutex_lock(&t->lock);
    for (size_t i = 0; i < t->held_n; i++)
        take(ctx, &t->held[i]);
    pthread_mutex_unlock(&t->lock);
}

struct certificates *process_tls_certificates(struct process_tls *t)
{
    pthread_mutex_lock(&t->lock);
    struct certificates *c = certificates_ref(t->desk);
    pthread_mutex_unlock(&t->lock);
    return c;
}

/* ---- looking after them ---- */

static void say_lines(struct process_tls *t, enum log_level level, struct str lines)
{
    struct str line;
    while (lines.p && (line = str_cut(&lines, '\n')).n)
        log_record(t->loop->log, level, "tls", "%.*s", STR_ARG(line));
}

/* Has a file changed since it was read, and not since the last look? Who writes two files is not done between
 * them. */
static bool has_changed(struct process_tls *t)
{
    bool differs = false, moves = false;
    for (size_t i = 0; i < t->files_n; i++) {
        struct watched *w = &t->files[i];
        struct file_stamp now;
        system_file_stamp(w->path, &now);
        moves = moves || memcmp(&now, &w->seen, sizeof(now)) != 0;
        differs = differs || memcmp(&now, &w->read, sizeof(now)) != 0;
        w->seen = now;
    }
    bool was_moving = t->settles;
    t->settles = moves;
    return was_moving && !moves && differs;
}

static void load_changed(struct process_tls *t)
{
    struct buf errors = BUF_INIT, warnings = BUF_INIT;
    if (process_tls_load(t, *t->settings, &errors, &warnings)) {
        log_info(t->loop->log, "tls", "changed certificates are taken");
    } else {
        log_error(t->loop->log, "tls", "changed certificates are not taken, the old ones stay:");
        say_lines(t, LOG_ERROR, buf_str(&errors));
    }
    say_lines(t, LOG_WARNING, buf_str(&warnings));
    buf_fini(&errors);
    buf_fini(&warnings);
}

void process_tls_again(struct process_tls *t, const struct settings *s)
{
    struct buf warnings = BUF_INIT;
    make_desk(t, s, &warnings); /* what it warns of was said when the settings came */
    buf_fini(&warnings);
}

static void warn_of_dates(struct process_tls *t)
{
    const struct pair *p;
    char text[32];
    int64_t until = certificates_until_ms(t->desk, &p), now = t->loop->now.wall_ms, left = until - now;
    if (!p || left > WARN_DAYS * DAY_MS || (t->warned_ms && now - t->warned_ms < DAY_MS))
        return;
    t->warned_ms = now;
    log_time_write(text, until);
    struct strs names = pair_names(p);
    struct str name = names.n ? names.v[0] : STR("a site");
    if (left <= 0)
        log_error(t->loop->log, "tls", "the certificate for %.*s has expired on %.10s: browsers refuse it",
                  STR_ARG(name), text);
    else
        log_warning(t->loop->log, "tls", "the certificate for %.*s expires on %.10s, in %lld days; renew it",
                    STR_ARG(name), text, (long long)(left / DAY_MS));
}

static void renew_local(struct process_tls *t)
{
    struct buf warnings = BUF_INIT;
    if (!t->signs || t->loop->now.wall_ms < t->local.renew_ms)
        return;
    make_desk(t, *t->settings, &warnings);
    log_info(t->loop->log, "tls", "the local certificate was renewed");
    say_lines(t, LOG_WARNING, buf_str(&warnings));
    buf_fini(&warnings);
}

static void look(struct timer *timer)
{
    struct process_tls *t = CONTAINER_OF(timer, struct process_tls, look);
    tickets_rotate(t->tickets, t->loop->now.mono_ms);
    if (has_changed(t))
        load_changed(t);
    renew_local(t);
    warn_of_dates(t);
    timer_start(t->loop, timer, LOOK_MS, look);
}

void process_tls_watch(struct process_tls *t, struct loop *l, struct settings *const *settings)
{
    t->loop = l;
    t->clock = l->clock;
    t->settings = settings;
    t->watches = true;
    timer_start(l, &t->look, LOOK_MS, look);
}

void process_tls_stop(struct process_tls *t)
{
    if (t && t->watches)
        timer_stop(t->loop, &t->look);
    if (t)
        t->watches = false;
}

/* ---- an upgrade ---- */

void process_tls_give_tickets(struct process_tls *t, struct buf *out)
{
    if (t)
        tickets_write(t->tickets, clock_now(t->clock).mono_ms, out);
}

void process_tls_take_tickets(struct process_tls *t, struct str bytes)
{
    if (t)
        (void)tickets_read(t->tickets, bytes, clock_now(t->clock).mono_ms);
}

/* ---- life ---- */

struct process_tls *process_tls_new(const struct clock *clock)
{
    struct process_tls *t = mem_alloc(sizeof(*t));
    t->clock = clock;
    CHECK(pthread_mutex_init(&t->lock, NULL) == 0);
    t->tickets = tickets_new(clock_now(clock).mono_ms);
    return t;
}

void process_tls_free(struct process_tls *t)
{
    if (!t)
        return;
    certificates_unref(t->desk);
    free_held(t->held, t->held_n);
    tickets_free(t->tickets);
    free_pairs(t->pairs, t->files_n / 2);
    free_files(t->files, t->files_n);
    local_tls_fini(&t->local);
    pthread_mutex_destroy(&t->lock);
    mem_free(t);
}
