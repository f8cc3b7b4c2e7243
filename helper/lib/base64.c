// SPDX-License-Identifier: MIT
#include "lib/base64.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

void base64_encode(const void *buf, size_t len, char *text)
{
	EVP_EncodeBlock((unsigned char *)text, buf, (int)len);
}

/* EVP_DecodeBlock() takes white space at the ends and garbage after padding;
 * this doesn't. */
static int padding(const char *text, size_t len)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t n = 0;

	if (!len || len % 4)
		return -1;
	while (n < len && text[n] && strchr(digits, text[n]))
		n++;
	if (len - n > 2)
		return -1;
	for (size_t i = n; i < len; i++)
		if (text[i] != '=')
			return -1;
	return (int)(len - n);
}

ssize_t base64_decode(const char *text, size_t len, void *buf, size_t size)
{
	unsigned char out[3072];
	int pad = padding(text, len);
	ssize_t n;

	if (pad < 0 || len / 4 * 3 > sizeof(out))
		return -EINVAL;
	n = EVP_DecodeBlock(out, (const unsigned char *)text, (int)len);
	if (n >= 0)
		n -= pad; /* EVP counts padding as zero bytes */
	if (n < 0 || (size_t)n > size)
		n = -EINVAL;
	else
		memcpy(buf, out, (size_t)n);
	OPENSSL_cleanse(out, sizeof(out));
	return n;
}
