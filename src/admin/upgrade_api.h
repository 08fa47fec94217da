/*
 * Upgrades by the admin listener (docs/ADMIN.md): begins one, and says how the latest went. Who began one
 * asks until another process answers, or this one says why it still does. On the request's worker.
 */
#ifndef ADMIN_UPGRADE_API_H
#define ADMIN_UPGRADE_API_H

#include "admin/admin.h"

void upgrade_api_begin(struct admin *a, struct request *r);
void upgrade_api_show(struct admin *a, struct request *r);
/* Frees what admin_upgrade_ended has kept. */
void upgrade_api_fini(struct admin *a);

#endif
