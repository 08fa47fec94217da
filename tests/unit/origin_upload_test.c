/* An upload's ring passes every byte on once and in order, whatever the sizes of what comes and goes, never
 * holds more than its size, and tells each side what it waits for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "origin/upload.h"

static struct upload upload;
static unsigned rooms, readies;

static void on_room(struct upload *u)
{
    assert_ptr_equal(u, &upload);
    rooms++;
}

static void on_ready(struct upload *u)
{
    assert_ptr_equal(u, &upload);
    readies++;
}

static void begin(enum framing_kind kind, uint64_t length)
{
    rooms = readies = 0;
    upload_init(&upload, (struct framing){ kind, length }, NULL, on_room);
}

static int end(void **state)
{
    (void)state;
    upload_fini(&upload);
    upload_fini(&upload);
    return 0;
}

static char byte_at(uint64_t position)
{
    return (char)(position * 2654435761u >> 13);
}

static void knows_when_there_is_no_body(void **state)
{
    (void)state;
    begin(FRAMING_NONE, 0);
    assert_int_equal(upload.state, UPLOAD_ENDED);
    begin(FRAMING_LENGTH, 0);
    assert_int_equal(upload.state, UPLOAD_ENDED);
    assert_int_equal(upload_space(&upload), 0);
    begin(FRAMING_LENGTH, 1);
    assert_int_equal(upload.state, UPLOAD_OPEN);
    begin(FRAMING_CHUNKED, 0);
    assert_int_equal(upload.state, UPLOAD_OPEN);
    assert_int_equal(upload_space(&upload), UPLOAD_RING_BYTES);
    /* Nothing is allocated before the first byte. */
    assert_null(upload.ring);
    struct iovec iov[2];
    size_t bytes = 1;
    assert_int_equal(upload_lease(&upload, iov, &bytes), 0);
    assert_int_equal(bytes, 0);
}

/* Sizes that meet the ring's end at every offset around it. */
static void passes_all_bytes_on(void **state)
{
    (void)state;
    static char data[UPLOAD_RING_BYTES];
    static const size_t puts[] = { 1, 4096, 65536, 60000, 3, 65535, 32768, 7, 65534 };
    static const size_t takes[] = { 65536, 1, 5000, 65535, 40000, 2 };
    uint64_t in = 0, out = 0;
    begin(FRAMING_CHUNKED, 0);
    upload.ready = on_ready;
    for (size_t step = 0; step < 5000; step++) {
        size_t n = puts[step % COUNT_OF(puts)], space = upload_space(&upload);
        assert_int_equal(space, UPLOAD_RING_BYTES - (in - out));
        n = n < space ? n : space;
        for (size_t i = 0; i < n; i++)
            data[i] = byte_at(in + i);
        upload_put(&upload, (struct str){ data, n });
        in += n;
        struct iovec iov[2];
        size_t bytes, sum = 0;
        unsigned pieces = upload_lease(&upload, iov, &bytes);
        assert_int_equal(bytes, in - out);
        assert_true(pieces <= 2 && (bytes == 0) == (pieces == 0));
        for (unsigned k = 0; k < pieces; k++) {
            assert_true(iov[k].iov_len > 0);
            for (size_t i = 0; i < iov[k].iov_len; i++)
                assert_true(((char *)iov[k].iov_base)[i] == byte_at(out + sum + i));
            sum += iov[k].iov_len;
        }
        assert_int_equal(sum, bytes);
        size_t take = takes[step % COUNT_OF(takes)];
        take = take < bytes ? take : bytes;
        upload_taken(&upload, take);
        out += take;
    }
    assert_int_equal(upload.received, in);
    assert_int_equal(readies, 5000);
    assert_true(out > 1000000);
}

static void tells_of_room_when_somebody_waits(void **state)
{
    (void)state;
    begin(FRAMING_CHUNKED, 0);
    upload_put(&upload, STR("abc"));
    upload_taken(&upload, 1);
    assert_int_equal(rooms, 0);
    upload.waiting_for_room = true;
    upload_taken(&upload, 1);
    assert_int_equal(rooms, 1);
    upload_taken(&upload, 1);
    assert_int_equal(rooms, 1);
}

