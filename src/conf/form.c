#include "conf/form.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/un.h>

#include "base/check.h"
#include "http/cookie_names.h"
#include "http/field.h"

#define HOST_BYTES_MAX  253 /* of a name in DNS */
#define LABEL_BYTES_MAX 63
#define LOCAL_BYTES_MAX (sizeof(((struct sockaddr_un *)0)->sun_path) - 1)
#define SITE_BYTES_MAX  128
#define USER_BYTES_MAX  128

/* ---- addresses ---- */

static bool is_ip(int family, struct str s)
{
    char text[INET6_ADDRSTRLEN];
    unsigned char bytes[sizeof(struct in6_addr)];
    return str_to_c(s, text, sizeof(text)) && inet_pton(family, text, bytes) == 1;
}

static bool is_port(struct str s, uint16_t least, uint16_t *out)
{
    uint64_t port;
    if (s.n > 5 || !str_to_u64(s, UINT16_MAX, &port) || port < least)
        return false;
    *out = (uint16_t)port;
    return true;
}

static bool is_local_path(struct str s)
{
    return s.n >= 2 && s.n <= LOCAL_BYTES_MAX && s.p[0] == '/' && !memchr(s.p, '\0', s.n);
}

/* Takes "HOST:PORT", "[V6]:PORT" and "HOST" apart; *port is what follows the colon, with p == NULL when there
 * is none. */
static bool split_port(struct str s, struct str *host, struct str *port)
{
    size_t end = s.n && s.p[0] == '[' ? str_index(s, ']') : str_index(s, ':');
    if (s.n && s.p[0] == '[') {
        if (end == s.n)
            return false;
        end++;
    }
    *host = str_first(s, end);
    *port = STR_NONE;
    if (end == s.n)
        return true;
    if (s.p[end] != ':')
        return false;
    *port = (struct str){ s.p + end + 1, s.n - end - 1 };
    return true;
}

static bool is_bracketed_v6(struct str s)
{
    return s.n > 2 && s.p[0] == '[' && s.p[s.n - 1] == ']' &&
           is_ip(AF_INET6, (struct str){ s.p + 1, s.n - 2 });
}

static bool is_address(struct str s)
{
    struct str host, port;
    uint16_t number;
    if (str_starts(s, STR("unix:")))
        return is_local_path(str_from_index(s, 5));
    if (is_port(s, 0, &number))
        return true;
    if (!split_port(s, &host, &port) || !is_port(port, 0, &number))
        return false;
    return host.n == 0 || is_ip(AF_INET, host) || is_bracketed_v6(host);
}

/* An address taken apart; IPv4 as it is mapped into IPv6. */
struct place_to_listen {
    struct str local; /* a Unix socket's path; else empty */
    struct in6_addr ip;
    bool any, any_v4; /* all addresses; all of IPv4 */
    uint16_t port;
};

static void read_ip(struct str host, struct place_to_listen *out)
{
    char text[INET6_ADDRSTRLEN];
    struct in_addr v4;
    bool is_v6 = host.p[0] == '[';
    struct str ip = is_v6 ? (struct str){ host.p + 1, host.n - 2 } : host;
    CHECK(ip.n < sizeof(text));
    memcpy(text, ip.p, ip.n);
    text[ip.n] = '\0';
    if (is_v6) {
        CHECK(inet_pton(AF_INET6, text, &out->ip) == 1);
    } else {
        CHECK(inet_pton(AF_INET, text, &v4) == 1);
        out->ip = (struct in6_addr){ .s6_addr = { [10] = 0xff, [11] = 0xff } };
        memcpy(&out->ip.s6_addr[12], &v4, sizeof(v4));
    }
    static const unsigned char none[4];
    out->any = IN6_IS_ADDR_UNSPECIFIED(&out->ip);
    out->any_v4 = IN6_IS_ADDR_V4MAPPED(&out->ip) && memcmp(&out->ip.s6_addr[12], none, sizeof(none)) == 0;
}

