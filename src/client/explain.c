#include "client/client.h"

#include "client/ask.h"
#include "client/certificate.h"
#include "client/report.h"

/* Parts "name: value" with "; " between them, one a line. */
static void print_key(struct str key)
{
    const char *name = "key";
    while (key.n) {
        size_t n = 0;
        while (n < key.n && !str_starts(str_from_index(key, n), STR("; ")))
            n++;
        report_line(name, str_first(key, n));
        key = str_from_index(key, n + 2);
        name = "";
    }
}

static void print_stored(const json_t *stored, bool is_on_disk)
{
    report_label("stored");
    if (!json_is_object(stored)) {
        printf(is_on_disk ? "on disk\n" : "no\n");
        return;
    }
    printf("status %lld", (long long)member_number(stored, "status"));
    if (member_text(stored, "content_type").n) {
        printf(", ");
        report_safe(stdout, member_text(stored, "content_type"));
    }
    printf(", body ");
    report_bytes(member_number(stored, "body_bytes"));
    printf(", head ");
    report_bytes(member_number(stored, "head_bytes"));
    printf(", ");
    report_count(member_number(stored, "hits"), "hit", "hits");
    putchar('\n');
    report_line("received", member_text(stored, "received"));
    if (member_text(stored, "purged").n)
        report_line("purged", member_text(stored, "purged"));
}

static void print_window(const json_t *stored, const char *what, const char *name, const char *left)
{
    int64_t window = member_number(stored, name);
    if (window == 0)
        return;
    printf(", %s ", what);
    report_duration(window);
    if (member_number(stored, "ttl_s") < 0) {
        printf(" (");
        report_duration(member_number(stored, left));
        printf(" left)");
    }
}

static void print_age(const json_t *stored)
{
    int64_t left = member_number(stored, "ttl_s");
    struct str purged = member_text(stored, "purged");
    report_label("age");
    report_duration(member_number(stored, "age_s"));
    printf(" of ");
    report_duration(member_number(stored, "lifetime_s"));
    /* A soft purge has made it older. */
    if (purged.n && !str_eq(purged, STR("soft"))) {
        printf(str_eq(purged, STR("hard")) ? ", purged: not served again\n"
                                           : ", invalidated: not served before the origin confirms it\n");
        return;
    }
    printf(left >= 0 ? ", fresh for another " : ", stale for ");
    report_duration(left >= 0 ? left : -left);
    print_window(stored, "stale-while-revalidate", "stale_while_revalidate_s",
                 "stale_while_revalidate_left_s");
    print_window(stored, "stale-if-error", "stale_if_error_s", "stale_if_error_left_s");
    if (member_is(stored, "always_revalidate"))
        printf(", always revalidated");
    putchar('\n');
}

static void print_origin(const json_t *o)
{
    report_label("origin");
    report_safe(stdout, member_text(o, "address"));
    if (member_number(o, "failed_in_row")) {
        printf(" (failing: ");
        report_safe(stdout, member_text(o, "last_reason_text"));
        report_last_error(o);
        putchar(')');
    }
    putchar('\n');
}

/* When there are several: the one above is the next. */
static void print_origins(const json_t *origins)
{
    for (size_t i = 0; i < json_array_size(origins); i++) {
        const json_t *o = json_array_get(origins, i);
        report_label(i ? "" : "origins");
        report_safe(stdout, member_text(o, "url"));
        printf(": ");
        report_safe(stdout, member_text(o, "state"));
        printf("%s, %lld outstanding%s\n", member_is(o, "backup") ? ", backup" : "",
               (long long)member_number(o, "outstanding"),
               member_number(o, "http2_connections") > 0 ? " (HTTP/2)" : "");
    }
}

/* The response fields that made it what it is. */
static void print_rule(const json_t *resource)
{
    const json_t *from = json_object_get(resource, "rule_from");
    size_t n = json_array_size(from);
    report_label("rule");
    report_safe(stdout, member_text(resource, "rule"));
    printf(n                              ? " (from "
           : member_is(resource, "known") ? " (the default: no answer named anything else"
                                          : " (the default");
    for (size_t i = 0; i < n; i++) {
        const json_t *field = json_array_get(from, i);
        printf("%s", i == 0 ? "" : i + 1 < n ? ", " : " and ");
        report_safe(stdout, (struct str){ json_string_value(field), json_string_length(field) });
    }
    printf(")\n");
}

