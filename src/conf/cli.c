#include "conf/cli.h"

#include <string.h>

#include "base/check.h"
#include "conf/foreign.h"
#include "conf/nearest.h"
#include "conf/offer.h"
#include "conf/report.h"
#include "conf/setting.h"

#define HELP_COLUMNS 96

/* ---- tables ---- */

struct verb {
    struct str name;
    const char *usage;
    const char *text;
    size_t args_least, args_most; /* words that are no flags */
    bool takes_settings;
};

static const struct verb verbs[CLI_VERB_COUNT] = {
    [CLI_RUN] = { STR_INIT("run"), "run [CONFIG] [--SETTING VALUE]...",
                  "Serves the sites of CONFIG. Without a file: one site, whose origin is --origin. Every "
                  "setting of the "
                  "file is a flag; a flag counts more than the file.",
                  0, 1, true },
    [CLI_PURGE] = { STR_INIT("purge"),
                    "purge [--tag T]... [--url U]... [--prefix P]... [--all] [--soft] [--site S]",
                    "Makes a running freshet forget pages: those with a tag, those of a URL (without a "
                    "query: of its "
                    "whole path), those at a path and below it, or all of a site. Returns when the purge is "
                    "in "
                    "force.",
                    0, 0, false },
    [CLI_DEPLOY] = { STR_INIT("deploy"),
                     "deploy [--id ID] [--origin URL] [--check PATH] [--warm WHAT]... [--assets DIR]... "
                     "[--rollback]",
                     "Switches a site of a running freshet to another release of its app: no page from "
                     "before is served any more, and assets from before are kept. Returns when the release "
                     "is live. Exit code 1: nothing has changed.",
                     0, 0, false },
    [CLI_EXPLAIN] = { STR_INIT("explain"), "explain URL [-H 'Name: value']...",
                      "Says what a running freshet would answer to a request and why: site, key, rule, what "
                      "is stored, "
                      "how long it is good for.",
                      1, 1, false },
    [CLI_STATUS] = { STR_INIT("status"), "status [--json]", "Says how a running freshet is doing.", 0, 0,
                     false },
    [CLI_TOKEN] = { STR_INIT("token"),
                    "token create --name NAME --scope SCOPE [--site S] [--expires TIME] | list | revoke NAME",
                    "Makes, lists and revokes tokens of a running freshet, beside the one that it was "
                    "started "
                    "with. The secret of a new one is printed once. A token works at once and until it "
                    "expires or is revoked, also after a restart.",
                    1, 2, false },
    [CLI_CERTIFICATE] = { STR_INIT("certificate"),
                          "certificate list [--json] | renew NAME | revoke NAME [--reason REASON]",
                          "Says which certificates a running freshet has for visitors, until when, and when "
                          "they are renewed. Renews one of ACME now, or has its CA revoke it when another "
                          "one "
                          "with a new key is there. NAME is one of its host names. Returns when it is done. "
                          "Exit code 1: it is not; freshet goes on with what it has begun.",
                          1, 2, false },
    [CLI_ORIGIN] = { STR_INIT("origin"), "origin list [--json] | drain URL [--force] | undrain URL",
                     "Lists the origins of a running freshet's sites, or drains one: it gets no new request, "
                     "and what it has begun ends. That lasts until undrain, over reloads and restarts.",
                     1, 2, false },
    [CLI_UPGRADE] = { STR_INIT("upgrade"), "upgrade",
                      "Starts the program that stands now where a running freshet was started from, in its "
                      "place, with its arguments: it takes over listening sockets and store, and no request "
                      "fails. Returns when the new one serves. Exit code 1: it does not start, and the old "
                      "one "
                      "goes on.",
                      0, 0, false },
    [CLI_TRUST] = { STR_INIT("trust"), "trust [--remove] [--state FOLDER]",
                    "Lets browsers and programs of this machine believe the authority that signs for local "
                    "addresses of https without a certificate, and says what it did and what is left for "
                    "root. "
                    "Exit code 1: not all of them.",
                    0, 0, false },
    [CLI_CHECK] = { STR_INIT("check"), "check [CONFIG] [--SETTING VALUE]...",
                    "Takes what run takes and tries what run would need, says everything that is wrong and "
                    "serves nothing.",
                    0, 1, true },
    [CLI_VERSION] = { STR_INIT("version"), "version", "Prints the version; so do --version, -V and -v.", 0, 0,
                      false },
    [CLI_HELP] = { STR_INIT("help"), "help [VERB]", "Prints the help of a verb.", 0, 1, false },
};

enum flag_kind {
    FLAG_SWITCH, /* a bool, no value */
    FLAG_TEXT,   /* a struct str; the last counts */
    FLAG_MANY,   /* a struct strs; each adds one */
};

#define ON(verb) (1u << (verb))
#define ON_CLIENT                                                                                            \
    (ON(CLI_PURGE) | ON(CLI_DEPLOY) | ON(CLI_EXPLAIN) | ON(CLI_STATUS) | ON(CLI_TOKEN) | ON(CLI_ORIGIN) |    \
     ON(CLI_CERTIFICATE) | ON(CLI_UPGRADE))

