/* What the disk's own jobs promise, whoever they are for. */
#include "cache_world.h"

#include "cache/disk_machine.h"
#include "cache/record.h"

static int told;

static void is_done(struct notice *n, const void *sender)
{
    (void)sender;
    notice_received(n);
    told++;
}

/* At the end jobs are left that were never begun. Each owner hears of its own, once, and finds nothing read:
 * pages and parts of bodies stand in the same queue. */
static void a_dropped_job_tells_its_owner(void **state)
{
    (void)state;
    struct notice done = { .post = is_done };
    struct disk_read page = { .job.done = &done };
    struct disk_part part = { .job.done = &done };
    told = 0;
    disk_job_drop(&page.job.queued);
    assert_int_equal(told, 1);
    disk_job_drop(&part.job.queued);
    assert_int_equal(told, 2);
    assert_false(page.has_read);
    assert_int_equal(part.bytes, 0);
}

/* A long body whose page has nothing left of its time is not written, as a short one is not: it would be
 * found and given up again and again, by each walk, and for two seconds at the end. */
static void a_long_body_that_is_too_old_does_not_wait(void **state)
{
    (void)state;
    struct disk d = { .o = { .cache = cache, .limit_bytes = (uint64_t)1 << 30 } };
    lock_init(&d.lock);
    list_init(&d.longs);
    struct look l = look_of("/long");
    struct found f = look_as(&l, OUTCOME_MISS);
    struct object *o = object_ref(f.busy);
    assert_true(object_store(f.busy, &l.place, &(struct page){ .lifetime_ms = 60000, .body_bytes = 100 }));
    f.busy = NULL;
    found_drop(&f);
    assert_int_equal(disk_long_add(&d, o, &l.place, 7, now.mono_ms + 56000), DISK_WROTE_NOT);
    assert_int_equal(d.longs_n, 0);
    assert_false(record_is_wanted(o, now.mono_ms + 56000));
    assert_true(record_is_wanted(o, now.mono_ms + 55000));
    object_unref(o);
    lock_fini(&d.lock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_dropped_job_tells_its_owner, world_begin, world_end),
        cmocka_unit_test_setup_teardown(a_long_body_that_is_too_old_does_not_wait, world_begin, world_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
