/*
 * The purge APIs of Fastly, Cloudflare and Vercel on the admin listener (docs/PURGING.md): what their
 * clients send becomes a struct purge, and they get the answers that they check. What is not understood is
 * an error in the form of the API that was asked.
 */
#ifndef ADMIN_FOREIGN_H
#define ADMIN_FOREIGN_H

#include "admin/admin.h"

enum foreign_api { FOREIGN_NONE, FOREIGN_FASTLY, FOREIGN_CLOUDFLARE, FOREIGN_VERCEL };

struct foreign_request {
    struct str target; /* in origin-form, as it came: path and query */
    const struct fields *fields;
    struct str body;
    const struct settings *settings;
};

struct foreign_purge {
    struct purge purge;
    struct str id; /* of the site, as the client names it */
    bool each_key; /* the answer has a member for each tag */
};

/* Returns the API whose path it is. Pure. */
enum foreign_api foreign_of(struct str path);

/* Reads a purge. true: *out is set; the caller still has to call purge_check. false: *error is set. Pure;
 * results are in the arena, or views of the request. */
bool foreign_read(enum foreign_api api, const struct foreign_request *r, struct arena *a,
                  struct foreign_purge *out, struct purge_error *error);

/* Makes r->answer to the API of its path. `rights`: of the token that it came with, in the field of this API
 * or in Authorization. On the request's worker. */
void foreign_answer(struct admin *a, struct request *r, struct str body, const struct token_rights *rights);
/* Makes r->answer an error in the form of the API of its path. */
void foreign_refuse(struct request *r, int status, struct str text);

#endif
