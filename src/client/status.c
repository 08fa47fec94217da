#include "client/client.h"

#include "client/ask.h"
#include "client/certificate.h"
#include "client/report.h"

static void print_requests(const json_t *r)
{
    report_label("requests");
    printf("%lld, %lld open", (long long)member_number(r, "total"), (long long)member_number(r, "open"));
    if (json_is_real(json_object_get(r, "hit_ratio")))
        printf("; %.1f %% answered from the cache", 100 * json_real_value(json_object_get(r, "hit_ratio")));
    if (json_is_real(json_object_get(r, "memory_hit_ratio")) &&
        json_is_real(json_object_get(r, "disk_hit_ratio")))
        printf(" (memory %.1f %%; of the rest, disk %.1f %%)",
               100 * json_real_value(json_object_get(r, "memory_hit_ratio")),
               100 * json_real_value(json_object_get(r, "disk_hit_ratio")));
    putchar('\n');
    report_label("");
    report_count(member_number(r, "hits"), "hit, ", "hits, ");
    printf("%lld stale, ", (long long)member_number(r, "stale_hits"));
    report_count(member_number(r, "misses"), "miss, ", "misses, ");
    printf("%lld joined, %lld passed\n", (long long)member_number(r, "joins"),
           (long long)member_number(r, "passes"));
}

static void print_cache(const json_t *answer)
{
    const json_t *memory = json_object_get(answer, "memory"), *cache = json_object_get(answer, "cache");
    report_label("memory");
    report_bytes(member_number(memory, "used_bytes"));
    printf(" of ");
    report_bytes(member_number(memory, "budget_bytes"));
    putchar('\n');
    report_label("pages");
    printf("%lld stored, of ", (long long)member_number(cache, "objects"));
    report_count(member_number(cache, "resources"), "known URL", "known URLs");
    printf("; %lld evicted, %lld swept\n", (long long)member_number(cache, "evicted"),
           (long long)member_number(cache, "swept"));
    if (member_number(cache, "kept_assets")) {
        report_label("");
        report_count(member_number(cache, "kept_assets"), "asset", "assets");
        printf(" of earlier deploys, ");
        report_bytes(member_number(cache, "kept_assets_bytes"));
        putchar('\n');
    }
}

static void print_disk(const json_t *disk)
{
    if (!disk)
        return;
    report_label("disk");
    report_bytes(member_number(disk, "file_bytes"));
    printf(" of ");
    report_bytes(member_number(disk, "limit_bytes"));
    printf(", ");
    report_count(member_number(disk, "responses"), "response", "responses");
    if (!json_is_true(json_object_get(disk, "complete")))
        printf(" so far");
    printf("; %lld read back, %lld tries to write put off%s\n", (long long)member_number(disk, "read"),
           (long long)member_number(disk, "dropped"),
           json_is_true(json_object_get(disk, "failing")) ? "; the disk fails now" : "");
    report_label("");
    report_bytes(member_number(disk, "written_bytes_per_s"));
    printf(" a second written lately");
    if (json_is_integer(json_object_get(disk, "oldest_s")))
        printf("; the oldest of it is at most %lld h old",
               ((long long)member_number(disk, "oldest_s") + 3599) / 3600);
    putchar('\n');
}

static void print_purges(const json_t *purges)
{
    const json_t *latest = json_object_get(purges, "latest");
    report_label("purges");
    printf("sequence %lld", (long long)member_number(purges, "sequence"));
    printf(json_array_size(latest) ? "; the latest:\n" : "; none yet\n");
    for (size_t i = 0; i < json_array_size(latest); i++) {
        const json_t *p = json_array_get(latest, i);
        report_label("");
        report_safe(stdout, member_text(p, "time"));
        printf("  %lld  ", (long long)member_number(p, "sequence"));
        report_safe(stdout, member_text(p, "what"));
        putchar('\n');
    }
}

/* What is as it should be is not said. */
static void print_facts(const json_t *facts)
{
    if (!facts || json_is_true(json_object_get(facts, "durable")))
        return;
    report_label("state");
    printf("not on disk: what is purged and deployed now is forgotten when freshet ends: ");
    report_safe(stdout, member_text(facts, "why"));
    putchar('\n');
}

static void print_webhooks(const json_t *webhooks)
{
    const json_t *latest = json_object_get(webhooks, "latest");
    if (json_array_size(latest) == 0)
        return;
    report_label("webhooks");
    printf("%lld deliveries, %lld refused; the latest:\n", (long long)member_number(webhooks, "deliveries"),
           (long long)member_number(webhooks, "refused"));
    for (size_t i = 0; i < json_array_size(latest); i++) {
        const json_t *h = json_array_get(latest, i);
        report_label("");
        report_safe(stdout, member_text(h, "time"));
        printf("  %lld  ", (long long)member_number(h, "status"));
        report_safe(stdout, member_text(h, "path"));
        printf("  ");
        report_safe(stdout, member_text(h, "verdict"));
        if (member_number(h, "times") > 1)
            printf(" (%lld times)", (long long)member_number(h, "times"));
        putchar('\n');
    }
}

