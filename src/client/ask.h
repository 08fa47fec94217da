/* One question to the admin listener over HTTP/1.1, and its answer. Main thread. */
#ifndef CLIENT_ASK_H
#define CLIENT_ASK_H

#include <jansson.h>

#include "client/door.h"
#include "http/head.h"

/* Asks the admin listener at `d` (door_find) and blocks until the answer is whole: d->timeout_ms (10 s) and
 * 8 MiB at most. `method` is GET, POST or DELETE. `body` is the JSON of a POST; it is empty for the others.
 * Returns CLIENT_DONE when the status is 2xx: then *answer is the answer's JSON object, which the caller
 * gives back by json_decref, and its bytes are appended to `text` (NULL: not wanted). Any other code: *answer
 * and `text` are unchanged, and standard error says what went wrong and what to do. */
int ask_admin(struct door *d, enum method method, struct str target, struct str body, json_t **answer,
              struct buf *text);

/* Appends a value of a query: everything but unreserved characters is percent-encoded (RFC 3986 §2.3). */
void ask_add_encoded(struct buf *target, struct str value);

#endif
