// SPDX-License-Identifier: MIT
/*
 * rule.c - a fault's rule as JSON, which is how it comes over the control socket
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "devstore/faults/faults.h"

#define MAX_MS 3600000.0
#define MAX_CLOCK_S 86400.0

static const char *const actions[] = {
#define X(name, spelling) spelling,
	DS_ACTIONS(X)
#undef X
};

static bool known_op(const char *op)
{
	static const char *const others[] = { "", "connect", "write", "read", "list", "other" };

	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		if (!strcmp(op, others[i]))
			return true;
	for (size_t i = 0; i < DS_OP_COUNT; i++)
		if (!strcmp(op, ds_ops[i].name))
			return true;
	return false;
}

static int parse_action(const json_t *in, struct ds_rule *rule, char *why, size_t len)
{
	const char *action = json_string_value(json_object_get(in, "action"));

	for (unsigned int i = 0; action && i < DS_ACTION_COUNT; i++) {
		if (!strcmp(action, actions[i])) {
			rule->action = (enum ds_action)i;
			return 0;
		}
	}
	snprintf(why, len, "%.32s: no such fault", action ? action : "(none)");
	return -EINVAL;
}

static int parse_text(const json_t *in, const char *name, char *out, size_t size, char *why,
		      size_t len)
{
	const json_t *v = json_object_get(in, name);
	const char *s = json_string_value(v);

	if (!v)
		return 0;
	if (!s || strlen(s) >= size) {
		snprintf(why, len, "%s: not a text of less than %zu characters", name, size);
		return -EINVAL;
	}
	memcpy(out, s, strlen(s) + 1);
	return 0;
}

/* A number of at least 0; *has, where it is asked for, says whether it is there. */
static int parse_number(const json_t *in, const char *name, double max, double *out, bool *has,
			char *why, size_t len)
{
	const json_t *v = json_object_get(in, name);

	if (has)
		*has = v != NULL;
	if (!v)
		return 0;
	*out = json_number_value(v);
	if (!json_is_number(v) || !(*out >= 0) || *out > max) {
		snprintf(why, len, "%s: not a number from 0 to %.0f", name, max);
		return -EINVAL;
	}
	return 0;
}

/* The same of a whole number. */
static int parse_whole(const json_t *in, const char *name, double max, double *out, bool *has,
		       char *why, size_t len)
{
	int err = parse_number(in, name, max, out, has, why, len);

	if (err || *out == (double)(uint64_t)*out)
		return err;
	snprintf(why, len, "%s: not a whole number", name);
	return -EINVAL;
}

static int parse_which(const json_t *in, struct ds_rule *rule, char *why, size_t len)
{
	char range[64] = "", form[80];
	int err;

	err = parse_text(in, "op", rule->op, sizeof(rule->op), why, len);
	if (!err)
		err = parse_text(in, "blob", rule->blob, sizeof(rule->blob), why, len);
	if (!err)
		err = parse_text(in, "range", range, sizeof(range), why, len);
	if (err)
		return err;
	if (!known_op(rule->op)) {
		snprintf(why, len, "%.32s: no such operation", rule->op);
		return -EINVAL;
	}
	if (!range[0])
		return 0;
	snprintf(form, sizeof(form), "bytes=%s", range);
	rule->has_range = true;
	if (ds_range_parse(form, &rule->range))
		return 0;
	snprintf(why, len, "%s: no range, which is FIRST-LAST", range);
	return -EINVAL;
}

static int parse_when(const json_t *in, uint64_t now, struct ds_rule *rule, char *why, size_t len)
{
	double after = 0, count = 0, probability = 1, for_ms = 0;
	bool counted, timed;
	int err;

	err = parse_whole(in, "after", 1e15, &after, NULL, why, len);
	if (!err)
		err = parse_whole(in, "count", 1e15, &count, &counted, why, len);
	if (!err)
		err = parse_number(in, "probability", 1, &probability, NULL, why, len);
	if (!err)
		err = parse_number(in, "for_ms", 24 * MAX_MS, &for_ms, &timed, why, len);
	if (err)
		return err;
	rule->after = (uint64_t)after;
	rule->count = counted ? (uint64_t)count : DS_FOREVER;
	rule->probability = (uint64_t)(probability * 1e6);
	if (timed)
		rule->until = now + (uint64_t)(for_ms * 1e6);
	return 0;
}

