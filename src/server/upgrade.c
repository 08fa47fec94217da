#include "server/upgrade.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/system.h"
#include "server/tls.h"
#include "server/worker.h"

#define LOOK_MS    20    /* between two looks at what the new process writes, and whether it lives */
#define STARTS_MS  30000 /* so long may it take to be prepared, */
#define PASSES_MS  30000 /* so long the workers here to do what they are at, */
#define OPENS_MS   60000 /* and so long to open the store */
#define ENDS_MS    1000  /* from the channel's end to its own */
#define ANSWERS_MS 1000  /* so long does a worker that ends wait for the new process */
#define NAMES_MOST ((size_t)8 << 20) /* bytes of messages that wait */

static struct log *log_of(struct upgrade *u)
{
    return &u->process->log;
}

/* ---- what the new one writes ---- */

/* Passed on, and the end of it kept: it says why it does not start. */
static void read_errors(struct upgrade *u)
{
    char text[4096];
    for (size_t n; (n = successor_errors(&u->successor, text, sizeof(text))) > 0;) {
        ssize_t written = write(STDERR_FILENO, text, n);
        (void)written;
        buf_add(&u->said, (struct str){ text, n });
        if (u->said.n > UPGRADE_TEXT_MAX) {
            memmove(u->said.p, u->said.p + u->said.n - UPGRADE_TEXT_MAX, UPGRADE_TEXT_MAX);
            u->said.n = UPGRADE_TEXT_MAX;
        }
    }
}

/* ---- it does not come about ---- */

static void take_back(struct upgrade *u)
{
    struct process *p = u->process;
    if (u->is_paused) {
        int status = process_disk_resume(u->disk_watch);
        if (u->facts_are_paused)
            process_facts_resume(p, u->facts_watch);
        if (status < 0)
            log_error(log_of(u), "upgrade",
                      "cannot use the pages on disk again: %s; they are in memory alone",
                      system_strerror(status));
    }
    u->is_paused = u->facts_are_paused = false;
    epochs_listen(p->cache->epochs, NULL);
    pthread_mutex_lock(&u->talk);
    buf_clear(&u->names);
    u->told = 0;
    u->lost = false;
    pthread_mutex_unlock(&u->talk);
    u->passes_again = false;
    atomic_store_explicit(&p->admin.frozen, false, memory_order_release);
}

static void forget(struct upgrade *u)
{
    struct loop *l = &u->process->loop;
    timer_stop(l, &u->look);
    timer_stop(l, &u->limit);
    successor_close_errors(&u->successor);
    mem_free(u->sent);
    u->sent = NULL;
    u->sent_n = 0;
}

static void failed(struct channel *c)
{
    struct upgrade *u = CONTAINER_OF(c, struct upgrade, channel);
    u->state = UPGRADE_NONE;
    u->failed(u);
}

/* What the new one has written, on one line, behind `why`. */
static void fail(struct upgrade *u, const char *why)
{
    struct buf text = BUF_INIT;
    successor_kill(&u->successor);
    read_errors(u);
    buf_add(&text, str_from(why));
    struct str said = str_trim(buf_str(&u->said));
    if (said.n)
        buf_add(&text, STR("; it said: "));
    for (size_t i = 0; i < said.n; i++)
        buf_add_char(&text, said.p[i] == '\n' ? ' ' : said.p[i]);
    log_error(log_of(u), "upgrade", "the new freshet does not start, and this one goes on: %.*s",
              STR_ARG(buf_str(&text)));
    u->state = UPGRADE_FAILED;
    u->channel.closed = failed;
    channel_close(&u->channel);
    forget(u);
    take_back(u);
    supervisor_say(u->supervisor, "READY=1\nSTATUS=Serving; a new freshet did not start");
    admin_upgrade_ended(&u->process->admin, buf_str(&text));
    buf_fini(&text);
}

static void too_late(struct timer *t)
{
    struct upgrade *u = CONTAINER_OF(t, struct upgrade, limit);
    fail(u, u->state == UPGRADE_STARTS    ? "it was not prepared in 30 seconds"
            : u->state == UPGRADE_FREEZES ? "a worker of this one has stood for 30 seconds"
                                          : "it had not opened the store in 60 seconds");
}

