/*
 * Forms: what the strings of settings must look like. Syntax only; whether an address can be bound or a host resolves is
 * found out when it is used. Pure.
 */
#ifndef CONF_FORM_H
#define CONF_FORM_H

#include "conf/settings.h"

enum text_form {
    FORM_ANY,
    FORM_ADDRESS,    /* ADDR:PORT, [V6]:PORT, :PORT, PORT, unix:/path; port 0: the system chooses */
    FORM_DOOR,       /* of a running freshet: ADDR:PORT, HOST:PORT, http://HOST[:PORT][/], unix:/path */
    FORM_NETWORK,    /* ADDR, ADDR/BITS, unix */
    FORM_HOSTS,      /* host name, address, [V6]; "*." in front for all below */
    FORM_HOST,       /* HOST[:PORT] as in a Host field */
    FORM_ORIGIN,     /* http://HOST[:PORT][/] or unix:/path */
    FORM_FIELD,      /* a field name of HTTP */
    FORM_HEADER,     /* NAME: VALUE */
    FORM_TAG_HEADER, /* NAME, NAME:comma, NAME:space, NAME:either */
    FORM_PARAM,      /* name of a query parameter */
    FORM_PATH,       /* of a file or folder */
    FORM_SECRET,     /* visible ASCII; never repeated in a message */
};

/* NULL when `s`, which is not empty, has that form; else the end of a sentence that begins with it: "is not ...; write
 * ...". A literal. */
const char *form_check(enum text_form form, struct str s);
/* The one spelling that is kept: host names in lower case without a trailing dot, everything else as it is. */
struct str form_normal(enum text_form form, struct str s, struct arena *a);

/* Both as form_check; *out is set when NULL is returned, its strings in the arena or literals. */
const char *form_origin(struct str s, struct arena *a, struct origin_address *out);
const char *form_tag_header(struct str s, struct tag_header *out);
/* Two addresses of the form FORM_ADDRESS that one machine cannot listen on at once: ":80" is also every other address at
 * port 80. Port 0 is never another's. */
bool form_addresses_overlap(struct str a, struct str b);
/* The name of a site: letters, digits, "-", "_", ".", at most 128. */
const char *form_site_name(struct str s);

#endif
