#include "request/page.h"

#include "http/status.h"

const struct field page_allow = { STR_INIT("Allow"), STR_INIT("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"),
                                  FIELD_OTHER };

static struct response *make_response(struct request *r, const struct answer_page *page)
{
    struct fields fields = { 0 };
    struct str type = page->content_type.n ? page->content_type : STR("text/plain; charset=utf-8");
    fields_add_id(&fields, &r->arena, FIELD_CONTENT_TYPE, type);
    fields_add_id(&fields, &r->arena, FIELD_CACHE_CONTROL, STR("no-store"));
    for (unsigned i = 0; i < page->extra_n; i++)
        fields_add_line(&fields, &r->arena, page->extra[i]);
    return response_new(&r->w->cache->memory, &(struct response_plan){
                                                  .status = page->status,
                                                  .fields = &fields,
                                                  .received_wall_ms = r->w->loop->now.wall_ms,
                                                  .declared_length = (int64_t)page->body.n,
                                              });
}

static struct body *make_body(struct request *r, struct str text)
{
    struct body *body = body_new(&r->w->cache->memory, text.n);
    body_pass(body); /* it is not kept: the budget of what is cached does not pay for it */
    if (body_append(body, text) == text.n)
        return body;
    body_unref(body);
    return NULL;
}

void page_fill(struct request *r, struct object *o)
{
    const struct answer_page *page = &r->answer;
    struct response *response = make_response(r, page);
    struct body *body = page->body.n ? make_body(r, page->body) : NULL;
    struct verdict verdict = { .store = false };
    object_set_head(o, &(struct object_head){ .response = &response,
                                              .body = &body,
                                              .verdict = &verdict,
                                              .received_mono_ms = r->w->loop->now.mono_ms,
                                              .fetched_status = page->status });
    object_seal(o, false);
}

void page_of_error(struct request *r)
{
    struct arena *a = &r->arena;
    struct answer_page *page = &r->answer;
    const char *what = r->refused ? http_error_text(r->refused) : reason_sentence(r->reason).p;
    *page = (struct answer_page){ .status = r->status };
    char first =
        is_alpha(what[0]) ? (char)(what[0] & ~0x20) : what[0]; /* a sentence, as decision 019 has it */
    page->body = arena_printf(a, "%d %.*s\n\n%c%s.\nRequest %.*s\n", r->status,
                              STR_ARG(status_reason(r->status)), first, what + 1, STR_ARG(request_id(r)));
    if (r->status == 503)
        page->extra[page->extra_n++] =
            (struct field){ field_name(FIELD_RETRY_AFTER), STR("5"), FIELD_RETRY_AFTER };
    if (r->status == 405)
        page->extra[page->extra_n++] = page_allow;
}