static int parse_what(const json_t *in, struct ds_rule *rule, char *why, size_t len)
{
	double status = 503, retry = 0, delay = 0, bytes = 0, ahead = 0, behind = 0;
	int err;

	err = parse_whole(in, "status", 599, &status, NULL, why, len);
	if (!err)
		err = parse_whole(in, "retry_after", 3600, &retry, NULL, why, len);
	if (!err)
		err = parse_number(in, "delay_ms", MAX_MS, &delay, NULL, why, len);
	if (!err)
		err = parse_whole(in, "bytes", 1e15, &bytes, &rule->has_bytes, why, len);
	if (!err)
		err = parse_number(in, "median_ms", MAX_MS, &rule->median_ms, NULL, why, len);
	if (!err)
		err = parse_number(in, "p99_ms", MAX_MS, &rule->p99_ms, NULL, why, len);
	if (!err)
		err = parse_number(in, "ops", 1e9, &rule->ops_rate, NULL, why, len);
	if (!err)
		err = parse_number(in, "bytes_per_second", 1e15, &rule->bytes_rate, NULL, why, len);
	if (!err)
		err = parse_whole(in, "ahead", MAX_CLOCK_S, &ahead, NULL, why, len);
	if (!err)
		err = parse_whole(in, "behind", MAX_CLOCK_S, &behind, NULL, why, len);
	if (err)
		return err;
	rule->ahead_s = (int64_t)ahead - (int64_t)behind;
	rule->status = (unsigned int)status;
	rule->retry_after = (unsigned int)retry;
	rule->delay_ns = (uint64_t)(delay * 1e6);
	rule->bytes = (uint64_t)bytes;
	rule->refuse = json_is_true(json_object_get(in, "refuse"));
	return 0;
}

static int check(const struct ds_rule *rule, char *why, size_t len)
{
	const char *missing = NULL;

	if ((rule->action == FAULT_ANSWER || rule->refuse) && rule->status < 400)
		missing = "a status from 400 to 599";
	if (rule->action == FAULT_THROTTLE && rule->ops_rate <= 0 && rule->bytes_rate <= 0)
		missing = "ops or bytes per second";
	if (rule->action == FAULT_LATENCY && rule->median_ms <= 0)
		missing = "a median";
	if ((rule->action == FAULT_DELAY || rule->action == FAULT_LATE) && !rule->delay_ns)
		missing = "a delay";
	if (rule->action == FAULT_CLOCK && !rule->ahead_s)
		missing = "seconds, ahead or behind";
	if (rule->action == FAULT_CLOCK &&
	    (rule->op[0] || rule->blob[0] || rule->has_range || rule->after ||
	     rule->count != DS_FOREVER || rule->probability < 1000000))
		missing = "no choice of calls: it is the clock of all";
	if (!missing)
		return 0;
	snprintf(why, len, "%s: needs %s", actions[rule->action], missing);
	return -EINVAL;
}

int ds_rule_parse(const json_t *in, uint64_t now, struct ds_rule *rule, char *why, size_t len)
{
	int err;

	*rule = (struct ds_rule){ 0 };
	err = parse_action(in, rule, why, len);
	if (!err)
		err = parse_which(in, rule, why, len);
	if (!err)
		err = parse_when(in, now, rule, why, len);
	if (!err)
		err = parse_what(in, rule, why, len);
	return err ? err : check(rule, why, len);
}

static void set_number(json_t *out, const char *name, double v)
{
	if (v > 0)
		json_object_set_new(out, name,
				    v == (double)(json_int_t)v ? json_integer((json_int_t)v) :
								 json_real(v));
}

json_t *ds_rule_json(const struct ds_rule *r, uint64_t now)
{
	json_t *out = json_pack("{sI ss}", "id", (json_int_t)r->id, "action", actions[r->action]);

	if (r->op[0])
		json_object_set_new(out, "op", json_string(r->op));
	if (r->blob[0])
		json_object_set_new(out, "blob", json_string(r->blob));
	if (r->has_range)
		json_object_set_new(
			out, "range",
			r->range.last == UINT64_MAX ?
				json_sprintf("%llu-", (unsigned long long)r->range.first) :
				json_sprintf("%llu-%llu", (unsigned long long)r->range.first,
					     (unsigned long long)r->range.last));
	set_number(out, "after", (double)r->after);
	if (r->count != DS_FOREVER)
		json_object_set_new(out, "count", json_integer((json_int_t)r->count));
	if (r->probability < 1000000)
		json_object_set_new(out, "probability", json_real((double)r->probability / 1e6));
	if (r->until > now)
		set_number(out, "for_ms", (double)(r->until - now) / 1e6);
	if (r->action == FAULT_ANSWER || r->refuse)
		set_number(out, "status", r->status);
	set_number(out, "retry_after", r->retry_after);
	set_number(out, "delay_ms", (double)r->delay_ns / 1e6);
	if (r->has_bytes)
		json_object_set_new(out, "bytes", json_integer((json_int_t)r->bytes));
	set_number(out, "median_ms", r->median_ms);
	set_number(out, "p99_ms", r->p99_ms);
	set_number(out, "ops", r->ops_rate);
	set_number(out, "bytes_per_second", r->bytes_rate);
	set_number(out, "ahead", (double)r->ahead_s);
	set_number(out, "behind", -(double)r->ahead_s);
	if (r->refuse)
		json_object_set_new(out, "refuse", json_true());
	json_object_set_new(out, "hits", json_integer((json_int_t)r->hits));
	return out;
}
