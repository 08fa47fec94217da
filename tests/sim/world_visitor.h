/* A visitor on his connection, for the files of those who read answers. */
#ifndef WORLD_VISITOR_H
#define WORLD_VISITOR_H

#include "world.h"

/* So long without a byte, no request is left in a program that works: its own time-outs are far shorter. */
#define PATIENCE  (90 * SECOND)
#define BODY_MOST (1 << 21)
/* Each page has so many. */
#define LEAST_BYTES 100

struct visitor {
    unsigned index;
    struct net_end *e;
    struct incoming in;
    struct request r;
    char *body;
    size_t n;
    bool is_slow;
    struct upload_of *upload; /* what it sends, of world_uploads.c */
    bool is_upgraded;         /* a tunnel */
    struct {                  /* a page that he got before */
        struct page *page;
        struct variant variant;
        unsigned fetch; /* 0: none */
        char etag[40];
    } has;
};

/* Reads the answer to v->r into v->body, and has a whole one judged. *keeps: another request may follow. */
enum got { GOT_WHOLE, GOT_CUT, GOT_NOTHING };
enum got take_answer(struct visitor *v, bool *keeps, void (*judge)(struct visitor *, const char *head, int));
/* The body becomes what it is without its coding, which the visitor takes: else the world ends. */
void decode_body(struct visitor *v, const char *coding);
/* A 206: its bytes are those that were asked for, of what its ETag names. */
void parts_judge(struct visitor *v, const char *head, const char *how);

#endif
