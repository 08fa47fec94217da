/*
 * Forms: the syntax of settings' strings. Whether an address can be bound or a host resolves shows only when
 * it is used. Pure; any thread.
 */
#ifndef CONF_FORM_H
#define CONF_FORM_H

#include "conf/settings.h"

enum text_form {
    FORM_ANY,
    FORM_ADDRESS,    /* ADDR:PORT, [V6]:PORT, :PORT, PORT, unix:/path; port 0: the system chooses */
    FORM_DOOR,       /* where a running freshet is: ADDR:PORT, HOST:PORT, http://HOST[:PORT][/], unix:/path */
    FORM_NETWORK,    /* ADDR, ADDR/BITS, unix */
    FORM_HOSTS,      /* host name, address, [V6]; "*." in front: all below */
    FORM_HOST,       /* HOST[:PORT] as in a Host field */
    FORM_ORIGIN,     /* http://HOST[:PORT][/], https://HOST[:PORT][/] or unix:/path */
    FORM_ORIGINS,    /* FORM_ORIGIN, then " weight=N" and " backup" as they are wanted */
    FORM_SERVER,     /* host name or address, IPv6 without brackets; no port */
    FORM_FIELD,      /* a field name of HTTP */
    FORM_HEADER,     /* NAME: VALUE */
    FORM_TAG_HEADER, /* NAME, NAME:comma, NAME:space, NAME:either */
    FORM_PARAM,      /* name of a query parameter */
    FORM_COOKIE,     /* name of a cookie, with at most one `*` */
    FORM_FOLDER,     /* beginning of a URL's path: /FOLDER/ */
    FORM_MEDIA_TYPE, /* TYPE/SUBTYPE, with at most one `*` */
    FORM_PATH,       /* of a file or folder */
    FORM_URL_PATH,   /* of a URL, without a / at its end */
    FORM_USER,       /* NAME, NAME:GROUP; numbers too */
    FORM_EMAIL,      /* NAME@HOST */
    FORM_DIRECTORY,  /* https://HOST..., or staging */
    FORM_SECRET,     /* visible ASCII; messages never repeat it */
};

/* Checks `s`, which is not empty. NULL: it has that form. Else the end of a sentence that begins with the
 * string: "is not ...; write ...". The result is a literal. */
const char *form_check(enum text_form form, struct str s);
/* Returns the one spelling that is kept: host names in lower case without a trailing dot, everything else
 * unchanged. */
struct str form_normal(enum text_form form, struct str s, struct arena *a);

/* Return what form_check returns. When that is NULL they set *out, whose strings are in the arena or
 * literals. Of an https:// origin tls has is_on and, as server_name, the host. */
const char *form_origin(struct str s, struct arena *a, struct origin_address *out);
const char *form_origins(struct str s, struct arena *a, struct site_origin *out);
const char *form_tag_header(struct str s, struct tag_header *out);
/* Returns the port that stands in an address (FORM_ADDRESS); 0: none, or the system chooses. */
uint16_t form_address_port(struct str address);
/* Can one machine not listen on both addresses (FORM_ADDRESS) at once? ":80" overlaps with every address at
 * port 80. Port 0 overlaps with none. */
bool form_addresses_overlap(struct str a, struct str b);
/* Checks the name of a site: letters, digits, "-", "_", ".", at most 128. Returns what form_check returns. */
const char *form_site_name(struct str s);

#endif
