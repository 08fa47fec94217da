/*
 * What is wrong with a message: one value of tbl/errors.h. For each: a status for the client, a word for
 * logs, a sentence for people. Pure; any thread. Results are literals, unless an arena is given.
 */
#ifndef HTTP_ERROR_H
#define HTTP_ERROR_H

#include "base/arena.h"

enum http_error {
#define ERROR(id, status, word, limit, text) HTTP_ERROR_##id,
#include "tbl/errors.h"
#undef ERROR
    HTTP_ERROR_COUNT
};

/* Returns the status for a client that sent such a message. 0: HTTP_ERROR_NONE, or an error that only an
 * origin can make. */
int http_error_status(enum http_error e);
/* Returns a token, for logs. Empty for HTTP_ERROR_NONE. */
struct str http_error_word(enum http_error e);
/* Was the message over a limit of freshet's, and well-formed otherwise? */
bool http_error_is_limit(enum http_error e);
/* Returns the setting that raises this limit for an origin's answers. Empty: it is no limit, or no setting
 * raises it. */
struct str http_error_setting(enum http_error e);
/* Returns the text, and the setting when there is one, for people who look after an origin. Empty for
 * HTTP_ERROR_NONE. In the arena. */
struct str http_error_for_people(enum http_error e, struct arena *a);
/* Returns the text of tbl/errors.h, for people. Never NULL. */
const char *http_error_text(enum http_error e);

#endif