struct flag {
    unsigned verbs;
    struct str name;
    char letter; /* 0: none */
    enum flag_kind kind;
    enum text_form form;
    size_t offset; /* in struct cli */
    const char *value;
    const char *text;
};

#define AT(member) offsetof(struct cli, member)

static const struct flag flags[] = {
    { ON(CLI_PURGE), STR_INIT("tag"), 0, FLAG_MANY, FORM_ANY, AT(tags), "TAG",
      "What carries this tag. Again: more tags." },
    { ON(CLI_PURGE), STR_INIT("url"), 0, FLAG_MANY, FORM_ANY, AT(urls), "URL",
      "This page. Again: more pages." },
    { ON(CLI_PURGE), STR_INIT("prefix"), 0, FLAG_MANY, FORM_ANY, AT(prefixes), "PATH",
      "What is at this path (or URL) and below it, with any query. Again: more of them." },
    { ON(CLI_PURGE), STR_INIT("all"), 0, FLAG_SWITCH, FORM_ANY, AT(all), "", "The whole site." },
    { ON(CLI_PURGE), STR_INIT("soft"), 0, FLAG_SWITCH, FORM_ANY, AT(soft), "",
      "Stale instead of gone: served once more while a new one is fetched, as far as its windows allow." },
    { ON(CLI_DEPLOY), STR_INIT("id"), 0, FLAG_TEXT, FORM_ANY, AT(id), "ID",
      "The release's name, as a commit. With the name of the live one nothing is done. Default: a number." },
    { ON(CLI_DEPLOY), STR_INIT("origin"), 0, FLAG_TEXT, FORM_ORIGIN, AT(origin), "URL",
      "Where the release runs. Default: where the site runs now." },
    { ON(CLI_DEPLOY), STR_INIT("check"), 0, FLAG_TEXT, FORM_ANY, AT(check), "PATH",
      "What the origin must answer with 2xx or 3xx before anything is switched. Default: /, with any "
      "status below 500." },
    { ON(CLI_DEPLOY), STR_INIT("wait"), 0, FLAG_TEXT, FORM_ANY, AT(wait), "TIME",
      "How long the check is tried again. Default: 10s." },
    { ON(CLI_DEPLOY), STR_INIT("warm"), 0, FLAG_MANY, FORM_ANY, AT(warm), "WHAT",
      "Pages to fetch before the switch: sitemap (sitemap:PATH), top:N (the most used stored pages), or a "
      "FILE with a path on each line. Again: more." },
    { ON(CLI_DEPLOY), STR_INIT("assets"), 0, FLAG_MANY, FORM_ANY, AT(assets), "DIR[=PREFIX]",
      "A folder of the build, whose files are all fetched before the switch, from below PREFIX. Default: "
      "the prefix that the framework has for such a folder. Again: more." },
    { ON(CLI_DEPLOY), STR_INIT("warm-time"), 0, FLAG_TEXT, FORM_ANY, AT(warm_time), "TIME",
      "How long fetching these may take; then the switch comes all the same. Default: 60s." },
    { ON(CLI_DEPLOY), STR_INIT("keep"), 0, FLAG_TEXT, FORM_ANY, AT(keep), "TIME",
      "How long assets from before are kept. Default: the setting keep_assets, 7d." },
    { ON(CLI_DEPLOY), STR_INIT("url"), 0, FLAG_TEXT, FORM_ANY, AT(base), "URL",
      "How visitors' URLs begin, like https://shop.example. Default: as those of stored pages." },
    { ON(CLI_DEPLOY), STR_INIT("rollback"), 0, FLAG_SWITCH, FORM_ANY, AT(rollback), "",
      "Back to the release before, with its origin and its pages." },
    { ON(CLI_EXPLAIN), STR_INIT("header"), 'H', FLAG_MANY, FORM_HEADER, AT(headers), "'NAME: VALUE'",
      "A field of the request. Again: more fields." },
    { ON(CLI_TOKEN), STR_INIT("name"), 0, FLAG_TEXT, FORM_ANY, AT(name), "NAME",
      "create: what the token is called, by letters, digits, \"-\", \"_\" and \".\"." },
    { ON(CLI_TOKEN), STR_INIT("scope"), 0, FLAG_MANY, FORM_ANY, AT(scopes), "SCOPE",
      "create: what it is for: purge, read (explain, status), or admin, which is everything. Again: more." },
    { ON(CLI_TOKEN), STR_INIT("site"), 0, FLAG_MANY, FORM_ANY, AT(sites), "NAME",
      "create: the site that it is for. Again: more. Default: all sites." },
    { ON(CLI_TOKEN), STR_INIT("expires"), 0, FLAG_TEXT, FORM_ANY, AT(expires), "TIME",
      "create: how long it works: 12h, 90d. Default: until it is revoked." },
    { ON(CLI_CERTIFICATE), STR_INIT("reason"), 0, FLAG_TEXT, FORM_ANY, AT(reason), "REASON",
      "revoke: why: superseded, unspecified, affiliationChanged, or keyCompromise: others may have the key; "
      "then it is revoked at once, and served until the new one is there. Default: superseded." },
    { ON(CLI_ORIGIN), STR_INIT("force"), 0, FLAG_SWITCH, FORM_ANY, AT(force), "",
      "drain: also when a site has no other one then." },
    { ON(CLI_STATUS) | ON(CLI_TOKEN) | ON(CLI_ORIGIN) | ON(CLI_CERTIFICATE), STR_INIT("json"), 0, FLAG_SWITCH,
      FORM_ANY, AT(json), "", "As JSON, for programs." },
    { ON(CLI_TRUST), STR_INIT("remove"), 0, FLAG_SWITCH, FORM_ANY, AT(remove), "",
      "They believe it no more." },
    { ON(CLI_DEPLOY), STR_INIT("site"), 0, FLAG_TEXT, FORM_ANY, AT(site), "NAME",
      "The site. Default: the one site." },
    { ON(CLI_PURGE), STR_INIT("site"), 0, FLAG_TEXT, FORM_ANY, AT(site), "NAME",
      "The site. Default: the one site, or the one of the URL's host." },
    { ON_CLIENT, STR_INIT("admin"), 0, FLAG_TEXT, FORM_DOOR, AT(admin), "ADDRESS",
      "Address of its admin listener. Default: $FRESHET_ADMIN, the one in the state folder, "
      "127.0.0.1:8081." },
    { ON_CLIENT, STR_INIT("token"), 0, FLAG_TEXT, FORM_SECRET, AT(token), "TOKEN",
      "Its admin token. Default: $FRESHET_TOKEN, the one in the state folder." },
    { ON_CLIENT | ON(CLI_TRUST), STR_INIT("state"), 0, FLAG_TEXT, FORM_PATH, AT(state), "FOLDER",
      "Its state folder. Default: $XDG_STATE_HOME/freshet or ~/.local/state/freshet." },
#ifdef FRESHET_CONTROL
    { ON(CLI_RUN), STR_INIT("control"), 0, FLAG_TEXT, FORM_PATH, AT(control), "PATH",
      "A Unix socket that turns the clocks. Test builds only." },
#endif
};

