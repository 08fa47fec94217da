#include "deploy/sitemap.h"

#include "base/check.h"
#include "deploy/reference.h"

enum state {
    START, /* before the first byte that is no white space */
    LINES, /* plain text */
    TEXT,  /* between tags */
    OPEN,  /* behind "<" */
    MARK,  /* behind "<!" */
    COMMENT,
    CDATA,
    INSTRUCTION, /* <? ?> */
    DOCTYPE,
    NAME,       /* of a tag */
    ATTRIBUTES, /* of a tag */
    DONE,       /* nothing more is read */
};

static bool is_space(unsigned char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* ---- URLs ---- */

static void begin_url(struct sitemap *s)
{
    s->url_n = s->reference = 0;
    s->is_bad = false;
}

static void append(struct sitemap *s, unsigned char c)
{
    if (s->url_n == 0 && is_space(c))
        return;
    if (s->url_n < sizeof(s->url))
        s->url[s->url_n++] = (char)c;
    else if (!is_space(c))
        s->is_bad = true;
}

static bool is_url(struct str s)
{
    if (!str_starts_nocase(s, STR("http://")) && !str_starts_nocase(s, STR("https://")))
        return false;
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f)
            return false;
    return true;
}

/* Gives what was read, when it is a URL. */
static void give(struct sitemap *s)
{
    struct str url = { s->url, s->url_n };
    while (url.n && is_space((unsigned char)url.p[url.n - 1]))
        url.n--;
    if (!s->is_bad && is_url(url)) {
        if (s->found_n == SITEMAP_MOST) {
            s->is_full = true;
            s->state = DONE;
        } else {
            s->found_n++;
            s->found(s->ctx, s->is_index ? SITEMAP_FILE : SITEMAP_PAGE, url);
        }
    }
    begin_url(s);
}

/* A byte of text within <loc>. A '&' that begins no reference stands for itself: many sitemaps have it so. */
static void append_text(struct sitemap *s, unsigned char c)
{
    if (c == ';' && s->reference) {
        size_t at = s->reference;
        unsigned code = reference_code((struct str){ s->url + at, s->url_n - at });
        s->reference = 0;
        if (code) {
            char utf8[4];
            size_t n = reference_utf8(code, utf8);
            s->url_n = at - 1;
            for (size_t i = 0; i < n; i++)
                append(s, (unsigned char)utf8[i]);
            return;
        }
    }
    append(s, c);
    if (c == '&')
        s->reference = s->url_n;
}

/* ---- tags ---- */

static void root(struct sitemap *s, struct str name)
{
    s->is_index = str_eq(name, STR("sitemapindex"));
    s->has_root = s->is_index || str_eq(name, STR("urlset"));
    s->is_closed = s->is_empty_tag;
    if (!s->has_root || s->is_closed)
        s->state = DONE;
}

static void start_tag(struct sitemap *s, struct str name)
{
    s->is_bad |= s->in == SITEMAP_IN_LOC; /* a URL has no markup */
    if (!s->has_root) {
        root(s, name);
    } else if (s->is_empty_tag) {
        return;
    } else if (str_eq(name, s->is_index ? STR("sitemap") : STR("url"))) {
        s->in = SITEMAP_IN_URL;
    } else if (str_eq(name, STR("loc")) && s->in == SITEMAP_IN_URL) {
        s->in = SITEMAP_IN_LOC;
        begin_url(s);
    }
}

static void end_tag(struct sitemap *s, struct str name)
{
    if (str_eq(name, STR("loc")) && s->in == SITEMAP_IN_LOC) {
        s->in = SITEMAP_IN_URL;
        give(s);
    } else if (str_eq(name, s->is_index ? STR("sitemap") : STR("url"))) {
        s->in = SITEMAP_IN_NONE;
    } else if (s->has_root && str_eq(name, s->is_index ? STR("sitemapindex") : STR("urlset"))) {
        s->is_closed = true;
        s->state = DONE;
    }
}

static void end_of_tag(struct sitemap *s)
{
    struct str name = { s->name, s->name_n };
    s->state = TEXT;
    if (s->is_end_tag)
        end_tag(s, name);
    else
        start_tag(s, name);
}

static void add_to_name(struct sitemap *s, unsigned char c)
{
    if (s->name_n < sizeof(s->name)) /* no name that we know is that long */
        s->name[s->name_n++] = (char)c;
}

/* ---- the states ---- */

/* Counts the bytes of a mark's end that have come one behind the other: `twice` two times, then '>'. */
static bool ends_mark(struct sitemap *s, unsigned char c, char twice)
{
    if (c == (unsigned char)twice) {
        s->matched += s->matched < 2;
        return false;
    }
    bool ends = c == '>' && s->matched == 2;
    s->matched = 0;
    return ends;
}

