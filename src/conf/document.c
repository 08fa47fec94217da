#include "conf/document.h"

#include "base/check.h"
#include "conf/setting.h"
#include "conf/tree.h"
#include "conf/value.h"

#define TEXT_COLUMNS 100

/* Words of `text`, each line begun with `start`, broken where a line would grow too long. */
static void add_wrapped(struct buf *out, const char *start, struct str text)
{
    size_t column = 0;
    for (struct str rest = text; rest.p;) {
        struct str word = str_cut(&rest, ' ');
        if (column && column + 1 + word.n > TEXT_COLUMNS) {
            buf_add_char(out, '\n');
            column = 0;
        }
        buf_add(out, column ? STR(" ") : str_from(start));
        buf_add(out, word);
        column += word.n + (column ? 1 : str_from(start).n);
    }
    buf_add_char(out, '\n');
}

/* A default as it stands in a YAML file. */
static void add_yaml_default(struct buf *out, const struct setting *s, struct str initial)
{
    if (s->type == TYPE_MAPS)
        buf_add(out, STR("[]"));
    else if (s->type == TYPE_LIST && initial.n && initial.p[0] != '[')
        buf_printf(out, "[\"%.*s\"]", STR_ARG(initial));
    else if (s->type == TYPE_LIST && initial.n == 0)
        buf_add(out, STR("[]"));
    else if (s->type == TYPE_TEXT)
        buf_add_json(out, initial);
    else
        buf_add(out, initial);
}

/* ---- freshet.example.yaml ---- */

static const char example_head[] =
    "# An example of freshet's configuration, made from the list of all settings. A line with a '#' and no "
    "space\n"
    "# behind it is a setting at its default: remove the '#' and change it. docs/CONFIGURATION.md says "
    "more.\n"
    "#\n"
    "# freshet only needs to know where the site runs. The site's response headers say everything else.\n"
    "\n"
    "origin: http://127.0.0.1:3000\n"
    "\n"
    "# Which defaults the settings of sites have: isr (nothing is stored without the origin's explicit "
    "permission),\n"
    "# rfc9111 (a shared cache by the book), dev (nothing is stored, Cache-Status says what would have "
    "been).\n"
    "#profile: isr\n"
    "\n"
    "# Several sites: each has a name, its hosts and its origin. A setting at the top of the file is the "
    "default of\n"
    "# all sites. One site may have no hosts: it gets all hosts that no other site names.\n"
    "#sites:\n"
    "#  shop:\n"
    "#    hosts: [shop.example, \"*.shop.example\"]\n"
    "#    origin: http://127.0.0.1:4321\n"
    "#  blog:\n"
    "#    origin: unix:/run/blog/http.sock\n"
    "#    first_byte_timeout: 10s\n";

static void add_example_setting(struct buf *out, enum setting_id id)
{
    const struct setting *s = &setting_table[id];
    buf_add_char(out, '\n');
    add_wrapped(out, "# ", s->text);
    if (id == SETTING_origin)
        return; /* the file's own, at its head */
    buf_printf(out, "#%.*s: ", STR_ARG(s->name));
    add_yaml_default(out, s, s->initial);
    buf_add_char(out, '\n');
}

void document_example(struct buf *out)
{
    buf_add(out, STR(example_head));
#define SETTING_SECTION(scope, title)   buf_add(out, STR("\n# ---- " title " ----\n"));
#define SETTING(scope, type, name, ...) add_example_setting(out, SETTING_##name);
#include "tbl/settings.h"
#undef SETTING
}

/* ---- docs/CONFIGURATION.md ---- */

