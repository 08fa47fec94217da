#include "http/lines.h"

#include <string.h>

#include "base/check.h"

char *lines_put(char *to, struct str name, struct str value)
{
    to = str_put(to, name);
    *to++ = ':';
    *to++ = ' ';
    to = str_put(to, value);
    *to++ = '\r';
    *to++ = '\n';
    return to;
}

void lines_add(struct buf *to, struct str name, struct str value)
{
    size_t bytes = lines_bytes(name, value);
    lines_put(buf_room(to, bytes), name, value);
    to->n += bytes;
}

/* Neither a name nor a value has a CR, and a name has no colon: the parser lets none pass. */
bool lines_next(struct str *rest, struct field *field)
{
    if (rest->n == 0)
        return false;
    const char *end = rest->p + rest->n, *colon = memchr(rest->p, ':', rest->n);
    CHECK(colon && end - colon >= 4);
    const char *value = colon + 2, *cr = memchr(value, '\r', (size_t)(end - value));
    CHECK(cr && end - cr >= 2);
    field->name = (struct str){ rest->p, (size_t)(colon - rest->p) };
    field->value = (struct str){ value, (size_t)(cr - value) };
    *rest = (struct str){ cr + 2, (size_t)(end - cr) - 2 };
    return true;
}

static bool is_value(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!is_field_text(s.p[i]))
            return false;
    return true;
}

bool lines_are_whole(struct str lines)
{
    while (lines.n) {
        struct str name = str_first(lines, str_index(lines, ':'));
        struct str rest = str_from_index(lines, name.n + 1);
        struct str value = str_first(rest, str_index(rest, '\r'));
        struct str end = str_from_index(rest, value.n);
        if (!is_token(name) || !str_starts(value, STR(" ")) || !is_value(value) ||
            !str_starts(end, STR("\r\n")))
            return false;
        lines = str_from_index(end, 2);
    }
    return true;
}
