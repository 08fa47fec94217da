/*
 * Lets the n-th call of one function of the system fail: a library that is loaded before libc (LD_PRELOAD),
 * for tests/faults/faults.mjs. What it is to do is in the environment:
 *   FAULT_CALL   the function's name, as in the list below
 *   FAULT_NTH    which call of it fails, from 1 on; 0: none
 *   FAULT_ERRNO  with which errno
 *   FAULT_COUNTS a file that gets, at the end of the process, how often each was called
 *   FAULT_AFTER  calls count from the moment this file is there
 *   FAULT_NEW    "1": they count in the process that takes over from another one alone, "0": in all but that
 *   FAULT_DISK   a folder: while it has a file `full`, what is written to files finds no room; while it has
 *                `stands`, whoever writes, reads or syncs a file waits, and notes `stood` there
 * Event descriptors are left alone: the kernel does not fail there, and libuv does not expect it.
 * mem_alloc, mem_try and pages_map are asked for by test builds of the program (base/mem.h); malloc, with
 * calloc and realloc, is libc's, for the program and all libraries, where no sanitizer has its own
 * (-DWITH_MALLOC).
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* clang-format off */
#define CALLS(X) \
    X(open) X(pread) X(preadv2) X(pwrite) X(fdatasync) X(fsync) X(fallocate) X(ftruncate) X(rename) \
    X(unlink) X(mkdir) X(flock) X(socket) X(bind) X(listen) X(accept4) X(connect) X(recv) X(send) \
    X(sendmsg) X(recvmsg) X(socketpair) X(read) X(write) X(writev) X(setsockopt) X(getsockopt) X(mmap) \
    X(pthread_create) X(getaddrinfo) X(mem_alloc) X(mem_try) X(pages_map) X(malloc)
/* clang-format on */

enum call {
#define X(name) CALL_##name,
    CALLS(X)
#undef X
        CALL_COUNT
};

static const char *const names[] = {
#define X(name) #name,
    CALLS(X)
#undef X
};

static atomic_int counts[CALL_COUNT];
static int chosen = -1, nth, number;
static atomic_bool is_ready, has_begun;
static const char *after;
static bool is_elsewhere; /* it is not this process whose calls count */

static int number_of(const char *variable)
{
    const char *text = getenv(variable);
    return text ? atoi(text) : 0;
}

static void prepare(void)
{
    const char *call = getenv("FAULT_CALL");
    if (atomic_load(&is_ready))
        return;
    for (int i = 0; call && i < CALL_COUNT; i++)
        if (strcmp(names[i], call) == 0)
            chosen = i;
    const char *of_new = getenv("FAULT_NEW");
    after = getenv("FAULT_AFTER");
    is_elsewhere = of_new && (of_new[0] == '1') != (getenv("FRESHET_UPGRADE") != NULL);
    nth = number_of("FAULT_NTH");
    number = number_of("FAULT_ERRNO");
    atomic_store(&is_ready, true);
}

/* Not by a function that is counted itself. */
static bool counts_now(void)
{
    if (is_elsewhere)
        return false;
    if (after && !atomic_load(&has_begun)) {
        int before = errno;
        atomic_store(&has_begun, access(after, F_OK) == 0);
        errno = before;
        return atomic_load(&has_begun);
    }
    return true;
}

/* Counts the call. true: it is the one that fails. */
static bool fails(enum call call)
{
    prepare();
    if (!counts_now())
        return false;
    int n = atomic_fetch_add(&counts[call], 1) + 1;
    if ((int)call != chosen || n != nth)
        return false;
    errno = number;
    return true;
}

__attribute__((destructor)) static void tell(void)
{
    const char *path = getenv("FAULT_COUNTS");
    FILE *f = path && !is_elsewhere ? fopen(path, "w") : NULL;
    for (int i = 0; f && i < CALL_COUNT; i++)
        fprintf(f, "%s %d\n", names[i], atomic_load(&counts[i]));
    if (f)
        fclose(f);
}

static bool is_event(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISSOCK(st.st_mode);
}

/* What libc has under that name. */
#define REAL(name)                                                                                           \
    static __typeof__(&name) real;                                                                           \
    if (!real)                                                                                               \
    real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

