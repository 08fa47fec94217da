#include "conf/foreign.h"

#include "base/check.h"
#include "conf/form.h"
#include "conf/nearest.h"
#include "conf/offer.h"

/* ---- verbs ---- */

#define RELOAD "is no verb; SIGHUP makes it read its configuration again: kill -HUP $(pidof freshet)"
#define STOP   "is no verb; SIGTERM lets it finish and end: kill $(pidof freshet)"
#define RESTART                                                                                              \
    "is no verb; stop it with SIGTERM, kill $(pidof freshet), and start it again with \"freshet run\""
#define REOPEN "is no verb; SIGUSR1 makes it open the access log again: kill -USR1 $(pidof freshet)"
#define LIST                                                                                                 \
    "is no verb; \"freshet explain URL\" says what is stored of a page, \"freshet status\" how many pages "  \
    "there are"
#define FLUSH  "is no verb; \"freshet purge --all\" empties the cache of a site, --url and --tag less of it"
#define RUN    "is no verb; \"freshet run --origin URL\" or \"freshet run CONFIG\" serves, in the foreground"
#define CHECK_ "is no verb; \"freshet check CONFIG\" says what is wrong with a configuration"
#define STATUS                                                                                               \
    "is no verb; \"freshet status\" says how it is doing, and /metrics of the admin listener in numbers"

static const struct {
    struct str word;
    const char *text;
} verbs[] = {
    { STR_INIT("reload"), RELOAD },    { STR_INIT("refresh"), RELOAD },
    { STR_INIT("rehash"), RELOAD },    { STR_INIT("stop"), STOP },
    { STR_INIT("quit"), STOP },        { STR_INIT("shutdown"), STOP },
    { STR_INIT("kill"), STOP },        { STR_INIT("drain"), STOP },
    { STR_INIT("exit"), STOP },        { STR_INIT("restart"), RESTART },
    { STR_INIT("reopen"), REOPEN },    { STR_INIT("rotate"), REOPEN },
    { STR_INIT("list"), LIST },        { STR_INIT("ls"), LIST },
    { STR_INIT("show"), LIST },        { STR_INIT("keys"), LIST },
    { STR_INIT("get"), LIST },         { STR_INIT("inspect"), LIST },
    { STR_INIT("flush"), FLUSH },      { STR_INIT("clear"), FLUSH },
    { STR_INIT("clean"), FLUSH },      { STR_INIT("ban"), FLUSH },
    { STR_INIT("invalidate"), FLUSH }, { STR_INIT("delete"), FLUSH },
    { STR_INIT("evict"), FLUSH },      { STR_INIT("serve"), RUN },
    { STR_INIT("start"), RUN },        { STR_INIT("server"), RUN },
    { STR_INIT("up"), RUN },           { STR_INIT("daemon"), RUN },
    { STR_INIT("proxy"), RUN },        { STR_INIT("reverse-proxy"), RUN },
    { STR_INIT("test"), CHECK_ },      { STR_INIT("configtest"), CHECK_ },
    { STR_INIT("validate"), CHECK_ },  { STR_INIT("lint"), CHECK_ },
    { STR_INIT("verify"), CHECK_ },    { STR_INIT("stats"), STATUS },
    { STR_INIT("stat"), STATUS },      { STR_INIT("info"), STATUS },
    { STR_INIT("metrics"), STATUS },   { STR_INIT("ps"), STATUS },
    { STR_INIT("top"), STATUS },       { STR_INIT("health"), STATUS },
};

const char *foreign_verb(struct str word)
{
    for (size_t i = 0; i < COUNT_OF(verbs); i++)
        if (str_eq_nocase(verbs[i].word, word))
            return verbs[i].text;
    return NULL;
}

/* ---- flags ---- */

enum meaning {
    PORT,
    ADDRESS,
    ORIGIN,
    FILE_,
    MEMORY,
    WORKERS,
    LOG,
    DEBUG,
    VERSION,
    TEST,
    FOREGROUND,
    USER,
    TLS
};

