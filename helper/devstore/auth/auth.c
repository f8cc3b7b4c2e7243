// SPDX-License-Identifier: MIT
#include "devstore/auth/auth.h"

#include <errno.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include "lib/base64.h"
#include "lib/date.h"

#define MAX_SKEW (15 * 60 * DATE_TICKS)

/* --- accounts ---------------------------------------------------------------- */

static int set_key(struct ds_account *account, const void *key, size_t len)
{
	EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA256", 0),
		OSSL_PARAM_construct_end(),
	};

	account->mac = hmac ? EVP_MAC_CTX_new(hmac) : NULL;
	EVP_MAC_free(hmac);
	if (!account->mac)
		return -ENOMEM;
	return EVP_MAC_init(account->mac, key, len, params) ? 0 : -EIO;
}

int ds_accounts_init(struct ds_accounts *a)
{
	unsigned char key[64];

	*a = (struct ds_accounts){ 0 };
	if (RAND_bytes(key, sizeof(key)) != 1)
		return -EIO;
	return set_key(&a->nobody, key, sizeof(key));
}

void ds_accounts_free(struct ds_accounts *a)
{
	for (size_t i = 0; i < a->count; i++)
		EVP_MAC_CTX_free(a->account[i].mac);
	EVP_MAC_CTX_free(a->nobody.mac);
	text_free(&a->string);
	a->count = 0;
}

static struct ds_account *find(struct ds_accounts *a, const char *name)
{
	for (size_t i = 0; i < a->count; i++)
		if (!strcmp(a->account[i].name, name))
			return &a->account[i];
	return NULL;
}

