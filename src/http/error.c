#include "http/error.h"

#include "base/check.h"

int http_error_status(enum http_error e)
{
    static const int status[] = {
#define ERROR(id, code, text) code,
#include "tbl/errors.h"
#undef ERROR
    };
    CHECK((unsigned)e < COUNT_OF(status));
    return status[e];
}

const char *http_error_text(enum http_error e)
{
    static const char *const text[] = {
#define ERROR(id, code, words) words,
#include "tbl/errors.h"
#undef ERROR
    };
    CHECK((unsigned)e < COUNT_OF(text));
    return text[e];
}
