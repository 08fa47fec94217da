/* 206: one range, or several in one body. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "world_visitor.h"

struct part {
    size_t first, last, whole;
};

static bool read_range(const char *text, struct part *p)
{
    return text && sscanf(text, "bytes %zu-%zu/%zu", &p->first, &p->last, &p->whole) == 3 &&
           p->first <= p->last && p->last < p->whole;
}

/* Which fetch, and how long it is, the ETag says. */
static void check_part(const struct visitor *v, const struct part *p, unsigned fetch, const char *bytes,
                       const char *how)
{
    const struct fetch *f = model_find(fetch);
    if (f && p->whole != f->bytes)
        sim_fail("request %u for %s: a part of %zu bytes, and fetch %u has %zu", v->r.number, v->r.page->path,
                 p->whole, fetch, f->bytes);
    model_check_part(&v->r, fetch, p->first, bytes, p->last - p->first + 1, how);
}

static bool is_wanted(const struct request *r, const struct part *p)
{
    size_t last = r->range_last < p->whole ? r->range_last : p->whole - 1;
    return (p->first == r->range_first && p->last == last) || (r->several && p->first == 0 && p->last == 0);
}

static void wrong(const struct visitor *v, const char *what)
{
    sim_fail("request %u for %s: a 206, and %s", v->r.number, v->r.page->path, what);
}

/* Returns the end of a part's bytes; NULL: there is no part. */
static const char *judge_part(struct visitor *v, const char *at, const char *dashes, unsigned fetch,
                              const char *how)
{
    struct part p;
    char value[128], head[1024];
    const char *end = memmem(at, (size_t)(v->body + v->n - at), "\r\n\r\n", 4);
    if (!end || strncmp(at, dashes, strlen(dashes)) != 0 || (size_t)(end - at) > sizeof(head) - 8)
        return NULL;
    snprintf(head, sizeof(head), "%.*s\r\n", (int)(end - at), at);
    if (!read_range(head_field(head, "Content-Range", value, sizeof(value)), &p) || !is_wanted(&v->r, &p))
        wrong(v, "a part of it was not asked for");
    const char *bytes = end + 4;
    if ((size_t)(v->body + v->n - bytes) < p.last - p.first + 1)
        wrong(v, "a part of it is too short");
    check_part(v, &p, fetch, bytes, how);
    return bytes + (p.last - p.first + 1);
}

static void judge_several(struct visitor *v, const char *type, unsigned fetch, const char *how)
{
    char dashes[128];
    const char *boundary = strstr(type, "boundary=");
    if (!boundary)
        wrong(v, "no boundary");
    snprintf(dashes, sizeof(dashes), "\r\n--%.100s", boundary + strlen("boundary="));
    const char *at = judge_part(v, v->body, dashes + 2, fetch, how);
    if (at)
        at = judge_part(v, at, dashes, fetch, how);
    size_t left = at ? (size_t)(v->body + v->n - at) : 0;
    if (!at || left != strlen(dashes) + 4 || memcmp(at, dashes, strlen(dashes)) != 0 ||
        memcmp(at + strlen(dashes), "--\r\n", 4) != 0)
        wrong(v, "its parts are not two");
}

void parts_judge(struct visitor *v, const char *head, const char *how)
{
    struct part p;
    char type[160], value[128], tag[64];
    const char *etag = head_field(head, "ETag", tag, sizeof(tag));
    unsigned fetch = etag && strncmp(etag, "\"f", 2) == 0 ? (unsigned)strtoul(etag + 2, NULL, 10) : 0;
    if (!v->r.range_last)
        wrong(v, "the whole was asked for");
    if (head_field(head, "Content-Encoding", value, sizeof(value)))
        wrong(v, "it has a coding");
    figures.parts++;
    if (head_field(head, "Content-Type", type, sizeof(type)) && strncmp(type, "multipart/", 10) == 0) {
        if (!v->r.several)
            wrong(v, "it has several parts");
        judge_several(v, type, fetch, how);
        return;
    }
    if (!read_range(head_field(head, "Content-Range", value, sizeof(value)), &p) || !is_wanted(&v->r, &p))
        wrong(v, "it was not asked for");
    if (v->n != p.last - p.first + 1)
        wrong(v, "it has another length");
    check_part(v, &p, fetch, v->body, how);
}
