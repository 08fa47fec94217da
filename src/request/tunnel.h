/*
 * Tunnels: an upgraded connection (WebSocket). Bytes go both ways as they are, each way through a bounded buffer; a side that ends is
 * told to the other; silence in both directions ends it.
 */
#ifndef REQUEST_TUNNEL_H
#define REQUEST_TUNNEL_H

#include "request/request.h"

/* A request that asks for an upgrade takes a place among the tunnels; false: there are as many as may be. It is given back with the
 * request, or before: when the answer is an ordinary one. Twice is once. */
bool tunnel_take_place(struct request *r);
void tunnel_give_place(struct request *r);
/* The origin said 101 and `rest` behind it: the client gets the 101, then the tunnel runs until it ends the request. */
void tunnel_begin(struct request *r, struct connection *c, const struct response_head *head, struct str rest);
/* From the front. */
size_t tunnel_from_client(struct request *r, struct str data);
void tunnel_client_ended(struct request *r);
void tunnel_client_took(struct request *r);
/* Ended by itself: the request is woken then. */
bool tunnel_is_over(const struct request *r);
/* The client is gone, or the drain's deadline came. */
void tunnel_end(struct request *r);

#endif
