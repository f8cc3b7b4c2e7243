// SPDX-License-Identifier: MIT
#include "agent/key.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "azure/credential.h"
#include "azure/sas.h"
#include "lib/base64.h"
#include "lib/secret.h"
#include "lib/text.h"

#define SAS_MOST 2048

/* The credential's sas points to the buffer beside it: everything secret is in
 * this one piece of memory. */
struct key {
	struct az_credential cred;
	char sas[SAS_MOST];
	unsigned int lifetime_s;
};

static int set_sas(struct key *key, const char *sas)
{
	struct az_credential checked = { 0 };
	int err = az_credential_set_sas(&checked, sas);

	if (!err && strlen(checked.sas) >= sizeof(key->sas))
		err = -EINVAL;
	if (!err) {
		snprintf(key->sas, sizeof(key->sas), "%s", checked.sas);
		key->cred.kind = AZ_CREDENTIAL_SAS;
		key->cred.sas = key->sas;
	}
	az_credential_free(&checked);
	return err;
}

struct key *key_new(const json_t *request, unsigned int lifetime_s)
{
	const char *base64 = json_string_value(json_object_get(request, "key"));
	const char *sas = json_string_value(json_object_get(request, "sas"));
	struct key *key = secret_alloc(sizeof(*key));
	int err;

	if (!key)
		return NULL;
	key->lifetime_s = lifetime_s;
	if (base64)
		err = az_credential_set_key(&key->cred, base64);
	else
		err = sas ? set_sas(key, sas) : -EINVAL;
	if (!err)
		return key;
	secret_free(key);
	errno = -err;
	return NULL;
}

int key_put(const struct key *key, json_t *request)
{
	char base64[BASE64_SIZE(sizeof(key->cred.key))];
	int err;

	if (json_object_set_new(request, "lifetime", json_integer(key->lifetime_s)))
		return -ENOMEM;
	if (!key_signs(key))
		return json_object_set_new(request, "sas", json_string(key->sas)) ? -ENOMEM : 0;
	base64_encode(key->cred.key, key->cred.key_len, base64);
	err = json_object_set_new(request, "key", json_string(base64)) ? -ENOMEM : 0;
	explicit_bzero(base64, sizeof(base64));
	return err;
}

void key_free(struct key *key)
{
	secret_free(key);
}

bool key_signs(const struct key *key)
{
	return key->cred.kind == AZ_CREDENTIAL_KEY;
}

char *key_token(const struct key *key, const struct az_url *url, int64_t now)
{
	if (key_signs(key))
		return az_sas_sign(url, &key->cred, az_sas_needed(url), now, key->lifetime_s);
	return strdup(key->sas);
}

int64_t key_clock_ahead(int64_t told)
{
	if (told > KEY_AHEAD_MOST_S)
		return KEY_AHEAD_MOST_S;
	return told < -KEY_BEHIND_MOST_S ? -KEY_BEHIND_MOST_S : told;
}

int64_t key_token_expiry(const struct key *key, int64_t now)
{
	return key_signs(key) ? now + key->lifetime_s : az_credential_expiry(&key->cred);
}

unsigned int key_refresh_s(unsigned int lifetime_s)
{
	unsigned int s = lifetime_s / 6;

	return s ? s : 1;
}

int key_replace(struct key *key, const char *sas)
{
	return key_signs(key) ? -EINVAL : set_sas(key, sas);
}