static void is_silent(struct timer *t)
{
    fail(CONTAINER_OF(t, struct upgrade, limit), "it has closed the channel to this one");
}

/* It is about to end: `look` sees how. */
static void hung_up(struct upgrade *u)
{
    timer_start(&u->process->loop, &u->limit, ENDS_MS, is_silent);
}

static void look(struct timer *t)
{
    struct upgrade *u = CONTAINER_OF(t, struct upgrade, look);
    char how[64], why[128];
    read_errors(u);
    if (u->state == UPGRADE_LEAVES || !successor_has_ended(&u->successor, how, sizeof(how))) {
        timer_start(&u->process->loop, t, LOOK_MS, look);
        return;
    }
    snprintf(why, sizeof(why), "it ended before it was ready: %s", how);
    fail(u, why);
}

/* ---- what is purged meanwhile: with the lock ---- */

/* Kind, names: as they are sent. */
static void write_names(struct buf *out, enum purge_kind kind, const uint64_t *names, size_t n)
{
    buf_add_char(out, (char)kind);
    buf_add(out, (struct str){ (const char *)names, n * sizeof(*names) });
}

#define NAMES_AT_ONCE ((size_t)1024)

static void keep(struct upgrade *u, struct str text)
{
    uint32_t bytes = (uint32_t)text.n;
    if (u->names.n + sizeof(bytes) + text.n > NAMES_MOST) {
        u->lost = true;
        return;
    }
    buf_add(&u->names, (struct str){ (const char *)&bytes, sizeof(bytes) });
    buf_add(&u->names, text);
}

/* Sends what waits, in its order. 0; or a negative errno, and the rest waits on. */
static int tell(struct upgrade *u)
{
    while (u->told < u->names.n) {
        uint32_t bytes;
        memcpy(&bytes, u->names.p + u->told, sizeof(bytes));
        struct str text = { u->names.p + u->told + sizeof(bytes), bytes };
        int status = channel_send(u->channel.fd, UPGRADE_NAMES, text, NULL, 0);
        if (status < 0)
            return status;
        u->told += sizeof(bytes) + bytes;
    }
    buf_clear(&u->names);
    u->told = 0;
    int status = u->lost ? channel_send(u->channel.fd, UPGRADE_ALL, STR_NONE, NULL, 0) : 0;
    u->lost = u->lost && status < 0;
    return status;
}

static int send_question(struct upgrade *u, struct str text)
{
    struct buf all = BUF_INIT;
    buf_add(&all, (struct str){ (const char *)&u->asked, sizeof(u->asked) });
    buf_add(&all, text);
    int status = channel_send(u->channel.fd, UPGRADE_ASKED, buf_str(&all), NULL, 0);
    buf_fini(&all);
    return status;
}

/* The caller, who answers somebody, goes on when the new process has it too: else that somebody could get
 * from there what he was told is gone. What cannot be said now goes ahead of what is said next. */
static void ask(struct upgrade *u, struct str text)
{
    struct timespec until = system_after_ms(ANSWERS_MS);
    uint64_t mine = ++u->asked;
    int status = tell(u);
    if (status == 0)
        status = send_question(u, text);
    if (status < 0 && status != -EPIPE)
        keep(u, text);
    while (status == 0 && u->done < mine && !u->is_alone)
        status = -pthread_cond_timedwait(&u->heard, &u->talk, &until);
    if (status < 0 && status != -EPIPE)
        log_warning(log_of(u), "upgrade", "the new freshet has not answered that it knows of a purge");
}

static void purged(struct epochs_listener *l, enum purge_kind kind, const uint64_t *names, size_t n)
{
    struct upgrade *u = CONTAINER_OF(l, struct upgrade, purges);
    pthread_mutex_lock(&u->talk);
    for (size_t i = 0; i < n; i += NAMES_AT_ONCE) {
        size_t some = n - i < NAMES_AT_ONCE ? n - i : NAMES_AT_ONCE;
        struct buf text = BUF_INIT;
        write_names(&text, kind, names + i, some);
        if (u->talks)
            ask(u, buf_str(&text));
        else
            keep(u, buf_str(&text));
        buf_fini(&text);
    }
    pthread_mutex_unlock(&u->talk);
}

