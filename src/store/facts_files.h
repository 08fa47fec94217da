/*
 * The files of facts in the state folder: "facts.N.db", of which the one with the highest number counts that
 * is complete; a file is complete from its first commit on. For store/facts.c alone.
 */
#ifndef STORE_FACTS_FILES_H
#define STORE_FACTS_FILES_H

#include "base/buf.h"

#define FACTS_FILES_MOST 64

/* Writes the numbers of the folder's files to `out`, the highest first. Returns how many, or a negative
 * errno. */
int facts_files(const char *folder, uint32_t out[FACTS_FILES_MOST]);
/* Writes the path of a file, with a NUL behind it, which is not counted. */
void facts_file_path(const char *folder, uint32_t number, struct buf *out);
/* Makes an empty file with mode 0600. 0 or a negative errno. */
int facts_file_make(const char *folder, uint32_t number);
/* Removes a file and what SQLite has beside it. */
void facts_file_remove(const char *folder, uint32_t number);
/* Puts a damaged file aside, as "facts.N.db.damaged", where nothing reads it. */
void facts_file_put_aside(const char *folder, uint32_t number);

#endif
