/*
 * The steps of a request, in reading order.
 * Columns: id, steps that may follow, as a set of bits. DONE is the end. A step that has to wait is entered
 * again, and so follows itself without standing here. request_abort goes to FINISH from every step.
 * Users: request/request (enum step; next steps for the driver).
 */
/* clang-format off */
STEP(ROUTE,    TO(LOOKUP) | TO(FETCH) | TO(SEND) | TO(FAIL)) /* SEND: OPTIONS that goes no further */
STEP(LOOKUP,   TO(LOOKUP) | TO(FETCH) | TO(AWAIT) | TO(DELIVER) | TO(FAIL))
STEP(FETCH,    TO(AWAIT) | TO(SEND) | TO(FAIL)) /* SEND: the head of an upload decides the answer */
STEP(AWAIT,    TO(DELIVER) | TO(LOOKUP) | TO(FAIL) | TO(FINISH)) /* FINISH: a tunnel ended */
STEP(DELIVER,  TO(SEND))
STEP(SEND,     TO(AWAIT) | TO(LOOKUP) | TO(FAIL) | TO(FINISH)) /* not FINISH: no byte was sent, and the object failed or has no window */
STEP(FINISH,   TO(DONE))
STEP(FAIL,     TO(SEND))
STEP(DONE,     0)
/* clang-format on */
