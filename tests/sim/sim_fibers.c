/*
 * Fibers and events. Each fiber has a stack of its own; the scheduler runs on the thread's. Of those that can
 * go on, chance takes one. A turn costs a few microseconds of simulated time.
 */
#include "sim.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/check.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

#define STACK_BYTES ((size_t)256 << 10)
#define GUARD_BYTES ((size_t)4096)

struct fiber {
    struct link link; /* of all */
    const char *name;
    void *(*run)(void *);
    void *arg;
    void *sp;
    char *stack;
    void *fake; /* of the address sanitizer */
    bool of_process, woken, ended, timed_out;
    size_t place; /* among those that can run, from 1; 0: it waits */
    const void *waits_on;
    int error; /* its errno */
    struct sim_event alarm;
};

static struct list all = { { &all.head, &all.head } };
static struct fiber **ready;
static size_t ready_n, ready_cap;
static struct fiber *self;
static void *scheduler_sp;
static int64_t now = 1000000;

/* ---- events: a heap ---- */

static struct sim_event **heap;
static size_t heap_n, heap_cap;
static uint64_t orders;

int64_t sim_now(void)
{
    return now;
}

void sim_pass(int64_t us)
{
    now += us;
}

static bool is_before(const struct sim_event *a, const struct sim_event *b)
{
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void put(size_t i, struct sim_event *e)
{
    heap[i - 1] = e;
    e->place = i;
}

static void sift(struct sim_event *e)
{
    size_t i = e->place;
    while (i > 1 && is_before(e, heap[i / 2 - 1])) {
        put(i, heap[i / 2 - 1]);
        i /= 2;
    }
    for (size_t child; (child = 2 * i) <= heap_n; i = child) {
        if (child < heap_n && is_before(heap[child], heap[child - 1]))
            child++;
        if (!is_before(heap[child - 1], e))
            break;
        put(i, heap[child - 1]);
    }
    put(i, e);
}

void sim_event_stop(struct sim_event *e)
{
    if (!e->place)
        return;
    struct sim_event *last = heap[--heap_n];
    if (last != e) {
        put(e->place, last);
        sift(last);
    }
    e->place = 0;
}

void sim_event_at(struct sim_event *e, int64_t at, void (*happens)(struct sim_event *))
{
    sim_event_stop(e);
    if (heap_n == heap_cap) {
        heap_cap = heap_cap ? heap_cap * 2 : 256;
        heap = realloc(heap, heap_cap * sizeof(*heap));
    }
    e->at = at > now ? at : now;
    e->order = orders++;
    e->happens = happens;
    heap_n++;
    put(heap_n, e);
    sift(e);
}

/* ---- switching ---- */

#if defined(__x86_64__)
void sim_switch(void **from, void *to);
__asm__(".text\n"
        ".globl sim_switch\n"
        ".type sim_switch,@function\n"
        "sim_switch:\n"
        "  pushq %rbp\n  pushq %rbx\n  pushq %r12\n  pushq %r13\n  pushq %r14\n  pushq %r15\n"
        "  movq %rsp, (%rdi)\n"
        "  movq %rsi, %rsp\n"
        "  popq %r15\n  popq %r14\n  popq %r13\n  popq %r12\n  popq %rbx\n  popq %rbp\n"
        "  ret\n"
        ".size sim_switch,.-sim_switch\n"
        ".section .note.GNU-stack,\"\",@progbits\n"
        ".text\n");
#elif defined(__aarch64__)
void sim_switch(void **from, void *to);
__asm__(".text\n"
        ".globl sim_switch\n"
        ".type sim_switch,%function\n"
        "sim_switch:\n"
        "  stp x29, x30, [sp, #-160]!\n"
        "  stp x19, x20, [sp, #16]\n  stp x21, x22, [sp, #32]\n  stp x23, x24, [sp, #48]\n"
        "  stp x25, x26, [sp, #64]\n  stp x27, x28, [sp, #80]\n  stp d8, d9, [sp, #96]\n"
        "  stp d10, d11, [sp, #112]\n  stp d12, d13, [sp, #128]\n  stp d14, d15, [sp, #144]\n"
        "  mov x9, sp\n  str x9, [x0]\n  mov sp, x1\n"
        "  ldp x19, x20, [sp, #16]\n  ldp x21, x22, [sp, #32]\n  ldp x23, x24, [sp, #48]\n"
        "  ldp x25, x26, [sp, #64]\n  ldp x27, x28, [sp, #80]\n  ldp d8, d9, [sp, #96]\n"
        "  ldp d10, d11, [sp, #112]\n  ldp d12, d13, [sp, #128]\n  ldp d14, d15, [sp, #144]\n"
        "  ldp x29, x30, [sp], #160\n"
        "  ret\n"
        ".size sim_switch,.-sim_switch\n");
#else
#error "tests/sim/sim_fibers.c: how does this processor switch stacks?"
#endif

#if defined(__SANITIZE_ADDRESS__)
static void *scheduler_fake;
static const void *scheduler_bottom;
static size_t scheduler_size;
#endif

static void to_fiber(struct fiber *f)
{
    self = f;
    errno = f->error;
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_start_switch_fiber(&scheduler_fake, f->stack + GUARD_BYTES, STACK_BYTES);
#endif
    sim_switch(&scheduler_sp, f->sp);
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(scheduler_fake, NULL, NULL);
#endif
    f->error = errno;
    self = NULL;
}

static void to_scheduler(struct fiber *f)
{
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_start_switch_fiber(f->ended ? NULL : &f->fake, scheduler_bottom, scheduler_size);
#endif
    sim_switch(&f->sp, scheduler_sp);
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(f->fake, &scheduler_bottom, &scheduler_size);
#endif
}

__attribute__((used)) static void enter(void)
{
    struct fiber *f = self;
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(NULL, &scheduler_bottom, &scheduler_size);
#endif
    f->run(f->arg);
    f->ended = true;
    to_scheduler(f);
    __builtin_unreachable();
}

/* ---- stacks, used again ---- */

static char *spare[256];
static size_t spare_n;

static char *take_stack(void)
{
    if (spare_n)
        return spare[--spare_n];
    char *p = mmap(NULL, STACK_BYTES + GUARD_BYTES, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(p != MAP_FAILED && mprotect(p, GUARD_BYTES, PROT_NONE) == 0);
    return p;
}

static void give_stack(char *p)
{
#if defined(__SANITIZE_ADDRESS__)
    __asan_unpoison_memory_region(p + GUARD_BYTES, STACK_BYTES);
#endif
    if (spare_n < sizeof(spare) / sizeof(spare[0]))
        spare[spare_n++] = p;
    else
        munmap(p, STACK_BYTES + GUARD_BYTES);
}

/* ---- who can run ---- */

static void make_ready(struct fiber *f)
{
    if (f->place)
        return;
    if (ready_n == ready_cap) {
        ready_cap = ready_cap ? ready_cap * 2 : 64;
        ready = realloc(ready, ready_cap * sizeof(struct fiber *));
    }
    ready[ready_n++] = f;
    f->place = ready_n;
}

static void make_waiting(struct fiber *f)
{
    if (!f->place)
        return;
    struct fiber *last = ready[--ready_n];
    ready[f->place - 1] = last;
    last->place = f->place;
    f->place = 0;
}

struct fiber *fiber_start(const char *name, void *(*run)(void *), void *arg, bool of_process)
{
    struct fiber *f = calloc(1, sizeof(*f));
    *f = (struct fiber){ .name = name, .run = run, .arg = arg, .of_process = of_process };
    f->stack = take_stack();
    void **top = (void **)(void *)(f->stack + GUARD_BYTES + STACK_BYTES);
#if defined(__x86_64__)
    top -= 1; /* the entry begins as after a call */
    *top = NULL;
    *--top = (void *)(uintptr_t)enter;
    for (int i = 0; i < 6; i++)
        *--top = NULL;
#else
    top -= 20;
    memset(top, 0, 160);
    top[1] = (void *)(uintptr_t)enter;
#endif
    f->sp = top;
    list_push_back(&all, &f->link);
    make_ready(f);
    return f;
}

struct fiber *fiber_self(void)
{
    return self;
}

static void free_it(struct fiber *f)
{
    make_waiting(f);
    sim_event_stop(&f->alarm);
    link_remove(&f->link);
    give_stack(f->stack);
    free(f);
}

static void on_alarm(struct sim_event *e)
{
    struct fiber *f = CONTAINER_OF(e, struct fiber, alarm);
    f->timed_out = true;
    make_ready(f);
}

bool fiber_park(int64_t until)
{
    struct fiber *f = self;
    CHECK(f);
    if (!f->woken) {
        f->timed_out = false;
        if (until != INT64_MAX)
            sim_event_at(&f->alarm, until, on_alarm);
        make_waiting(f);
        to_scheduler(f);
        sim_event_stop(&f->alarm);
    }
    bool woken = f->woken;
    f->woken = false;
    return woken;
}

void fiber_wake(struct fiber *f)
{
    f->woken = true;
    make_ready(f);
}

void fiber_nap(int64_t us)
{
    for (int64_t until = now + us; now < until;)
        fiber_park(until);
}

static unsigned turns_once_in = 24, naps_once_in = 200;

void sim_give_turns(unsigned turns, unsigned naps)
{
    turns_once_in = turns;
    naps_once_in = naps;
}

void fiber_maybe_yield(void)
{
    if (!self || !sim_once_in(turns_once_in))
        return;
    /* Now and then for as long as a busy machine keeps a thread waiting. */
    if (sim_once_in(naps_once_in))
        fiber_nap(sim_between(100, 30000));
    else
        to_scheduler(self);
}

void fiber_waits_on(const void *what)
{
    self->waits_on = what;
}

size_t fibers_wake(const void *what, bool all_of_them)
{
    struct fiber *found[64];
    size_t n = 0;
    LIST_EACH(l, &all) {
        struct fiber *f = CONTAINER_OF(l, struct fiber, link);
        if (f->waits_on == what && n < 64)
            found[n++] = f;
    }
    if (n == 0)
        return 0;
    if (!all_of_them) {
        found[0] = found[sim_below(n)];
        n = 1;
    }
    for (size_t i = 0; i < n; i++) {
        found[i]->waits_on = NULL;
        fiber_wake(found[i]);
    }
    return n;
}

void fibers_kill(void)
{
    CHECK(!self || !self->of_process);
    LIST_EACH_SAFE(l, &all) {
        struct fiber *f = CONTAINER_OF(l, struct fiber, link);
        if (f->of_process)
            free_it(f);
    }
}

bool fibers_of_process(void)
{
    LIST_EACH(l, &all)
        if (CONTAINER_OF(l, struct fiber, link)->of_process)
            return true;
    return false;
}

bool sim_step(void)
{
    if (heap_n && (heap[0]->at <= now || ready_n == 0)) {
        struct sim_event *e = heap[0];
        now = e->at > now ? e->at : now;
        sim_event_stop(e);
        e->happens(e);
        return true;
    }
    if (ready_n == 0)
        return false;
    struct fiber *f = ready[sim_below(ready_n)];
    now += 1 + (int64_t)sim_below(3);
    to_fiber(f);
    if (f->ended)
        free_it(f);
    return true;
}
