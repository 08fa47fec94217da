/*
 * Tunnels: an upgraded connection (WebSocket). Bytes go both ways unchanged, each way through a bounded
 * buffer. When one side ends, the other is told. Silence in both directions ends the tunnel. All on the
 * worker's thread.
 */
#ifndef REQUEST_TUNNEL_H
#define REQUEST_TUNNEL_H

#include "request/request.h"

/* tunnel_take_place takes a place among the tunnels, for a request that asks for an upgrade. false: the limit
 * is reached. The place is given back with the request, or earlier by tunnel_give_place, when the answer is
 * an ordinary one. A second call of either does nothing. */
bool tunnel_take_place(struct request *r);
void tunnel_give_place(struct request *r);
/* The origin answered 101, followed by `rest`: sends the client the 101, then runs the tunnel until it ends
 * the request. */
void tunnel_begin(struct request *r, struct connection *c, const struct response_head *head, struct str rest);
/* Called by the front. tunnel_from_client returns how many bytes it took. */
size_t tunnel_from_client(struct request *r, struct str data);
void tunnel_client_ended(struct request *r);
void tunnel_client_took(struct request *r);
/* Has the tunnel ended by itself? The request is woken when it does. */
bool tunnel_is_over(const struct request *r);
/* Ends the tunnel: the client is gone, or the drain's deadline has come. */
void tunnel_end(struct request *r);

#endif
