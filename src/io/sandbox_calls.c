#include "io/sandbox.h"

#include <errno.h>

#ifndef FRESHET_SECCOMP

int sandbox_hold_calls(void (*refused)(void))
{
    (void)refused;
    return -ENOSYS;
}

const char *sandbox_next_refused(uint64_t *times, bool *is_first)
{
    (void)times;
    (void)is_first;
    return NULL;
}

#else

#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <termios.h>
#include <ucontext.h>
#include <unistd.h>

#include <linux/io_uring.h>
#include <linux/netlink.h>
#include <linux/sockios.h>

#include "base/check.h"
#include "base/str.h"

#define NUMBERS  512 /* of system calls; the kernel has fewer */
#define CALL_MAX 32

/* With any arguments. Names that an architecture, or an older libseccomp, does not have are passed over. */
static const char allowed[] =
    /* memory (mmap and mprotect: below) */
    "brk madvise membarrier mremap munmap "
    /* files: which ones is for Landlock to say */
    "access close close_range dup dup2 dup3 faccessat faccessat2 fadvise64 fallocate fchmod fcntl fdatasync "
    "flock fstat fstatfs fsync ftruncate getcwd getdents64 lseek lstat mkdir mkdirat newfstatat open openat "
    "pipe2 pread64 preadv preadv2 pwrite64 pwritev pwritev2 read readlink readlinkat readv rename renameat "
    "renameat2 rmdir stat statfs statx sync_file_range umask unlink unlinkat write writev "
    /* connections (socket: below); not listen: the listeners are there */
    "accept4 bind connect getpeername getsockname getsockopt recvfrom recvmmsg recvmsg sendfile sendmmsg "
    "sendmsg sendto setsockopt shutdown socketpair "
    /* waiting */
    "epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 epoll_wait eventfd2 io_uring_enter poll ppoll pselect6 "
    "restart_syscall select "
    /* time */
    "clock_getres clock_gettime clock_nanosleep gettimeofday nanosleep time "
    /* threads and signals */
    "exit exit_group futex futex_waitv ioprio_set rseq rt_sigaction rt_sigpending rt_sigprocmask "
    "rt_sigreturn "
    "sched_getaffinity sched_yield set_robust_list sigaltstack "
    /* what it is */
    "getegid geteuid getgid getpid getrandom getresgid getresuid getrlimit getrusage gettid getuid sysinfo "
    "times uname "
#ifdef FRESHET_SANITIZED
    /* A sanitizer looks at the process from a process of its own, and starts a program that knows names. */
    "arch_prctl clone execve execveat fork getdents getpgrp getppid io_uring_register ioctl kill mincore "
    "mmap "
    "mprotect msync personality pipe prctl prlimit64 process_vm_readv ptrace rt_sigtimedwait sched_getparam "
    "sched_getscheduler sched_get_priority_max sched_get_priority_min set_tid_address setpriority setrlimit "
    "setsid socket tgkill tkill vfork wait4 waitid "
#endif
    ;

static const char *names[NUMBERS];
static atomic_ullong counts[NUMBERS]; /* refused */
static unsigned long long told[NUMBERS];
static void (*on_refused)(void);

/* ---- a refused call ---- */

#ifdef FRESHET_CONTROL
static __thread volatile sig_atomic_t is_trying;
#endif

/* A call that nobody thought of is a bug: a test must not go on as if nothing were. */
static void end_if_unexpected(const char *name)
{
#ifdef FRESHET_DEBUG
    static const char begin[] = "\nCHECK failed: the sandbox refused the system call ";
#ifdef FRESHET_CONTROL
    if (is_trying)
        return;
#endif
    ssize_t n = write(STDERR_FILENO, begin, sizeof(begin) - 1);
    n = write(STDERR_FILENO, name, strlen(name));
    n = write(STDERR_FILENO, "\n", 1);
    (void)n;
    abort();
#else
    (void)name;
#endif
}

/* The kernel has not made the call. What its caller reads is EPERM. */
static void on_call(int signo, siginfo_t *info, void *context)
{
    ucontext_t *c = context;
    int error = errno;
    unsigned number = (unsigned)info->si_syscall;
    (void)signo;
    if (number < NUMBERS)
        atomic_fetch_add(&counts[number], 1);
    end_if_unexpected(number < NUMBERS && names[number] ? names[number] : "(unknown)");
    if (on_refused)
        on_refused();
#if defined(__x86_64__)
    c->uc_mcontext.gregs[REG_RAX] = -EPERM;
#elif defined(__aarch64__)
    c->uc_mcontext.regs[0] = (unsigned long long)-EPERM;
#else
#error "where does a system call return its result here?"
#endif
    errno = error;
}

const char *sandbox_next_refused(uint64_t *times, bool *is_first)
{
    for (size_t i = 0; i < NUMBERS; i++) {
        unsigned long long n = atomic_load(&counts[i]);
        if (n == told[i])
            continue;
        *times = n - told[i];
        *is_first = told[i] == 0;
        told[i] = n;
        return names[i] ? names[i] : "(unknown)";
    }
    return NULL;
}

static void find_names(void)
{
    for (int i = 0; i < NUMBERS; i++)
        names[i] = seccomp_syscall_resolve_num_arch(seccomp_arch_native(), i); /* for good */
}

