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
/* Call it when the origin answered 101. Sends the client the 101, then runs the tunnel until it ends the
 * request. The request has a place (tunnel_take_place). Takes over `c`. `head` and `rest` are used during the
 * call only; `rest`, the bytes that came behind the 101, has at most 16,384 bytes. */
void tunnel_begin(struct request *r, struct connection *c, const struct response_head *head, struct str rest);
/* Called by request_raw: bytes from the client. Returns how many were copied. 0: the origin is slower; the
 * front was told to stop reading, and read_raw(true) tells it when to offer the rest. Drops all bytes once
 * the tunnel is over. */
size_t tunnel_from_client(struct request *r, struct str data);
/* Called by request_raw_ended: the client sends no more. The origin gets its FIN behind the last byte. */
void tunnel_client_ended(struct request *r);
/* Called by request_sent: the pending `upgrade` or `send_raw` has ended, and more may be sent. */
void tunnel_client_took(struct request *r);
/* Has the tunnel ended by itself? The request has a tunnel; it is woken from the loop when the answer becomes
 * true. */
bool tunnel_is_over(const struct request *r);
/* Ends the request's tunnel, if it has one: drops the origin's connection and gives the place back. Called by
 * the finish step of every request. */
void tunnel_end(struct request *r);

#endif
