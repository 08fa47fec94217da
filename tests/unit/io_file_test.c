/* The system's disk as a table of operations: what is written at a place is read there, past the page cache
 * where that is possible; one process holds a lock; links are not followed. And a thread for such work: it
 * steps when it is due or woken, and ends when it is told to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include <errno.h>

#include "io/background.h"
#include "io/file.h"

static char folder[] = "/tmp/io_file_test.XXXXXX";

static const char *in_folder(const char *name)
{
    static char path[2][256];
    static int turn;
    turn = !turn;
    snprintf(path[turn], sizeof(path[turn]), "%s/%s", folder, name);
    return path[turn];
}

static int begin(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int end(void **state)
{
    char command[100];
    (void)state;
    snprintf(command, sizeof(command), "rm -r %s", folder);
    return system(command);
}

static void blocks_are_written_and_read(void **state)
{
    (void)state;
    struct files *f = &file_system;
    char *block = aligned_alloc(FILE_BLOCK, 2 * FILE_BLOCK);
    int file = f->open(f, in_folder("one"), FILE_WRITE | FILE_CREATE | FILE_DIRECT);
    assert_true(file >= 0);
    assert_int_equal(f->allocate(f, file, 4 * FILE_BLOCK), 0);
    assert_int_equal(f->size(f, file), 4 * FILE_BLOCK);
    memset(block, 'x', FILE_BLOCK);
    assert_int_equal(f->write(f, file, block, FILE_BLOCK, 2 * FILE_BLOCK), FILE_BLOCK);
    assert_int_equal(f->sync(f, file), 0);
    memset(block, 0, 2 * FILE_BLOCK);
    assert_int_equal(f->read(f, file, block, 2 * FILE_BLOCK, FILE_BLOCK), 2 * FILE_BLOCK);
    assert_int_equal(block[0], 0);
    assert_int_equal(block[FILE_BLOCK], 'x');
    assert_int_equal(block[2 * FILE_BLOCK - 1], 'x');
    assert_int_equal(f->read(f, file, block, FILE_BLOCK, 4 * FILE_BLOCK), 0);
    f->close(f, file);
    free(block);
}

static void failures_are_told(void **state)
{
    (void)state;
    struct files *f = &file_system;
    assert_int_equal(f->open(f, in_folder("none"), 0), -ENOENT);
    assert_int_equal(f->open(f, in_folder("none"), FILE_DIRECT), -ENOENT);
    assert_int_equal(f->remove(f, in_folder("none")), -ENOENT);
    assert_int_equal(f->rename(f, in_folder("none"), in_folder("other")), -ENOENT);
    assert_int_equal(f->sync_folder(f, in_folder("none")), -ENOENT);
    assert_int_equal(symlink("one", in_folder("link")), 0);
    assert_int_equal(f->open(f, in_folder("link"), FILE_WRITE | FILE_CREATE), -ELOOP);
    int file = f->open(f, in_folder("one"), FILE_CREATE);
    char block[16];
    assert_int_equal(f->write(f, file, block, sizeof(block), 0), -EBADF);
    f->close(f, file);
}

static void one_holds_the_lock(void **state)
{
    (void)state;
    struct files *f = &file_system;
    int a = f->open(f, in_folder("lock"), FILE_WRITE | FILE_CREATE),
        b = f->open(f, in_folder("lock"), FILE_WRITE);
    assert_int_equal(f->lock(f, a), 0);
    assert_int_equal(f->lock(f, b), -EWOULDBLOCK);
    f->close(f, a);
    assert_int_equal(f->lock(f, b), 0);
    f->close(f, b);
}

static void add_name(void *ctx, const char *name)
{
    strcat(ctx, name);
}

static void folders_are_made_and_listed(void **state)
{
    (void)state;
    struct files *f = &file_system;
    char names[100] = "";
    assert_int_equal(f->make_folder(f, in_folder("a/b")), 0);
    assert_int_equal(f->make_folder(f, in_folder("a/b")), 0);
    assert_int_equal(f->sync_folder(f, in_folder("a")), 0);
    int file = f->open(f, in_folder("a/b/first"), FILE_WRITE | FILE_CREATE);
    assert_true(file >= 0);
    f->close(f, file);
    assert_int_equal(f->rename(f, in_folder("a/b/first"), in_folder("a/b/second")), 0);
    assert_int_equal(f->list(f, in_folder("a/b"), add_name, names), 0);
    assert_string_equal(names, "second");
    assert_int_equal(f->list(f, in_folder("none"), add_name, names), -ENOENT);
}

/* ---- the thread ---- */

struct work {
    atomic_uint steps;
    _Atomic int64_t next_us;
    atomic_int nice;
};

static int64_t step(void *ctx)
{
    struct work *w = ctx;
    atomic_store(&w->nice, getpriority(PRIO_PROCESS, (id_t)gettid()));
    atomic_fetch_add(&w->steps, 1);
    return atomic_load(&w->next_us);
}

static void wait_for_steps(struct work *w, unsigned n)
{
    while (atomic_load(&w->steps) < n)
        usleep(100);
}

static void the_thread_steps_when_it_is_due(void **state)
{
    (void)state;
    struct work w = { .next_us = BACKGROUND_IDLE };
    int mine = getpriority(PRIO_PROCESS, 0);
    struct background *b = background_start("test", step, &w);
    assert_non_null(b);
    for (unsigned n = 1; n < 50; n++) {
        wait_for_steps(&w, n);
        background_wake(b);
    }
    wait_for_steps(&w, 50);
    assert_true(atomic_load(&w.nice) > mine || mine > 9);
    atomic_store(&w.next_us, 500);
    background_wake(b);
    wait_for_steps(&w, 55);
    atomic_store(&w.next_us, 0);
    wait_for_steps(&w, 60);
    background_stop(&b);
    assert_null(b);
    unsigned n = atomic_load(&w.steps);
    background_stop(&b);
    assert_int_equal(atomic_load(&w.steps), n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_written_and_read),
        cmocka_unit_test(failures_are_told),
        cmocka_unit_test(one_holds_the_lock),
        cmocka_unit_test(folders_are_made_and_listed),
        cmocka_unit_test(the_thread_steps_when_it_is_due),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
