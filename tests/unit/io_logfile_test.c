/* Log lines reach their file whole and once, whoever writes beside them; what cannot be written is counted,
 * not waited for. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "io_test.h"
#include "io/logfile.h"
#include "io/system.h"

static char folder[] = "/tmp/io_logfile_test.XXXXXX";

static const char *in_folder(const char *name)
{
    static char path[2][256];
    static int turn;
    turn = !turn;
    snprintf(path[turn], sizeof(path[turn]), "%s/%s", folder, name);
    return path[turn];
}

static void add(struct logfile *f, const char *text)
{
    buf_add(logfile_line(f), str_from(text));
    logfile_added(f);
}

static void on_closed(void *ctx)
{
    (*(int *)ctx)++;
}

static struct logfile *open_log(struct world *w, const char *path)
{
    int error = 1;
    struct logfile *f = logfile_open(&w->loop, str_from(path), &error);
    assert_non_null(f);
    assert_int_equal(error, 0);
    return f;
}

/* Is a write under way? The file has its bytes before the loop knows that it is over. */
static bool is_writing(struct world *w)
{
    return w->loop.mail.holds > 0;
}

static void close_log(struct world *w, struct logfile *f)
{
    int closed = 0;
    logfile_close(f, on_closed, &closed);
    assert_int_equal(closed, 0);
    RUN_UNTIL(w, closed);
    world_settle(w);
    assert_int_equal(closed, 1);
}

static void expect_file(const char *path, const char *text)
{
    struct buf b = BUF_INIT;
    assert_int_equal(system_read_file(path, 64 << 20, &b), 0);
    assert_int_equal(b.n, strlen(text));
    assert_memory_equal(b.p, text, b.n);
    buf_fini(&b);
}

static size_t size_of(const char *path)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return (size_t)st.st_size;
}

static void lines_are_written_after_a_second(void **state)
{
    static struct world w;
    (void)state;
    world_init(&w);
    const char *path = in_folder("log");
    struct logfile *f = open_log(&w, path);
    add(f, "one\n");
    add(f, "two\n");
    world_settle(&w);
    assert_int_equal(size_of(path), 0);
    world_turn(&w, 1000);
    RUN_UNTIL(&w, size_of(path) > 0 && !is_writing(&w));
    expect_file(path, "one\ntwo\n"); /* in one write */
    add(f, "three\n");
    close_log(&w, f); /* does not wait for the second */
    expect_file(path, "one\ntwo\nthree\n");

    f = open_log(&w, path); /* appends */
    close_log(&w, f);
    f = open_log(&w, path);
    add(f, "four\n");
    logfile_close(f, NULL, NULL);
    world_fini(&w);
    expect_file(path, "one\ntwo\nthree\nfour\n");
    unlink(path);
}

static void much_is_written_at_once(void **state)
{
    static struct world w;
    char line[1000];
    (void)state;
    world_init(&w);
    const char *path = in_folder("log");
    struct logfile *f = open_log(&w, path);
    memset(line, 'x', sizeof(line));
    line[998] = '\n';
    line[999] = '\0';
    for (int i = 0; i < 66; i++)
        add(f, line);
    RUN_UNTIL(&w, size_of(path) >= 65536 && !is_writing(&w)); /* no second passes: the clock is not turned */
    assert_int_equal(size_of(path), 66 * 999);
    close_log(&w, f);
    unlink(path);
    world_fini(&w);
}

static void reopening_follows_a_rename(void **state)
{
    static struct world w;
    char old[256], path[256];
    (void)state;
    world_init(&w);
    strcpy(old, in_folder("log.1"));
    strcpy(path, in_folder("log"));
    struct logfile *f = open_log(&w, path);
    assert_int_equal(size_of(path), 0);
    add(f, "before\n");
    world_turn(&w, 1000);
    RUN_UNTIL(&w, size_of(path) > 0 && !is_writing(&w));
    assert_int_equal(rename(path, old), 0);
    assert_int_equal(logfile_reopen(f), 0);
    assert_int_equal(logfile_reopen(f), 0);
    add(f, "after\n");
    world_turn(&w, 1000);
    RUN_UNTIL(&w, size_of(path) > 0 && !is_writing(&w));
    expect_file(old, "before\n");
    expect_file(path, "after\n");

    /* While a write is under way, which 64 KiB start at once: that one ends in the old file. */
    static char line[65537];
    memset(line, 'x', 65536);
    line[65535] = '\n';
    assert_int_equal(rename(path, old), 0);
    add(f, line);
    assert_int_equal(logfile_reopen(f), 0);
    add(f, "new\n");
    close_log(&w, f);
    assert_int_equal(size_of(old), 6 + 65536);
    expect_file(path, "new\n");

    /* When it cannot be opened the old one stays. */
    f = open_log(&w, path);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(logfile_reopen(f), UV_EISDIR);
    add(f, "somewhere\n");
    close_log(&w, f);
    assert_int_equal(w.log_lines, 0);
    rmdir(path);
    unlink(old);
    world_fini(&w);
}

