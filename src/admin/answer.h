/*
 * Answers of the admin site: puts them into the request, and writes their JSON. On the request's worker.
 */
#ifndef ADMIN_ANSWER_H
#define ADMIN_ANSWER_H

#include "request/request.h"

/* Answer with `body`, which is in the request's arena or a literal: answer_json as JSON, answer_text as plain
 * text. */
void answer_json(struct request *r, int status, struct str body);
void answer_text(struct request *r, int status, struct str body);
/* Answers {"code": status, "message": "..."}: what is wrong, and what to do. A stranger's bytes in it come
 * out as JSON text. Cuts the message at 1023 bytes. */
__attribute__((format(printf, 3, 4))) void answer_error(struct request *r, int status, const char *fmt, ...);
/* Adds a header field to the answer. `name` and `value` are in the request's arena or literals. At most 4
 * for an answer. */
void answer_field(struct request *r, struct str name, struct str value);

/* Writes a JSON text, laid out for people. `key`: the name of an object's member; NULL inside an array and at
 * the top. Zero the struct before its first use. */
struct answer_writer {
    struct buf text;
    unsigned depth;
    bool begun; /* the innermost object or array has a member */
};

/* Begin and end an object or array. */
void answer_open(struct answer_writer *w, const char *key, char bracket); /* '{' or '[' */
void answer_close(struct answer_writer *w, char bracket);                 /* '}' or ']' */
/* Write a member: a string, a number, a boolean, null. */
void answer_str(struct answer_writer *w, const char *key, struct str value);
void answer_int(struct answer_writer *w, const char *key, int64_t value);
void answer_bool(struct answer_writer *w, const char *key, bool value);
void answer_null(struct answer_writer *w, const char *key);
/* Writes a time like "2026-11-22T19:06:00.123Z". */
void answer_time(struct answer_writer *w, const char *key, int64_t wall_ms);
/* Writes a number with four digits behind the point. */
void answer_ratio(struct answer_writer *w, const char *key, double value);
/* Returns the text in the arena; everything is closed. Frees the writer's memory. */
struct str answer_finish(struct answer_writer *w, struct arena *a);

#endif
