#include "server/advice.h"

#define PRIVILEGED_BELOW 1024 /* Linux: net.ipv4.ip_unprivileged_port_start, which few change */

static const char *advice_listen_local(int status)
{
    switch (status) {
    case UV_ENOENT: return "make its folder first";
    case UV_ENOTSOCK: return "move away what is there, which is no socket";
    case UV_EACCES:
    case UV_EPERM: return "make its folder writable for this user";
    default: return NULL;
    }
}

static unsigned port_of(const struct address *at)
{
    /* v4 and v6 have it in the same place, but that is not ours to know. */
    return ntohs(at->sa.any.sa_family == AF_INET6 ? at->sa.v6.sin6_port : at->sa.v4.sin_port);
}

const char *advice_listen(int status, const struct address *at)
{
    if (status == UV_EADDRINUSE)
        return "stop what listens there";
    if (at->sa.any.sa_family == AF_UNIX)
        return advice_listen_local(status);
    switch (status) {
    case UV_EADDRNOTAVAIL: return "give it to this machine first (\"ip address\" lists those that it has)";
    case UV_EACCES:
    case UV_EPERM:
        return port_of(at) < PRIVILEGED_BELOW ? "ports below 1024 need the capability CAP_NET_BIND_SERVICE: "
                                                "give it to the process (in a "
                                                "unit of systemd: AmbientCapabilities=CAP_NET_BIND_SERVICE)"
                                              : NULL;
    case UV_EAFNOSUPPORT: return "turn IPv6 on";
    default: return NULL;
    }
}

const char *advice_log(int status)
{
    switch (status) {
    case UV_ENOENT: return "make its folder first";
    case UV_EACCES:
    case UV_EPERM: return "make it, or its folder, writable for this user";
    case UV_EISDIR: return "name a file in that folder";
    case UV_ENXIO: return "start the reader of that pipe first";
    default: return NULL;
    }
}

const char *advice_state(int status)
{
    switch (status) {
    case UV_ENOTDIR: return "move away the file that stands where a folder belongs";
    case UV_EACCES:
    case UV_EPERM: return "make it readable and writable for this user";
    case UV_EROFS: return "choose a folder on a disk that can be written to";
    case UV_ENOSPC: return "make room on its disk";
    default: return NULL;
    }
}

const char *advice_token_file(int status)
{
    switch (status) {
    case UV_ENOENT: return "write the token into it";
    case UV_EACCES:
    case UV_EPERM: return "make it readable for this user";
    case UV_EISDIR: return "name a file in that folder";
    case UV_EFBIG: return "write the token alone into it, on one line";
    default: return NULL;
    }
}
