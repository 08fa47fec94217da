/*
 * The verb trust: lets this machine believe the local authority (tls/authority.h), or no more. It asks
 * nobody: the authority's certificate is in the state folder. Two stores know authorities: the system's,
 * which only root changes (Debian's update-ca-certificates; curl, Python and others use it), and those of
 * browsers, which belong to their user (NSS, by certutil).
 */
#include <errno.h>
#include <glob.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/client.h"
#include "client/report.h"
#include "client/running.h"
#include "client/state.h"
#include "tls/authority.h"

#define VERB       "trust"
#define SYSTEM     "/usr/local/share/ca-certificates"
#define UPDATE     "update-ca-certificates"
#define CERTUTIL   "certutil"
#define CERT_MOST  65536
#define STORES_MAX 64

extern char **environ;

struct trust {
    char folder[PATH_MAX]; /* the state folder */
    struct authority_facts facts;
    char name[64]; /* in stores of browsers */
    bool removes;
    unsigned done, failed; /* stores */
};

/* ---- programs ---- */

static bool has_program(const char *name)
{
    const char *path = getenv("PATH");
    struct str rest = str_from(path ? path : "");
    while (rest.p) {
        char file[PATH_MAX];
        struct str folder = str_cut(&rest, ':');
        int n = snprintf(file, sizeof(file), "%.*s/%s", STR_ARG(folder), name);
        if (folder.n && n < (int)sizeof(file) && access(file, X_OK) == 0)
            return true;
    }
    return false;
}

/* Runs a program, what it prints goes to standard error; `quiet`: nowhere. Returns its exit code; -1: it
 * could not be run. */