static void what_cannot_be_opened_is_an_error(void **state)
{
    static struct world w;
    int error = 0;
    (void)state;
    world_init(&w);
    assert_null(logfile_open(&w.loop, str_from(in_folder("no/log")), &error));
    assert_int_equal(error, UV_ENOENT);
    assert_null(logfile_open(&w.loop, STR_NONE, &error));
    assert_int_equal(error, UV_EINVAL);
    assert_null(logfile_open(&w.loop, STR("/tmp/a\0b"), &error));
    assert_int_equal(error, UV_EINVAL);
    const char *fifo = in_folder("fifo");
    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_null(logfile_open(&w.loop, str_from(fifo), &error)); /* nobody reads: it does not wait for one */
    assert_int_equal(error, UV_ENXIO);
    unlink(fifo);
    world_fini(&w);
}

static void standard_output_is_not_closed(void **state)
{
    static struct world w;
    (void)state;
    world_init(&w);
    const char *path = in_folder("out");
    int out = dup(STDOUT_FILENO);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    assert_true(out >= 0 && fd >= 0);
    dup2(fd, STDOUT_FILENO);
    struct logfile *f = open_log(&w, "-");
    assert_int_equal(logfile_reopen(f), 0); /* nothing to reopen */
    add(f, "line\n");
    int closed = 0;
    logfile_close(f, on_closed, &closed);
    RUN_UNTIL(&w, closed);
    int still_open = fcntl(STDOUT_FILENO, F_GETFD);
    dup2(out, STDOUT_FILENO);
    close(out);
    close(fd);
    assert_true(still_open >= 0);
    expect_file(path, "line\n");
    unlink(path);
    world_fini(&w);
}

/* ---- when it cannot be written ---- */

static void a_full_device_is_counted_and_told_once(void **state)
{
    static struct world w;
    (void)state;
    world_init(&w);
    struct logfile *f = open_log(&w, "/dev/full");
    for (int i = 1; i <= 3; i++) {
        add(f, "lost\n");
        add(f, "lost, too\n");
        world_turn(&w, 1000);
        RUN_UNTIL(&w, logfile_dropped(f) == 2 * (uint64_t)i);
        assert_int_equal(w.log_lines, 1);
    }
    close_log(&w, f);
    world_fini(&w);
}

/* A disk that fills up in the middle of a line, and is emptied. */
static void a_line_that_was_cut_spoils_no_other(void **state)
{
    static struct world w;
    struct rlimit before, little;
    (void)state;
    world_init(&w);
    const char *path = in_folder("log");
    struct logfile *f = open_log(&w, path);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    little = (struct rlimit){ .rlim_cur = 10, .rlim_max = before.rlim_max };
    add(f, "first\n");
    add(f, "second\n");
    add(f, "third\n");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
    world_turn(&w, 1000);
    RUN_UNTIL(&w, logfile_dropped(f) == 2);
    add(f, "fourth\n");
    world_turn(&w, 1000);
    RUN_UNTIL(&w, logfile_dropped(f) == 3);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    expect_file(path, "first\n"); /* no line is torn */
    assert_int_equal(w.log_lines, 1);
    add(f, "fifth\n");
    world_turn(&w, 1000);
    RUN_UNTIL(&w, w.log_lines == 2); /* "is written again" */
    add(f, "sixth\n");
    close_log(&w, f);
    expect_file(path, "first\nfifth\nsixth\n");
    assert_int_equal(w.log_lines, 2);
    unlink(path);
    world_fini(&w);
}

static void on_lost(void *ctx, uint64_t n)
{
    *(uint64_t *)ctx += n;
}

/* Workers write to one file: a full disk takes back what one has begun, and is told once, with what all have
 * lost. */