/* Flags of run and check that stand beside the settings. */
static const struct {
    struct str name;
    const char *value, *text;
} extra_settings[] = {
    { STR_INIT("profile"), "isr|rfc9111|dev", "Which defaults the sites have. Default: isr." },
    { STR_INIT("site"), "NAME", "The name of the one site of a file without sites. Default: default." },
};

/* ---- parsing ---- */

struct parse {
    struct cli *cli;
    struct arena *arena;
    struct report report; /* takes the first mistake */
    char *const *argv;
    size_t argc, at; /* the word that is read next */
    size_t words;    /* that are no flags */
    struct str
        flag; /* one without a value, which needs none: what follows at `flag_at` may be meant as such */
    size_t flag_at;
    const struct verb *verb;
};

#define REFUSE(p, ...) (report_add(&(p)->report, PLACE_LINE(0), __VA_ARGS__), false)

/* "--first-byte-timeout" for "first_byte_timeout". */
static const char *flag_of_setting(struct str name, struct arena *a)
{
    char *p = arena_alloc(a, name.n + 3);
    p[0] = p[1] = '-';
    for (size_t i = 0; i < name.n; i++)
        p[i + 2] = name.p[i] == '_' ? '-' : name.p[i];
    p[name.n + 2] = '\0';
    return p;
}

static enum cli_verb verb_by_name(struct str name)
{
    enum cli_verb v = 0;
    while (v < CLI_VERB_COUNT && !str_eq(name, verbs[v].name))
        v++;
    return v;
}

/* What was given with a flag that is none: behind its '=', or the next word. */
static struct str value_of_unknown(const struct parse *p, struct str inline_value)
{
    struct str next = p->at < p->argc ? str_from(p->argv[p->at]) : STR_NONE;
    return inline_value.p ? inline_value : str_starts(next, STR("-")) ? STR_NONE : next;
}

/* A flag where the verb belongs. */
static bool refuse_flag_for_verb(struct parse *p, struct str word)
{
    struct str value = word, flag = str_cut(&value, '=');
    struct foreign_flag f = { .side = FOREIGN_SERVER,
                              .name = str_from_index(flag, str_starts(flag, STR("--")) ? 2 : 1),
                              .value = value_of_unknown(p, value) };
    const char *quoted = report_quote(&p->report, flag), *foreign = foreign_flag(&f, p->arena);
    if (foreign)
        return REFUSE(p, "%s %s", quoted, foreign);
    return REFUSE(p, "a verb comes before %s; did you mean \"freshet run\"?", quoted);
}