static int run(const char *const argv[], bool quiet)
{
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int status = -1;
    if (posix_spawn_file_actions_init(&actions) != 0)
        return -1;
    if (quiet) {
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    } else {
        posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
    }
    fflush(stdout);
    if (posix_spawnp(&pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environ) == 0)
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
            continue;
    posix_spawn_file_actions_destroy(&actions);
    return status >= 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* ---- which authority ---- */

static int find_folder(struct trust *t, const struct cli *cli)
{
    static struct running all[RUNNING_MAX];
    size_t n = cli->state.n ? 0 : running_find(all);
    if (n > 1) {
        report_failure(VERB, CLIENT_WRONG_USAGE, "%zu freshets run here; name one with --state:", n);
        for (size_t i = 0; i < n; i++) {
            fputs("  --state ", stderr);
            report_safe(stderr, str_from(all[i].state));
            fputc('\n', stderr);
        }
        return CLIENT_WRONG_USAGE;
    }
    if (n == 1 && all[0].owns_token)
        snprintf(t->folder, sizeof(t->folder), "%s", all[0].state);
    else if (state_folder(cli->state, t->folder) < 0)
        return report_failure(VERB, CLIENT_FAILED, "no state folder; name it with --state FOLDER");
    return CLIENT_DONE;
}

static int find_authority(struct trust *t)
{
    int status = authority_read(t->folder, &t->facts);
    if (status == -ENOENT)
        return report_failure(VERB, CLIENT_FAILED,
                              "there is no local authority in \"%s\": freshet makes one when it starts with "
                              "--https 127.0.0.1:8443 and a site has no certificate. --state FOLDER names "
                              "another state folder",
                              t->folder);
    if (status == -EBADMSG)
        return report_failure(VERB, CLIENT_FAILED,
                              "\"%s\" is no certificate; remove it and authority.key, and "
                              "start freshet again",
                              t->facts.path);
    if (status < 0)
        return report_failure(VERB, CLIENT_FAILED, "cannot read \"%s\": %s", t->facts.path,
                              system_strerror(status));
    snprintf(t->name, sizeof(t->name), "freshet local authority %s", t->facts.id);
    return CLIENT_DONE;
}

/* ---- the system's store ---- */

static const char *system_store(void)
{
#ifdef FRESHET_CONTROL
    const char *other = getenv("FRESHET_TEST_TRUST");
    if (other)
        return other;
#endif
    return SYSTEM;
}

static int copy(const char *from, const char *to)
{
    struct buf content = BUF_INIT;
    int status = system_read_file(from, CERT_MOST, &content);
    if (status == 0)
        status = system_write_file(to, buf_str(&content), 0644);
    buf_fini(&content);
    return status;
}

static void say(struct trust *t, bool good, const char *store, const char *what)
{
    printf("%s: %s\n", store, what);
    t->done += good;
    t->failed += !good;
}

static void update_system(struct trust *t, const char *file)
{
    static const char *const update[] = { UPDATE, NULL }, *const fresh[] = { UPDATE, "--fresh", NULL };
    bool is_there = access(file, F_OK) == 0;
    if (!is_there && t->removes) {
        say(t, true, "system", "does not know it");
        return;
    }
    int status = t->removes ? system_remove_file(file) : copy(t->facts.path, file);
    if (status < 0) {
        printf("system: cannot %s %s: %s\n", t->removes ? "remove" : "write", file, system_strerror(status));
        t->failed++;
        return;
    }
    if (run(t->removes ? fresh : update, false) != 0)
        say(t, false, "system", UPDATE " failed; its messages are above");
    else
        say(t, true, "system", t->removes ? "believes it no more" : "believes it (curl, Python and others)");
}

static void do_system(struct trust *t)
{
    char file[PATH_MAX];
    const char *folder = system_store();
    int n = snprintf(file, sizeof(file), "%s/freshet-%s.crt", folder, t->facts.id);
    if (n < 0 || n >= (int)sizeof(file) || access(folder, F_OK) != 0 || !has_program(UPDATE)) {
        say(t, false, "system",
            "not changed, as there is no " UPDATE " here (Debian's package ca-certificates has it)");
        return;
    }
    if (access(folder, W_OK) == 0) {
        update_system(t, file);
        return;
    }
    if (t->removes && access(file, F_OK) != 0) {
        say(t, true, "system", "does not know it");
        return;
    }
    printf("system: not changed, as only root may; as root:\n");
    if (t->removes)
        printf("  rm %s && " UPDATE " --fresh\n", file);
    else
        printf("  cp %s %s && " UPDATE "\n", t->facts.path, file);
    t->failed++;
}

/* ---- the stores of browsers ---- */

/* Where browsers have one. New ones go by the XDG base directories, and stay in an older folder if there is
 * one; a snap and a flatpak have folders of their own for all of it. */
static const struct {
    const char *variable; /* of the environment, that names the base folder */
    const char *fallback; /* its place below the home of the user otherwise */
    const char *pattern;
} PLACES[] = {
    { NULL, "", ".pki/nssdb/cert9.db" },
    { "XDG_DATA_HOME", "/.local/share", "pki/nssdb/cert9.db" },
    { NULL, "", ".mozilla/firefox/*/cert9.db" },
    { "XDG_CONFIG_HOME", "/.config", "mozilla/firefox/*/cert9.db" },
    { NULL, "/snap", "chromium/current/.pki/nssdb/cert9.db" },
    { NULL, "/snap", "chromium/current/.local/share/pki/nssdb/cert9.db" },
    { NULL, "/snap", "firefox/common/.mozilla/firefox/*/cert9.db" },
    { NULL, "/snap", "firefox/common/.config/mozilla/firefox/*/cert9.db" },
    { NULL, "/.var/app", "*/.pki/nssdb/cert9.db" },
    { NULL, "/.var/app", "*/data/pki/nssdb/cert9.db" },
    { NULL, "/.var/app", "*/.mozilla/firefox/*/cert9.db" },
    { NULL, "/.var/app", "*/config/mozilla/firefox/*/cert9.db" },
};

/* Which folders have one, of this user. */
static void find_stores(glob_t *found)
{
    const char *home = getenv("HOME");
    char pattern[PATH_MAX];
    memset(found, 0, sizeof(*found));
    for (size_t i = 0; home && home[0] && i < COUNT_OF(PLACES); i++) {
        const char *base = PLACES[i].variable ? getenv(PLACES[i].variable) : NULL;
        bool is_named = base && base[0] == '/'; /* others are to be ignored (XDG) */
        int n = snprintf(pattern, sizeof(pattern), "%s%s/%s", is_named ? base : home,
                         is_named ? "" : PLACES[i].fallback, PLACES[i].pattern);
        if (n > 0 && n < (int)sizeof(pattern))
            (void)glob(pattern, i ? GLOB_APPEND : 0, NULL, found);
    }
}

static void do_store(struct trust *t, const char *file)
{
    char store[PATH_MAX + 4], shown[PATH_MAX];
    system_folder_of(file, shown);
    snprintf(store, sizeof(store), "sql:%s", shown);
    const char *const look[] = { CERTUTIL, "-L", "-d", store, "-n", t->name, NULL };
    const char *const add[] = { CERTUTIL, "-A",  "-d", store,         "-n", t->name,
                                "-t",     "C,,", "-i", t->facts.path, NULL };
    const char *const drop[] = { CERTUTIL, "-D", "-d", store, "-n", t->name, NULL };
    bool is_there = run(look, true) == 0;
    if (is_there != t->removes)
        say(t, true, shown, t->removes ? "does not know it" : "believes it already");
    else if (run(t->removes ? drop : add, false) == 0)
        say(t, true, shown, t->removes ? "believes it no more" : "believes it; restart the browser");
    else
        say(t, false, shown, CERTUTIL " failed; its messages are above");
}

static void do_browsers(struct trust *t)
{
    glob_t found;
    find_stores(&found);
    if (found.gl_pathc == 0)
        printf(
            "browsers: none has a store of this user's yet (Chromium and Firefox make theirs when they are "
            "first started)\n");
    else if (!has_program(CERTUTIL))
        say(t, false, "browsers",
            "not changed, as there is no " CERTUTIL
            " here (apt-get install libnss3-tools); or import the file "
            "in the browser's settings, under authorities");
    else
        for (size_t i = 0; i < found.gl_pathc && i < STORES_MAX; i++)
            do_store(t, found.gl_pathv[i]);
    globfree(&found);
}

int client_trust(const struct cli *cli)
{
    struct trust *t = calloc(1, sizeof(*t));
    if (!t)
        return report_failure(VERB, CLIENT_FAILED, "out of memory");
    t->removes = cli->remove;
    int code = find_folder(t, cli);
    if (code == CLIENT_DONE)
        code = find_authority(t);
    if (code == CLIENT_DONE) {
        printf("the local authority is %s (%s)\n", t->facts.path, t->facts.id);
        do_system(t);
        do_browsers(t);
        if (!t->removes)
            printf(
                "for one program alone: curl --cacert FILE; NODE_EXTRA_CA_CERTS=FILE; with FILE as above\n");
        code = t->failed ? CLIENT_FAILED : CLIENT_DONE;
    }
    free(t);
    return code;
}
