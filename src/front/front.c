#include "front/front.h"

#include "front/h1.h"

struct front *front_new(struct requests *requests)
{
    return h1_front_new(requests);
}

void front_count(struct front *f, int change)
{
    CHECK(change == 1 || (change == -1 && f->open > 0));
    f->open += (size_t)change;
    count_add(f->requests->counters, COUNTER_CONNECTIONS_OPEN, change);
    if (change > 0)
        count(f->requests->counters, COUNTER_CONNECTIONS_ACCEPTED);
    else if (f->closed)
        f->closed(f);
}
