#include "request/country.h"

#include <errno.h>
#include <maxminddb.h>
#include <netdb.h>
#include <string.h>

#include "base/mem.h"

struct country {
    MMDB_s db;
};

struct country *country_open(const char *path, const char **error)
{
    struct country *c = mem_alloc(sizeof(*c));
    int status = MMDB_open(path, MMDB_MODE_MMAP, &c->db);
    if (status == MMDB_SUCCESS)
        return c;
    *error = status == MMDB_FILE_OPEN_ERROR ? strerror(errno) : MMDB_strerror(status);
    mem_free(c);
    return NULL;
}

void country_close(struct country *c)
{
    if (!c)
        return;
    MMDB_close(&c->db);
    mem_free(c);
}

/* The code stands under different names: MaxMind's and DB-IP's files, and the flat ones of ip-location-db. */
static const char *const paths[][3] = {
    { "country", "iso_code", NULL },
    { "country_code", NULL, NULL },
    { "registered_country", "iso_code", NULL },
};

static struct str upper(struct str s, struct arena *a)
{
    char *copy = arena_alloc(a, s.n + 1);
    for (size_t i = 0; i < s.n; i++)
        copy[i] = s.p[i] >= 'a' && s.p[i] <= 'z' ? (char)(s.p[i] - 0x20) : s.p[i];
    return (struct str){ copy, s.n };
}

/* "::ffff:192.0.2.1" is how a proxy that listens on IPv6 writes its IPv4 visitors; not every database lists
 * them there. */
static struct str unmapped(struct str ip)
{
    static const struct str prefix = STR_INIT("::ffff:");
    bool mapped = str_starts_nocase(ip, prefix) && str_index(ip, '.') < ip.n;
    return mapped ? str_from_index(ip, prefix.n) : ip;
}

struct str country_of(const struct country *c, struct str ip, struct arena *a)
{
    int gai, status;
    if (!c || ip.n == 0)
        return STR_NONE;
    ip = unmapped(ip);
    MMDB_lookup_result_s found = MMDB_lookup_string(&c->db, arena_dup(a, ip).p, &gai, &status);
    if (gai != 0 || status != MMDB_SUCCESS || !found.found_entry)
        return STR_NONE;
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        MMDB_entry_data_s data;
        if (MMDB_aget_value(&found.entry, &data, (const char *const *)paths[i]) == MMDB_SUCCESS &&
            data.has_data && data.type == MMDB_DATA_TYPE_UTF8_STRING && data.data_size == 2)
            return upper((struct str){ data.utf8_string, data.data_size }, a);
    }
    return STR_NONE;
}