static const struct {
    struct str name;
    enum meaning meaning;
} flags[] = {
    { STR_INIT("port"), PORT },
    { STR_INIT("p"), PORT },
    { STR_INIT("P"), PORT },
    { STR_INIT("http-port"), PORT },
    { STR_INIT("bind"), ADDRESS },
    { STR_INIT("b"), ADDRESS },
    { STR_INIT("address"), ADDRESS },
    { STR_INIT("addr"), ADDRESS },
    { STR_INIT("l"), ADDRESS },
    { STR_INIT("a"), ADDRESS },
    { STR_INIT("listen-address"), ADDRESS },
    { STR_INIT("upstream"), ORIGIN },
    { STR_INIT("backend"), ORIGIN },
    { STR_INIT("target"), ORIGIN },
    { STR_INIT("to"), ORIGIN },
    { STR_INIT("proxy"), ORIGIN },
    { STR_INIT("url"), ORIGIN },
    { STR_INIT("o"), ORIGIN },
    { STR_INIT("config"), FILE_ },
    { STR_INIT("conf"), FILE_ },
    { STR_INIT("c"), FILE_ },
    { STR_INIT("f"), FILE_ },
    { STR_INIT("file"), FILE_ },
    { STR_INIT("config-file"), FILE_ },
    { STR_INIT("m"), MEMORY },
    { STR_INIT("mem"), MEMORY },
    { STR_INIT("cache-size"), MEMORY },
    { STR_INIT("size"), MEMORY },
    { STR_INIT("s"), MEMORY },
    { STR_INIT("max-memory"), MEMORY },
    { STR_INIT("threads"), WORKERS },
    { STR_INIT("j"), WORKERS },
    { STR_INIT("w"), WORKERS },
    { STR_INIT("log"), LOG },
    { STR_INIT("log-file"), LOG },
    { STR_INIT("accesslog"), LOG },
    { STR_INIT("debug"), DEBUG },
    { STR_INIT("verbose"), DEBUG },
    { STR_INIT("v"), DEBUG },
    { STR_INIT("vv"), DEBUG },
    { STR_INIT("log-level"), DEBUG },
    { STR_INIT("trace"), DEBUG },
    { STR_INIT("version"), VERSION },
    { STR_INIT("V"), VERSION },
    { STR_INIT("t"), TEST },
    { STR_INIT("test"), TEST },
    { STR_INIT("check"), TEST },
    { STR_INIT("dry-run"), TEST },
    { STR_INIT("d"), FOREGROUND },
    { STR_INIT("D"), FOREGROUND },
    { STR_INIT("daemon"), FOREGROUND },
    { STR_INIT("daemonize"), FOREGROUND },
    { STR_INIT("background"), FOREGROUND },
    { STR_INIT("pid-file"), FOREGROUND },
    { STR_INIT("u"), USER },
    { STR_INIT("tls"), TLS },
    { STR_INIT("ssl"), TLS },
    { STR_INIT("ssl-cert"), TLS },
    { STR_INIT("tls-cert"), TLS },
    { STR_INIT("certificate"), TLS },
};

#define DEBUG_TEXT                                                                                           \
    "is no flag of freshet; \"freshet explain URL\" says what becomes of a request and why, --access-log - " \
    "writes a line for each, \"freshet version\" prints the version"
#define VERSION_TEXT "is no flag of a verb; write freshet --version"

/* The value in a form that its flag takes, else `otherwise`. */
static struct str usable(enum text_form form, struct str value, struct str otherwise, struct arena *a)
{
    if (value.n && !form_check(form, value))
        return value;
    struct str offer = value.n ? offer_text(form, value, otherwise, a) : STR_NONE;
    return offer.n ? offer : otherwise;
}

