// SPDX-License-Identifier: MIT
#include "devstore/faults/profile.h"

#include <stdlib.h>
#include <string.h>

#include "devstore/faults/rate.h"

#define MIB 1048576.0
#define MB 1e6
#define GBIT (1e9 / 8)
#define TIMED_OUT_IN 20u /* refusals, one is 500 OperationTimedOut */
#define SLOTS 1024u /* blobs that are kept apart */
#define PROBES 8u

#define STANDARD                                                                      \
	.account_requests = 20000, .account_in = 25 * GBIT, .account_out = 50 * GBIT, \
	.median_ms = 8, .p99_ms = 60, .list_us = 50
#define PREMIUM \
	.unit = 262144, .account_both = 50 * GBIT, .median_ms = 2.5, .p99_ms = 15, .list_us = 10

static const struct ds_profile profiles[] = {
	{ .name = "standard", .requests = 500, .bytes = 60 * MIB, STANDARD },
	{ .name = "premium-p4", .requests = 120, .bytes = 25 * MB, PREMIUM },
	{ .name = "premium-p6", .requests = 240, .bytes = 50 * MB, PREMIUM },
	{ .name = "premium-p10", .requests = 500, .bytes = 100 * MB, PREMIUM },
	{ .name = "premium-p15", .requests = 1100, .bytes = 125 * MB, PREMIUM },
	{ .name = "premium-p20", .requests = 2300, .bytes = 150 * MB, PREMIUM },
	{ .name = "premium-p30", .requests = 5000, .bytes = 200 * MB, PREMIUM },
	{ .name = "premium-p40", .requests = 7500, .bytes = 250 * MB, PREMIUM },
	{ .name = "premium-p50", .requests = 7500, .bytes = 250 * MB, PREMIUM },
	{ .name = "premium-p60", .requests = 7500, .bytes = 250 * MB, PREMIUM },
};

/* What one blob has used; blobs that were not asked for a while give their place. */
struct usage {
	uint64_t blob; /* a hash of its name */
	uint64_t requests_due, bytes_due;
};

struct account {
	uint64_t requests_due, in_due, out_due, both_due;
};

struct ds_limits {
	const struct ds_profile *profile;
	uint64_t seed;
	struct account account;
	struct usage blobs[SLOTS];
};

const struct ds_profile *ds_profile_find(const char *name)
{
	for (size_t i = 0; i < sizeof(profiles) / sizeof(*profiles); i++)
		if (!strcmp(profiles[i].name, name))
			return &profiles[i];
	return NULL;
}

const char *ds_profile_names(void)
{
	return "standard, premium-p4, -p6, -p10, -p15, -p20, -p30, -p40, -p50, -p60";
}

struct ds_limits *ds_limits_new(const struct ds_profile *profile, uint64_t seed)
{
	struct ds_limits *l = calloc(1, sizeof(*l));

	if (l) {
		l->profile = profile;
		l->seed = seed;
	}
	return l;
}

void ds_limits_free(struct ds_limits *l)
{
	free(l);
}

/* --- how much was used ------------------------------------------------------------------ */

static uint64_t hash(uint64_t h, const char *s)
{
	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * 1099511628211ull;
	return (h ^ '/') * 1099511628211ull;
}

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static struct usage *usage_of(struct ds_limits *l, const struct ds_event *e)
{
	uint64_t blob = hash(hash(14695981039346656037ull, e->container), e->blob);
	struct usage *oldest = NULL;

	for (unsigned int i = 0; i < PROBES; i++) {
		struct usage *u = &l->blobs[(blob + i) % SLOTS];

		if (u->blob == blob)
			return u;
		if (!oldest || later(u->requests_due, u->bytes_due) <
				       later(oldest->requests_due, oldest->bytes_due))
			oldest = u;
	}
	*oldest = (struct usage){ .blob = blob };
	return oldest;
}

static double units(const struct ds_profile *p, uint64_t bytes)
{
	uint64_t unit = (uint64_t)p->unit;
	uint64_t n = unit && bytes > unit ? (bytes + unit - 1) / unit : 1;

	return (double)n;
}

static uint64_t take_of_account(struct ds_limits *l, const struct ds_event *e, uint64_t now)
{
	const struct ds_profile *p = l->profile;
	struct account *a = &l->account;
	bool out = ds_ops[e->op].class == DS_CLASS_READ;
	double bytes = (double)e->bytes;
	uint64_t wait = ds_rate_take(&a->requests_due, p->account_requests, 1, now);

	wait = later(wait, ds_rate_take(&a->both_due, p->account_both, bytes, now));
	return later(wait, out ? ds_rate_take(&a->out_due, p->account_out, bytes, now) :
				 ds_rate_take(&a->in_due, p->account_in, bytes, now));
}

static uint64_t take_of_blob(struct ds_limits *l, struct usage *u, const struct ds_event *e,
			     uint64_t now)
{
	const struct ds_profile *p = l->profile;
	uint64_t wait = ds_rate_take(&u->requests_due, p->requests, units(p, e->bytes), now);

	return later(wait, ds_rate_take(&u->bytes_due, p->bytes, (double)e->bytes, now));
}

static void refuse(struct ds_limits *l, struct ds_plan *plan)
{
	if (!plan->status)
		plan->status = ds_rate_draw(&l->seed) % TIMED_OUT_IN ? 503 : 500;
	plan->timed_out = plan->status == 500;
}

void ds_limits_apply(struct ds_limits *l, const struct ds_event *e, uint64_t now,
		     struct ds_plan *plan)
{
	struct usage *u = e->container && e->blob ? usage_of(l, e) : NULL;
	struct account account = l->account;
	struct usage blob = u ? *u : (struct usage){ 0 };
	uint64_t wait = take_of_account(l, e, now);

	if (u)
		wait = later(wait, take_of_blob(l, u, e, now));
	plan->delay += ds_rate_latency(&l->seed, l->profile->median_ms, l->profile->p99_ms);
	if (!wait)
		return;
	l->account = account;
	if (u)
		*u = blob;
	refuse(l, plan);
}

uint64_t ds_limits_list(const struct ds_limits *l, uint64_t ranges)
{
	return (uint64_t)((double)ranges * l->profile->list_us * 1e3);
}