static const char configuration_head[] =
    "# Configuration\n"
    "\n"
    "<!-- Written by tools/document from src/tbl/settings.h and src/tbl/profiles.h. Change those. -->\n"
    "\n"
    "freshet only needs to know where the site runs. The headers of the site's responses say everything "
    "about "
    "its\n"
    "pages: how long they live, what they vary on, which tags they have; see CACHING.md.\n"
    "\n"
    "```sh\n"
    "freshet run --origin http://127.0.0.1:3000\n"
    "```\n"
    "\n"
    "Every other setting has a default. Change it in a YAML file or by a flag; a flag overrides the file.\n"
    "\n"
    "```sh\n"
    "freshet run freshet.yaml --memory 1G --first-byte-timeout 5s\n"
    "freshet check freshet.yaml     # reports all that run would refuse; makes and serves nothing\n"
    "```\n"
    "\n"
    "## The file\n"
    "\n"
    "```yaml\n"
    "listen: [127.0.0.1:8080]\n"
    "memory: 512M\n"
    "first_byte_timeout: 20s        # a setting of sites at the top is the default of all sites\n"
    "\n"
    "sites:\n"
    "  shop:                        # the site's name: letters, digits, - _ and .\n"
    "    hosts: [shop.example, www.shop.example]\n"
    "    origin: http://127.0.0.1:4321\n"
    "  blog:\n"
    "    origin: unix:/run/blog/http.sock\n"
    "    first_byte_timeout: 5s\n"
    "```\n"
    "\n"
    "- With one site, `sites:` can be left out: `origin: http://127.0.0.1:4321` at the top makes one site, "
    "named\n"
    "  `default` (`--site NAME` names it otherwise).\n"
    "- A request belongs to the site that lists its host; else to the one with the longest matching `*.` "
    "pattern;\n"
    "  else to the site without `hosts`, of which there can be one; else it gets an error. A host can be "
    "in one\n"
    "  site only. Ports and upper case do not count.\n"
    "- An origin is `http://HOST[:PORT]`, `https://HOST[:PORT]` or `unix:/path/to/socket`, without a path: "
    "requests\n"
    "  keep theirs.\n"
    "- The value of a site's setting is the first of: the flag, the site's own, the one at the top of the "
    "file, the\n"
    "  default of the site's profile.\n"
    "- Anchors, aliases, tags and several documents are refused; the file may have at most 1 MiB "
    "and " TREE_NODES_TEXT " values.\n"
    "- `freshet.example.yaml` holds every setting at its default.\n"
    "\n"
    "freshet reports all mistakes at once, each with its line:\n"
    "\n"
    "```\n"
    "freshet.yaml:12: unknown setting \"orgin\"; did you mean \"origin\"?\n"
    "freshet.yaml:14: memory: \"12\" is out of range; allowed is 1M to 1T; did you mean \"12M\"?\n"
    "```\n"
    "\n"
    "## Flags\n"
    "\n"
    "Every setting is a flag of `freshet run` and `freshet check`: `first_byte_timeout: 5s` is\n"
    "`--first-byte-timeout 5s`. A flag is for all sites. Give a list one word at a time\n"
    "(`--listen :8080 --listen unix:/run/freshet.sock`); it replaces the file's list, and an empty word "
    "empties "
    "it. A\n"
    "bool's flag without a value means true. `--origin` and `--hosts` are for configurations with one site.\n"
    "\n"
    "## Types\n"
    "\n"
    "| type | written as |\n"
    "|---|---|\n"
    "| bool | `true`, `false` |\n"
    "| number | `1024` |\n"
    "| size | `4096`, `64K`, `256M`, `2G`, `1T`: powers of 1024 |\n"
    "| time | `500ms`, `10s`, `5m`, `2h`, `1d`; without a unit: seconds |\n"
    "| text | one line; `\"\"` is none |\n"
    "| list | `[a, b]`, or one text |\n"
    "| blocks | a list whose entries have named fields, each begun with `- `; in the file only |\n"
    "\n"
    "## Reload\n"
    "\n"
    "SIGHUP reads the file again. If it has mistakes, freshet logs them all and keeps the old "
    "configuration.\n"
    "Requests under way keep the settings that they began with. The column *reload* says what a change "
    "does:\n"
    "\n"
    "- *used*: it is in force from the next request on;\n"
    "- *purges*: changing this empties the site's cache;\n"
    "- *restart*: it needs a restart; the reload says so in the log.\n"
    "\n"
    "## Signals\n"
    "\n"
    "| signal | does |\n"
    "|---|---|\n"
    "| SIGTERM, SIGINT, SIGQUIT | freshet ends: it accepts no new connections and finishes requests under "
    "way "
    "within `drain_timeout`. "
    "A second signal ends it at once, with status 1. The same signal twice within a second counts once: "
    "`timeout` "
    "and some process managers send it to the process and to its group. |\n"
    "| SIGHUP | reads the configuration again |\n"
    "| SIGUSR1 | opens the access log again, after a rotation |\n"
    "| SIGUSR2 | starts the program that stands now where freshet was started from, in its place: "
    "[upgrades](TROUBLESHOOTING.md#a-new-version) |\n"
    "| SIGALRM and others that have no meaning here | writes a line in the log, nothing else |\n";

