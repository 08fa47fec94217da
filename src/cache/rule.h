/*
 * The rule of a resource: what in a request makes another page of it (CACHING.md §4). It has a part from
 * Netlify-Vary and a part from Vary, is immutable and counted, and belongs to the resource in the index;
 * requests and fetches hold references. Any thread. NULL stands for the default rule: the whole query and
 * nothing else.
 */
#ifndef CACHE_RULE_H
#define CACHE_RULE_H

#include <stdatomic.h>

#include "http/netlify_vary.h"

struct fields;

/* Names of one rule, all instructions and Vary together; bytes of its text. Beyond: RULE_INVALID. */
#define RULE_NAMES_MAX 64
#define RULE_TEXT_MAX  4096
/* Netlify-Vary, Vary, Content-Encoding */
#define RULE_FIELDS_MAX 3

struct rule {
    atomic_uint refs;
    size_t bytes; /* of this one allocation */
    struct str text;
    struct netlify_vary netlify; /* query_all is never set: it is what holds without query_some */
    struct names vary;           /* lower case, sorted, each once; without the two below */
    bool vary_encoding;          /* Vary: Accept-Encoding */
    bool vary_language;          /* Vary: Accept-Language */
    bool varies_encoding;        /* a Content-Encoding was stored: as if Vary named Accept-Encoding */
};

enum rule_result {
    RULE_OK,
    RULE_STAR,    /* Vary: * */
    RULE_INVALID, /* vary-invalid: malformed Netlify-Vary, no token in Vary, or beyond the limits */
};

/* The rule that `response` makes of the `known` one: a field that is absent inherits its part (CACHING.md
 * 4.6), and that a Content-Encoding was stored is not forgotten. *out is a new reference (NULL: the default
 * rule); it is `known` itself when the two are equal. After another result than RULE_OK *out is NULL. Names
 * that never reach the origin as the visitor sent them (Host, Range, If-*, hop-by-hop) are left out of Vary's
 * part. Which statuses may set a rule is the caller's business. */
enum rule_result rule_of_response(const struct fields *response, const struct rule *known, struct arena *a,
                                  struct rule **out);

/* How many names in `header=` were left out because they may not be varied on: for the counted warning. */
unsigned rule_headers_ignored(const struct fields *response, struct arena *a);

/* NULL is allowed in all of these. */
struct rule *rule_ref(const struct rule *r);
void rule_unref(struct rule *r);
bool rule_equal(const struct rule *a, const struct rule *b);
/* What it takes; 0 for the default rule. */
size_t rule_bytes(const struct rule *r);
/* Canonical: equal rules have equal texts. Key material, and for people: "query=a|b,cookie=theme; vary:
 * accept-encoding, cookie". Empty for the default rule. Lives as long as the rule. */
struct str rule_text(const struct rule *r);
/* The response fields that its parts were read from, in `out`, RULE_FIELDS_MAX of them at most: how many. What two fields say
 * alike stays with the one that said it first. 0 for the default rule. */
size_t rule_fields(const struct rule *r, struct str *out);
/* Does r name anything that `known` does not? Then an answer under `known` would mix up pages
 * (vary-conflict). */
bool rule_names_more(const struct rule *r, const struct rule *known);

/* Nothing but Accept-Encoding, whose key value is also what every origin is sent? */
bool rule_is_encoding_only(const struct rule *r);
/* Does the key hold the normalised Accept-Encoding? */
static inline bool rule_has_encoding(const struct rule *r)
{
    return r && (r->vary_encoding || r->varies_encoding);
}
/* Is a field (lower case) keyed whole, by Vary or by header=? Not for Accept-Encoding and Accept-Language. */
bool rule_has_field(const struct rule *r, struct str name);
/* Under Vary, is the field (lower case) compared line by line, as sent? Credentials are: their lines joined
 * by commas could be read in two ways. */
bool rule_keys_lines(struct str name);

#endif
