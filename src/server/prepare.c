#include "server/prepare.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "cache/disk.h"
#include "client/running.h"
#include "client/state.h"
#include "conf/form.h"
#include "conf/offer.h"
#include "io/listener.h"
#include "io/logfile.h"
#include "io/system.h"
#include "io/user.h"
#include "origin/trust.h"
#include "server/acme.h"
#include "server/advice.h"
#include "server/secret_file.h"
#include "server/tls.h"
#include "store/facts.h"

#define TOKEN_BYTES       24
#define TOKEN_WEAK        12 /* characters; fewer can be guessed */
#define DESCRIPTORS_FIRST 24 /* of the process, and of each worker beside its listeners */
#define DESCRIPTORS_EACH  12

/* `advice` may be NULL; `otherwise` is what helps in any case. */
static int refuse(const char *what, struct str about, int status, const char *advice, const char *otherwise)
{
    fprintf(stderr, "freshet: %s \"%.*s\": %s; %s%s%s\n", what, STR_ARG(about), system_strerror(status),
            advice ? advice : "", advice ? ", or " : "", otherwise);
    return 1;
}

static void warn_if_readable(const char *path, const char *advice)
{
    secret_file_warn(path, "the admin token", advice);
}

/* ---- the state folder ---- */

/* Without one the token must come from elsewhere, else it is missed below. */
static int find_state(struct preparation *p)
{
    if (state_folder(p->settings->process.state, p->state) < 0)
        p->state[0] = '\0';
    return 0;
}

/* Before anything is written there. */
static int refuse_taken_state(struct preparation *p)
{
    if (p->only_try || p->is_heir || !p->state[0] || !facts_is_taken(p->state))
        return 0;
    fprintf(
        stderr,
        "freshet: another freshet uses the state folder \"%s\"; stop it, or name another folder with --state "
        "FOLDER\n",
        p->state);
    return 1;
}

/* ---- the user ---- */

static int refuse_user(const struct preparation *p, enum user_found found)
{
    struct str text = p->settings->process.user, group = text, name = str_cut(&group, ':');
    if (found == USER_UNKNOWN)
        fprintf(stderr,
                "freshet: user: this system has no user \"%.*s\"; make it (useradd --system --no-create-home "
                "%.*s), or name another\n",
                STR_ARG(name), STR_ARG(name));
    else if (found == USER_GROUP_UNKNOWN)
        fprintf(stderr, "freshet: user: this system has no group \"%.*s\"; make it, or name another\n",
                STR_ARG(group));
    else
        fprintf(stderr,
                "freshet: user: %.*s is a number without a name here, so name its group too: %.*s:%.*s\n",
                STR_ARG(name), STR_ARG(name), STR_ARG(name));
    return 1;
}

/* As root still: who has no folder gets one, as his own. Of one that is there its owner decides. */
static void make_folders(struct preparation *p)
{
    char all[RUNNING_FOLDERS][PATH_MAX];
    if (p->state[0])
        (void)user_make_folder(&p->user, p->state);
    if (running_folders(all) > 0)
        (void)user_make_folder(&p->user, all[0]);
}

static int find_user(struct preparation *p)
{
    struct str text = p->settings->process.user;
    if (text.n == 0)
        return 0;
    enum user_found found = user_find(text, &p->user);
    if (found != USER_FOUND)
        return refuse_user(p, found);
    if (user_is_now(&p->user))
        return 0;
    if (!user_is_root()) {
        fprintf(
            stderr,
            "freshet: user: only root can become another user; let root start freshet, or leave the setting "
            "out and start it as %s (in a unit of systemd: User=%s)\n",
            p->user.name, p->user.name);
        return 1;
    }
    p->changes_user = true;
    if (!p->only_try)
        make_folders(p);
    return 0;
}

/* What an earlier start by root, or as somebody else, has left there. */
static int check_owner(const struct preparation *p)
{
    static const char *const names[] = { "", "/token", "/lock", "/pages", "/authority.key" };
    char path[PATH_MAX + 8];
    for (size_t i = 0; p->state[0] && i < COUNT_OF(names); i++) {
        snprintf(path, sizeof(path), "%s%s", p->state, names[i]);
        if (user_owns(&p->user, path) != -EACCES)
            continue;
        fprintf(stderr,
                "freshet: \"%s\" belongs to somebody else than the user %s; give the state folder to it "
                "(chown -R "
                "%s: %s), or name another with --state FOLDER\n",
                path, p->user.name, p->user.name, p->state);
        return 1;
    }
    return 0;
}

