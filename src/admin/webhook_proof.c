#include "admin/webhook_proof.h"

#include <stdlib.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "admin/webhook_payload.h"
#include "base/buf.h"
#include "http/sf.h"

#define MAC_MAX 32 /* bytes of a digest */

struct check {
    const struct webhook *w;
    const struct webhook_message *m;
    struct arena *arena;
    struct webhook_proof *out;
    struct str mac; /* the digest that was good, as bytes; empty before */
};

/* ---- what is said ---- */

static bool fail(struct check *c, enum webhook_proof_verdict verdict, struct str said)
{
    c->out->verdict = verdict;
    c->out->said = said;
    return false;
}

static bool malformed(struct check *c, struct str field, const char *form)
{
    return fail(c, WEBHOOK_PROOF_MALFORMED,
                arena_printf(c->arena, "the field %.*s is not written as %.*s writes it: %s", STR_ARG(field),
                             STR_ARG(webhook_sender_name(c->w->sender)), form));
}

static bool wrong(struct check *c, struct str field)
{
    return fail(c, WEBHOOK_PROOF_WRONG,
                arena_printf(c->arena,
                             "the field %.*s does not fit this request and the secret of this webhook; the "
                             "secret is another one, or somebody changed the request on its way",
                             STR_ARG(field)));
}

/* ---- fields ---- */

/* The one value of a field. false: it is not there, or more than once; that is said. */
static bool take_field(struct check *c, struct str name, struct str *out)
{
    const struct fields *f = c->m->fields;
    size_t at = fields_index_of(f, name, 0);
    if (at == f->n || f->v[at].value.n == 0)
        return fail(c, WEBHOOK_PROOF_MISSING,
                    arena_printf(c->arena,
                                 "the field %.*s is missing; %.*s proves by it that a request is its own",
                                 STR_ARG(name), STR_ARG(webhook_sender_name(c->w->sender))));
    if (fields_index_of(f, name, at + 1) < f->n)
        return fail(c, WEBHOOK_PROOF_MALFORMED,
                    arena_printf(c->arena, "the field %.*s is there more than once", STR_ARG(name)));
    *out = f->v[at].value;
    return true;
}

/* The name under which the proof's field came. */
static struct str proof_field(const struct check *c)
{
    const struct webhook_scheme *s = &c->w->scheme;
    const struct fields *f = c->m->fields;
    bool other =
        s->other.n && fields_index_of(f, s->field, 0) == f->n && fields_index_of(f, s->other, 0) < f->n;
    return other ? s->other : s->field;
}

/* ---- digests ---- */

static size_t mac_bytes(enum webhook_digest d)
{
    return d == WEBHOOK_SHA1 ? 20 : 32;
}

