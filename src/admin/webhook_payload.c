#include "admin/webhook_payload.h"

#include "admin/body.h"
#include "admin/soften.h"

#define TURNS_MAX 100000 /* arrays in arrays may multiply without a text */

struct json_t *webhook_payload_parse(struct str body, struct arena *a, struct str *error)
{
    json_error_t why;
    if (body_is_too_deep(body, WEBHOOK_DEPTH_MAX)) {
        *error = STR("the body is nested too deeply");
        return NULL;
    }
    struct buf soft = BUF_INIT;
    soften_json(body, &soft);
    json_t *root = json_loadb(soft.p ? soft.p : "", soft.n, JSON_REJECT_DUPLICATES, &why);
    buf_fini(&soft);
    if (!root)
        *error = arena_printf(a, "the body is not good JSON: line %d, column %d", why.line, why.column);
    return root;
}

void webhook_payload_free(struct json_t *payload)
{
    json_decref(payload);
}

/* ---- values ---- */

/* Sanity publishes a document under its id; while it is edited the id has this prefix. */
static struct str without_drafts(const struct webhook *w, const struct template_piece *p, struct str value)
{
    bool is_id =
        w->sender == SENDER_sanity && p->steps_n && str_eq(p->steps[p->steps_n - 1].name, STR("_id"));
    return is_id && str_starts(value, STR("drafts.")) ? str_from_index(value, 7) : value;
}

static void take_value(const json_t *v, struct arena *a, struct webhook_text *out)
{
    *out = (struct webhook_text){ STR_NONE, NULL };
    if (!v)
        out->missing = "is not there";
    else if (json_is_integer(v))
        out->value = arena_printf(a, "%lld", (long long)json_integer_value(v));
    else if (json_is_boolean(v))
        out->value = json_is_true(v) ? STR("true") : STR("false");
    else if (json_is_string(v))
        out->value = str_trim((struct str){ json_string_value(v), json_string_length(v) });
    else
        out->missing = json_is_null(v)    ? "is null"
                       : json_is_real(v)  ? "is a number with a point"
                       : json_is_array(v) ? "is an array; write [] behind its name for each member"
                                          : "is an object; name one of its members";
    if (!out->missing && out->value.n == 0)
        out->missing = "is empty";
    else if (!out->missing && !purge_is_text(out->value))
        out->missing = "has a control character";
}

static const json_t *step_into(const json_t *v, const struct template_step *s, size_t each)
{
    if (s->kind == TEMPLATE_NAME)
        return json_is_object(v) ? json_object_getn(v, s->name.p, s->name.n) : NULL;
    return json_array_get(v, s->kind == TEMPLATE_INDEX ? s->index : each); /* NULL when it is no array */
}

void webhook_payload_at(const struct json_t *payload, struct str path, struct arena *a,
                        struct webhook_text *out)
{
    const json_t *v = payload;
    for (struct str rest = path; rest.p && v;) {
        struct template_step s = { .kind = TEMPLATE_NAME, .name = str_cut(&rest, '.') };
        v = step_into(v, &s, 0);
    }
    take_value(v, a, out);
}

/* ---- filling ---- */

/* A [] that has got its member: which, and the PATH up to it. */
struct bound {
    const struct template_step *steps;
    size_t steps_n; /* with the [] */
    size_t index;
};

struct fill {
    const struct webhook *w;
    const json_t *payload;
    struct arena *arena;
    const struct template *t;
    struct bound bound[TEMPLATE_EACH_MAX];
    size_t bound_n;
    struct strs *to;
    size_t bytes;
    size_t turns; /* members that a [] was bound to */
    struct webhook_filled *out;
    struct str *error;
};

static bool same_steps(const struct template_step *a, const struct template_step *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (a[i].kind != b[i].kind || a[i].index != b[i].index || !str_eq(a[i].name, b[i].name))
            return false;
    return true;
}

static const struct bound *find_bound(const struct fill *f, const struct template_step *steps, size_t n)
{
    for (size_t i = 0; i < f->bound_n; i++)
        if (f->bound[i].steps_n == n && same_steps(f->bound[i].steps, steps, n))
            return &f->bound[i];
    return NULL;
}

/* Goes as far as the bound [] lead. *open: the number of steps up to a [] that is not bound, with it, and its
 * array is returned; 0: none. */