static struct place_to_listen read_place(struct str s)
{
    struct place_to_listen out = { .any = true };
    struct str host, port;
    CHECK(is_address(s));
    if (str_starts(s, STR("unix:"))) {
        out.local = str_from_index(s, 5);
    } else if (!is_port(s, 0, &out.port)) {
        CHECK(split_port(s, &host, &port) && is_port(port, 0, &out.port));
        if (host.n)
            read_ip(host, &out);
    }
    return out;
}

uint16_t form_address_port(struct str address)
{
    return read_place(address).port;
}

bool form_addresses_overlap(struct str a, struct str b)
{
    struct place_to_listen x = read_place(a), y = read_place(b);
    if (x.local.n || y.local.n)
        return str_eq(x.local, y.local);
    if (x.port != y.port || x.port == 0)
        return false;
    if (x.any || y.any)
        return true;
    if ((x.any_v4 && IN6_IS_ADDR_V4MAPPED(&y.ip)) || (y.any_v4 && IN6_IS_ADDR_V4MAPPED(&x.ip)))
        return true;
    return IN6_ARE_ADDR_EQUAL(&x.ip, &y.ip);
}

static bool is_network(struct str s)
{
    if (str_eq(s, STR("unix")))
        return true;
    struct str rest = s, ip = str_cut(&rest, '/');
    uint64_t bits_max = is_ip(AF_INET, ip) ? 32 : is_ip(AF_INET6, ip) ? 128 : 0, bits;
    if (bits_max == 0)
        return false;
    return !rest.p || (rest.n <= 3 && str_to_u64(rest, bits_max, &bits));
}

/* ---- hosts ---- */

static bool is_label(struct str s)
{
    if (s.n == 0 || s.n > LABEL_BYTES_MAX || s.p[0] == '-' || s.p[s.n - 1] == '-')
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!is_alpha(s.p[i]) && !is_digit(s.p[i]) && s.p[i] != '-' && s.p[i] != '_')
            return false;
    return true;
}

/* A name of labels, or an IPv4 address: what ends in a number is one or nothing (as in the URL standard). */
static bool is_host_name(struct str s)
{
    if (s.n > 1 && s.p[s.n - 1] == '.')
        s.n--;
    if (s.n == 0 || s.n > HOST_BYTES_MAX)
        return false;
    uint64_t number;
    struct str label = STR_NONE;
    for (struct str rest = s; rest.p;) {
        label = str_cut(&rest, '.');
        if (!is_label(label))
            return false;
    }
    return !str_to_u64(label, UINT64_MAX, &number) || is_ip(AF_INET, s);
}

static bool is_host(struct str s)
{
    return is_bracketed_v6(s) || is_host_name(s);
}

static const char *check_hosts(struct str s)
{
    struct str host, port;
    if (memchr(s.p ? s.p : "", '/', s.n))
        return "is a URL or a path; write the host alone";
    if (split_port(s, &host, &port) && port.p && is_host(host))
        return "has a port; write the host alone, a site is found by its host on every port";
    if (str_starts(s, STR("*.")))
        s = str_from_index(s, 2);
    if (memchr(s.p ? s.p : "", '*', s.n))
        return "has a * in the wrong place; only *.NAME is possible, for all hosts below NAME";
    return is_host(s) ? NULL : "is not a host name; write shop.example, *.shop.example or an address";
}

static const char *check_host(struct str s)
{
    struct str host, port;
    uint16_t number;
    bool good = split_port(s, &host, &port) && is_host(host) && (!port.p || is_port(port, 1, &number));
    return good ? NULL : "is not a host; write HOST or HOST:PORT";
}

/* ---- origins ---- */

static const char *parse_local_origin(struct str path, struct arena *a, struct origin_address *out)
{
    if (!is_local_path(path))
        return "is not the path of a Unix socket; write unix:/path/to/socket (107 bytes at most)";
    *out = (struct origin_address){ .local_path = arena_dup(a, path), .authority = STR("localhost") };
    return NULL;
}

