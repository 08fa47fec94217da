/* Signals become notices of the loop and have their usual effect again afterwards; a broken pipe never ends
 * the process. */
#include <errno.h>
#include <signal.h>

#include "io_test.h"
#include "io/signals.h"

static int count[65];
static int closed;

static void on_received(struct signals *s, int signo)
{
    (void)s;
    count[signo]++;
}

static void on_closed(struct signals *s)
{
    assert_non_null(s);
    closed++;
}

static bool is_default(int signo)
{
    struct sigaction now;
    assert_int_equal(sigaction(signo, NULL, &now), 0);
    return now.sa_handler == SIG_DFL;
}

static void signals_become_notices(void **state)
{
    static struct world w;
    const int numbers[] = { SIGTERM,   SIGINT,  SIGHUP, SIGQUIT,   SIGUSR1, SIGUSR2,  SIGALRM,
                            SIGVTALRM, SIGPROF, SIGIO,  SIGSTKFLT, SIGPWR,  SIGRTMIN, SIGRTMAX };
    struct signals s;
    (void)state;
    world_init(&w);
    assert_int_equal(signals_init(&s, &w.loop, on_received), 0);
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        raise(numbers[i]);
        assert_int_equal(count[numbers[i]], 0);
        RUN_UNTIL(&w, count[numbers[i]]);
        raise(numbers[i]);
        RUN_UNTIL(&w, count[numbers[i]] == 2);
    }
    signals_close(&s, on_closed);
    assert_int_equal(closed, 0);
    RUN_UNTIL(&w, closed);
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        assert_true(is_default(numbers[i]));
        assert_int_equal(count[numbers[i]], 2);
    }
    assert_int_equal(signals_init(&s, &w.loop, on_received), 0);
    signals_close(&s, NULL);
    world_fini(&w);
}

static void signals_have_names(void **state)
{
    (void)state;
    char name[SIGNAL_NAME_MAX];
    signals_name(SIGUSR2, name);
    assert_string_equal(name, "SIGUSR2");
    signals_name(40, name);
    assert_string_equal(name, "signal 40");
}

static void a_broken_pipe_is_an_error_only(void **state)
{
    static struct world w;
    int fds[2];
    (void)state;
    world_init(&w);
    assert_int_equal(pipe(fds), 0);
    close(fds[0]);
    assert_int_equal(write(fds[1], "x", 1), -1);
    assert_int_equal(errno, EPIPE);
    close(fds[1]);
    world_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signals_become_notices),
        cmocka_unit_test(signals_have_names),
        cmocka_unit_test(a_broken_pipe_is_an_error_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
