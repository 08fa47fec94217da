/*
 * The steps of a request, in reading order.
 * Columns: id, name, steps that may follow as a set of bits (DONE is the end; WAIT re-enters the same step).
 * Users: request/request (driver, counters, trace).
 */
/* clang-format off */
STEP(ROUTE,   "route",   TO(LOOKUP) | TO(FETCH) | TO(FAIL) | TO(FINISH))
STEP(LOOKUP,  "lookup",  TO(LOOKUP) | TO(FETCH) | TO(AWAIT) | TO(DELIVER) | TO(FAIL))
STEP(FETCH,   "fetch",   TO(AWAIT) | TO(FAIL))
STEP(AWAIT,   "await",   TO(DELIVER) | TO(LOOKUP) | TO(FETCH) | TO(FAIL) | TO(FINISH))
STEP(DELIVER, "deliver", TO(SEND) | TO(FETCH) | TO(FAIL))
STEP(SEND,    "send",    TO(FINISH))
STEP(FINISH,  "finish",  TO(DONE))
STEP(FAIL,    "fail",    TO(DELIVER) | TO(FINISH))
STEP(DONE,    "done",    0)
/* clang-format on */
