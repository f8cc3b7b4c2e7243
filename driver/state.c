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

static void cdrive_standing_set_reasons(struct cdrive_standing *s, u32 reasons)
{
	s->park_reasons = reasons;
	if (!reasons)
		s->state = CDRIVE_STATE_LIVE;
	else if (reasons & BIT(CDRIVE_PARK_LIMIT))
		s->state = CDRIVE_STATE_FAILING;
	else
		s->state = CDRIVE_STATE_PARKED;
}

bool cdrive_standing_park(struct cdrive_standing *s,
			  enum cdrive_park_reason reason)
{
	bool first = s->state == CDRIVE_STATE_LIVE;

	if (cdrive_standing_error(s))
		return false;
	cdrive_standing_set_reasons(s, s->park_reasons | BIT(reason));
	return first;
}

bool cdrive_standing_unpark(struct cdrive_standing *s, u32 reasons)
{
	enum cdrive_state before = s->state;

	if (cdrive_standing_error(s))
		return false;
	cdrive_standing_set_reasons(s, s->park_reasons & ~reasons);
	return s->state != before;
}

bool cdrive_standing_expire(struct cdrive_standing *s)
{
	if (!cdrive_standing_limited(s))
		return false;
	cdrive_standing_set_reasons(s, s->park_reasons |
				       BIT(CDRIVE_PARK_LIMIT));
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
		[CDRIVE_STATE_FAILING] = "failing",
		[CDRIVE_STATE_FENCED] = "fenced",
		[CDRIVE_STATE_GONE] = "gone",
	};

	return names[state];
}
