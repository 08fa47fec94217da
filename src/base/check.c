#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void check_failed(const char *expr, const char *file, int line)
{
    fprintf(stderr, "freshet: bug: check failed: %s (%s:%d). Please report this with the lines above.\n",
            expr, file, line);
    abort();
}
