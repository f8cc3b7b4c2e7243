// SPDX-License-Identifier: MIT
/* Congestion control against services that police requests and bytes: simulated, in time
 * that the test makes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "drive/congestion.h"

#define MS 1000000ull
#define SEC 1000000000ull

/* A service: buckets of tokens for requests and bytes, filled at a rate; what finds one
 * empty is refused at once, else it takes @latency. */
struct service {
	double requests_s, bytes_s;
	double burst_s; /* what a full bucket holds, in seconds of its rate */
	uint64_t latency;
	double requests, bytes;
	uint64_t filled;
	unsigned int retry_after;
};

static void fill(struct service *s, uint64_t now)
{
	double dt = (double)(now - s->filled) / SEC;

	s->filled = now;
	s->requests += dt * s->requests_s;
	s->bytes += dt * s->bytes_s;
	if (s->requests > s->burst_s * s->requests_s)
		s->requests = s->burst_s * s->requests_s;
	if (s->bytes > s->burst_s * s->bytes_s)
		s->bytes = s->burst_s * s->bytes_s;
}

static bool takes(struct service *s, uint64_t now, uint64_t bytes)
{
	fill(s, now);
	if (s->requests < 1 || s->bytes < (double)bytes)
		return false;
	s->requests -= 1;
	s->bytes -= (double)bytes;
	return true;
}

#define MOST 64

struct call {
	bool busy, served;
	uint64_t started, ends;
};

struct run {
	struct congestion c;
	struct call calls[MOST];
	unsigned int depth;
	uint64_t bytes, now;
	uint64_t served, refused;
	uint64_t longest; /* without any call served */
	uint64_t last;
};

/* Every millisecond: ends what has ended, starts what may be started. */
static void step(struct run *r, struct service *s)
{
	for (unsigned int i = 0; i < r->depth; i++) {
		struct call *call = &r->calls[i];

		if (!call->busy || call->ends > r->now)
			continue;
		call->busy = false;
		if (call->served) {
			congestion_served(&r->c, r->now, r->bytes);
			r->served++;
			r->last = r->now;
		} else {
			congestion_refused(&r->c, r->now, call->started, s->retry_after);
			r->refused++;
		}
	}
	for (unsigned int i = 0; i < r->depth; i++) {
		struct call *call = &r->calls[i];

		if (call->busy || congestion_delay(&r->c, r->now))
			continue;
		congestion_started(&r->c, r->now, r->bytes);
		call->busy = true;
		call->started = r->now;
		call->served = takes(s, r->now, r->bytes);
		call->ends = r->now + (call->served ? s->latency : 2 * MS);
	}
	if (r->now - r->last > r->longest)
		r->longest = r->now - r->last;
	r->now += MS;
}

static void run_for(struct run *r, struct service *s, unsigned int seconds)
{
	uint64_t end = r->now + seconds * SEC;

	r->served = r->refused = 0;
	r->longest = 0;
	r->last = r->now;
	while (r->now < end)
		step(r, s);
}

static struct run fresh(unsigned int depth, uint64_t bytes)
{
	return (struct run){ .depth = depth, .bytes = bytes, .now = 5 * SEC, .last = 5 * SEC };
}

struct kind {
	double requests_s, mib_s, burst_s;
	unsigned int latency_ms;
	uint64_t bytes;
	unsigned int depth;
};

/* At the limit, nine tenths of it are used, and hardly anything is refused. */
static void serves_at_the_limit(void **state)
{
	static const struct kind kinds[] = {
		{ 500, 60, 0.02, 5, 4096, 32 },	  { 500, 60, 1, 5, 4096, 32 },
		{ 500, 60, 0.1, 40, 4096, 32 },	  { 500, 60, 0.1, 20, 1 << 20, 32 },
		{ 500, 60, 1, 20, 1 << 20, 16 },  { 500, 60, 0.1, 60, 4 << 20, 16 },
		{ 259, 60, 0.1, 5, 4096, 32 },	  { 1e9, 10, 0.2, 10, 1 << 20, 32 },
		{ 5000, 200, 0.05, 3, 4096, 64 }, { 120, 25, 0.1, 5, 16384, 32 },
	};

	(void)state;
	for (unsigned int i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		const struct kind *k = &kinds[i];
		struct service s = { .requests_s = k->requests_s,
				     .bytes_s = k->mib_s * 1048576,
				     .burst_s = k->burst_s,
				     .latency = k->latency_ms * MS };
		struct run r = fresh(k->depth, k->bytes);
		double most = k->mib_s * 1048576 / (double)k->bytes;
		double share;

		if (most > k->requests_s)
			most = k->requests_s;
		run_for(&r, &s, 10); /* it finds out */
		run_for(&r, &s, 120);
		share = (double)r.served / 120 / most;
		print_message("# %g/s, %g MiB/s, %llu bytes, %u ms: %.3f of the limit, "
			      "%llu of %llu refused, longest gap %llu ms\n",
			      k->requests_s, k->mib_s, (unsigned long long)k->bytes, k->latency_ms,
			      share, (unsigned long long)r.refused, (unsigned long long)r.served,
			      (unsigned long long)(r.longest / MS));
		assert_true(share >= 0.92);
		/* One in three seconds: how else would it see that the limit has risen? */
		assert_true(r.refused <= 120 / 3 + r.served / 200);
		assert_true(r.longest <= 1 * SEC);
	}
}

/* A drive that did little, as one does that is being mounted, has shown nothing: the first
 * refusals of a load are not taken for the limit. */
