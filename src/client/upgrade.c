#include "client/client.h"

#include <inttypes.h>

#include "client/ask.h"
#include "client/report.h"
#include "io/background.h"

#define VERB    "upgrade"
#define UPGRADE "/api/v1/upgrade"

#define NAP_US    50000
#define WAIT_LAST 2400 /* naps; freshet itself gives up before */

static int ask(struct door *d, enum method method, json_t **answer)
{
    return ask_admin(d, method, STR(UPGRADE), STR_NONE, answer, NULL);
}

/* Until another process answers, or the old one says why it still does. */
static int wait(struct door *d, const json_t *begun)
{
    int64_t old = member_number(begun, "pid"), number = member_number(begun, "upgrade");
    for (int i = 0; i < WAIT_LAST; i++) {
        json_t *now = NULL;
        int code = ask(d, METHOD_GET, &now);
        if (code != CLIENT_DONE)
            return code;
        int64_t pid = member_number(now, "pid");
        bool waits = pid == old && (member_is(now, "running") || member_number(now, "upgrade") < number ||
                                    member_text(now, "error").n == 0);
        if (pid == old && !waits) {
            fprintf(stderr, "freshet " VERB ": the old freshet goes on: ");
            report_safe(stderr, member_text(now, "error"));
            fputc('\n', stderr);
            code = CLIENT_FAILED;
        }
        if (pid != old)
            printf("process %" PRId64 " serves in the place of %" PRId64
                   ", which ends when what it has begun is over\n",
                   pid, old);
        json_decref(now);
        if (!waits)
            return code;
        background_nap(NAP_US);
    }
    return report_failure(VERB, CLIENT_FAILED,
                          "nothing has come of it in two minutes; freshet's log says more");
}

int client_upgrade(const struct cli *cli)
{
    struct door d;
    json_t *begun = NULL;
    int code = door_find(&d, VERB, cli);
    if (code == CLIENT_DONE)
        code = ask(&d, METHOD_POST, &begun);
    if (code == CLIENT_DONE)
        code = wait(&d, begun);
    json_decref(begun);
    door_fini(&d);
    return code;
}
