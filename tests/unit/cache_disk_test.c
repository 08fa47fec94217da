/* What the disk's own jobs promise, whoever they are for. */
#include "cache_world.h"

#include "cache/disk_machine.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_dropped_job_tells_its_owner, world_begin, world_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
