/* SPDX-License-Identifier: MIT */
/*
 * profile.h - the limits of an account of Azure's, imitated
 *
 * A blob may have so many requests and bytes a second, and so may the account; what is
 * beyond is refused: 503 ServerBusy, now and then 500 OperationTimedOut.  Each call takes
 * some time, a list of page ranges more the more ranges it has.  Where the figures are from:
 * Documentation/devstore.rst, "Profiles".  Pure: time is passed in, chance is seeded.
 */
#ifndef DEVSTORE_PROFILE_H
#define DEVSTORE_PROFILE_H

#include <stddef.h>
#include <stdint.h>

#include "devstore/faults/faults.h"

struct ds_profile {
	const char *name;
	double requests, bytes; /* of a blob, a second */
	double unit; /* bytes that count as a request; 0: all of a request's */
	double account_requests, account_in, account_out, account_both; /* a second; 0: no limit */
	double median_ms, p99_ms; /* of a call */
	double list_us; /* of a range that is listed */
};

/* NULL: there is none of this name.  All names, with spaces between: the other. */
const struct ds_profile *ds_profile_find(const char *name);
const char *ds_profile_names(void);

struct ds_limits; /* what has been used of a profile */
struct ds_limits *ds_limits_new(const struct ds_profile *profile, uint64_t seed);
void ds_limits_free(struct ds_limits *l);

/* Adds what the profile does with a call to its plan: a status, or a delay.  What is
 * refused takes nothing of the limits. */
void ds_limits_apply(struct ds_limits *l, const struct ds_event *e, uint64_t now,
		     struct ds_plan *plan);
/* How long a list of @ranges takes beyond that, ns. */
uint64_t ds_limits_list(const struct ds_limits *l, uint64_t ranges);

#endif
