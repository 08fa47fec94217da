#include "io/inherited.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"

#define FIRST_FD 3 /* sd_listen_fds(3) */

bool inherited_add(struct inherited *in, int fd, struct str text)
{
    if (in->n == INHERITED_MOST)
        return false;
    in->v = mem_resize(in->v, (in->n + 1) * sizeof(*in->v));
    struct inherited_socket *s = &in->v[in->n++];
    *s = (struct inherited_socket){ .fd = fd, .text = BUF_INIT, .name = BUF_INIT };
    buf_add(&s->text, text);
    address_ask(fd, getsockname, &s->bound);
    return true;
}

/* ---- of a supervisor ---- */

static int number_in(const char *variable)
{
    const char *text = getenv(variable);
    uint64_t n;
    return text && str_to_u64(str_from(text), INT32_MAX, &n) ? (int)n : 0;
}

static bool is_listening(int fd)
{
    int type = 0, listens = 0;
    socklen_t bytes = sizeof(type);
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &bytes) != 0 || type != SOCK_STREAM)
        return false;
    bytes = sizeof(listens);
    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &bytes) == 0 && listens;
}

static bool prepare(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    return is_listening(fd) && flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0 &&
           fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
}

static bool add_all(struct inherited *in, int n, struct str names, struct buf *error)
{
    for (int i = 0; i < n; i++) {
        struct str name = names.p ? str_cut(&names, ':') : STR_NONE;
        int fd = FIRST_FD + i;
        if (!prepare(fd) || !inherited_add(in, fd, STR_NONE)) {
            buf_printf(error, "descriptor %d", fd);
            if (name.n)
                buf_printf(error, " (%.*s)", STR_ARG(name));
            buf_printf(error, " of LISTEN_FDS is no listening stream socket; see that the socket unit has "
                              "ListenStream= and Accept=no");
            return false;
        }
        buf_add(&in->v[in->n - 1].name, name);
    }
    return true;
}

bool inherited_from_supervisor(struct inherited *in, struct buf *error)
{
    const char *names = getenv("LISTEN_FDNAMES");
    bool is_ours = number_in("LISTEN_PID") == (int)getpid();
    int n = is_ours ? number_in("LISTEN_FDS") : 0;
    bool good = add_all(in, n, names ? str_from(names) : STR_NONE, error);
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    return good;
}

/* ---- which is for what ---- */

/* Port 0 is whatever port it was given: then the name alone says it. */
static bool is_for(const struct inherited_socket *s, struct str name, const struct address *at)
{
    return (s->text.n && str_eq(buf_str(&s->text), name)) || (at && address_is_same(at, &s->bound));
}

size_t inherited_take(struct inherited *in, struct str name, const struct address *at, int *fds, size_t most,
                      struct address *bound)
{
    size_t n = 0;
    for (size_t i = 0; i < in->n && n < most; i++) {
        struct inherited_socket *s = &in->v[i];
        if (s->is_taken || !is_for(s, name, at))
            continue;
        s->is_taken = true;
        fds[n++] = s->fd;
        *bound = s->bound;
    }
    return n;
}

struct inherited_socket *inherited_left(struct inherited *in)
{
    for (size_t i = 0; i < in->n; i++)
        if (!in->v[i].is_taken)
            return &in->v[i];
    return NULL;
}

void inherited_close_left(struct inherited *in)
{
    for (size_t i = 0; i < in->n; i++)
        if (!in->v[i].is_taken && in->v[i].fd >= 0) {
            close(in->v[i].fd);
            in->v[i].fd = -1;
        }
}

void inherited_fini(struct inherited *in)
{
    for (size_t i = 0; i < in->n; i++) {
        buf_fini(&in->v[i].text);
        buf_fini(&in->v[i].name);
    }
    mem_free(in->v);
    *in = (struct inherited){ 0 };
}
