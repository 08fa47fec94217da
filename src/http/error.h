/*
 * What is wrong with a message: one value from tbl/errors.h, its status for a client, its word for logs and its sentence for
 * people.
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

/* 0 for HTTP_ERROR_NONE, and for what only an origin can do. */
int http_error_status(enum http_error e);
/* A token, for logs; empty for HTTP_ERROR_NONE. */
struct str http_error_word(enum http_error e);
/* Is it a limit that the message was over, and no fault of it? */
bool http_error_is_limit(enum http_error e);
/* The setting that moves this limit for an origin's answers; empty: it is no limit, or no setting does. */
struct str http_error_setting(enum http_error e);
/* For people who look after an origin: its text, and the setting when there is one; empty for HTTP_ERROR_NONE. In the arena. */
struct str http_error_for_people(enum http_error e, struct arena *a);
/* A literal, never NULL. */
const char *http_error_text(enum http_error e);

#endif
