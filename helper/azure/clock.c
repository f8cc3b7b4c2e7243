// SPDX-License-Identifier: MIT
/*
 * clock.c - the service's clock, as its responses tell it (Date)
 *
 * It is the clock by which signatures are judged: a SAS that has not begun or has ended, a
 * request whose x-ms-date is more than 15 minutes away.  This machine's may be anything, and
 * be set at any time: from a response on the seconds are counted by a clock that isn't.
 */
#include "azure/call.h"

#include <time.h>

/* Less than that is not worth a word: responses take their time, and a SAS begins five
 * minutes early. */
#define OFF_S 300

static int64_t magnitude(int64_t s)
{
	return s < 0 ? -s : s;
}

static int64_t boot_seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return ts.tv_sec;
}

void az_clock_heard(struct az_call *call)
{
	const struct az_response *a = &call->response;
	struct az_client *c = call->client;

	if (!a->has_request_id || a->date <= 0)
		return;
	c->clock_date = a->date;
	c->clock_heard = boot_seconds();
}

bool az_client_clock(const struct az_client *c, int64_t *ahead)
{
	*ahead = c->clock_date + (boot_seconds() - c->clock_heard) - time(NULL);
	return c->clock_date > 0;
}

int64_t az_clock_now(const struct az_call *call)
{
	return call->response.date > 0 ? call->response.date : (int64_t)time(NULL);
}

int64_t az_clock_off(const struct az_call *call)
{
	const struct az_client *c = call->client;
	int64_t ours = time(NULL), off;

	if (call->response.date <= 0)
		return 0;
	if (call->blob.cred->kind == AZ_CREDENTIAL_KEY)
		ours += c->date_shift;
	off = call->response.date - ours;
	return magnitude(off) > OFF_S ? off : 0;
}

bool az_clock_redate(struct az_call *call)
{
	const struct az_response *a = &call->response;

	if (call->redated || a->status != 403 || !a->has_request_id || a->foreign ||
	    call->blob.cred->kind != AZ_CREDENTIAL_KEY || !az_clock_off(call))
		return false;
	call->redated = true;
	call->client->date_shift = a->date - time(NULL);
	return true;
}
