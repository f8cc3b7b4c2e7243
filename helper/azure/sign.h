/* SPDX-License-Identifier: MIT */
/*
 * sign.h - "Authorize with Shared Key": the signature of a request
 *
 * For the Blob service and x-ms-version 2015-02-21 and later (a zero
 * Content-Length is signed as an empty string).
 */
#ifndef AZURE_SIGN_H
#define AZURE_SIGN_H

#include <stddef.h>
#include <stdint.h>

#include "azure/credential.h"
#include "lib/text.h"

/* A header or query parameter; names in lower case, values decoded. */
struct az_pair {
	const char *name;
	const char *value;
};

struct az_signed {
	const char *method;
	uint64_t content_length;
	const char *content_md5; /* standard headers: NULL where not sent */
	const char *if_match;
	const char *if_none_match;
	const struct az_pair *headers; /* the x-ms- ones; sorted by name */
	size_t header_count;
	const char *account;
	const char *path; /* as it goes on the wire */
	size_t path_len;
	const struct az_pair *query; /* sorted by name */
	size_t query_count;
};

void az_string_to_sign(const struct az_signed *in, struct text *out);

#define AZ_SIGNATURE 45 /* base64 of HMAC-SHA256, and a NUL */

/* 0, or -EIO when OpenSSL fails. */
int az_sign(const struct az_credential *cred, const struct text *string,
	    char signature[AZ_SIGNATURE]);

#endif
