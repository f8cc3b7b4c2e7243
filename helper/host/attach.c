// SPDX-License-Identifier: MIT
/*
 * From URL to device.  Two mounts of one URL at a time take turns, so that what is
 * seen here stays as it is:
 *
 *	not there		an agent, whose helper makes the drive
 *	fenced			taken away first, as unmount --force does
 *	no agent, no helper	an agent, whose helper adopts the drive
 *	no agent, a helper	an agent, which becomes that helper's
 *	an agent		the drive is answered as it is, if it works; of what was
 *				asked for only another SAS changes it
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/lock.h"
#include "command/message.h"
#include "host/cached.h"
#include "host/detach.h"
#include "host/drives.h"
#include "host/helper.h"
#include "host/mount.h"
#include "host/mounts.h"
#include "lib/base64.h"
#include "lib/runtime.h"

#define HELPER_S 30 /* for an agent to bring its helper back */
#define RESPONSE_MS 10000 /* of a helper */
#define LIVE_S 3 /* for one that is just getting over something */
#define LIVE_SAS_S 15 /* and with a SAS that it has just been given */
#define AGAIN_US 50000

/* --- by an agent of ours -------------------------------------------------------------- */

static void add_credential(json_t *o, const struct az_credential *cred)
{
	char key[BASE64_SIZE(sizeof(cred->key))];

	if (cred->kind == AZ_CREDENTIAL_SAS) {
		json_object_set_new(o, "sas", json_string(cred->sas));
		return;
	}
	base64_encode(cred->key, cred->key_len, key);
	json_object_set_new(o, "key", json_string(key));
	explicit_bzero(key, sizeof(key));
}

/* @how: NULL, "adopt" or "join" the drive @index. */
static json_t *request_new(const struct mount *m, const char *how, unsigned int index)
{
	json_t *o;

	o = json_pack("{s:s, s:b, s:b, s:I, s:I, s:b}", "url", m->session.text, "read_only",
		      m->read_only, "force", m->force && !how, "connections",
		      (json_int_t)m->connections, "lifetime", (json_int_t)m->lifetime, "foreground",
		      m->foreground);
	add_credential(o, &m->session.cred);
	if (m->park_limit != PARK_LIMIT_UNSET)
		json_object_set_new(o, "park_limit", json_integer((json_int_t)m->park_limit));
	if (how)
		json_object_set_new(o, how, json_integer(index));
	else
		cached_request(m, o);
	return o;
}

/* *@lost: it is there, but turned out to be another's by now. */
static int start(struct mount *m, const char *how, unsigned int index, bool *lost)
{
	json_t *request, *response;
	const char *why;
	int status;

	if (m->no_credential)
		return fail(EXIT_DENIED, "%s: %s", m->session.text, m->why);
	request = request_new(m, how, index);
	status = agent_start(&m->agent, request, m->foreground);
	json_decref(request);
	if (!status)
		status = agent_wait(&m->agent, &response);
	if (status)
		return status;
	m->index = (unsigned int)json_integer_value(json_object_get(response, "index"));
	m->was_there = how != NULL;
	why = json_string_value(json_object_get(response, "fenced"));
	*lost = why != NULL;
	if (why)
		note("%s: /dev/cdrive%u is lost: %s", m->session.text, m->index, why);
	json_decref(response);
	return EXIT_OK;
}

/*
 * A drive that is fenced for want of a helper may have the blob's lease still, which
 * would be in our own way for up to a minute.  Its device is gone by now: nothing can
 * come of it any more.  It is no error if another has the lease, or nobody.
 */
static void release_lease(struct mount *m, const char *lease_id)
{
	struct az_blob blob = { .url = &m->session.url, .cred = &m->session.cred };
	struct az_sync sync = { 0 };
	struct az_call *call;

	if (m->no_credential || strlen(lease_id) >= sizeof(blob.lease_id) ||
	    session_connect(&m->session))
		return;
	memcpy(blob.lease_id, lease_id, strlen(lease_id) + 1);
	call = az_lease(m->session.client, &blob, AZ_LEASE_RELEASE, 0, az_sync_done, &sync);
	if (call)
		az_sync_wait(m->session.loop, &sync);
}

