#include "cache/reason.h"

#include "base/check.h"

static const struct {
    struct str detail, sentence;
} reasons[REASON_COUNT] = {
#define REASON(id, detail, sentence) { STR_INIT(detail), STR_INIT(sentence) },
#include "tbl/reasons.h"
#undef REASON
};

struct str reason_detail(enum reason r)
{
    CHECK((unsigned)r < REASON_COUNT);
    return reasons[r].detail;
}

struct str reason_sentence(enum reason r)
{
    CHECK((unsigned)r < REASON_COUNT);
    return reasons[r].sentence;
}
