/* SPDX-License-Identifier: MIT */
/*
 * sas.h - shared access signatures: making them, and looking at them
 *
 * A service SAS for one blob ("Create a service SAS", sr=b) is what an agent makes
 * of the account key, so that the process that does the I/O never needs the key.
 * An account SAS ("Create an account SAS") and a SAS with a stored access policy
 * ("Define a stored access policy", si=) are what users bring.
 */
#ifndef AZURE_SAS_H
#define AZURE_SAS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "azure/credential.h"
#include "azure/url.h"

/* What a drive does with its blob, and with a snapshot; and either for @url. */
#define AZ_SAS_DRIVE "rw"
#define AZ_SAS_SNAPSHOT "r"

static inline const char *az_sas_needed(const struct az_url *url)
{
	return url->snapshot ? AZ_SAS_SNAPSHOT : AZ_SAS_DRIVE;
}

/*
 * Signs a SAS for @url's blob (its snapshot, where it names one) with @key (kind
 * AZ_CREDENTIAL_KEY): permissions
 * @permissions (letters in the service's order, "racwd…"), valid from five minutes
 * before @now (clocks differ) until @now + @lifetime_s; https only unless the URL is
 * http.  @now is seconds since the epoch.  malloc'ed, to be freed by
 * text_free_secret(); NULL when memory is out or OpenSSL fails.
 */
char *az_sas_sign(const struct az_url *url, const struct az_credential *key,
		  const char *permissions, int64_t now, unsigned int lifetime_s);

/*
 * Whether a SAS that a user brought can serve a drive, as far as it says itself:
 * the permissions @needed (from sp; one with a stored access policy and no sp may
 * have any), blob service and objects for an account SAS (ss, srt), a resource (sr)
 * that the blob is in, begun and not ended by our clock @now (st, se), http
 * allowed where the URL is http (spr).  0; or -EACCES with a sentence in @why that
 * names what is missing and what to do ("the SAS lacks the permission write (sp=r);
 * make one with sp=rw"), without any secret.
 */
int az_sas_check(const struct az_credential *sas, const struct az_url *url, const char *needed,
		 int64_t now, char *why, size_t len);

#endif
