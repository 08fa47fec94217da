#include "http/field.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"

static const struct {
    struct str name;
    enum field_class class;
} known[FIELD_COUNT] = {
    [FIELD_OTHER] = { STR_INIT(""), FIELD_CLASS_E },
#define HEADER(id, name, class) [FIELD_##id] = { STR_INIT(name), FIELD_CLASS_##class },
#include "tbl/headers.h"
#undef HEADER
};
_Static_assert(FIELD_COUNT <= 128, "struct field_set has 128 bits");

/* Looking a name up. Every field of every request passes here, so: one small hash of the length and three
 * letters, one slot, one comparison of whole words. The slots are filled before main() and never change. */

#define SLOTS 256 /* one byte each; as many as slot_of tells apart */
static uint8_t slots[SLOTS];

static uint64_t word_at(const char *p)
{
    uint64_t w;
    memcpy(&w, p, sizeof(w));
    return w;
}

/* ASCII lower case of eight bytes at once; bytes above 0x7f stay. */
static inline uint64_t word_lower(uint64_t w)
{
    const uint64_t ones = 0x0101010101010101;
    uint64_t low = w & 0x7f * ones;
    uint64_t from_a = low + (0x80 - 'A') * ones;
    uint64_t past_z = low + (0x7f - 'Z') * ones;
    uint64_t upper = (from_a ^ past_z) & ~w & 0x80 * ones;
    return w | upper >> 2;
}

static inline bool word_same(const char *a, const char *b)
{
    uint64_t x = word_at(a), y = word_at(b);
    return x == y || word_lower(x) == word_lower(y);
}

/* The same of names of four to eight bytes: the halves overlap. */
static inline uint64_t word_short(const char *p, size_t n)
{
    uint32_t first, last;
    memcpy(&first, p, sizeof(first));
    memcpy(&last, p + n - sizeof(last), sizeof(last));
    return (uint64_t)last << 32 | first;
}

/* Equal without case; n > 0. The last word overlaps the one before it, so that nothing behind the names is
 * read. */
static inline bool name_same(const char *a, const char *b, size_t n)
{
    if (n < 4) {
        for (size_t i = 0; i < n; i++)
            if (ascii_lower(a[i]) != ascii_lower(b[i]))
                return false;
        return true;
    }
    if (n < 8) {
        uint64_t x = word_short(a, n), y = word_short(b, n);
        return x == y || word_lower(x) == word_lower(y);
    }
    for (size_t i = 0; i + 8 < n; i += 8)
        if (!word_same(a + i, b + i))
            return false;
    return word_same(a + n - 8, b + n - 8);
}

/* n > 0. The factor was searched for: the names of today share no slot, and few of those that browsers send
 * besides have one that is taken. */
static inline size_t slot_of(const char *p, size_t n)
{
    const unsigned char *u = (const unsigned char *)p;
    uint32_t letters = u[0] | (uint32_t)u[n - 1] << 8 | (uint32_t)u[n < 4 ? 0 : n - 4] << 16 | 0x202020;
    return ((letters | (uint32_t)n << 24) * 0xa30ae4a3u) >> 24;
}

__attribute__((constructor)) static void slots_fill(void)
{
    for (unsigned id = 1; id < FIELD_COUNT; id++) {
        size_t at = slot_of(known[id].name.p, known[id].name.n);
        while (slots[at])
            at = (at + 1) % SLOTS;
        slots[at] = (uint8_t)id;
    }
}

static inline bool is_known_as(uint8_t id, struct str name)
{
    struct str k = known[id].name;
    return k.n == name.n && name_same(k.p, name.p, name.n);
}

enum field_id field_id_of(struct str name)
{
    if (name.n == 0)
        return FIELD_OTHER;
    size_t at = slot_of(name.p, name.n);
    while (slots[at] && !is_known_as(slots[at], name))
        at = (at + 1) % SLOTS;
    return slots[at];
}

struct str field_name(enum field_id id)
{
    CHECK((unsigned)id < FIELD_COUNT);
    return known[id].name;
}

enum field_class field_class_of(enum field_id id)
{
    CHECK((unsigned)id < FIELD_COUNT);
    return known[id].class;
}

const uint8_t token_chars[256] = {
    ['0' ... '9'] = TOKEN_PLAIN, ['A' ... 'Z'] = TOKEN_PLAIN, ['a' ... 'z'] = TOKEN_PLAIN,
    ['-'] = TOKEN_PLAIN,         ['!'] = TOKEN_MARK,          ['#' ... '\''] = TOKEN_MARK,
    ['*'] = TOKEN_MARK,          ['+'] = TOKEN_MARK,          ['.'] = TOKEN_MARK,
    ['^' ... '`'] = TOKEN_MARK,  ['|'] = TOKEN_MARK,          ['~'] = TOKEN_MARK,
};

bool field_name_is_disguised(struct str name)
{
    char spelled[32];
    bool disguised = false;
    if (name.n > sizeof(spelled))
        return false;
    for (size_t i = 0; i < name.n; i++) {
        bool mark = token_chars[(unsigned char)name.p[i]] == TOKEN_MARK;
        spelled[i] = mark ? '-' : name.p[i];
        disguised |= mark;
    }
    return disguised && field_class_of(field_id_of((struct str){ spelled, name.n })) != FIELD_CLASS_E;
}

