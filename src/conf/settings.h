/*
 * The settings as structs, made of tbl/settings.h, and the immutable snapshot that requests hold. Read at
 * start and at SIGHUP. A snapshot is counted; the last unref frees it, with the arena that its strings live
 * in.
 */
#ifndef CONF_SETTINGS_H
#define CONF_SETTINGS_H

#include <stdatomic.h>

#include "base/arena.h"
#include "base/buf.h"
#include "conf/health.h"
#include "conf/release.h"
#include "conf/webhook.h"
#include "http/cookie_names.h"

/* One entry of a MAPS setting: its values by the number of the field in its shape (conf/shape.h). */
struct map {
    unsigned line;
    bool has_mistake; /* reported; a value with one is as if it were not given */
    const struct map_value *v;
};

struct map_value {
    unsigned line; /* 0: not given, and all else is 0 */
    bool yes;
    int64_t number;
    int choice;
    struct str text;
    struct strs list;
};

struct maps {
    const struct map *v;
    size_t n;
};

enum profile { PROFILE_ISR, PROFILE_RFC9111, PROFILE_DEV };
enum io_way { IO_AUTO, IO_URING, IO_EPOLL };
enum sandbox_way { SANDBOX_ON, SANDBOX_OFF };
enum origin_http2 { ORIGIN_HTTP2_OFF, ORIGIN_HTTP2_AUTO, ORIGIN_HTTP2_ONLY };
enum set_cookie { SET_COOKIE_REFUSE, SET_COOKIE_STRIP, SET_COOKIE_STORE };
enum query_order { QUERY_SORTED, QUERY_RAW };
enum upload_length { UPLOAD_LENGTH_STREAM, UPLOAD_LENGTH_BUFFER };
enum acme_use { ACME_ON, ACME_OFF };
enum acme_challenge { ACME_HTTP_01, ACME_TLS_ALPN_01, ACME_DNS_01 };
enum unkeyed { UNKEYED_STRIP, UNKEYED_FORWARD }; /* unkeyed_query, unkeyed_cookies */

/* Bits: which list a cookie's name is in. */
enum cookie_kind { COOKIE_BYPASS = 1, COOKIE_IGNORED = 2 };

#define SETTING_C_BOOL   bool
#define SETTING_C_COUNT  int64_t
#define SETTING_C_BYTES  int64_t
#define SETTING_C_TIME   int64_t
#define SETTING_C_TEXT   struct str
#define SETTING_C_LIST   struct strs
#define SETTING_C_CHOICE int
#define SETTING_C_MAPS   struct maps

#define SETTING_MEMBER_PROCESS_PROCESS(type, name) SETTING_C_##type name;
#define SETTING_MEMBER_PROCESS_SITE(type, name)
#define SETTING_MEMBER_SITE_PROCESS(type, name)
#define SETTING_MEMBER_SITE_SITE(type, name) SETTING_C_##type name;

struct process_settings {
#define SETTING(scope, type, name, ...) SETTING_MEMBER_PROCESS_##scope(type, name)
#include "tbl/settings.h"
#undef SETTING
};

/* How an https:// origin is believed, and believes freshet. The files are paths as they are opened. */
struct origin_tls {
    bool is_on;    /* false: in clear, and all else is empty */
    bool insecure; /* whoever answers is believed */
    struct str
        server_name;      /* the host or address that its certificate must name; a host is asked for (SNI) */
    struct str ca;        /* the authorities; empty: those of the system */
    struct str cert, key; /* what freshet shows; empty: nothing */
};

/* An origin taken apart: either local_path or host_name is empty. */
struct origin_address {
    struct str host_name; /* name or address, IPv6 without brackets */
    uint16_t port;
    struct str local_path;
    struct str authority; /* as it stands in a Host field: "127.0.0.1:4321"; "localhost" for a Unix socket */
    struct origin_tls tls;
};

#define SITE_ORIGINS_MAX       16
#define SITE_ORIGIN_WEIGHT_MAX 100

/* One of a site's origins. */
struct site_origin {
    struct origin_address at;
    uint32_t weight; /* from 1 */
    bool is_backup;  /* for when no other is healthy */
};

/* What origin/upstream has found for these settings of a site; NULL: nobody has asked. */
struct upstream;
struct upstream_slot {
    _Atomic(struct upstream *) found;
};

struct tag_header {
    struct str name;
    enum { TAG_SEPARATOR_COMMA, TAG_SEPARATOR_SPACE, TAG_SEPARATOR_EITHER } separator;
};

struct rules;

struct site_settings {
    struct str name; /* the key under `sites:`; unique */
    enum profile profile;
    struct origin_address origin_address;  /* from `origin`: the first one's */
    const struct site_origin *origin_list; /* from `origin`: as many, at least one */
    struct str origin_text;                /* the same, for people: "http://a, http://b weight=2" */
    struct upstream_slot *upstream;
    const struct health *checks;        /* from `health`; NULL: none */
    struct tag_header *tag_header_list; /* from `tag_headers` */
    struct str headers_text;            /* the content of headers_file */
    const struct rules *ruled; /* from `rules`, headers_file and preset, by site/rules; NULL: no rules */
    /* From `ignore_query`, with the names in place of `tracking`. Decoded, sorted by bytes. */
    struct strs ignored_params;
    struct str hsts_value;         /* of Strict-Transport-Security, from `hsts` and its like; empty: none */
    struct webhook *webhook_list;  /* from `webhooks`, as many */
    struct cookie_names cookies;   /* from `bypass_cookies` and `ignore_cookies`; kinds: enum cookie_kind */
    const struct release *release; /* the live one, or one that is being prepared. Never NULL */
#define SETTING(scope, type, name, ...) SETTING_MEMBER_SITE_##scope(type, name)
#include "tbl/settings.h"
#undef SETTING
};