static const char *reload_word(enum setting_class class)
{
    switch (class) {
    case CLASS_SERVE: return "used";
    case CLASS_KEY:
    case CLASS_STORE: return "purges";
    case CLASS_START: return "restart";
    }
    UNREACHABLE();
}

static const char *form_word(enum text_form form)
{
    switch (form) {
    case FORM_ANY: return "text";
    case FORM_ADDRESS: return "`ADDR:PORT`, `[V6]:PORT`, `:PORT`, `PORT`, `unix:/path`";
    case FORM_DOOR: return "`ADDR:PORT`, `HOST:PORT`, `http://HOST[:PORT]`, `unix:/path`";
    case FORM_NETWORK: return "`ADDR`, `ADDR/BITS`, `unix`";
    case FORM_HOSTS: return "`shop.example`, `*.shop.example`, an address";
    case FORM_HOST: return "`HOST`, `HOST:PORT`";
    case FORM_ORIGIN: return "`http://HOST[:PORT]`, `https://HOST[:PORT]`, `unix:/path`";
    case FORM_ORIGINS:
        return "`http://HOST[:PORT]`, `https://HOST[:PORT]`, `unix:/path`, or a block with more (below)";
    case FORM_SERVER: return "host name or address";
    case FORM_FIELD: return "field name";
    case FORM_HEADER: return "`NAME: VALUE`";
    case FORM_TAG_HEADER: return "`NAME`, `NAME:space`, `NAME:either`";
    case FORM_PARAM: return "parameter name";
    case FORM_COOKIE: return "cookie name, one `*`";
    case FORM_FOLDER: return "`/FOLDER/`";
    case FORM_MEDIA_TYPE: return "media type, one `*`";
    case FORM_PATH: return "path";
    case FORM_URL_PATH: return "path of a URL";
    case FORM_USER: return "user, or `USER:GROUP`";
    case FORM_EMAIL: return "`NAME@HOST`";
    case FORM_DIRECTORY: return "`https://HOST/PATH`, `staging`";
    case FORM_SECRET: return "visible ASCII without spaces";
    }
    UNREACHABLE();
}

/* Prose in a cell: '|' would end it and '*' would be taken for emphasis. */
static void add_cell(struct buf *out, struct str text)
{
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '|' || text.p[i] == '*')
            buf_add_char(out, '\\');
        buf_add_char(out, text.p[i]);
    }
}

static void add_numbers(struct buf *out, const struct setting *s)
{
    buf_add(out, s->type == TYPE_COUNT   ? STR("number, ")
                 : s->type == TYPE_BYTES ? STR("size, ")
                                         : STR("time, "));
    setting_write_number(s->type, s->least, out);
    buf_add(out, STR(" to "));
    setting_write_number(s->type, s->most, out);
}

static void add_allowed(struct buf *out, const struct setting *s)
{
    switch (s->type) {
    case TYPE_BOOL: buf_add(out, STR("bool")); return;
    case TYPE_COUNT:
    case TYPE_BYTES:
    case TYPE_TIME: add_numbers(out, s); return;
    case TYPE_TEXT: buf_printf(out, "%s", form_word(s->form)); return;
    case TYPE_LIST: buf_printf(out, "list: %s", form_word(s->form)); return;
    case TYPE_MAPS:
        if (s->most == 1)
            buf_printf(out, "a block (below)");
        else
            buf_printf(out, "list of blocks, each a %.*s (below)", STR_ARG(shape_table[s->shape].one));
        return;
    case TYPE_CHOICE:
        for (struct str rest = s->words; rest.p;) {
            struct str word = str_cut(&rest, '|');
            buf_printf(out, "`%.*s`", STR_ARG(word));
            buf_add(out, rest.p ? STR(", ") : STR(""));
        }
        return;
    }
    UNREACHABLE();
}

