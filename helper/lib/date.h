/* SPDX-License-Identifier: MIT */
/*
 * date.h - the forms of time on the wire: of HTTP (RFC 9110, IMF-fixdate), and of
 * Azure's SAS, snapshots and lists (ISO 8601)
 *
 * A time is a number of ticks of 100 ns since 1970 (the precision of a
 * snapshot's name), negative before; 0 is "none". The years are 1601 to 9999.
 */
#ifndef LIB_DATE_H
#define LIB_DATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DATE_TICKS 10000000ll /* in a second */

int64_t date_now(void);

#define DATE_HTTP 30 /* "Sun, 06 Nov 1994 08:49:37 GMT" */
void date_http(int64_t ticks, char text[DATE_HTTP]);
bool date_parse_http(const char *s, int64_t *ticks);

#define DATE_ISO 29 /* "2011-03-09T01:42:34.9360000Z" */
void date_iso(int64_t ticks, char text[DATE_ISO]);
#define DATE_SECONDS 21 /* "2011-03-09T01:42:34Z" */
/* Of @seconds since 1970, into @text, which is returned; "" and NULL when the year is none
 * of those. */
const char *date_seconds(int64_t seconds, char text[DATE_SECONDS]);
/* The forms that a SAS may use, from "2011-03-09" on ("Formatting DateTime
 * values"). */
bool date_parse_iso(const char *s, int64_t *ticks);

#endif
