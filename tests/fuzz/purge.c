/* A line of text is refused with a place in it, or is a purge whose line it is, byte by byte. A purge
 * that was read is refused with a sentence or purges as many names as it says. Input: the line. */
#include "cache/purge.h"
#include "two_sites.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_lists(const struct purge *p)
{
    CHECK(p->scope & PURGE_OF_TAGS || p->tags.n == 0);
    CHECK(p->scope & PURGE_OF_URLS || p->urls.n == 0);
    CHECK(p->scope & PURGE_OF_GROUPS || p->groups.n == 0);
    CHECK(p->scope & PURGE_OF_PREFIXES || p->prefixes.n == 0);
    CHECK(p->prefixes.n <= PURGE_LIST_MAX);
    CHECK(p->tags.n <= PURGE_LIST_MAX && p->urls.n <= PURGE_LIST_MAX && p->groups.n <= PURGE_LIST_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str line = { (const char *)data, size };
    struct arena a;
    struct buf again = BUF_INIT;
    struct purge p;
    struct purge_result result;
    struct purge_error error = { 0 };
    set_up();
    arena_init(&a, 4096);
    if (!purge_read(line, &a, &p, &error)) {
        CHECK(error.at <= line.n && error.text.n > 0);
    } else {
        check_lists(&p);
        purge_write(&p, &again);
        CHECK(str_eq(buf_str(&again), line));
        uint64_t before = epochs_latest(cache->epochs);
        if (purge_apply(cache, settings, &p, 1, &a, &result, &error))
            CHECK(result.sequence == before + result.names && (result.names == 0) == purge_is_empty(&p));
        else
            CHECK(error.text.n > 0 && epochs_latest(cache->epochs) == before);
        if (purge_check(&p, settings, &a, &error))
            CHECK(purge_say(&p, &a).n <= PURGE_SAID_MAX);
    }
    buf_fini(&again);
    arena_fini(&a);
    return 0;
}
