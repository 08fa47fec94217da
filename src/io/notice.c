#include "io/notice.h"

#include "base/check.h"

static void open_letter(struct letter *l)
{
    struct loop_notice *n = CONTAINER_OF(l, struct loop_notice, letter);
    notice_received(&n->notice);
    n->run(n);
}

static void post(struct notice *notice, const void *sender)
{
    struct loop_notice *n = CONTAINER_OF(notice, struct loop_notice, notice);
    if (sender == n->loop)
        loop_defer(n->loop, &n->letter);
    else
        loop_post(n->loop, &n->letter);
}

void loop_notice_init(struct loop_notice *n, struct loop *loop, void (*run)(struct loop_notice *))
{
    *n = (struct loop_notice){ .notice.post = post, .letter.open = open_letter, .loop = loop, .run = run };
}