bool is_token_char(char c)
{
    return token_chars[(unsigned char)c];
}

bool is_token(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!is_token_char(s.p[i]))
            return false;
    return s.n > 0;
}

const struct field *fields_find(const struct fields *f, enum field_id id)
{
    CHECK(id != FIELD_OTHER && (unsigned)id < FIELD_COUNT);
    if (!fields_has(f, id))
        return NULL;
    for (size_t i = 0; i < f->n; i++)
        if (f->v[i].id == id)
            return &f->v[i];
    UNREACHABLE();
}

struct str fields_value(const struct fields *f, enum field_id id)
{
    const struct field *line = fields_find(f, id);
    return line ? line->value : STR_NONE;
}

size_t fields_count(const struct fields *f, enum field_id id)
{
    CHECK(id != FIELD_OTHER && (unsigned)id < FIELD_COUNT);
    if (!field_set_has(&f->repeated, id))
        return fields_has(f, id);
    size_t count = 0;
    for (size_t i = 0; i < f->n; i++)
        count += f->v[i].id == id;
    return count;
}

/* Between two lines of one list. */
#define JOINED_BY STR(", ")

size_t fields_bytes(const struct fields *f, enum field_id id)
{
    size_t bytes = 0;
    if (!field_set_has(&f->repeated, id))
        return fields_has(f, id) ? fields_find(f, id)->value.n : 0;
    for (size_t i = 0; i < f->n; i++)
        bytes += f->v[i].id == id ? f->v[i].value.n + JOINED_BY.n : 0;
    return bytes ? bytes - JOINED_BY.n : 0;
}

static bool is_named(const struct field *line, enum field_id id, struct str name)
{
    return line->id == id && (id != FIELD_OTHER || str_eq_nocase(line->name, name));
}

/* Starts at `from`; for a known name `name` is not looked at. */
static size_t index_of(const struct fields *f, enum field_id id, struct str name, size_t from)
{
    if (id != FIELD_OTHER && !fields_has(f, id))
        return f->n;
    for (size_t i = from; i < f->n; i++)
        if (is_named(&f->v[i], id, name))
            return i;
    return f->n;
}

size_t fields_index_of(const struct fields *f, struct str name, size_t from)
{
    return index_of(f, field_id_of(name), name, from);
}

static struct str joined(const struct fields *f, enum field_id id, struct str name, struct arena *a)
{
    size_t first = index_of(f, id, name, 0);
    if (first == f->n)
        return STR_NONE;
    if (!field_set_has(&f->repeated, id) || index_of(f, id, name, first + 1) == f->n)
        return f->v[first].value;
    size_t bytes = 0;
    for (size_t i = first; i < f->n; i = index_of(f, id, name, i + 1))
        bytes += f->v[i].value.n + JOINED_BY.n;
    char *p = arena_alloc(a, bytes), *at = p;
    for (size_t i = first; i < f->n; i = index_of(f, id, name, i + 1)) {
        if (i != first)
            at = str_put(at, JOINED_BY);
        at = str_put(at, f->v[i].value);
    }
    return (struct str){ p, (size_t)(at - p) };
}

struct str fields_joined(const struct fields *f, enum field_id id, struct arena *a)
{
    CHECK(id != FIELD_OTHER && (unsigned)id < FIELD_COUNT);
    return joined(f, id, STR_NONE, a);
}

struct str fields_joined_by_name(const struct fields *f, struct str name, struct arena *a)
{
    return joined(f, field_id_of(name), name, a);
}

struct field_spot fields_spot(const struct fields *f, struct str name, size_t at)
{
    struct field_spot spot = { 0 };
    size_t begin = 0; /* of the line, in the joined value */
    for (size_t i = 0; (i = fields_index_of(f, name, i)) < f->n; i++) {
        size_t next = begin + f->v[i].value.n + JOINED_BY.n;
        spot.lines++;
        if (at >= begin && at < next) {
            spot.line = spot.lines;
            spot.byte = (uint32_t)(at - begin + 1);
        }
        begin = next;
    }
    CHECK(spot.line > 0);
    return spot;
}

void fields_add_line(struct fields *f, struct arena *a, struct field line)
{
    if (f->n == f->cap) {
        size_t cap = f->cap ? f->cap * 2 : 16;
        struct field *v = arena_alloc(a, cap * sizeof(*v));
        if (f->n)
            memcpy(v, f->v, f->n * sizeof(*v));
        f->v = v;
        f->cap = cap;
    }
    /* A line that is there has a value that is there: fields_joined tells "empty" from "none" by the
     * pointer. */
    if (!line.value.p)
        line.value = STR("");
    f->v[f->n++] = line;
    fields_note(f, line.id);
}

void fields_add(struct fields *f, struct arena *a, struct str name, struct str value)
{
    fields_add_line(f, a, (struct field){ .name = name, .value = value, .id = field_id_of(name) });
}

