#include "acme/ari.h"

#include <jansson.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <time.h>

#include "acme/base64url.h"
#include "base/check.h"

#define MINUTE_MS INT64_C(60000)
#define HOUR_MS   INT64_C(3600000)
#define DAY_MS    INT64_C(86400000)

/* ---- the certificate's name ---- */

/* The number as DER has it: with a zero in front when the first bit is set. */
static void add_serial(X509 *x, struct buf *out)
{
    unsigned char *der = NULL;
    int n = i2d_ASN1_INTEGER(X509_get_serialNumber(x), &der);
    CHECK(n > 2);
    base64url_add(out, der + 2, (size_t)n - 2); /* its type and length, which is below 128 */
    OPENSSL_free(der);
}

bool ari_add_id(struct str pem, struct buf *out)
{
    BIO *b = BIO_new_mem_buf(pem.n ? pem.p : "", (int)pem.n);
    CHECK(b);
    X509 *x = PEM_read_bio_X509(b, NULL, NULL, NULL);
    const ASN1_OCTET_STRING *id = x ? X509_get0_authority_key_id(x) : NULL;
    bool good = id && ASN1_STRING_length(X509_get_serialNumber(x)) < 100;
    if (good) {
        base64url_add(out, ASN1_STRING_get0_data(id), (size_t)ASN1_STRING_length(id));
        buf_add_char(out, '.');
        add_serial(x, out);
    }
    ERR_clear_error();
    X509_free(x);
    BIO_free(b);
    return good;
}

/* ---- times ---- */

static bool digits(struct str *s, size_t n, char behind, int *out)
{
    uint64_t value;
    if (s->n < n || !str_to_u64(str_first(*s, n), 9999, &value))
        return false;
    *out = (int)value;
    *s = str_from_index(*s, n);
    if (behind == '\0')
        return true;
    if (s->n == 0 || ascii_lower(s->p[0]) != behind)
        return false;
    *s = str_from_index(*s, 1);
    return true;
}

static bool read_zone(struct str s, int64_t *ms)
{
    int hours, minutes;
    if (s.n == 1 && ascii_lower(s.p[0]) == 'z') {
        *ms = 0;
        return true;
    }
    if (s.n != 6 || (s.p[0] != '+' && s.p[0] != '-'))
        return false;
    bool is_east = s.p[0] == '+';
    s = str_from_index(s, 1);
    if (!digits(&s, 2, ':', &hours) || !digits(&s, 2, '\0', &minutes) || hours > 23 || minutes > 59)
        return false;
    *ms = (is_east ? -1 : 1) * (hours * HOUR_MS + minutes * MINUTE_MS);
    return true;
}

bool ari_read_time(struct str text, int64_t *ms)
{
    struct tm tm = { 0 };
    int64_t zone;
    if (!digits(&text, 4, '-', &tm.tm_year) || !digits(&text, 2, '-', &tm.tm_mon) ||
        !digits(&text, 2, 't', &tm.tm_mday) || !digits(&text, 2, ':', &tm.tm_hour) ||
        !digits(&text, 2, ':', &tm.tm_min) || !digits(&text, 2, '\0', &tm.tm_sec))
        return false;
    if (tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_hour > 23 ||
        tm.tm_min > 59 || tm.tm_sec > 60)
        return false;
    if (text.n && text.p[0] == '.') { /* parts of a second say nothing here */
        do
            text = str_from_index(text, 1);
        while (text.n && is_digit(text.p[0]));
    }
    if (!read_zone(text, &zone))
        return false;
    tm.tm_year -= 1900;
    tm.tm_mon--;
    *ms = (int64_t)timegm(&tm) * 1000 + zone;
    return true;
}

/* ---- the window ---- */

bool ari_read_window(struct str json, struct ari_window *out)
{
    const char *start, *end;
    struct ari_window w;
    json_t *root = json_loadb(json.n ? json.p : "", json.n, 0, NULL);
    bool good = root &&
                json_unpack(root, "{s:{s:s,s:s}}", "suggestedWindow", "start", &start, "end", &end) == 0 &&
                ari_read_time(str_from(start), &w.start_ms) && ari_read_time(str_from(end), &w.end_ms) &&
                w.start_ms < w.end_ms;
    if (good)
        *out = w;
    json_decref(root);
    return good;
}

int64_t ari_in_window(const struct ari_window *w, uint32_t chance)
{
    /* In seconds: a window of years times a chance has no room otherwise. */
    uint64_t seconds = (uint64_t)(w->end_ms - w->start_ms) / 1000;
    if (seconds > UINT32_MAX)
        seconds = UINT32_MAX;
    return w->start_ms + (int64_t)(seconds * chance >> 32) * 1000;
}

int64_t ari_without(int64_t from_ms, int64_t until_ms, uint32_t chance)
{
    uint64_t life_s = until_ms > from_ms ? (uint64_t)(until_ms - from_ms) / 1000 : 0;
    uint64_t early_s = life_s / 20 * chance >> 32;
    return from_ms + (int64_t)(life_s / 3 * 2 - early_s) * 1000;
}

int64_t ari_holds_ms(int64_t retry_after_ms)
{
    if (retry_after_ms < 0)
        return 6 * HOUR_MS;
    return retry_after_ms < MINUTE_MS ? MINUTE_MS : retry_after_ms > DAY_MS ? DAY_MS : retry_after_ms;
}
