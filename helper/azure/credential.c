// SPDX-License-Identifier: MIT
/*
 * credential.c - an account key or a SAS, and where they come from
 */
#include "azure/credential.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "lib/base64.h"
#include "lib/date.h"
#include "lib/text.h"

/* The emulator's account, whose key is public ("Use the Azurite emulator"). */
#define DEV_ACCOUNT "devstoreaccount1"
#define DEV_KEY                                                          \
	"Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq" \
	"/K1SZFPTOtr/KBHBeksoGMGw=="

enum { ENV_ACCOUNT, ENV_CONNECTION, ENV_KEY, ENV_SAS, ENV_COUNT };

static const char *const env_names[ENV_COUNT] = {
	"AZURE_STORAGE_ACCOUNT",
	"AZURE_STORAGE_CONNECTION_STRING",
	"AZURE_STORAGE_KEY",
	"AZURE_STORAGE_SAS_TOKEN",
};

struct load {
	struct az_credential *cred;
	const struct az_url *url;
	char *env[ENV_COUNT];
	char *why;
	size_t len;
};

static int fail(struct load *l, int err, const char *why)
{
	snprintf(l->why, l->len, "%s", why);
	return err;
}

int az_credential_set_key(struct az_credential *cred, const char *base64)
{
	unsigned char key[sizeof(cred->key)];
	size_t len = strlen(base64);
	ssize_t n;

	while (len && isspace((unsigned char)*base64)) {
		base64++;
		len--;
	}
	while (len && isspace((unsigned char)base64[len - 1]))
		len--;
	n = base64_decode(base64, len, key, sizeof(key));
	if (n > 0) {
		az_credential_free(cred);
		cred->kind = AZ_CREDENTIAL_KEY;
		memcpy(cred->key, key, (size_t)n);
		cred->key_len = (size_t)n;
	}
	OPENSSL_cleanse(key, sizeof(key));
	return n > 0 ? 0 : -EINVAL;
}

/* The value of @name in "name=value", and so on after each @separator; the value may hold
 * '='.  NULL when it isn't there. */
static const char *value_of(const char *s, const char *separator, const char *name, size_t *len,
			    int (*compare)(const char *, const char *, size_t))
{
	size_t n = strlen(name);

	while (*s) {
		size_t span = strcspn(s, separator);

		if (span > n && !compare(s, name, n) && s[n] == '=') {
			*len = span - n - 1;
			return s + n + 1;
		}
		s += span + (s[span] == *separator);
	}
	return NULL;
}

/* A parameter of a query. */
static const char *parameter(const char *query, const char *name, size_t *len)
{
	return value_of(query, "&", name, len, strncmp);
}

int az_credential_set_sas(struct az_credential *cred, const char *sas)
{
	size_t len, sig;
	char *copy;

	while (isspace((unsigned char)*sas) || *sas == '?')
		sas++;
	len = strlen(sas);
	while (len && isspace((unsigned char)sas[len - 1]))
		len--;
	for (size_t i = 0; i < len; i++)
		if (sas[i] <= ' ' || sas[i] > '~' || strchr("#\"<>", sas[i]))
			return -EINVAL;
	copy = strndup(sas, len);
	if (!copy)
		return -ENOMEM;
	if (!parameter(copy, "sig", &sig) || !sig) {
		text_free_secret(copy);
		return -EINVAL;
	}
	az_credential_free(cred);
	cred->kind = AZ_CREDENTIAL_SAS;
	cred->sas = copy;
	return 0;
}

void az_credential_free(struct az_credential *cred)
{
	text_free_secret(cred->sas);
	OPENSSL_cleanse(cred, sizeof(*cred));
	cred->kind = AZ_CREDENTIAL_NONE;
	cred->sas = NULL;
	cred->key_len = 0;
}

static int set_key(struct load *l, const char *key, const char *why)
{
	return az_credential_set_key(l->cred, key) ? fail(l, -EINVAL, why) : 0;
}

static int set_sas(struct load *l, const char *sas, const char *why)
{
	int err = az_credential_set_sas(l->cred, sas);

	if (err == -ENOMEM)
		return fail(l, err, "out of memory");
	return err ? fail(l, err, why) : 0;
}

static int read_key_file(struct load *l, const char *path)
{
	char buf[4097];
	size_t len = 0;
	ssize_t n = 1;
	int fd = 0, err;

	if (strcmp(path, "-") != 0)
		fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		err = -errno;
		snprintf(l->why, l->len,
			 "key file %.100s: %s; give a file that holds the account key", path,
			 strerror(-err));
		return err;
	}
	while (len < sizeof(buf) - 1 && n > 0) {
		n = read(fd, buf + len, sizeof(buf) - 1 - len);
		if (n < 0 && errno == EINTR)
			n = 1;
		else if (n > 0)
			len += (size_t)n;
	}
	err = n < 0 ? -errno : 0;
	if (fd)
		close(fd);
	buf[len] = '\0';
	if (err)
		snprintf(l->why, l->len, "key file %.100s: %s", path, strerror(-err));
	else
		err = set_key(
			l, buf,
			"the key file does not hold an account key in base64; copy it from the portal's \"Access keys\"");
	OPENSSL_cleanse(buf, sizeof(buf));
	return err;
}

/* One field of a connection string, "Name=value;…". */
static const char *field(const char *s, const char *name, size_t *len)
{
	return value_of(s, ";", name, len, strncasecmp);
}

