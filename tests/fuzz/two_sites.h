/* What the targets of purges share: two sites and a cache, made once. */
#ifndef FUZZ_TWO_SITES_H
#define FUZZ_TWO_SITES_H

#include "cache/cache.h"
#include "cache/purge.h"
#include "conf/settings.h"

static struct hash_secret secret;
static struct settings *settings;
static struct cache *cache;

static void set_up(void)
{
    struct buf errors = BUF_INIT;
    if (settings)
        return;
    for (size_t i = 0; i < sizeof(secret.bytes); i++)
        secret.bytes[i] = (unsigned char)(i * 31 + 7);
    settings = settings_parse(STR("listen: [\"127.0.0.1:8080\"]\n"
                                  "sites:\n"
                                  "  one:\n"
                                  "    hosts: [one.example, www.one.example]\n"
                                  "    origin: http://127.0.0.1:1\n"
                                  "  two:\n"
                                  "    hosts: [\"*.two.example\"]\n"
                                  "    query: raw\n"
                                  "    origin: http://127.0.0.1:2\n"),
                              STR("t.yaml"), NULL, 0, &errors);
    CHECK(settings && errors.n == 0);
    cache = cache_new(&secret, 1 << 20);
}

/* What purge_check takes purges something, and what it refuses has a sentence. */
static inline void check_applied(struct purge *p, struct arena *a)
{
    struct purge_error error = { 0 };
    struct purge_result result;
    if (!purge_check(p, settings, a, &error)) {
        CHECK(error.text.n > 0);
        return;
    }
    CHECK(purge_apply(cache, settings, p, 1, a, &result, &error));
    CHECK(result.names > 0);
}

#endif