static void tells_of_its_end_once(void **state)
{
    (void)state;
    begin(FRAMING_CHUNKED, 0);
    upload_put(&upload, STR("abc")); /* nobody takes them yet */
    assert_int_equal(readies, 0);
    upload.ready = on_ready;
    upload_end(&upload, UPLOAD_ENDED);
    assert_int_equal(readies, 1);
    assert_int_equal(upload.state, UPLOAD_ENDED);
    assert_int_equal(upload_space(&upload), 0);
    /* What came before is still there, and the first end counts. */
    upload_end(&upload, UPLOAD_FAILED);
    assert_int_equal(upload.state, UPLOAD_ENDED);
    assert_int_equal(readies, 1);
    struct iovec iov[2];
    size_t bytes;
    assert_int_equal(upload_lease(&upload, iov, &bytes), 1);
    assert_int_equal(bytes, 3);
    upload_taken(&upload, 3);
    assert_int_equal(upload_lease(&upload, iov, &bytes), 0);
}

static void a_fetch_that_leaves_tells_it(void **state)
{
    (void)state;
    begin(FRAMING_LENGTH, 10);
    upload.ready = on_ready;
    upload.waiting_for_room = true;
    upload_put(&upload, STR("abc"));
    upload_leave(&upload);
    assert_true(upload.unwanted);
    assert_int_equal(rooms, 1); /* else it would wait for ever */
    assert_null(upload.fetch);
    upload_end(&upload, UPLOAD_FAILED);
    assert_int_equal(readies, 1);
    upload_leave(&upload);
    assert_int_equal(rooms, 1);
}

/* The request says so while memory is short. Bytes that are there stay where they are: the origin may be sent
 * them just now. */
static void only_an_empty_ring_changes_its_size(void **state)
{
    struct iovec iov[2];
    size_t n;
    (void)state;
    begin(FRAMING_CHUNKED, 0);
    upload_put(&upload, STR("abc"));
    char *ring = upload.ring;
    upload_resize(&upload, UPLOAD_SMALL_BYTES);
    assert_int_equal(upload_space(&upload), UPLOAD_RING_BYTES - 3);
    assert_ptr_equal(upload.ring, ring);
    upload_taken(&upload, 3);
    upload_resize(&upload, UPLOAD_SMALL_BYTES);
    assert_int_equal(upload_space(&upload), UPLOAD_SMALL_BYTES);
    assert_null(upload.ring);
    upload_put(&upload, STR("defg"));
    assert_int_equal(upload_lease(&upload, iov, &n), 1);
    assert_memory_equal(iov[0].iov_base, "defg", 4);
    upload_taken(&upload, 4);
    upload_resize(&upload, UPLOAD_RING_BYTES);
    assert_int_equal(upload_space(&upload), UPLOAD_RING_BYTES);
    upload_end(&upload, UPLOAD_ENDED);
    upload_resize(&upload, UPLOAD_SMALL_BYTES);
    assert_int_equal(upload_space(&upload), 0);
}

/* It was collected at first, and may be empty. */
static void goes_on_from_its_beginning(void **state)
{
    (void)state;
    struct iovec iov[2];
    size_t bytes;
    struct buf part = BUF_INIT;
    begin(FRAMING_LENGTH, 6);
    upload_take_part(&upload, &part);
    assert_int_equal(upload_space(&upload), UPLOAD_RING_BYTES);
    upload_fini(&upload);
    begin(FRAMING_LENGTH, 6);
    buf_add(&part, STR("abc"));
    upload_take_part(&upload, &part);
    assert_null(part.p);
    assert_int_equal(upload.received, 3);
    assert_int_equal(upload_space(&upload), UPLOAD_RING_BYTES - 3);
    upload_put(&upload, STR("def"));
    assert_int_equal(upload_lease(&upload, iov, &bytes), 1);
    assert_int_equal(bytes, 6);
    assert_memory_equal(iov[0].iov_base, "abcdef", 6);
    upload_end(&upload, UPLOAD_ENDED);
    assert_int_equal(upload.received, 6);
}

