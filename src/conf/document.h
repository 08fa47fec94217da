/*
 * The documents that are made of tbl/settings.h, so that they cannot say something else than the program does. Written by
 * tools/document; a unit test holds the committed files against them.
 */
#ifndef CONF_DOCUMENT_H
#define CONF_DOCUMENT_H

#include "base/buf.h"

/* docs/CONFIGURATION.md. */
void document_configuration(struct buf *out);
/* freshet.example.yaml: a file that works; each setting stands in it at its default behind a '#'. Text stands behind a '#'
 * and exactly one space. */
void document_example(struct buf *out);

#endif
