#include "conf/nearest.h"

#include <string.h>

#define NAME_MAX_BYTES 64

struct nearest nearest_to(struct str wanted)
{
    /* A third of the letters may be wrong, at most three: beyond that a suggestion is noise. */
    unsigned most = wanted.n < 3 ? 1 : wanted.n < 9 ? 2 : 3;
    return (struct nearest){ .wanted = wanted, .name = STR_NONE, .edits = most + 1 };
}

static char same_letter(char c)
{
    return c == '-' ? '_' : ascii_lower(c);
}

static unsigned least_of(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

unsigned edit_distance(struct str a, struct str b, unsigned most)
{
    if (a.n > NAME_MAX_BYTES || b.n > NAME_MAX_BYTES)
        return most + 1;
    /* Three rows of the table of optimal string alignment; a swap looks back two. */
    unsigned rows[3][NAME_MAX_BYTES + 1];
    unsigned *before = rows[0], *last = rows[1], *now = rows[2];
    for (size_t j = 0; j <= b.n; j++)
        last[j] = (unsigned)j;
    for (size_t i = 1; i <= a.n; i++) {
        char c = same_letter(a.p[i - 1]);
        now[0] = (unsigned)i;
        for (size_t j = 1; j <= b.n; j++) {
            char d = same_letter(b.p[j - 1]);
            now[j] = least_of(least_of(last[j], now[j - 1]) + 1, last[j - 1] + (c != d));
            if (i > 1 && j > 1 && c == same_letter(b.p[j - 2]) && d == same_letter(a.p[i - 2]))
                now[j] = least_of(now[j], before[j - 2] + 1);
        }
        unsigned *free_row = before;
        before = last;
        last = now;
        now = free_row;
    }
    return least_of(last[b.n], most + 1);
}

void nearest_offer(struct nearest *n, struct str name)
{
    if (n->edits == 0)
        return;
    unsigned edits = edit_distance(n->wanted, name, n->edits - 1);
    /* A name of which nothing is left is not the one that was meant. */
    if (edits < n->edits && edits < name.n) {
        n->edits = edits;
        n->name = name;
    }
}
