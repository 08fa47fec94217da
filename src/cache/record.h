/*
 * A stored response as a record on disk, and back (store/segment_format.h). Knows what an object consists of,
 * and nothing of files. What it reads comes from a record whose sums hold, but it may be of another build:
 * whatever does not fit is refused, and nothing is believed about lengths.
 */
#ifndef CACHE_RECORD_H
#define CACHE_RECORD_H

#include "base/clock.h"
#include "cache/index.h"
#include "store/segment_format.h"

/* Raise it with every change of what record_of_object writes. */
#define RECORD_FORM 2

/* A response with less left of its lifetime and windows is not worth writing. */
#define RECORD_LEFT_MIN_MS ((int64_t)5000)

/* The boot that monotonic times belong to. All zeros: it is not known, and no record is of this boot. */
struct record_boot {
    unsigned char id[16];
};

/* A body up to this length stands in the record of its response; a longer one is cut into records of its own
 * (record_of_part). */
#define RECORD_BODY_MAX SEGMENT_BODY_MAX
/* So many bytes of it are in each, but for the last: what has one sum, and is read at once. */
#define RECORD_PART_BYTES SEGMENT_SUMMED

/* Is a sealed object worth a record? false: it is not stored, a part of a response, or less than
 * RECORD_LEFT_MIN_MS is left of lifetime and windows. Any thread with a reference. */
bool record_is_wanted(const struct object *o, int64_t now_mono_ms);
/* Describes a sealed, stored, whole response, under `place`, as a record: everything but key and object. The
 * strings of *out are in the arena, in the place or in the object, so all three must stay. `now`: read once,
 * both clocks. Of a body longer than RECORD_BODY_MAX only the length is in the record. false: it is none for
 * the disk: not wanted (record_is_wanted), a body in more pieces than a record takes, or texts beyond
 * SEGMENT_TEXTS_MAX. Uses of `place` the primary key and the rule. Any thread with a reference. */
bool record_of_object(const struct object *o, const struct place *place, struct now now,
                      const struct record_boot *boot, struct arena *a, struct segment_record *out);

/* Describes a piece of the long body of a response, whose record is `whole`, as a record: everything but the
 * key. Part 1 is the first one. The cursor goes along from part to part. false: it has more pieces than a
 * record takes. */
bool record_of_part(const struct segment_record *whole, const struct body *b, struct body_cursor *c,
                    uint32_t part, struct arena *a, struct segment_record *out);
/* Returns how many parts a body of that length has; 0: none, it stands in the record of its response. */
static inline uint32_t record_parts(uint64_t body_bytes)
{
    return body_bytes <= RECORD_BODY_MAX
               ? 0
               : (uint32_t)((body_bytes + RECORD_PART_BYTES - 1) / RECORD_PART_BYTES);
}
/* Is it the record of that part of that body? Then its body has the bytes of the part. */
bool record_is_part(const struct segment_record *r, uint64_t object, uint32_t part, uint64_t whole_bytes);

/* Makes the object of a record: sealed, private, with one reference, the caller's. index_begin, index_settle
 * with the record's rule and index_publish put it into the index. Its times are those of this boot: a record
 * of another boot ages by the wall clock, and when that went back behind the record's time, the object is
 * older than its lifetime and its windows.
 * *place gets the keys, the release and the hashes of what was stored, and no rule: strings of the record.
 * What memory it needs is charged; the caller has made room for record_room bytes. A body that is not in the
 * record is a distant one (store/body.h).
 * NULL: the record is of another form or does not fit together; it began after the latest purge that `c`
 * knows; there is no memory for its body; or it is an asset from before this boot, and when it was received
 * cannot be said in monotonic time. Any thread. */
struct object *record_to_object(struct cache *c, const struct segment_record *r, struct now now,
                                const struct record_boot *boot, struct place *place);
/* Returns how many bytes of the budget record_to_object will charge at most, and some ten more. */
size_t record_room(const struct segment_record *r);

/* A family's rule as a record of its own, so that a request finds it when nothing of the URL is in memory.
 * `primary`: the family's key. `of_2xx`: a 2xx brought the rule. `expires_wall_ms`: as long as it may be
 * needed. Strings are in the arena, in the rule, or the arguments. */
void record_of_rule(const struct rule *rule, bool of_2xx, struct str primary, uint64_t begin, struct now now,
                    int64_t expires_wall_ms, const struct record_boot *boot, struct arena *a,
                    struct segment_record *out);
/* Is the record one of record_of_rule? */
bool record_is_rule(const struct segment_record *r);
/* Makes the rule of a record, a rule's or an object's: *rule is a new reference, NULL: the default rule.
 * *of_2xx: a 2xx brought it; an object's: it is a 2xx. false: the record is of another form, or its rule does
 * not fit together. */
bool record_to_rule(const struct segment_record *r, struct arena *a, struct rule **rule, bool *of_2xx);

#endif
