#include "conf/webhook.h"

static const struct str names[SENDER_COUNT] = {
#define SENDER(id, ...) STR_INIT(#id),
#include "tbl/senders.h"
#undef SENDER
};

static const struct webhook_scheme schemes[SENDER_COUNT] = {
#define SENDER(id, how, digest, coding, field, other, prefix, delivery)                                      \
    { WEBHOOK_##how,   WEBHOOK_##digest, WEBHOOK_##coding,  STR_INIT(field),                                 \
      STR_INIT(other), STR_INIT(prefix), STR_INIT(delivery) },
#include "tbl/senders.h"
#undef SENDER
};

enum sender webhook_sender_by_name(struct str name)
{
    enum sender s = 0;
    while (s < SENDER_COUNT && !str_eq(names[s], name))
        s++;
    return s;
}

struct str webhook_sender_name(enum sender s)
{
    CHECK(s < SENDER_COUNT);
    return names[s];
}

struct webhook_scheme webhook_scheme_of(enum sender s)
{
    CHECK(s < SENDER_COUNT);
    return schemes[s];
}