/* Nothing for a site without deploys. */
static void print_deploy(const json_t *site)
{
    const json_t *live = json_object_get(site, "deploy"), *before = json_object_get(site, "rollback_to");
    if (member_number(site, "deploys") == 0)
        return;
    report_label("");
    printf("  deploy ");
    report_safe(stdout, member_text(live, "id").n ? member_text(live, "id") : STR("of the start"));
    printf(" (release %lld) since ", (long long)member_number(live, "release"));
    report_safe(stdout, member_text(site, "deployed"));
    if (before) {
        printf("; --rollback goes back to ");
        report_safe(stdout,
                    member_text(before, "id").n ? member_text(before, "id") : STR("that of the start"));
    }
    putchar('\n');
}

static void print_sites(const json_t *sites)
{
    for (size_t i = 0; i < json_array_size(sites); i++) {
        const json_t *s = json_array_get(sites, i), *hosts = json_object_get(s, "hosts");
        report_label(i ? "" : "sites");
        report_safe(stdout, member_text(s, "name"));
        printf(" (profile ");
        report_safe(stdout, member_text(s, "profile"));
        printf("): ");
        for (size_t k = 0; k < json_array_size(hosts); k++) {
            printf("%s", k ? ", " : "");
            report_safe(stdout, str_from(json_string_value(json_array_get(hosts, k))));
        }
        printf("%s from ", json_array_size(hosts)       ? ""
                           : json_array_size(sites) > 1 ? "every other host"
                                                        : "every host");
        report_safe(stdout, member_text(s, "origin"));
        putchar('\n');
        print_deploy(s);
    }
}

static void print_origins(const json_t *origins)
{
    for (size_t i = 0; i < json_array_size(origins); i++) {
        const json_t *o = json_array_get(origins, i);
        report_label(i ? "" : "origins");
        report_safe(stdout, member_text(o, "address"));
        printf(": ");
        report_count(member_number(o, "in_use"), "connection in use", "connections in use");
        if (member_number(o, "http2_connections") > 0)
            printf(" (HTTP/2)");
        if (member_is(o, "drained"))
            printf(", drained: it gets nothing new");
        if (str_eq(member_text(o, "health"), STR("sick")))
            printf(", sick: asked by one page at a time");
        printf(", %lld waiting, ", (long long)member_number(o, "waiting"));
        report_count(member_number(o, "answered"), "answer, ", "answers, ");
        report_count(member_number(o, "failed"), "failure", "failures");
        putchar('\n');
        if (!member_number(o, "failed"))
            continue;
        report_label("");
        printf("  %lld failed in a row; the last at ", (long long)member_number(o, "failed_in_row"));
        report_safe(stdout, member_text(o, "last_failed"));
        printf(": ");
        report_safe(stdout, member_text(o, "last_reason_text"));
        report_last_error(o);
        putchar('\n');
    }
}

/* Only when there is something to be done about it. */
static void print_reload(const json_t *reload)
{
    if (!member_is(reload, "failed"))
        return;
    report_label("reload");
    printf("FAILED at ");
    report_safe(stdout, member_text(reload, "latest"));
    printf(", the old configuration is used: ");
    report_safe(stdout, member_text(reload, "error"));
    printf(" (mend it and send SIGHUP again)\n");
}

static void print_lost_lines(const json_t *counters)
{
    int64_t lost = member_number(counters, "access_log_lines_lost_total");
    if (lost == 0)
        return;
    report_label("access log");
    report_count(lost, "line is lost", "lines are lost");
    printf(", which could not be written; the log of errors says why\n");
}

static void print_status(const struct door *d, const json_t *answer)
{
    printf("freshet ");
    report_safe(stdout, member_text(answer, "version"));
    printf(", admin at %.*s, up ", STR_ARG(buf_str(&d->admin)));
    report_duration(member_number(answer, "uptime_s"));
    printf(", ");
    report_count(member_number(answer, "workers"), "worker", "workers");
    printf("%s\n", member_is(answer, "ready") ? "" : ", not ready: starting or stopping");
    print_sites(json_object_get(answer, "sites"));
    certificate_print("https", json_object_get(answer, "certificates"));
    print_reload(json_object_get(answer, "reload"));
    print_lost_lines(json_object_get(answer, "counters"));
    print_requests(json_object_get(answer, "requests"));
    print_cache(answer);
    print_disk(json_object_get(answer, "disk"));
    print_origins(json_object_get(answer, "origins"));
    print_purges(json_object_get(answer, "purges"));
    print_facts(json_object_get(answer, "facts"));
    print_webhooks(json_object_get(answer, "webhooks"));
}

int client_status(const struct cli *cli)
{
    struct door d;
    json_t *answer = NULL;
    struct buf text = BUF_INIT;
    int code = door_find(&d, "status", cli);
    if (code == CLIENT_DONE)
        code = ask_admin(&d, METHOD_GET, STR("/api/v1/status"), STR_NONE, &answer, &text);
    if (code == CLIENT_DONE && cli->json)
        fwrite(text.p, 1, text.n, stdout);
    else if (code == CLIENT_DONE)
        print_status(&d, answer);
    json_decref(answer);
    buf_fini(&text);
    door_fini(&d);
    return code;
}
