// SPDX-License-Identifier: MIT
/*
 * sas.c - shared access signatures: making them, and looking at them
 *
 * See "Create a service SAS", "Create an account SAS", "Create a user delegation
 * SAS", "Define a stored access policy".
 */
#include "azure/sas.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "azure/sign.h"
#include "lib/date.h"
#include "lib/text.h"

/* From 2020-12-06 on the string to sign is the one below. */
#define SAS_VERSION "2021-08-06"

/* How much the service's clock may be behind ours. */
#define EARLIER_S 300

/* --- making --------------------------------------------------------------------- */

struct claims {
	const struct az_url *url;
	const char *permissions, *resource, *protocol;
	char start[DATE_SECONDS], expiry[DATE_SECONDS];
};

static void string_to_sign(struct text *t, const struct claims *c)
{
	const char *snapshot = c->url->snapshot;

	text_addf(t, "%s\n%s\n%s\n", c->permissions, c->start, c->expiry);
	/* The account is there once in either style of URL; names are decoded. */
	text_addf(t, "/blob/%s/%s/%s\n", c->url->account, c->url->container, c->url->blob);
	/* no identifier, no address */
	text_addf(t, "\n\n%s\n%s\n%s\n", c->protocol, SAS_VERSION, c->resource);
	text_addf(t, "%s\n", snapshot ? snapshot : "");
	/* no encryption scope, none of rscc, rscd, rsce, rscl, rsct */
	text_add(t, "\n\n\n\n\n");
}

static void add_parameter(struct text *t, const char *name, const char *value)
{
	text_addf(t, "%s%s=", t->len ? "&" : "", name);
	text_add_escaped(t, value, "");
}

static void write_query(struct text *t, const struct claims *c, const char *signature)
{
	add_parameter(t, "sv", SAS_VERSION);
	add_parameter(t, "spr", c->protocol);
	add_parameter(t, "st", c->start);
	add_parameter(t, "se", c->expiry);
	add_parameter(t, "sr", c->resource);
	add_parameter(t, "sp", c->permissions);
	add_parameter(t, "sig", signature);
}

char *az_sas_sign(const struct az_url *url, const struct az_credential *key,
		  const char *permissions, int64_t now, unsigned int lifetime_s)
{
	struct text string = { 0 }, query = { 0 };
	char signature[AZ_SIGNATURE];
	struct claims c = {
		.url = url,
		.permissions = permissions,
		.resource = url->snapshot ? "bs" : "b",
		.protocol = url->https ? "https" : "https,http",
	};

	if (key->kind != AZ_CREDENTIAL_KEY || !date_seconds(now - EARLIER_S, c.start) ||
	    !date_seconds(now + lifetime_s, c.expiry))
		return NULL;
	string_to_sign(&string, &c);
	if (!string.failed && !az_sign(key, &string, signature)) {
		write_query(&query, &c, signature);
		explicit_bzero(signature, sizeof(signature));
	}
	text_free(&string);
	if (query.failed)
		text_free(&query);
	return query.s;
}

/* --- looking -------------------------------------------------------------------- */

/* What a token says of itself; "" for what it does not say. */
struct token {
	char version[16], permissions[32], policy[260]; /* 64 characters of UTF-8 */
	char start[AZ_SAS_TIME], expiry[AZ_SAS_TIME];
	char key_start[AZ_SAS_TIME], key_expiry[AZ_SAS_TIME], protocol[16];
	char resource[8], depth[8], services[16], types[16];
};

struct check {
	struct token token;
	const struct az_url *url;
	const char *needed;
	int64_t now;
	char *why;
	size_t len;
};

__attribute__((format(printf, 2, 3))) static bool lacks(struct check *c, const char *fmt, ...)
{
	char line[400]; /* what a token says goes to a terminal: printable only */
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	text_copy(c->why, c->len, line, strlen(line));
	return false;
}

static bool read_token(struct check *c, const struct az_credential *sas)
{
	struct token *k = &c->token;
	const struct {
		const char *name;
		char *buf;
		size_t size;
	} fields[] = {
		{ "sv", k->version, sizeof(k->version) },
		{ "sp", k->permissions, sizeof(k->permissions) },
		{ "si", k->policy, sizeof(k->policy) },
		{ "st", k->start, sizeof(k->start) },
		{ "se", k->expiry, sizeof(k->expiry) },
		{ "skt", k->key_start, sizeof(k->key_start) },
		{ "ske", k->key_expiry, sizeof(k->key_expiry) },
		{ "spr", k->protocol, sizeof(k->protocol) },
		{ "sr", k->resource, sizeof(k->resource) },
		{ "sdd", k->depth, sizeof(k->depth) },
		{ "ss", k->services, sizeof(k->services) },
		{ "srt", k->types, sizeof(k->types) },
	};

	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++)
		if (az_credential_field(sas, fields[i].name, fields[i].buf, fields[i].size) < 0)
			return lacks(c,
				     "the SAS is malformed (%s); quote it whole, or make a new one",
				     fields[i].name);
	return true;
}

