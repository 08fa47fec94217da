#include "front/front.h"

#include "front/h1.h"

struct front *front_new(struct requests *requests)
{
    return h1_front_new(requests);
}

void front_began(struct front *f)
{
    f->open++;
    count_add(f->requests->counters, COUNTER_CONNECTIONS_OPEN, 1);
    count(f->requests->counters, COUNTER_CONNECTIONS_ACCEPTED);
}

void front_ended(struct front *f, const struct address *peer)
{
    CHECK(f->open > 0);
    f->open--;
    count_add(f->requests->counters, COUNTER_CONNECTIONS_OPEN, -1);
    if (f->closed)
        f->closed(f, peer);
}
