#include "io/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <string.h>
#include <sys/stat.h>

#include "base/check.h"
#include "base/mem.h"
#include "io/chores.h"
#include "io/hosts.h"

/* Host names are at most 253 bytes (RFC 1035 2.3.4, without the root's dot). */
#define NAME_MOST 254

static bool address_any(uint16_t port, struct address *out)
{
    *out = (struct address){ .bytes = sizeof(out->sa.v6) };
    out->sa.v6.sin6_family = AF_INET6;
    out->sa.v6.sin6_addr = in6addr_any;
    out->sa.v6.sin6_port = htons(port);
    return true;
}

static bool parse_port(struct str text, uint16_t *out)
{
    uint64_t value;
    if (text.n > 5 || !str_to_u64(text, UINT16_MAX, &value))
        return false;
    *out = (uint16_t)value;
    return true;
}

bool address_parse_ip(struct str text, uint16_t port, struct address *out)
{
    char c[INET6_ADDRSTRLEN];
    if (!str_to_c(text, c, sizeof(c)))
        return false;
    struct address a = { .bytes = 0 };
    if (inet_pton(AF_INET, c, &a.sa.v4.sin_addr) == 1) {
        a.bytes = sizeof(a.sa.v4);
        a.sa.v4.sin_family = AF_INET;
        a.sa.v4.sin_port = htons(port);
    } else if (inet_pton(AF_INET6, c, &a.sa.v6.sin6_addr) == 1) {
        a.bytes = sizeof(a.sa.v6);
        a.sa.v6.sin6_family = AF_INET6;
        a.sa.v6.sin6_port = htons(port);
    } else {
        return false;
    }
    *out = a;
    return true;
}

bool address_local(struct str path, struct address *out)
{
    struct address a = { .bytes = 0 };
    if (!str_to_c(path, a.sa.local.sun_path, sizeof(a.sa.local.sun_path)))
        return false;
    a.sa.local.sun_family = AF_UNIX;
    a.bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path.n + 1);
    *out = a;
    return true;
}

/* The last colon parts host and port; an IPv6 address must stand in brackets, or ":80" behind it could be its
 * own. */
bool address_parse(struct str text, struct address *out)
{
    uint16_t port;
    if (str_starts(text, STR("unix:")))
        return address_local(str_from_index(text, 5), out);
    if (parse_port(text, &port))
        return address_any(port, out);
    if (str_starts(text, STR("["))) {
        size_t close = str_index(text, ']');
        struct str ip = { text.p + 1, close - 1 };
        return str_starts(str_from_index(text, close), STR("]:")) && str_index(ip, ':') < ip.n &&
               parse_port(str_from_index(text, close + 2), &port) && address_parse_ip(ip, port, out);
    }
    size_t colon = str_index(text, ':');
    if (!parse_port(str_from_index(text, colon + 1), &port))
        return false;
    return colon == 0 ? address_any(port, out) : address_parse_ip(str_first(text, colon), port, out);
}

/* An IPv4-mapped address (RFC 4291 2.5.5.2) as the IPv4 address that it stands for. */
static struct address unmapped(const struct address *a)
{
    if (a->bytes == 0 || a->sa.any.sa_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&a->sa.v6.sin6_addr))
        return *a;
    struct address v4 = { .bytes = sizeof(v4.sa.v4) };
    v4.sa.v4.sin_family = AF_INET;
    v4.sa.v4.sin_port = a->sa.v6.sin6_port;
    memcpy(&v4.sa.v4.sin_addr, &a->sa.v6.sin6_addr.s6_addr[12], 4);
    return v4;
}

static int family_of(const struct address *a)
{
    return a->bytes ? a->sa.any.sa_family : AF_UNSPEC;
}

static struct str local_path(const struct address *a)
{
    size_t offset = offsetof(struct sockaddr_un, sun_path);
    /* The kernel gives an unnamed socket no path at all; an abstract one (first byte NUL) is none of ours. */
    if (a->bytes <= offset)
        return STR_NONE;
    size_t most = a->bytes - offset;
    if (most > sizeof(a->sa.local.sun_path))
        most = sizeof(a->sa.local.sun_path);
    return (struct str){ a->sa.local.sun_path, strnlen(a->sa.local.sun_path, most) };
}

size_t address_write(const struct address *a, char out[ADDRESS_TEXT_MAX])
{
    char ip[INET6_ADDRSTRLEN];
    struct str path;
    int n;
    switch (family_of(a)) {
    case AF_INET:
        inet_ntop(AF_INET, &a->sa.v4.sin_addr, ip, sizeof(ip));
        n = snprintf(out, ADDRESS_TEXT_MAX, "%s:%u", ip, ntohs(a->sa.v4.sin_port));
        break;
    case AF_INET6:
        inet_ntop(AF_INET6, &a->sa.v6.sin6_addr, ip, sizeof(ip));
        n = snprintf(out, ADDRESS_TEXT_MAX, "[%s]:%u", ip, ntohs(a->sa.v6.sin6_port));
        break;
    case AF_UNIX:
        path = local_path(a);
        n = snprintf(out, ADDRESS_TEXT_MAX, "unix:%.*s", STR_ARG(path));
        break;
    default: n = 0; break;
    }
    CHECK(n >= 0 && n < ADDRESS_TEXT_MAX);
    return (size_t)n;
}