/* A mount never answers with a drive that does not work.  What it has lost is said. */
static int take_away(struct mount *m, unsigned int index)
{
	struct driver_drive d;
	bool orphan = !driver_query(index, &d) && !d.helper_pid;
	bool gone;
	int status = detach_index(index, true, &gone);

	agent_forget(&m->agent);
	if (gone && orphan && d.memory.lease_id[0])
		release_lease(m, d.memory.lease_id);
	if (gone)
		note("%s: /dev/cdrive%u was fenced, and was taken away; the blob is mounted afresh",
		     m->session.text, index);
	return gone ? EXIT_OK : status;
}

/* --- one that has an agent -------------------------------------------------------------- */

static int exchange(unsigned int index, json_t *request, json_t **response)
{
	int err = runtime_request(index, request, response, RESPONSE_MS);

	json_decref(request);
	return err;
}

/* What the helper says of itself; its agent brings one back, if need be. */
static int request_status(const struct mount *m, unsigned int index, json_t **response, bool *lost)
{
	uint64_t end = loop_now() + LOOP_SEC(HELPER_S);
	struct driver_drive d;
	int err;

	*response = NULL;
	do {
		err = driver_query(index, &d);
		if (err)
			return fail(EXIT_FAILED, "%s: /dev/cdrive%u: %s; try again",
				    m->session.text, index, strerror(-err));
		*lost = d.state == CDRIVE_STATE_FENCED;
		if (*lost)
			return EXIT_OK;
		err = exchange(index, json_pack("{s:s}", "command", "status"), response);
		if (!err || err == -ETIMEDOUT)
			break;
		usleep(AGAIN_US);
	} while (loop_now() < end);
	if (err)
		return fail(
			d.helper_pid ? EXIT_FAILED : EXIT_UNREACHABLE,
			"%s: is /dev/cdrive%u, whose helper %s; see the system log (journalctl -t clouddrive-agent)",
			m->session.text, index,
			d.helper_pid ? "does not answer" :
				       "is gone and could not be brought back yet");
	return fail_response(*response);
}

static struct az_call *start_properties(struct session *s, struct az_sync *sync, void *arg)
{
	(void)arg;
	return az_get_properties(s->client, &s->blob, az_sync_done, sync);
}

/* Once the service has accepted it. */
static int hand_in(struct mount *m, unsigned int index)
{
	struct az_sync sync;
	json_t *response;
	int err, status;

	status = session_connect(&m->session);
	if (!status)
		status = session_call(&m->session, start_properties, NULL, &sync);
	if (status)
		return status;
	err = exchange(index,
		       json_pack("{s:s, s:s}", "command", "credential", "sas", m->session.cred.sas),
		       &response);
	if (err)
		return fail(EXIT_FAILED,
			    "%s: /dev/cdrive%u: its helper does not take the SAS: %s; try again",
			    m->session.text, index, strerror(-err));
	status = fail_response(response);
	json_decref(response);
	return status;
}

static int not_live(const struct mount *m, unsigned int index, const json_t *response)
{
	const char *error = json_string_value(json_object_get(response, "last_error"));

	return fail(
		EXIT_UNREACHABLE,
		"%s: is /dev/cdrive%u, whose requests wait or fail: %s; see clouddrivectl status %s",
		m->session.text, index, error && *error ? error : "the service can't be reached",
		m->session.text);
}

static int wait_until_live(const struct mount *m, unsigned int index, unsigned int seconds,
			   bool *lost)
{
	uint64_t end = loop_now() + LOOP_SEC(seconds);
	int status;

	for (;;) {
		const char *state;
		json_t *response;

		status = request_status(m, index, &response, lost);
		state = json_string_value(json_object_get(response, "state"));
		if (!status && !*lost && state) {
			*lost = !strcmp(state, "fenced");
			if (!*lost && strcmp(state, "live") != 0)
				status = -EAGAIN;
		}
		if (status == -EAGAIN && loop_now() >= end)
			status = not_live(m, index, response);
		json_decref(response);
		if (status != -EAGAIN)
			return status;
		usleep(AGAIN_US);
	}
}