static const json_t *walk(const struct fill *f, const struct template_piece *p, size_t *open)
{
    const json_t *v = f->payload;
    *open = 0;
    for (size_t i = 0; i < p->steps_n && v; i++) {
        const struct bound *b = NULL;
        if (p->steps[i].kind == TEMPLATE_EACH && !(b = find_bound(f, p->steps, i + 1))) {
            *open = i + 1;
            return v;
        }
        v = step_into(v, &p->steps[i], b ? b->index : 0);
    }
    return v;
}

void webhook_payload_miss(struct webhook_filled *out, struct str said)
{
    out->missed_n++;
    if (out->missed.n == WEBHOOK_MISSED_MAX)
        return;
    for (size_t i = 0; i < out->missed.n; i++)
        if (str_eq(out->missed.v[i], said))
            return;
    out->missed.v[out->missed.n++] = said;
}

static void miss(struct fill *f, const struct template_piece *p, const char *why)
{
    if (f->out->missed.n == WEBHOOK_MISSED_MAX)
        f->out->missed_n++;
    else
        webhook_payload_miss(f->out, arena_printf(f->arena, "\"%.*s\" purged nothing: {%.*s} %s",
                                                  STR_ARG(f->t->text), STR_ARG(p->path), why));
}

static bool too_many(struct fill *f)
{
    *f->error = STR("the payload makes more than 10000 texts, or a million bytes, of the templates of this "
                    "webhook");
    return false;
}

static bool add_text(struct fill *f, struct str text)
{
    struct strs *to = f->to;
    f->bytes += text.n;
    if (to->n == PURGE_LIST_MAX || f->bytes > WEBHOOK_TEXTS_BYTES)
        return too_many(f);
    arena_add_str(f->arena, to, arena_dup(f->arena, text));
    return true;
}

/* All [] are bound: one text. */
static bool fill_one(struct fill *f)
{
    char text[WEBHOOK_TEXT_MAX];
    size_t n = 0;
    for (size_t i = 0; i < f->t->n; i++) {
        const struct template_piece *p = &f->t->pieces[i];
        struct webhook_text value = { STR_NONE, NULL };
        size_t open;
        if (p->steps_n)
            take_value(walk(f, p, &open), f->arena, &value);
        value.value = without_drafts(f->w, p, value.value);
        if (p->steps_n && !value.missing && value.value.n == 0)
            value.missing = "is empty";
        if (!value.missing && n + p->literal.n + value.value.n > sizeof(text))
            value.missing = "makes it too long";
        if (value.missing) {
            miss(f, p, value.missing);
            return true;
        }
        n = (size_t)(str_put(str_put(text + n, p->literal), value.value) - text);
    }
    return add_text(f, (struct str){ text, n });
}

static bool fill_each(struct fill *f);

/* Binds the [] at the end of these steps to each member in turn. */
static bool bind_each(struct fill *f, const struct template_piece *p, size_t steps_n, const json_t *array)
{
    size_t n = json_array_size(array);
    if (!json_is_array(array)) {
        miss(f, p, "has a [] behind what is no array");
        return true;
    }
    CHECK(f->bound_n < TEMPLATE_EACH_MAX);
    struct bound *b = &f->bound[f->bound_n++];
    *b = (struct bound){ p->steps, steps_n, 0 };
    bool good = true;
    for (; good && b->index < n; b->index++)
        good = ++f->turns > TURNS_MAX ? too_many(f) : fill_each(f);
    f->bound_n--;
    return good;
}

static bool fill_each(struct fill *f)
{
    if (f->out->missed_n > PURGE_LIST_MAX)
        return true; /* enough was said */
    for (size_t i = 0; i < f->t->n; i++) {
        size_t open;
        const json_t *v = walk(f, &f->t->pieces[i], &open);
        if (open)
            return bind_each(f, &f->t->pieces[i], open, v);
    }
    return fill_one(f);
}

static bool fill_list(struct fill *f, const struct template *list, size_t n, struct strs *to)
{
    f->to = to;
    for (size_t i = 0; i < n; i++) {
        f->t = &list[i];
        if (!fill_each(f))
            return false;
    }
    return true;
}

bool webhook_payload_fill(const struct webhook *w, const struct json_t *payload, struct arena *a,
                          struct webhook_filled *out, struct str *error)
{
    struct fill f = { .w = w, .payload = payload, .arena = a, .out = out, .error = error };
    *out = (struct webhook_filled){ .missed.v = arena_alloc(a, WEBHOOK_MISSED_MAX * sizeof(struct str)) };
    return fill_list(&f, w->tags, w->tags_n, &out->tags) && fill_list(&f, w->urls, w->urls_n, &out->urls);
}
