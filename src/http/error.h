/*
 * What is wrong with a message: one value from tbl/errors.h, its status for a client and its sentence for people.
 */
#ifndef HTTP_ERROR_H
#define HTTP_ERROR_H

enum http_error {
#define ERROR(id, status, text) HTTP_ERROR_##id,
#include "tbl/errors.h"
#undef ERROR
    HTTP_ERROR_COUNT
};

/* 0 for HTTP_ERROR_NONE. */
int http_error_status(enum http_error e);
/* A literal, never NULL. */
const char *http_error_text(enum http_error e);

#endif