/* What was taken comes again, as long as nothing stands in its place. */
static void a_short_one_begins_again(void **state)
{
    (void)state;
    static char data[UPLOAD_RING_BYTES];
    struct iovec iov[2];
    size_t bytes;
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = byte_at(i);
    begin(FRAMING_CHUNKED, 0);
    assert_true(upload_may_rewind(&upload)); /* nothing has come */
    upload_rewind(&upload);
    upload_put(&upload, (struct str){ data, 60000 });
    upload_taken(&upload, 59999);
    upload_put(&upload, (struct str){ data + 60000, UPLOAD_RING_BYTES - 60000 });
    upload_taken(&upload, 100);
    upload_end(&upload, UPLOAD_ENDED);
    for (int again = 0; again < 2; again++) {
        assert_true(upload_may_rewind(&upload));
        upload_rewind(&upload);
        assert_int_equal(upload_lease(&upload, iov, &bytes), 1);
        assert_int_equal(bytes, UPLOAD_RING_BYTES);
        assert_memory_equal(iov[0].iov_base, data, bytes);
        upload_taken(&upload, bytes);
    }
}

static void a_long_one_does_not(void **state)
{
    (void)state;
    static char data[UPLOAD_RING_BYTES];
    begin(FRAMING_CHUNKED, 0);
    upload_put(&upload, (struct str){ data, sizeof(data) });
    upload_taken(&upload, 1);
    assert_true(upload_may_rewind(&upload));
    upload_put(&upload, (struct str){ data, 1 });
    assert_false(upload_may_rewind(&upload));
}

static void one_whose_ring_was_given_back_does_not(void **state)
{
    (void)state;
    begin(FRAMING_CHUNKED, 0);
    upload_resize(&upload, UPLOAD_SMALL_BYTES);
    assert_true(upload_may_rewind(&upload)); /* it was empty */
    upload_put(&upload, STR("abc"));
    upload_taken(&upload, 3);
    upload_resize(&upload, UPLOAD_RING_BYTES);
    assert_false(upload_may_rewind(&upload));
    upload_put(&upload, STR("def"));
    assert_false(upload_may_rewind(&upload));
    upload_resize(&upload, UPLOAD_SMALL_BYTES); /* nothing happens: it is not empty */
    upload_taken(&upload, 3);
    assert_false(upload_may_rewind(&upload));
}

/* One that came whole is as long as its memory. */
static void a_collected_one_begins_again(void **state)
{
    (void)state;
    struct buf whole = BUF_INIT;
    struct iovec iov[2];
    size_t bytes;
    begin(FRAMING_LENGTH, 5);
    buf_add(&whole, STR("whole"));
    upload_take_whole(&upload, &whole);
    upload_taken(&upload, 5);
    assert_true(upload_may_rewind(&upload));
    upload_rewind(&upload);
    assert_int_equal(upload_lease(&upload, iov, &bytes), 1);
    assert_int_equal(bytes, 5);
    assert_memory_equal(iov[0].iov_base, "whole", 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(knows_when_there_is_no_body, end),
        cmocka_unit_test_teardown(passes_all_bytes_on, end),
        cmocka_unit_test_teardown(only_an_empty_ring_changes_its_size, end),
        cmocka_unit_test_teardown(tells_of_room_when_somebody_waits, end),
        cmocka_unit_test_teardown(tells_of_its_end_once, end),
        cmocka_unit_test_teardown(a_fetch_that_leaves_tells_it, end),
        cmocka_unit_test_teardown(goes_on_from_its_beginning, end),
        cmocka_unit_test_teardown(a_short_one_begins_again, end),
        cmocka_unit_test_teardown(a_long_one_does_not, end),
        cmocka_unit_test_teardown(one_whose_ring_was_given_back_does_not, end),
        cmocka_unit_test_teardown(a_collected_one_begins_again, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