/* From here on all is as it will be when files are opened again: at reloads, when logs are rotated. */
static int become_user(struct preparation *p)
{
    if (!p->changes_user)
        return 0;
    if (check_owner(p) != 0)
        return 1;
    int status = p->only_try ? 0 : user_become(&p->user);
    if (status == 0)
        return 0;
    fprintf(stderr,
            "freshet: user: cannot become %s: %s; start freshet with the capabilities CAP_SETUID and "
            "CAP_SETGID\n",
            p->user.name, system_strerror(status));
    return 1;
}

/* ---- purges of plugins ---- */

static bool has_everybody(const struct strs *networks)
{
    for (size_t i = 0; i < networks->n; i++)
        if (str_ends(networks->v[i], STR("/0")))
            return true;
    return false;
}

static int warn_of_purges(struct preparation *p)
{
    for (size_t i = 0; i < p->settings->sites_n; i++) {
        const struct site_settings *s = &p->settings->sites[i];
        if (has_everybody(&s->purge_from))
            fprintf(stderr,
                    "freshet: warning: site %.*s: purge_from lets everybody purge; write the networks of "
                    "those who "
                    "have to\n",
                    STR_ARG(s->name));
        if (s->purge_path.n && !s->purge_from.n)
            fprintf(stderr,
                    "freshet: warning: site %.*s: nobody may purge below purge_path, since purge_from is "
                    "empty; write "
                    "the networks of those who have to\n",
                    STR_ARG(s->name));
    }
    return 0;
}

/* ---- the token ---- */

static void make_token(struct buf *out)
{
    static const char letters[] = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789";
    unsigned char bytes[TOKEN_BYTES * 4];
    size_t letter_n = sizeof(letters) - 1, most = 256 - 256 % letter_n;
    while (out->n < TOKEN_BYTES) {
        system_random(bytes, sizeof(bytes));
        for (size_t i = 0; i < sizeof(bytes) && out->n < TOKEN_BYTES; i++)
            if (bytes[i] < most)
                buf_add_char(out, letters[bytes[i] % letter_n]);
    }
}

static int read_token_file(struct preparation *p)
{
    struct str file = p->settings->process.token_file;
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%.*s", STR_ARG(file));
    int status = secret_file_read(path, &p->token);
    if (status < 0)
        return refuse("cannot read token_file", file, status, advice_token_file(status),
                      "leave the setting out: then a token is made");
    if (p->token.n == 0) {
        fprintf(stderr,
                "freshet: token_file \"%.*s\" has nothing in its first line; write the token there, or leave "
                "the setting out: then one is made\n",
                STR_ARG(file));
        return 1;
    }
    warn_if_readable(path, path);
    return 0;
}

#define OTHER_STATE "name another with --state FOLDER, or give a token with FRESHET_TOKEN"

static int make_own_token(struct preparation *p)
{
    if (!p->makes_token)
        return 0;
    int status = p->only_try ? system_may_make_dirs(p->state) : 0;
    if (status == 0 && !p->only_try) {
        make_token(&p->token);
        status = state_write_token(p->state, buf_str(&p->token));
    }
    if (status < 0)
        return refuse("cannot keep the admin token in the state folder", str_from(p->state), status,
                      advice_state(status), OTHER_STATE);
    if (!p->only_try)
        fprintf(stderr, "freshet: made an admin token; it is kept in %s/token\n", p->state);
    return 0;
}

/* Held to the rule of the setting, wherever it is from: it has to fit into a header. */
static int check_token(const struct preparation *p)
{
    struct str token = buf_str(&p->token);
    const char *wrong = token.n ? form_check(FORM_SECRET, token) : NULL;
    if (offer_is_variable(FORM_SECRET, token))
        wrong = "is the name of a variable, which nothing expands here; write the token itself";
    if (wrong) {
        fprintf(stderr, "freshet: the admin token from %s %s\n", p->token_from, wrong);
        return 1;
    }
    if (token.n && token.n < TOKEN_WEAK)
        fprintf(
            stderr,
            "freshet: warning: the admin token from %s has %zu character%s and can be guessed; take %d or "
            "more\n",
            p->token_from, token.n, token.n == 1 ? "" : "s", TOKEN_WEAK);
    return 0;
}

