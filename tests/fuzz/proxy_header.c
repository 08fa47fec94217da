/* A header of the PROXY protocol (io/proxy_header.h): the answer is the same whatever follows it, each
 * beginning of a good one wants more, and who is named has an address that can be written. */
#include <string.h>

#include "base/check.h"
#include "io/proxy_header.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t n);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t n)
{
    struct str s = { (const char *)data, n };
    struct proxy_header h, other;
    char text[ADDRESS_TEXT_MAX];
    enum proxy_header_result result = proxy_header_parse(s, &h);
    if (result != PROXY_HEADER_GOOD) {
        CHECK(result == PROXY_HEADER_BAD || n < PROXY_HEADER_MAX);
        return 0;
    }
    CHECK(h.bytes > 0 && h.bytes <= n && h.bytes <= PROXY_HEADER_MAX && (h.version == 1 || h.version == 2));
    CHECK(proxy_header_parse((struct str){ s.p, h.bytes }, &other) == PROXY_HEADER_GOOD);
    CHECK(other.bytes == h.bytes && memcmp(&other.source, &h.source, sizeof(h.source)) == 0);
    CHECK(h.source.bytes == 0 || h.source.sa.any.sa_family == AF_UNIX ||
          address_write_ip(&h.source, text) > 0);
    for (size_t i = 0; i < h.bytes; i += 1 + i / 8)
        CHECK(proxy_header_parse((struct str){ s.p, i }, &other) == PROXY_HEADER_MORE);
    return 0;
}
