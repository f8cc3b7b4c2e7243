// SPDX-License-Identifier: MIT
/*
 * sas.c - shared access signatures: "Create an account SAS", "Create a service
 * SAS", in the forms of the versions from 2015-04-05 on
 */
#include "devstore/auth/auth.h"

#include <arpa/inet.h>
#include <string.h>

#include "lib/date.h"

/* What a token says, from the query and, where that is silent, the policy. */
struct token {
	const char *version, *permissions, *start, *expiry, *ip, *protocol, *id, *signature;
	const char *resource; /* sr; NULL: an account SAS */
	int64_t from, until;
};

static const char *or_empty(const char *s)
{
	return s ? s : "";
}

static enum ds_err refuse(struct ds_accounts *a, const char *detail)
{
	a->detail = detail;
	return ERR_AuthenticationFailed;
}

static void add_line(struct text *t, const char *v)
{
	if (v)
		text_add(t, v);
	text_addn(t, "\n", 1);
}

static bool valid_version(const char *v)
{
	static const char form[] = "0000-00-00";

	if (!v || strlen(v) != sizeof(form) - 1)
		return false;
	for (size_t i = 0; form[i]; i++)
		if (form[i] == '-' ? v[i] != '-' : v[i] < '0' || v[i] > '9')
			return false;
	return strcmp(v, "2015-04-05") >= 0;
}

static void account_string(struct text *t, const struct ds_request *r, const struct token *k)
{
	text_reset(t);
	add_line(t, r->account);
	add_line(t, k->permissions);
	add_line(t, ds_query(r, "ss"));
	add_line(t, ds_query(r, "srt"));
	add_line(t, k->start);
	add_line(t, k->expiry);
	add_line(t, k->ip);
	add_line(t, k->protocol);
	add_line(t, k->version);
	if (strcmp(k->version, "2020-12-06") >= 0)
		add_line(t, ds_query(r, "ses"));
}

static void service_string(struct text *t, const struct ds_request *r, const struct token *k)
{
	text_reset(t);
	add_line(t, k->permissions);
	add_line(t, k->start);
	add_line(t, k->expiry);
	text_add(t, "/blob/");
	text_add(t, r->account);
	text_add(t, "/");
	text_add(t, r->container);
	if (strcmp(k->resource, "c") != 0) {
		text_add(t, "/");
		text_add(t, r->blob);
	}
	text_add(t, "\n");
	add_line(t, k->id);
	add_line(t, k->ip);
	add_line(t, k->protocol);
	add_line(t, k->version);
	if (strcmp(k->version, "2018-11-09") >= 0) {
		add_line(t, k->resource);
		add_line(t, strcmp(k->resource, "bs") ? NULL : ds_query(r, "snapshot"));
	}
	if (strcmp(k->version, "2020-12-06") >= 0)
		add_line(t, ds_query(r, "ses"));
	add_line(t, ds_query(r, "rscc"));
	add_line(t, ds_query(r, "rscd"));
	add_line(t, ds_query(r, "rsce"));
	add_line(t, ds_query(r, "rscl"));
	text_add(t, or_empty(ds_query(r, "rsct")));
}

static void read_token(const struct ds_request *r, struct token *k)
{
	*k = (struct token){
		.version = ds_query(r, "sv"),
		.permissions = ds_query(r, "sp"),
		.start = ds_query(r, "st"),
		.expiry = ds_query(r, "se"),
		.ip = ds_query(r, "sip"),
		.protocol = ds_query(r, "spr"),
		.id = ds_query(r, "si"),
		.resource = ds_query(r, "sr"),
	};
}

/* The signature is base64: whoever did not encode its '+' meant one. */
static const char *read_signature(struct ds_request *r)
{
	const char *sig = ds_query(r, "sig");
	char *s = ds_arena_copy(&r->arena, sig, strlen(sig));

	for (char *p = s; p && *p; p++)
		if (*p == ' ')
			*p = '+';
	return or_empty(s);
}

/* Whether the path is what sr says; the container's SAS is for all within. */
static bool resource_fits(const struct ds_request *r, const struct token *k,
			  const struct ds_need *need)
{
	bool snapshot = ds_query(r, "snapshot") != NULL;

	if (!r->container)
		return false;
	if (!strcmp(k->resource, "c"))
		return true;
	if (!r->blob)
		return false;
	if (!strcmp(k->resource, "bs"))
		return snapshot;
	/* Before 2018-11-09 a blob's was for its snapshots too. */
	return !strcmp(k->resource, "b") &&
	       (!snapshot || need->snapshot_of || strcmp(k->version, "2018-11-09") < 0);
}

/* --- what a right signature allows ------------------------------------------------ */

static bool merge_text(const char **field, const char *stored)
{
	if (*field && *stored)
		return false;
	if (*stored)
		*field = stored;
	return true;
}

/* A field stands in the token or in the policy, not in both. */
static bool merge_policy(struct token *k, const struct ds_policy *p)
{
	if ((k->start && p->start) || (k->expiry && p->expiry))
		return false;
	k->from = p->start;
	k->until = p->expiry;
	return merge_text(&k->permissions, p->permissions);
}

