/*
 * Following: freshet fetches the assets that stored pages, scripts and style sheets link to, though nobody
 * has asked for them yet (docs/DEPLOYS.md). So a page that a visitor has open finds them also when a deploy
 * has taken them from the origin. One for each worker, on whose thread all functions run. It is bounded in
 * all it does: what waits, what is read in a second, and what is fetched at once; what is beyond is left
 * out, and comes with the next page that links to it.
 */
#ifndef DEPLOY_FOLLOW_H
#define DEPLOY_FOLLOW_H

#include "coding/decode.h"
#include "deploy/errand.h"
#include "deploy/links.h"

#define FOLLOW_DOCUMENTS 32                  /* that wait to be read */
#define FOLLOW_TARGETS   1024                /* that wait to be fetched */
#define FOLLOW_ERRANDS   2                   /* fetches at once */
#define FOLLOW_SEEN      8192                /* documents and targets that are remembered, at most */
#define FOLLOW_BYTES     ((uint64_t)4 << 20) /* of a document's content that are read */

struct follow_document;

struct follow_target {
    struct link link;
    struct settings *settings; /* a reference: those of the document, with its release and origin */
    const struct site_settings *site;
    struct str authority, target; /* behind this struct */
    bool https;
};

struct follow {
    const struct requests *like; /* the worker's */
    struct errands errands;
    bool has_errands; /* `errands` is in use, with the settings of the targets that it fetches */
    struct {
        struct errand errand;
        struct follow *follow;
    } slots[FOLLOW_ERRANDS];
    struct list documents, targets;
    size_t documents_n, targets_n;
    struct timer timer;         /* the next slice of reading */
    uint64_t seen[FOLLOW_SEEN]; /* hashes, at a place that the hash says */
    bool is_stopped;
    void (*quiet)(struct follow *f); /* after follow_stop, from the loop: no errand is left */
};

/* Initialises a zeroed struct. `like` outlives it. */
void follow_init(struct follow *f, const struct requests *like);
/* Notes that a response was stored: it is read soon, when it may have links and was not read under its
 * release. */
void follow_stored(struct follow *f, const struct fetch_plan *plan, struct object *o);
/* New settings are in force: forgets what was to be read or fetched for other releases, or by settings that
 * were read before. */
void follow_forget(struct follow *f, const struct settings *now);
/* Stops. true: it is quiet already. false: `quiet` follows. Call it once. */
bool follow_stop(struct follow *f);
/* Frees what is left. It is stopped and quiet. */
void follow_fini(struct follow *f);

#endif