/* inet_ntop does it with printf: a thousand instructions for each request that is forwarded. */
static size_t write_dotted(const unsigned char ip[4], char *out)
{
    char *at = out;
    for (int i = 0; i < 4; i++) {
        if (i)
            *at++ = '.';
        if (ip[i] >= 100)
            *at++ = (char)('0' + ip[i] / 100);
        if (ip[i] >= 10)
            *at++ = (char)('0' + ip[i] / 10 % 10);
        *at++ = (char)('0' + ip[i] % 10);
    }
    *at = '\0';
    return (size_t)(at - out);
}

size_t address_write_ip(const struct address *a, char out[ADDRESS_TEXT_MAX])
{
    struct address b = unmapped(a);
    int family = family_of(&b);
    if (family == AF_INET)
        return write_dotted((const unsigned char *)&b.sa.v4.sin_addr, out);
    if (family != AF_INET6)
        return 0;
    CHECK(inet_ntop(family, &b.sa.v6.sin6_addr, out, ADDRESS_TEXT_MAX));
    return strlen(out);
}

bool network_parse(struct str text, struct network *out)
{
    if (str_eq(text, STR("unix"))) {
        *out = (struct network){ .base.bytes = sizeof(sa_family_t), .base.sa.any.sa_family = AF_UNIX };
        return true;
    }
    struct str ip = str_cut(&text, '/');
    struct network n = { .bits = 0 };
    if (!address_parse_ip(ip, 0, &n.base))
        return false;
    unsigned width = family_of(&n.base) == AF_INET ? 32 : 128;
    uint64_t bits = width;
    if (text.p && (text.n > 3 || !str_to_u64(text, width, &bits)))
        return false;
    n.bits = (unsigned)bits;
    struct address v4 = unmapped(&n.base);
    if (width == 128 && family_of(&v4) == AF_INET && bits >= 96) {
        n.base = v4;
        n.bits -= 96;
    }
    *out = n;
    return true;
}

static bool same_prefix(const void *a, const void *b, unsigned bits)
{
    const unsigned char *x = a, *y = b;
    unsigned whole = bits / 8, rest = bits % 8;
    if (memcmp(x, y, whole) != 0)
        return false;
    return rest == 0 || (x[whole] ^ y[whole]) >> (8 - rest) == 0;
}

bool network_has(const struct network *n, const struct address *a)
{
    struct address b = unmapped(a);
    int family = family_of(&b);
    if (family == AF_UNSPEC || family != family_of(&n->base))
        return false;
    switch (family) {
    case AF_INET: return same_prefix(&n->base.sa.v4.sin_addr, &b.sa.v4.sin_addr, n->bits);
    case AF_INET6: return same_prefix(&n->base.sa.v6.sin6_addr, &b.sa.v6.sin6_addr, n->bits);
    default: return true;
    }
}

bool address_is_same(const struct address *a, const struct address *b)
{
    if (a->bytes == 0 || family_of(a) != family_of(b))
        return false;
    switch (family_of(a)) {
    case AF_INET:
        return a->sa.v4.sin_port == b->sa.v4.sin_port &&
               same_prefix(&a->sa.v4.sin_addr, &b->sa.v4.sin_addr, 32);
    case AF_INET6:
        return a->sa.v6.sin6_port == b->sa.v6.sin6_port && a->sa.v6.sin6_scope_id == b->sa.v6.sin6_scope_id &&
               same_prefix(&a->sa.v6.sin6_addr, &b->sa.v6.sin6_addr, 128);
    case AF_UNIX: return str_eq(local_path(a), local_path(b));
    default: return false;
    }
}

void address_take_turns(struct address *v, size_t n)
{
    struct address out[RESOLVE_MAX];
    bool taken[RESOLVE_MAX] = { false };
    int family = AF_UNSPEC;
    CHECK(n <= RESOLVE_MAX);
    for (size_t k = 0; k < n; k++) {
        size_t next = n;
        for (size_t i = n; i-- > 0;)
            if (!taken[i] && (next == n || family_of(&v[i]) != family || family_of(&v[next]) == family))
                next = i;
        taken[next] = true;
        out[k] = v[next];
        family = family_of(&v[next]);
    }
    memcpy(v, out, n * sizeof(*v));
}

void address_ask(int fd, int (*ask)(int, struct sockaddr *restrict, socklen_t *restrict), struct address *out)
{
    socklen_t bytes = sizeof(out->sa);
    *out = (struct address){ .bytes = 0 };
    if (ask(fd, &out->sa.any, &bytes) == 0)
        out->bytes = bytes;
}

int address_refusal(const struct address *at, int error)
{
    struct stat st;
    bool other = error == UV_ECONNREFUSED && at->sa.any.sa_family == AF_UNIX &&
                 stat(at->sa.local.sun_path, &st) == 0 && !S_ISSOCK(st.st_mode);
    return other ? UV_ENOTSOCK : error;
}