static void little_load_is_no_limit(void **state)
{
	struct service s = {
		.requests_s = 500, .bytes_s = 60 << 20, .burst_s = 0.1, .latency = 8 * MS
	};
	struct run r = fresh(1, 4096);

	(void)state;
	for (unsigned int i = 0; i < 20; i++) {
		run_for(&r, &s, 0);
		for (unsigned int ms = 0; ms < 10; ms++)
			step(&r, &s);
		r.now += 300 * MS;
	}
	r.depth = 32;
	run_for(&r, &s, 2);
	run_for(&r, &s, 4);
	print_message("# in the third to sixth second: %llu\n", (unsigned long long)r.served);
	assert_true(r.served >= 4 * 500 * 85 / 100);
}

/* Nothing refused, nothing limited. */
static void a_service_without_limits_is_not_limited(void **state)
{
	struct service s = { .requests_s = 1e9, .bytes_s = 1e15, .burst_s = 1, .latency = 2 * MS };
	struct run r = fresh(32, 4096);

	(void)state;
	run_for(&r, &s, 10);
	assert_true(r.served >= 10 * 1000 / 3 * 31);
	assert_true(r.c.rate == 0);
}

/* The limit rises, as when others stop using the account: it is followed within a minute;
 * and it falls: within seconds. */
static void a_limit_that_changes_is_followed(void **state)
{
	struct service s = {
		.requests_s = 500, .bytes_s = 60 << 20, .burst_s = 0.1, .latency = 5 * MS
	};
	struct run r = fresh(32, 4096);

	(void)state;
	run_for(&r, &s, 20);
	s.requests_s = 2000;
	run_for(&r, &s, 60);
	run_for(&r, &s, 30);
	assert_true(r.served >= 30 * 2000 * 9 / 10);
	s.requests_s = 100;
	run_for(&r, &s, 5);
	run_for(&r, &s, 30);
	assert_true(r.served >= 30 * 100 * 9 / 10);
	assert_true(r.refused <= 30 * 100 / 20);
}

/* A service that refuses everything for a minute is asked about once a second, and used in
 * full within ten seconds when it is back. */
static void an_outage_is_waited_for(void **state)
{
	struct service s = {
		.requests_s = 1000, .bytes_s = 60 << 20, .burst_s = 0.1, .latency = 5 * MS
	};
	struct service none = { .requests_s = 0, .burst_s = 0, .latency = 5 * MS };
	struct run r = fresh(32, 4096);

	(void)state;
	run_for(&r, &s, 10);
	none.filled = r.now;
	run_for(&r, &none, 10);
	run_for(&r, &none, 50);
	assert_true(r.refused <= 50 * 3);
	assert_true(r.refused >= 20);
	s.filled = r.now;
	run_for(&r, &s, 15);
	run_for(&r, &s, 30);
	assert_true(r.served >= 30 * 1000 * 9 / 10);
}

/* Retry-After holds for all calls, not for the one that it was said of. */
static void retry_after_holds_for_all(void **state)
{
	struct congestion c = { 0 };

	(void)state;
	congestion_started(&c, SEC, 4096);
	congestion_served(&c, SEC + 5 * MS, 4096);
	assert_int_equal(congestion_delay(&c, SEC + 5 * MS), 0);
	congestion_refused(&c, SEC + 10 * MS, SEC + 6 * MS, 3);
	assert_int_equal(congestion_delay(&c, SEC + 10 * MS), 3 * SEC);
	assert_int_equal(congestion_delay(&c, 4 * SEC + 10 * MS + 2 * SEC), 0);
	/* A day is not believed. */
	congestion_refused(&c, 10 * SEC, 9 * SEC, 86400);
	assert_true(congestion_delay(&c, 10 * SEC) <= 60 * SEC);
}

/* Two drives at one account: none starves. */
static void two_drives_share(void **state)
{
	struct service s = {
		.requests_s = 500, .bytes_s = 60 << 20, .burst_s = 0.1, .latency = 5 * MS
	};
	struct run a = fresh(32, 4096), b = fresh(32, 4096);
	uint64_t served_a = 0, served_b = 0;

	(void)state;
	run_for(&a, &s, 20); /* the first has it all */
	b.now = a.now;
	b.last = b.now;
	a.served = a.refused = b.served = b.refused = 0;
	for (uint64_t i = 0; i < 180000; i++) {
		step(i & 1 ? &a : &b, &s);
		step(i & 1 ? &b : &a, &s);
		if (i == 60000) {
			served_a = a.served;
			served_b = b.served;
		}
	}
	served_a = a.served - served_a;
	served_b = b.served - served_b;
	print_message("# two drives: %llu and %llu, refused %llu and %llu\n",
		      (unsigned long long)served_a, (unsigned long long)served_b,
		      (unsigned long long)a.refused, (unsigned long long)b.refused);
	assert_true(served_a + served_b >= 120ull * 500 * 9 / 10);
	assert_true(served_a * 5 >= served_b);
	assert_true(served_b * 5 >= served_a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(serves_at_the_limit),
		cmocka_unit_test(little_load_is_no_limit),
		cmocka_unit_test(a_service_without_limits_is_not_limited),
		cmocka_unit_test(a_limit_that_changes_is_followed),
		cmocka_unit_test(an_outage_is_waited_for),
		cmocka_unit_test(retry_after_holds_for_all),
		cmocka_unit_test(two_drives_share),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