static void answered(struct upgrade *u, const struct channel_message *m)
{
    uint64_t number;
    if (m->n != sizeof(number))
        return;
    memcpy(&number, m->text, sizeof(number));
    pthread_mutex_lock(&u->talk);
    u->done = number > u->done && number <= u->asked ? number : u->done;
    pthread_cond_broadcast(&u->heard);
    pthread_mutex_unlock(&u->talk);
}

/* ---- connections ---- */

/* Who does not take one in time would not take the next one either, and a worker waits here. */
static void left(struct process *p, bool is_internal, int fd, struct str early)
{
    struct upgrade *u = p->upgrade;
    char type = is_internal ? UPGRADE_ADMIN : UPGRADE_CONNECTION;
    if (early.n <= CHANNEL_TEXT_MAX && !atomic_load(&u->gives_none) &&
        channel_send(u->channel.fd, type, early, &fd, 1) < 0 && !atomic_exchange(&u->gives_none, true))
        log_warning(log_of(u), "upgrade", "the new freshet takes no idle connections: they are closed");
    close(fd);
}

static bool is_left(struct process *p, int fd)
{
    struct upgrade *u = p->upgrade;
    for (size_t i = 0; i < u->sent_n && i < u->kept.n; i++)
        if (u->sent[i] == fd)
            return u->kept.p[i] == '1';
    return false;
}

/* ---- step by step ---- */

static void serves(struct upgrade *u)
{
    u->state = UPGRADE_OVER;
    read_errors(u);
    log_info(log_of(u), "upgrade", "process %ld serves; this one ends when what it has begun is over",
             (long)u->successor.pid);
    timer_stop(&u->process->loop, &u->look);
    successor_close_errors(&u->successor);
    u->gone(u);
}

/* Only now: who does not come to serve has never had them. They are in the memory of the two, and in the
 * kernel's between them. */
static int give_tickets(struct upgrade *u)
{
    struct buf keys = BUF_INIT;
    process_tls_give_tickets(u->process->tls, &keys);
    int status = keys.n ? channel_send(u->channel.fd, UPGRADE_TICKETS, buf_str(&keys), NULL, 0) : 0;
    if (keys.n)
        OPENSSL_cleanse(keys.p, keys.n);
    buf_fini(&keys);
    return status;
}

/* 0; or a negative errno; -EAGAIN: the new one does not read what it is told. */
static int say_go(struct upgrade *u)
{
    pthread_mutex_lock(&u->talk);
    int status = tell(u);
    if (status == 0)
        status = give_tickets(u);
    if (status == 0)
        status = channel_send(u->channel.fd, UPGRADE_GO, STR_NONE, NULL, 0);
    u->talks = status != -EAGAIN;
    pthread_mutex_unlock(&u->talk);
    return status;
}

/* There is no way back, and without what was purged the new one would serve what is gone. So it is told until
 * it listens, or ends. */
static void go(struct timer *t)
{
    struct upgrade *u = CONTAINER_OF(t, struct upgrade, limit);
    int status = say_go(u);
    if (status == -EAGAIN) {
        log_warning(log_of(u), "upgrade", "the new freshet does not listen: trying on");
        timer_start(&u->process->loop, t, LOOK_MS, go);
        return;
    }
    if (status < 0)
        log_error(log_of(u), "upgrade", "the new freshet has ended when it was to serve: start one");
    serves(u);
}

/* The workers have nothing left, and this process ends. A new one that has not heard it by now finds the
 * channel closed, and knows that it was not told all. */
static void go_at_last(struct upgrade *u)
{
    timer_stop(&u->process->loop, &u->limit);
    if (say_go(u) < 0)
        log_error(log_of(u), "upgrade", "the new freshet does not listen, and this one ends");
    serves(u);
}

static void worker_left(struct worker *w)
{
    struct upgrade *u = w->process->upgrade;
    char lines[64];
    if (++u->answered < w->process->workers_n)
        return;
    u->ticket = facts_ask(u->process->facts);
    timer_stop(&u->process->loop, &u->limit);
    u->leaves(u);
    /* Before it says READY=1, which counts from that process alone. */
    snprintf(lines, sizeof(lines), "MAINPID=%ld", (long)u->successor.pid);
    supervisor_say(u->supervisor, lines);
    go(&u->limit);
}

