/*
 * The certificates of the process as values, for the admin listener: those of files, of ACME and of the local
 * authority, and whose visitors get which (admin/certificate.h).
 */
#ifndef SERVER_CERTIFIED_H
#define SERVER_CERTIFIED_H

#include "admin/certificate.h"

struct process_acme;
struct process_tls;

struct certified {
    struct certificate_desk desk;
    struct process_tls *tls;
    struct process_acme *acme;
};

/* Makes c->desk for these, which outlive it. Before the workers start; its functions may be called from then
 * on. */
void certified_init(struct certified *c, struct process_tls *tls, struct process_acme *acme);

#endif