/* Defines a function under libc's name, which fails when it is its turn. */
#define WRAP(result, name, parameters, arguments)                                                            \
    result name parameters                                                                                   \
    {                                                                                                        \
        REAL(name);                                                                                          \
        return fails(CALL_##name) ? (result)-1 : real arguments;                                             \
    }

#define WRAP_OF(result, name, call, parameters, arguments)                                                   \
    result name parameters                                                                                   \
    {                                                                                                        \
        REAL(name);                                                                                          \
        return fails(CALL_##call) ? (result)-1 : real arguments;                                             \
    }

/* The file of that name in the folder FAULT_DISK. */
static bool disk_note(const char *name, char *path, size_t n)
{
    const char *folder = getenv("FAULT_DISK");
    if (folder)
        snprintf(path, n, "%s/%s", folder, name);
    return folder;
}

static bool disk_is(const char *how)
{
    char path[4096];
    int before = errno;
    bool is = disk_note(how, path, sizeof(path)) && access(path, F_OK) == 0;
    errno = before;
    return is;
}

/* Waits for as long as the disk stands. */
static void disk_wait(void)
{
    char path[4096];
    int before = errno;
    while (disk_is("stands") && disk_note("stood", path, sizeof(path))) {
        int made = mknod(path, S_IFREG | 0600, 0);
        (void)made;
        usleep(1000);
    }
    errno = before;
}

/* Of those that may need room. */
static bool fails_on_disk(enum call call)
{
    disk_wait();
    if (!disk_is("full"))
        return fails(call);
    errno = ENOSPC;
    return true;
}

#define WRAP_DISK(result, name, call, parameters, arguments)                                                 \
    result name parameters                                                                                   \
    {                                                                                                        \
        REAL(name);                                                                                          \
        return fails_on_disk(CALL_##call) ? (result)-1 : real arguments;                                     \
    }

#define WRAP_WAIT(result, name, call, parameters, arguments)                                                 \
    result name parameters                                                                                   \
    {                                                                                                        \
        REAL(name);                                                                                          \
        disk_wait();                                                                                         \
        return fails(CALL_##call) ? (result)-1 : real arguments;                                             \
    }

WRAP_WAIT(ssize_t, pread, pread, (int f, void *to, size_t n, off_t at), (f, to, n, at))
WRAP_WAIT(ssize_t, pread64, pread, (int f, void *to, size_t n, off64_t at), (f, to, n, at))
WRAP_OF(ssize_t, preadv64v2, preadv2, (int f, const struct iovec *v, int n, off64_t at, int flags),
        (f, v, n, at, flags))
WRAP_DISK(ssize_t, pwrite, pwrite, (int f, const void *from, size_t n, off_t at), (f, from, n, at))
WRAP_DISK(ssize_t, pwrite64, pwrite, (int f, const void *from, size_t n, off64_t at), (f, from, n, at))
WRAP_WAIT(int, fdatasync, fdatasync, (int f), (f))
WRAP(int, fsync, (int f), (f))
WRAP_DISK(int, fallocate64, fallocate, (int f, int mode, off64_t at, off64_t n), (f, mode, at, n))
WRAP_OF(int, ftruncate64, ftruncate, (int f, off64_t n), (f, n))
WRAP(int, rename, (const char *from, const char *to), (from, to))
WRAP(int, unlink, (const char *path), (path))
WRAP(int, mkdir, (const char *path, mode_t mode), (path, mode))
WRAP(int, flock, (int f, int what), (f, what))
WRAP(int, socket, (int family, int type, int protocol), (family, type, protocol))
WRAP(int, bind, (int f, const struct sockaddr *at, socklen_t n), (f, at, n))
WRAP(int, listen, (int f, int backlog), (f, backlog))
WRAP(int, accept4, (int f, struct sockaddr *at, socklen_t *n, int flags), (f, at, n, flags))
WRAP(int, connect, (int f, const struct sockaddr *at, socklen_t n), (f, at, n))
WRAP(ssize_t, recv, (int f, void *to, size_t n, int flags), (f, to, n, flags))
WRAP(ssize_t, send, (int f, const void *from, size_t n, int flags), (f, from, n, flags))
WRAP(ssize_t, sendmsg, (int f, const struct msghdr *m, int flags), (f, m, flags))
WRAP(ssize_t, recvmsg, (int f, struct msghdr *m, int flags), (f, m, flags))
WRAP(int, socketpair, (int family, int type, int protocol, int f[2]), (family, type, protocol, f))
WRAP(ssize_t, writev, (int f, const struct iovec *v, int n), (f, v, n))
WRAP(int, setsockopt, (int f, int level, int name, const void *value, socklen_t n),
     (f, level, name, value, n))
WRAP(int, getsockopt, (int f, int level, int name, void *value, socklen_t *n), (f, level, name, value, n))

ssize_t read(int f, void *to, size_t n)
{
    REAL(read);
    return !is_event(f) && fails(CALL_read) ? -1 : real(f, to, n);
}

ssize_t write(int f, const void *from, size_t n)
{
    REAL(write);
    return !is_event(f) && fails(CALL_write) ? -1 : real(f, from, n);
}

/* The mode stands behind the flags, or whatever else is there, which is then not used. */
#define WRAP_OPEN(name)                                                                                      \
    int name(const char *path, int flags, ...)                                                               \
    {                                                                                                        \
        va_list more;                                                                                        \
        va_start(more, flags);                                                                               \
        mode_t mode = (mode_t)va_arg(more, int);                                                             \
        va_end(more);                                                                                        \
        REAL(name);                                                                                          \
        return fails(CALL_open) ? -1 : real(path, flags, mode);                                              \
    }

WRAP_OPEN(open)
WRAP_OPEN(open64)

void *mmap64(void *at, size_t n, int access, int flags, int f, off64_t from)
{
    REAL(mmap64);
    return fails(CALL_mmap) ? MAP_FAILED : real(at, n, access, flags, f, from);
}

int pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*run)(void *), void *ctx)
{
    REAL(pthread_create);
    return fails(CALL_pthread_create) ? EAGAIN : real(t, a, run, ctx);
}

bool mem_fault(const char *what)
{
    for (enum call call = CALL_mem_alloc; call <= CALL_pages_map; call++)
        if (strcmp(names[call], what) == 0)
            return fails(call);
    return false;
}

#ifdef WITH_MALLOC
extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t bytes);
extern void *__libc_realloc(void *p, size_t n);

void *malloc(size_t n)
{
    return fails(CALL_malloc) ? NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t bytes)
{
    return fails(CALL_malloc) ? NULL : __libc_calloc(n, bytes);
}

void *realloc(void *p, size_t n)
{
    return fails(CALL_malloc) ? NULL : __libc_realloc(p, n);
}
#endif

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **out)
{
    REAL(getaddrinfo);
    return fails(CALL_getaddrinfo) ? EAI_AGAIN : real(node, service, hints, out);
}
