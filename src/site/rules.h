/*
 * The rules of a site, for what its app does not say (docs/RULES.md): those of `rules:`, then those of its
 * headers_file, then those of its preset. Of each action the first rule that matches counts; each header,
 * cookie and tag is an action of its own. Compiled when the settings are read; then constant, for any thread.
 */
#ifndef SITE_RULES_H
#define SITE_RULES_H

#include "conf/settings.h"
#include "http/field.h"

struct rules;

/* What rules ask of a request. */
struct rules_request {
    struct str path;  /* by rules_path, of the normalised one */
    struct str host;  /* lower case, no port */
    struct str query; /* as it came; empty: none */
    struct str method;
    const struct fields *fields;
    bool https;
};

#define RULES_NONE SIZE_MAX

/* What they say about it. */
struct rules_said {
    size_t bypass, redirect, is_static; /* the number of the rule, or RULES_NONE */
    /* Which rules with a header, cookie or query matched, of those that may change the page, and a hash of
     * all rules: part of its key. Empty: none matched. In the arena. */
    struct str key;
    bool changes; /* there may be something to change in the request */
};

/* Compiles the rules of every site, into the arena of `s`. Call it before anybody else has the settings.
 * false: there are problems, each a line in `errors` as settings_read writes them. */
bool rules_prepare(struct settings *s, struct buf *errors);

/* Asks the rules of a site about a request. `rules`: not NULL. */
void rules_ask(const struct rules *rules, const struct rules_request *q, struct arena *a,
               struct rules_said *out);
/* Returns the path as rules compare it: several slashes are one, and %2F is one, since many origins read
 * them so. `path` itself when there is nothing to change; else in the arena. */
struct str rules_path(struct str path, struct arena *a);
/* Changes the request's fields as the rules say: headers set and removed, cookies dropped. Call it once, with
 * what rules_ask said. `fields` is the one of `q`. */
void rules_change_request(const struct rules *rules, const struct rules_request *q,
                          const struct rules_said *said, struct fields *fields, struct arena *a);
/* Returns the Location and sets *status, for said->redirect. In the arena. Empty: it would be the request's
 * own URL, and the rule is passed over. */
struct str rules_redirect(const struct rules *rules, const struct rules_request *q, size_t rule, int *status,
                          struct arena *a);
/* Changes the fields of an answer as the rules say. `key`: of rules_said. Doing it twice changes nothing
 * more. *undo: what rules_undo takes, in the arena; empty: nothing has to be undone, since each rule that
 * matches will match again. */
void rules_change_answer(const struct rules *rules, const struct rules_request *q, struct str key, int status,
                         struct fields *fields, struct str *undo, struct arena *a);
/* Makes the fields of a stored answer what they were before, so that a 304 can be merged into them: the rules
 * are asked again then, and may not match any more. Strings stay where they are. */
void rules_undo(struct str undo, struct fields *fields, struct arena *a);

/* Returns how many rules there are. */
size_t rules_count(const struct rules *rules);
/* Returns what the rule is called: "rule 3 of shop", "line 12 of dist/_headers", "rule 2 of preset static".
 * In the arena. */
struct str rules_name(const struct rules *rules, size_t rule, struct arena *a);
/* Does the rule match the request? Of the answer nothing is asked; *of_answer: it asks something. */
bool rules_match(const struct rules *rules, size_t rule, const struct rules_request *q, bool *of_answer);
/* Writes the names of the rule's actions ("bypass", "tags"), and returns how many; at most RULES_ACTIONS. */
#define RULES_ACTIONS 16
size_t rules_actions(const struct rules *rules, size_t rule, struct str *names);
/* Does only the first rule count of which this is an action? false: several add up. */
bool rules_action_is_once(struct str name);
/* Appends a line for each rule that can never match or do anything. Returns the number of lines. */
size_t rules_warn(const struct settings *s, struct buf *out);

#endif
