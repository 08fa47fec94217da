/*
 * The rule of a family: which parts of a request select another page (CACHING.md §4). It has a part from
 * Netlify-Vary, one from Vary and one from No-Vary-Search. Immutable and counted: the family in the index
 * holds a reference, and so do requests and fetches. NULL is the default rule: the whole query and nothing
 * else. Any thread may call these functions.
 */
#ifndef CACHE_RULE_H
#define CACHE_RULE_H

#include <stdatomic.h>

#include "http/no_vary_search.h"

struct fields;

/* The most names of one rule, all instructions and Vary together; the most bytes of its text. Beyond:
 * RULE_INVALID. */
#define RULE_NAMES_MAX 64
#define RULE_TEXT_MAX  4096
/* The most bytes of the part of No-Vary-Search, which has names of its own, as many. Beyond: the field counts
 * for nothing. */
#define RULE_SEARCH_TEXT_MAX 2048
/* Netlify-Vary, No-Vary-Search, Vary, Content-Encoding. */
#define RULE_FIELDS_MAX 4

struct rule {
    atomic_uint refs;
    size_t bytes; /* of this allocation */
    struct str text;
    struct netlify_vary netlify; /* query_all is never set: without query_some every parameter counts */
    struct no_vary_search search;
    struct names params; /* what both say of the query (docs/decisions/057). Sorted */
    enum rule_query { RULE_QUERY_WHOLE, RULE_QUERY_LISTED, RULE_QUERY_OTHERS } query;
    struct names vary;  /* lower case, sorted, each once; without the two below */
    bool vary_encoding; /* Vary: Accept-Encoding */
    bool vary_language; /* Vary: Accept-Language */
    /* a stored response had Content-Encoding: as if Vary named Accept-Encoding */
    bool varies_encoding;
};

enum rule_result {
    RULE_OK,
    RULE_STAR,    /* Vary: * */
    RULE_INVALID, /* vary-invalid: malformed Netlify-Vary, no token in Vary, or beyond the limits */
};

/* Makes the rule that `response` brings, from the `known` one. A field that is absent inherits its part
 * (CACHING.md 4.6); that a Content-Encoding was stored stays. No-Vary-Search is a 2xx's own (4.10): `of_2xx`
 * false inherits that part, true does not, also when the field is absent or invalid. RULE_OK: *out is a new
 * reference (NULL: the default rule), to `known` itself when the two are equal. Else *out is NULL. Vary's
 * part leaves out names that never reach the origin as the visitor sent them (Host, Range, If-*, hop-by-hop).
 * The caller decides which statuses may set a rule. */
enum rule_result rule_of_response(const struct fields *response, const struct rule *known, bool of_2xx,
                                  struct arena *a, struct rule **out);

/* The same where codings are freshet's own affair (setting compress): origins are asked for none, so neither
 * Vary: Accept-Encoding nor a Content-Encoding makes a part of the rule. `stays_coded`: but this response has
 * a coding that may not or cannot be undone. Then all of the page vary, as if Vary named Accept-Encoding. */
enum rule_result rule_of_response_uncoded(const struct fields *response, const struct rule *known,
                                          bool of_2xx, bool stays_coded, struct arena *a, struct rule **out);

/* Has the response a No-Vary-Search that counts for nothing, since it is invalid? */
bool rule_search_is_invalid(const struct fields *response, struct arena *a);

/* Returns how many names of `header=` were left out because they may not be varied on: for the counted
 * warning. */
unsigned rule_headers_ignored(const struct fields *response, struct arena *a);

/* ---- NULL, the default rule, is allowed in all of these ---- */

/* Take a reference, which the caller then owns, and drop one; the last drop frees the rule. */
struct rule *rule_ref(const struct rule *r);
void rule_unref(struct rule *r);
/* Do both mean the same? */
bool rule_equal(const struct rule *a, const struct rule *b);
/* Returns how many bytes of memory it takes; 0 for the default rule. */
size_t rule_bytes(const struct rule *r);
/* Returns its canonical text: equal rules have equal texts. For keys, and for people:
 * "query=a|b,cookie=theme; vary: accept-encoding, cookie". Empty for the default rule. Lives as long as the
 * rule. */
struct str rule_text(const struct rule *r);
/* Writes the response fields that its parts came from to `out`, at most RULE_FIELDS_MAX. Returns their
 * number; 0 for the default rule. Their names are literals. Accept-Encoding may come from Vary and from
 * Content-Encoding: a field that brings it again later is not among them. */
size_t rule_fields(const struct rule *r, struct str *out);
/* Returns those fields as lines (http/lines.h), in one spelling: equal lines for rules with equal parts.
 * Empty for the default rule. In the arena. */
struct str rule_lines(const struct rule *r, struct arena *a);
/* Makes the rule that rule_lines wrote: *out is a new reference, or NULL, the default rule. false: these
 * bytes are not such lines, and *out is NULL. They may be any bytes. */
bool rule_of_lines(struct str lines, struct arena *a, struct rule **out);
/* Does r name anything that `known` does not? Then an answer under `known` would mix up pages
 * (vary-conflict). */
bool rule_names_more(const struct rule *r, const struct rule *known);

/* Does the rule name Accept-Encoding and nothing else? Such a rule asks nothing new of a request, since all
 * requests go to the origin with the value of Accept-Encoding that is in the key. */
bool rule_is_encoding_only(const struct rule *r);
/* Is any parameter of the query left out of the key? */
static inline bool rule_cuts_query(const struct rule *r)
{
    return r && r->query != RULE_QUERY_WHOLE;
}
/* Does the rule say which parameters count, so that all others are nothing to the page? */
static inline bool rule_lists_query(const struct rule *r)
{
    return r && r->query == RULE_QUERY_LISTED;
}
/* Is the normalised Accept-Encoding in the key? */
static inline bool rule_has_encoding(const struct rule *r)
{
    return r && (r->vary_encoding || r->varies_encoding);
}
/* Is the whole field (lower case) in the key, by Vary or header=? Not for Accept-Encoding and
 * Accept-Language. */
bool rule_has_field(const struct rule *r, struct str name);
/* Is the field (lower case), when Vary names it, compared line by line, as sent? true for credentials, since
 * their lines joined by commas could be read in two ways. */
bool rule_keys_lines(struct str name);

#endif