static bool refuse_verb(struct parse *p, struct str word)
{
    const char *quoted = report_quote(&p->report, word), *foreign = foreign_verb(word);
    struct nearest near = nearest_to(word);
    if (foreign)
        return REFUSE(p, "%s %s", quoted, foreign);
    for (enum cli_verb v = 0; v < CLI_VERB_COUNT; v++)
        nearest_offer(&near, verbs[v].name);
    /* --origin is more like a setting than like the verb. */
    bool is_setting =
        str_starts(word, STR("--")) &&
        setting_by_name(str_from_index(str_first(word, str_index(word, '=')), 2), true) < SETTING_COUNT;
    if (near.name.n && !is_setting)
        return REFUSE(p, "unknown verb %s; did you mean \"%.*s\"?", quoted, STR_ARG(near.name));
    if (str_starts(word, STR("-")))
        return refuse_flag_for_verb(p, word);
    if (str_index(word, '.') < word.n)
        return REFUSE(p, "a verb comes before %s; did you mean \"freshet run\"?", quoted);
    return REFUSE(p, "unknown verb %s; \"freshet help\" lists them", quoted);
}

/* Looks a flag up in the verb's own table. NULL: it is none of them. */
static const struct flag *flag_by_name(const struct parse *p, struct str name)
{
    for (size_t i = 0; i < COUNT_OF(flags); i++)
        if ((flags[i].verbs & ON(p->cli->verb)) && str_eq(name, flags[i].name))
            return &flags[i];
    return NULL;
}

static const struct flag *flag_by_letter(const struct parse *p, char letter)
{
    for (size_t i = 0; i < COUNT_OF(flags); i++)
        if ((flags[i].verbs & ON(p->cli->verb)) && letter && flags[i].letter == letter)
            return &flags[i];
    return NULL;
}

static bool is_extra_setting(struct str name)
{
    for (size_t i = 0; i < COUNT_OF(extra_settings); i++)
        if (str_eq(name, extra_settings[i].name))
            return true;
    return false;
}

static bool refuse_flag(struct parse *p, struct str word, struct str name, struct str inline_value)
{
    const char *quoted = report_quote(&p->report, word);
    struct foreign_flag f = { .side = p->verb->takes_settings ? FOREIGN_SERVER : FOREIGN_CLIENT,
                              .verb = p->verb->name,
                              .name = name,
                              .value = value_of_unknown(p, inline_value) };
    const char *foreign = foreign_flag(&f, p->arena);
    if (foreign)
        return REFUSE(p, "%s %s", quoted, foreign);
    struct nearest near = nearest_to(name);
    for (size_t i = 0; i < COUNT_OF(flags); i++)
        if (flags[i].verbs & ON(p->cli->verb))
            nearest_offer(&near, flags[i].name);
    for (enum setting_id id = 0; p->verb->takes_settings && id < SETTING_COUNT; id++)
        nearest_offer(&near, setting_table[id].name);
    for (size_t i = 0; p->verb->takes_settings && i < COUNT_OF(extra_settings); i++)
        nearest_offer(&near, extra_settings[i].name);
    if (near.name.n)
        return REFUSE(p, "unknown flag %s; did you mean \"%s\"?", quoted,
                      flag_of_setting(near.name, p->arena));
    return REFUSE(p, "unknown flag %s; \"freshet %.*s --help\" lists them", quoted, STR_ARG(p->verb->name));
}

/* The value of `word`: behind its '=' (inline_value.p is set then) or the next word. */
static bool take_value(struct parse *p, struct str word, struct str inline_value, struct str *out)
{
    if (inline_value.p) {
        *out = inline_value;
        return true;
    }
    struct str next = p->at < p->argc ? str_from(p->argv[p->at]) : STR("--");
    if (str_starts(next, STR("--")))
        return REFUSE(p, "%.*s needs a value; write %.*s VALUE%s", STR_ARG(word), STR_ARG(word),
                      p->at < p->argc ? ", or =VALUE when it begins with --" : "");
    *out = next;
    p->at++;
    return true;
}

static bool put_many(struct parse *p, struct strs *to, struct str value)
{
    if (!to->v)
        to->v = arena_alloc(p->arena, p->argc * sizeof(*to->v)); /* never more than words */
    to->v[to->n++] = value;
    return true;
}

static void note_switch(struct parse *p, struct str word)
{
    p->flag = word;
    p->flag_at = p->at;
}

/* The flag right in front of the word that was just taken, when it took no value. */
static struct str switch_before(const struct parse *p)
{
    return p->flag.n && p->flag_at + 1 == p->at ? p->flag : STR_NONE;
}

