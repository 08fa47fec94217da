/* Writes down fields that http/h2 gave, and checks that they are what it promises. */
#ifndef FUZZ_H2_LOG_H
#define FUZZ_H2_LOG_H

#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "http/field.h"

static inline void log_fields(struct buf *log, const struct fields *f)
{
    for (size_t i = 0; i < f->n; i++) {
        CHECK(is_token(f->v[i].name) && f->v[i].id == field_id_of(f->v[i].name));
        CHECK(str_eq(str_trim(f->v[i].value), f->v[i].value) &&
              !memchr(f->v[i].value.p, '\n', f->v[i].value.n));
        buf_printf(log, "%.*s=%.*s\n", STR_ARG(f->v[i].name), STR_ARG(f->v[i].value));
    }
}

#endif
