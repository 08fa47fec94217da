#include "server/confine.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/running.h"
#include "io/sandbox.h"
#include "io/system.h"
#include "io/user.h"

/* ---- which files ---- */

/* Names of hosts, of services, of what libc loads for them. The files are replaced while freshet runs, and
 * what takes a file's place is another one: so the folder. But in /etc are files for root alone, and who is
 * root opens them all: to root these files alone, as they are at the start. */
static const char *const resolver_files[] = {
    "/etc/resolv.conf", "/etc/hosts",     "/etc/nsswitch.conf", "/etc/host.conf",       "/etc/gai.conf",
    "/etc/services",    "/etc/protocols", "/etc/ld.so.cache",   "/etc/ssl/openssl.cnf",
};
/* The authorities that sign for servers, of which a CA's is one. */
static const char *const authorities[] = {
    "/etc/ssl/certs",       "/etc/ssl/cert.pem",          "/etc/pki",
    "/etc/ca-certificates", "/usr/share/ca-certificates", "/usr/local/share/ca-certificates"
};
static const char *const libraries[] = { "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib" };
/* libuv's loops hold one; libc asks whether memory may be promised; which boot of the machine this is. */
static const char *const devices[] = { "/dev/null", "/dev/zero", "/proc/sys/vm/overcommit_memory",
                                       "/proc/sys/kernel/random/boot_id" };

/* What is not there needs no permission. */
static void allow(const struct sandbox *s, const char *path, unsigned access)
{
    (void)sandbox_allow(s, path, access);
}

/* The folder that a file stands in, where a link is followed to. */
static bool folder_of(const char *path, char out[PATH_MAX])
{
    char real[PATH_MAX];
    return system_folder_of(realpath(path, real) ? real : path, out) == 0;
}

static void allow_beside(const struct sandbox *s, const char *path, unsigned access)
{
    char folder[PATH_MAX];
    if (folder_of(path, folder))
        allow(s, folder, access);
}

static void allow_resolver(const struct sandbox *s)
{
    bool is_root = user_is_root();
    char folder[PATH_MAX];
    if (!is_root)
        allow(s, "/etc", SANDBOX_READ | SANDBOX_LIST);
    for (size_t i = 0; i < COUNT_OF(resolver_files); i++) {
        allow(s, resolver_files[i], SANDBOX_READ);
        /* A link out of /etc leads to a folder that somebody keeps for it. */
        if (folder_of(resolver_files[i], folder) && strncmp(folder, "/etc", 4) != 0)
            allow(s, folder, SANDBOX_READ);
    }
}

/* When it cannot be made now, whoever makes way for it does so in the lowest folder above it that is
 * there. */
static void allow_state(const struct sandbox *s, const char *state)
{
    const unsigned all = SANDBOX_READ | SANDBOX_LIST | SANDBOX_CHANGE;
    char at[PATH_MAX], above[PATH_MAX];
    if (!state[0] || strlen(state) >= sizeof(at))
        return;
    strcpy(at, state);
    if (system_make_dirs(at, 0700) == 0) {
        allow(s, at, all);
        return;
    }
    do {
        system_folder_of(at, above);
        strcpy(at, above);
    } while (sandbox_allow(s, at, all) == -ENOENT && strcmp(at, ".") != 0 && strcmp(at, "/") != 0);
}

/* A file among others is made anew when logs are rotated; a device or a pipe is what it is. */
static void allow_access_log(const struct sandbox *s, struct str setting)
{
    char path[PATH_MAX];
    if (!setting.n || setting.n >= sizeof(path) || str_eq(setting, STR("-")))
        return;
    snprintf(path, sizeof(path), "%.*s", STR_ARG(setting));
    if (system_is_special(path))
        allow(s, path, SANDBOX_APPEND);
    else
        allow_beside(s, path, SANDBOX_APPEND);
}

static void allow_named(const struct sandbox *s, struct str folder, struct str file)
{
    char path[PATH_MAX];
    if (!file.n || file.n + folder.n >= sizeof(path))
        return;
    snprintf(path, sizeof(path), "%.*s%.*s", STR_ARG(file.p[0] == '/' ? STR_NONE : folder), STR_ARG(file));
    allow_beside(s, path, SANDBOX_READ);
}

/* What a reload reads again. */
static void allow_configuration(const struct sandbox *s, const struct settings *settings, const char *config)
{
    struct str folder = settings->path;
    while (folder.n && folder.p[folder.n - 1] != '/')
        folder.n--;
    if (config)
        allow_beside(s, config, SANDBOX_READ);
    allow_named(s, folder, settings->process.acme_ca);
    for (size_t i = 0; i < settings->sites_n; i++) {
        const struct site_settings *site = &settings->sites[i];
        allow_named(s, folder, site->headers_file);
        allow_named(s, folder, site->origin_ca);
        allow_named(s, folder, site->origin_cert);
        allow_named(s, folder, site->origin_key);
        for (size_t k = 0; k < site->cert.n; k++)
            allow_named(s, folder, site->cert.v[k]);
        for (size_t k = 0; k < site->key.n; k++)
            allow_named(s, folder, site->key.v[k]);
        for (size_t k = 0; k < site->webhooks.n; k++)
            allow_named(s, STR_NONE, site->webhook_list[k].secret_file);
    }
}