static void several_on_a_full_disk_speak_once(void **state)
{
    enum { WRITERS = 3 };
    static struct world w;
    struct rlimit before, little;
    struct logfile *f[WRITERS];
    uint64_t lost = 0;
    (void)state;
    world_init(&w);
    const char *path = in_folder("log");
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    little = (struct rlimit){ .rlim_cur = 9, .rlim_max = before.rlim_max };
    for (size_t i = 0; i < WRITERS; i++) {
        f[i] = open_log(&w, path);
        logfile_on_lost(f[i], on_lost, &lost);
    }
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
    for (size_t i = 0; i < WRITERS; i++)
        for (int k = 0; k < 2; k++)
            add(f[i], "12345\n");
    world_turn(&w, 1000);
    RUN_UNTIL(&w, lost == 2 * WRITERS - 1);
    expect_file(path, "12345\n");
    assert_int_equal(w.log_lines, 1);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    for (size_t i = 0; i < WRITERS; i++)
        add(f[i], "again\n");
    world_turn(&w, 1000);
    RUN_UNTIL(&w, w.log_lines == 2);
    for (size_t i = 0; i < WRITERS; i++)
        close_log(&w, f[i]);
    expect_file(path, "12345\nagain\nagain\nagain\n");
    assert_int_equal(w.log_lines, 2);
    assert_int_equal(lost, 2 * WRITERS - 1);
    unlink(path);
    world_fini(&w);
}

/* What logfile_open would say is said without a file being made. */
static void can_be_tried(void **state)
{
    (void)state;
    const char *path = in_folder("new");
    assert_int_equal(logfile_try(STR("-")), 0);
    assert_int_equal(logfile_try(str_from(path)), 0);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(logfile_try(str_from(folder)), -EISDIR);
    assert_int_equal(logfile_try(STR("/nowhere/at/all/log")), -ENOENT);
    assert_int_equal(logfile_try(STR("/dev/null/log")), -ENOTDIR);
    assert_int_equal(logfile_try(STR("")), -EINVAL);
}

static void lines_above_8_mib_are_dropped(void **state)
{
    static struct world w;
    static char line[65537];
    (void)state;
    world_init(&w);
    const char *fifo = in_folder("fifo");
    assert_int_equal(mkfifo(fifo, 0600), 0);
    int reader = open(fifo, O_RDONLY | O_NONBLOCK);
    struct logfile *f = open_log(&w, fifo);
    memset(line, 'x', sizeof(line));
    line[65535] = '\n';
    line[65536] = '\0';
    /* The first fills the pipe and waits there; 128 lines of 64 KiB are 8 MiB; the rest is too much. */
    for (int i = 0; i < 2 + 128; i++)
        add(f, line);
    assert_int_equal(logfile_dropped(f), 1);
    add(f, line);
    add(f, "a small one\n");
    assert_int_equal(logfile_dropped(f), 3);
    assert_int_equal(w.log_lines, 1);

    /* The reader comes: all that was kept arrives. */
    size_t got = 0, newlines = 0, wanted = (size_t)129 * 65536;
    while (got < wanted) {
        char room[65536];
        ssize_t n = read(reader, room, sizeof(room));
        for (ssize_t i = 0; i < n; i++)
            newlines += room[i] == '\n';
        got += n > 0 ? (size_t)n : 0;
        world_turn(&w, 20);
        loop_run_once(&w.loop, false);
    }
    assert_int_equal(got, wanted);
    assert_int_equal(newlines, 129);
    close_log(&w, f);
    close(reader);
    unlink(fifo);
    world_fini(&w);
}

static void a_pipe_that_nobody_empties_is_given_up(void **state)
{
    static struct world w;
    static char line[200001];
    (void)state;
    world_init(&w);
    const char *fifo = in_folder("fifo");
    assert_int_equal(mkfifo(fifo, 0600), 0);
    int reader = open(fifo, O_RDONLY | O_NONBLOCK);
    struct logfile *first = open_log(&w, fifo), *second = open_log(&w, fifo);
    memset(line, 'x', sizeof(line) - 1);
    line[sizeof(line) - 2] = '\n';
    add(first, line); /* more than a pipe holds */
    world_settle(&w);
    add(second, "waits for its turn\n");
    int closed = 0;
    logfile_close(first, on_closed, &closed);
    logfile_close(second, on_closed, &closed);
    while (closed < 2) {
        world_turn(&w, 100);
        loop_run_once(&w.loop, false);
    }
    assert_true(w.log_lines >= 1);
    close(reader);
    unlink(fifo);
    world_fini(&w);
}

/* ---- several at once ---- */

#define WRITERS 4

struct writer {
    pthread_t thread;
    struct world world;
    const char *path;
    int number, lines, most_bytes;
};

/* "NUMBER LINE xxxx...x\n", where the x are as many as NUMBER and LINE say. */
static size_t padding(const struct writer *w, int line)
{
    return (size_t)((line * 7919 + w->number * 104729) % w->most_bytes);
}

