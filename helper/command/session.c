// SPDX-License-Identifier: MIT
#include "command/session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "azure/retry_wait.h"
#include "command/message.h"
#include "command/options.h"

static int bad_url(const char *arg, const char *why)
{
	char *s = redacted(arg);
	int status;

	status = fail(EXIT_USAGE, "%s: %s; see clouddrivectl %s --help", s ? s : "URL", why,
		      command_verb);
	free(s);
	return status;
}

int session_url(struct session *s, const struct session_options *o)
{
	char why[256];
	int err;

	err = az_url_parse(o->url, &s->url, why, sizeof(why));
	if (err == -EINVAL)
		return bad_url(o->url, why);
	if (!err)
		s->text = az_url_text(&s->url);
	if (!s->text)
		return fail(EXIT_FAILED, "out of memory");
	if (s->url.snapshot && !o->snapshot)
		return fail(
			EXIT_USAGE,
			"%s: a snapshot, which can't be changed; give the URL of the blob itself",
			s->text);
	if (!s->url.https && !az_url_loopback(&s->url) && !o->allow_http)
		return fail(
			EXIT_USAGE,
			"%s: plain http shows the data to the network, and a SAS with it; use https, or --allow-http if that is meant",
			s->text);
	return EXIT_OK;
}

/* All that is wrong with a credential is status 4, before and after the
 * service was asked. */
int session_credential(struct session *s, const struct session_options *o)
{
	char why[256];
	int err;

	err = az_credential_load(&s->cred, &s->url, o->key_file, why, sizeof(why));
	if (err)
		return fail(EXIT_DENIED, "%s: %s", s->text, why);
	return EXIT_OK;
}

int session_connect(struct session *s)
{
	static const struct az_client_options options;

	if (s->client)
		return EXIT_OK;
	if (loop_new(&s->loop) || az_client_new(&s->client, s->loop, &options))
		return fail(EXIT_FAILED, "out of memory");
	s->blob.url = &s->url;
	s->blob.cred = &s->cred;
	return EXIT_OK;
}

int session_open(struct session *s, const struct session_options *o)
{
	int status;

	status = session_url(s, o);
	if (!status)
		status = session_credential(s, o);
	return status ? status : session_connect(s);
}

void session_close(struct session *s)
{
	if (s->client)
		az_client_free(s->client);
	if (s->loop)
		loop_free(s->loop);
	az_credential_free(&s->cred);
	az_url_free(&s->url);
	free(s->text);
	memset(s, 0, sizeof(*s));
}

/* The classes and codes that a user meets, in words; NULL: the bare text. */
static const char *in_words(const struct az_error *e)
{
	if (az_error_is(e, "ContainerNotFound"))
		return "no such container";
	if (az_error_is(e, "BlobNotFound"))
		return "no such blob";
	if (az_error_is(e, "BlobAlreadyExists"))
		return "exists already";
	if (az_error_is(e, "SnapshotsPresent"))
		return "has snapshots";
	if (!strncmp(e->code, "LeaseId", 7))
		return "leased by another client";
	switch (e->class) {
	case AZ_NOT_FOUND:
		return "not found";
	case AZ_DENIED:
		return "not authorised";
	case AZ_UNREACHABLE:
		return "the service can't be reached";
	case AZ_UNTRUSTED:
		return "the server's certificate is not trusted";
	case AZ_BUSY:
		return "the service is busy";
	default:
		return NULL;
	}
}

/* The verbs that change a blob from here have no --force. */
static const char *advice(const struct az_error *e)
{
	if (az_error_exit(e) == EXIT_LEASED)
		return "unmount it there, or wait until its lease has run out";
	return az_error_advice(e);
}

int session_fail(struct session *s, const struct az_error *e, const char *left)
{
	const char *words = in_words(e);
	const char *and = left ? ". " : "";
	char text[384];

	left = left ? left : "";
	/* Without an answer the class is all that the text would add. */
	if (words && !e->http && e->message[0])
		snprintf(text, sizeof(text), "%s", e->message);
	else
		az_error_text(e, text, sizeof(text));
	if (words)
		return fail(az_error_exit(e), "%s: %s (%s); %s%s%s", s->text, words, text,
			    advice(e), and, left);
	return fail(az_error_exit(e), "%s: %s; %s%s%s", s->text, text, advice(e), and, left);
}

int session_try(struct session *s, session_start start, void *arg, struct az_sync *sync,
		unsigned int *tries)
{
	struct retry r = { 0 };
	struct az_call *call;

	*tries = 0;
	do {
		*sync = (struct az_sync){ 0 };
		call = start(s, sync, arg);
		if (!call || az_sync_wait(s->loop, sync))
			return fail(EXIT_FAILED, "out of memory");
		++*tries;
	} while (retry_wait(&r, s->loop, &sync->res.err));
	return EXIT_OK;
}

int session_call(struct session *s, session_start start, void *arg, struct az_sync *sync)
{
	unsigned int tries;
	int status = session_try(s, start, arg, sync, &tries);

	if (!status && sync->res.err.class)
		status = session_fail(s, &sync->res.err, NULL);
	return status;
}
