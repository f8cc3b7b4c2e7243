/* SPDX-License-Identifier: MIT */
/*
 * credential.h - an account key or a SAS, and where they come from
 *
 * Never from the command line.  In the order of precedence: the SAS in the
 * URL; --key-file; AZURE_STORAGE_CONNECTION_STRING; AZURE_STORAGE_KEY;
 * AZURE_STORAGE_SAS_TOKEN.  A credential's memory is cleansed when it is
 * freed, and the environment variables are removed from the environment once
 * they were read, so that no child inherits them.
 */
#ifndef AZURE_CREDENTIAL_H
#define AZURE_CREDENTIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "azure/url.h"

enum az_credential_kind { AZ_CREDENTIAL_NONE, AZ_CREDENTIAL_KEY, AZ_CREDENTIAL_SAS };

struct az_credential {
	enum az_credential_kind kind;
	unsigned char key[64]; /* decoded account key (Azure's have 64 bytes) */
	size_t key_len;
	char *sas; /* query string without '?' */
};

/*
 * Finds the credential for @url.  @key_file: NULL, a path, or "-" for
 * standard input; it holds the base64 key, surrounding white space ignored.
 * 0, or a negative errno with a sentence in @why that says what is wrong and
 * what to do, without any part of the secret.  A connection string or
 * account environment for another account than the URL's is an error.
 */
int az_credential_load(struct az_credential *cred, const struct az_url *url, const char *key_file,
		       char *why, size_t len);
int az_credential_set_key(struct az_credential *cred, const char *base64);
int az_credential_set_sas(struct az_credential *cred, const char *sas);
void az_credential_free(struct az_credential *cred);

/*
 * The value of a SAS's parameter @name, decoded, into @buf: 1; 0 and "" when there
 * is none, or an empty one; -EINVAL and "" when it is malformed or does not fit.
 */
int az_credential_field(const struct az_credential *cred, const char *name, char *buf, size_t size);

/* A time as SAS have it ("2026-11-20T10:00:00Z", less of it, or fractions), in UTC,
 * as seconds since the epoch; false when it is none. */
#define AZ_SAS_TIME 64
bool az_credential_time(const char *text, int64_t *when);

/* When the SAS ends ("se", or "ske" of the user delegation key that signed it), as
 * seconds since the epoch; 0 when it has no end of its own (a stored access policy
 * says) or the credential is not a SAS. */
int64_t az_credential_expiry(const struct az_credential *cred);

#endif
