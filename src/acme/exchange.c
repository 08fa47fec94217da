#include "acme/exchange.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define CONNECT_MS 20000L
#define ANSWER_MS  60000L
#define LOOK_MS    1000
#define FIELD_MAX  1024

/* ---- what comes ---- */

static size_t on_body(char *p, size_t one, size_t n, void *arg)
{
    struct exchange_reply *r = arg;
    (void)one;
    r->too_large = r->too_large || r->body.n + n > EXCHANGE_BODY_MAX;
    if (r->too_large)
        return 0;
    buf_add(&r->body, (struct str){ p, n });
    return n;
}

static size_t on_field(char *p, size_t one, size_t n, void *arg)
{
    struct exchange_reply *r = arg;
    struct str value = { p, n }, name = str_cut(&value, ':');
    (void)one;
    struct buf *to = str_eq_nocase(name, STR("replay-nonce"))  ? &r->nonce
                     : str_eq_nocase(name, STR("location"))    ? &r->location
                     : str_eq_nocase(name, STR("retry-after")) ? &r->retry_after
                                                               : NULL;
    while (value.n && (value.p[value.n - 1] == '\n' || value.p[value.n - 1] == '\r'))
        value.n--;
    value = str_trim(value);
    if (to && value.n <= FIELD_MAX) {
        buf_clear(to);
        buf_add(to, value);
    }
    return n;
}

static void clear(struct exchange_reply *r)
{
    r->status = 0;
    r->too_large = false;
    buf_clear(&r->body);
    buf_clear(&r->nonce);
    buf_clear(&r->location);
    buf_clear(&r->retry_after);
}

void exchange_reply_fini(struct exchange_reply *r)
{
    buf_fini(&r->body);
    buf_fini(&r->nonce);
    buf_fini(&r->location);
    buf_fini(&r->retry_after);
}

/* ---- asking ---- */

/* Test builds: another time for an answer, from FRESHET_TEST_ANSWER_MS. */
static long answer_ms(void)
{
    long ms = ANSWER_MS;
#ifdef FRESHET_CONTROL
    const char *other = getenv("FRESHET_TEST_ANSWER_MS");
    uint64_t n;
    if (other && str_to_u64(str_from(other), 600000, &n))
        ms = (long)n;
#endif
    return ms;
}

static bool set_options(struct exchange *e)
{
    const struct libcurl *l = e->curl;
    CURL *c = e->easy;
    return l->easy_setopt(c, CURLOPT_PROTOCOLS_STR, "https") == CURLE_OK &&
           l->easy_setopt(c, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           l->easy_setopt(c, CURLOPT_PROXY, "") == CURLE_OK &&
           l->easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK &&
           l->easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) == CURLE_OK &&
           l->easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS) == CURLE_OK &&
           l->easy_setopt(c, CURLOPT_TIMEOUT_MS, answer_ms()) == CURLE_OK &&
           /* A name server that is silent does not hold up the end of the process. */
           l->easy_setopt(c, CURLOPT_QUICK_EXIT, 1L) == CURLE_OK &&
           l->easy_setopt(c, CURLOPT_USERAGENT, "freshet/" FRESHET_VERSION) == CURLE_OK &&
           l->easy_setopt(c, CURLOPT_HTTPHEADER, e->fields) == CURLE_OK &&
           l->easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
           l->easy_setopt(c, CURLOPT_HEADERFUNCTION, on_field) == CURLE_OK;
}

bool exchange_init(struct exchange *e)
{
    *e = (struct exchange){ .multi = NULL };
    lock_init(&e->lock);
    e->curl = libcurl_open();
    if (!e->curl)
        return false;
    e->multi = e->curl->multi_init();
    e->easy = e->curl->easy_init();
    e->fields = e->curl->slist_append(NULL, "Content-Type: application/jose+json");
    struct curl_slist *more = e->fields ? e->curl->slist_append(e->fields, "Expect:") : NULL;
    if (e->multi && e->easy && more && set_options(e))
        return true;
    exchange_fini(e);
    return false;
}

bool exchange_set_ca(struct exchange *e, const char *file)
{
    e->curl->easy_reset(e->easy);
    return set_options(e) && (!file || (e->curl->easy_setopt(e->easy, CURLOPT_CAINFO, file) == CURLE_OK &&
                                        e->curl->easy_setopt(e->easy, CURLOPT_CAPATH, NULL) == CURLE_OK));
}

