/* The text of a site's deploys, as the disk gives it (deploy/ledger_saved.h): what is read is written as it
 * was, and read again is the same. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "deploy/ledger_saved.h"

static const struct now now = { .mono_ms = INT64_MAX / 2, .wall_ms = INT64_MAX / 3 };

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t n);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t n)
{
    static struct ledger_site site, again;
    struct str text = { (const char *)data, n };
    struct buf one = BUF_INIT, two = BUF_INIT;
    memset(&site, 0, sizeof(site));
    memset(&again, 0, sizeof(again));
    if (ledger_read(text, now, &site)) {
        CHECK(site.releases_n > 0 && site.releases_n <= LEDGER_RELEASES_MAX &&
              site.switches_n <= LEDGER_SWITCHES_MAX);
        ledger_write(&site, now, &one);
        CHECK(ledger_read(buf_str(&one), now, &again));
        ledger_write(&again, now, &two);
        CHECK(str_eq(buf_str(&one), buf_str(&two)));
        CHECK(memcmp(site.releases, again.releases, sizeof(site.releases)) == 0);
    } else {
        CHECK(!site.configured && site.releases_n == 0);
    }
    mem_free(site.configured);
    mem_free(again.configured);
    buf_fini(&one);
    buf_fini(&two);
    return 0;
}
