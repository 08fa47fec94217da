/*
 * Writes the documents that are made from tbl/settings.h, so that they always say what the program does.
 * tools/document calls these functions; a unit test compares the committed files. Any thread; pure.
 */
#ifndef CONF_DOCUMENT_H
#define CONF_DOCUMENT_H

#include "base/buf.h"

/* Appends docs/CONFIGURATION.md. */
void document_configuration(struct buf *out);
/* Appends freshet.example.yaml: a file that works. Each setting stands in it with its default behind a '#';
 * text stands behind a '#' and exactly one space. */
void document_example(struct buf *out);

#endif
