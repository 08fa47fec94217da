/*
 * POST /api/v1/deploy: a deploy (deploy/deploy.h) as a request that waits for it. The body's JSON says what
 * is wanted; the answer comes when the deploy is live, or says why nothing has changed. When the client
 * leaves before, the deploy is given up. On the worker with the admin listener.
 */
#ifndef ADMIN_DEPLOY_H
#define ADMIN_DEPLOY_H

#include "admin/admin.h"

/* Reads the JSON body of a deploy. true: *out is set; its strings are in the arena or in the settings. false:
 * *error is set. Refuses members and values that it does not know. Without a site it is for the only one, or
 * for the only one of the token. Pure. */
bool deploy_parse(struct str body, const struct settings *settings, const struct token_rights *rights,
                  struct arena *a, struct deploy_plan *out, struct purge_error *error);

/* Starts the deploy that `body` asks for, or makes r->answer with what is wrong. true: it was started, and
 * fills the request's object `o` later. `rights`: of the token that asks. */
bool deploy_answer(struct admin *a, struct request *r, const struct token_rights *rights, struct object *o,
                   struct str body);
/* The request does not wait any more. Does nothing when it has no deploy. */
void deploy_leave(struct admin *a, struct request *r);

/* Writes what status says of a site's deploys. */
void deploy_write(struct admin *a, struct str site, struct answer_writer *w);

#endif