static bool put_flag(struct parse *p, const struct flag *f, struct str word, struct str inline_value)
{
    void *at = (char *)p->cli + f->offset;
    struct str value;
    if (f->kind == FLAG_SWITCH) {
        if (inline_value.p)
            return REFUSE(p, "%.*s takes no value; leave out what is behind the =", STR_ARG(word));
        *(bool *)at = true;
        note_switch(p, word);
        return true;
    }
    if (!take_value(p, word, inline_value, &value))
        return false;
    if (value.n == 0)
        return REFUSE(p, "%.*s is empty; write a value or leave it out", STR_ARG(word));
    const char *wrong = form_check(f->form, value);
    if (f->form == FORM_SECRET && offer_is_variable(f->form, value))
        return REFUSE(p, "%.*s: the value is the name of a variable, which nothing expands here",
                      STR_ARG(word));
    struct str offer = wrong ? offer_text(f->form, value, STR("127.0.0.1:8081"), p->arena) : STR_NONE;
    if (offer.n)
        return REFUSE(p, "%.*s: %s %.*s; did you mean \"%.*s\"?", STR_ARG(word),
                      report_quote(&p->report, value), (int)str_index(str_from(wrong), ';'), wrong,
                      STR_ARG(offer));
    if (wrong && f->form == FORM_SECRET)
        return REFUSE(p, "%.*s: the value %s", STR_ARG(word), wrong);
    if (wrong)
        return REFUSE(p, "%.*s: %s %s", STR_ARG(word), report_quote(&p->report, value), wrong);
    if (f->kind == FLAG_MANY)
        return put_many(p, at, value);
    *(struct str *)at = value;
    return true;
}

/* Also the words that other programs have for it: settings_read says that they are none, and which there
 * are. */
static bool is_yes_or_no(struct str word)
{
    static const struct str words[] = { STR_INIT("true"), STR_INIT("false"), STR_INIT("yes"), STR_INIT("no"),
                                        STR_INIT("on"),   STR_INIT("off"),   STR_INIT("1"),   STR_INIT("0") };
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (str_eq_nocase(word, words[i]))
            return true;
    return false;
}

/* "3", "10s": no name of a file that anybody would mean; one can write ./3. */
static bool is_number(struct str word)
{
    size_t digits = 0;
    while (digits < word.n && is_digit(word.p[digits]))
        digits++;
    return digits && word.n - digits <= 2 && !memchr(word.p, '.', word.n) && !memchr(word.p, '/', word.n);
}

/* A setting as a flag; what its value means is settings_read's business. true or false may be left out: the
 * flag alone says true, and the next word is only taken when it is one of them, or a number: then it is said
 * that this is none. */
static bool put_setting(struct parse *p, enum setting_id id, struct str word, struct str name,
                        struct str inline_value)
{
    struct str value = STR("true");
    if (id < SETTING_COUNT && setting_table[id].type == TYPE_BOOL) {
        struct str next = p->at < p->argc ? str_from(p->argv[p->at]) : STR_NONE;
        if (inline_value.p)
            value = inline_value;
        else if (is_yes_or_no(next) || is_number(next))
            value = str_from(p->argv[p->at++]);
        else
            note_switch(p, word);
    } else if (!take_value(p, word, inline_value, &value)) {
        return false;
    }
    if (!p->cli->overrides)
        p->cli->overrides = arena_alloc(p->arena, p->argc * sizeof(*p->cli->overrides));
    p->cli->overrides[p->cli->overrides_n++] =
        (struct override){ .flag = word, .name = name, .value = value };
    return true;
}

/* "--name", "--name=value". */
static bool take_long(struct parse *p, struct str arg)
{
    struct str inline_value = arg, word = str_cut(&inline_value, '=');
    struct str name = str_from_index(word, 2);
    const struct flag *f = flag_by_name(p, name);
    enum setting_id id = p->verb->takes_settings ? setting_by_name(name, true) : SETTING_COUNT;
    if (str_eq(arg, STR("--help")))
        p->cli->help = true;
    else if (f)
        return put_flag(p, f, word, inline_value);
    else if (id < SETTING_COUNT || (p->verb->takes_settings && is_extra_setting(name)))
        return put_setting(p, id, word, name, inline_value);
    else
        return refuse_flag(p, word, name, inline_value);
    return true;
}

/* "-H value", "-Hvalue". */
static bool take_short(struct parse *p, struct str arg)
{
    const struct flag *f = flag_by_letter(p, arg.p[1]);
    struct str inline_value = arg.n > 2 ? str_from_index(arg, 2) : STR_NONE;
    if (str_eq(arg, STR("-h")))
        p->cli->help = true;
    else if (f)
        return put_flag(p, f, str_first(arg, 2), inline_value);
    else
        return refuse_flag(p, arg, str_from_index(arg, 1), STR_NONE);
    return true;
}

static bool take_help_topic(struct parse *p, struct str word)
{
    enum cli_verb v = verb_by_name(word);
    if (v == CLI_VERB_COUNT)
        return refuse_verb(p, word);
    p->cli->verb = v;
    p->cli->help = true;
    return true;
}

/* "http://HOST", "unix:/path" */
static bool is_url(struct str word)
{
    return str_starts_nocase(word, STR("http://")) || str_starts_nocase(word, STR("https://")) ||
           str_starts_nocase(word, STR("unix:"));
}

/* "HOST:PORT" */
static bool is_host_with_port(struct str word)
{
    return str_index(word, ':') < word.n && !form_check(FORM_HOST, word);
}

/* Where the site runs is what newcomers write first, without its flag. Said before anything else about the
 * word. */
