#include "io/pool.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "base/lock.h"
#include "base/mem.h"

#define THREADS_MOST 16

struct pool_threads {
    struct lock lock;
    pthread_cond_t work;
    struct list jobs;
    size_t waiting; /* in `jobs` */
    bool stopping;
    unsigned n;
    unsigned left; /* threads that free the pool when the last of them ends; 0: its owner does */
    pthread_t threads[THREADS_MOST];
    char name[16];
};

/* Returns the next job; NULL: the thread ends. */
static struct pool_job *next(struct pool_threads *p)
{
    struct link *l = NULL;
    lock_take(&p->lock);
    while (!p->stopping && (l = list_pop(&p->jobs)) == NULL)
        pthread_cond_wait(&p->work, &p->lock.m);
    p->waiting -= l != NULL;
    lock_give(&p->lock);
    return l ? CONTAINER_OF(l, struct pool_job, link) : NULL;
}

static void free_it(struct pool_threads *p)
{
    lock_fini(&p->lock);
    CHECK(pthread_cond_destroy(&p->work) == 0);
    mem_free(p);
}

static void *run(void *ctx)
{
    struct pool_threads *p = ctx;
    struct pool_job *j;
    (void)pthread_setname_np(pthread_self(), p->name);
    while ((j = next(p)) != NULL)
        j->run(j);
    lock_take(&p->lock);
    bool frees = p->left > 0 && --p->left == 0;
    lock_give(&p->lock);
    if (frees)
        free_it(p);
    return NULL;
}

struct pool_threads *pool_threads_start(const char *name, unsigned n)
{
    struct pool_threads *p = mem_alloc(sizeof(*p));
    CHECK(strlen(name) < sizeof(p->name) && n > 0 && n <= THREADS_MOST);
    strcpy(p->name, name);
    lock_init(&p->lock);
    list_init(&p->jobs);
    CHECK(pthread_cond_init(&p->work, NULL) == 0);
    while (p->n < n && pthread_create(&p->threads[p->n], NULL, run, p) == 0)
        p->n++;
    if (p->n > 0)
        return p;
    free_it(p);
    return NULL;
}

void pool_threads_add(struct pool_threads *p, struct pool_job *j)
{
    link_init(&j->link);
    lock_take(&p->lock);
    CHECK(!p->stopping);
    list_push_back(&p->jobs, &j->link);
    p->waiting++;
    CHECK(pthread_cond_signal(&p->work) == 0);
    lock_give(&p->lock);
}

bool pool_threads_take_back(struct pool_threads *p, struct pool_job *j)
{
    lock_take(&p->lock);
    bool waits = link_is_in(&j->link);
    link_remove(&j->link);
    p->waiting -= waits;
    lock_give(&p->lock);
    return waits;
}

size_t pool_threads_waiting(struct pool_threads *p)
{
    lock_take(&p->lock);
    size_t n = p->waiting;
    lock_give(&p->lock);
    return n;
}

void pool_threads_leave(struct pool_threads **at)
{
    struct pool_threads *p = *at;
    *at = NULL;
    if (!p)
        return;
    lock_take(&p->lock);
    CHECK(p->waiting == 0 && !p->stopping);
    for (unsigned i = 0; i < p->n; i++)
        CHECK(pthread_detach(p->threads[i]) == 0);
    p->left = p->n;
    p->stopping = true;
    CHECK(pthread_cond_broadcast(&p->work) == 0);
    lock_give(&p->lock);
}

void pool_threads_stop(struct pool_threads **at, void (*dropped)(struct pool_job *j))
{
    struct pool_threads *p = *at;
    if (!p)
        return;
    lock_take(&p->lock);
    p->stopping = true;
    CHECK(pthread_cond_broadcast(&p->work) == 0);
    lock_give(&p->lock);
    for (unsigned i = 0; i < p->n; i++)
        CHECK(pthread_join(p->threads[i], NULL) == 0);
    for (struct link *l; (l = list_pop(&p->jobs)) != NULL;)
        dropped(CONTAINER_OF(l, struct pool_job, link));
    free_it(p);
    *at = NULL;
}