/* ---- the filter ---- */

static int number_of(const char *name)
{
    return seccomp_syscall_resolve_name(name);
}

#ifndef FRESHET_SANITIZED
/* Calls that do what is needed with some arguments only. */
struct condition {
    const char *name;
    struct scmp_arg_cmp args[2]; /* op 0: none */
};

#define IS(n, value)                                                                                         \
    {                                                                                                        \
        .arg = (n), .op = SCMP_CMP_EQ, .datum_a = (scmp_datum_t)(value)                                      \
    }
#define HAS(n, bits, of_them)                                                                                \
    {                                                                                                        \
        .arg = (n), .op = SCMP_CMP_MASKED_EQ, .datum_a = (bits), .datum_b = (of_them)                        \
    }
#define OF_A_THREAD (CLONE_VM | CLONE_THREAD)

static int add_conditions(scmp_filter_ctx ctx)
{
    const struct condition all[] = {
        /* No memory becomes code that was written: only a library's file does. */
        { "mmap", { HAS(2, PROT_EXEC, 0) } },
        { "mmap", { HAS(3, MAP_ANONYMOUS, 0) } },
        { "mprotect", { HAS(2, PROT_EXEC, 0) } },
        /* Threads, no processes. clone3 hides what it does from filters: libc takes clone instead. */
        { "clone", { HAS(0, OF_A_THREAD, OF_A_THREAD) } },
        { "tgkill", { IS(0, getpid()) } },
        { "prctl", { IS(0, PR_SET_NAME) } },
        { "setpriority", { IS(0, PRIO_PROCESS) } },
        { "prlimit64", { IS(0, 0), IS(2, 0) } }, /* reads */
        { "ioctl", { IS(1, FIONBIO) } },
        { "ioctl", { IS(1, FIONREAD) } },
        { "ioctl", { IS(1, SIOCOUTQ) } }, /* what a client has not acknowledged */
        { "ioctl", { IS(1, TCGETS) } },
        { "socket", { IS(0, AF_UNIX) } },
        { "socket", { IS(0, AF_INET) } },
        { "socket", { IS(0, AF_INET6) } },
        { "socket",
          { IS(0, AF_NETLINK), IS(2, NETLINK_ROUTE) } }, /* getaddrinfo asks which addresses there are */
        /* The rings are there, and know what they may do (io/ring.c). */
        { "io_uring_register", { IS(1, IORING_REGISTER_ENABLE_RINGS) } },
    };
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        unsigned n = all[i].args[1].op ? 2 : 1;
        int number = number_of(all[i].name);
        int status = number == __NR_SCMP_ERROR
                         ? 0
                         : seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, number, n, all[i].args);
        if (status < 0)
            return status;
    }
    return 0;
}
#endif

static int allow(scmp_filter_ctx ctx, struct str name)
{
    char text[CALL_MAX];
    CHECK(name.n < sizeof(text));
    *str_put(text, name) = '\0';
    int number = number_of(text);
    return number == __NR_SCMP_ERROR ? 0 : seccomp_rule_add(ctx, SCMP_ACT_ALLOW, number, 0);
}

static int fill(scmp_filter_ctx ctx)
{
    int status = 0;
    for (struct str rest = str_from(allowed), name; status == 0 && (name = str_cut(&rest, ' ')).n;)
        status = allow(ctx, name);
#ifndef FRESHET_SANITIZED
    if (status == 0)
        status = add_conditions(ctx);
#endif
    return status < 0 ? status : seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), number_of("clone3"), 0);
}

static int set_attributes(scmp_filter_ctx ctx)
{
    int status = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);
    if (status == 0)
        status = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    /* These make it faster, where libseccomp and the kernel know them. */
    (void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_SSB, 1);
    (void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    return status;
}

int sandbox_hold_calls(void (*refused)(void))
{
    struct sigaction action = { .sa_sigaction = on_call, .sa_flags = SA_SIGINFO | SA_RESTART };
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_TRAP);
    if (!ctx)
        return -ENOMEM;
    find_names();
    on_refused = refused;
    int status = set_attributes(ctx);
    if (status == 0)
        status = fill(ctx);
    CHECK(sigaction(SIGSYS, &action, NULL) == 0);
    if (status == 0)
        status = seccomp_load(ctx);
    seccomp_release(ctx);
    return status;
}

#endif

/* ---- for tests ---- */

#ifdef FRESHET_CONTROL

#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int sandbox_try_open(const char *path, bool to_write)
{
    int fd = open(path, (to_write ? O_WRONLY | O_CREAT : O_RDONLY) | O_CLOEXEC | O_NONBLOCK, 0600);
    if (fd < 0)
        return -errno;
    close(fd);
    return 0;
}

int sandbox_try_call(const char *name)
{
#ifndef FRESHET_SECCOMP
    (void)name;
    return -ENOTSUP;
#else
    int number = number_of(name);
    if (number < 0)
        return -EINVAL;
    is_trying = true;
    /* Arguments that no call does anything with. */
    long result = syscall(number, -1L, -1L, -1L, -1L, -1L, -1L);
    int error = errno;
    is_trying = false;
    return result < 0 ? -error : 0;
#endif
}

#endif
