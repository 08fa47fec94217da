/*
 * What the generator of load (lg.c) and the bare servers (bare_tls.c) share: a connection with TLS or
 * without, and the heads of HTTP/2's frames. None of it is freshet's, so that a fault of one is not a fault
 * of both.
 *
 * The scheme is freshet's (docs/decisions/069-tls.md): OpenSSL reads from and writes to two buffers of the
 * process, one recv and one send a turn, records of 16 KiB. One thread. Between two calls for different
 * connections both buffers are empty: read until wire_read gives 0, and flush.
 */
#ifndef BENCH_WIRE_H
#define BENCH_WIRE_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What a server sends at once, and what it gives OpenSSL at once. */
#define WIRE_TURN  ((size_t)131072)
#define WIRE_PIECE ((size_t)32768)

struct wire {
    int fd;
    SSL *ssl;     /* NULL: in clear */
    bool is_open; /* the handshake is over */
    char *rest;   /* what the kernel did not take */
    size_t rest_n, rest_at;
};

/* A server's certificate and key from one PEM file; with HTTP/2 and HTTP/1.1 by ALPN, as the client asks. */
SSL_CTX *wire_server(const char *pem);
/* A client that believes all and asks for `alpn`. */
SSL_CTX *wire_client(const char *alpn);

/* Takes a connected, non-blocking socket. `context` NULL: in clear. `session` NULL: a full handshake. */
void wire_open(struct wire *w, int fd, SSL_CTX *context, bool is_server, SSL_SESSION *session);
/* Ends the connection, with close_notify when TLS is open. */
void wire_close(struct wire *w);
/* Has ALPN chosen HTTP/2? */
bool wire_is_h2(const struct wire *w);

/* One recv. 1: bytes came; 2: and there may be more; 0: none now; -1: the peer ended. */
int wire_receive(struct wire *w);
/* Goes on with the handshake. 1: it is over; 0: more is to come; -1: it failed. Flush in all cases. */
int wire_shake(struct wire *w);
/* Bytes of what was received, in clear. 0: all is read; -1: broken. */
ssize_t wire_read(struct wire *w, char *to, size_t most);
/* Adds bytes, encrypted, to what is sent next. Not while some wait (wire_waits). */
void wire_write(struct wire *w, const char *bytes, size_t n);
/* How much is to be sent? */
size_t wire_unsent(void);
/* One send; what the kernel does not take waits for the next flush. false: broken. */
bool wire_flush(struct wire *w);
static inline bool wire_waits(const struct wire *w)
{
    return w->rest_n != 0;
}

/* ---- HTTP/2 (RFC 9113 §4.1, §6) ---- */

#define H2_PREFACE  "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#define H2_HEAD     9
#define H2_ACK      1 /* of SETTINGS and PING; on DATA and HEADERS the same bit is END_STREAM */
#define H2_END      1
#define H2_END_HEAD 4
enum {
    H2_DATA,
    H2_HEADERS,
    H2_RST_STREAM = 3,
    H2_SETTINGS,
    H2_PING = 6,
    H2_GOAWAY,
    H2_WINDOW_UPDATE,
    H2_CONTINUATION,
};

struct frame {
    uint32_t bytes, stream;
    uint8_t type, flags;
};
/* Writes a frame's head, and returns where its payload goes. */
char *frame_put(char *to, uint32_t bytes, uint8_t type, uint8_t flags, uint32_t stream);
char *frame_put_number(char *to, uint32_t n);
uint32_t frame_number(const char *from);
struct frame frame_of(const char *head);
/* An integer of HPACK with a prefix of so many bits, and a text without the Huffman code (RFC 7541 §5). */
char *hpack_put_integer(char *to, uint8_t first, unsigned prefix, uint32_t n);
char *hpack_put_text(char *to, const char *text, size_t n);

#endif