/* It is in the configuration: that is what others must not read then. */
static void check_configuration_mode(const struct preparation *p)
{
    struct str path = p->settings->path;
    char c[PATH_MAX];
    if (path.n == 0 || path.n >= sizeof(c))
        return;
    snprintf(c, sizeof(c), "%.*s", STR_ARG(path));
    warn_if_readable(c, "it, or move the token into FRESHET_TOKEN or token_file");
}

/* Made by freshet itself, for its owner alone; but who copied it here may have opened it to all. */
static void check_state_mode(const struct preparation *p)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof(path), "%s/token", p->state);
    if (n > 0 && n < (int)sizeof(path))
        warn_if_readable(path, "it");
}

/* By flag or file, environment, token file, state folder; else a new one, which is kept and not shown:
 * standard error ends in logs that others read. */
static int find_token(struct preparation *p)
{
    const struct process_settings *s = &p->settings->process;
    const char *environment = getenv("FRESHET_TOKEN");
    int code = 0, status;
    p->token_from = "the setting token";
    if (s->token.n) {
        buf_add(&p->token, s->token);
        check_configuration_mode(p);
    } else if (environment && *environment) {
        p->token_from = "FRESHET_TOKEN";
        buf_add(&p->token, str_from(environment));
    } else if (s->token_file.n) {
        p->token_from = "token_file";
        code = read_token_file(p);
    } else if (!p->state[0]) {
        fprintf(stderr,
                "freshet: no state folder, as neither XDG_STATE_HOME nor HOME is set; name one with --state "
                "FOLDER, or give a token with FRESHET_TOKEN\n");
        return 1;
    } else if ((status = state_read_token(p->state, &p->token)) < 0) {
        if (status != -ENOENT && status != -EINVAL)
            return refuse("cannot read the admin token in the state folder", str_from(p->state), status,
                          advice_state(status), OTHER_STATE);
        p->makes_token = true;
        return 0;
    } else {
        p->token_from = "the state folder";
        check_state_mode(p);
    }
    return code ? code : check_token(p);
}

/* ---- files ---- */

static int open_country(struct preparation *p)
{
    struct str file = p->settings->process.country_database;
    char path[PATH_MAX];
    const char *error = "";
    if (file.n == 0)
        return 0;
    snprintf(path, sizeof(path), "%.*s", STR_ARG(file));
    p->country = country_open(path, &error);
    if (p->country)
        return 0;
    fprintf(stderr,
            "freshet: cannot open the country_database \"%s\": %s; name a file in MaxMind's format with "
            "--country-database, or leave it out: visitors are of no country then\n",
            path, error);
    return 1;
}

/* ---- the disk ---- */

static int check_disk(struct preparation *p)
{
    int64_t disk = p->settings->process.disk;
    if (disk == 0 || disk >= (int64_t)DISK_LEAST)
        return 0;
    fprintf(
        stderr,
        "freshet: disk: %lld bytes are too few; give it at least %lldM, or none with disk: 0 (--disk 0)\n",
        (long long)disk, (long long)(DISK_LEAST >> 20));
    return 1;
}

static int try_access_log(struct preparation *p)
{
    struct str path = p->settings->process.access_log;
    int status = path.n ? logfile_try(path) : 0;
    if (status == 0)
        return 0;
    const char *advice = advice_log(status);
    fprintf(stderr,
            "freshet: cannot open the access log \"%.*s\": %s; %s%schoose another with --access-log, or go "
            "without: --access-log \"\"\n",
            STR_ARG(path), system_strerror(status), advice ? advice : "", advice ? ", " : "");
    return 1;
}

/* ---- descriptors ---- */

static int count_descriptors(struct preparation *p)
{
    const struct process_settings *s = &p->settings->process;
    size_t each = DESCRIPTORS_EACH + prepare_addresses(s), least = DESCRIPTORS_FIRST + p->workers_n * each;
    p->files = system_raise_files_limit();
    if (p->files >= least)
        return 0;
    bool fewer_would_do = p->files >= DESCRIPTORS_FIRST + each;
    fprintf(
        stderr,
        "freshet: the limit of open files is %llu, and %zu worker%s %zu before the first visitor; raise it "
        "(ulimit -n 65536; LimitNOFILE=65536 in a unit of systemd)%s\n",
        (unsigned long long)p->files, p->workers_n, p->workers_n == 1 ? " needs" : "s need", least,
        fewer_would_do ? ", or start fewer with --workers" : "");
    return 1;
}

/* ---- addresses ---- */

