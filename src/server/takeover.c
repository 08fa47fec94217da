#include "server/takeover.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "cache/names.h"
#include "io/background.h"
#include "io/system.h"
#include "server/tls.h"
#include "server/worker.h"
#include "store/facts.h"

#define BEGIN_MS       10000
#define STORE_MS       60000
#define CRASHES_US     10000000
#define LOCK_LOOK_US   1000
#define QUESTION_BYTES sizeof(uint64_t)

/* ---- what is passed ---- */

static bool take_message(struct takeover *t)
{
    struct channel_message *m = t->message;
    if (m->type == UPGRADE_ERRORS && m->fds_n == 1 && t->errors_fd < 0) {
        t->errors_fd = m->fds[0];
        m->fds[0] = -1;
    }
    for (size_t i = 0; m->type == UPGRADE_SOCKET && i < m->fds_n; i++)
        if (inherited_add(&t->sockets, m->fds[i], (struct str){ m->text, m->n }))
            m->fds[i] = -1;
    channel_close_fds(m);
    return m->type != UPGRADE_BEGIN;
}

static int take_all(struct takeover *t)
{
    int got;
    while ((got = channel_receive(t->channel_fd, t->message, BEGIN_MS)) == 1)
        if (!take_message(t))
            return 0;
    fprintf(stderr, "freshet: the freshet that was to be replaced does not say what it has\n");
    return 1;
}

int takeover_begin(struct takeover *t)
{
    struct buf error = BUF_INIT;
    *t = (struct takeover){ .errors_fd = -1 };
    t->channel_fd = successor_channel();
    t->is_heir = t->channel_fd >= 0;
    if (t->is_heir) {
        t->message = mem_alloc(sizeof(*t->message));
        return take_all(t);
    }
    if (inherited_from_supervisor(&t->sockets, &error))
        return 0;
    fprintf(stderr, "freshet: %.*s\n", STR_ARG(buf_str(&error)));
    buf_fini(&error);
    return 1;
}

/* ---- what is purged, and who comes ---- */

/* Kind, names. */
static void purge(struct takeover *t, struct str text)
{
    uint64_t names[CHANNEL_TEXT_MAX / sizeof(uint64_t)];
    size_t n = text.n > 0 ? (text.n - 1) / sizeof(*names) : 0;
    unsigned kind = text.n > 0 ? (unsigned char)text.p[0] : PURGE_KINDS;
    if (kind >= PURGE_KINDS || n == 0)
        return;
    memcpy(names, text.p + 1, n * sizeof(*names));
    for (size_t i = 0; i < n; i++)
        if ((names[i] & ~EPOCH_IS_MADE & ~EPOCH_NAME_BITS) != 0)
            return;
    epochs_purge(t->process->cache->epochs, (enum purge_kind)kind, names, n,
                 clock_now(&t->process->clock).mono_ms);
}

/* Not into the pipe to the old one, which reads no more once it has said go. */
static void say_lost(struct takeover *t)
{
    if (t->is_lost)
        log_warning(&t->process->log, "upgrade",
                    "the freshet that was replaced could not say all that was purged there: the cache %s",
                    t->lost == PURGE_HARD ? "was emptied" : "is asked for anew, page by page");
    t->is_lost = false;
}

/* What was purged at the old one is not known here, so all may be. */
static void purge_all(struct takeover *t, enum purge_kind kind)
{
    struct process *p = t->process;
    const struct settings *s = settings_as_read(p->settings);
    for (size_t i = 0; i < s->sites_n; i++) {
        uint64_t name = name_of_site(p->cache, s->sites[i].name);
        epochs_purge(p->cache->epochs, kind, &name, 1, clock_now(&p->clock).mono_ms);
    }
    t->lost = kind;
    t->is_lost = true;
    if (t->errors_fd < 0)
        say_lost(t);
}

/* To the workers in turn: they are many, or few enough not to matter. */
static void give(struct takeover *t, bool is_internal, int fd, struct str early)
{
    struct process *p = t->process;
    struct acceptor *a =
        is_internal ? &p->workers[0].internal_acceptor : p->acceptors[t->turn++ % p->workers_n];
    if (!acceptor_take(a, fd, early))
        close(fd);
}

static void keep(struct takeover *t, bool is_internal, struct channel_message *m)
{
    t->waiting = mem_resize(t->waiting, (t->waiting_n + 1) * sizeof(*t->waiting));
    t->waiting[t->waiting_n].is_internal = is_internal;
    t->waiting[t->waiting_n].fd = m->fds[0];
    t->waiting[t->waiting_n].early = BUF_INIT;
    buf_add(&t->waiting[t->waiting_n].early, (struct str){ m->text, m->n });
    t->waiting_n++;
    m->fds[0] = -1;
}

/* ---- step by step ---- */

static void take_tickets(struct takeover *t)
{
    struct channel_message *m = t->message;
    process_tls_take_tickets(t->process->tls, (struct str){ m->text, m->n });
    OPENSSL_cleanse(m->text, m->n);
}