/* Users lose the end of a SAS that they do not quote, as it holds "&". */
static bool check_whole(struct check *c)
{
	const struct token *k = &c->token;
	const char *missing = NULL;

	if (!*k->version)
		missing = "its version (sv)";
	else if (!*k->resource && !*k->services)
		missing = "what it is for (sr, or ss and srt)";
	else if (!*k->policy && !*k->expiry)
		missing = "its end (se)";
	return missing ? lacks(c, "the SAS does not say %s; quote it whole, or make a new one",
			       missing) :
			 true;
}

/* One end of a token's time; @sign is 1 for a start, -1 for an end. */
static bool check_moment(struct check *c, const char *name, const char *text, int sign)
{
	int64_t when;

	if (!*text)
		return true;
	if (!az_credential_time(text, &when))
		return lacks(c, "the SAS has no time that can be read in %s; make a new one", name);
	if (sign > 0 && when > c->now)
		return lacks(
			c,
			"the SAS is not valid before %s (%s); set this machine's clock, or make a new one",
			text, name);
	if (sign < 0 && when <= c->now)
		return lacks(c, "the SAS expired at %s (%s); make a new one", text, name);
	return true;
}

static bool check_time(struct check *c)
{
	const struct token *k = &c->token;

	return check_moment(c, "st", k->start, 1) && check_moment(c, "se", k->expiry, -1) &&
	       check_moment(c, "skt", k->key_start, 1) && check_moment(c, "ske", k->key_expiry, -1);
}

/* Whether a directory @depth levels down may hold the blob. */
static bool deep_enough(const char *blob, const char *depth)
{
	uint64_t want, have = 0;

	if (!text_u64(depth, strlen(depth), &want))
		return true; /* the service will say */
	for (; *blob; blob++)
		have += *blob == '/';
	return have >= want;
}

static bool check_resource(struct check *c)
{
	const struct token *k = &c->token;
	const char *r = k->resource, *snapshot = c->url->snapshot;
	bool fits;

	if (!*r) {
		if (!strchr(k->services, 'b'))
			return lacks(
				c,
				"the SAS is not for the blob service (ss=%s); make one with ss=b",
				k->services);
		if (!strchr(k->types, 'o'))
			return lacks(c, "the SAS is not for objects (srt=%s); make one with srt=o",
				     k->types);
		return true;
	}
	fits = !strcmp(r, "c") || !strcmp(r, snapshot ? "bs" : "b") ||
	       (!strcmp(r, "d") && deep_enough(c->url->blob, k->depth));
	return fits ? true :
		      lacks(c,
			    "the SAS is for another kind of resource (sr=%s); make one with sr=%s",
			    r, snapshot ? "bs" : "b");
}

static void add_permission(struct text *t, char letter)
{
	static const char *const names[] = {
		['r'] = "read",	 ['a'] = "add",	   ['c'] = "create",
		['w'] = "write", ['d'] = "delete", ['l'] = "list",
	};
	size_t i = (unsigned char)letter;

	if (t->len)
		text_add(t, " and ");
	if (i < sizeof(names) / sizeof(*names) && names[i])
		text_add(t, names[i]);
	else
		text_addn(t, &letter, 1);
}

static bool check_permissions(struct check *c)
{
	const char *has = c->token.permissions;
	struct text missing = { 0 };
	int n = 0;

	/* A stored access policy may give them; only the service knows. */
	if (!*has && *c->token.policy)
		return true;
	for (const char *p = c->needed; *p; p++) {
		if (!strchr(has, *p)) {
			add_permission(&missing, *p);
			n++;
		}
	}
	if (n)
		lacks(c, "the SAS lacks the permission%s %s (sp=%s); make one with sp=%s",
		      n > 1 ? "s" : "", missing.failed ? "needed" : missing.s, has, c->needed);
	text_free(&missing);
	return !n;
}

static bool check_protocol(struct check *c)
{
	const char *spr = c->token.protocol;

	if (c->url->https || !*spr || strcmp(spr, "https") != 0)
		return true;
	return lacks(
		c,
		"the SAS is for https only (spr=%s), and the URL is http; use https, or make one with spr=https,http",
		spr);
}

int az_sas_check(const struct az_credential *sas, const struct az_url *url, const char *needed,
		 int64_t now, char *why, size_t len)
{
	struct check c = { .url = url, .needed = needed, .now = now, .why = why, .len = len };
	bool good;

	if (sas->kind != AZ_CREDENTIAL_SAS)
		return 0;
	good = read_token(&c, sas) && check_whole(&c) && check_time(&c) && check_resource(&c) &&
	       check_protocol(&c) && check_permissions(&c);
	return good ? 0 : -EACCES;
}
