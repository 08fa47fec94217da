/*
 * /api/v1/tokens: makes, lists and revokes tokens (docs/ADMIN.md), for who has the scope admin and all sites.
 */
#ifndef ADMIN_TOKEN_API_H
#define ADMIN_TOKEN_API_H

#include "admin/admin.h"

/* Reads the JSON body of a new token. true: *out is set, but for its hash; the sites are in the settings.
 * false: *error is set. Refuses members and values that it does not know. Pure. */
bool token_api_parse(struct str body, const struct settings *settings, struct now now, struct arena *a,
                     struct token *out, struct purge_error *error);

/* Make r->answer. A new token is answered when it is on disk; when that fails, or its client is gone by then,
 * it is revoked. On the request's worker. */
void token_api_create(struct admin *a, struct request *r, const struct token_rights *by, struct str body);
void token_api_list(struct admin *a, struct request *r);
void token_api_revoke(struct admin *a, struct request *r, const struct token_rights *by);

#endif
