#include "cache/reason.h"

#include "base/check.h"

static const struct {
    struct str detail, sentence;
    enum waiters waiters;
    enum mark_effect mark;
} reasons[REASON_COUNT] = {
#define REASON(id, detail, waiters, mark, sentence)                                                          \
    { STR_INIT(detail), STR_INIT(sentence), WAITERS_##waiters, MARK_##mark },
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

enum waiters reason_waiters(enum reason r)
{
    CHECK((unsigned)r < REASON_COUNT);
    return reasons[r].waiters;
}

enum mark_effect reason_mark(enum reason r)
{
    CHECK((unsigned)r < REASON_COUNT);
    return reasons[r].mark;
}