static bool is_misplaced(const struct parse *p, struct str word)
{
    switch (p->cli->verb) {
    case CLI_RUN:
    case CLI_CHECK: return is_url(word) || is_host_with_port(word);
    case CLI_PURGE: return is_url(word);
    default: return false;
    }
}

static bool refuse_misplaced(struct parse *p, struct str word)
{
    const char *quoted = report_quote(&p->report, word);
    if (p->cli->verb == CLI_PURGE)
        return REFUSE(p, "%s is a URL; write --url %.*s", quoted, STR_ARG(word));
    if (!is_url(word))
        return REFUSE(p, "%s is an origin, not a file; write --origin http://%.*s", quoted, STR_ARG(word));
    return REFUSE(p, "%s is an origin, not a file; write --origin %.*s", quoted, STR_ARG(word));
}

static const struct str actions[CLI_ACTION_COUNT] = {
    [CLI_TOKEN_CREATE] = STR_INIT("create"),     [CLI_TOKEN_LIST] = STR_INIT("list"),
    [CLI_TOKEN_REVOKE] = STR_INIT("revoke"),     [CLI_CERTIFICATE_LIST] = STR_INIT("list"),
    [CLI_CERTIFICATE_RENEW] = STR_INIT("renew"), [CLI_CERTIFICATE_REVOKE] = STR_INIT("revoke"),
    [CLI_ORIGIN_LIST] = STR_INIT("list"),        [CLI_ORIGIN_DRAIN] = STR_INIT("drain"),
    [CLI_ORIGIN_UNDRAIN] = STR_INIT("undrain"),
};

/* Takes one of the actions from `first` up to `end`. */
static bool take_action(struct parse *p, struct str word, enum cli_action first, enum cli_action end,
                        const char *all)
{
    enum cli_action i = first;
    while (i < end && !str_eq(word, actions[i]))
        i++;
    p->cli->action = i;
    return i < end || REFUSE(p, "%s is none; there are %s", report_quote(&p->report, word), all);
}

/* The action, then the name. */
static bool take_token_word(struct parse *p, struct str word)
{
    if (p->words == 1)
        return take_action(p, word, CLI_TOKEN_CREATE, CLI_CERTIFICATE_LIST, "create, list and revoke");
    p->cli->name = word;
    return true;
}

static bool take_certificate_word(struct parse *p, struct str word)
{
    if (p->words == 1)
        return take_action(p, word, CLI_CERTIFICATE_LIST, CLI_ORIGIN_LIST, "list, renew and revoke");
    p->cli->name = word;
    return true;
}

/* The action, then the URL. */
static bool take_origin_word(struct parse *p, struct str word)
{
    if (p->words == 1)
        return take_action(p, word, CLI_ORIGIN_LIST, CLI_ACTION_COUNT, "list, drain and undrain");
    p->cli->url = word;
    return true;
}

static bool take_word(struct parse *p, char *arg)
{
    struct str word = str_from(arg);
    if (is_misplaced(p, word))
        return refuse_misplaced(p, word);
    struct str before = switch_before(p);
    bool is_too_many = p->words++ >= p->verb->args_most;
    if (is_too_many && before.n && !p->verb->takes_settings)
        return REFUSE(p, "%.*s takes no value; leave out %s", STR_ARG(before),
                      report_quote(&p->report, word));
    if (is_too_many)
        return REFUSE(p, "%s is one word too many; usage: freshet %s", report_quote(&p->report, word),
                      p->verb->usage);
    if (word.n == 0)
        return REFUSE(p, "an empty argument; usage: freshet %s", p->verb->usage);
    switch (p->cli->verb) {
    case CLI_RUN:
    case CLI_CHECK:
        p->cli->config = arg;
        p->cli->config_behind = before;
        return true;
    case CLI_EXPLAIN: p->cli->url = word; return true;
    case CLI_TOKEN: return take_token_word(p, word);
    case CLI_ORIGIN: return take_origin_word(p, word);
    case CLI_CERTIFICATE: return take_certificate_word(p, word);
    case CLI_HELP: return take_help_topic(p, word);
    default: break;
    }
    UNREACHABLE();
}

static bool take_words(struct parse *p)
{
    bool flags_end = false;
    while (p->at < p->argc && !p->cli->help) {
        char *arg = p->argv[p->at++];
        struct str s = str_from(arg);
        bool good;
        if (!flags_end && str_eq(s, STR("--"))) {
            flags_end = true;
            continue;
        }
        if (!flags_end && str_starts(s, STR("--")))
            good = take_long(p, s);
        else if (!flags_end && s.n > 1 && s.p[0] == '-')
            good = take_short(p, s);
        else
            good = take_word(p, arg);
        if (!good)
            return false;
    }
    return true;
}

