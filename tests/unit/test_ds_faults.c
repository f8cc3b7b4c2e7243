// SPDX-License-Identifier: MIT
/* Rules of faults: what they match, what they do, how often; and counters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devstore/faults/faults.h"

#define MS 1000000ull
#define SECOND 1000000000ull
#define NOW (100 * SECOND)

static struct ds_faults f;
static const struct ds_event put = {
	.op = OP_PutPage,
	.container = "drives",
	.blob = "a/disk1",
	.has_range = true,
	.range = { 4096, 8191 },
	.bytes = 4096,
};

static int setup(void **state)
{
	(void)state;
	ds_faults_init(&f, 1);
	return 0;
}

/* Adds the rule that @json describes. */
static void add(const char *json)
{
	json_t *in = json_loads(json, 0, NULL);
	struct ds_rule rule;
	char why[160];

	assert_non_null(in);
	if (ds_rule_parse(in, NOW, &rule, why, sizeof(why)))
		fail_msg("%s: %s", json, why);
	json_decref(in);
	assert_int_equal(ds_faults_add(&f, &rule), 0);
}

static struct ds_plan plan_of(const struct ds_event *e, uint64_t now)
{
	struct ds_plan plan;

	ds_faults_match(&f, e, now, &plan);
	return plan;
}

static bool hit(const struct ds_event *e)
{
	return plan_of(e, NOW).reset;
}

static void nothing(void **state)
{
	const struct ds_plan none = { 0 };
	struct ds_plan plan = plan_of(&put, NOW);

	(void)state;
	assert_memory_equal(&plan, &none, sizeof(plan));
}

