/* SPDX-License-Identifier: MIT */
/*
 * fake_azure.h - calls of the service that end when the test says so, and how
 *
 * Stands in for helper/azure/blob.c and client.c in a program that includes it:
 * a call that is started is put on a list, with all that it was started with,
 * until the test answers it or it is cancelled.
 */
#ifndef UNIT_FAKE_AZURE_H
#define UNIT_FAKE_AZURE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "azure/blob.h"
#include "azure/client.h"

#include "fake_loop.h"

#define FAKE_BODY 8192u

enum fake_kind { FAKE_PUT, FAKE_CLEAR, FAKE_GET, FAKE_RAISE, FAKE_LEASE, FAKE_PROPS, FAKE_RANGES };

struct az_call {
	enum fake_kind kind;
	struct az_client *client;
	uint64_t offset, len;
	uint64_t number; /* that a write names, or that is to be the number */
	enum az_lease_action action;
	int seconds;
	char lease_id[37];
	char if_match[64];
	struct az_source source;
	bool changed; /* it is not what it was at first */
	unsigned char body[FAKE_BODY]; /* as it was sent, as far as it fits */
	struct az_sink sink;
	void (*range)(void *arg, uint64_t offset, uint64_t len);
	az_done_fn done;
	void *arg;
	struct az_call *next;
};

static struct az_call *fake_calls; /* in flight, in order of their start */
static unsigned int fake_started, fake_in_flight;
static bool fake_no_memory; /* no call can be started */
static void (*fake_cancelled)(struct az_call *call); /* is told, and frees */

static void fake_azure_reset(void)
{
	while (fake_calls) {
		struct az_call *next = fake_calls->next;

		free(fake_calls);
		fake_calls = next;
	}
	fake_started = 0;
	fake_in_flight = 0;
	fake_no_memory = false;
	fake_cancelled = NULL;
}

static struct az_call *fake_start(enum fake_kind kind, const struct az_blob *b, az_done_fn done,
				  void *arg)
{
	struct az_call **p = &fake_calls;
	struct az_call *call;

	if (fake_no_memory)
		return NULL;
	call = calloc(1, sizeof(*call));
	if (!call)
		abort();
	call->kind = kind;
	call->done = done;
	call->arg = arg;
	memcpy(call->lease_id, b->lease_id, sizeof(call->lease_id));
	snprintf(call->if_match, sizeof(call->if_match), "%s", b->if_match ? b->if_match : "");
	while (*p)
		p = &(*p)->next;
	*p = call;
	fake_started++;
	fake_in_flight++;
	return call;
}

static struct az_call *fake_of(struct az_client *c, struct az_call *call)
{
	if (call)
		call->client = c;
	return call;
}

static void fake_unlink(struct az_call *call)
{
	struct az_call **p = &fake_calls;

	while (*p && *p != call)
		p = &(*p)->next;
	if (!*p)
		abort(); /* not in flight */
	*p = call->next;
	fake_in_flight--;
}

/* The first call of that kind in flight, or NULL. */
static inline struct az_call *fake_find(enum fake_kind kind)
{
	struct az_call *call = fake_calls;

	while (call && call->kind != kind)
		call = call->next;
	return call;
}

static void fake_answer(struct az_call *call, const struct az_result *res)
{
	fake_unlink(call);
	call->done(call->arg, res);
	free(call);
}

static inline void fake_ok(struct az_call *call)
{
	fake_answer(call, &(struct az_result){ 0 });
}

/* With the blob's sequence number as the service has it. */
static inline void fake_ok_number(struct az_call *call, uint64_t number)
{
	fake_answer(call, &(struct az_result){ .props = { .has_sequence_number = true,
							  .sequence_number = number } });
}

static struct az_result fake_error(enum az_class class, long http, const char *code)
{
	struct az_result res = { .err = { .class = class, .http = http } };

