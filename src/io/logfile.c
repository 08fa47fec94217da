#include "io/logfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/check.h"
#include "base/mem.h"
#include "io/chores.h"
#include "io/system.h"

#define FLUSH_BYTES 65536
#define FLUSH_MS    1000
#define MOST_BYTES  (8 << 20)
#define KEEP_BYTES  (256 << 10) /* a buffer that had to grow beyond this is given back */
#define TURN_MS     20          /* until a pipe that is full or another worker's is tried again */
#define FULL_MS     100         /* how long the thread waits for a full pipe, once */
#define GIVE_UP_MS  1000        /* after logfile_close, for a pipe without progress */

struct logfile {
    struct loop *loop;
    char *path; /* NULL: standard output */
    int fd;
    int next_fd;    /* reopened while a write runs; -1: none */
    bool takes_all; /* a file, which takes whole buffers: no turns */
    struct buf filling, writing;
    size_t line_at; /* where the line begins that is being added */
    size_t written; /* of `writing` */
    uint64_t seen;  /* pipe_written when we last looked */
    bool torn;      /* the file ends within a line, whose rest was lost */
    bool busy;      /* `writing` is not done: a thread is at it, or we wait for our turn */
    bool due;       /* the second passed while it was busy */
    bool failing;   /* counted in `failing_n` */
    int status;     /* of the thread: 0, UV_EAGAIN when the pipe is full, or what went wrong */
    uint64_t dropped;
    void (*lost)(void *ctx, uint64_t n);
    void *lost_ctx;
    struct timer timer, turn;
    struct pool_job work;
    struct letter written_letter;
    int64_t give_up_ms;
    bool closing;
    struct letter end;
    void (*closed)(void *ctx);
    void *ctx;
};

/* Pipes, terminals and sockets take a buffer in pieces, between which another worker's could slip in,
 * mid-line. The one that is named here writes; it stays until its buffer is done, over as many calls as that
 * takes. */
static _Atomic(struct logfile *) pipe_owner;
/* Bytes that pipes have taken: who waits for its turn sees that it makes sense to wait. */
static _Atomic uint64_t pipe_written;

/* Workers share the file: who writes takes the line back that did not fit before another one appends to
 * it. */
static pthread_mutex_t file_lock = PTHREAD_MUTEX_INITIALIZER;
/* How many of the process cannot write, and what was lost since the first of them could not: said once, not
 * once a worker. */
static _Atomic unsigned failing_n;
static _Atomic uint64_t lost_n;

static void flush(struct logfile *f);
static void write_all(struct pool_job *work);
static void on_written(struct letter *letter);

/* ---- opening ---- */

