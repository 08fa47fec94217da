#include "admin/answer.h"

#include <stdarg.h>
#include <stdio.h>

static void answer_page(struct request *r, int status, struct str type, struct str body)
{
    r->answer.status = status;
    r->answer.content_type = type;
    r->answer.body = body;
}

void answer_json(struct request *r, int status, struct str body)
{
    answer_page(r, status, STR("application/json"), body);
}

void answer_text(struct request *r, int status, struct str body)
{
    answer_page(r, status, STR("text/plain; charset=utf-8"), body);
}

void answer_error(struct request *r, int status, const char *fmt, ...)
{
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    size_t length = n < 0 ? 0 : (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1;
    struct buf b = BUF_INIT;
    buf_printf(&b, "{\"code\": %d, \"message\": ", status);
    buf_add_json(&b, (struct str){ text, length });
    buf_add(&b, STR("}\n"));
    answer_json(r, status, arena_dup(&r->arena, buf_str(&b)));
    buf_fini(&b);
}

void answer_field(struct request *r, struct str name, struct str value)
{
    CHECK(r->answer.extra_n < COUNT_OF(r->answer.extra));
    r->answer.extra[r->answer.extra_n++] = (struct field){ name, value, field_id_of(name) };
}

/* ---- the writer ---- */

static void new_line(struct answer_writer *w)
{
    buf_add_char(&w->text, '\n');
    for (unsigned i = 0; i < w->depth; i++)
        buf_add(&w->text, STR("  "));
}

static void begin_member(struct answer_writer *w, const char *key)
{
    if (w->begun)
        buf_add_char(&w->text, ',');
    if (w->depth)
        new_line(w);
    w->begun = true;
    if (key) {
        buf_add_json(&w->text, str_from(key));
        buf_add(&w->text, STR(": "));
    }
}

void answer_open(struct answer_writer *w, const char *key, char bracket)
{
    begin_member(w, key);
    buf_add_char(&w->text, bracket);
    w->depth++;
    w->begun = false;
}

void answer_close(struct answer_writer *w, char bracket)
{
    CHECK(w->depth > 0);
    w->depth--;
    if (w->begun)
        new_line(w);
    buf_add_char(&w->text, bracket);
    w->begun = true;
}

void answer_str(struct answer_writer *w, const char *key, struct str value)
{
    begin_member(w, key);
    buf_add_json(&w->text, value);
}

void answer_int(struct answer_writer *w, const char *key, int64_t value)
{
    begin_member(w, key);
    buf_printf(&w->text, "%lld", (long long)value);
}

void answer_bool(struct answer_writer *w, const char *key, bool value)
{
    begin_member(w, key);
    buf_add(&w->text, value ? STR("true") : STR("false"));
}

void answer_null(struct answer_writer *w, const char *key)
{
    begin_member(w, key);
    buf_add(&w->text, STR("null"));
}

void answer_time(struct answer_writer *w, const char *key, int64_t wall_ms)
{
    char text[32];
    answer_str(w, key, (struct str){ text, log_time_write(text, wall_ms) });
}

void answer_ratio(struct answer_writer *w, const char *key, double value)
{
    begin_member(w, key);
    buf_printf(&w->text, "%.4f", value);
}

struct str answer_finish(struct answer_writer *w, struct arena *a)
{
    CHECK(w->depth == 0);
    buf_add_char(&w->text, '\n');
    struct str text = arena_dup(a, buf_str(&w->text));
    buf_fini(&w->text);
    return text;
}
