#include "conf/offer.h"

#include <string.h>

/* ---- numbers ---- */

struct unit {
    enum setting_type type;
    struct str name;
    int64_t size;
};

/* As people write them, in any case. */
static const struct unit units[] = {
    { TYPE_BYTES, STR_INIT("b"), 1 },
    { TYPE_BYTES, STR_INIT("byte"), 1 },
    { TYPE_BYTES, STR_INIT("bytes"), 1 },
    { TYPE_BYTES, STR_INIT("k"), 1 << 10 },
    { TYPE_BYTES, STR_INIT("kb"), 1 << 10 },
    { TYPE_BYTES, STR_INIT("kib"), 1 << 10 },
    { TYPE_BYTES, STR_INIT("ki"), 1 << 10 },
    { TYPE_BYTES, STR_INIT("m"), 1 << 20 },
    { TYPE_BYTES, STR_INIT("mb"), 1 << 20 },
    { TYPE_BYTES, STR_INIT("mib"), 1 << 20 },
    { TYPE_BYTES, STR_INIT("mi"), 1 << 20 },
    { TYPE_BYTES, STR_INIT("g"), 1 << 30 },
    { TYPE_BYTES, STR_INIT("gb"), 1 << 30 },
    { TYPE_BYTES, STR_INIT("gib"), 1 << 30 },
    { TYPE_BYTES, STR_INIT("gi"), 1 << 30 },
    { TYPE_BYTES, STR_INIT("t"), (int64_t)1 << 40 },
    { TYPE_BYTES, STR_INIT("tb"), (int64_t)1 << 40 },
    { TYPE_BYTES, STR_INIT("tib"), (int64_t)1 << 40 },
    { TYPE_TIME, STR_INIT("ms"), 1 },
    { TYPE_TIME, STR_INIT("msec"), 1 },
    { TYPE_TIME, STR_INIT("millis"), 1 },
    { TYPE_TIME, STR_INIT("s"), 1000 },
    { TYPE_TIME, STR_INIT("sec"), 1000 },
    { TYPE_TIME, STR_INIT("secs"), 1000 },
    { TYPE_TIME, STR_INIT("second"), 1000 },
    { TYPE_TIME, STR_INIT("seconds"), 1000 },
    { TYPE_TIME, STR_INIT("m"), 60000 },
    { TYPE_TIME, STR_INIT("min"), 60000 },
    { TYPE_TIME, STR_INIT("mins"), 60000 },
    { TYPE_TIME, STR_INIT("minute"), 60000 },
    { TYPE_TIME, STR_INIT("minutes"), 60000 },
    { TYPE_TIME, STR_INIT("h"), 3600000 },
    { TYPE_TIME, STR_INIT("hr"), 3600000 },
    { TYPE_TIME, STR_INIT("hour"), 3600000 },
    { TYPE_TIME, STR_INIT("hours"), 3600000 },
    { TYPE_TIME, STR_INIT("d"), 86400000 },
    { TYPE_TIME, STR_INIT("day"), 86400000 },
    { TYPE_TIME, STR_INIT("days"), 86400000 },
    { TYPE_COUNT, STR_INIT(""), 1 },
    { TYPE_COUNT, STR_INIT("k"), 1000 },
    { TYPE_COUNT, STR_INIT("m"), 1000000 },
};

static int64_t size_of_unit(enum setting_type type, struct str name)
{
    for (size_t i = 0; i < COUNT_OF(units); i++)
        if (units[i].type == type && str_eq_nocase(units[i].name, name))
            return units[i].size;
    return 0;
}

/* Three digits follow the comma of "1,024"; any other comma is a decimal one. */
static bool is_decimal(struct str s, size_t comma)
{
    size_t i = comma + 1;
    while (i < s.n && is_digit(s.p[i]))
        i++;
    return i - comma - 1 != 3;
}

/* "1", "1.5", "1,5", "1,024", "1_024" in thousandths. false: not that, or more than anybody means. */
static bool take_thousandths(struct str *s, int64_t *out)
{
    size_t i = 0, decimals = 0;
    bool digits = false, point = false;
    int64_t n = 0;
    for (; i < s->n; i++) {
        char c = s->p[i];
        if (!point && (c == '.' || (c == ',' && digits && is_decimal(*s, i)))) {
            point = true;
        } else if (is_digit(c) && decimals < 3) {
            if (n > INT64_MAX / 100000)
                return false;
            n = 10 * n + (c - '0');
            decimals += point;
            digits = true;
        } else if (!is_digit(c) && !((c == ',' || c == '_' || c == '\'') && digits && !point)) {
            break;
        }
    }
    for (; decimals < 3; decimals++)
        n *= 10;
    *s = str_from_index(*s, i);
    *out = n;
    return digits;
}

