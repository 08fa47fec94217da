/*
 * The people of the simulated world: visitors, origins, a CMS that purges, somebody who operates the machine;
 * and the model, which knows what may be answered.
 */
#ifndef WORLD_H
#define WORLD_H

#include "io/address.h"
#include "sim.h"

#define PAGES   120
#define SITES   2
#define GROUPS  6
#define FOLDERS 6

#define MS     INT64_C(1000)
#define SECOND (1000 * MS)

/* How an origin makes a page: what its answer depends on, and how long it may be kept. */
enum page_kind {
    PAGE_PLAIN,   /* a lifetime */
    PAGE_SWR,     /* and stale-while-revalidate */
    PAGE_SIE,     /* and stale-if-error */
    PAGE_YEAR,    /* as ISR does: until it is purged */
    PAGE_LANG,    /* Vary: Accept-Language */
    PAGE_COOKIE,  /* Netlify-Vary: cookie=ab */
    PAGE_QUERY,   /* Netlify-Vary: query=q */
    PAGE_PRIVATE, /* for one user: private */
    PAGE_MIXED,   /* for everybody; for who sends Authorization: private */
    PAGE_NO_STORE,
    PAGE_NO_CACHE, /* a lifetime, and no-cache: the origin is asked each time */
    PAGE_KINDS
};

/* What an answer may depend on; of a fetch: what it does depend on, else 0. */
struct variant {
    unsigned char lang, ab, q, user;
};

struct page {
    unsigned id, site;
    enum page_kind kind;
    char path[32];
    unsigned version, group, folder;
    int64_t disturbed; /* when something happened that permits a second fetch beside one that runs */
    unsigned uploads;  /* under way */
};

/* One answer of an origin with a body: 200, complete or not. */
struct fetch {
    unsigned id; /* from 1 */
    struct page *page;
    struct variant variant;
    unsigned version;
    size_t bytes;
    int64_t received, answered; /* the latest request for it (or for its 304), and the head that answered */
    int64_t seen;               /* when a visitor first had the head; 0: none has */
    int64_t max_age, swr, sie;
    int64_t first;  /* the first such head, before its 304s: a record on disk may be as old */
    int64_t turned; /* how far the wall clock was turned by then */
    bool is_single; /* for one request alone */
    bool is_shared; /* a herd may share it */
    bool is_active; /* its body is on the way */
    bool is_cut;
    unsigned request; /* the last one that got it */
};

struct request {
    unsigned number;
    struct page *page;
    struct variant variant;
    int64_t sent;
    unsigned if_none_match, if_range; /* fetches; 0: none */
    unsigned codings;                 /* bits: what it takes besides the plain body */
    size_t range_first, range_last;   /* what it asks for; last 0: the whole */
    bool several;                     /* and its first byte */
};

/* Content codings, as bits. */
enum { TAKES_GZIP = 1, TAKES_BR = 2, TAKES_ZSTD = 4 };

/* ---- the model ---- */

extern struct page pages[PAGES];
void model_init(void);
struct variant model_variant(const struct page *p, struct variant v);
bool model_is_public(const struct page *p, struct variant v);
/* `is_shared`: nothing in the request forbids to store the answer. */
struct fetch *model_fetch(struct page *p, struct variant v, size_t bytes, bool is_shared);
struct fetch *model_find(unsigned id);
void model_answers(struct fetch *f);                   /* its head goes out now */
void model_affirms(struct fetch *f, int64_t received); /* a 304 for it goes out now */
void model_sees(unsigned fetch);  /* a visitor has a head with the ETag of that fetch; 0: of none */
void model_failed(unsigned site); /* an origin or the way to it failed */
void model_disturb(struct page *p);
void model_disturb_all(int64_t until); /* what goes on meanwhile may have any reason */

enum purge_of { PURGE_TAG, PURGE_GROUP, PURGE_URL, PURGE_FOLDER, PURGE_SITE };
struct purging {
    enum purge_of of;
    unsigned which, site; /* the page, the group, the folder */
    bool soft;
    int64_t sent;
};
bool model_covers(const struct purging *x, const struct page *p);
void model_purge_sent(const struct purging *x);
void model_purged(const struct purging *x, bool durable);
/* The settings were changed: all that was stored before is to be gone soon. */
void model_reloaded(void);
/* The process is another one. */
void model_restarted(void);

/* The body of a fetch: what is at `from`. */
void model_body(const struct fetch *f, size_t from, char *out, size_t n);
/* What came to a request: may it be? Each ends the world if not. `how`: its Cache-Status.
 * A whole answer of 200, decoded; a part of the fetch that its ETag names; a 304 for that fetch. */
void model_check(const struct request *r, const char *body, size_t n, const char *how);
void model_check_part(const struct request *r, unsigned fetch, size_t from, const char *bytes, size_t n,
                      const char *how);
void model_check_304(const struct request *r, unsigned fetch, const char *how);
/* An unsafe request for the page was answered, at first by its origin at `answered`, now to who sent it. */
void model_invalidated(struct page *p, int64_t answered);
/* When something last happened that may end any connection. */
int64_t model_trouble(void);
/* The disk has trouble: what is stored may be lost by the next crash. */
void model_disk_trouble(void);

/* ---- the people ---- */

struct world_options {
    bool small_memory, no_disk;
    bool rare_purges; /* so that what is stored grows old, and stands on disk beside what came later */
    bool two_origins; /* site a has another one, which is checked, and is taken away by each second reload */
    bool combines;    /* site b has combine_parts */
    int64_t end;      /* when visitors stop */
};
extern struct world_options world;
extern struct world_figures {
    uint64_t requests, hits, stale, answers, errors, cut, aborted, fetches, revalidated, purges, durable,
        crashes, power_cuts, reloads, ends, coded, parts, not_modified, uploads, uploaded, tunnels, talked;
} figures;

void visitors_start(void);
bool visitors_are_there(void);
void origins_start(void);
void origins_down(unsigned site, bool other, bool down); /* other: site a's second one */
void cms_start(void);
/* Starts the program; the others end it. */
void process_start(void);
void process_kill(bool power_cut);
void process_end(void);
void operator_start(void);
bool operator_is_there(void);
struct address world_address(const char *text);
/* ---- unsafe requests with a body, and tunnels: both sides (world_uploads.c, world_talks.c) ---- */

struct visitor;
struct net_end;
struct incoming;
/* The visitor's connection; false: it is to be closed. */
bool upload_send(struct visitor *v);
bool talk_begin(struct visitor *v);
/* The origin's. */
bool upload_serve(struct net_end *e, struct incoming *in, const char *head);
void talk_serve(struct net_end *e, struct incoming *in, const char *head);

/* Reads a head into `out` (NUL-terminated), and what came behind it into rest. false: it did not come. */
struct incoming {
    char bytes[16384];
    size_t n;
};
int64_t incoming_head(struct net_end *e, struct incoming *in, char *head, size_t most, int64_t until);
/* Returns the value of a field, or NULL. */
const char *head_field(const char *head, const char *name, char *out, size_t most);

#endif