static void which(void **state)
{
	static const struct {
		const char *rule;
		bool hits;
	} cases[] = {
		{ "{\"action\": \"reset\"}", true },
		{ "{\"action\": \"reset\", \"op\": \"PutPage\"}", true },
		{ "{\"action\": \"reset\", \"op\": \"GetBlob\"}", false },
		{ "{\"action\": \"reset\", \"op\": \"write\"}", true },
		{ "{\"action\": \"reset\", \"op\": \"read\"}", false },
		{ "{\"action\": \"reset\", \"op\": \"connect\"}", false },
		{ "{\"action\": \"reset\", \"blob\": \"drives/a/disk1\"}", true },
		{ "{\"action\": \"reset\", \"blob\": \"drives/*\"}", true },
		{ "{\"action\": \"reset\", \"blob\": \"*/disk?\"}", true },
		{ "{\"action\": \"reset\", \"blob\": \"drives\"}", false },
		{ "{\"action\": \"reset\", \"blob\": \"drives/b*\"}", false },
		{ "{\"action\": \"reset\", \"range\": \"0-4095\"}", false },
		{ "{\"action\": \"reset\", \"range\": \"0-4096\"}", true },
		{ "{\"action\": \"reset\", \"range\": \"8191-\"}", true },
		{ "{\"action\": \"reset\", \"range\": \"8192-\"}", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		add(cases[i].rule);
		assert_int_equal(hit(&put), cases[i].hits);
		assert_int_equal(ds_faults_clear(&f, 0), 1);
	}
}

static void connections(void **state)
{
	const struct ds_event connect = { .connect = true };

	(void)state;
	add("{\"action\": \"reset\", \"op\": \"connect\"}");
	assert_true(hit(&connect));
	ds_faults_clear(&f, 0);
	add("{\"action\": \"reset\"}");
	assert_false(hit(&connect));
}

static void no_range(void **state)
{
	struct ds_event e = put;

	(void)state;
	e.has_range = false;
	add("{\"action\": \"reset\", \"range\": \"0-\"}");
	assert_false(hit(&e));
}

static void how_often(void **state)
{
	(void)state;
	add("{\"action\": \"reset\", \"after\": 2, \"count\": 3}");
	for (int i = 0; i < 8; i++)
		assert_int_equal(hit(&put), i >= 2 && i < 5);
	assert_int_equal(f.rules, 0); /* it has done its part */
}

static void by_chance(void **state)
{
	int hits = 0;

	(void)state;
	add("{\"action\": \"reset\", \"probability\": 0.25}");
	for (int i = 0; i < 10000; i++)
		hits += hit(&put);
	assert_in_range(hits, 2300, 2700);
}

/* The same seed, the same faults. */
static void repeatable(void **state)
{
	bool first[200];

	(void)state;
	for (int round = 0; round < 2; round++) {
		ds_faults_init(&f, 42);
		add("{\"action\": \"reset\", \"probability\": 0.5}");
		for (size_t i = 0; i < 200; i++) {
			bool now = hit(&put);

			if (!round)
				first[i] = now;
			else
				assert_int_equal(now, first[i]);
		}
	}
}

static void for_a_while(void **state)
{
	(void)state;
	add("{\"action\": \"refuse\", \"for_ms\": 500}");
	assert_true(ds_faults_refusing(&f, NOW));
	assert_int_equal(ds_faults_next(&f, NOW), NOW + 500 * MS);
	assert_true(plan_of(&put, NOW + 499 * MS).reset);
	assert_false(ds_faults_refusing(&f, NOW + 500 * MS));
	assert_false(plan_of(&put, NOW + 500 * MS).reset);
	assert_int_equal(ds_faults_next(&f, NOW + 500 * MS), 0);
}

static void plans(void **state)
{
	struct ds_plan p;

	(void)state;
	add("{\"action\": \"answer\", \"status\": 503, \"retry_after\": 7}");
	add("{\"action\": \"answer\", \"status\": 500}");
	add("{\"action\": \"delay\", \"delay_ms\": 20}");
	add("{\"action\": \"delay\", \"delay_ms\": 2.5}");
	add("{\"action\": \"late\", \"delay_ms\": 100}");
	add("{\"action\": \"lose\", \"delay_ms\": 30}");
	add("{\"action\": \"truncate\", \"bytes\": 10}");
	add("{\"action\": \"corrupt\"}");
	add("{\"action\": \"hangup\", \"bytes\": 99}");
	add("{\"action\": \"expire-lease\"}");
	add("{\"action\": \"break-lease\"}");
	add("{\"action\": \"steal-lease\"}");
	p = plan_of(&put, NOW);
	assert_int_equal(p.status, 503);
	assert_int_equal(p.retry_after, 7);
	assert_int_equal(p.delay, 122500000);
	assert_true(p.lose);
	assert_int_equal(p.hold, 30 * MS);
	assert_true(p.truncate && p.corrupt && p.hangup);
	assert_int_equal(p.bytes, 10);
	assert_true(p.expire_lease && p.break_lease && p.steal_lease);
	assert_false(p.reset);
}

/* As many as the rate gives, however fast they come: none is lost or gained. */
static void throttle_waits(void **state)
{
	uint64_t now = NOW, last = 0;

	(void)state;
	add("{\"action\": \"throttle\", \"ops\": 100}");
	for (int i = 0; i < 200; i++) {
		last = now + plan_of(&put, now).delay;
		now += MS;
	}
	/* 200 operations at 100/s take 2 s, less the tenth that may run ahead. */
	assert_in_range(last - NOW, 1880 * MS, 1900 * MS);
	/* Slower than the rate: no delay at all. */
	now = last + SECOND;
	for (int i = 0; i < 20; i++, now += 11 * MS)
		assert_int_equal(plan_of(&put, now).delay, 0);
}

static void throttle_of_bytes(void **state)
{
	uint64_t last = 0;

	(void)state;
	add("{\"action\": \"throttle\", \"bytes_per_second\": 409600}");
	for (int i = 0; i < 101; i++)
		last = plan_of(&put, NOW).delay;
	assert_in_range(last, 899 * MS, 901 * MS);
}

static void throttle_refuses(void **state)
{
	int passed = 0;

	(void)state;
	add("{\"action\": \"throttle\", \"ops\": 10, \"refuse\": true, \"status\": 429}");
	for (uint64_t t = 0; t < 2 * SECOND; t += MS) {
		struct ds_plan p = plan_of(&put, NOW + t);

		assert_int_equal(p.delay, 0);
		assert_true(p.status == 0 || p.status == 429);
		passed += !p.status;
	}
	assert_in_range(passed, 20, 22);
}

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void latencies(void **state)
{
	enum { N = 20000 };
	uint64_t *v = calloc(N, sizeof(*v));

	(void)state;
	assert_non_null(v);
	add("{\"action\": \"latency\", \"median_ms\": 5, \"p99_ms\": 50}");
	for (size_t i = 0; i < N; i++)
		v[i] = plan_of(&put, NOW).delay;
	qsort(v, N, sizeof(*v), compare);
	assert_in_range(v[N / 2], 4800000, 5200000);
	assert_in_range(v[N / 100 * 99], 44 * MS, 57 * MS);
	free(v);
	ds_faults_clear(&f, 0);
	add("{\"action\": \"latency\", \"median_ms\": 5}");
	assert_in_range(plan_of(&put, NOW).delay, 4999999, 5000001);
}

static void refused_rules(void **state)
{
	static const char *const rules[] = {
		"{}",
		"{\"action\": 1}",
		"{\"action\": \"explode\"}",
		"{\"action\": \"reset\", \"op\": \"PutPages\"}",
		"{\"action\": \"reset\", \"op\": 1}",
		"{\"action\": \"reset\", \"range\": \"4-3\"}",
		"{\"action\": \"reset\", \"range\": \"x\"}",
		"{\"action\": \"reset\", \"count\": -1}",
		"{\"action\": \"reset\", \"count\": \"1\"}",
		"{\"action\": \"reset\", \"probability\": 2}",
		"{\"action\": \"answer\", \"status\": 200}",
		"{\"action\": \"answer\", \"status\": 600}",
		"{\"action\": \"delay\"}",
		"{\"action\": \"late\"}",
		"{\"action\": \"throttle\"}",
		"{\"action\": \"latency\"}",
		"{\"action\": \"latency\", \"median_ms\": 1e99}",
	};
	char why[160], blob[400];
	struct ds_rule rule;
	json_t *in;

	(void)state;
	for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++) {
		in = json_loads(rules[i], 0, NULL);
		assert_non_null(in);
		why[0] = '\0';
		assert_int_not_equal(ds_rule_parse(in, NOW, &rule, why, sizeof(why)), 0);
		assert_int_not_equal(why[0], '\0');
		json_decref(in);
	}
	memset(blob, 'x', sizeof(blob) - 1);
	blob[sizeof(blob) - 1] = '\0';
	in = json_pack("{ss ss}", "action", "reset", "blob", blob);
	assert_int_not_equal(ds_rule_parse(in, NOW, &rule, why, sizeof(why)), 0);
	json_decref(in);
	assert_int_not_equal(ds_rule_parse(NULL, NOW, &rule, why, sizeof(why)), 0);
}