static void allow_runtime(const struct sandbox *s)
{
    char all[RUNNING_FOLDERS][PATH_MAX];
    size_t n = running_folders(all);
    for (size_t i = 0; i < n; i++)
        if (presence_make_folder(all[i]) == 0) {
            allow(s, all[i], SANDBOX_READ | SANDBOX_LIST | SANDBOX_CHANGE);
            return;
        }
}

/* Builds that nobody serves with. */
static void allow_tests(const struct sandbox *s)
{
#ifdef FRESHET_SANITIZED
    /* Names of functions, by a program that is started; and its own memory. */
    static const char *const more[] = { "/proc", "/sys", "/usr", "/bin", "/lib", "/lib64" };
    char self[PATH_MAX];
    for (size_t i = 0; i < COUNT_OF(more); i++)
        allow(s, more[i], SANDBOX_READ | SANDBOX_LIST | SANDBOX_RUN);
    if (realpath("/proc/self/exe", self))
        allow_beside(s, self, SANDBOX_READ);
#endif
#ifdef FRESHET_COVERAGE
    allow(s, FRESHET_COVERAGE, SANDBOX_READ | SANDBOX_LIST | SANDBOX_CHANGE);
#endif
#ifdef FRESHET_CONTROL
    const char *hosts = getenv("FRESHET_TEST_HOSTS");
    if (hosts)
        allow_beside(s, hosts, SANDBOX_READ);
#endif
    (void)s;
}

/* For CAs and for origins: a reload or a deploy may name the first https:// origin. */
static void allow_authorities(const struct sandbox *s)
{
    const char *file = getenv("SSL_CERT_FILE"), *folder = getenv("SSL_CERT_DIR");
    for (size_t i = 0; i < COUNT_OF(authorities); i++)
        allow(s, authorities[i], SANDBOX_READ | SANDBOX_LIST);
    if (file && *file)
        allow_beside(s, file, SANDBOX_READ);
    if (folder && *folder)
        allow(s, folder, SANDBOX_READ | SANDBOX_LIST);
}

static int hold_files(const struct settings *s, const struct cli *cli, const char *state)
{
    struct sandbox files;
    int status = sandbox_begin(&files);
    if (status < 0)
        return status;
    for (size_t i = 0; i < COUNT_OF(libraries); i++)
        allow(&files, libraries[i], SANDBOX_READ | SANDBOX_LIST);
    for (size_t i = 0; i < COUNT_OF(devices); i++)
        allow(&files, devices[i], SANDBOX_READ);
    allow_authorities(&files);
    allow(&files, "/dev/null", SANDBOX_READ | SANDBOX_APPEND);
    allow_resolver(&files);
    allow_state(&files, state);
    allow_access_log(&files, s->process.access_log);
    allow_configuration(&files, s, cli->config);
    allow_runtime(&files);
    allow_tests(&files);
    return sandbox_hold_files(&files);
}

void confine_files(struct confinement *c, const struct settings *s, const struct cli *cli, const char *state)
{
    *c = (struct confinement){ .files_status = 0 };
    sandbox_gain_nothing();
    if (!s->process.core_dumps)
        sandbox_dump_nothing();
    if (s->process.sandbox == SANDBOX_ON)
        c->files_status = hold_files(s, cli, state);
}

/* ---- system calls ---- */

static struct confinement *of_process;

/* In a signal handler. */
static void on_refused(void)
{
    notice_send(&of_process->refused.notice, NULL);
}

/* Once for each call: who is refused may try for ever. */
static void say_refused(struct loop_notice *n)
{
    struct confinement *c = CONTAINER_OF(n, struct confinement, refused);
    const char *name;
    uint64_t times;
    bool is_first;
    while ((name = sandbox_next_refused(&times, &is_first))) {
        count_add(c->counters, COUNTER_SANDBOX_REFUSED, (int64_t)times);
        if (is_first)
            log_error(
                &c->process->log, "sandbox",
                "refused the system call %s. Either somebody has taken this process over, or freshet needs "
                "it: then please report it, and set `sandbox: off` meanwhile",
                name);
    }
}

static void say_lacking(struct process *p, int files, int calls)
{
    char of_files[128] = "", of_calls[128] = "";
    if (files < 0)
        snprintf(of_files, sizeof(of_files), "files (Landlock: %s)", system_strerror(files));
    if (calls < 0)
        snprintf(of_calls, sizeof(of_calls), "system calls (seccomp: %s)", system_strerror(calls));
    if (files < 0 || calls < 0)
        log_info(&p->log, "sandbox", "this system does not confine %s%s%s", of_files,
                 files < 0 && calls < 0 ? " and " : "", of_calls);
}

void confine_calls(struct confinement *c, struct process *p, struct counters *counters)
{
    c->process = p;
    c->counters = counters;
    if (p->settings->process.sandbox != SANDBOX_ON)
        return;
    of_process = c;
    loop_notice_init(&c->refused, &p->loop, say_refused);
    say_lacking(p, c->files_status, sandbox_hold_calls(on_refused));
}

/* ---- reloads ---- */

bool confine_may_be_why(const struct process_settings *s, struct str errors)
{
    static const char *const denied[] = { "Permission denied", "permission denied" };
    for (size_t i = 0; i < COUNT_OF(denied); i++)
        if (s->sandbox == SANDBOX_ON && memmem(errors.p, errors.n, denied[i], strlen(denied[i])))
            return true;
    return false;
}
