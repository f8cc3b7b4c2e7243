/* SPDX-License-Identifier: MIT */
/*
 * faults.h - faults on demand, and the counters of what was asked
 *
 * Rules say which calls something goes wrong with, and what.  All rules that match
 * a call make its plan together: their delays add up; if they would end the call in
 * different ways, the first rule decides.  Pure: time and chance are passed in.
 */
#ifndef DEVSTORE_FAULTS_H
#define DEVSTORE_FAULTS_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "devstore/service/call.h"

/* X(name, spelling) */
#define DS_ACTIONS(X)                                                                      \
	X(REFUSE, "refuse") /* listen no more, reset what is connected: an outage */       \
	X(RESET, "reset") /* when the request (or, with op connect, the client) arrives */ \
	X(ANSWER, "answer") /* this status, without doing it */                            \
	X(DELAY, "delay") /* before it is done */                                          \
	X(LOSE, "lose") /* do it, and let the answer be lost */                            \
	X(LATE, "late") /* do it after the delay, for a client that has given up */        \
	X(TRUNCATE, "truncate") /* fewer bytes than were asked for, in good form */        \
	X(CORRUPT, "corrupt") /* one bit of the body */                                    \
	X(HANGUP, "hangup") /* in the middle of the body, whichever way it goes */         \
	X(THROTTLE, "throttle") /* so many operations or bytes a second */                 \
	X(LATENCY, "latency") /* lognormal */                                              \
	X(CLOCK, "clock") /* the service's is wrong, for all calls */                      \
	X(EXPIRE_LEASE, "expire-lease") /* before it is done */                            \
	X(BREAK_LEASE, "break-lease") /* by a third party */                               \
	X(STEAL_LEASE, "steal-lease") /* broken, and acquired by a third party */

enum ds_action {
#define X(name, spelling) FAULT_##name,
	DS_ACTIONS(X)
#undef X
		DS_ACTION_COUNT
};

#define DS_MAX_RULES 64
#define DS_FOREVER UINT64_MAX
#define DS_PATTERN 256

struct ds_rule {
	unsigned int id;
	enum ds_action action;
	/* Which calls: "" is all; an operation's or class's name, or "connect". */
	char op[32];
	char blob[DS_PATTERN]; /* "container/blob", with * and ?; "" is all */
	bool has_range;
	struct ds_range range;
	uint64_t after; /* as many are spared first */
	uint64_t count; /* as many are hit then; DS_FOREVER */
	uint64_t probability; /* of being hit, in millionths */
	uint64_t until; /* loop_now() when it ends by itself; 0: never */

	unsigned int status, retry_after; /* of answer; and of throttle that refuses */
	uint64_t delay_ns;
	uint64_t bytes; /* of hangup and truncate: so many are let through */
	bool has_bytes;
	double median_ms, p99_ms;
	double ops_rate, bytes_rate; /* of throttle; 0: not limited */
	int64_t ahead_s; /* of clock */
	bool refuse; /* throttle: 503 instead of waiting */

	uint64_t ops_due, bytes_due; /* when what was let through is due, ns */
	uint64_t hits;
};

/* What shall happen to one call. */
struct ds_plan {
	bool reset; /* at once */
	unsigned int status, retry_after; /* instead of doing it */
	bool timed_out; /* status 500 is OperationTimedOut */
	uint64_t delay; /* before it is done, ns */
	bool lose; /* its answer */
	uint64_t hold; /* how long the client is left waiting for it, ns */
	bool truncate, corrupt, hangup;
	bool has_bytes;
	uint64_t bytes;
	bool expire_lease, break_lease, steal_lease;
};

struct ds_count {
	uint64_t calls, failed, bytes_in, bytes_out;
};

struct ds_faults {
	struct ds_rule rule[DS_MAX_RULES];
	size_t rules;
	unsigned int last_id;
	uint64_t seed; /* of chance */
	struct ds_count op[DS_OP_COUNT];
	uint64_t status[6]; /* by its first digit; 0: none was sent */
	uint64_t connections, dropped; /* of clients; for being slow */
	struct ds_limits *limits; /* of a profile (profile.h), or NULL */
};

/* What a rule is matched with. */
struct ds_event {
	enum ds_op op;
	bool connect; /* a client connects; there is no operation yet */
	const char *container, *blob; /* may be NULL */
	bool has_range;
	struct ds_range range;
	uint64_t bytes; /* that the call moves, as far as is known */
};

void ds_faults_init(struct ds_faults *f, uint64_t seed);

/* The plan for a call; {0} where nothing matches. */
void ds_faults_match(struct ds_faults *f, const struct ds_event *e, uint64_t now,
		     struct ds_plan *plan);
/* Whether there is an outage just now. */
bool ds_faults_refusing(const struct ds_faults *f, uint64_t now);
/* By how many seconds the service's clock is ahead of the machine's just now. */
int64_t ds_faults_clock(const struct ds_faults *f, uint64_t now);
/* When an outage may begin or end by itself; 0: never. */
uint64_t ds_faults_next(const struct ds_faults *f, uint64_t now);

/* A rule as JSON gives it; 0, or -EINVAL with a sentence in @why. */
int ds_rule_parse(const json_t *in, uint64_t now, struct ds_rule *rule, char *why, size_t len);
json_t *ds_rule_json(const struct ds_rule *rule, uint64_t now);

int ds_faults_add(struct ds_faults *f, struct ds_rule *rule); /* sets its id; -ENOSPC */
/* @id 0: all; the number of those removed. */
size_t ds_faults_clear(struct ds_faults *f, unsigned int id);

void ds_faults_count(struct ds_faults *f, enum ds_op op, unsigned int status, uint64_t in,
		     uint64_t out);
json_t *ds_faults_counters(const struct ds_faults *f);

#endif
