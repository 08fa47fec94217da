/*
 * The payload of a webhook: JSON, and the templates that are filled from it (conf/template.h). What a payload
 * does not have is said, never guessed. Pure; any thread.
 */
#ifndef ADMIN_WEBHOOK_PAYLOAD_H
#define ADMIN_WEBHOOK_PAYLOAD_H

#include "cache/purge.h"
#include "conf/webhook.h"

struct json_t;

#define WEBHOOK_DEPTH_MAX   64                /* brackets inside each other */
#define WEBHOOK_TEXT_MAX    8192              /* bytes of one filled template */
#define WEBHOOK_TEXTS_BYTES ((size_t)1 << 20) /* of all filled templates of a delivery */
#define WEBHOOK_MISSED_MAX  10                /* sentences about what is missing */

/* Parses the body, softly (admin/soften.h). NULL: it is not good JSON, or too deep; *error says why, in the
 * arena. The caller gives it back by webhook_payload_free, which takes NULL too. */
struct json_t *webhook_payload_parse(struct str body, struct arena *a, struct str *error);
void webhook_payload_free(struct json_t *payload);

/* A value as text. `missing`: NULL, or why there is none, the end of a sentence; a literal. */
struct webhook_text {
    struct str value;
    const char *missing;
};
/* Finds the value at a PATH of names with dots between them. The value is in the payload or the arena. */
void webhook_payload_at(const struct json_t *payload, struct str path, struct arena *a,
                        struct webhook_text *out);

/* What the payload makes of a webhook's templates. */
struct webhook_filled {
    struct strs tags, urls; /* in the arena */
    struct strs missed;     /* sentences: what is left out, and why; at most WEBHOOK_MISSED_MAX */
    size_t missed_n;        /* how many there would be */
};
/* Fills all templates. A template with [] becomes a text for each member; two [] behind the same PATH stand
 * for the same member. false: there would be too many or too long texts, and *error says so. */
bool webhook_payload_fill(const struct webhook *w, const struct json_t *payload, struct arena *a,
                          struct webhook_filled *out, struct str *error);
/* Adds a sentence about what is left out, unless it was said. */
void webhook_payload_miss(struct webhook_filled *out, struct str said);

#endif
