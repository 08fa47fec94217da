/*
 * Authentication of a whole connection. NTLM and Negotiate log a client in on a connection: every later
 * request on it is the client's, without further credentials (RFC 4559 §6). Pure.
 */
#ifndef HTTP_CONNECTION_AUTH_H
#define HTTP_CONNECTION_AUTH_H

#include "http/field.h"

/* Does the request log its client in on its connection (Authorization)? */
bool connection_auth_of_request(const struct fields *f);
/* Does the response ask for such a log-in, or say that one is in force (WWW-Authenticate,
 * Persistent-Auth)? */
bool connection_auth_of_response(const struct fields *f);

#endif