static int open_path(const char *path, int create)
{
    /* O_NONBLOCK: a FIFO without a reader is an error rather than a stalled loop. */
    int fd = open(path, O_WRONLY | O_APPEND | create | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
    return fd < 0 ? -errno : fd;
}

int logfile_try(struct str path)
{
    char c[PATH_MAX];
    if (str_eq(path, STR("-")))
        return 0;
    if (!str_to_c(path, c, sizeof(c)))
        return UV_EINVAL;
    int fd = open_path(c, 0);
    if (fd == UV_ENOENT)
        return system_may_make_file(c);
    if (fd < 0)
        return fd;
    close(fd);
    return 0;
}

static void use(struct logfile *f, int fd)
{
    struct stat st;
    f->fd = fd;
    f->takes_all = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

struct logfile *logfile_open(struct loop *l, struct str path, int *error)
{
    char c[PATH_MAX];
    bool standard = str_eq(path, STR("-"));
    *error = 0;
    if (!str_to_c(path, c, sizeof(c))) {
        *error = UV_EINVAL;
        return NULL;
    }
    int fd = standard ? STDOUT_FILENO : open_path(c, O_CREAT);
    if (fd < 0) {
        *error = fd;
        return NULL;
    }
    struct logfile *f = mem_alloc(sizeof(*f));
    f->loop = l;
    f->next_fd = -1;
    f->work.run = write_all;
    f->written_letter.open = on_written;
    use(f, fd);
    if (!standard) {
        f->path = mem_alloc(path.n + 1);
        memcpy(f->path, c, path.n + 1);
    }
    return f;
}

static void use_next(struct logfile *f)
{
    close(f->fd);
    use(f, f->next_fd);
    f->next_fd = -1;
    f->torn = false;
}

int logfile_reopen(struct logfile *f)
{
    if (!f->path || f->closing)
        return 0;
    int fd = open_path(f->path, O_CREAT);
    if (fd < 0)
        return fd;
    if (f->next_fd >= 0)
        close(f->next_fd);
    f->next_fd = fd;
    if (!f->busy)
        use_next(f);
    return 0;
}

/* ---- adding ---- */

const char *logfile_name(const struct logfile *f)
{
    return f->path ? f->path : "standard output";
}

void logfile_on_lost(struct logfile *f, void (*lost)(void *ctx, uint64_t n), void *ctx)
{
    f->lost = lost;
    f->lost_ctx = ctx;
}

static void lose(struct logfile *f, uint64_t n, const char *why)
{
    f->dropped += n;
    atomic_fetch_add(&lost_n, n);
    if (f->lost)
        f->lost(f->lost_ctx, n);
    if (f->failing)
        return;
    f->failing = true;
    if (atomic_fetch_add(&failing_n, 1) == 0)
        log_warning(f->loop->log, "access log", "%s: %s. Lines are dropped.", logfile_name(f), why);
}

static void on_timer(struct timer *t)
{
    flush(CONTAINER_OF(t, struct logfile, timer));
}

struct buf *logfile_line(struct logfile *f)
{
    f->line_at = f->filling.n;
    return &f->filling;
}

void logfile_added(struct logfile *f)
{
    CHECK(!f->closing && f->filling.n > f->line_at && f->filling.p[f->filling.n - 1] == '\n');
    if (f->filling.n > MOST_BYTES) {
        f->filling.n = f->line_at;
        lose(f, 1, "cannot be written fast enough");
    } else if (f->filling.n >= FLUSH_BYTES) {
        flush(f);
    } else if (!timer_is_running(&f->timer)) {
        timer_start(f->loop, &f->timer, FLUSH_MS, on_timer);
    }
}

uint64_t logfile_dropped(const struct logfile *f)
{
    return f->dropped;
}

/* ---- writing: on a thread of io/chores ---- */

static ssize_t write_piece(struct logfile *f)
{
    struct str rest = str_from_index(buf_str(&f->writing), f->written);
    char newline = '\n';
    /* The line that a full disk cut short is ended by the same write that begins the next. */
    struct iovec iov[2] = { { &newline, f->torn ? 1 : 0 },
                            { f->writing.p + f->written,
                              f->takes_all || rest.n < PIPE_BUF ? rest.n : PIPE_BUF - 1 } };
    struct pollfd ready = { .fd = f->fd, .events = POLLOUT };
    /* A pipe that polls as writable takes PIPE_BUF bytes without blocking, whether it is O_NONBLOCK or
     * not. */
    if (!f->takes_all && poll(&ready, 1, FULL_MS) == 0)
        return -EAGAIN;
    ssize_t n = writev(f->fd, iov, 2);
    if (n < 0)
        return -errno;
    if (f->torn && n > 0) {
        f->torn = false;
        n--;
    }
    return n;
}

/* A full disk took a part of a line: it goes out of the file again, when that still ends where the write
 * did. */
static void take_back_torn_line(struct logfile *f)
{
    struct stat st;
    off_t end = lseek(f->fd, 0, SEEK_CUR);
    size_t part = 0;
    while (part < f->written && f->writing.p[f->written - part - 1] != '\n')
        part++;
    if (part == 0 || end < (off_t)part || fstat(f->fd, &st) != 0 || st.st_size != end ||
        ftruncate(f->fd, end - (off_t)part) != 0)
        return;
    f->written -= part;
}

static int write_pieces(struct logfile *f)
{
    while (f->written < f->writing.n) {
        ssize_t n = write_piece(f);
        if (n == -EINTR)
            continue;
        if (n < 0)
            return (int)n;
        f->written += (size_t)n;
        if (!f->takes_all)
            atomic_fetch_add(&pipe_written, (uint64_t)n);
    }
    return 0;
}

static int write_whole(struct logfile *f)
{
    if (!f->takes_all)
        return write_pieces(f);
    pthread_mutex_lock(&file_lock);
    int status = write_pieces(f);
    if (status < 0)
        take_back_torn_line(f);
    pthread_mutex_unlock(&file_lock);
    return status;
}

static void write_all(struct pool_job *work)
{
    struct logfile *f = CONTAINER_OF(work, struct logfile, work);
    f->status = write_whole(f);
    loop_post(f->loop, &f->written_letter);
}

/* ---- writing: on the loop ---- */

static uint64_t count_lines(struct str text)
{
    uint64_t n = 0;
    while (text.n) {
        n++;
        text = str_from_index(text, str_index(text, '\n') + 1);
    }
    return n;
}

static void drop_rest(struct logfile *f, const char *why)
{
    if (f->written > 0)
        f->torn = f->writing.p[f->written - 1] != '\n';
    /* A line of which a part is written counts as lost, too. */
    lose(f, count_lines(str_from_index(buf_str(&f->writing), f->written)), why);
}

static void all_is_well(struct logfile *f)
{
    if (!f->failing)
        return;
    f->failing = false;
    if (atomic_fetch_sub(&failing_n, 1) == 1)
        log_warning(f->loop->log, "access log", "%s is written again; %llu lines were lost.", logfile_name(f),
                    (unsigned long long)atomic_exchange(&lost_n, 0));
}

static void await_turn(struct logfile *f);
static void finish_write(struct logfile *f);

static void start_writing(struct logfile *f)
{
    loop_hold(f->loop);
    if (chores_add(f->loop->chores, CHORE_LINES, &f->work) == 0)
        return;
    loop_release(f->loop);
    await_turn(f); /* the system has no thread now */
}

static void on_turn(struct timer *t)
{
    struct logfile *f = CONTAINER_OF(t, struct logfile, turn);
    struct logfile *nobody = NULL;
    if (f->takes_all || atomic_load(&pipe_owner) == f ||
        atomic_compare_exchange_strong(&pipe_owner, &nobody, f))
        start_writing(f);
    else
        await_turn(f);
}

static void await_turn(struct logfile *f)
{
    uint64_t taken = atomic_load(&pipe_written);
    bool moved = taken != f->seen;
    f->seen = taken;
    if (moved || !f->closing)
        f->give_up_ms = f->loop->now.mono_ms + GIVE_UP_MS;
    if (f->loop->now.mono_ms < f->give_up_ms) {
        timer_start(f->loop, &f->turn, TURN_MS, on_turn);
    } else {
        drop_rest(f, f->takes_all ? "the system gives no thread" : "nobody reads it");
        finish_write(f);
    }
}

static void flush(struct logfile *f)
{
    if (f->busy) {
        f->due = true;
        return;
    }
    timer_stop(f->loop, &f->timer);
    f->due = false;
    if (f->filling.n == 0)
        return;
    struct buf done = f->writing;
    f->writing = f->filling;
    f->filling = done;
    f->written = 0;
    f->busy = true;
    f->give_up_ms = f->loop->now.mono_ms + GIVE_UP_MS;
    on_turn(&f->turn);
}

static void end(struct letter *letter)
{
    struct logfile *f = CONTAINER_OF(letter, struct logfile, end);
    void (*closed)(void *) = f->closed;
    void *ctx = f->ctx;
    if (f->failing)
        atomic_fetch_sub(&failing_n, 1);
    if (f->path)
        close(f->fd);
    buf_fini(&f->filling);
    buf_fini(&f->writing);
    mem_free(f->path);
    mem_free(f);
    if (closed)
        closed(ctx);
}

static void finish_write(struct logfile *f)
{
    struct logfile *self = f;
    atomic_compare_exchange_strong(&pipe_owner, &self, NULL);
    f->busy = false;
    if (f->writing.cap > KEEP_BYTES)
        buf_fini(&f->writing);
    buf_clear(&f->writing);
    if (f->next_fd >= 0)
        use_next(f);
    if (f->due || f->closing || f->filling.n >= FLUSH_BYTES)
        flush(f);
    if (f->closing && !f->busy)
        end(&f->end);
}

static void on_written(struct letter *letter)
{
    struct logfile *f = CONTAINER_OF(letter, struct logfile, written_letter);
    loop_release(f->loop);
    if (f->status == UV_EAGAIN) {
        await_turn(f);
        return;
    }
    if (f->status == 0)
        all_is_well(f);
    else
        drop_rest(f, uv_strerror(f->status));
    finish_write(f);
}

/* ---- closing ---- */

void logfile_close(struct logfile *f, void (*closed)(void *ctx), void *ctx)
{
    CHECK(!f->closing);
    f->closing = true;
    f->closed = closed;
    f->ctx = ctx;
    f->give_up_ms = f->loop->now.mono_ms + GIVE_UP_MS;
    f->end.open = end;
    flush(f);
    timer_stop(f->loop, &f->timer);
    if (!f->busy)
        loop_defer(f->loop, &f->end);
}