static struct str take_word(struct str *s)
{
    size_t from = 0, to;
    while (from < s->n && (s->p[from] == ' ' || s->p[from] == '-'))
        from++;
    for (to = from; to < s->n && is_alpha(s->p[to]);)
        to++;
    struct str word = str_first(str_from_index(*s, from), to - from);
    while (to < s->n && s->p[to] == ' ')
        to++;
    *s = str_from_index(*s, to);
    return word;
}

/* A number without a unit that is out of range as it is: the unit that others would take it for. */
static int64_t size_of_none(const struct setting *s, int64_t thousandths)
{
    if (s->type == TYPE_COUNT)
        return 1;
    if (s->type == TYPE_BYTES)
        return thousandths < s->least * 1000 ? 1 << 20 : 1;
    return thousandths > s->most ? 1 : 1000;
}

static bool add_amount(int64_t *sum, int64_t thousandths, int64_t size)
{
    int64_t whole = thousandths / 1000, part = thousandths % 1000, amount;
    return (size > 1 || part == 0) && !__builtin_mul_overflow(whole, size, &amount) &&
           !__builtin_add_overflow(amount, size / 1000 * part + size % 1000 * part / 1000, &amount) &&
           !__builtin_add_overflow(*sum, amount, sum);
}

struct str offer_number(const struct setting *s, struct str text, struct arena *a)
{
    struct str rest = str_trim(text);
    int64_t sum = 0, thousandths;
    for (int parts = 0; rest.n; parts++) {
        if (!take_thousandths(&rest, &thousandths))
            return STR_NONE;
        struct str word = take_word(&rest);
        bool alone = word.n == 0 && rest.n == 0 && parts == 0;
        int64_t size = alone ? size_of_none(s, thousandths) : size_of_unit(s->type, word);
        if (size == 0 || !add_amount(&sum, thousandths, size))
            return STR_NONE;
    }
    if (text.n == 0 || sum < s->least || sum > s->most)
        return STR_NONE;
    struct buf b = BUF_INIT;
    setting_write_number(s->type, sum, &b);
    struct str out = arena_dup(a, buf_str(&b));
    buf_fini(&b);
    return str_eq(out, text) ? STR_NONE : out;
}

/* ---- texts ---- */

static struct str without_scheme(struct str s)
{
    static const struct str schemes[] = { STR_INIT("http://"), STR_INIT("https://"), STR_INIT("tcp://"),
                                          STR_INIT("http:"), STR_INIT("//") };
    for (size_t i = 0; i < COUNT_OF(schemes); i++)
        if (str_starts_nocase(s, schemes[i]))
            return str_from_index(s, schemes[i].n);
    return s;
}

static struct str without_path(struct str s)
{
    return str_first(s, str_index(s, '/'));
}

static bool is_number(struct str s)
{
    uint64_t n;
    return str_to_u64(s, UINT16_MAX, &n);
}

/* "unix:///path", "unix:path", "/path". Empty: it is no path. */
static struct str local_offer(struct str s, struct arena *a)
{
    bool named = str_starts_nocase(s, STR("unix:"));
    if (named)
        s = str_from_index(s, 5);
    while (named && str_starts(s, STR("//")))
        s = str_from_index(s, 1);
    bool is_path = str_starts(s, STR("/")) && !str_starts(s, STR("//"));
    return is_path ? ARENA_JOIN(a, STR("unix:"), s) : STR_NONE;
}

/* Of an IPv6 address without brackets: "::1" is one alone, "::1:80" may be one, but is meant to have a
 * port. */
static struct str v6_offer(struct str s, struct str port, struct arena *a)
{
    size_t last = s.n;
    while (s.p[last - 1] != ':')
        last--;
    struct str with_port =
        ARENA_JOIN(a, STR("["), str_first(s, last - 1), STR("]:"), str_from_index(s, last));
    return form_check(FORM_ADDRESS, with_port) ? ARENA_JOIN(a, STR("["), s, STR("]:"), port) : with_port;
}

static struct str address_offer(struct str s, struct str port, struct arena *a)
{
    struct str local = local_offer(s, a);
    if (local.n || str_starts_nocase(s, STR("unix:")))
        return local;
    s = without_path(without_scheme(s));
    if (s.n && is_number(s))
        return s;
    size_t colon = str_index(s, ':');
    struct str host = str_first(s, colon), rest = str_from_index(s, colon + 1);
    if (s.n && s.p[0] != '[' && colon < s.n && str_index(rest, ':') < rest.n)
        return v6_offer(s, port, a);
    if (s.n && s.p[0] == '[')
        return ARENA_JOIN(a, s, STR(":"), port);
    if (str_eq_nocase(host, STR("localhost")))
        host = STR("127.0.0.1");
    else if (str_eq(host, STR("*")))
        host = STR("");
    return ARENA_JOIN(a, host, STR(":"), colon < s.n ? rest : port);
}

