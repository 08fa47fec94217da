#include "http/status.h"

struct str status_reason(int status)
{
    switch (status) {
#define STATUS(code, phrase)                                                                                 \
    case code:                                                                                               \
        return STR(phrase);
#include "tbl/statuses.h"
#undef STATUS
    default: return STR_NONE;
    }
}
