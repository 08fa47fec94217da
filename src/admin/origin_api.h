/*
 * What the admin listener answers about origins: which there are and how they do, and that one is drained, so
 * that it gets nothing new (docs/ORIGINS.md). On the request's worker.
 */
#ifndef ADMIN_ORIGIN_API_H
#define ADMIN_ORIGIN_API_H

#include "admin/admin.h"
#include "admin/answer.h"

/* The fact that holds the drained ones: origins_write_drained. */
#define ORIGIN_API_DRAINED STR("drained origins")

/* GET: answers with the origins of the sites that the token may see. */
void origin_api_list(struct admin *a, struct request *r, const struct token_rights *rights);
/* POST {"origin": URL, "force": BOOL}: drains an origin, or undoes it. */
void origin_api_drain(struct admin *a, struct request *r, const struct token_rights *by, bool drained,
                      struct str body);
/* Writes the members of each origin of a site, as an array `key`. For status and explain, too. */
void origin_api_write(struct admin *a, const struct site_settings *site, const char *key,
                      struct answer_writer *w);

#endif
