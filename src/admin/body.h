/*
 * JSON bodies of requests that purge: the purge API's own, and those of other caches' APIs. Strings of
 * results are in the arena. Pure.
 */
#ifndef ADMIN_BODY_H
#define ADMIN_BODY_H

#include <jansson.h>

#include "cache/purge.h"

/* Parses an object. `example`: one, for the message about an empty body. true: *out is set, and the caller
 * gives it back by json_decref. false: *error is set. Limits the nesting to 8 levels, since the parser would
 * follow them one call each; refuses duplicate members. The caller limits the bytes. */
bool body_parse(struct str body, const char *example, struct arena *a, json_t **out,
                struct purge_error *error);

/* Are more than `most` brackets inside each other, outside strings? jansson follows each by a call. */
bool body_is_too_deep(struct str json, size_t most);

/* Returns the string's text, trimmed; it lives as long as `v`. Without bytes when `v` is no string. */
struct str body_text(const json_t *v);

/* Copies a string that is not empty, trimmed. `name`: of the member, for messages. false: *error is set. */
bool body_string(const char *name, const json_t *v, struct arena *a, struct str *out,
                 struct purge_error *error);

/* Refuses a member that is none of the n known ones, names the nearest of them or all. Returns false. */
bool body_refuse_member(const char *name, const struct str *known, size_t n, struct arena *a,
                        struct purge_error *error);

/* Copies a list of strings, trimmed, at most PURGE_LIST_MAX. `name`: of the member, for messages.
 * `keep_empty`: empty ones are kept, for others to refuse; else they are left out, and a list of nothing
 * else is refused. false: *error is set. */
bool body_list(const char *name, const json_t *v, bool keep_empty, struct arena *a, struct strs *out,
               struct purge_error *error);

#endif
