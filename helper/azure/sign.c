// SPDX-License-Identifier: MIT
#include "azure/sign.h"

#include <errno.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "lib/base64.h"

static void line(struct text *out, const char *value)
{
	if (value)
		text_add(out, value);
	text_add(out, "\n");
}

void az_string_to_sign(const struct az_signed *in, struct text *out)
{
	line(out, in->method);
	text_add(out, "\n\n"); /* Content-Encoding, Content-Language */
	if (in->content_length)
		text_addf(out, "%llu", (unsigned long long)in->content_length);
	text_add(out, "\n");
	line(out, in->content_md5);
	/* Content-Type, Date (x-ms-date is sent), If-Modified-Since */
	text_add(out, "\n\n\n");
	line(out, in->if_match);
	line(out, in->if_none_match);
	text_add(out, "\n\n"); /* If-Unmodified-Since, Range (x-ms-range is sent) */
	for (size_t i = 0; i < in->header_count; i++) {
		text_add(out, in->headers[i].name);
		text_add(out, ":");
		line(out, in->headers[i].value);
	}
	/* In path style the account is there twice: it is a part of the path. */
	text_add(out, "/");
	text_add(out, in->account);
	text_addn(out, in->path, in->path_len);
	for (size_t i = 0; i < in->query_count; i++) {
		text_add(out, "\n");
		text_add(out, in->query[i].name);
		text_add(out, ":");
		text_add(out, in->query[i].value);
	}
}

int az_sign(const struct az_credential *cred, const struct text *string,
	    char signature[AZ_SIGNATURE])
{
	unsigned char mac[EVP_MAX_MD_SIZE];
	unsigned int len = 0;

	if (!HMAC(EVP_sha256(), cred->key, (int)cred->key_len, (const unsigned char *)string->s,
		  string->len, mac, &len) ||
	    len != 32)
		return -EIO;
	base64_encode(mac, len, signature);
	return 0;
}