/* A host or "*." pattern and the index of its site. */
struct host_of_site {
    struct str pattern;
    size_t site;
};

struct settings {
    atomic_uint refs;
    struct arena arena;
    struct settings *read; /* those that were read, when these have other releases; a reference; or NULL */
    struct process_settings process;
    struct site_settings *sites; /* in the file's order */
    size_t sites_n;              /* at least 1 */
    struct host_of_site *hosts;  /* of all sites, sorted by bytes; each pattern once */
    size_t hosts_n;
    const struct site_settings *site_of_rest; /* the site without hosts, or NULL */
    struct str path;                          /* of the file; empty: none */
    /* There are mistakes, and what has one has its default: settings_look. Nobody serves with such ones. */
    bool is_broken;
    bool start_is_broken; /* one is in what a start looks at: a setting of the process, or purge_from */
};

/* A value from the command line, which overrides the file for every site: name and value as typed, in order.
 * `name`: a setting's name, with '-' or '_', or profile, or site (the name of the one site of a file without
 * `sites:`). The same name again: a list grows; of anything else the last counts. A list replaces the file's;
 * an empty value empties it. */
struct override {
    struct str flag; /* "--origin", for messages */
    struct str name; /* "origin" */
    struct str value;
};

/*
 * Reads `path` (NULL: no file) and applies the overrides. NULL: there are problems, each a line in `errors`:
 * "FILE:LINE: what is wrong; what to do", or "--flag: ...". All problems are found in one run. The caller
 * owns the first reference. Reads only this file and each headers_file (a token_file is only named). Rules
 * are not compiled: site/rules.h does that.
 */
struct settings *settings_read(const char *path, const struct override *overrides, size_t n,
                               struct buf *errors);
/* The same for who looks for more mistakes: also returns settings that have some (is_broken). NULL: there are
 * none, since the file is no configuration at all. */
struct settings *settings_look(const char *path, const struct override *overrides, size_t n,
                               struct buf *errors);
/* Is one of these errors about a flag? Then the usage was wrong, not only the file. */
bool settings_errors_name_flag(struct str errors);
/* Like settings_read, from memory. `name` stands for the file in messages. For tests and fuzzing. */
struct settings *settings_parse(struct str yaml, struct str name, const struct override *overrides, size_t n,
                                struct buf *errors);
/* What a site has by its deploys. */
struct site_release {
    const struct release *release;
    struct str origin; /* in place of the setting, which it has the form of; empty: the setting's */
};
/* Makes settings that differ from `read` only in what the deploys of its sites say: `v` has an entry for each
 * site, in their order. Copies the entries. The caller owns the first reference. Takes a reference to those
 * that were read from the file. Any thread. */
struct settings *settings_with_releases(struct settings *read, const struct site_release *v);
/* Returns the settings as they were read, without what deploys say of them: `s` itself, or those that it was
 * made from. They live as long as `s`. */
static inline struct settings *settings_as_read(const struct settings *s)
{
    return s->read ? s->read : (struct settings *)(uintptr_t)s;
}
/* Take a reference, which the caller then owns, and drop one; the last drop frees the snapshot. Any thread;
 * not NULL. */
struct settings *settings_ref(struct settings *s);
void settings_unref(struct settings *s);

/* Returns the site of a host (lower case, no port): an exact name, else the longest "*." suffix, else the
 * site without hosts, else NULL. */
const struct site_settings *settings_site_of_host(const struct settings *s, struct str host);
/* Writes to *out how an https:// origin of this site is believed; `server_name` is not set when the site says
 * none. The strings live as long as the settings. `a`: of those. */
void site_settings_origin_tls(const struct site_settings *site, struct str config_path, struct arena *a,
                              struct origin_tls *out);
/* Returns the site of that name, or NULL. */
const struct site_settings *settings_site_by_name(const struct settings *s, struct str name);

/* Do they differ in a setting of class KEY or STORE? Then the site's stored responses are of no use. Of
 * several origins one that stays is enough: it is the same site. */
bool site_settings_store_changed(const struct site_settings *a, const struct site_settings *b);
/* Appends those settings as bytes, which differ when they have changed, also between two processes of one
 * build. Another set of origins is a change here. */
void site_settings_store_bytes(const struct site_settings *site, struct buf *out);
/* Appends the names of the START settings that differ ("listen, memory"): the reload says that they need a
 * restart. false: none. */
bool settings_start_changed(const struct settings *a, const struct settings *b, struct buf *names);

/* Returns the profile's name. */
struct str profile_name(enum profile p);

#endif