/* "" is shown as nothing: that is what it is. */
static void add_code(struct buf *out, struct str text)
{
    if (text.n)
        buf_printf(out, "`%.*s`", STR_ARG(text));
}

static void add_row(struct buf *out, enum setting_id id)
{
    const struct setting *s = &setting_table[id];
    buf_printf(out, "| `%.*s` | ", STR_ARG(s->name));
    add_code(out, s->initial);
    buf_add(out, s->initial.n ? STR(" | ") : STR("| "));
    add_allowed(out, s);
    buf_printf(out, " | %s | ", reload_word(s->class));
    add_cell(out, s->text);
    buf_add(out, STR(" |\n"));
}

static void add_section(struct buf *out, bool first_of_sites, struct str title)
{
    if (first_of_sites)
        buf_add(
            out,
            STR("\n## Settings of a site\n"
                "\n"
                "Inside a site, or at the top of the file as the default of all sites. The defaults here are "
                "those of the profile\n`isr`.\n"));
    buf_printf(out,
               "\n### %.*s\n\n| setting | default | allowed | reload | meaning |\n|---|---|---|---|---|\n",
               STR_ARG(title));
}

static bool has_profile_default(enum setting_id id)
{
    for (enum profile p = 0; p < PROFILE_COUNT; p++)
        if (!str_eq(setting_initial(id, p), setting_table[id].initial))
            return true;
    return false;
}

static void add_profiles(struct buf *out)
{
    buf_add(
        out,
        STR("\n## Profiles\n"
            "\n"
            "A profile is a set of defaults and nothing more: `profile: dev` at the top of the file or in a "
            "site, "
            "or\n`--profile dev`. Any setting can still be set otherwise.\n"
            "\n"
            "- `isr`, the default: what a CDN for sites does. Nothing is stored without the origin's "
            "explicit "
            "permission,\n  cookies are never shared, and visitors cannot bypass the cache.\n"
            "- `rfc9111`: a shared cache by the book.\n"
            "- `dev`: for work on a site. Nothing is stored; `Cache-Status` says what production would have "
            "done.\n"
            "\n"
            "| setting | `isr` | `rfc9111` | `dev` |\n|---|---|---|---|\n"));
    for (enum setting_id id = 0; id < SETTING_COUNT; id++) {
        if (!has_profile_default(id))
            continue;
        buf_printf(out, "| `%.*s` |", STR_ARG(setting_table[id].name));
        for (enum profile p = 0; p < PROFILE_COUNT; p++) {
            struct str initial = setting_initial(id, p);
            buf_printf(out, " `%.*s` |", STR_ARG(initial.n ? initial : STR("[]")));
        }
        buf_add_char(out, '\n');
    }
}

static void add_shape(struct buf *out, const struct shape *shape)
{
    bool is_vowel = memchr("aeiou", shape->one.p[0], 5) != NULL;
    buf_printf(out, "\n## Fields of a%s %.*s\n\n| field | allowed | meaning |\n|---|---|---|\n",
               is_vowel ? "n" : "", STR_ARG(shape->one));
    for (size_t i = 0; i < shape->n; i++) {
        buf_printf(out, "| `%.*s` | ", STR_ARG(shape->fields[i].name));
        add_allowed(out, &shape->fields[i]);
        buf_add(out, STR(" | "));
        add_cell(out, shape->fields[i].text);
        buf_add(out, STR(" |\n"));
    }
}

void document_configuration(struct buf *out)
{
    bool in_sites = false;
    buf_add(out, STR(configuration_head));
    buf_add(out, STR("\n## Settings of the process\n\nAt the top of the file.\n"));
#define IS_SITE_PROCESS false
#define IS_SITE_SITE    true
#define SETTING_SECTION(scope, title)                                                                        \
    add_section(out, IS_SITE_##scope && !in_sites, STR(title));                                              \
    in_sites = IS_SITE_##scope;
#define SETTING(scope, type, name, ...) add_row(out, SETTING_##name);
#include "tbl/settings.h"
#undef SETTING
    for (enum shape_id id = 0; id < SHAPE_COUNT; id++)
        add_shape(out, &shape_table[id]);
    add_profiles(out);
}