void exchange_fini(struct exchange *e)
{
    if (e->easy)
        e->curl->easy_cleanup(e->easy);
    if (e->multi)
        e->curl->multi_cleanup(e->multi);
    e->curl->slist_free_all(e->fields);
    lock_fini(&e->lock);
}

/* Until it is done, or somebody ends it. */
static CURLcode transfer(struct exchange *e)
{
    int running = 1, left;
    while (running && !atomic_load(&e->stopped)) {
        if (e->curl->multi_perform(e->multi, &running) != CURLM_OK)
            return CURLE_FAILED_INIT;
        if (running && e->curl->multi_poll(e->multi, NULL, 0, LOOK_MS, NULL) != CURLM_OK)
            return CURLE_FAILED_INIT;
    }
    CURLMsg *m = running ? NULL : e->curl->multi_info_read(e->multi, &left);
    return m && m->msg == CURLMSG_DONE ? m->data.result : CURLE_ABORTED_BY_CALLBACK;
}

static bool set_request(const struct exchange *e, const char *method, const char *url, struct str body)
{
    const struct libcurl *l = e->curl;
    CURL *c = e->easy;
    bool is_post = strcmp(method, "POST") == 0;
    return l->easy_setopt(c, CURLOPT_URL, url) == CURLE_OK &&
           l->easy_setopt(c, CURLOPT_HTTPGET, 1L) == CURLE_OK &&
           (strcmp(method, "HEAD") != 0 || l->easy_setopt(c, CURLOPT_NOBODY, 1L) == CURLE_OK) &&
           (!is_post || (l->easy_setopt(c, CURLOPT_POSTFIELDSIZE, (long)body.n) == CURLE_OK &&
                         l->easy_setopt(c, CURLOPT_COPYPOSTFIELDS, body.p) == CURLE_OK));
}

static void explain(const struct libcurl *curl, struct str url, const struct exchange_reply *r, CURLcode code,
                    const char *more, struct buf *why)
{
    struct str host = url;
    if (str_starts(host, STR("https://")))
        host = str_from_index(host, 8);
    host = str_first(host, str_index(host, '/'));
    if (r->too_large)
        buf_printf(why, "the answer of %.*s has more than a megabyte", STR_ARG(host));
    else if (code == CURLE_UNSUPPORTED_PROTOCOL)
        buf_printf(why, "\"%.*s\" is no URL that begins with https://", STR_ARG(url));
    else
        buf_printf(why, "cannot ask %.*s: %s", STR_ARG(host), more[0] ? more : curl->easy_strerror(code));
}

bool exchange_ask(struct exchange *e, const char *method, struct str url, struct str body,
                  struct exchange_reply *reply, struct buf *why)
{
    char text[EXCHANGE_URL_MAX + 1], more[CURL_ERROR_SIZE] = "";
    CURLcode code = CURLE_URL_MALFORMAT;
    long status = 0;
    clear(reply);
    if (str_to_c(url, text, sizeof(text)) && set_request(e, method, text, body) &&
        e->curl->easy_setopt(e->easy, CURLOPT_WRITEDATA, reply) == CURLE_OK &&
        e->curl->easy_setopt(e->easy, CURLOPT_HEADERDATA, reply) == CURLE_OK &&
        e->curl->easy_setopt(e->easy, CURLOPT_ERRORBUFFER, more) == CURLE_OK &&
        e->curl->multi_add_handle(e->multi, e->easy) == CURLM_OK) {
        code = transfer(e);
        (void)e->curl->multi_remove_handle(e->multi, e->easy);
        (void)e->curl->easy_getinfo(e->easy, CURLINFO_RESPONSE_CODE, &status);
    }
    (void)e->curl->easy_setopt(e->easy, CURLOPT_ERRORBUFFER, NULL);
    reply->status = (int)status;
    if (code == CURLE_OK && status > 0)
        return true;
    explain(e->curl, url, reply, code, more, why);
    return false;
}

/* They are those of `multi`. */
void exchange_rest(struct exchange *e)
{
    CURLM *next = e->curl->multi_init(), *before = e->multi;
    if (!next)
        return;
    lock_take(&e->lock);
    e->multi = next;
    lock_give(&e->lock);
    e->curl->multi_cleanup(before);
}

void exchange_stop(struct exchange *e)
{
    atomic_store(&e->stopped, true);
    lock_take(&e->lock);
    (void)e->curl->multi_wakeup(e->multi);
    lock_give(&e->lock);
}