static void print_resource(const json_t *resource)
{
    print_rule(resource);
    report_label("variants");
    printf("%lld stored%s\n", (long long)member_number(resource, "variants"),
           member_is(resource, "fetch_running") ? "; a fetch runs" : "");
}

static void print_rules(const json_t *rules)
{
    for (size_t i = 0; i < json_array_size(rules); i++) {
        const json_t *rule = json_array_get(rules, i), *actions = json_object_get(rule, "actions");
        report_label(i ? "" : "rules");
        report_safe(stdout, member_text(rule, "rule"));
        for (size_t k = 0; k < json_array_size(actions); k++) {
            const json_t *action = json_array_get(actions, k);
            printf(k ? ", " : ": ");
            report_safe(stdout, (struct str){ json_string_value(action), json_string_length(action) });
        }
        printf(json_array_size(actions) ? "" : ": nothing, earlier rules count");
        printf(member_is(rule, "if_the_answer_matches") ? " (if the answer matches)\n" : "\n");
    }
}

static void print_explanation(const struct cli *cli, const json_t *answer)
{
    const json_t *request = json_object_get(answer, "request"), *stored = json_object_get(answer, "stored");
    report_safe(stdout, cli->url);
    putchar('\n');
    report_label("answer");
    report_safe(stdout, member_text(answer, "outcome"));
    printf(": ");
    report_safe(stdout, member_text(answer, "text"));
    putchar('\n');
    if (member_text(answer, "advice").n) {
        report_label("why");
        if (member_text(answer, "reason").n) {
            report_safe(stdout, member_text(answer, "reason"));
            if (member_text(answer, "detail").n) {
                printf(" (");
                report_safe(stdout, member_text(answer, "detail"));
                putchar(')');
            }
            printf(": ");
        }
        report_safe(stdout, member_text(answer, "advice"));
        putchar('\n');
    }
    if (member_text(answer, "bypass_cookie").n)
        report_line("cookie", member_text(answer, "bypass_cookie"));
    report_label("site");
    report_safe(stdout, member_text(request, "site"));
    printf(" (profile ");
    report_safe(stdout, member_text(request, "profile"));
    printf(")\n");
    if (member_text(request, "deploy").n)
        report_line("deploy", member_text(request, "deploy"));
    certificate_print("https", json_object_get(answer, "certificates"));
    print_origin(json_object_get(answer, "origin"));
    print_origins(json_object_get(answer, "origins"));
    print_rules(json_object_get(answer, "rules"));
    print_key(member_text(answer, "key"));
    print_resource(json_object_get(answer, "resource"));
    print_stored(stored, str_eq(member_text(answer, "outcome"), STR("disk")));
    if (!json_is_object(stored))
        return;
    print_age(stored);
    if (member_text(stored, "ruled_by").n)
        report_line("ruled by", member_text(stored, "ruled_by"));
    if (member_text(stored, "overrules").n)
        report_line("overrules", member_text(stored, "overrules"));
    if (member_text(stored, "targeted_invalid").n)
        report_line("ignored", member_text(stored, "targeted_invalid"));
    if (member_text(stored, "no_vary_search_invalid").n) {
        report_label("ignored");
        printf("No-Vary-Search: ");
        report_safe(stdout, member_text(stored, "no_vary_search_invalid"));
        printf(" (invalid, so every parameter counts)\n");
    }
    report_list("tags", json_object_get(stored, "tags"));
    report_list("groups", json_object_get(stored, "groups"));
}

int client_explain(const struct cli *cli)
{
    struct door d;
    json_t *answer = NULL;
    struct buf target = BUF_INIT;
    buf_add(&target, STR("/api/v1/explain?url="));
    ask_add_encoded(&target, cli->url);
    for (size_t i = 0; i < cli->headers.n; i++) {
        buf_add(&target, STR("&header="));
        ask_add_encoded(&target, cli->headers.v[i]);
    }
    int code = door_find(&d, "explain", cli);
    if (code == CLIENT_DONE)
        code = ask_admin(&d, METHOD_GET, buf_str(&target), STR_NONE, &answer, NULL);
    if (code == CLIENT_DONE)
        print_explanation(cli, answer);
    json_decref(answer);
    buf_fini(&target);
    door_fini(&d);
    return code;
}