static const char *check_server(struct str s)
{
    return is_ip(AF_INET6, s) || is_host_name(s)
               ? NULL
               : "is not the name of a server; write shop.example, or an address, without a port";
}

static const char *parse_http_origin(struct str authority, bool with_tls, struct arena *a,
                                     struct origin_address *out)
{
    struct str host, port;
    const uint16_t usual = with_tls ? 443 : 80;
    uint16_t number = usual;
    if (memchr(authority.p ? authority.p : "", '@', authority.n))
        return "holds a user or password; write http://HOST[:PORT]";
    if (str_ends(authority, STR("/")))
        authority.n--;
    size_t slash = str_index(authority, '/');
    if (slash < authority.n && slash > 0)
        return "has a path; an origin is http://HOST[:PORT], requests keep their own paths";
    if (!split_port(authority, &host, &port) || !is_host(host))
        return "names no valid host; write http://HOST[:PORT] or unix:/path";
    if (port.p && !is_port(port, 1, &number))
        return "has no valid port; ports are 1 to 65535";
    struct str name = arena_dup_lower(a, host);
    if (name.p[name.n - 1] == '.')
        name.n--;
    *out = (struct origin_address){ .host_name = name, .port = number, .authority = name };
    if (number != usual)
        out->authority = arena_printf(a, "%.*s:%u", STR_ARG(name), number);
    if (name.p[0] == '[')
        out->host_name = (struct str){ name.p + 1, name.n - 2 };
    if (with_tls)
        out->tls = (struct origin_tls){ .is_on = true, .server_name = out->host_name };
    return NULL;
}

const char *form_origin(struct str s, struct arena *a, struct origin_address *out)
{
    if (str_starts_nocase(s, STR("unix:")))
        return parse_local_origin(str_from_index(s, 5), a, out);
    if (str_index(s, ' ') < s.n)
        return "holds a space; remove it";
    if (str_starts_nocase(s, STR("http://")))
        return parse_http_origin(str_from_index(s, 7), false, a, out);
    if (str_starts_nocase(s, STR("https://")))
        return parse_http_origin(str_from_index(s, 8), true, a, out);
    return "is not an origin; write http://HOST[:PORT], https://HOST[:PORT] or unix:/path/to/socket";
}

/* Takes the last word away. Empty: there is one word only. */
static struct str take_last_word(struct str *s)
{
    size_t at = s->n;
    while (at && s->p[at - 1] != ' ')
        at--;
    struct str word = str_from_index(*s, at);
    if (at)
        *s = str_trim(str_first(*s, at));
    return at ? word : STR_NONE;
}

static bool has_words(struct str s)
{
    s = str_trim(s);
    return str_index(s, ' ') < s.n;
}

const char *form_origins(struct str s, struct arena *a, struct site_origin *out)
{
    static const struct str weight = STR_INIT("weight=");
    *out = (struct site_origin){ .weight = 1 };
    for (;;) {
        struct str rest = s, word = take_last_word(&rest);
        uint64_t n;
        if (str_eq(word, STR("backup"))) {
            out->is_backup = true;
        } else if (str_starts(word, weight)) {
            if (!str_to_u64(str_from_index(word, weight.n), SITE_ORIGIN_WEIGHT_MAX, &n) || n == 0)
                return "has no valid weight; weights are 1 to 100";
            out->weight = (uint32_t)n;
        } else if (has_words(s) && !str_starts_nocase(s, STR("unix:"))) {
            return "has more behind its URL than weight=NUMBER and backup; write these, or the URL alone";
        } else {
            return form_origin(s, a, &out->at);
        }
        s = rest;
    }
}

static const char *check_origins(struct str s)
{
    struct arena a;
    struct site_origin unused;
    arena_init(&a, 512);
    const char *wrong = form_origins(s, &a, &unused);
    arena_fini(&a);
    return wrong;
}

