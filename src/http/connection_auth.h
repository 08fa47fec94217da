/*
 * Authentication of a whole connection. NTLM and Negotiate log a client in on a connection: what comes over it
 * afterwards is the client's, without a further word (RFC 4559 §6). Pure.
 */
#ifndef HTTP_CONNECTION_AUTH_H
#define HTTP_CONNECTION_AUTH_H

#include "http/field.h"

/* Does the request log its client in on the connection that it is sent over (Authorization)? */
bool connection_auth_of_request(const struct fields *f);
/* Does the response ask for such a log-in, or say that one holds (WWW-Authenticate, Persistent-Auth)? */
bool connection_auth_of_response(const struct fields *f);

#endif
