// SPDX-License-Identifier: MIT
#include "lib/date.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* From 1601 on, as Windows counts, and with a year of four digits: in seconds. */
#define FIRST (-11644473600)
#define LAST 253402300799

static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
static const char days[] = "SunMonTueWedThuFriSat";

int64_t date_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * DATE_TICKS + ts.tv_nsec / 100;
}

static void put2(char *p, int n)
{
	p[0] = (char)('0' + n / 10 % 10);
	p[1] = (char)('0' + n % 10);
}

static void put4(char *p, int n)
{
	put2(p, n / 100);
	put2(p + 2, n % 100);
}

/* Ticks after the last whole second; before 1970, too, they count forwards. */
static int part_of_second(int64_t ticks)
{
	return (int)((ticks % DATE_TICKS + DATE_TICKS) % DATE_TICKS);
}

void date_http(int64_t ticks, char text[DATE_HTTP])
{
	static int64_t last = INT64_MIN;
	static char made[DATE_HTTP];
	int64_t seconds = (ticks - part_of_second(ticks)) / DATE_TICKS;
	time_t t = (time_t)seconds;
	struct tm tm;

	if (seconds != last && gmtime_r(&t, &tm)) {
		memcpy(made, "Sun, 06 Nov 1994 08:49:37 GMT", DATE_HTTP);
		memcpy(made, days + 3 * tm.tm_wday, 3);
		put2(made + 5, tm.tm_mday);
		memcpy(made + 8, months + 3 * tm.tm_mon, 3);
		put4(made + 12, tm.tm_year + 1900);
		put2(made + 17, tm.tm_hour);
		put2(made + 20, tm.tm_min);
		put2(made + 23, tm.tm_sec);
		last = seconds;
	}
	memcpy(text, made, DATE_HTTP);
}

static bool number(const char *s, int digits, int *out)
{
	for (*out = 0; digits; digits--, s++) {
		if (*s < '0' || *s > '9')
			return false;
		*out = *out * 10 + (*s - '0');
	}
	return true;
}

static bool can_be_written(int64_t ticks)
{
	return ticks >= FIRST * DATE_TICKS && ticks < (LAST + 1) * DATE_TICKS;
}

static bool make(int year, int month, int day, int hour, int min, int sec, int64_t *ticks)
{
	static const int lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	struct tm tm = { .tm_year = year - 1900,
			 .tm_mon = month - 1,
			 .tm_mday = day,
			 .tm_hour = hour,
			 .tm_min = min,
			 .tm_sec = sec };

	if (month < 1 || month > 12 || day < 1 || hour > 23 || min > 59 || sec > 60)
		return false;
	if (day > lengths[month - 1] + (month == 2 && leap))
		return false;
	*ticks = (int64_t)timegm(&tm) * DATE_TICKS;
	return can_be_written(*ticks);
}

bool date_parse_http(const char *s, int64_t *ticks)
{
	int day, month, year, hour, min, sec;

	if (strlen(s) != DATE_HTTP - 1 || s[3] != ',' || s[4] != ' ' || s[7] != ' ' ||
	    s[11] != ' ' || s[16] != ' ' || s[19] != ':' || s[22] != ':' ||
	    strcmp(s + 25, " GMT") != 0)
		return false;
	for (month = 1; month <= 12; month++)
		if (!memcmp(s + 8, months + 3 * (month - 1), 3))
			break;
	return number(s + 5, 2, &day) && number(s + 12, 4, &year) && number(s + 17, 2, &hour) &&
	       number(s + 20, 2, &min) && number(s + 23, 2, &sec) &&
	       make(year, month, day, hour, min, sec, ticks);
}

void date_iso(int64_t ticks, char text[DATE_ISO])
{
	int part = part_of_second(ticks);
	time_t t = (time_t)((ticks - part) / DATE_TICKS);
	struct tm tm = { 0 };

	gmtime_r(&t, &tm);
	memcpy(text, "2011-03-09T01:42:34.9360000Z", DATE_ISO);
	put4(text, tm.tm_year + 1900);
	put2(text + 5, tm.tm_mon + 1);
	put2(text + 8, tm.tm_mday);
	put2(text + 11, tm.tm_hour);
	put2(text + 14, tm.tm_min);
	put2(text + 17, tm.tm_sec);
	text[20] = (char)('0' + part / 1000000);
	put2(text + 21, part / 10000 % 100);
	put2(text + 23, part / 100 % 100);
	put2(text + 25, part % 100);
}

const char *date_seconds(int64_t seconds, char text[DATE_SECONDS])
{
	char whole[DATE_ISO];

	*text = '\0';
	if (seconds < FIRST || seconds > LAST)
		return NULL;
	date_iso(seconds * DATE_TICKS, whole);
	memcpy(text, whole, DATE_SECONDS - 2);
	memcpy(text + DATE_SECONDS - 2, "Z", 2);
	return text;
}

/* "Z" or "+hh:mm": how far ahead of UTC, in minutes. */
static bool zone(const char *s, int *minutes)
{
	int h, m;

	*minutes = 0;
	if (!strcmp(s, "Z"))
		return true;
	if ((*s != '+' && *s != '-') || strlen(s) != 6 || s[3] != ':' || !number(s + 1, 2, &h) ||
	    !number(s + 4, 2, &m) || h > 14 || m > 59)
		return false;
	*minutes = (*s == '-' ? -1 : 1) * (h * 60 + m);
	return true;
}

bool date_parse_iso(const char *s, int64_t *ticks)
{
	int year, month, day, hour = 0, min = 0, sec = 0, ahead = 0;
	int64_t fraction = 0;

	if (!number(s, 4, &year) || s[4] != '-' || !number(s + 5, 2, &month) || s[7] != '-' ||
	    !number(s + 8, 2, &day))
		return false;
	s += 10;
	if (*s) {
		if (*s != 'T' || !number(s + 1, 2, &hour) || s[3] != ':' || !number(s + 4, 2, &min))
			return false;
		s += 6;
		if (*s == ':') {
			if (!number(s + 1, 2, &sec))
				return false;
			s += 3;
		}
		if (*s == '.') {
			int64_t unit = DATE_TICKS / 10;

			for (s++; *s >= '0' && *s <= '9'; s++, unit /= 10)
				fraction += unit * (*s - '0');
		}
		if (!zone(s, &ahead))
			return false;
	}
	if (!make(year, month, day, hour, min, sec, ticks))
		return false;
	*ticks += fraction - (int64_t)ahead * 60 * DATE_TICKS;
	return can_be_written(*ticks);
}