size_t prepare_addresses(const struct process_settings *s)
{
    return s->listen.n + s->https.n;
}

struct str prepare_address(const struct process_settings *s, size_t i)
{
    return i < s->listen.n ? s->listen.v[i] : s->https.v[i - s->listen.n];
}

void prepare_name(const struct process_settings *s, size_t i, struct buf *out)
{
    bool is_admin = i == prepare_addresses(s), with_tls = !is_admin && i >= s->listen.n;
    struct str address = is_admin ? s->admin : prepare_address(s, i);
    size_t first = with_tls ? s->listen.n : 0, before = 0;
    for (size_t k = first; k < i && !is_admin; k++)
        before += str_eq(prepare_address(s, k), address);
    buf_add(out, address);
    buf_add(out, is_admin ? STR(" admin") : with_tls ? STR(" tls") : STR_NONE);
    if (before)
        buf_printf(out, " %zu", before);
}

struct listening prepare_listening(const struct process_settings *s, size_t i)
{
    struct listening how = { .with_tls = i >= s->listen.n };
    for (size_t k = 0; k < s->proxy_protocol.n; k++)
        how.with_header = how.with_header || str_eq(s->proxy_protocol.v[k], prepare_address(s, i));
    return how;
}

static void add_extra(struct preparation *p, int fd, struct listening how)
{
    p->extra = mem_resize(p->extra, (p->extra_n + 1) * sizeof(*p->extra));
    p->extra[p->extra_n++] = (struct worker_socket){ .fd = fd, .how = how };
}

/* So many sockets more can the workers accept from. */
static size_t room_for_extra(const struct preparation *p)
{
    size_t of_worker = ACCEPTOR_LISTENERS_MAX - prepare_addresses(&p->settings->process);
    return p->workers_n * of_worker - p->extra_n;
}

/* The sockets of an address that another process has made, and as many more as workers need. With fewer
 * workers than sockets, some have several: to close one would cut off who waits there. Beyond `most` they are
 * left to that process. But `is_one` means that all are one socket, of which descriptors are closed. Returns
 * how many were there to be taken, or a negative code. */
static int take_inherited(struct preparation *p, size_t i, const struct address *at, struct listening how,
                          int *fds, size_t n, size_t most, bool is_one, struct address *bound)
{
    struct buf name = BUF_INIT;
    int all[INHERITED_MOST];
    size_t room = most < COUNT_OF(all) && !is_one ? most : COUNT_OF(all);
    prepare_name(&p->settings->process, i, &name);
    size_t have = p->inherited ? inherited_take(p->inherited, buf_str(&name), at, all, room, bound) : 0;
    buf_fini(&name);
    for (size_t k = 0; k < have; k++)
        if (k < n)
            fds[k] = all[k];
        else if (is_one)
            close(all[k]);
        else
            add_extra(p, all[k], how);
    int status = have && have < n ? listener_more(fds, have, n) : 0;
    return status < 0 ? status : (int)have;
}

/* The address with this number, as prepare_name has it; `fds`: as many sockets of it as workers share it;
 * `most`: as many may be taken over. */
static int open_address(struct preparation *p, size_t i, struct str text, struct listening how,
                        const char *cannot, const char *otherwise, int *fds, size_t n, size_t most,
                        struct address *bound)
{
    struct address at;
    if (!address_parse(text, &at))
        return refuse("not an address:", text, UV_EINVAL, NULL,
                      "write 127.0.0.1:8080, [::1]:8080, :8080 or unix:/path");
    bool is_one = at.sa.any.sa_family == AF_UNIX;
    int status = take_inherited(p, i, &at, how, fds, n, most, is_one, bound);
    if (status == 0)
        status = p->only_try ? listener_try(&at) : listener_sockets(&at, fds, n, bound);
    if (p->only_try && status == UV_EADDRINUSE) {
        /* By a freshet that runs with this configuration, as often as not. */
        fprintf(stderr, "freshet: note: something listens on \"%.*s\" now; run needs it free\n",
                STR_ARG(text));
        return 0;
    }
    return status < 0 ? refuse(cannot, text, status, advice_listen(status, &at), otherwise) : 0;
}

/* Somebody would connect to it, and wait for ever. */
static int refuse_unused(struct preparation *p)
{
    struct inherited_socket *s = p->inherited && !p->is_heir ? inherited_left(p->inherited) : NULL;
    char text[ADDRESS_TEXT_MAX] = "";
    if (!s)
        return 0;
    size_t n = address_write(&s->bound, text);
    fprintf(
        stderr,
        "freshet: the socket %.*s (%s%.*s) that the supervisor has passed is for no address; name it with "
        "--listen or --admin, or take it out of the socket unit\n",
        (int)n, text, s->name.n ? "" : "it has no name", STR_ARG(buf_str(&s->name)));
    return 1;
}

