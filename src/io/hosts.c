#include "io/hosts.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "io/system.h"

#define FILE_MOST ((size_t)65536)
#define LOOK_US   5000

enum answer { ANSWER_NONE, ANSWER_GOOD, ANSWER_FAIL, ANSWER_SLOW };

static enum answer read_words(struct str words, uint16_t port, struct address *v, size_t *n)
{
    *n = 0;
    if (str_eq(words, STR("fail")))
        return ANSWER_FAIL;
    if (str_eq(words, STR("slow")))
        return ANSWER_SLOW;
    for (struct str word; words.p && *n < RESOLVE_MAX;) {
        word = str_cut(&words, ' ');
        if (address_parse_ip(word, port, &v[*n]))
            ++*n;
    }
    return *n ? ANSWER_GOOD : ANSWER_FAIL;
}

static enum answer look_up(struct str name, uint16_t port, struct address *v, size_t *n)
{
    const char *path = getenv("FRESHET_TEST_HOSTS");
    struct buf text = BUF_INIT;
    enum answer found = ANSWER_NONE;
    if (path && system_read_file(path, FILE_MOST, &text) == 0)
        for (struct str rest = buf_str(&text), line; found == ANSWER_NONE && rest.p;) {
            line = str_cut(&rest, '\n');
            if (str_eq(str_cut(&line, ' '), name))
                found = read_words(line, port, v, n);
        }
    buf_fini(&text);
    return found;
}

/* On a thread of the pool, as getaddrinfo. */
static void work(uv_work_t *req)
{
    struct resolve *r = CONTAINER_OF(req, struct resolve, hosts.work);
    struct str name = str_from(r->hosts.name);
    enum answer a;
    while ((a = look_up(name, r->port, r->hosts.v, &r->hosts.n)) == ANSWER_SLOW &&
           !atomic_load(&r->hosts.cancelled))
        usleep(LOOK_US);
    r->hosts.status = a == ANSWER_GOOD ? 0 : UV_EAI_NONAME;
}

static void after_work(uv_work_t *req, int status)
{
    struct resolve *r = CONTAINER_OF(req, struct resolve, hosts.work);
    loop_awake(r->loop);
    if (atomic_load(&r->hosts.cancelled))
        status = UV_ECANCELED;
    status = status ? status : r->hosts.status;
    r->done(r, status, r->hosts.v, status == 0 ? r->hosts.n : 0);
}

bool hosts_start(struct resolve *r, struct str name)
{
    struct address v[RESOLVE_MAX];
    size_t n;
    if (name.n >= sizeof(r->hosts.name) || look_up(name, r->port, v, &n) == ANSWER_NONE)
        return false;
    memcpy(r->hosts.name, name.p, name.n);
    r->hosts.name[name.n] = '\0';
    atomic_store(&r->hosts.cancelled, false);
    return uv_queue_work(&r->loop->uv, &r->hosts.work, work, after_work) == 0;
}

void hosts_cancel(struct resolve *r)
{
    atomic_store(&r->hosts.cancelled, true);
    uv_cancel((uv_req_t *)&r->hosts.work);
}
