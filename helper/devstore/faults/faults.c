// SPDX-License-Identifier: MIT
#include "devstore/faults/faults.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "devstore/faults/rate.h"

#define MILLION 1000000u

void ds_faults_init(struct ds_faults *f, uint64_t seed)
{
	*f = (struct ds_faults){ .seed = seed };
}

/* --- matching --------------------------------------------------------------------- */

static bool op_matches(const char *pattern, const struct ds_event *e)
{
	static const char *const classes[DS_CLASSES] = { "write", "read", "list", "other" };

	if (e->connect)
		return !strcmp(pattern, "connect");
	return !*pattern || !strcmp(pattern, ds_ops[e->op].name) ||
	       !strcmp(pattern, classes[ds_ops[e->op].class]);
}

static bool blob_matches(const char *pattern, const struct ds_event *e)
{
	char name[64 + 4096 + 2];

	if (!*pattern)
		return true;
	if (!e->container)
		return false;
	snprintf(name, sizeof(name), "%s%s%s", e->container, e->blob ? "/" : "",
		 e->blob ? e->blob : "");
	return !fnmatch(pattern, name, 0);
}

static bool over(const struct ds_rule *r, uint64_t now)
{
	return !r->count || (r->until && now >= r->until);
}

static bool matches(struct ds_faults *f, struct ds_rule *r, const struct ds_event *e, uint64_t now)
{
	if (over(r, now) || !op_matches(r->op, e) || !blob_matches(r->blob, e))
		return false;
	if (r->has_range &&
	    (!e->has_range || e->range.first > r->range.last || e->range.last < r->range.first))
		return false;
	if (r->after) {
		r->after--;
		return false;
	}
	if (r->probability < MILLION && ds_rate_draw(&f->seed) % MILLION >= r->probability)
		return false;
	if (r->count != DS_FOREVER)
		r->count--;
	r->hits++;
	return true;
}

/* --- what a rule does --------------------------------------------------------------- */

static void throttle(struct ds_rule *r, const struct ds_event *e, uint64_t now,
		     struct ds_plan *plan)
{
	uint64_t ops_before = r->ops_due, bytes_before = r->bytes_due;
	uint64_t wait = ds_rate_take(&r->ops_due, r->ops_rate, 1, now);
	uint64_t wait_bytes = ds_rate_take(&r->bytes_due, r->bytes_rate, (double)e->bytes, now);

	if (wait_bytes > wait)
		wait = wait_bytes;
	if (!r->refuse) {
		plan->delay += wait;
		return;
	}
	if (!wait || plan->status)
		return;
	/* What is refused takes nothing of the rate. */
	r->ops_due = ops_before;
	r->bytes_due = bytes_before;
	plan->status = r->status;
	plan->retry_after = r->retry_after;
}

static void apply(struct ds_faults *f, struct ds_rule *r, const struct ds_event *e, uint64_t now,
		  struct ds_plan *plan)
{
	if (r->has_bytes && !plan->has_bytes) {
		plan->has_bytes = true;
		plan->bytes = r->bytes;
	}
	switch (r->action) {
	case FAULT_REFUSE:
	case FAULT_RESET:
		plan->reset = true;
		break;
	case FAULT_ANSWER:
		if (!plan->status) {
			plan->status = r->status;
			plan->retry_after = r->retry_after;
		}
		break;
	case FAULT_DELAY:
		plan->delay += r->delay_ns;
		break;
	case FAULT_LOSE:
		plan->lose = true;
		plan->hold += r->delay_ns;
		break;
	case FAULT_LATE:
		plan->delay += r->delay_ns;
		plan->lose = true;
		break;
	case FAULT_TRUNCATE:
		plan->truncate = true;
		break;
	case FAULT_CORRUPT:
		plan->corrupt = true;
		break;
	case FAULT_HANGUP:
		plan->hangup = true;
		break;
	case FAULT_THROTTLE:
		throttle(r, e, now, plan);
		break;
	case FAULT_LATENCY:
		plan->delay += ds_rate_latency(&f->seed, r->median_ms, r->p99_ms);
		break;
	case FAULT_CLOCK: /* of no call alone: ds_faults_clock() */
		break;
	case FAULT_EXPIRE_LEASE:
		plan->expire_lease = true;
		break;
	case FAULT_BREAK_LEASE:
		plan->break_lease = true;
		break;
	case FAULT_STEAL_LEASE:
		plan->steal_lease = true;
		break;
	case DS_ACTION_COUNT:
		break;
	}
}

