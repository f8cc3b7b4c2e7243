// SPDX-License-Identifier: MIT
#include "drive/acknowledged.h"

#include <string.h>

#include "lib/date.h"

/* In seconds since the epoch; 0: it does not say. */
static int64_t modified(const struct az_props *p)
{
	int64_t ticks;

	return date_parse_http(p->last_modified, &ticks) ? ticks / DATE_TICKS : 0;
}

void acknowledged_sent(struct acknowledged *a)
{
	a->alone = !a->in_flight++;
	a->etag[0] = '\0';
}

bool acknowledged_answered(struct acknowledged *a, const struct az_result *res, bool doubt)
{
	int64_t before = a->modified, at;

	if (a->in_flight)
		a->in_flight--;
	if (!res || res->err.class)
		return false;
	at = modified(&res->props);
	if (at)
		a->modified = at;
	if (a->alone && !doubt)
		memcpy(a->etag, res->props.etag, sizeof(a->etag));
	return a->modified != before;
}

bool acknowledged_before(const struct acknowledged *asked, const struct acknowledged *now,
			 const struct az_props *p)
{
	int64_t at = modified(p);

	if (!at || !asked->modified)
		return false;
	if (asked->etag[0] && p->etag[0] && !strcmp(asked->etag, now->etag))
		return strcmp(asked->etag, p->etag) != 0 && at < asked->modified;
	return at < asked->modified - ACKNOWLEDGED_SLACK_S;
}
