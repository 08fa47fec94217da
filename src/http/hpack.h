/*
 * Writing header blocks (HPACK, RFC 7541). We never write into the client's dynamic table: names come from
 * the static table (Appendix A) where it has them, values are literals without indexing. So a block depends
 * on nothing that went before, the block of a stored response is made once and sent as often as one likes,
 * and blocks are put together of parts. The first block of a connection begins with HPACK_NO_TABLE, which
 * sets the client's table to no bytes at all.
 *
 * Cost: some 200 bytes more a response than with a dynamic table. Text that is encoded once uses the Huffman
 * code where that is shorter; what is written anew for each answer does not. Pure; any thread.
 */
#ifndef HTTP_HPACK_H
#define HTTP_HPACK_H

#include "base/buf.h"
#include "http/field.h"

/* A change of the table's size to 0 (RFC 7541 §6.3). With it no later SETTINGS_HEADER_TABLE_SIZE of the
 * client asks for another one (§4.2). */
#define HPACK_NO_TABLE STR("\x20")

/* The most bytes that hpack_put_status writes. */
#define HPACK_STATUS_MOST 5
/* Writes :status, 100 to 999; it must be first in the block. Returns the place behind it. */
char *hpack_put_status(char *to, int status);

/* Returns the most bytes that hpack_put writes. */
static inline size_t hpack_most(struct str name, struct str value)
{
    return name.n + value.n + 13;
}
/* Writes a field, its name in lower case and the value as it is. `to` has room for hpack_most. Returns the
 * place behind it. The name is a token of at most UINT32_MAX bytes, like the value. Set-Cookie is marked as
 * never to be indexed (§7.1.3). */
char *hpack_put(char *to, struct str name, struct str value);
/* Append a field, in the way of hpack_put, and with the Huffman code where that is shorter. */
void hpack_add(struct buf *to, struct str name, struct str value);
/* Appends a field whose name freshet knows, in the way of hpack_put. Not Set-Cookie. */
void hpack_add_known(struct buf *to, enum field_id id, struct str value);
void hpack_add_short(struct buf *to, struct str name, struct str value);
/* Appends prepared lines (http/lines.h) with hpack_add_short: the block of a stored response without its
 * :status. The lines have no hop-by-hop field, since HTTP/2 forbids them (RFC 9113 §8.2.2). */
void hpack_add_lines(struct buf *to, struct str lines);

#endif