static bool read_hex(struct str s, unsigned char *out, size_t bytes)
{
    if (s.n != 2 * bytes)
        return false;
    for (size_t i = 0; i < bytes; i++) {
        int high = ascii_hex_value(s.p[2 * i]), low = ascii_hex_value(s.p[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}

static int base64_value(char c, bool url)
{
    if (!url)
        return sf_base64_bits(c);
    return c == '-' ? 62 : c == '_' ? 63 : c == '+' || c == '/' ? -1 : sf_base64_bits(c);
}

/* Decodes at most `room` bytes. *n is their number. Each value has one spelling. */
static bool read_base64(struct str s, bool url, unsigned char *out, size_t room, size_t *n)
{
    uint32_t bits = 0;
    unsigned held = 0;
    size_t pad = 0;
    *n = 0;
    while (!url && pad < 2 && s.n && s.p[s.n - 1] == '=') {
        s.n--;
        pad++;
    }
    if (s.n % 4 == 1 || (!url && (s.n + pad) % 4 != 0))
        return false;
    for (size_t i = 0; i < s.n; i++) {
        int value = base64_value(s.p[i], url);
        if (value < 0)
            return false;
        bits = bits << 6 | (uint32_t)value;
        held += 6;
        if (held < 8)
            continue;
        held -= 8;
        if (*n == room)
            return false;
        out[(*n)++] = (unsigned char)(bits >> held);
    }
    return (bits & ((1u << held) - 1)) == 0;
}

static bool read_mac(const struct webhook_scheme *s, struct str text, unsigned char out[MAC_MAX])
{
    size_t n = 0, bytes = mac_bytes(s->digest);
    if (s->coding == WEBHOOK_HEX)
        return read_hex(text, out, bytes);
    return read_base64(text, s->coding == WEBHOOK_BASE64URL, out, bytes, &n) && n == bytes;
}

static bool make_mac(struct check *c, struct str key, struct str text, unsigned char out[MAC_MAX])
{
    const EVP_MD *md = c->w->scheme.digest == WEBHOOK_SHA1 ? EVP_sha1() : EVP_sha256();
    unsigned n = 0;
    CHECK(key.n <= WEBHOOK_SECRET_MAX);
    if (HMAC(md, key.p ? key.p : "", (int)key.n, (const unsigned char *)(text.p ? text.p : ""), text.n, out,
             &n) &&
        n == mac_bytes(c->w->scheme.digest))
        return true;
    return fail(c, WEBHOOK_PROOF_FAILED, STR("this machine cannot compute that digest"));
}

/* Is `given`, behind the prefix, the HMAC of `text`? */
static bool check_mac(struct check *c, struct str field, struct str given, struct str text)
{
    const struct webhook_scheme *s = &c->w->scheme;
    unsigned char right[MAC_MAX] = { 0 }, came[MAC_MAX] = { 0 };
    if (s->prefix.n && !str_starts(given, s->prefix))
        return malformed(c, field, "the digest begins otherwise");
    if (!read_mac(s, str_from_index(given, s->prefix.n), came))
        return malformed(c, field, "the digest has another length, or other signs than it can have");
    if (!make_mac(c, c->w->secret, text, right))
        return false;
    bool good = CRYPTO_memcmp(right, came, mac_bytes(s->digest)) == 0;
    OPENSSL_cleanse(right, sizeof(right));
    if (!good)
        return wrong(c, field);
    /* Its bytes, and not how they were spelled: a copy in upper case is a copy. */
    c->mac = arena_dup(c->arena, (struct str){ (const char *)came, mac_bytes(s->digest) });
    return true;
}

/* ---- times ---- */

/* Is a signed time near ours? */
static bool check_time(struct check *c, struct str field, uint64_t wall_ms)
{
    int64_t window = c->w->window_ms, now = c->m->now_wall_ms;
    int64_t then = wall_ms > INT64_MAX / 2 ? INT64_MAX / 2 : (int64_t)wall_ms;
    int64_t apart = then > now ? then - now : now - then;
    if (window == 0 || apart <= window)
        return true;
    return fail(
        c, WEBHOOK_PROOF_LATE,
        arena_printf(c->arena,
                     "the time in the field %.*s is more than %llu seconds away from this machine's; an "
                     "old request was sent again, or one of the clocks is wrong",
                     STR_ARG(field), (unsigned long long)(window / 1000)));
}

static bool read_time(struct check *c, struct str field, struct str text, uint64_t *out)
{
    return str_to_u64(text, INT64_MAX / 2000, out) ||
           malformed(c, field, "its time is not a number of milliseconds or seconds since 1970");
}

/* ---- the senders ---- */

static bool check_body(struct check *c)
{
    struct str field = proof_field(c), given, delivery;
    const struct str id = c->w->scheme.delivery;
    if (!take_field(c, field, &given) || !check_mac(c, field, given, c->m->body))
        return false;
    /* The id is not signed: beside the proof it only tells copies from each other. */
    delivery = id.n ? fields_joined_by_name(c->m->fields, id, c->arena) : STR_NONE;
    if (delivery.n)
        c->out->delivery = ARENA_JOIN(c->arena, delivery, STR("\n"), c->mac);
    return true;
}

/* "t=<ms>,v1=<digest>", with commas and spaces between them. */
static bool check_sanity(struct check *c)
{
    static const char form[] = "t=TIME,v1=DIGEST";
    struct str field = c->w->scheme.field, given;
    uint64_t t;
    if (!take_field(c, field, &given))
        return false;
    if (!str_starts(given, STR("t=")))
        return malformed(c, field, form);
    size_t end = 2;
    while (end < given.n && is_digit(given.p[end]))
        end++;
    struct str time = str_from_index(str_first(given, end), 2), rest = str_from_index(given, end);
    while (rest.n && (rest.p[0] == ',' || rest.p[0] == ' '))
        rest = str_from_index(rest, 1);
    if (rest.p == given.p + end || !str_starts(rest, STR("v1=")))
        return malformed(c, field, form);
    if (!read_time(c, field, time, &t))
        return false;
    struct str text = ARENA_JOIN(c->arena, time, STR("."), c->m->body);
    bool good = check_mac(c, field, str_from_index(rest, 3), text) && check_time(c, field, t);
    c->out->delivery = c->mac;
    return good;
}

/* "sha256=<digest>, t=<ms>"; the time follows the body without anything between them. */
static bool check_ghost(struct check *c)
{
    static const char form[] = "sha256=DIGEST, t=TIME";
    struct str field = c->w->scheme.field, rest, mac;
    uint64_t t;
    if (!take_field(c, field, &rest))
        return false;
    mac = str_trim(str_cut(&rest, ','));
    rest = str_trim(rest);
    if (!str_starts(mac, STR("sha256=")) || !str_starts(rest, STR("t=")))
        return malformed(c, field, form);
    struct str time = str_from_index(rest, 2);
    if (!read_time(c, field, time, &t))
        return false;
    bool good = check_mac(c, field, str_from_index(mac, 7), ARENA_JOIN(c->arena, c->m->body, time)) &&
                check_time(c, field, t);
    c->out->delivery = c->mac;
    return good;
}

/* As JSON.stringify writes a string (ECMA-262, QuoteJSONString). `s` is UTF-8. */
static void stringify(struct buf *b, struct str s)
{
    static const char letters[] = "btn\0fr"; /* of 0x08 to 0x0d */
    buf_add_char(b, '"');
    for (size_t i = 0; i < s.n; i++) {
        unsigned char u = (unsigned char)s.p[i];
        if (u == '"' || u == '\\')
            buf_printf(b, "\\%c", u);
        else if (u >= 0x08 && u <= 0x0d && u != 0x0b)
            buf_printf(b, "\\%c", letters[u - 0x08]);
        else if (u < 0x20)
            buf_printf(b, "\\u%04x", u);
        else
            buf_add_char(b, (char)u);
    }
    buf_add_char(b, '"');
}

/* "sign=<digest>, env=<name>, t=<ms>", over {"Body":…,"EnvironmentName":…,"TimeStamp":…}. */
static bool check_hygraph(struct check *c)
{
    static const char form[] = "sign=DIGEST, env=NAME, t=TIME";
    struct str field = c->w->scheme.field, given;
    uint64_t t;
    if (!take_field(c, field, &given))
        return false;
    struct str rest = given, sign = str_trim(str_cut(&rest, ',')), env = str_trim(str_cut(&rest, ',')),
               time = str_trim(rest);
    if (!str_starts(sign, STR("sign=")) || !str_starts(env, STR("env=")) || !str_starts(time, STR("t=")))
        return malformed(c, field, form);
    if (!read_time(c, field, str_from_index(time, 2), &t))
        return false;
    if (!str_is_utf8(c->m->body) || !str_is_utf8(env))
        return malformed(c, field, "the body is not UTF-8");
    struct buf b = BUF_INIT;
    buf_add(&b, STR("{\"Body\":"));
    stringify(&b, c->m->body);
    buf_add(&b, STR(",\"EnvironmentName\":"));
    stringify(&b, str_from_index(env, 4));
    buf_printf(&b, ",\"TimeStamp\":%llu}", (unsigned long long)t);
    bool good = check_mac(c, field, str_from_index(sign, 5), buf_str(&b)) && check_time(c, field, t);
    buf_fini(&b);
    c->out->delivery = c->mac;
    return good;
}

/* Standard Webhooks: the HMAC of "ID.TIME.BODY" under the decoded secret; several digests are possible. */
static bool check_standard(struct check *c)
{
    struct str field = proof_field(c), given, id, time;
    bool svix = str_eq(field, c->w->scheme.other);
    struct str id_field = svix ? STR("svix-id") : STR("webhook-id"),
               time_field = svix ? STR("svix-timestamp") : STR("webhook-timestamp");
    uint64_t t;
    if (!take_field(c, field, &given) || !take_field(c, id_field, &id) || !take_field(c, time_field, &time) ||
        !read_time(c, time_field, time, &t))
        return false;
    struct str key = c->w->secret;
    if (str_starts(key, STR("whsec_")))
        key = str_from_index(key, 6);
    unsigned char *decoded = arena_alloc(c->arena, WEBHOOK_SECRET_MAX), right[MAC_MAX], came[MAC_MAX];
    size_t n = 0;
    CHECK(read_base64(key, false, decoded, WEBHOOK_SECRET_MAX, &n));
    struct str text = ARENA_JOIN(c->arena, id, STR("."), time, STR("."), c->m->body);
    bool made = make_mac(c, (struct str){ (char *)decoded, n }, text, right), any = false, good = false;
    OPENSSL_cleanse(decoded, n);
    if (!made)
        return false;
    for (unsigned i = 0; i < 16 && given.p; i++) {
        struct str one = str_cut(&given, ' ');
        if (!str_starts(one, STR("v1,")) || !read_mac(&c->w->scheme, str_from_index(one, 3), came))
            continue;
        any = true;
        good |= CRYPTO_memcmp(right, came, sizeof(right)) == 0;
    }
    if (!any)
        return malformed(c, field, "v1,DIGEST");
    c->out->delivery = id;
    return (good || wrong(c, field)) && check_time(c, time_field, t * 1000);
}

/* ---- Contentful ---- */

/* Letters, digits and what is in `kept` stay. */
static void add_escaped(struct buf *b, struct str s, struct str kept)
{
    for (size_t i = 0; i < s.n; i++) {
        char ch = s.p[i];
        if (is_alpha(ch) || is_digit(ch) || str_index(kept, ch) < kept.n)
            buf_add_char(b, ch);
        else
            buf_printf(b, "%%%02X", (unsigned char)ch);
    }
}

/* As encodeURI writes it (ECMA-262). */
static void encode_uri(struct buf *b, struct str s)
{
    add_escaped(b, s, STR(";/?:@&=+$,#-_.!~*'()"));
}

/* As node's querystring.escape writes it. */
static void escape_query(struct buf *b, struct str s)
{
    add_escaped(b, s, STR("!'()*-._~"));
}

/* The path, and behind a "?" the query, which is escaped twice, up to a second "?". */
static void add_contentful_path(struct buf *b, struct str target)
{
    struct str rest = target, path = str_cut(&rest, '?'), query = str_cut(&rest, '?');
    encode_uri(b, path);
    if (query.n == 0)
        return;
    struct buf once = BUF_INIT;
    escape_query(&once, query);
    buf_add_char(b, '?');
    encode_uri(b, buf_str(&once));
    buf_fini(&once);
}

#define SIGNED_FIELDS_MAX 50

static int compare_names(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* The lower-case names of the signed fields that the request has, sorted, each once. */
static bool contentful_names(struct check *c, struct str list, struct str out[SIGNED_FIELDS_MAX], size_t *n)
{
    static const struct str field = STR_INIT("x-contentful-signed-headers");
    bool has_list = false, has_time = false;
    size_t kept = 0;
    *n = 0;
    while (list.p) {
        struct str name = arena_dup_lower(c->arena, str_trim(str_cut(&list, ',')));
        if (*n == SIGNED_FIELDS_MAX || !is_token(name))
            return malformed(c, field, "a list of names, at most 50");
        has_list |= str_eq(name, field);
        has_time |= str_eq(name, STR("x-contentful-timestamp"));
        if (fields_index_of(c->m->fields, name, 0) < c->m->fields->n)
            out[(*n)++] = name;
    }
    if (!has_list || !has_time)
        return malformed(c, field, "it names itself and x-contentful-timestamp");
    qsort(out, *n, sizeof(*out), compare_names);
    for (size_t i = 0; i < *n; i++)
        if (i == 0 || !str_eq(out[i], out[kept - 1]))
            out[kept++] = out[i];
    *n = kept;
    return true;
}

/* "METHOD\nPATH\nname:value;name:value\nBODY". The list of names counts as if it had come sorted. */
static bool contentful_text(struct check *c, struct str list, struct buf *b)
{
    struct str names[SIGNED_FIELDS_MAX];
    size_t n;
    if (!contentful_names(c, list, names, &n))
        return false;
    buf_add(b, c->m->method);
    buf_add_char(b, '\n');
    add_contentful_path(b, c->m->target);
    for (size_t i = 0; i < n; i++) {
        buf_printf(b, "%s%.*s:", i ? ";" : "\n", STR_ARG(names[i]));
        if (!str_eq(names[i], STR("x-contentful-signed-headers"))) {
            buf_add(b, fields_joined_by_name(c->m->fields, names[i], c->arena));
            continue;
        }
        for (size_t k = 0; k < n; k++)
            buf_printf(b, "%s%.*s", k ? "," : "", STR_ARG(names[k]));
    }
    buf_add_char(b, '\n');
    buf_add(b, c->m->body);
    return true;
}

static bool check_contentful(struct check *c)
{
    static const struct str list_field = STR_INIT("x-contentful-signed-headers"),
                            time_field = STR_INIT("x-contentful-timestamp");
    struct str field = c->w->scheme.field, given, list, time;
    uint64_t t;
    if (!take_field(c, field, &given) || !take_field(c, list_field, &list) ||
        !take_field(c, time_field, &time) || !read_time(c, time_field, time, &t))
        return false;
    struct buf b = BUF_INIT;
    bool good = contentful_text(c, list, &b) && check_mac(c, field, given, buf_str(&b)) &&
                check_time(c, time_field, t);
    buf_fini(&b);
    c->out->delivery = c->mac;
    return good;
}

/* ---- secrets that are sent ---- */

/* The secret itself, or "Bearer SECRET", or "Basic " with the secret, which is USER:PASSWORD, in base64. */
static bool check_secret(struct check *c)
{
    struct str field = c->w->scheme.field, given;
    if (!take_field(c, field, &given))
        return false;
    unsigned char *decoded = arena_alloc(c->arena, given.n + 1);
    size_t n = 0;
    if (c->w->scheme.prefix.n) {
        if (!str_starts(given, c->w->scheme.prefix))
            return malformed(c, field, "the secret stands behind a prefix");
        given = str_from_index(given, c->w->scheme.prefix.n);
    } else if (str_eq_nocase(field, STR("Authorization")) && str_starts_nocase(given, STR("Bearer "))) {
        given = str_trim(str_from_index(given, 7));
    } else if (str_eq_nocase(field, STR("Authorization")) && str_starts_nocase(given, STR("Basic "))) {
        if (!read_base64(str_trim(str_from_index(given, 6)), false, decoded, given.n, &n))
            return malformed(c, field, "USER:PASSWORD in base64");
        given = (struct str){ (char *)decoded, n };
    }
    return str_eq_secret(given, c->w->secret) || wrong(c, field);
}

static bool check_member(struct check *c)
{
    struct str name = c->w->scheme.field;
    struct webhook_text text;
    webhook_payload_at(c->m->parsed, name, c->arena, &text);
    if (text.missing)
        return fail(c, WEBHOOK_PROOF_MISSING,
                    arena_printf(c->arena, "the payload's member %.*s, which is the secret, %s",
                                 STR_ARG(name), text.missing));
    return str_eq_secret(text.value, c->w->secret) ||
           fail(c, WEBHOOK_PROOF_WRONG,
                arena_printf(c->arena, "the payload's member %.*s is not the secret of this webhook",
                             STR_ARG(name)));
}

/* ---- all of them ---- */

void webhook_proof_check(const struct webhook *w, const struct webhook_message *m, struct arena *a,
                         struct webhook_proof *out)
{
    static bool (*const checks[])(struct check *) = {
        [WEBHOOK_BODY] = check_body,       [WEBHOOK_CONTENTFUL] = check_contentful,
        [WEBHOOK_SANITY] = check_sanity,   [WEBHOOK_GHOST] = check_ghost,
        [WEBHOOK_HYGRAPH] = check_hygraph, [WEBHOOK_STANDARD] = check_standard,
        [WEBHOOK_SECRET] = check_secret,   [WEBHOOK_MEMBER] = check_member,
    };
    struct check c = { .w = w, .m = m, .arena = a, .out = out };
    CHECK(w->secret.n > 0 && (w->scheme.how == WEBHOOK_MEMBER) == (m->parsed != NULL));
    *out = (struct webhook_proof){ .verdict = WEBHOOK_PROOF_GOOD };
    bool good = checks[w->scheme.how](&c);
    CHECK(good == (out->verdict == WEBHOOK_PROOF_GOOD) && good == (out->said.n == 0));
    if (!good)
        out->delivery = STR_NONE;
}

const char *webhook_proof_secret(const struct webhook_scheme *s, struct str secret, struct arena *a)
{
    size_t n = 0;
    if (secret.n == 0)
        return "is empty";
    if (secret.n > WEBHOOK_SECRET_MAX)
        return "is longer than 1024 bytes";
    if (s->how != WEBHOOK_STANDARD)
        return NULL;
    if (str_starts(secret, STR("whsec_")))
        secret = str_from_index(secret, 6);
    return read_base64(secret, false, arena_alloc(a, secret.n + 1), secret.n, &n) && n
               ? NULL
               : "is not whsec_ and base64, as Standard Webhooks has it";
}