static void leave(struct upgrade *u, struct str kept)
{
    struct process *p = u->process;
    u->state = UPGRADE_LEAVES;
    u->answered = 0;
    buf_clear(&u->kept);
    buf_add(&u->kept, kept);
    p->left = left;
    p->is_left = is_left;
    for (size_t i = 0; i < p->workers_n; i++) {
        p->workers[i].on_left = worker_left;
        worker_post_leave(&p->workers[i]);
    }
}

/* Whatever has changed the store is done, and nothing more does. */
static void give_store(struct upgrade *u)
{
    struct process *p = u->process;
    process_disk_pause(p, u->disk_watch);
    u->facts_are_paused = process_facts_pause(p, u->facts_watch);
    if (!u->facts_are_paused) {
        fail(u, "the disk of the state folder does not answer");
        return;
    }
    u->state = UPGRADE_OPENS;
    timer_start(&p->loop, &u->limit, OPENS_MS, too_late);
    if (channel_send(u->channel.fd, UPGRADE_STORE, STR_NONE, NULL, 0) < 0)
        hung_up(u);
}

static void worker_passed_by(struct worker *w);

static void let_pass(struct upgrade *u)
{
    struct process *p = u->process;
    u->passing = p->workers_n;
    for (size_t i = 0; i < p->workers_n; i++) {
        p->workers[i].on_passed_by = worker_passed_by;
        worker_post_pass_by(&p->workers[i]);
    }
}

/* A worker has one such letter, so those of an upgrade that has failed meanwhile are waited for. */
static void worker_passed_by(struct worker *w)
{
    struct upgrade *u = w->process->upgrade;
    if (--u->passing > 0 || u->state != UPGRADE_FREEZES)
        return;
    if (!u->passes_again) {
        give_store(u);
        return;
    }
    u->passes_again = false;
    let_pass(u);
}

static void freeze(struct upgrade *u)
{
    struct process *p = u->process;
    u->state = UPGRADE_FREEZES;
    u->purges.purged = purged;
    epochs_listen(p->cache->epochs, &u->purges);
    process_disk_write_behind(u->disk_watch);
    u->is_paused = true;
    atomic_store_explicit(&p->admin.frozen, true, memory_order_release);
    timer_start(&p->loop, &u->limit, PASSES_MS, too_late);
    u->passes_again = u->passing > 0;
    if (!u->passes_again)
        let_pass(u);
}

/* Whoever waits for a purge to be durable is answered. */
static void saved(struct upgrade *u, bool is_saved)
{
    facts_give(u->process->facts, u->ticket, is_saved);
}

static void gone(struct upgrade *u)
{
    pthread_mutex_lock(&u->talk);
    u->is_alone = true;
    pthread_cond_broadcast(&u->heard);
    pthread_mutex_unlock(&u->talk);
    saved(u, false);
}

/* What it was told, or does not know: see `go`. */
static void received_late(struct upgrade *u, struct channel_message *m)
{
    if (!m)
        gone(u);
    else if (m->type == UPGRADE_DONE)
        answered(u, m);
    else if (m->type == UPGRADE_SAVED)
        saved(u, str_eq((struct str){ m->text, m->n }, STR("1")));
}

static void received(struct channel *c, struct channel_message *m)
{
    struct upgrade *u = CONTAINER_OF(c, struct upgrade, channel);
    if (u->state == UPGRADE_LEAVES || u->state == UPGRADE_OVER)
        received_late(u, m);
    else if (!m)
        hung_up(u);
    else if (m->type == UPGRADE_PREPARED && u->state == UPGRADE_STARTS)
        freeze(u);
    else if (m->type == UPGRADE_READY && u->state == UPGRADE_OPENS)
        leave(u, (struct str){ m->text, m->n });
}

/* ---- the beginning ---- */

static int send_sockets(struct upgrade *u, struct str text, const int *fds, size_t n)
{
    int status = 0;
    for (size_t i = 0; i < n && status == 0; i += CHANNEL_FDS_MAX) {
        size_t some = n - i < CHANNEL_FDS_MAX ? n - i : CHANNEL_FDS_MAX;
        status = channel_send(u->successor.channel, UPGRADE_SOCKET, text, fds + i, some);
    }
    u->sent = mem_resize(u->sent, (u->sent_n + n) * sizeof(*u->sent) + 1);
    memcpy(u->sent + u->sent_n, fds, n * sizeof(*fds));
    u->sent_n += n;
    return status;
}

