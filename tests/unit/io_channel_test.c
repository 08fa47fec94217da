/* A channel between two processes: whole messages with descriptors, in order; who sends waits while it is
 * full. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "io_test.h"
#include "io/channel.h"

static struct channel_message *message_new(void)
{
    return mem_alloc(sizeof(struct channel_message));
}

static void whole_messages_with_descriptors(void **state)
{
    (void)state;
    int ends[2], pipes[2];
    char c = 0;
    struct channel_message *m = message_new();
    assert_int_equal(channel_pair(ends), 0);
    assert_int_equal(pipe(pipes), 0);
    assert_int_equal(channel_receive(ends[1], m, 0), 0);
    assert_int_equal(channel_send(ends[0], 'a', STR("one"), &pipes[1], 1), 0);
    assert_int_equal(channel_send(ends[0], 'b', STR_NONE, NULL, 0), 0);
    assert_int_equal(channel_receive(ends[1], m, 1000), 1);
    assert_int_equal(m->type, 'a');
    assert_string_equal(m->text, "one");
    assert_int_equal(m->fds_n, 1);
    assert_true(fcntl(m->fds[0], F_GETFD) & FD_CLOEXEC);
    assert_int_equal(write(m->fds[0], "x", 1), 1);
    channel_close_fds(m);
    assert_int_equal(read(pipes[0], &c, 1), 1);
    assert_int_equal(c, 'x');
    assert_int_equal(channel_receive(ends[1], m, 1000), 1);
    assert_int_equal(m->type, 'b');
    assert_int_equal(m->n, 0);
    close(ends[0]);
    assert_int_equal(channel_receive(ends[1], m, 1000), -EPIPE);
    assert_int_equal(channel_send(ends[1], 'c', STR_NONE, NULL, 0), -EPIPE);
    close(ends[1]);
    close(pipes[0]);
    close(pipes[1]);
    mem_free(m);
}

/* Also when it has not read what was said to it. */
static void what_was_said_before_the_end_comes(void **state)
{
    (void)state;
    int ends[2];
    struct channel_message *m = message_new();
    assert_int_equal(channel_pair(ends), 0);
    assert_int_equal(channel_send(ends[1], 'u', STR("unread"), NULL, 0), 0);
    assert_int_equal(channel_send(ends[0], 'a', STR("one"), NULL, 0), 0);
    assert_int_equal(channel_send(ends[0], 'b', STR("two"), NULL, 0), 0);
    close(ends[0]);
    assert_int_equal(channel_receive(ends[1], m, 1000), 1);
    assert_int_equal(m->type, 'a');
    assert_int_equal(channel_receive(ends[1], m, 1000), 1);
    assert_int_equal(m->type, 'b');
    assert_int_equal(channel_receive(ends[1], m, 1000), -EPIPE);
    close(ends[1]);
    mem_free(m);
}

/* ---- full ---- */

struct late {
    int end;
    pid_t sender;
    unsigned got;
};

static char state_of(pid_t thread)
{
    char path[64], text[256] = "";
    snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)thread);
    int fd = open(path, O_RDONLY);
    assert_true(read(fd, text, sizeof(text) - 1) > 0);
    close(fd);
    return strrchr(text, ')')[2];
}

/* Reads nothing until who sends waits for that. */
static void *read_late(void *arg)
{
    struct late *late = arg;
    struct channel_message *m = message_new();
    while (state_of(late->sender) != 'S')
        usleep(100);
    while (channel_receive(late->end, m, 30000) == 1 && m->type != 'z')
        late->got++;
    mem_free(m);
    return NULL;
}

static unsigned fill(int end)
{
    unsigned n = 0;
    while (send(end, "n", 1, MSG_DONTWAIT) == 1)
        n++;
    assert_int_equal(errno, EAGAIN);
    return n;
}

static void take(struct channel *c, struct channel_message *m)
{
    (void)c;
    (void)m;
}

/* An end that a loop reads, too. */
static void who_sends_waits_while_it_is_full(void **state)
{
    (void)state;
    struct world w;
    struct channel c;
    pthread_t reader;
    int ends[2];
    world_init(&w);
    assert_int_equal(channel_pair(ends), 0);
    assert_int_equal(channel_open(&c, &w.loop, ends[0], take), 0);
    unsigned n = fill(ends[0]);
    struct late late = { .end = ends[1], .sender = gettid() };
    assert_int_equal(pthread_create(&reader, NULL, read_late, &late), 0);
    assert_int_equal(channel_send(ends[0], 'z', STR("the last"), NULL, 0), 0);
    pthread_join(reader, NULL);
    assert_int_equal(late.got, n);
    channel_close(&c);
    close(ends[1]);
    world_fini(&w);
}

static void who_does_not_read_is_not_waited_for_for_ever(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(channel_pair(ends), 0);
    fill(ends[0]);
    assert_int_equal(channel_send(ends[0], 'n', STR("x"), NULL, 0), -EAGAIN);
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_messages_with_descriptors),
        cmocka_unit_test(what_was_said_before_the_end_comes),
        cmocka_unit_test(who_sends_waits_while_it_is_full),
        cmocka_unit_test(who_does_not_read_is_not_waited_for_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
