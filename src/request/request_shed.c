/*
 * What a request holds while it waits for its client, for the front, which decides who is given up when
 * memory is short (front/shed.h).
 */
#include "cache/record.h"
#include "request/request_machine.h"
#include "request/window.h"

size_t request_holds(const struct request *r)
{
    CHECK(r->tag == REQUEST_TAG);
    if (r->step == STEP_DONE)
        return 0;
    size_t bytes = r->buffered;
    if (r->upload && r->upload->ring)
        bytes += r->upload->cap;
    /* What its origin has sent and it has not taken: of a passing body nobody else wants it. */
    if (r->object && r->body && object_is_closed(request_filled(r)) && body_length(r->body) > r->at)
        bytes += (size_t)(body_length(r->body) - r->at);
    if (r->view && r->view->window)
        bytes += RECORD_PART_BYTES;
    return bytes;
}

uint64_t request_taken(struct request *r)
{
    CHECK(r->tag == REQUEST_TAG);
    if (!r->sending)
        return r->bytes_sent;
    uint64_t given = r->bytes_sent + r->leased, held = r->front->held(r);
    return given > held ? given - held : 0;
}

void request_save(struct request *r)
{
    CHECK(r->tag == REQUEST_TAG);
    if (r->step != STEP_DONE && r->upload)
        upload_resize(r->upload, UPLOAD_SMALL_BYTES);
}