int ds_accounts_add(struct ds_accounts *a, const char *name, const char *key)
{
	struct ds_account *account = &a->account[a->count];
	unsigned char raw[256];
	size_t len = strlen(name);
	ssize_t n;
	int err;

	if (len < 3 || len >= sizeof(account->name) ||
	    strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789") != len)
		return -EINVAL;
	if (find(a, name))
		return -EEXIST;
	if (a->count == DS_MAX_ACCOUNTS)
		return -ENOSPC;
	n = base64_decode(key, strlen(key), raw, sizeof(raw));
	if (n <= 0)
		return -EINVAL;
	err = set_key(account, raw, (size_t)n);
	OPENSSL_cleanse(raw, sizeof(raw));
	if (err)
		return err;
	memcpy(account->name, name, len + 1);
	a->count++;
	return 0;
}

bool ds_account_mac(struct ds_account *account, const struct text *s, unsigned char mac[DS_MAC])
{
	size_t len;

	/* Without a key: the one that it has. */
	return !s->failed && EVP_MAC_init(account->mac, NULL, 0, NULL) &&
	       EVP_MAC_update(account->mac, (const unsigned char *)s->s, s->len) &&
	       EVP_MAC_final(account->mac, mac, &len, DS_MAC) && len == DS_MAC;
}

bool ds_account_signed(struct ds_accounts *a, struct ds_account *account, const char *signature)
{
	unsigned char given[DS_MAC], mac[DS_MAC];

	if (base64_decode(signature, strlen(signature), given, sizeof(given)) != DS_MAC)
		return false;
	return ds_account_mac(account, &a->string, mac) && !CRYPTO_memcmp(given, mac, DS_MAC);
}

/* --- SharedKey: the string to sign ----------------------------------------------- */

/*
 * The documentation and the service's clients leave three things open; what any
 * of them makes is accepted.
 */
enum variant {
	CULTURE_ORDER = 1, /* headers in .NET's order of names, which passes over dashes */
	DATE_TOO = 2, /* Date is signed though there is x-ms-date */
	SINGLE_SPACES = 4, /* linear white space within values is one space */
	VARIANTS = 8,
};

/* What .NET's invariant culture gives characters of header names; 0 is passed
 * over. */
static unsigned int weight(char c)
{
	static const char punctuation[] = "_!#%&*+.`|~$^";
	const char *p;

	if (c >= 'a' && c <= 'z')
		return 200u + (unsigned int)(c - 'a');
	if (c >= '0' && c <= '9')
		return 100u + (unsigned int)(c - '0');
	p = c ? strchr(punctuation, c) : NULL;
	return p ? 1u + (unsigned int)(p - punctuation) : 0;
}

static int compare_culture(const char *a, const char *b)
{
	const char *p = a, *q = b;

	for (;;) {
		while (*p && !weight(*p))
			p++;
		while (*q && !weight(*q))
			q++;
		if (!*p || !*q || weight(*p) != weight(*q))
			break;
		p++;
		q++;
	}
	if (!*p && !*q)
		return strcmp(a, b);
	return *p && (!*q || weight(*p) > weight(*q)) ? 1 : -1;
}

/* By insertion: clients send them nearly in order. */
static bool sort_headers(struct ds_request *r, int (*compare)(const char *, const char *))
{
	bool changed = false;

	for (size_t i = 1; i < r->ms_count; i++) {
		struct ds_ms p = r->ms[i];
		size_t at = i;

		for (; at && compare(r->ms[at - 1].name, p.name) > 0; at--)
			r->ms[at] = r->ms[at - 1];
		changed |= at != i;
		r->ms[at] = p;
	}
	return changed;
}

static void add_value(struct text *t, const char *v, bool squeeze)
{
	if (!squeeze) {
		text_add(t, v);
		return;
	}
	while (*v) {
		size_t blank = strspn(v, " \t");
		size_t other = strcspn(v + blank, " \t");

		if (blank)
			text_addn(t, " ", 1);
		text_addn(t, v + blank, other);
		v += blank + other;
	}
}

static void add_headers(struct text *t, const struct ds_request *r, bool squeeze)
{
	for (size_t i = 0; i < r->ms_count; i++) {
		text_add(t, r->ms[i].name);
		text_addn(t, ":", 1);
		add_value(t, r->ms[i].value, squeeze);
		text_addn(t, "\n", 1);
	}
}

static void add_line(struct text *t, const char *v)
{
	if (v)
		text_add(t, v);
	text_addn(t, "\n", 1);
}

static void add_date(struct text *t, const struct ds_request *r, unsigned int variant)
{
	bool both = r->header[H_MS_DATE] && !(variant & DATE_TOO);

	add_line(t, both ? NULL : r->header[H_DATE]);
}

static const char *length_to_sign(const struct ds_request *r)
{
	const char *length = r->header[H_CONTENT_LENGTH];
	const char *version = r->header[H_MS_VERSION];

	if (length && !strcmp(length, "0") && !(version && strcmp(version, "2015-02-21") < 0))
		return NULL;
	return length;
}

/* "Constructing the signature string", and for path-style URIs of "Constructing
 * the canonicalized resource string": the account is there twice. */
static void string_to_sign(struct text *t, const struct ds_request *r, unsigned int variant)
{
	static const enum ds_header rest[] = { H_IF_MODIFIED_SINCE, H_IF_MATCH, H_IF_NONE_MATCH,
					       H_IF_UNMODIFIED_SINCE, H_RANGE };

	text_reset(t);
	add_line(t, r->verb);
	add_line(t, r->header[H_CONTENT_ENCODING]);
	add_line(t, r->header[H_CONTENT_LANGUAGE]);
	add_line(t, length_to_sign(r));
	add_line(t, r->header[H_CONTENT_MD5]);
	add_line(t, r->header[H_CONTENT_TYPE]);
	add_date(t, r, variant);
	for (size_t i = 0; i < sizeof(rest) / sizeof(*rest); i++)
		add_line(t, r->header[rest[i]]);
	add_headers(t, r, variant & SINGLE_SPACES);
	text_addn(t, "/", 1);
	text_add(t, r->account);
	text_add(t, r->path);
	for (size_t i = 0; i < r->queries; i++) {
		text_addn(t, "\n", 1);
		text_add(t, r->query[i].name);
		text_addn(t, ":", 1);
		text_add(t, r->query[i].value);
	}
}

static void string_to_sign_lite(struct text *t, const struct ds_request *r, unsigned int variant)
{
	const char *comp = ds_query(r, "comp");

	text_reset(t);
	add_line(t, r->verb);
	add_line(t, r->header[H_CONTENT_MD5]);
	add_line(t, r->header[H_CONTENT_TYPE]);
	add_date(t, r, variant);
	add_headers(t, r, variant & SINGLE_SPACES);
	text_addn(t, "/", 1);
	text_add(t, r->account);
	text_add(t, r->path);
	if (comp) {
		text_add(t, "?comp=");
		text_add(t, comp);
	}
}

static bool has_runs_of_space(const struct ds_request *r)
{
	for (size_t i = 0; i < r->ms_count; i++)
		if (strstr(r->ms[i].value, "  ") || strchr(r->ms[i].value, '\t'))
			return true;
	return false;
}

static bool signature_matches(struct ds_accounts *a, struct ds_account *account,
			      struct ds_request *r, const char *signature, bool lite)
{
	unsigned int possible = 0;
	bool culture = false;

	if (r->header[H_MS_DATE] && r->header[H_DATE])
		possible |= DATE_TOO;
	if (has_runs_of_space(r))
		possible |= SINGLE_SPACES;
	sort_headers(r, strcmp);
	for (unsigned int v = 0; v < VARIANTS; v++) {
		if ((v & ~(possible | CULTURE_ORDER)) != 0)
			continue;
		if ((v & CULTURE_ORDER) != (culture ? CULTURE_ORDER : 0)) {
			culture = !culture;
			/* The same order: the same string. */
			if (!sort_headers(r, culture ? compare_culture : strcmp) && culture)
				continue;
		}
		(lite ? string_to_sign_lite : string_to_sign)(&a->string, r, v);
		if (ds_account_signed(a, account, signature))
			return true;
	}
	sort_headers(r, strcmp);
	(lite ? string_to_sign_lite : string_to_sign)(&a->string, r, 0);
	return false;
}

/* --- SharedKey: the check ---------------------------------------------------------- */

static enum ds_err check_date(struct ds_accounts *a, struct ds_request *r, int64_t now)
{
	const char *text = r->header[H_MS_DATE] ? r->header[H_MS_DATE] : r->header[H_DATE];
	int64_t date;

	if (!text) {
		a->detail = "The request has neither x-ms-date nor Date.";
		return ERR_AuthenticationFailed;
	}
	if (!date_parse_http(text, &date)) {
		a->detail = "The Date header in the request is incorrect.";
		return ERR_AuthenticationFailed;
	}
	if (date < now - MAX_SKEW || date > now + MAX_SKEW) {
		a->detail = ds_arena_printf(&r->arena, "Request date header too old: '%s'", text);
		return ERR_AuthenticationFailed;
	}
	return DS_OK;
}

static enum ds_err check_key(struct ds_accounts *a, struct ds_account *account,
			     struct ds_request *r, const char *credentials, bool lite, int64_t now)
{
	const char *colon = strchr(credentials, ':');
	size_t len;

	if (!colon || strchr(colon, ' ')) {
		a->detail = NULL;
		return ERR_InvalidAuthenticationInfo;
	}
	len = (size_t)(colon - credentials);
	/* Another account's key is none of this one. */
	if (strlen(r->account) != len || memcmp(r->account, credentials, len) != 0)
		account = &a->nobody;
	if (!signature_matches(a, account, r, colon + 1, lite)) {
		a->detail = ds_arena_printf(
			&r->arena,
			"The MAC signature found in the HTTP request is not the same as any "
			"computed signature. Server used following string to sign: '%s'.",
			a->string.failed ? "" : a->string.s);
		return ERR_AuthenticationFailed;
	}
	return check_date(a, r, now);
}

enum ds_err ds_authorize(struct ds_accounts *a, struct ds_request *r, const struct ds_need *need,
			 ds_policy_fn policy, void *arg, int64_t now, struct ds_grant *grant)
{
	const char *header = r->header[H_AUTHORIZATION];
	struct ds_account *account = r->account ? find(a, r->account) : NULL;

	*grant = (struct ds_grant){ 0 };
	a->detail = NULL;
	if (!account)
		account = &a->nobody;
	if (!r->account)
		return ERR_InvalidUri;
	if (header && !strncmp(header, "SharedKey ", 10))
		return check_key(a, account, r, header + 10, false, now);
	if (header && !strncmp(header, "SharedKeyLite ", 14))
		return check_key(a, account, r, header + 14, true, now);
	if (header) {
		a->detail = "Only SharedKey and shared access signatures are supported here.";
		return ERR_AuthenticationFailed;
	}
	if (ds_query(r, "sig"))
		return ds_sas_check(a, account, r, need, policy, arg, now, grant);
	a->detail = "The request has neither an Authorization header nor a signature.";
	return ERR_AuthenticationFailed;
}
