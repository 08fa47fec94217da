/*
 * libcurl, loaded when it is needed: with what it needs itself (some thirty libraries on Debian) it takes
 * 4 MB of memory, and only who wants certificates from a CA asks one.
 */
#ifndef ACME_LIBCURL_H
#define ACME_LIBCURL_H

#include <curl/curl.h>
#include <stdbool.h>

#include "base/str.h"

/* What of it is called, by the names it has there without `curl_`. */
#define LIBCURL_CALLS(X)                                                                                     \
    X(global_init)                                                                                           \
    X(easy_init)                                                                                             \
    X(easy_reset)                                                                                            \
    X(easy_setopt)                                                                                           \
    X(easy_getinfo)                                                                                          \
    X(easy_strerror)                                                                                         \
    X(easy_cleanup)                                                                                          \
    X(multi_init)                                                                                            \
    X(multi_add_handle)                                                                                      \
    X(multi_remove_handle)                                                                                   \
    X(multi_perform)                                                                                         \
    X(multi_poll)                                                                                            \
    X(multi_wakeup)                                                                                          \
    X(multi_info_read)                                                                                       \
    X(multi_cleanup)                                                                                         \
    X(slist_append)                                                                                          \
    X(slist_free_all)

#define LIBCURL_MEMBER(name) __typeof__ (&curl_##name)(name);
struct libcurl {
    LIBCURL_CALLS(LIBCURL_MEMBER)
};
#undef LIBCURL_MEMBER

/* Loads it; the first call does, and all return the same. Before the system calls are confined, since code is
 * mapped. It stays until the process ends. NULL: it does not work here, and libcurl_trouble says why. Any
 * thread. */
const struct libcurl *libcurl_open(void);
/* Returns what was wrong and what to do, for people. After libcurl_open. */
struct str libcurl_trouble(void);

#endif