static bool check_token(struct parse *p)
{
    const struct cli *c = p->cli;
    bool is_for_new = c->scopes.n || c->sites.n || c->expires.n;
    if (c->json && c->action != CLI_TOKEN_LIST)
        return REFUSE(p, "--json is for \"freshet token list\"");
    if (c->action == CLI_TOKEN_LIST)
        return (p->words == 1 && !c->name.n && !is_for_new) ||
               REFUSE(p, "list shows all of them; leave out the rest");
    if (c->action == CLI_TOKEN_REVOKE)
        return (c->name.n && !is_for_new) ||
               REFUSE(p, "write which one, and nothing else: token revoke NAME");
    if (p->words > 1)
        return REFUSE(p, "%s is one word too many; write --name %.*s", report_quote(&p->report, c->name),
                      STR_ARG(c->name));
    if (!c->name.n)
        return REFUSE(p, "--name is missing: a word by which the token can be revoked");
    return c->scopes.n || REFUSE(p, "--scope is missing: purge, read or admin");
}

static bool check_certificate(struct parse *p)
{
    const struct cli *c = p->cli;
    const char *said = c->action == CLI_CERTIFICATE_RENEW ? "renew" : "revoke";
    if (c->json && c->action != CLI_CERTIFICATE_LIST)
        return REFUSE(p, "--json is for \"freshet certificate list\"");
    if (c->reason.n && c->action != CLI_CERTIFICATE_REVOKE)
        return REFUSE(p, "--reason is for \"freshet certificate revoke\"");
    if (c->action == CLI_CERTIFICATE_LIST)
        return !c->name.n || REFUSE(p, "list shows all of them; leave out the rest");
    return c->name.n || REFUSE(p, "write which one: certificate %s HOST", said);
}

static bool check_origin(struct parse *p)
{
    const struct cli *c = p->cli;
    if (c->json && c->action != CLI_ORIGIN_LIST)
        return REFUSE(p, "--json is for \"freshet origin list\"");
    if (c->force && c->action != CLI_ORIGIN_DRAIN)
        return REFUSE(p, "--force is for \"freshet origin drain\"");
    if (c->action == CLI_ORIGIN_LIST)
        return !c->url.n || REFUSE(p, "list shows all of them; leave out the rest");
    return c->url.n || REFUSE(p, "write which one: origin %.*s URL; \"freshet origin list\" shows them",
                              STR_ARG(actions[c->action]));
}

/* What no single word can show. */
static bool check_whole(struct parse *p)
{
    const struct cli *c = p->cli;
    if (c->help)
        return true;
    if (p->words < p->verb->args_least)
        return REFUSE(p, "an argument is missing; usage: freshet %s", p->verb->usage);
    if (c->verb == CLI_PURGE && c->all && (c->tags.n || c->urls.n || c->prefixes.n))
        return REFUSE(p, "--all is the whole site; leave out --all, or --tag, --url and --prefix");
    if (c->verb == CLI_PURGE && !c->all && !c->tags.n && !c->urls.n && !c->prefixes.n)
        return REFUSE(p, "nothing to purge; say what with --tag, --url, --prefix or --all");
    if (c->verb == CLI_TOKEN)
        return check_token(p);
    if (c->verb == CLI_CERTIFICATE)
        return check_certificate(p);
    if (c->verb == CLI_ORIGIN)
        return check_origin(p);
    if (c->verb == CLI_DEPLOY && c->rollback && (c->id.n || c->origin.n))
        return REFUSE(
            p, "--rollback goes back to a release with its id and origin; leave out --id and --origin");
    return true;
}

static bool parse_verb(struct parse *p)
{
    if (p->argc < 2)
        return REFUSE(
            p, "a verb is missing; \"freshet help\" lists them, \"freshet run --origin URL\" serves a site");
    struct str word = str_from(p->argv[1]);
    enum cli_verb v = verb_by_name(word);
    p->at = 2;
    if (str_eq(word, STR("--help")) || str_eq(word, STR("-h")))
        v = CLI_HELP;
    if (str_eq(word, STR("--version")) || str_eq(word, STR("-V")) || str_eq(word, STR("-v")))
        v = CLI_VERSION;
    if (v == CLI_VERB_COUNT)
        return refuse_verb(p, word);
    p->cli->verb = v;
    p->verb = &verbs[v];
    p->report.file = arena_printf(p->arena, "freshet %.*s", STR_ARG(p->verb->name));
    return true;
}

bool cli_parse(int argc, char *const argv[], struct arena *a, struct cli *out, struct buf *error)
{
    struct parse p = { .cli = out, .arena = a, .argv = argv, .argc = argc > 0 ? (size_t)argc : 0 };
    *out = (struct cli){ .verb = CLI_HELP, .argv = argv };
    report_init(&p.report, a, STR("freshet"));
    bool good = parse_verb(&p) && take_words(&p) && check_whole(&p);
    CHECK(good == (p.report.n == 0));
    report_write(&p.report, error);
    return good;
}

/* ---- help ---- */

/* Words of `text`, broken so that no line is longer than HELP_COLUMNS where it can be helped. */
static void add_wrapped(struct buf *out, unsigned indent, struct str text)
{
    unsigned column = 0;
    for (struct str rest = text; rest.p;) {
        struct str word = str_cut(&rest, ' ');
        if (column && column + 1 + word.n > HELP_COLUMNS) {
            buf_add_char(out, '\n');
            column = 0;
        }
        if (column == 0) {
            buf_printf(out, "%*s", (int)indent, "");
            column = indent;
        } else {
            buf_add_char(out, ' ');
            column++;
        }
        buf_add(out, word);
        column += (unsigned)word.n;
    }
    buf_add_char(out, '\n');
}

