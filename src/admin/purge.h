/*
 * POST /api/v1/purge: what npm's @netlify/functions sends as purgeCache(), and freshet's own additions. Three steps: the body
 * becomes a struct (pure), the struct becomes names of epochs, the names are purged in one go.
 */
#ifndef ADMIN_PURGE_H
#define ADMIN_PURGE_H

#include "admin/admin.h"

/* Of one request: cache_tags and urls each. */
#define PURGE_LIST_MAX 10000

/* What was asked for. Strings are in the arena. */
struct purge_ask {
    struct str site;         /* site_id or site_slug; empty: not named */
    struct str domain;       /* empty: not named */
    bool has_tags, has_urls; /* the list is there, though it may be empty */
    struct strs tags, urls;
    bool soft;
};

/* What it means. */
struct purge_plan {
    const uint64_t *names; /* of epochs */
    size_t n;              /* 0: nothing is to be purged */
    struct str what;       /* for people: "site default: tags book-1, books (soft)", at most 199 bytes */
};

/* Of a refusal: the status of the answer, and a sentence that names the field and says what to do. */
struct purge_error {
    int status;
    struct str text;
};

/* false: *error is set. Bounded in depth and size, duplicate and unknown members are refused: a misspelt "cache_tags" must not purge
 * a whole site. */
bool purge_parse(struct str body, struct arena *a, struct purge_ask *out, struct purge_error *error);
/* Asks the index for the rules of URLs with a query. false: *error is set. */
bool purge_translate(const struct purge_ask *ask, const struct settings *settings, struct cache *c,
                     struct arena *a, struct purge_plan *out, struct purge_error *error);

void purge_answer(struct admin *a, struct request *r, struct str body);

#endif
