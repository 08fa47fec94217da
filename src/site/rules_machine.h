/*
 * What the parts of the rules share. Private to site/.
 *
 *   rules.c           asking: which rules match, what they say of a request
 *   rules_change.c    what they change in requests and answers
 *   rules_prepare.c   compiling and checking them
 *   rules_ready.c     the presets
 *   headers_file.c    rules out of a file of headers
 */
#ifndef SITE_RULES_MACHINE_H
#define SITE_RULES_MACHINE_H

#include "conf/report.h"
#include "conf/setting.h"
#include "site/glob.h"
#include "site/rules.h"

#define RULES_MOST   512 /* of a site, of all sources together */
#define RULES_WORDS  (RULES_MOST / 64)
#define RULES_PROBES 8 /* bytes of the path that are looked at to leave out most rules */

enum rules_source { RULES_OF_SITE, RULES_OF_FILE, RULES_OF_PRESET };

struct rules_entry {
    const struct map_value *v; /* by enum rule_field */
    enum rules_source source;
    unsigned number; /* in its source, from 1; of a headers file: the line */
    unsigned line;
    bool asks_answer;
    unsigned parts; /* its conditions: bit 1 << enum rule_field */
};

struct rules {
    const struct site_settings *site;
    struct rules_entry *v;
    size_t n, words;
    size_t probes[RULES_PROBES]; /* positions in the path */
    /* [probe][byte][word]: the rules whose path may have that byte there. Behind the path's end it is 0. */
    uint64_t *may;
    /* Those that each request is asked about: those that do something to it, and `keyed`: those that a
     * header, a cookie or a query parameter decides and that may change the page. */
    uint64_t asked[RULES_WORDS], keyed[RULES_WORDS];
    uint64_t by_cookie[RULES_WORDS]; /* those of which none matches without a cookie */
    uint64_t changes[RULES_WORDS];   /* those that change a request or an answer */
    uint64_t hash;                   /* of all that they say: the numbers of others mean something else */
    bool may_end; /* what one sets may have to be undone, when a 304 changes what it asks of the answer */
};

/* Splits "NAME: VALUE" or "NAME=VALUE". Returns the name. *value: without p when there is no separator. */
struct str rules_split(struct str s, char separator, struct str *value);

/* Does the rule's part about path, host and method match? *captures is set when the result is true. */
bool rules_match_place(const struct rules *rules, size_t rule, const struct rules_request *q,
                       struct glob_captures *captures);
/* Does a list of paths? *captures as above; it stays as it is when only "!" entries decide. */
bool rules_path_matches(const struct strs *list, struct str path, struct glob_captures *captures);
/* Does its part about headers, cookies and query parameters? */
bool rules_match_visitor(const struct rules *rules, size_t rule, const struct rules_request *q);
/* Does its part about the answer? */
bool rules_match_answer(const struct rules *rules, size_t rule, int status, const struct fields *fields);
/* Does the list, in which "!" begins what must not match, hold for what `one` compares a pattern with? */
bool rules_list_matches(const struct strs *list, bool (*one)(struct str pattern, const void *ctx),
                        const void *ctx);
/* Leaves those rules of `some`, rules->words words of bits, that may match the path. */
void rules_candidates(const struct rules *rules, struct str path, uint64_t *some);
/* Fills in {1} to {9}. `plain`: what separates tags is percent-encoded. */
struct str rules_expand(struct str text, const struct glob_captures *c, bool plain, struct arena *a);

/* Returns the ready rules of a preset; n 0: none. In the arena. */
struct maps rules_of_preset(int preset, struct arena *a);
struct str rules_preset_name(int preset);
/* Reads a headers file (docs/RULES.md). Problems are reported with their lines; what has one is left out. */
struct maps rules_of_headers_file(struct str text, struct arena *a, struct report *r);

#endif