	res.err.sent = class != AZ_UNREACHABLE;
	snprintf(res.err.code, sizeof(res.err.code), "%s", code);
	return res;
}

static inline void fake_fail(struct az_call *call, enum az_class class, long http, const char *code)
{
	struct az_result res = fake_error(class, http, code);

	fake_answer(call, &res);
}

/* As the client does it: of a body that is another than at first nothing is sent, and the
 * call is to be ended by fake_changed(). */
static void fake_digest(struct az_call *call)
{
	struct az_digest now = { .sum = AZ_SUM_CRC64 }, *known = call->source.digest;
	unsigned char byte;

	for (uint64_t i = 0; known && i < call->len; i++) {
		uint64_t sum;

		if (call->source.memory)
			byte = ((const unsigned char *)call->source.memory)[i];
		else if (call->source.read(call->source.arg, &byte, 1, i))
			return;
		memcpy(&sum, now.bytes, sizeof(sum));
		if (i < FAKE_BODY)
			call->body[i] = byte;
		sum = (sum + byte) * 6364136223846793005ull + 1;
		memcpy(now.bytes, &sum, sizeof(sum));
	}
	if (known && known->sum)
		call->changed = memcmp(known, &now, sizeof(now));
	else if (known)
		*known = now;
}

static inline void fake_changed(struct az_call *call)
{
	struct az_result res = { .err = { .class = AZ_CHANGED } };

	if (!call->changed)
		abort();
	fake_answer(call, &res);
}

/* --- in place of the library ------------------------------------------------ */

struct az_call *az_put_page(struct az_client *c, const struct az_blob *b, uint64_t offset,
			    uint32_t len, uint64_t seq, const struct az_source *source,
			    az_done_fn done, void *arg)
{
	struct az_call *call = fake_of(c, fake_start(FAKE_PUT, b, done, arg));

	if (call) {
		call->offset = offset;
		call->len = len;
		call->number = seq;
		call->source = *source;
		fake_digest(call);
	}
	return call;
}

struct az_call *az_clear_pages(struct az_client *c, const struct az_blob *b, uint64_t offset,
			       uint64_t len, uint64_t seq, az_done_fn done, void *arg)
{
	struct az_call *call = fake_of(c, fake_start(FAKE_CLEAR, b, done, arg));

	if (call) {
		call->offset = offset;
		call->len = len;
		call->number = seq;
	}
	return call;
}

struct az_call *az_get_range(struct az_client *c, const struct az_blob *b, uint64_t offset,
			     uint32_t len, const struct az_sink *sink, az_done_fn done, void *arg)
{
	struct az_call *call = fake_of(c, fake_start(FAKE_GET, b, done, arg));

	if (call) {
		call->offset = offset;
		call->len = len;
		call->sink = *sink;
	}
	return call;
}

struct az_call *az_raise_sequence(struct az_client *c, const struct az_blob *b, uint64_t number,
				  az_done_fn done, void *arg)
{
	struct az_call *call = fake_of(c, fake_start(FAKE_RAISE, b, done, arg));

	if (call)
		call->number = number;
	return call;
}

struct az_call *az_lease(struct az_client *c, const struct az_blob *b, enum az_lease_action action,
			 int seconds, az_done_fn done, void *arg)
{
	struct az_call *call = fake_of(c, fake_start(FAKE_LEASE, b, done, arg));

	if (call) {
		call->action = action;
		call->seconds = seconds;
	}
	return call;
}

struct az_call *az_get_properties(struct az_client *c, const struct az_blob *b, az_done_fn done,
				  void *arg)
{
	return fake_of(c, fake_start(FAKE_PROPS, b, done, arg));
}

void az_call_cancel(struct az_call *call)
{
	fake_unlink(call);
	if (fake_cancelled)
		fake_cancelled(call);
	else
		free(call);
}

void az_sync_done(void *arg, const struct az_result *res)
{
	struct az_sync *s = arg;

	s->res = *res;
	s->done = true;
}

#endif
