/*
 * The header of the PROXY protocol (haproxy.org, proxy-protocol.txt), which a proxy sends first on a
 * connection, to say for whom it is: version 1 is a line of text, version 2 is binary. Strict: what is not
 * exactly a header is none, so that one with TLVs that do not fit, or a CRC-32C that is wrong, is refused.
 * What TLVs say (the host, the proxy's TLS) is read past: a visitor who names a host does so in HTTP. Pure;
 * any thread.
 */
#ifndef IO_PROXY_HEADER_H
#define IO_PROXY_HEADER_H

#include "io/address.h"

/* The longest that is taken, with all that a proxy adds (TLVs). */
#define PROXY_HEADER_MAX ((size_t)4096)

enum proxy_header_result { PROXY_HEADER_MORE, PROXY_HEADER_GOOD, PROXY_HEADER_BAD };

struct proxy_header {
    size_t bytes;          /* of the header; what follows is the visitor's */
    unsigned version;      /* 1 or 2 */
    struct address source; /* the visitor; bytes 0: the proxy speaks for itself, or says nothing */
};

/* Reads the header at the beginning of `s`. PROXY_HEADER_GOOD: *out is set. PROXY_HEADER_MORE: it may become
 * one when more bytes come. PROXY_HEADER_BAD: it is none, or is longer than PROXY_HEADER_MAX. */
enum proxy_header_result proxy_header_parse(struct str s, struct proxy_header *out);

#endif
