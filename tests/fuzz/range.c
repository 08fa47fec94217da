/* Every range lies inside the representation, several together are no longer than it, and their number has a
 * limit. */
#include <string.h>

#include "base/check.h"
#include "http/range.h"

#define MAX 16

static void check_parse(struct str value, uint64_t length, size_t max)
{
    struct range r[MAX];
    size_t n = 99;
    uint64_t sum = 0;
    enum range_result result = range_parse(value, length, r, max, &n);
    CHECK((result == RANGE_OK) == (n > 0));
    CHECK(n <= max);
    CHECK(length > 0 || result != RANGE_OK);
    for (size_t i = 0; i < n; i++) {
        CHECK(r[i].first <= r[i].last && r[i].last < length);
        uint64_t bytes = r[i].last - r[i].first + 1;
        CHECK(n == 1 || bytes <= length - sum);
        sum += bytes;
    }
    /* More room changes nothing but "too many". */
    if (result != RANGE_IGNORE && max < MAX) {
        struct range more[MAX];
        size_t more_n;
        CHECK(range_parse(value, length, more, MAX, &more_n) == result && more_n == n);
        CHECK(n == 0 || memcmp(r, more, n * sizeof(r[0])) == 0);
    }
}

/* What is read without a length is what is read with one. */
static void check_single(struct str value, uint64_t length)
{
    uint64_t first, last;
    bool open;
    struct range r[1];
    size_t n;
    if (!range_parse_single(value, &first, &last, &open))
        return;
    CHECK(first <= last && last <= INT64_MAX);
    enum range_result result = range_parse(value, length, r, 1, &n);
    CHECK(result == (first < length ? RANGE_OK : RANGE_UNSATISFIABLE));
    CHECK(n == 0 || (r[0].first == first && r[0].last == (last < length ? last : length - 1)));
}

static void check_content_range(struct str value)
{
    struct range r, again;
    uint64_t length, again_length;
    struct buf b = BUF_INIT;
    if (!content_range_parse(value, &r, &length))
        return;
    CHECK(r.first <= r.last && r.last < length && r.last <= INT64_MAX);
    content_range_write(&b, r, length);
    CHECK(content_range_parse(buf_str(&b), &again, &again_length));
    CHECK(again.first == r.first && again.last == r.last && again_length == length);
    buf_fini(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint64_t lengths[] = { 0, 1, 10, 1000, INT64_MAX };
    static const size_t rooms[] = { 0, 1, 3, MAX };
    struct str value = { (const char *)data, size };
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        for (size_t k = 0; k < COUNT_OF(rooms); k++)
            check_parse(value, lengths[i], rooms[k]);
        check_single(value, lengths[i]);
    }
    check_content_range(value);
    return 0;
}