/* What is shown of a rule makes the same rule again. */
static void shown(void **state)
{
	struct ds_rule again;
	char why[160];
	json_t *out;

	(void)state;
	add("{\"action\": \"throttle\", \"op\": \"GetBlob\", \"blob\": \"a/*\", \"range\": \"0-9\","
	    " \"count\": 5, \"after\": 1, \"ops\": 10, \"refuse\": true, \"status\": 429,"
	    " \"retry_after\": 3}");
	out = ds_rule_json(&f.rule[0], NOW);
	assert_int_equal(json_integer_value(json_object_get(out, "id")), 1);
	assert_int_equal(ds_rule_parse(out, NOW, &again, why, sizeof(why)), 0);
	again.id = f.rule[0].id;
	assert_memory_equal(&again, &f.rule[0], sizeof(again));
	json_decref(out);
}

static void full(void **state)
{
	(void)state;
	for (int i = 0; i < DS_MAX_RULES; i++)
		add("{\"action\": \"corrupt\"}");
	assert_int_equal(ds_faults_add(&f, &(struct ds_rule){ .count = 1 }), -28 /* ENOSPC */);
	assert_int_equal(ds_faults_clear(&f, 7), 1);
	assert_int_equal(ds_faults_clear(&f, 7), 0);
	assert_int_equal(ds_faults_clear(&f, 0), DS_MAX_RULES - 1);
}

