/* SPDX-License-Identifier: MIT */
/*
 * date.h - the forms of time on the wire
 *
 * A time is a number of ticks of 100 ns since 1970 (the precision of a
 * snapshot's name), negative before; 0 is "none". The years are 1601 to 9999.
 */
#ifndef DEVSTORE_DATE_H
#define DEVSTORE_DATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DS_TICKS 10000000ll /* in a second */

int64_t ds_date_now(void);

#define DS_DATE_HTTP 30 /* "Sun, 06 Nov 1994 08:49:37 GMT" */
void ds_date_http(int64_t ticks, char text[DS_DATE_HTTP]);
bool ds_date_parse_http(const char *s, int64_t *ticks);

#define DS_DATE_ISO 29 /* "2011-03-09T01:42:34.9360000Z" */
void ds_date_iso(int64_t ticks, char text[DS_DATE_ISO]);
/* The forms that a SAS may use, from "2011-03-09" on ("Formatting DateTime
 * values"). */
bool ds_date_parse_iso(const char *s, int64_t *ticks);

#endif
