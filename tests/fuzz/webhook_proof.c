/* A request to a webhook is good, or is refused with a sentence that has no secret in it; what is good is
 * good again, and not with another secret or another body. Input: a byte for the sender, lines of fields, an
 * empty line, the body. */
#include <string.h>

#include "admin/webhook_payload.h"
#include "admin/webhook_proof.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SECRET "dGhlLXNlY3JldC1vZi1hLWh1bmRyZWQ="

static struct webhook_proof check(const struct webhook *w, const struct fields *fields, struct str body,
                                  struct arena *a)
{
    struct webhook_proof out = { .verdict = WEBHOOK_PROOF_MALFORMED, .said = STR("no JSON") };
    struct str error;
    struct webhook_message m = { .method = STR("POST"),
                                 .target = STR("/hook?a=b c"),
                                 .fields = fields,
                                 .body = body,
                                 .now_wall_ms = 1700000000000 };
    bool member = w->scheme.how == WEBHOOK_MEMBER;
    struct json_t *parsed = member ? webhook_payload_parse(body, a, &error) : NULL;
    m.parsed = parsed;
    if (!member || parsed)
        webhook_proof_check(w, &m, a, &out);
    webhook_payload_free(parsed);
    return out;
}

static struct fields read_fields(struct str *rest, struct arena *a)
{
    struct fields fields = { 0 };
    while (rest->n && fields.n < 60) {
        struct str value = str_cut(rest, '\n');
        if (value.n == 0)
            break;
        struct str name = str_cut(&value, ':');
        fields_add(&fields, a, name, str_trim(value));
    }
    return fields;
}

static bool is_signed(const struct webhook *w)
{
    return w->scheme.how != WEBHOOK_SECRET && w->scheme.how != WEBHOOK_MEMBER;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = { (const char *)data, size };
    struct arena a;
    if (size == 0)
        return 0;
    arena_init(&a, 4096);
    struct webhook w = { .sender = data[0] % SENDER_COUNT, .secret = STR(SECRET), .window_ms = 300000 };
    w.scheme = webhook_scheme_of(w.sender);
    rest = str_from_index(rest, 1);
    struct fields fields = read_fields(&rest, &a);
    struct webhook_proof p = check(&w, &fields, rest, &a), again = check(&w, &fields, rest, &a);
    CHECK(p.verdict == again.verdict && str_eq(p.said, again.said) && str_eq(p.delivery, again.delivery));
    CHECK((p.verdict == WEBHOOK_PROOF_GOOD) == (p.said.n == 0));
    CHECK(!p.said.n || (str_is_utf8(p.said) && !memmem(p.said.p, p.said.n, SECRET, sizeof(SECRET) - 1)));
    if (p.verdict == WEBHOOK_PROOF_GOOD) {
        struct str longer = ARENA_JOIN(&a, rest, STR(" "));
        CHECK(!is_signed(&w) || check(&w, &fields, longer, &a).verdict != WEBHOOK_PROOF_GOOD);
        w.secret = STR("YW5vdGhlcg==");
        CHECK(check(&w, &fields, rest, &a).verdict != WEBHOOK_PROOF_GOOD);
    }
    arena_fini(&a);
    return 0;
}