static void counters(void **state)
{
	json_t *c, *op;

	(void)state;
	ds_faults_count(&f, OP_PutPage, 201, 4096, 0);
	ds_faults_count(&f, OP_PutPage, 412, 4096, 200);
	ds_faults_count(&f, OP_GetBlob, 206, 0, 512);
	ds_faults_count(&f, OP_GetBlob, 0, 0, 0); /* no answer was sent */
	ds_faults_count(&f, OP_ListBlobs, 200, 0, 10);
	c = ds_faults_counters(&f);
	assert_int_equal(json_integer_value(json_object_get(c, "transactions")), 5);
	assert_int_equal(json_integer_value(json_object_get(c, "writes")), 2);
	assert_int_equal(json_integer_value(json_object_get(c, "reads")), 2);
	assert_int_equal(json_integer_value(json_object_get(c, "lists")), 1);
	op = json_object_get(json_object_get(c, "operations"), "PutPage");
	assert_int_equal(json_integer_value(json_object_get(op, "calls")), 2);
	assert_int_equal(json_integer_value(json_object_get(op, "failed")), 1);
	assert_int_equal(json_integer_value(json_object_get(op, "bytes_in")), 8192);
	op = json_object_get(c, "status");
	assert_int_equal(json_integer_value(json_object_get(op, "none")), 1);
	assert_int_equal(json_integer_value(json_object_get(op, "2xx")), 3);
	json_decref(c);
}

static void has_a_clock(void **state)
{
	static const char *const wrong[] = {
		"{\"action\": \"clock\"}",
		"{\"action\": \"clock\", \"ahead\": 86401}",
		"{\"action\": \"clock\", \"ahead\": 10, \"behind\": 10}",
		"{\"action\": \"clock\", \"ahead\": 10, \"op\": \"PutPage\"}",
		"{\"action\": \"clock\", \"ahead\": 10, \"count\": 1}",
	};

	(void)state;
	assert_int_equal(ds_faults_clock(&f, NOW), 0);
	add("{\"action\": \"clock\", \"behind\": 600, \"for_ms\": 500}");
	assert_int_equal(ds_faults_clock(&f, NOW), -600);
	assert_false(hit(&put));
	assert_int_equal(ds_faults_clock(&f, NOW + 500 * MS), 0);
	ds_faults_clear(&f, 0);
	add("{\"action\": \"clock\", \"ahead\": 86400}");
	assert_int_equal(ds_faults_clock(&f, NOW), 86400);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		json_t *in = json_loads(wrong[i], 0, NULL);
		struct ds_rule rule;
		char why[160];

		assert_int_equal(ds_rule_parse(in, NOW, &rule, why, sizeof(why)), -EINVAL);
		assert_non_null(strstr(why, i == 1 ? "86400" : "clock: needs"));
		json_decref(in);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(nothing, setup),
		cmocka_unit_test_setup(which, setup),
		cmocka_unit_test_setup(connections, setup),
		cmocka_unit_test_setup(no_range, setup),
		cmocka_unit_test_setup(how_often, setup),
		cmocka_unit_test_setup(by_chance, setup),
		cmocka_unit_test_setup(repeatable, setup),
		cmocka_unit_test_setup(for_a_while, setup),
		cmocka_unit_test_setup(plans, setup),
		cmocka_unit_test_setup(throttle_waits, setup),
		cmocka_unit_test_setup(throttle_of_bytes, setup),
		cmocka_unit_test_setup(throttle_refuses, setup),
		cmocka_unit_test_setup(latencies, setup),
		cmocka_unit_test_setup(refused_rules, setup),
		cmocka_unit_test_setup(shown, setup),
		cmocka_unit_test_setup(has_a_clock, setup),
		cmocka_unit_test_setup(full, setup),
		cmocka_unit_test_setup(counters, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
