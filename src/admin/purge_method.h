/*
 * PURGE, BAN, PURGEKEYS and PURGETAGS, and GET below the setting purge_path, answered (docs/PURGING.md): on
 * a site's own listener for the networks of the setting purge_from, on the admin listener for its tokens.
 * None of them ever reaches an origin. admin/dialect.h says how they are read.
 */
#ifndef ADMIN_PURGE_METHOD_H
#define ADMIN_PURGE_METHOD_H

#include "admin/admin.h"

/* Makes the purge that the request asks for, and r->answer: 200 with a sentence, 405 (GET: 403) for a
 * stranger, 400 for what is not understood, 404 for a host of no site. `rights`: on the admin listener, those
 * of its token; NULL on a site's own. On the request's worker. */
void purge_method_answer(struct admin *a, struct request *r, const struct token_rights *rights);
/* Makes r->answer when the request comes from a stranger, before its body is taken. false: it does not. */
bool purge_method_refuse_head(struct admin *a, struct request *r);

#endif
