/*
 * GET /api/v1/status: how this freshet is doing, as JSON.
 */
#ifndef ADMIN_STATUS_H
#define ADMIN_STATUS_H

#include "admin/admin.h"

void status_answer(struct admin *a, struct request *r);

#endif
