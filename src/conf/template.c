#include "conf/template.h"

static const char empty_name[] = "has an empty name in its braces; write names with dots, like {sys.id}";

static bool is_control(char c)
{
    return (unsigned char)c < 0x20 || c == 0x7f;
}

static void add_step(struct template_piece *out, struct template_step step)
{
    out->steps[out->steps_n++] = step;
}

/* "[]" or "[N]" at the start of *rest, which moves behind it. */
static const char *take_index(struct str *rest, struct template_piece *out)
{
    size_t end = str_index(*rest, ']');
    struct str digits = str_from_index(str_first(*rest, end), 1);
    uint64_t index = 0;
    if (end == rest->n || (digits.n && !str_to_u64(digits, 99999, &index)))
        return "has a [ without a number and a ]; write [] for each member of an array, or [0] for the first";
    add_step(out,
             (struct template_step){ .kind = digits.n ? TEMPLATE_INDEX : TEMPLATE_EACH, .index = index });
    *rest = str_from_index(*rest, end + 1);
    return NULL;
}

/* What stands between two dots. */
static const char *take_part(struct str part, bool is_first, struct template_piece *out)
{
    size_t end = str_index(part, '[');
    struct str name = str_first(part, end);
    for (size_t i = 0; i < name.n; i++)
        if (is_control(name.p[i]) || name.p[i] == ']' || name.p[i] == '{' || name.p[i] == '}')
            return "has a sign in its braces that no name has; write names with dots, like {sys.id}";
    if (name.n == 0 && !(is_first && part.n))
        return empty_name;
    if (name.n)
        add_step(out, (struct template_step){ .kind = TEMPLATE_NAME, .name = name });
    struct str rest = str_from_index(part, end);
    while (rest.n) {
        if (rest.p[0] != '[')
            return "goes on behind a ]; write a dot before the next name";
        const char *wrong = take_index(&rest, out);
        if (wrong)
            return wrong;
    }
    return NULL;
}

const char *template_parse_path(struct str path, struct arena *a, struct template_piece *out)
{
    struct str rest = path;
    size_t most = 1;
    for (size_t i = 0; i < path.n; i++)
        most += path.p[i] == '.' || path.p[i] == '[';
    *out = (struct template_piece){ .path = path };
    if (!path.n)
        return empty_name;
    if (most > TEMPLATE_STEPS_MAX)
        return "goes too deep";
    out->steps = arena_alloc(a, most * sizeof(*out->steps));
    for (bool is_first = true; rest.p; is_first = false) {
        struct str part = str_cut(&rest, '.');
        const char *wrong = take_part(part, is_first, out);
        if (wrong)
            return wrong;
    }
    return NULL;
}

/* How many different [] it has; each of them multiplies the texts that it becomes. */
static size_t count_each(const struct template *t)
{
    size_t n = 0;
    for (size_t i = 0; i < t->n; i++)
        for (size_t k = 0; k < t->pieces[i].steps_n; k++)
            n += t->pieces[i].steps[k].kind == TEMPLATE_EACH;
    return n;
}

/* The literal text up to the next {, and the PATH behind it. */
static const char *take_piece(struct str *rest, struct arena *a, struct template *out)
{
    size_t open = str_index(*rest, '{');
    struct str literal = str_first(*rest, open), behind = str_from_index(*rest, open + 1);
    struct template_piece *piece = &out->pieces[out->n++];
    *piece = (struct template_piece){ .literal = literal };
    if (str_index(literal, '}') < literal.n)
        return "has a } without a {";
    if (open == rest->n) {
        *rest = STR_NONE;
        return NULL;
    }
    size_t close = str_index(behind, '}');
    if (close == behind.n)
        return "has a { without a }";
    if (str_starts(behind, STR("{")))
        return "has two braces; write one, like {sys.id}";
    const char *wrong = template_parse_path(str_first(behind, close), a, piece);
    piece->literal = literal;
    *rest = str_from_index(behind, close + 1);
    return wrong;
}

const char *template_parse(struct str text, struct arena *a, struct template *out)
{
    *out = (struct template){ .text = arena_dup(a, text) };
    struct str rest = out->text;
    size_t braces = 0;
    if (text.n == 0)
        return "is empty; write what to purge";
    if (text.n > TEMPLATE_BYTES_MAX)
        return "is longer than 1024 bytes";
    for (size_t i = 0; i < text.n; i++) {
        if (is_control(text.p[i]))
            return "has a control character";
        braces += text.p[i] == '{';
    }
    if (braces > TEMPLATE_PATHS_MAX)
        return "has more than 16 {";
    out->pieces = arena_alloc(a, (braces + 1) * sizeof(*out->pieces));
    while (rest.n) {
        const char *wrong = take_piece(&rest, a, out);
        if (wrong)
            return wrong;
    }
    return count_each(out) > TEMPLATE_EACH_MAX ? "has more than 4 []" : NULL;
}
