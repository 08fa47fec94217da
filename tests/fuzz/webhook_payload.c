/* A template is refused, or says the same when it is parsed again; what a payload makes of it is text that a
 * purge can hold, within the limits, and without a path it is the template itself. Input: a template, a line
 * break, the payload. */
#include <jansson.h>

#include "admin/webhook_payload.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_template(const struct template *t, struct str text)
{
    CHECK(str_eq(t->text, text) && t->n <= TEMPLATE_PATHS_MAX + 1);
    size_t bytes = 0;
    for (size_t i = 0; i < t->n; i++) {
        const struct template_piece *p = &t->pieces[i];
        bytes += p->literal.n + (p->steps_n ? p->path.n + 2 : 0);
        CHECK(p->steps_n <= TEMPLATE_STEPS_MAX && (p->steps_n > 0 || i + 1 == t->n));
    }
    CHECK(bytes == text.n);
}

static void check_filled(const struct webhook *w, const struct webhook_filled *f)
{
    size_t bytes = 0;
    CHECK(f->tags.n <= PURGE_LIST_MAX && f->urls.n == 0);
    for (size_t i = 0; i < f->tags.n; i++) {
        CHECK(f->tags.v[i].n > 0 && f->tags.v[i].n <= WEBHOOK_TEXT_MAX);
        bytes += f->tags.v[i].n;
    }
    CHECK(bytes <= WEBHOOK_TEXTS_BYTES);
    CHECK(f->missed.n <= f->missed_n && f->missed.n <= WEBHOOK_MISSED_MAX);
    if (w->tags->n == 1 && w->tags->pieces[0].steps_n == 0)
        CHECK(f->tags.n == 1 && f->missed_n == 0 && str_eq(f->tags.v[0], w->tags->text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = { (const char *)data, size }, text = str_cut(&rest, '\n'), error = STR_NONE;
    struct template t;
    struct webhook_filled filled;
    struct arena a;
    arena_init(&a, 4096);
    const char *wrong = template_parse(text, &a, &t);
    if (!wrong) {
        check_template(&t, text);
        struct webhook w = { .sender = SENDER_sanity, .tags = &t, .tags_n = 1 };
        struct json_t *payload = webhook_payload_parse(rest, &a, &error);
        CHECK(payload || error.n);
        if (payload && webhook_payload_fill(&w, payload, &a, &filled, &error))
            check_filled(&w, &filled);
        webhook_payload_free(payload);
    }
    arena_fini(&a);
    return 0;
}
