/*
 * What the columns least and most of tbl/settings.h and of the tables of fields mean, by type. For
 * conf/setting and conf/shape, which make their tables with it.
 */
#ifndef CONF_COLUMNS_H
#define CONF_COLUMNS_H

/* What the columns least and most hold depends on the type. */
#define LEAST_BOOL(v)   0
#define LEAST_COUNT(v)  (v)
#define LEAST_BYTES(v)  (v)
#define LEAST_TIME(v)   (v)
#define LEAST_TEXT(v)   0
#define LEAST_LIST(v)   0
#define LEAST_CHOICE(v) 0
#define LEAST_MAPS(v)   0

#define MOST_BOOL(v)   0
#define MOST_COUNT(v)  (v)
#define MOST_BYTES(v)  (v)
#define MOST_TIME(v)   (v)
#define MOST_TEXT(v)   0
#define MOST_LIST(v)   0
#define MOST_CHOICE(v) 0
#define MOST_MAPS(v)   (v)

#define WORDS_BOOL(v)                                                                                        \
    {                                                                                                        \
        NULL, 0                                                                                              \
    }
#define WORDS_COUNT(v)                                                                                       \
    {                                                                                                        \
        NULL, 0                                                                                              \
    }
#define WORDS_BYTES(v)                                                                                       \
    {                                                                                                        \
        NULL, 0                                                                                              \
    }
#define WORDS_TIME(v)                                                                                        \
    {                                                                                                        \
        NULL, 0                                                                                              \
    }
#define WORDS_TEXT(v)                                                                                        \
    {                                                                                                        \
        NULL, 0                                                                                              \
    }
#define WORDS_LIST(v)                                                                                        \
    {                                                                                                        \
        NULL, 0                                                                                              \
    }
#define WORDS_MAPS(v)                                                                                        \
    {                                                                                                        \
        NULL, 0                                                                                              \
    }
#define WORDS_CHOICE(v) STR_INIT(v)

#define FORM_OF_BOOL(v)   FORM_ANY
#define FORM_OF_COUNT(v)  FORM_ANY
#define FORM_OF_BYTES(v)  FORM_ANY
#define FORM_OF_TIME(v)   FORM_ANY
#define FORM_OF_TEXT(v)   FORM_##v
#define FORM_OF_LIST(v)   FORM_##v
#define FORM_OF_CHOICE(v) FORM_ANY
#define FORM_OF_MAPS(v)   FORM_ANY

#define NEEDED_BOOL(v)   false
#define NEEDED_COUNT(v)  false
#define NEEDED_BYTES(v)  false
#define NEEDED_TIME(v)   false
#define NEEDED_TEXT(v)   (v)
#define NEEDED_LIST(v)   (v)
#define NEEDED_CHOICE(v) false
#define NEEDED_MAPS(v)   false

#define SHAPE_OF_BOOL(v)   SHAPE_COUNT
#define SHAPE_OF_COUNT(v)  SHAPE_COUNT
#define SHAPE_OF_BYTES(v)  SHAPE_COUNT
#define SHAPE_OF_TIME(v)   SHAPE_COUNT
#define SHAPE_OF_TEXT(v)   SHAPE_COUNT
#define SHAPE_OF_LIST(v)   SHAPE_COUNT
#define SHAPE_OF_CHOICE(v) SHAPE_COUNT
#define SHAPE_OF_MAPS(v)   SHAPE_##v

#endif
