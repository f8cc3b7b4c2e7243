// SPDX-License-Identifier: GPL-2.0-only
#include "state.h"

#include <linux/errno.h>

void cdrive_standing_init(struct cdrive_standing *s, unsigned int park_limit)
{
	*s = (struct cdrive_standing){
		.state = CDRIVE_STATE_LIVE,
		.lease_until = CDRIVE_LEASE_NONE,
		.park_limit = park_limit,
	};
}

bool cdrive_standing_park(struct cdrive_standing *s,
			  enum cdrive_park_reason reason)
{
	bool first = s->state == CDRIVE_STATE_LIVE;

	if (!cdrive_standing_takes(s))
		return false;
	s->park_reasons |= BIT(reason);
	s->state = CDRIVE_STATE_PARKED;
	return first;
}

bool cdrive_standing_unpark(struct cdrive_standing *s, u32 reasons)
{
	if (s->state != CDRIVE_STATE_PARKED)
		return false;
	s->park_reasons &= ~reasons;
	if (s->park_reasons)
		return false;
	s->state = CDRIVE_STATE_LIVE;
	return true;
}

bool cdrive_standing_end(struct cdrive_standing *s, enum cdrive_state state)
{
	if (s->state >= state)
		return false;
	s->state = state;
	s->park_reasons = 0;
	return true;
}

int cdrive_standing_error(const struct cdrive_standing *s)
{
	switch (s->state) {
	case CDRIVE_STATE_FENCED:
		return -ENOLINK;
	case CDRIVE_STATE_GONE:
		return -ENODEV;
	default:
		return 0;
	}
}

const char *cdrive_state_name(enum cdrive_state state)
{
	static const char * const names[] = {
		[CDRIVE_STATE_LIVE] = "live",
		[CDRIVE_STATE_PARKED] = "parked",
		[CDRIVE_STATE_FENCED] = "fenced",
		[CDRIVE_STATE_GONE] = "gone",
	};

	return names[state];
}