static size_t take_answers(const struct addrinfo *info, uint16_t port, struct address v[RESOLVE_MAX])
{
    size_t n = 0;
    for (; info && n < RESOLVE_MAX; info = info->ai_next) {
        if (info->ai_family != AF_INET && info->ai_family != AF_INET6)
            continue;
        v[n] = (struct address){ .bytes = info->ai_addrlen };
        memcpy(&v[n].sa, info->ai_addr, info->ai_addrlen);
        if (info->ai_family == AF_INET)
            v[n].sa.v4.sin_port = htons(port);
        else
            v[n].sa.v6.sin6_port = htons(port);
        n++;
    }
    return n;
}

/* ---- look-ups ---- */

/* A look-up that a thread does. It is the loop's until it was begun, then the thread's until that has an
 * answer; whoever is the second to be done with it frees it. */
enum look_up_state { LOOK_UP_ASKED, LOOK_UP_ANSWERED, LOOK_UP_FORGOTTEN };
struct look_up {
    struct pool_job job;
    struct letter letter; /* brings the answer */
    struct resolve *owner;
    struct loop *loop;
    _Atomic int state;
    char name[NAME_MOST + 1];
    uint16_t port;
    int status;
    struct address v[RESOLVE_MAX];
    size_t n;
};

/* The libuv error for one of getaddrinfo. */
static int error_of(int code)
{
    switch (code) {
    case 0: return 0;
    case EAI_AGAIN: return UV_EAI_AGAIN;
    case EAI_FAIL: return UV_EAI_FAIL;
    case EAI_MEMORY: return UV_EAI_MEMORY;
    case EAI_NODATA: return UV_EAI_NODATA;
    case EAI_SYSTEM: return uv_translate_sys_error(errno);
    default: return UV_EAI_NONAME;
    }
}

static int ask_system(struct look_up *x)
{
    /* No AI_ADDRCONFIG: on a machine with nothing but a loopback device it would refuse "localhost". */
    struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM }, *info = NULL;
    int status = error_of(getaddrinfo(x->name, NULL, &hints, &info));
    if (status)
        return status;
    x->n = take_answers(info, x->port, x->v);
    freeaddrinfo(info);
    return x->n ? 0 : UV_EAI_NODATA;
}

static void give_answer(struct letter *letter)
{
    struct look_up *x = CONTAINER_OF(letter, struct look_up, letter);
    struct resolve *r = x->owner;
    CHECK(r->is == x);
    r->is = NULL;
    loop_release(x->loop);
    r->done(r, x->status, x->v, x->status == 0 ? x->n : 0);
    mem_free(x);
}

#ifdef FRESHET_CONTROL
static bool is_forgotten(void *ctx)
{
    return atomic_load(&((struct look_up *)ctx)->state) == LOOK_UP_FORGOTTEN;
}
#endif

static void look_up(struct pool_job *j)
{
    struct look_up *x = CONTAINER_OF(j, struct look_up, job);
    int asked = LOOK_UP_ASKED;
    bool answered = false;
#ifdef FRESHET_CONTROL
    answered = hosts_look_up(str_from(x->name), x->port, x->v, &x->n, &x->status, is_forgotten, x);
#endif
    if (!answered)
        x->status = ask_system(x);
    if (atomic_compare_exchange_strong(&x->state, &asked, LOOK_UP_ANSWERED))
        loop_post(x->loop, &x->letter);
    else
        mem_free(x);
}

static void tell_cancelled(struct letter *letter)
{
    struct resolve *r = CONTAINER_OF(letter, struct resolve, cancelled);
    loop_release(r->loop);
    r->done(r, UV_ECANCELED, NULL, 0);
}

int resolve_start(struct loop *l, struct resolve *r, struct str name, uint16_t port,
                  void (*done)(struct resolve *, int, const struct address *, size_t))
{
    if (name.n >= 2 && name.p[0] == '[' && name.p[name.n - 1] == ']')
        name = (struct str){ name.p + 1, name.n - 2 };
    char c[NAME_MOST + 1];
    if (!str_to_c(name, c, sizeof(c)))
        return UV_EINVAL;
    struct look_up *x = mem_alloc(sizeof(*x));
    memcpy(x->name, c, sizeof(c));
    x->job.run = look_up;
    x->letter.open = give_answer;
    x->owner = r;
    x->loop = l;
    x->port = port;
    *r = (struct resolve){ .done = done, .loop = l, .is = x, .cancelled.open = tell_cancelled };
    loop_hold(l);
    int status = chores_add(l->chores, CHORE_NAMES, &x->job);
    if (status == 0)
        return 0;
    loop_release(l);
    r->is = NULL;
    mem_free(x);
    return status;
}

void resolve_cancel(struct resolve *r)
{
    struct look_up *x = r->is;
    int asked = LOOK_UP_ASKED;
    if (!x)
        return;
    if (chores_take_back(r->loop->chores, CHORE_NAMES, &x->job))
        mem_free(x);
    else if (!atomic_compare_exchange_strong(&x->state, &asked, LOOK_UP_FORGOTTEN))
        return; /* the answer is on its way */
    r->is = NULL;
    loop_defer(r->loop, &r->cancelled);
}
