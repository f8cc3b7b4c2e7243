// SPDX-License-Identifier: MIT
#include "lib/state.h"

const char *state_name(enum cdrive_state state)
{
	switch (state) {
	case CDRIVE_STATE_LIVE:
		return "live";
	case CDRIVE_STATE_PARKED:
		return "parked";
	case CDRIVE_STATE_FAILING:
		return "failing";
	case CDRIVE_STATE_FENCED:
		return "fenced";
	case CDRIVE_STATE_GONE:
		return "gone";
	}
	return "unknown";
}