static int check_account(struct load *l, const char *name, size_t len, const char *where)
{
	if (strlen(l->url->account) == len && !memcmp(l->url->account, name, len))
		return 0;
	snprintf(l->why, l->len,
		 "%s is for account \"%.*s\", the URL for \"%s\"; set the one that fits", where,
		 (int)(len > 24 ? 24 : len), name, l->url->account);
	return -EINVAL;
}

static int from_connection_string(struct load *l, const char *s)
{
	const char *name, *value;
	size_t name_len, len;
	char *copy;
	int err;

	value = field(s, "UseDevelopmentStorage", &len);
	if (value && len == 4 && !strncasecmp(value, "true", 4)) {
		err = check_account(l, DEV_ACCOUNT, strlen(DEV_ACCOUNT), env_names[ENV_CONNECTION]);
		return err ? err : az_credential_set_key(l->cred, DEV_KEY);
	}
	name = field(s, "AccountName", &name_len);
	if (name) {
		err = check_account(l, name, name_len, env_names[ENV_CONNECTION]);
		if (err)
			return err;
	}
	value = field(s, "AccountKey", &len);
	copy = value ? strndup(value, len) : NULL;
	if (copy && !name) {
		err = fail(l, -EINVAL,
			   "AZURE_STORAGE_CONNECTION_STRING has no AccountName; copy it whole");
	} else if (copy) {
		err = set_key(
			l, copy,
			"the AccountKey of AZURE_STORAGE_CONNECTION_STRING is not base64; copy it whole");
	} else {
		value = field(s, "SharedAccessSignature", &len);
		copy = value ? strndup(value, len) : NULL;
		if (!copy)
			return fail(
				l, -EINVAL,
				"AZURE_STORAGE_CONNECTION_STRING holds neither AccountKey nor SharedAccessSignature; copy it whole");
		err = set_sas(
			l, copy,
			"the SharedAccessSignature of AZURE_STORAGE_CONNECTION_STRING is not a SAS; copy it whole");
	}
	text_free_secret(copy);
	return err;
}

static int find(struct load *l, const char *key_file)
{
	char **env = l->env;
	int err;

	if (l->url->sas)
		return set_sas(l, l->url->sas, "the SAS in the URL is malformed; make a new one");
	if (key_file)
		return read_key_file(l, key_file);
	if (env[ENV_CONNECTION])
		return from_connection_string(l, env[ENV_CONNECTION]);
	if (env[ENV_ACCOUNT] && (env[ENV_KEY] || env[ENV_SAS])) {
		err = check_account(l, env[ENV_ACCOUNT], strlen(env[ENV_ACCOUNT]),
				    env_names[ENV_ACCOUNT]);
		if (err)
			return err;
	}
	if (env[ENV_KEY])
		return set_key(
			l, env[ENV_KEY],
			"AZURE_STORAGE_KEY is not an account key in base64; copy it from the portal's \"Access keys\"");
	if (env[ENV_SAS])
		return set_sas(
			l, env[ENV_SAS],
			"AZURE_STORAGE_SAS_TOKEN is not a SAS; it must hold the query string with \"sig\"");
	return fail(
		l, -ENOKEY,
		"no credential; give --key-file FILE, set AZURE_STORAGE_KEY, or put a SAS in the URL");
}

/* Takes the variables out of the environment, and their values out of the
 * memory that /proc/PID/environ shows. */
static int take_environment(struct load *l)
{
	int err = 0;

	for (int i = 0; i < ENV_COUNT; i++) {
		char *value = getenv(env_names[i]);

		if (!value)
			continue;
		if (*value) {
			l->env[i] = strdup(value);
			if (!l->env[i])
				err = -ENOMEM;
		}
		if (i != ENV_ACCOUNT) {
			OPENSSL_cleanse(value, strlen(value));
			unsetenv(env_names[i]);
		}
	}
	return err;
}

int az_credential_load(struct az_credential *cred, const struct az_url *url, const char *key_file,
		       char *why, size_t len)
{
	struct load l = { .cred = cred, .url = url, .why = why, .len = len };
	int err;

	*cred = (struct az_credential){ 0 };
	if (len)
		*why = '\0';
	err = take_environment(&l);
	err = err ? fail(&l, err, "out of memory") : find(&l, key_file);
	for (int i = 0; i < ENV_COUNT; i++)
		text_free_secret(l.env[i]);
	return err;
}

int az_credential_field(const struct az_credential *cred, const char *name, char *buf, size_t size)
{
	const char *value;
	size_t len = 0;

	*buf = '\0';
	if (cred->kind != AZ_CREDENTIAL_SAS)
		return 0;
	value = parameter(cred->sas, name, &len);
	if (!value || !len)
		return 0;
	if (len < size && text_decode(buf, value, len, false))
		return 1;
	*buf = '\0';
	return -EINVAL;
}

bool az_credential_time(const char *text, int64_t *when)
{
	int64_t ticks;

	if (!date_parse_iso(text, &ticks))
		return false;
	*when = ticks / DATE_TICKS;
	return true;
}

int64_t az_credential_expiry(const struct az_credential *cred)
{
	static const char *const ends[] = { "se", "ske" };
	int64_t first = 0, when;
	char text[AZ_SAS_TIME];

	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
		if (az_credential_field(cred, ends[i], text, sizeof(text)) > 0 &&
		    az_credential_time(text, &when) && (!first || when < first))
			first = when;
	return first;
}
