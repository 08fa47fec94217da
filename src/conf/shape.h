/*
 * Shapes: the fields that an entry of a MAPS setting may have (`rules:`, `webhooks:`). A field is described
 * as a setting is, with type, form and limits, so its value is parsed, checked and compared by conf/value.
 * Constant; any thread.
 */
#ifndef CONF_SHAPE_H
#define CONF_SHAPE_H

#include "conf/settings.h"

struct setting;

enum shape_id { SHAPE_RULE, SHAPE_WEBHOOK, SHAPE_ORIGIN, SHAPE_HEALTH, SHAPE_COUNT };

/* The fields of a rule, by number. */
enum rule_field {
#define ENTRY_FIELD(type, name, ...) RULE_##name,
#include "tbl/rule_fields.h"
#undef ENTRY_FIELD
    RULE_FIELD_COUNT
};

/* The fields of a webhook, by number. */
enum webhook_field {
#define ENTRY_FIELD(type, name, ...) WEBHOOK_FIELD_##name,
#include "tbl/webhook_fields.h"
#undef ENTRY_FIELD
    WEBHOOK_FIELD_COUNT
};

/* The fields of an origin, by number. */
enum origin_field {
#define ENTRY_FIELD(type, name, ...) ORIGIN_FIELD_##name,
#include "tbl/origin_fields.h"
#undef ENTRY_FIELD
    ORIGIN_FIELD_COUNT
};

/* The fields of active checks, by number. */
enum health_field {
#define ENTRY_FIELD(type, name, ...) HEALTH_FIELD_##name,
#include "tbl/health_fields.h"
#undef ENTRY_FIELD
    HEALTH_FIELD_COUNT
};

struct shape {
    struct str one;               /* what messages call one entry: "rule" */
    const struct setting *fields; /* their scope, default, class and offset mean nothing */
    size_t n;
};

extern const struct shape shape_table[SHAPE_COUNT];

#endif
