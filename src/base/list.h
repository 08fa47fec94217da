/*
 * Intrusive doubly linked lists. The link is embedded in the element; the list owns nothing. A link that is
 * in no list points to itself, so that removing it twice does no harm. A link and a list hold their own
 * addresses: neither may be copied or moved. No function locks; the owner of a list sees to that.
 */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct link {
    struct link *prev, *next;
};

/* A list is a link that belongs to no element. */
struct list {
    struct link head;
};

/* Makes a link that is in no list. Call it before any other use. */
static inline void link_init(struct link *l)
{
    l->prev = l->next = l;
}
/* Is the link in a list? */
static inline bool link_is_in(const struct link *l)
{
    return l->next != l;
}
/* Makes an empty list. Call it before any other use. */
static inline void list_init(struct list *l)
{
    link_init(&l->head);
}
/* Is no link in the list? */
static inline bool list_is_empty(const struct list *l)
{
    return !link_is_in(&l->head);
}
/* Puts a link that is in no list in front of `at`. */
static inline void link_put_before(struct link *at, struct link *l)
{
    l->prev = at->prev;
    l->next = at;
    at->prev->next = l;
    at->prev = l;
}
/* Put a link that is in no list at the end, or at the front. */
static inline void list_push_back(struct list *list, struct link *l)
{
    link_put_before(&list->head, l);
}
static inline void list_push_front(struct list *list, struct link *l)
{
    link_put_before(list->head.next, l);
}
/* Takes the link out of its list. Does nothing when it is in none. */
static inline void link_remove(struct link *l)
{
    l->prev->next = l->next;
    l->next->prev = l->prev;
    link_init(l);
}
/* Returns the first link, or NULL. */
static inline struct link *list_first(const struct list *list)
{
    return list_is_empty(list) ? NULL : list->head.next;
}
/* Returns the last link, or NULL. */
static inline struct link *list_back(const struct list *list)
{
    return list_is_empty(list) ? NULL : list->head.prev;
}
/* Removes the first link and returns it, or returns NULL. */
static inline struct link *list_pop(struct list *list)
{
    struct link *l = list_first(list);
    if (l)
        link_remove(l);
    return l;
}
/* Moves all links of `from` to the end of `to`, at a cost that does not depend on their number. */
static inline void list_move_all(struct list *to, struct list *from)
{
    struct link *first = from->head.next, *last = from->head.prev;
    if (list_is_empty(from))
        return;
    list_init(from);
    first->prev = to->head.prev;
    to->head.prev->next = first;
    last->next = &to->head;
    to->head.prev = last;
}

#define LIST_EACH(it, list) for (struct link *it = (list)->head.next; it != &(list)->head; it = it->next)
/* The loop may remove the element that it stands on, but no other. */
#define LIST_EACH_SAFE(it, list)                                                                             \
    for (struct link *it = (list)->head.next, *it##_next = it->next; it != &(list)->head;                    \
         it = it##_next, it##_next = it->next)

#endif