static void sweep(struct ds_faults *f, uint64_t now)
{
	size_t n = 0;

	for (size_t i = 0; i < f->rules; i++)
		if (!over(&f->rule[i], now))
			f->rule[n++] = f->rule[i];
	f->rules = n;
}

void ds_faults_match(struct ds_faults *f, const struct ds_event *e, uint64_t now,
		     struct ds_plan *plan)
{
	bool any_over = false;

	*plan = (struct ds_plan){ 0 };
	for (size_t i = 0; i < f->rules; i++) {
		if (matches(f, &f->rule[i], e, now))
			apply(f, &f->rule[i], e, now, plan);
		any_over |= over(&f->rule[i], now);
	}
	if (any_over)
		sweep(f, now);
}

bool ds_faults_refusing(const struct ds_faults *f, uint64_t now)
{
	for (size_t i = 0; i < f->rules; i++)
		if (f->rule[i].action == FAULT_REFUSE && !over(&f->rule[i], now))
			return true;
	return false;
}

int64_t ds_faults_clock(const struct ds_faults *f, uint64_t now)
{
	for (size_t i = 0; i < f->rules; i++)
		if (f->rule[i].action == FAULT_CLOCK && !over(&f->rule[i], now))
			return f->rule[i].ahead_s;
	return 0;
}

uint64_t ds_faults_next(const struct ds_faults *f, uint64_t now)
{
	uint64_t next = 0;

	for (size_t i = 0; i < f->rules; i++) {
		uint64_t until = f->rule[i].until;

		if (f->rule[i].action == FAULT_REFUSE && until > now && (!next || until < next))
			next = until;
	}
	return next;
}

int ds_faults_add(struct ds_faults *f, struct ds_rule *rule)
{
	if (f->rules == DS_MAX_RULES)
		return -ENOSPC;
	rule->id = ++f->last_id;
	f->rule[f->rules++] = *rule;
	return 0;
}

size_t ds_faults_clear(struct ds_faults *f, unsigned int id)
{
	size_t n = 0, before = f->rules;

	for (size_t i = 0; i < f->rules; i++)
		if (id && f->rule[i].id != id)
			f->rule[n++] = f->rule[i];
	f->rules = n;
	return before - n;
}

/* --- counters ------------------------------------------------------------------------- */

void ds_faults_count(struct ds_faults *f, enum ds_op op, unsigned int status, uint64_t in,
		     uint64_t out)
{
	f->op[op].calls++;
	f->op[op].failed += status < 200 || status >= 400;
	f->op[op].bytes_in += in;
	f->op[op].bytes_out += out;
	f->status[status / 100 < 6 ? status / 100 : 0]++;
}

static json_t *count_json(const struct ds_count *c)
{
	return json_pack("{sI sI sI sI}", "calls", (json_int_t)c->calls, "failed",
			 (json_int_t)c->failed, "bytes_in", (json_int_t)c->bytes_in, "bytes_out",
			 (json_int_t)c->bytes_out);
}

json_t *ds_faults_counters(const struct ds_faults *f)
{
	static const char *const names[DS_CLASSES] = { "writes", "reads", "lists", "others" };
	static const char *const statuses[] = { "none", "1xx", "2xx", "3xx", "4xx", "5xx" };
	json_t *all = json_object(), *ops = json_object(), *status = json_object();
	uint64_t classes[DS_CLASSES] = { 0 }, calls = 0;

	for (size_t i = 0; i < DS_OP_COUNT; i++) {
		classes[ds_ops[i].class] += f->op[i].calls;
		calls += f->op[i].calls;
		if (f->op[i].calls)
			json_object_set_new(ops, ds_ops[i].name, count_json(&f->op[i]));
	}
	json_object_set_new(all, "transactions", json_integer((json_int_t)calls));
	for (size_t i = 0; i < DS_CLASSES; i++)
		json_object_set_new(all, names[i], json_integer((json_int_t)classes[i]));
	for (size_t i = 0; i < sizeof(statuses) / sizeof(*statuses); i++)
		json_object_set_new(status, statuses[i], json_integer((json_int_t)f->status[i]));
	json_object_set_new(all, "connections", json_integer((json_int_t)f->connections));
	json_object_set_new(all, "dropped", json_integer((json_int_t)f->dropped));
	json_object_set_new(all, "status", status);
	json_object_set_new(all, "operations", ops);
	return all;
}