static const char *check_origin(struct str s)
{
    struct arena a;
    struct origin_address unused;
    arena_init(&a, 512);
    const char *wrong = form_origin(s, &a, &unused);
    arena_fini(&a);
    return wrong;
}

/* ---- the door of a running freshet ---- */

static const char *check_door(struct str s)
{
    struct str host, port;
    uint16_t number;
    if (is_address(s) || (str_starts_nocase(s, STR("http://")) && !check_origin(s)))
        return NULL;
    if (split_port(s, &host, &port) && is_host(host) && port.p && is_port(port, 1, &number))
        return NULL;
    return "is not an address; write ADDR:PORT, http://HOST:PORT or unix:/path";
}

/* ---- words ---- */

const char *form_tag_header(struct str s, struct tag_header *out)
{
    static const struct {
        struct str word;
        int separator;
    } words[] = {
        { STR_INIT("comma"), TAG_SEPARATOR_COMMA },
        { STR_INIT("space"), TAG_SEPARATOR_SPACE },
        { STR_INIT("either"), TAG_SEPARATOR_EITHER },
    };
    struct str rest = s;
    *out = (struct tag_header){ .name = str_cut(&rest, ':'), .separator = TAG_SEPARATOR_COMMA };
    if (!is_token(out->name))
        return "does not begin with a field name; write Cache-Tag, or Surrogate-Key:space";
    if (!rest.p)
        return NULL;
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (str_eq(rest, words[i].word)) {
            out->separator = words[i].separator;
            return NULL;
        }
    return "has an unknown separator; they are :comma, :space and :either";
}

static const char *check_tag_header(struct str s)
{
    struct tag_header unused;
    return form_tag_header(s, &unused);
}

static const char *check_field(struct str s)
{
    return is_token(s) ? NULL : "is not a field name; write it as in CDN-Cache-Control";
}

static const char *check_header(struct str s)
{
    struct str rest = s;
    return is_token(str_cut(&rest, ':')) && rest.p ? NULL : "is not a header field; write 'NAME: VALUE'";
}

static const char *check_param(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '*')
            return "has a *; parameters are named one by one";
        if (s.p[i] <= ' ' || s.p[i] > '~' || s.p[i] == '&' || s.p[i] == '=' || s.p[i] == '#')
            return "is not the name of a query parameter; write it as it stands in the URL, without = and &";
    }
    return NULL;
}

/* A list's name that is nearly right would be a cookie that nobody has. */
static const char *check_cookie(struct str s)
{
    if (str_eq_nocase(s, STR("logged_in")) || str_eq_nocase(s, STR("loggedin")))
        return "is no cookie; the list is called logged-in";
    return cookie_names_problem(s);
}

static const char *check_folder(struct str s)
{
    if (s.p[0] != '/' || s.p[s.n - 1] != '/')
        return "is no folder of the site; write it with a / at both ends, like /assets/";
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] > '~' || s.p[i] == '?' || s.p[i] == '#' || s.p[i] == '*')
            return "is not the path of a folder; write it as it stands in the URL, without * and ?";
    return NULL;
}

static const char *check_path(struct str s)
{
    return str_starts(s, STR("~")) ? "starts with ~, which nothing expands here; write the whole path" : NULL;
}

static const char *check_url_path(struct str s)
{
    bool good = s.n > 1 && s.p[0] == '/' && s.p[s.n - 1] != '/';
    for (size_t i = 0; good && i < s.n; i++)
        good = is_alpha(s.p[i]) || is_digit(s.p[i]) || s.p[i] == '-' || s.p[i] == '_' || s.p[i] == '/';
    return good ? NULL : "is not a path for this; write it like /purge, of letters, digits, - and _";
}

static bool is_user_name(struct str s)
{
    bool good = s.n >= 1 && s.n <= USER_BYTES_MAX && s.p[0] != '-';
    for (size_t i = 0; good && i < s.n; i++)
        good = is_alpha(s.p[i]) || is_digit(s.p[i]) || memchr("-_.$@\\", s.p[i], 6);
    return good;
}