static void add_flag_help(struct buf *out, const struct flag *f)
{
    buf_printf(out, "  --%.*s", STR_ARG(f->name));
    if (f->letter)
        buf_printf(out, ", -%c", f->letter);
    buf_printf(out, "%s%s\n", f->value[0] ? " " : "", f->value);
    add_wrapped(out, 6, str_from(f->text));
}

static const char *string_name(enum text_form form)
{
    switch (form) {
    case FORM_ADDRESS:
    case FORM_DOOR: return "ADDRESS";
    case FORM_NETWORK: return "NETWORK";
    case FORM_HOSTS:
    case FORM_SERVER:
    case FORM_HOST: return "HOST";
    case FORM_DIRECTORY:
    case FORM_ORIGIN:
    case FORM_ORIGINS: return "URL";
    case FORM_FIELD:
    case FORM_TAG_HEADER:
    case FORM_COOKIE:
    case FORM_PARAM: return "NAME";
    case FORM_MEDIA_TYPE: return "TYPE";
    case FORM_FOLDER:
    case FORM_PATH:
    case FORM_URL_PATH: return "PATH";
    case FORM_USER: return "USER";
    case FORM_SECRET: return "SECRET";
    default: return "TEXT";
    }
}

static const char *value_name(const struct setting *s)
{
    switch (s->type) {
    case TYPE_BOOL: return "[true|false]";
    case TYPE_COUNT: return "NUMBER";
    case TYPE_BYTES: return "SIZE";
    case TYPE_TIME: return "TIME";
    case TYPE_TEXT:
    case TYPE_LIST: return string_name(s->form);
    case TYPE_CHOICE: return s->words.p;
    case TYPE_MAPS: return "\"\"";
    }
    UNREACHABLE();
}

static void add_setting_help(struct buf *out, enum setting_id id, struct arena *a)
{
    const struct setting *s = &setting_table[id];
    buf_printf(out, "  %s %s%s\n", flag_of_setting(s->name, a), value_name(s),
               s->type == TYPE_LIST ? "..." : "");
    struct str text = s->text;
    if (s->type == TYPE_MAPS)
        text = arena_printf(a, "%.*s To be written in the file; the flag takes away what is there.",
                            STR_ARG(s->text));
    if (s->initial.n)
        text = arena_printf(a, "%.*s Default: %.*s.", STR_ARG(s->text), STR_ARG(s->initial));
    add_wrapped(out, 6, text);
}

static void add_settings_help(struct buf *out)
{
    struct arena a;
    arena_init(&a, 4096);
    buf_add(out,
            STR("\nSettings. A flag with ... may come again, each adds one to the list; of others the last "
                "counts.\nTimes: 500ms, 10s, 5m, 2h, 1d. Sizes: 64K, 256M, 2G.\n"));
    for (size_t i = 0; i < COUNT_OF(extra_settings); i++) {
        buf_printf(out, "  --%.*s %s\n", STR_ARG(extra_settings[i].name), extra_settings[i].value);
        add_wrapped(out, 6, str_from(extra_settings[i].text));
    }
#define SETTING_SECTION(scope, title)   buf_add(out, STR("\n" title ":\n"));
#define SETTING(scope, type, name, ...) add_setting_help(out, SETTING_##name, &a);
#include "tbl/settings.h"
#undef SETTING
    arena_fini(&a);
}

static void add_verbs_help(struct buf *out)
{
    buf_add(out, STR("\n"));
    for (enum cli_verb v = 0; v < CLI_VERB_COUNT; v++) {
        buf_printf(out, "  freshet %s\n", verbs[v].usage);
        add_wrapped(out, 6, str_from(verbs[v].text));
    }
    buf_add(out, STR("\nThe shortest way: freshet run --origin http://127.0.0.1:3000\n"
                     "Exit codes: 0 done, 1 failed, 2 wrong usage.\n"));
}

void cli_help(enum cli_verb verb, struct buf *out)
{
    CHECK((unsigned)verb < CLI_VERB_COUNT);
    const struct verb *v = &verbs[verb];
    if (verb == CLI_HELP) {
        buf_add(out, STR("freshet: an edge cache in front of a site. usage: freshet VERB ...\n"));
        add_verbs_help(out);
        return;
    }
    buf_printf(out, "usage: freshet %s\n\n", v->usage);
    add_wrapped(out, 0, str_from(v->text));
    buf_add_char(out, '\n');
    for (size_t i = 0; i < COUNT_OF(flags); i++)
        if (flags[i].verbs & ON(verb))
            add_flag_help(out, &flags[i]);
    buf_add(out, STR("  --help, -h\n      This text.\n"));
    if (v->takes_settings)
        add_settings_help(out);
}