void fields_add_id(struct fields *f, struct arena *a, enum field_id id, struct str value)
{
    CHECK(id != FIELD_OTHER);
    fields_add_line(f, a, (struct field){ .name = field_name(id), .value = value, .id = id });
}

static bool drop_id(const struct field *line, void *ctx)
{
    return line->id == *(enum field_id *)ctx;
}

void fields_remove(struct fields *f, enum field_id id)
{
    CHECK(id != FIELD_OTHER && (unsigned)id < FIELD_COUNT);
    if (fields_has(f, id))
        fields_remove_if(f, drop_id, &id);
}

static bool drop_name(const struct field *line, void *ctx)
{
    return is_named(line, FIELD_OTHER, *(struct str *)ctx);
}

void fields_remove_by_name(struct fields *f, struct str name)
{
    enum field_id id = field_id_of(name);
    if (id != FIELD_OTHER)
        fields_remove(f, id);
    else
        fields_remove_if(f, drop_name, &name);
}

void fields_remove_if(struct fields *f, bool (*drop)(const struct field *, void *), void *ctx)
{
    size_t kept = 0;
    fields_note_none(f);
    for (size_t i = 0; i < f->n; i++) {
        if (drop(&f->v[i], ctx))
            continue;
        f->v[kept] = f->v[i];
        fields_note(f, f->v[kept].id);
        kept++;
    }
    f->n = kept;
}

static bool is_list_space(char c)
{
    return c == ',' || c == ' ' || c == '\t';
}

/* The end of the quoted string that begins at p, behind its closing quote; one that is never closed runs to
 * the end. */
static const char *skip_quoted(const char *p, const char *end)
{
    for (p++; p < end && *p != '"'; p++)
        if (*p == '\\' && p + 1 < end)
            p++;
    return p < end ? p + 1 : end;
}

bool list_next(struct str *rest, struct str *member)
{
    if (rest->n == 0)
        return false;
    const char *p = rest->p, *end = p + rest->n, *from;
    while (p < end && is_list_space(*p))
        p++;
    for (from = p; p < end && *p != ',';)
        p = *p == '"' ? skip_quoted(p, end) : p + 1;
    *member = str_trim((struct str){ from, (size_t)(p - from) });
    *rest = p + 1 < end ? (struct str){ p + 1, (size_t)(end - p - 1) } : STR_NONE;
    return member->n > 0;
}

bool list_last(struct str *rest, struct str *member)
{
    size_t n = rest->n, least = n > LIST_LOOKED_AT ? n - LIST_LOOKED_AT : 0;
    while (n > least && is_list_space(rest->p[n - 1]))
        n--;
    if (n == least && n > 0)
        n = 0; /* so much of nothing is no list */
    rest->n = n;
    const char *comma = rest->n ? memrchr(rest->p, ',', rest->n) : NULL;
    size_t before = comma ? (size_t)(comma - rest->p) : 0;
    *member = str_trim(comma ? str_from_index(*rest, before + 1) : *rest);
    rest->n = before;
    return member->n > 0;
}

bool fields_list_has(const struct fields *f, enum field_id id, struct str token)
{
    CHECK(id != FIELD_OTHER && (unsigned)id < FIELD_COUNT);
    for (size_t i = index_of(f, id, STR_NONE, 0); i < f->n; i = index_of(f, id, STR_NONE, i + 1)) {
        struct str rest = f->v[i].value, member;
        for (unsigned n = 0; n < LIST_LOOKED_AT && list_next(&rest, &member); n++)
            if (str_eq_nocase(member, token))
                return true;
    }
    return false;
}

/* ---- sets of names ---- */

/* The word that ends at p + n, or the whole of a shorter name, without case. */
static uint64_t word_before(const char *p, size_t n)
{
    uint64_t w = 0;
    if (n >= 8)
        return word_lower(word_at(p + n - 8));
    for (size_t i = 0; i < n; i++)
        w = w << 8 | (unsigned char)ascii_lower(p[i]);
    return w;
}

/* Any order in which equal ones, without case, are equal: by length, then by words from the end. */
static int name_order(struct str a, struct str b)
{
    if (a.n != b.n)
        return a.n < b.n ? -1 : 1;
    for (size_t n = a.n; n > 0; n = n > 8 ? n - 8 : 0) {
        uint64_t x = word_before(a.p, n), y = word_before(b.p, n);
        if (x != y)
            return x < y ? -1 : 1;
    }
    return 0;
}

static int compare_names(const void *a, const void *b)
{
    return name_order(*(const struct str *)a, *(const struct str *)b);
}

void field_names_add(struct field_names *s, struct str name)
{
    enum field_id id = field_id_of(name);
    if (id != FIELD_OTHER)
        field_set_add(&s->known, id);
    else
        s->others[s->n++] = name;
}

void field_names_settle(struct field_names *s)
{
    if (s->n > 1)
        qsort(s->others, s->n, sizeof(*s->others), compare_names);
}

bool field_names_has(const struct field_names *s, const struct field *line)
{
    if (line->id != FIELD_OTHER)
        return field_set_has(&s->known, line->id);
    return s->n && bsearch(&line->name, s->others, s->n, sizeof(*s->others), compare_names);
}