static int open_sockets(struct preparation *p)
{
    const struct process_settings *s = &p->settings->process;
    size_t n = p->workers_n, addresses = prepare_addresses(s);
    int code = 0;
    if (addresses > WORKER_LISTENERS_MAX) {
        fprintf(stderr, "freshet: --listen%s: %zu addresses are too many; at most %d\n",
                s->https.n ? " and --https" : "", addresses, WORKER_LISTENERS_MAX);
        return 2;
    }
    p->fds = mem_alloc((addresses * n + 1) * sizeof(*p->fds));
    for (size_t i = 0; i < addresses && (code == 0 || p->only_try); i++) {
        struct listening how = prepare_listening(s, i);
        code |= open_address(p, i, prepare_address(s, i), how, "cannot listen on",
                             how.with_tls ? "choose another address with --https"
                                          : "choose another address with --listen",
                             p->fds + i * n, n, n + room_for_extra(p), &p->bound[i]);
    }
    /* One socket alone: the extra ones are the sites'. */
    if (s->admin.n && (code == 0 || p->only_try))
        code |=
            open_address(p, addresses, s->admin, (struct listening){ 0 }, "cannot listen for the admin on",
                         "choose another address with --admin", &p->admin_fd, 1, 1, &p->admin_bound);
    return code ? code : refuse_unused(p);
}

/* ---- certificates ---- */

static void print_lines(const char *before, struct str lines)
{
    struct str line;
    while (lines.p && (line = str_cut(&lines, '\n')).n)
        fprintf(stderr, "freshet: %s%.*s\n", before, STR_ARG(line));
}

static int say_certificates(bool good, struct buf *errors, struct buf *warnings)
{
    print_lines("", buf_str(errors));
    print_lines("warning: ", buf_str(warnings));
    buf_fini(errors);
    buf_fini(warnings);
    return good ? 0 : 1;
}

/* Keys may be for root alone: before it is another user. */
static int read_certificates(struct preparation *p)
{
    struct buf errors = BUF_INIT, warnings = BUF_INIT;
    if (p->settings->process.https.n == 0)
        return 0;
    p->tls = process_tls_new(&p->clock);
    p->acme = process_acme_new(p->tls);
    if (!p->only_try)
        process_acme_prepare(p->acme, p->settings);
    bool good = process_tls_load(p->tls, p->settings, &errors, &warnings);
    return say_certificates(good, &errors, &warnings);
}

/* A key may be for root alone, here too. */
static int read_trusts(struct preparation *p)
{
    struct buf errors = BUF_INIT, warnings = BUF_INIT;
    p->trusts = trusts_new(&p->clock);
    bool good = trusts_try(p->trusts, p->settings, &errors, &warnings) && trusts_take(p->trusts);
    return say_certificates(good, &errors, &warnings);
}

/* What is in the state folder is that user's. */
static int sign_certificates(struct preparation *p)
{
    struct buf errors = BUF_INIT, warnings = BUF_INIT;
    if (!p->tls || p->only_try)
        return 0;
    bool good = process_tls_sign(p->tls, p->settings, p->state, &errors, &warnings);
    return say_certificates(good, &errors, &warnings);
}

/* ---- all of it ---- */

int prepare(struct preparation *p)
{
    static int (*const steps[])(struct preparation *) = {
        find_state,   refuse_taken_state, check_disk,        warn_of_purges,    find_user,
        find_token,   open_country,       read_certificates, read_trusts,       count_descriptors,
        open_sockets, become_user,        make_own_token,    sign_certificates, try_access_log,
    };
    const struct process_settings *s = &p->settings->process;
    int code = 0;
    p->admin_fd = -1;
    p->workers_n = s->workers ? (size_t)s->workers : system_cores();
    for (size_t i = 0; i < COUNT_OF(steps) && (code == 0 || p->only_try); i++) {
        int wrong = steps[i](p);
        code = wrong > code ? wrong : code;
    }
    return code;
}

void prepare_fini(struct preparation *p)
{
    country_close(p->country);
    mem_free(p->fds);
    mem_free(p->extra);
    buf_fini(&p->token);
}
