#include "conf/shape.h"

#include "conf/columns.h"
#include "conf/setting.h"

#define ENTRY_FIELD(type_, name_, least_, most_, text_)                                                      \
    {                                                                                                        \
        .type = TYPE_##type_,                                                                                \
        .name = STR_INIT(#name_),                                                                            \
        .least = LEAST_##type_(least_),                                                                      \
        .most = MOST_##type_(most_),                                                                         \
        .words = WORDS_##type_(most_),                                                                       \
        .form = FORM_OF_##type_(least_),                                                                     \
        .needed = NEEDED_##type_(most_),                                                                     \
        .text = STR_INIT(text_),                                                                             \
    },

static const struct setting rule_fields[] = {
#include "tbl/rule_fields.h"
};

static const struct setting webhook_fields[] = {
#include "tbl/webhook_fields.h"
};

static const struct setting origin_fields[] = {
#include "tbl/origin_fields.h"
};

static const struct setting health_fields[] = {
#include "tbl/health_fields.h"
};
#undef ENTRY_FIELD

const struct shape shape_table[SHAPE_COUNT] = {
    [SHAPE_RULE] = { STR_INIT("rule"), rule_fields, COUNT_OF(rule_fields) },
    [SHAPE_WEBHOOK] = { STR_INIT("webhook"), webhook_fields, COUNT_OF(webhook_fields) },
    [SHAPE_ORIGIN] = { STR_INIT("origin"), origin_fields, COUNT_OF(origin_fields) },
    [SHAPE_HEALTH] = { STR_INIT("health"), health_fields, COUNT_OF(health_fields) },
};