/* The sockets of the address with this number (prepare_name). */
static int send_address(struct upgrade *u, size_t i, const int *fds, size_t n)
{
    struct buf name = BUF_INIT;
    prepare_name(&u->found->settings->process, i, &name);
    int status = send_sockets(u, buf_str(&name), fds, n);
    buf_fini(&name);
    return status;
}

static int send_all(struct upgrade *u)
{
    const struct preparation *f = u->found;
    const struct process_settings *s = &f->settings->process;
    int errors = STDERR_FILENO, status = 0;
    u->sent_n = 0;
    for (size_t i = 0; i < prepare_addresses(s) && status == 0; i++)
        status = send_address(u, i, f->fds + i * f->workers_n, f->workers_n);
    for (size_t i = 0; i < f->extra_n && status == 0; i++)
        status = send_sockets(u, STR_NONE, &f->extra[i].fd, 1);
    if (status == 0 && f->admin_fd >= 0)
        status = send_address(u, prepare_addresses(s), &f->admin_fd, 1);
    if (status == 0 && u->control_fd >= 0)
        status = send_sockets(u, STR(UPGRADE_CONTROL), &u->control_fd, 1);
    if (status == 0)
        status = channel_send(u->successor.channel, UPGRADE_ERRORS, STR_NONE, &errors, 1);
    if (status == 0)
        status = channel_send(u->successor.channel, UPGRADE_BEGIN, STR_NONE, NULL, 0);
    return status;
}

void upgrade_init(struct upgrade *u)
{
    pthread_condattr_t attr;
    CHECK(pthread_mutex_init(&u->talk, NULL) == 0);
    CHECK(pthread_condattr_init(&attr) == 0 && pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0);
    CHECK(pthread_cond_init(&u->heard, &attr) == 0 && pthread_condattr_destroy(&attr) == 0);
    u->process->upgrade = u;
}

bool upgrade_start(struct upgrade *u, struct buf *why)
{
    struct process *p = u->process;
    CHECK(u->state == UPGRADE_NONE);
    int status = successor_start(&u->successor);
    if (status < 0) {
        buf_printf(why, "cannot start \"%s\": %s", u->successor.program, system_strerror(status));
        return false;
    }
    log_info(log_of(u), "upgrade", "process %ld is started, from %s", (long)u->successor.pid,
             u->successor.program);
    supervisor_say_reloading(u->supervisor);
    buf_clear(&u->said);
    status = channel_open(&u->channel, &p->loop, u->successor.channel, received);
    CHECK(status == 0);
    u->state = UPGRADE_STARTS;
    timer_start(&p->loop, &u->limit, STARTS_MS, too_late);
    timer_start(&p->loop, &u->look, LOOK_MS, look);
    send_all(u); /* whoever does not listen has ended, and that is seen */
    return true;
}

void upgrade_stop(struct upgrade *u, const char *why)
{
    if (u->state >= UPGRADE_STARTS && u->state < UPGRADE_LEAVES)
        fail(u, why);
}

void upgrade_end(struct upgrade *u)
{
    if (u->state == UPGRADE_LEAVES)
        go_at_last(u);
    if (u->state != UPGRADE_OVER)
        return;
    pthread_mutex_lock(&u->talk);
    int status = u->talks ? tell(u) : 0;
    pthread_mutex_unlock(&u->talk);
    if (status < 0 && status != -EPIPE)
        log_error(log_of(u), "upgrade",
                  "the new freshet does not listen, and does not know of an unsafe request that was answered "
                  "here: purge its page");
    channel_close(&u->channel);
}

void upgrade_fini(struct upgrade *u)
{
    successor_fini(&u->successor);
    mem_free(u->sent);
    buf_fini(&u->said);
    buf_fini(&u->kept);
    buf_fini(&u->names);
    pthread_cond_destroy(&u->heard);
    pthread_mutex_destroy(&u->talk);
}
