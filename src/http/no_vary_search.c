#include "http/no_vary_search.h"

#include <string.h>

#include "base/buf.h"
#include "http/sf.h"
#include "http/url.h"

/* The draft compares names as UTF-8 in which what is malformed has become U+FFFD. Here they are compared as
 * bytes, which is the same only for names without either. */
static bool is_plain(struct str name)
{
    static const struct str replacement = STR_INIT("\xef\xbf\xbd");
    return str_is_utf8(name) && !(name.n && memmem(name.p, name.n, replacement.p, replacement.n));
}

static bool read_names(const struct sf_member *list, size_t names_max, struct arena *a, struct names *out)
{
    *out = (struct names){ 0 };
    if (list->value.type != SF_INNER_LIST || list->items_n > names_max)
        return false;
    out->v = arena_alloc(a, (list->items_n + 1) * sizeof(*out->v));
    for (size_t i = 0; i < list->items_n; i++) {
        if (list->items[i].value.type != SF_STRING)
            return false;
        struct str name = query_decode(list->items[i].value.text, a);
        if (!is_plain(name))
            return false;
        out->v[out->n++] = name;
    }
    out->n = str_sort_unique(out->v, out->n);
    return true;
}

/* `params` beside or without `except`; either may be NULL. */
static bool read_params(const struct sf_member *params, const struct sf_member *except, size_t names_max,
                        struct arena *a, struct no_vary_search *out)
{
    bool is_boolean = params && params->value.type == SF_BOOLEAN;
    if (params && !is_boolean)
        return !except && read_names(params, names_max, a, &out->names);
    if (is_boolean && !params->value.boolean)
        return !except;
    out->keeps_listed = params || except;
    return !except || read_names(except, names_max, a, &out->names);
}

bool no_vary_search_parse(struct str value, size_t names_max, struct arena *a, struct no_vary_search *out)
{
    struct sf_members d;
    *out = (struct no_vary_search){ 0 };
    if (!sf_parse_dictionary(value, a, &d))
        return false;
    struct no_vary_search v = { 0 };
    const struct sf_member *order = sf_get(&d, STR("key-order"));
    if ((order && order->value.type != SF_BOOLEAN) ||
        !read_params(sf_get(&d, STR("params")), sf_get(&d, STR("except")), names_max, a, &v))
        return false;
    v.any_order = order && order->value.boolean;
    *out = v;
    return true;
}

/* In one spelling, which reads back as the same name. */
static void write_name(struct buf *b, struct str name)
{
    buf_add_char(b, '"');
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        if (c > ' ' && c < 0x7f && !memchr("%+\"\\;|,", c, 7))
            buf_add_char(b, c);
        else
            buf_printf(b, "%%%02X", (unsigned char)c);
    }
    buf_add_char(b, '"');
}

struct str no_vary_search_canonical(const struct no_vary_search *v, struct arena *a)
{
    struct buf b = BUF_INIT;
    if (v->any_order)
        buf_add(&b, STR("key-order"));
    if (v->keeps_listed || v->names.n) {
        if (b.n)
            buf_add(&b, STR(", "));
        buf_add(&b, v->keeps_listed ? STR("except=(") : STR("params=("));
        for (size_t i = 0; i < v->names.n; i++) {
            if (i)
                buf_add_char(&b, ' ');
            write_name(&b, v->names.v[i]);
        }
        buf_add_char(&b, ')');
    }
    struct str text = arena_dup(a, buf_str(&b));
    buf_fini(&b);
    return text;
}