static int use(struct mount *m, unsigned int index, const struct agent_info *agent, bool *lost)
{
	bool sas = !m->no_credential && m->session.cred.kind == AZ_CREDENTIAL_SAS &&
		   !agent->has_key;
	json_t *response;
	int status;

	status = request_status(m, index, &response, lost);
	json_decref(response);
	if (!status && !*lost && sas)
		status = hand_in(m, index);
	if (!status && !*lost)
		status = wait_until_live(m, index, sas ? LIVE_SAS_S : LIVE_S, lost);
	m->index = index;
	m->was_there = true;
	return status;
}

/* --- what is there already --------------------------------------------------------------- */

static int elsewhere(const struct mount *m, unsigned int index, const char *how)
{
	return fail(
		EXIT_BUSY,
		"%s: already mounted on this machine as /dev/cdrive%u%s; use it there, or unmount it first",
		m->session.text, index, how);
}

/* Whether it is what was asked for. */
static int check_same(const struct mount *m, const struct drive *d)
{
	char how[PATH_MAX + 8] = "";
	bool same = !m->dir[0];
	struct mounts at;
	size_t i;

	if (m->read_only != d->driver.read_only)
		return elsewhere(m, d->driver.index,
				 m->read_only ? ", to be written to" : ", read-only");
	if (mounts_of(d->driver.index, &at))
		return fail(EXIT_FAILED, "out of memory");
	for (i = 0; i < at.count && !same; i++)
		same = !strcmp(at.dirs[i], m->dir);
	if (!same && at.count)
		snprintf(how, sizeof(how), " at %s", at.dirs[0]);
	same = same || !at.count;
	mounts_free(&at);
	return same ? EXIT_OK : elsewhere(m, d->driver.index, how);
}

static int attach_there(struct mount *m, const struct drive *d, bool *lost)
{
	struct driver_drive now = d->driver;
	unsigned int index = now.index;
	struct agent_info agent;
	int status;

	*lost = d->driver.state == CDRIVE_STATE_FENCED;
	if (*lost)
		return EXIT_OK;
	status = check_same(m, d);
	if (status)
		return status;
	helper_end_deaf(&now, NULL);
	helper_agent(&now, &agent);
	if (!agent.alive)
		return start(m, now.helper_pid ? "join" : "adopt", index, lost);
	if (m->several)
		return elsewhere(m, index, "");
	return use(m, index, &agent, lost);
}

/* *@again: what was there is gone now. */
static int try_attach(struct mount *m, bool *again)
{
	struct drives drives;
	bool lost = false;
	struct drive *d;
	unsigned int index;
	int status;

	*again = false;
	status = drives_load(&drives);
	if (status)
		return status;
	d = drives_by_url(&drives, &m->session.url);
	index = d ? d->driver.index : 0;
	if (d)
		status = attach_there(m, d, &lost);
	else if (drives.count == CDRIVE_MAX_DRIVES)
		status = fail(EXIT_FAILED,
			      "%s: all %d drives of this machine are in use; unmount one first",
			      m->session.text, CDRIVE_MAX_DRIVES);
	else
		status = cached_check(m);
	if (!status && !d)
		status = start(m, NULL, 0, &lost);
	drives_free(&drives);
	if (!status && lost) {
		*again = true;
		return take_away(m, d ? index : m->index);
	}
	return status;
}

static int attach_twice(struct mount *m)
{
	bool again;
	int status;

	status = try_attach(m, &again);
	if (!status && again)
		status = try_attach(m, &again);
	if (!status && again)
		status = fail(EXIT_FAILED,
			      "%s: is lost as soon as it is mounted; see the system log",
			      m->session.text);
	return status;
}

int attach(struct mount *m)
{
	int status = cached_begin(m);

	if (!status)
		status = attach_twice(m);
	if (!status && m->was_there)
		status = cached_change(m);
	cached_end(m);
	return status;
}
