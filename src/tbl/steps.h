/*
 * The steps of a request, in reading order.
 * Columns: id, name, steps that may follow as a set of bits (DONE is the end; WAIT enters the same step
 * again).
 * Users: request/request (driver, counters, trace).
 */
/* clang-format off */
STEP(ROUTE,   "route",   TO(LOOKUP) | TO(FETCH) | TO(SEND) | TO(FAIL)) /* SEND: OPTIONS that goes no further */
STEP(LOOKUP,  "lookup",  TO(LOOKUP) | TO(FETCH) | TO(AWAIT) | TO(DELIVER) | TO(FAIL))
STEP(FETCH,   "fetch",   TO(AWAIT) | TO(FAIL))
STEP(AWAIT,   "await",   TO(DELIVER) | TO(LOOKUP) | TO(FAIL) | TO(FINISH)) /* FINISH: a tunnel ended */
STEP(DELIVER, "deliver", TO(SEND))
STEP(SEND,    "send",    TO(AWAIT) | TO(FINISH)) /* AWAIT: it failed before the first byte was sent */
STEP(FINISH,  "finish",  TO(DONE))
STEP(FAIL,    "fail",    TO(SEND))
STEP(DONE,    "done",    0)
/* clang-format on */