static enum ds_err check_time(struct ds_accounts *a, struct ds_request *r, struct token *k,
			      int64_t now)
{
	char from[DATE_HTTP] = "", until[DATE_HTTP], current[DATE_HTTP];

	if ((k->start && !date_parse_iso(k->start, &k->from)) ||
	    (k->expiry && !date_parse_iso(k->expiry, &k->until)) || !k->until)
		return refuse(a, "Signature fields not well formed.");
	if (now >= k->from && now < k->until)
		return DS_OK;
	if (k->from)
		date_http(k->from, from);
	date_http(k->until, until);
	date_http(now, current);
	return refuse(a, ds_arena_printf(&r->arena,
					 "Signature not valid in the specified time frame: Start "
					 "[%s] - Expiry [%s] - Current [%s]",
					 from, until, current));
}

/* "168.1.5.60" or "168.1.5.60-168.1.5.70". */
static bool ip_allowed(const char *range, const char *client)
{
	char first[INET_ADDRSTRLEN];
	const char *dash = strchr(range, '-');
	size_t len = dash ? (size_t)(dash - range) : strlen(range);
	struct in_addr from, to, addr;

	if (len >= sizeof(first))
		return false;
	memcpy(first, range, len);
	first[len] = '\0';
	if (inet_pton(AF_INET, first, &from) != 1 || inet_pton(AF_INET, client, &addr) != 1)
		return false;
	to = from;
	if (dash && inet_pton(AF_INET, dash + 1, &to) != 1)
		return false;
	return ntohl(addr.s_addr) >= ntohl(from.s_addr) && ntohl(addr.s_addr) <= ntohl(to.s_addr);
}

static enum ds_err check_origin(struct ds_accounts *a, const struct ds_request *r,
				const struct token *k)
{
	if (k->ip && *k->ip && !ip_allowed(k->ip, r->client))
		return ERR_AuthorizationSourceIPMismatch;
	if (!k->protocol || !*k->protocol || !strcmp(k->protocol, "https,http"))
		return DS_OK;
	if (strcmp(k->protocol, "https") != 0)
		return refuse(a, "Signature fields not well formed.");
	return r->https ? DS_OK : ERR_AuthorizationProtocolMismatch;
}

static bool any_of(const char *has, const char *needed)
{
	return *needed && strpbrk(has, needed);
}

static enum ds_err check_account(const struct ds_request *r, const struct token *k,
				 const struct ds_need *need)
{
	if (!strchr(or_empty(ds_query(r, "ss")), 'b'))
		return ERR_AuthorizationServiceMismatch;
	if (need->resource && !strchr(or_empty(ds_query(r, "srt")), need->resource))
		return ERR_AuthorizationResourceTypeMismatch;
	return any_of(k->permissions, need->account) ? DS_OK : ERR_AuthorizationPermissionMismatch;
}

bool ds_sas_permissions(const char *s)
{
	static const char ordered[] = "racwdxltmeop", others[] = "yif";
	const char *last = NULL;

	for (size_t i = 0; s[i]; i++) {
		const char *at = strchr(ordered, s[i]);

		if ((!at && !strchr(others, s[i])) || memchr(s, s[i], i))
			return false;
		if (at && last && at < last)
			return false;
		last = at ? at : last;
	}
	return true;
}

static void fill_grant(const struct ds_request *r, const struct token *k, struct ds_grant *grant)
{
	static const char *const names[] = { "rscc", "rscd", "rsce", "rscl", "rsct" };

	grant->sas = true;
	text_copy(grant->permissions, sizeof(grant->permissions), k->permissions,
		  strlen(k->permissions));
	for (size_t i = 0; k->resource && i < sizeof(names) / sizeof(*names); i++)
		grant->override[i] = ds_query(r, names[i]);
}

enum ds_err ds_sas_check(struct ds_accounts *a, struct ds_account *account, struct ds_request *r,
			 const struct ds_need *need, ds_policy_fn policy, void *arg, int64_t now,
			 struct ds_grant *grant)
{
	struct ds_policy stored;
	struct token k;
	enum ds_err err;

	read_token(r, &k);
	if (!valid_version(k.version) || ds_query(r, "skoid"))
		return refuse(a, "Signature fields not well formed.");
	if (k.resource && !resource_fits(r, &k, need))
		return refuse(a, "Signature fields not well formed.");
	if (k.resource && k.permissions && !ds_sas_permissions(k.permissions))
		return refuse(a, "Signature fields not well formed.");
	if (k.resource)
		service_string(&a->string, r, &k);
	else
		account_string(&a->string, r, &k);
	if (!ds_account_signed(a, account, read_signature(r)))
		return refuse(a, ds_arena_printf(&r->arena,
						 "Signature did not match. String to sign used was "
						 "%s",
						 a->string.failed ? "" : a->string.s));
	if (k.resource && k.id && *k.id) {
		if (!policy(arg, r->account, r->container, k.id, &stored) ||
		    !merge_policy(&k, &stored))
			return refuse(a, "Access policy fields can't be used with this token.");
	}
	if (!k.permissions)
		return refuse(a, "Signature fields not well formed.");
	err = check_time(a, r, &k, now);
	if (!err)
		err = check_origin(a, r, &k);
	if (!err && !k.resource)
		err = check_account(r, &k, need);
	else if (!err && !any_of(k.permissions, need->service))
		err = ERR_AuthorizationPermissionMismatch;
	if (!err)
		fill_grant(r, &k, grant);
	return err;
}
