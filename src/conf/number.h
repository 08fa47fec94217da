/*
 * Numbers with a unit behind them, as people write them in the configuration and in the API's JSON. Pure: any
 * thread.
 */
#ifndef CONF_NUMBER_H
#define CONF_NUMBER_H

#include "conf/setting.h"

/* Reads a number of a type: TYPE_TIME ("500ms", "10s", "7d"; bare: seconds) in milliseconds, TYPE_BYTES
 * ("64K"), else digits alone. What is too large for *out becomes INT64_MAX. false: it is no such number. */
bool number_parse(enum setting_type type, struct str text, int64_t *out);

#endif