static struct str origin_offer(struct str s, struct arena *a)
{
    struct str local = local_offer(s, a);
    if (local.n || str_starts_nocase(s, STR("unix:")))
        return local;
    bool with_tls = str_starts_nocase(s, STR("https:"));
    s = without_path(without_scheme(s));
    if (with_tls)
        return ARENA_JOIN(a, STR("https://"), s);
    if (str_starts(s, STR(":")) && is_number(str_from_index(s, 1)))
        s = str_from_index(s, 1);
    if (s.n && is_number(s))
        return ARENA_JOIN(a, STR("http://127.0.0.1:"), s);
    return ARENA_JOIN(a, STR("http://"), s);
}

static struct str hosts_offer(struct str s, struct arena *a)
{
    s = without_path(without_scheme(s));
    if (s.n && s.p[0] != '[')
        s = str_first(s, str_index(s, ':'));
    if (s.n > 1 && s.p[0] == '*' && s.p[1] != '.')
        return ARENA_JOIN(a, STR("*."), str_from_index(s, 1));
    return s;
}

static struct str network_offer(struct str s)
{
    if (str_starts_nocase(s, STR("unix")))
        return STR("unix");
    if (str_eq_nocase(s, STR("localhost")))
        return STR("127.0.0.1");
    if (s.n > 2 && s.p[0] == '[' && s.p[s.n - 1] == ']')
        return (struct str){ s.p + 1, s.n - 2 };
    return STR_NONE;
}

/* Without what belongs to a query or a field and not to a name. */
static struct str bare_name(struct str s)
{
    while (s.n && (s.p[0] == '?' || s.p[0] == '&'))
        s = str_from_index(s, 1);
    return str_trim(
        str_first(s, str_index(s, '=') < str_index(s, ':') ? str_index(s, '=') : str_index(s, ':')));
}

static struct str port_of(struct str like)
{
    size_t colon = str_index(like, ':');
    return colon < like.n ? str_from_index(like, colon + 1) : STR_NONE;
}

static struct str guess(enum text_form form, struct str s, struct str like, struct arena *a)
{
    switch (form) {
    case FORM_ADDRESS:
    case FORM_DOOR: return address_offer(s, port_of(like), a);
    case FORM_NETWORK: return network_offer(s);
    case FORM_HOSTS: return hosts_offer(s, a);
    case FORM_HOST: return without_path(without_scheme(s));
    case FORM_ORIGIN:
    case FORM_ORIGINS: return origin_offer(s, a);
    case FORM_SERVER: return hosts_offer(s, a);
    case FORM_FIELD:
    case FORM_PARAM:
    case FORM_COOKIE: return bare_name(s);
    case FORM_ANY:
    case FORM_HEADER:
    case FORM_TAG_HEADER:
    case FORM_FOLDER:
    case FORM_MEDIA_TYPE:
    case FORM_PATH:
    case FORM_URL_PATH:
    case FORM_USER:
    case FORM_EMAIL:
    case FORM_DIRECTORY:
    case FORM_SECRET: break;
    }
    return STR_NONE;
}

struct str offer_text(enum text_form form, struct str text, struct str like, struct arena *a)
{
    struct str s = guess(form, str_trim(text), like, a);
    return s.n && !form_check(form, s) && !str_eq(s, text) ? s : STR_NONE;
}

/* ---- variables ---- */

static bool has_braces(struct str s)
{
    const char *from = s.n ? memmem(s.p, s.n, "${", 2) : NULL;
    return from && memchr(from, '}', (size_t)(s.p + s.n - from));
}

static bool is_name_after_dollar(struct str s)
{
    if (s.n < 2 || s.p[0] != '$')
        return false;
    for (size_t i = 1; i < s.n; i++)
        if (!is_alpha(s.p[i]) && s.p[i] != '_' && !(i > 1 && is_digit(s.p[i])))
            return false;
    return true;
}

bool offer_is_variable(enum text_form form, struct str text)
{
    if (has_braces(text))
        return true;
    return form == FORM_SECRET &&
           (is_name_after_dollar(text) || (str_starts(text, STR("{{")) && str_ends(text, STR("}}"))));
}
