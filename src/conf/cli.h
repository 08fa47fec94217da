/*
 * The command line of all verbs as a value. Pure: reads only argv; main handles files, environment and exit
 * codes. Flags of the process and of sites come from tbl/settings.h, so every setting is a flag of run and
 * check.
 */
#ifndef CONF_CLI_H
#define CONF_CLI_H

#include "conf/settings.h"

enum cli_verb {
    CLI_RUN,         /* run [CONFIG]: serve */
    CLI_PURGE,       /* ask a running freshet to purge */
    CLI_DEPLOY,      /* ask it to switch a site to another release */
    CLI_EXPLAIN,     /* ask it what it would answer to a URL */
    CLI_STATUS,      /* ask it how it is */
    CLI_TOKEN,       /* ask it to make, list or revoke tokens */
    CLI_CERTIFICATE, /* ask it for its certificates, or to renew or revoke one */
    CLI_ORIGIN,      /* ask it which origins there are, or to drain one */
    CLI_UPGRADE,     /* ask it to start a new one in its place */
    CLI_TRUST,       /* let this machine believe the local authority */
    CLI_CHECK,       /* check [CONFIG]: read the settings, say what is wrong */
    CLI_VERSION,     /* print the version */
    CLI_HELP,        /* print cli_help */
    CLI_VERB_COUNT
};

/* Those of the verb token, then those of certificate, then those of origin. */
enum cli_action {
    CLI_TOKEN_CREATE,
    CLI_TOKEN_LIST,
    CLI_TOKEN_REVOKE,
    CLI_CERTIFICATE_LIST,
    CLI_CERTIFICATE_RENEW,
    CLI_CERTIFICATE_REVOKE,
    CLI_ORIGIN_LIST,
    CLI_ORIGIN_DRAIN,
    CLI_ORIGIN_UNDRAIN,
    CLI_ACTION_COUNT
};

/* Strings point into argv. A string that was not given is empty. */
struct cli {
    enum cli_verb verb;
    /* --help or "help VERB": print cli_help(verb) and do nothing else. Nothing below is checked then. */
    bool help;
    char *const *argv; /* all of it */
    /* run, check */
    const char *config;         /* NULL: no file */
    struct str config_behind;   /* the flag right in front of it, if that is true or false; else empty */
    struct override *overrides; /* for settings_read */
    size_t overrides_n;
    struct str control; /* the socket that turns clocks; only with FRESHET_CONTROL */
    /* purge: at least one tag, one URL, or `all`; `all` excludes the others */
    struct strs tags, urls, prefixes;
    bool all, soft;
    /* explain; origin, with drain and undrain */
    struct str url;
    struct strs headers; /* "Name: value", the name is a token */
    /* status, token list, certificate list, origin list */
    bool json;
    /* token, certificate */
    enum cli_action action;
    struct str name;           /* with create, renew and revoke */
    struct str reason;         /* certificate revoke */
    struct strs scopes, sites; /* with create, at least one scope; each may be words between commas */
    struct str expires;
    /* origin drain */
    bool force;
    /* deploy */
    struct strs warm, assets;
    struct str id, origin, check, keep, wait, warm_time, base;
    bool rollback;
    /* trust */
    bool remove;
    /* The verbs that ask: where the running freshet is. For run and check these are overrides. */
    struct str admin, token, state, site;
};

/* Parses argv; argv[0] is the program's name. true: *out is set; its arrays live in `a`. false: wrong usage;
 * one sentence with its newline is added to `error`, and *out is unspecified. */
bool cli_parse(int argc, char *const argv[], struct arena *a, struct cli *out, struct buf *error);
/* Appends the help of a verb; for CLI_HELP the list of verbs. */
void cli_help(enum cli_verb verb, struct buf *out);

#endif
