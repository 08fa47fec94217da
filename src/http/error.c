#include "http/error.h"

#include "base/check.h"

static const struct {
    int status;
    struct str word, limit;
    const char *text;
} errors[HTTP_ERROR_COUNT] = {
#define ERROR(id, status, word, limit, text) { status, STR_INIT(word), STR_INIT(limit), text },
#include "tbl/errors.h"
#undef ERROR
};

int http_error_status(enum http_error e)
{
    CHECK((unsigned)e < COUNT_OF(errors));
    return errors[e].status;
}

struct str http_error_word(enum http_error e)
{
    CHECK((unsigned)e < COUNT_OF(errors));
    return errors[e].word;
}

bool http_error_is_limit(enum http_error e)
{
    CHECK((unsigned)e < COUNT_OF(errors));
    return errors[e].limit.n > 0;
}

struct str http_error_setting(enum http_error e)
{
    static const struct str none = STR_INIT("-");
    CHECK((unsigned)e < COUNT_OF(errors));
    return str_eq(errors[e].limit, none) ? STR_NONE : errors[e].limit;
}

const char *http_error_text(enum http_error e)
{
    CHECK((unsigned)e < COUNT_OF(errors));
    return errors[e].text;
}

struct str http_error_for_people(enum http_error e, struct arena *a)
{
    struct str setting = http_error_setting(e);
    if (e == HTTP_ERROR_NONE)
        return STR_NONE;
    if (setting.n == 0)
        return str_from(http_error_text(e));
    return arena_printf(a, "%s (setting %.*s)", http_error_text(e), STR_ARG(setting));
}