/* Without a verb the whole command is offered. */
static const char *say(const struct foreign_flag *f, const char *flag, struct str value, struct arena *a)
{
    return arena_printf(a, "is no flag of freshet; write %s%s %.*s", f->verb.n ? "" : "freshet run ", flag,
                        STR_ARG(value))
        .p;
}

static const char *say_file(const struct foreign_flag *f, struct arena *a)
{
    return arena_printf(a, "is no flag of freshet; the file stands without one: freshet %.*s %.*s",
                        STR_ARG(f->verb.n ? f->verb : STR("run")),
                        STR_ARG(f->value.n ? f->value : STR("freshet.yaml")))
        .p;
}

/* A port alone would listen on every address of the machine, which nobody said. */
static struct str of_port(const struct foreign_flag *f, struct arena *a)
{
    uint64_t port;
    if (!str_to_u64(f->value, UINT16_MAX, &port))
        return f->side == FOREIGN_SERVER ? STR("127.0.0.1:8080") : STR("127.0.0.1:8081");
    return ARENA_JOIN(a, STR("127.0.0.1:"), f->value);
}

static const char *for_a_client(const struct foreign_flag *f, enum meaning meaning, struct arena *a)
{
    switch (meaning) {
    case PORT: return say(f, "--admin", of_port(f, a), a);
    case ADDRESS: return say(f, "--admin", usable(FORM_DOOR, f->value, STR("127.0.0.1:8081"), a), a);
    case DEBUG: return DEBUG_TEXT;
    case VERSION: return VERSION_TEXT;
    default: return NULL;
    }
}

static const char *for_a_server(const struct foreign_flag *f, enum meaning meaning, struct arena *a)
{
    struct str value = f->value;
    switch (meaning) {
    case PORT: return say(f, "--listen", of_port(f, a), a);
    case ADDRESS: return say(f, "--listen", usable(FORM_ADDRESS, value, STR("127.0.0.1:8080"), a), a);
    case ORIGIN: return say(f, "--origin", usable(FORM_ORIGIN, value, STR("http://127.0.0.1:3000"), a), a);
    case FILE_: return say_file(f, a);
    case MEMORY: return say(f, "--memory", STR("256M"), a);
    case WORKERS: return say(f, "--workers", value.n ? value : STR("2"), a);
    case LOG: return say(f, "--access-log", value.n ? value : STR("-"), a);
    case DEBUG: return DEBUG_TEXT;
    case VERSION: return VERSION_TEXT;
    case TEST: return "is no flag of freshet; \"freshet check CONFIG\" tries a configuration";
    case FOREGROUND:
        return "is no flag of freshet; it stays in the foreground: add & in a shell, or let a "
               "supervisor like systemd start it";
    case USER: return "is no flag of freshet; \"freshet run\" takes --user NAME";
    case TLS: return "is no flag of freshet; write --https :443 --cert FILE --key FILE";
    }
    UNREACHABLE();
}

const char *foreign_flag(const struct foreign_flag *f, struct arena *a)
{
    for (size_t i = 0; i < COUNT_OF(flags); i++)
        if (str_eq(flags[i].name, f->name))
            return f->side == FOREIGN_SERVER ? for_a_server(f, flags[i].meaning, a)
                                             : for_a_client(f, flags[i].meaning, a);
    return NULL;
}

struct str foreign_setting(struct str name)
{
    static const struct str settings[] = {
        [PORT] = STR_INIT("listen"),   [ADDRESS] = STR_INIT("listen"),  [ORIGIN] = STR_INIT("origin"),
        [MEMORY] = STR_INIT("memory"), [WORKERS] = STR_INIT("workers"), [LOG] = STR_INIT("access_log"),
    };
    for (size_t i = 0; i < COUNT_OF(flags) && name.n > 1; i++)
        if (flags[i].meaning < COUNT_OF(settings) && edit_distance(name, flags[i].name, 1) == 0)
            return settings[flags[i].meaning];
    return STR_NONE;
}