static void *write_lines(void *arg)
{
    struct writer *w = arg;
    int error, closed = 0;
    struct logfile *f = logfile_open(&w->world.loop, str_from(w->path), &error);
    CHECK(f);
    for (int i = 0; i < w->lines; i++) {
        struct buf *b = logfile_line(f);
        buf_printf(b, "%d %d ", w->number, i);
        size_t n = padding(w, i);
        memset(buf_room(b, n), 'x', n);
        b->n += n;
        buf_add_char(b, '\n');
        logfile_added(f);
        if (i % 100 == 0)
            loop_run_once(&w->world.loop, false);
    }
    logfile_close(f, on_closed, &closed);
    while (!closed)
        loop_run_once(&w->world.loop, true);
    return NULL;
}

static void check_line(struct writer *writers, int *next, struct str line)
{
    uint64_t number, i;
    assert_true(str_to_u64(str_cut(&line, ' '), WRITERS - 1, &number));
    assert_true(str_to_u64(str_cut(&line, ' '), INT32_MAX, &i));
    assert_int_equal(i, next[number]); /* whole, once, in order */
    next[number]++;
    assert_int_equal(line.n, padding(&writers[number], (int)i));
    for (size_t k = 0; k < line.n; k++)
        assert_int_equal(line.p[k], 'x');
}

static void check_lines(struct writer *writers, struct str text)
{
    int next[WRITERS] = { 0 };
    assert_true(str_ends(text, STR("\n")));
    text.n--;
    while (text.p)
        check_line(writers, next, str_cut(&text, '\n'));
    for (int i = 0; i < WRITERS; i++)
        assert_int_equal(next[i], writers[i].lines);
}

static void start_writers(struct writer *writers, const char *path, int lines, int most_bytes)
{
    for (int i = 0; i < WRITERS; i++) {
        struct writer *w = &writers[i];
        w->path = path;
        w->number = i;
        w->lines = lines;
        w->most_bytes = most_bytes;
        world_init(&w->world);
        assert_int_equal(pthread_create(&w->thread, NULL, write_lines, w), 0);
    }
}

static void join_writers(struct writer *writers)
{
    for (int i = 0; i < WRITERS; i++) {
        pthread_join(writers[i].thread, NULL);
        world_fini(&writers[i].world);
    }
}

static void workers_share_a_file(void **state)
{
    static struct writer writers[WRITERS];
    struct buf b = BUF_INIT;
    (void)state;
    const char *path = in_folder("shared");
    start_writers(writers, path, 3000, 600);
    join_writers(writers);
    assert_int_equal(system_read_file(path, 64 << 20, &b), 0);
    check_lines(writers, buf_str(&b));
    buf_fini(&b);
    unlink(path);
}

/* Lines longer than a pipe takes at once, and a reader slower than the writers. */
static void workers_share_a_pipe(void **state)
{
    static struct writer writers[WRITERS];
    struct buf b = BUF_INIT;
    (void)state;
    const char *fifo = in_folder("fifo");
    assert_int_equal(mkfifo(fifo, 0600), 0);
    int reader = open(fifo, O_RDONLY | O_NONBLOCK);
    int kept_open = open(fifo, O_WRONLY); /* so that the reader sees no end before the first writer came */
    assert_true(reader >= 0 && kept_open >= 0);
    assert_int_equal(fcntl(reader, F_SETFL, 0), 0);
    start_writers(writers, fifo, 100, 20000);
    size_t wanted = 0;
    for (int i = 0; i < WRITERS; i++)
        for (int k = 0; k < 100; k++)
            wanted += (size_t)snprintf(NULL, 0, "%d %d \n", i, k) + padding(&writers[i], k);
    while (b.n < wanted) {
        ssize_t n = read(reader, buf_room(&b, 5000), 5000);
        assert_true(n > 0);
        b.n += (size_t)n;
    }
    join_writers(writers);
    check_lines(writers, buf_str(&b));
    buf_fini(&b);
    close(kept_open);
    close(reader);
    unlink(fifo);
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_written_after_a_second),
        cmocka_unit_test(much_is_written_at_once),
        cmocka_unit_test(reopening_follows_a_rename),
        cmocka_unit_test(what_cannot_be_opened_is_an_error),
        cmocka_unit_test(standard_output_is_not_closed),
        cmocka_unit_test(a_full_device_is_counted_and_told_once),
        cmocka_unit_test(several_on_a_full_disk_speak_once),
        cmocka_unit_test(can_be_tried),
        cmocka_unit_test(a_line_that_was_cut_spoils_no_other),
        cmocka_unit_test(lines_above_8_mib_are_dropped),
        cmocka_unit_test(a_pipe_that_nobody_empties_is_given_up),
        cmocka_unit_test(workers_share_a_file),
        cmocka_unit_test(workers_share_a_pipe),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
