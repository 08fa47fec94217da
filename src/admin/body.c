#include "admin/body.h"

#include "conf/nearest.h"

#define DEPTH_MAX  8   /* the deepest good body has 4 levels */
#define QUOTED_MAX 100 /* bytes of the input repeated in a message */

#define REFUSE(...) purge_refuse(error, a, 400, __VA_ARGS__)

bool body_is_too_deep(struct str json, size_t most)
{
    size_t depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < json.n; i++) {
        char c = json.p[i];
        if (c == '"')
            quoted = !quoted;
        else if (c == '\\' && quoted)
            i++;
        else if (!quoted && (c == '[' || c == '{') && ++depth > most)
            return true;
        else if (!quoted && (c == ']' || c == '}') && depth > 0)
            depth--;
    }
    return false;
}

bool body_parse(struct str body, const char *example, struct arena *a, json_t **out,
                struct purge_error *error)
{
    json_error_t why;
    if (str_trim(body).n == 0)
        return REFUSE("the body is empty; send JSON: %s", example);
    if (body_is_too_deep(body, DEPTH_MAX))
        return REFUSE("the body is nested too deeply; it must be an object like %s", example);
    json_t *root = json_loadb(body.p, body.n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
    if (!root)
        return REFUSE("the body is not good JSON: line %d, column %d: %s", why.line, why.column, why.text);
    if (!json_is_object(root)) {
        json_decref(root);
        return REFUSE("the body must be a JSON object, like %s", example);
    }
    *out = root;
    return true;
}

struct str body_text(const json_t *v)
{
    if (!json_is_string(v))
        return STR_NONE;
    return str_trim((struct str){ json_string_value(v), json_string_length(v) });
}

bool body_string(const char *name, const json_t *v, struct arena *a, struct str *out,
                 struct purge_error *error)
{
    struct str s = body_text(v);
    if (s.n == 0 || !purge_is_text(s))
        return REFUSE("%s must be a string that is not empty; leave it out when there is nothing to say",
                      name);
    *out = arena_dup(a, s);
    return true;
}

/* "site, id and origin" */
static struct str names_for_people(const struct str *names, size_t n, struct arena *a)
{
    struct buf b = BUF_INIT;
    for (size_t i = 0; i < n; i++)
        buf_printf(&b, "%s%.*s", i == 0 ? "" : i + 1 == n ? " and " : ", ", STR_ARG(names[i]));
    struct str text = arena_dup(a, buf_str(&b));
    buf_fini(&b);
    return text;
}

bool body_refuse_member(const char *name, const struct str *known, size_t n, struct arena *a,
                        struct purge_error *error)
{
    struct nearest near = nearest_to(str_from(name));
    for (size_t i = 0; i < n; i++)
        nearest_offer(&near, known[i]);
    if (near.name.n)
        return REFUSE("unknown member \"%.*s\"; did you mean \"%.*s\"?", QUOTED_MAX, name,
                      STR_ARG(near.name));
    return REFUSE("unknown member \"%.*s\"; there are %.*s", QUOTED_MAX, name,
                  STR_ARG(names_for_people(known, n, a)));
}

bool body_list(const char *name, const json_t *v, bool keep_empty, struct arena *a, struct strs *out,
               struct purge_error *error)
{
    size_t n = json_array_size(v); /* 0 when it is no array */
    if (!json_is_array(v))
        return REFUSE("%s must be a list of strings, like [\"one\", \"two\"]", name);
    if (n > PURGE_LIST_MAX)
        return purge_refuse(error, a, 413, "%s has more than %d members; send them in several requests", name,
                            PURGE_LIST_MAX);
    out->v = arena_alloc(a, (n + 1) * sizeof(*out->v));
    for (size_t i = 0; i < n; i++) {
        const json_t *member = json_array_get(v, i);
        struct str s = body_text(member);
        if (!json_is_string(member))
            return REFUSE("%s[%zu] is no string; write each in quotes", name, i);
        if (!purge_is_text(s))
            return REFUSE("%s[%zu] has a control character (a line break?); take it out", name, i);
        if (s.n || keep_empty)
            out->v[out->n++] = arena_dup(a, s);
    }
    if (n > 0 && out->n == 0)
        return REFUSE("%s has nothing but empty strings; name something, or leave it out to purge the site",
                      name);
    return true;
}