static void take_cdata(struct sitemap *s, unsigned char c)
{
    size_t before = s->matched;
    if (ends_mark(s, c, ']')) {
        s->state = TEXT;
        return;
    }
    if (s->in != SITEMAP_IN_LOC)
        return;
    /* Brackets that did not end it are text. */
    for (size_t n = before + (c == ']') - s->matched; n > 0; n--)
        append(s, ']');
    if (c != ']')
        append(s, c);
}

/* Tells "<!--", "<![CDATA[" and "<!DOCTYPE" from each other. */
static void take_mark(struct sitemap *s, unsigned char c)
{
    static const struct {
        struct str text;
        enum state state;
    } marks[] = { { STR_INIT("--"), COMMENT }, { STR_INIT("[CDATA["), CDATA } };
    add_to_name(s, c);
    struct str name = { s->name, s->name_n };
    s->matched = 0;
    for (size_t i = 0; i < COUNT_OF(marks); i++) {
        if (str_eq(name, marks[i].text))
            s->state = marks[i].state;
        if (str_starts(marks[i].text, name))
            return;
    }
    s->quote = 0;
    s->depth = 0;
    s->state = c == '>' ? TEXT : DOCTYPE;
}

static void take_doctype(struct sitemap *s, unsigned char c)
{
    if (s->quote) {
        s->quote = c == s->quote ? 0 : s->quote;
    } else if (c == '"' || c == '\'') {
        s->quote = c;
    } else if (c == '[') {
        s->depth += s->depth < 1000;
    } else if (c == ']') {
        s->depth -= s->depth > 0;
    } else if (c == '>' && s->depth == 0) {
        s->state = TEXT;
    }
}

static void take_attributes(struct sitemap *s, unsigned char c)
{
    if (s->quote) {
        s->quote = c == s->quote ? 0 : s->quote;
    } else if (c == '>') {
        end_of_tag(s);
    } else {
        s->quote = c == '"' || c == '\'' ? c : 0;
        s->is_empty_tag = c == '/';
    }
}

static void take_name(struct sitemap *s, unsigned char c)
{
    if (!is_space(c) && c != '/' && c != '>') {
        add_to_name(s, c);
        return;
    }
    s->state = ATTRIBUTES;
    take_attributes(s, c);
}

/* The byte behind "<". */
static void take_open(struct sitemap *s, unsigned char c)
{
    s->name_n = s->matched = 0;
    s->quote = 0;
    s->is_end_tag = c == '/';
    s->is_empty_tag = false;
    s->state = c == '!' ? MARK : c == '?' ? INSTRUCTION : NAME;
    if (s->state == NAME && !s->is_end_tag)
        take_name(s, c);
}

static void take_start(struct sitemap *s, unsigned char c)
{
    if (is_space(c) || c == 0xef || c == 0xbb || c == 0xbf) /* UTF-8's mark of order */
        return;
    s->state = c == '<' ? OPEN : LINES;
    if (s->state == LINES)
        append(s, c);
}

static void take(struct sitemap *s, unsigned char c)
{
    switch ((enum state)s->state) {
    case START: take_start(s, c); break;
    case LINES:
        if (c == '\n' || c == '\r')
            give(s);
        else
            append(s, c);
        break;
    case TEXT:
        if (c == '<')
            s->state = OPEN;
        else if (s->in == SITEMAP_IN_LOC)
            append_text(s, c);
        break;
    case OPEN: take_open(s, c); break;
    case MARK: take_mark(s, c); break;
    case COMMENT: s->state = ends_mark(s, c, '-') ? TEXT : COMMENT; break;
    case CDATA: take_cdata(s, c); break;
    case INSTRUCTION:
        s->state = c == '>' && s->matched ? TEXT : INSTRUCTION;
        s->matched = c == '?';
        break;
    case DOCTYPE: take_doctype(s, c); break;
    case NAME: take_name(s, c); break;
    case ATTRIBUTES: take_attributes(s, c); break;
    case DONE: break;
    }
}

void sitemap_init(struct sitemap *s, sitemap_found_fn *found, void *ctx)
{
    *s = (struct sitemap){ .found = found, .ctx = ctx, .state = START };
}

void sitemap_feed(struct sitemap *s, struct str piece)
{
    for (size_t i = 0; i < piece.n && s->state != DONE; i++)
        take(s, (unsigned char)piece.p[i]);
}

enum sitemap_result sitemap_end(struct sitemap *s)
{
    if (s->state == LINES)
        give(s);
    if (s->is_full)
        return SITEMAP_FULL;
    if (s->is_closed)
        return SITEMAP_WHOLE;
    if (s->has_root)
        return SITEMAP_CUT;
    return s->found_n ? SITEMAP_WHOLE : SITEMAP_OTHER;
}