/* Waits for a message of that type. Whatever ends the wait, nobody else has the store then. false: it has not
 * come. */
static bool wait_for(struct takeover *t, char type)
{
    struct channel_message *m = t->message;
    int got;
    while ((got = channel_receive(t->channel_fd, m, STORE_MS)) == 1) {
        bool is_connection = m->type == UPGRADE_CONNECTION || m->type == UPGRADE_ADMIN;
        if (m->type == UPGRADE_NAMES && t->process)
            purge(t, (struct str){ m->text, m->n });
        if (m->type == UPGRADE_ALL && t->process)
            purge_all(t, PURGE_HARD);
        if (m->type == UPGRADE_TICKETS && t->process)
            take_tickets(t);
        if (is_connection && m->fds_n == 1)
            keep(t, m->type == UPGRADE_ADMIN, m);
        channel_close_fds(m);
        if (m->type == type)
            return true;
    }
    return false;
}

/* For tests: says where it is, and stands as long as that file is there. */
static void stand(const char *when)
{
#ifdef FRESHET_CONTROL
    char path[PATH_MAX];
    const char *file = getenv("FRESHET_TEST_STAND");
    int n = file ? snprintf(path, sizeof(path), "%s.%s", file, when) : -1;
    if (file)
        fprintf(stderr, "freshet: it %s\n", when);
    while (n > 0 && (size_t)n < sizeof(path) && system_file_mode(path) >= 0)
        background_nap(1000);
#endif
    (void)when;
}

void takeover_prepared(struct takeover *t, const char *state)
{
    if (!t->is_heir)
        return;
    stand("prepares");
    channel_send(t->channel_fd, UPGRADE_PREPARED, STR_NONE, NULL, 0);
    if (wait_for(t, UPGRADE_STORE))
        return;
    /* The old one crashes. Its end of the channel is closed before its lock is. */
    for (int64_t us = 0; us < CRASHES_US && facts_is_taken(state); us += LOCK_LOOK_US)
        background_nap(LOCK_LOOK_US);
}

void takeover_ready(struct takeover *t, struct process *p)
{
    struct buf kept = BUF_INIT;
    t->process = p;
    if (!t->is_heir)
        return;
    stand("opens");
    for (size_t i = 0; i < t->sockets.n; i++)
        buf_add_char(&kept, t->sockets.v[i].is_taken ? '1' : '0');
    inherited_close_left(&t->sockets); /* the old one has it too, and accepts who waits there */
    channel_send(t->channel_fd, UPGRADE_READY, buf_str(&kept), NULL, 0);
    buf_fini(&kept);
    stand("waits");
    if (!wait_for(t, UPGRADE_GO))
        purge_all(t, PURGE_INVALIDATE); /* it has answered unsafe requests, and nobody waited for purges */
    if (t->errors_fd >= 0)
        successor_set_errors(t->errors_fd);
    t->errors_fd = -1;
    say_lost(t);
}

/* ---- from the loop ---- */

static void received(struct channel *c, struct channel_message *m)
{
    struct takeover *t = CONTAINER_OF(c, struct takeover, channel);
    if (!m) { /* the old one has ended */
        takeover_stop(t);
        return;
    }
    struct str text = { m->text, m->n };
    if (m->type == UPGRADE_ASKED && m->n > QUESTION_BYTES) {
        purge(t, str_from_index(text, QUESTION_BYTES));
        channel_send(c->fd, UPGRADE_DONE, str_first(text, QUESTION_BYTES), NULL, 0);
    } else if (m->type == UPGRADE_NAMES) {
        purge(t, text);
    } else if (m->type == UPGRADE_ALL) {
        purge_all(t, PURGE_HARD);
    } else if ((m->type == UPGRADE_CONNECTION || m->type == UPGRADE_ADMIN) && m->fds_n == 1) {
        give(t, m->type == UPGRADE_ADMIN, m->fds[0], text);
        m->fds[0] = -1;
    }
}

void takeover_serve(struct takeover *t)
{
    if (!t->is_heir)
        return;
    for (size_t i = 0; i < t->waiting_n; i++) {
        give(t, t->waiting[i].is_internal, t->waiting[i].fd, buf_str(&t->waiting[i].early));
        buf_fini(&t->waiting[i].early);
    }
    mem_free(t->waiting);
    t->waiting = NULL;
    t->waiting_n = 0;
    t->is_open = channel_open(&t->channel, &t->process->loop, t->channel_fd, received) == 0;
    if (!t->is_open)
        close(t->channel_fd);
    else /* the first commit has been waited for (facts_start) */
        channel_send(t->channel_fd, UPGRADE_SAVED, facts_is_failing(t->process->facts) ? STR("0") : STR("1"),
                     NULL, 0);
}

void takeover_stop(struct takeover *t)
{
    if (t->is_open)
        channel_close(&t->channel);
    t->is_open = false;
}

void takeover_fini(struct takeover *t)
{
    inherited_fini(&t->sockets);
    mem_free(t->message);
}