static const char *check_user(struct str s)
{
    struct str group = s, name = str_cut(&group, ':');
    bool good = is_user_name(name) && (name.n == s.n || is_user_name(group));
    return good ? NULL : "is not a user; write NAME or NAME:GROUP";
}

static const char *check_secret(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] > '~')
            return "holds a space or a character that a header cannot carry; use letters and digits";
    return NULL;
}

const char *form_site_name(struct str s)
{
    bool good = s.n >= 1 && s.n <= SITE_BYTES_MAX;
    for (size_t i = 0; good && i < s.n; i++)
        good = is_alpha(s.p[i]) || is_digit(s.p[i]) || s.p[i] == '-' || s.p[i] == '_' || s.p[i] == '.';
    return good ? NULL : "is not a name for a site; use letters, digits, - _ and . (128 at most)";
}

static bool is_visible(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] >= 0x7f)
            return false;
    return true;
}

static const char *check_email(struct str s)
{
    size_t at = str_index(s, '@');
    bool good = is_visible(s) && at > 0 && at + 1 < s.n && str_index(s, ',') == s.n;
    return good ? NULL : "is not an address for mail; write NAME@HOST";
}

static const char *check_directory(struct str s)
{
    bool is_url = str_starts(s, STR("https://")) && s.n > 8 && s.p[8] != '/' && is_visible(s);
    return is_url || str_eq(s, STR("staging"))
               ? NULL
               : "is not the URL of a CA's directory; write one that begins with https://, or staging";
}

/* RFC 9110 §8.3.1: both are tokens, in which a `*` is a character like others. */
static const char *check_media_type(struct str s)
{
    size_t slash = str_index(s, '/'), star = str_index(s, '*');
    bool good = slash < s.n && is_token(str_first(s, slash)) && is_token(str_from_index(s, slash + 1)) &&
                str_index(str_from_index(s, star + 1), '*') + star + 1 >= s.n;
    return good ? NULL : "is not a media type; write text/html, text/* or application/*+json";
}

const char *form_check(enum text_form form, struct str s)
{
    switch (form) {
    case FORM_ANY: return NULL;
    case FORM_ADDRESS:
        return is_address(s) ? NULL
                             : "is not an address; write 127.0.0.1:8080, [::1]:8080, :8080 or unix:/path";
    case FORM_NETWORK: return is_network(s) ? NULL : "is not a network; write 10.0.0.0/8, ::1 or unix";
    case FORM_DOOR: return check_door(s);
    case FORM_HOSTS: return check_hosts(s);
    case FORM_HOST: return check_host(s);
    case FORM_ORIGIN: return check_origin(s);
    case FORM_ORIGINS: return check_origins(s);
    case FORM_SERVER: return check_server(s);
    case FORM_FIELD: return check_field(s);
    case FORM_HEADER: return check_header(s);
    case FORM_TAG_HEADER: return check_tag_header(s);
    case FORM_PARAM: return check_param(s);
    case FORM_COOKIE: return check_cookie(s);
    case FORM_FOLDER: return check_folder(s);
    case FORM_MEDIA_TYPE: return check_media_type(s);
    case FORM_PATH: return check_path(s);
    case FORM_URL_PATH: return check_url_path(s);
    case FORM_USER: return check_user(s);
    case FORM_EMAIL: return check_email(s);
    case FORM_DIRECTORY: return check_directory(s);
    case FORM_SECRET: return check_secret(s);
    }
    UNREACHABLE();
}

struct str form_normal(enum text_form form, struct str s, struct arena *a)
{
    if (form != FORM_HOSTS && form != FORM_SERVER)
        return arena_dup(a, s);
    struct str name = arena_dup_lower(a, s);
    if (name.n > 1 && name.p[name.n - 1] == '.')
        name.n--;
    return name;
}
