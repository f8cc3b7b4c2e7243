// SPDX-License-Identifier: MIT
#include "azure/devname.h"

#include <string.h>

#include <openssl/evp.h>

#include "azure/url.h"
#include "lib/text.h"

/* Leaves room for -partN in a file name's 255, and for four parts in a drive's name. */
#define PART_MAX 120
#define PART_KEPT 80
#define HASHED 16 /* bytes of the hash */

/* Adds @part, what of it is too long for a file name replaced by a hash of all of it.
 * '@' is in no part but ahead of a snapshot's time. */
static void add_part(struct text *t, const char *part)
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	size_t len = strlen(part), i;

	if (t->len)
		text_add(t, "/");
	if (len <= PART_MAX) {
		text_add(t, part);
		return;
	}
	if (!EVP_Digest(part, len, hash, NULL, EVP_sha256(), NULL)) {
		t->failed = true;
		return;
	}
	text_addn(t, part, PART_KEPT);
	text_add(t, "@");
	for (i = 0; i < HASHED; i++)
		text_addf(t, "%02x", hash[i]);
}

/* Where the "-part1" of a name is that ends like a partition's link; or NULL. */
static const char *partition_suffix(const char *name)
{
	const char *end = name + strlen(name), *digits = end;

	while (digits > name && digits[-1] >= '0' && digits[-1] <= '9')
		digits--;
	if (digits == end || digits - name < 5 || memcmp(digits - 5, "-part", 5) != 0)
		return NULL;
	return digits - 5;
}

static void add_blob(struct text *t, const struct az_url *url)
{
	const char *dash = url->snapshot ? NULL : partition_suffix(url->blob);
	struct text part = { 0 };
	const char *s;

	for (s = url->blob; *s; s++) {
		const char c[] = { *s, '\0' };

		if (s == dash)
			text_add(&part, "%2D");
		else
			text_add_escaped(&part, c, "");
	}
	if (url->snapshot) {
		text_add(&part, "@");
		text_add_escaped(&part, url->snapshot, ":");
	}
	if (part.failed || !part.s)
		t->failed = true;
	else
		add_part(t, part.s);
	text_free(&part);
}

char *devname_of(const struct az_url *url)
{
	struct text t = { 0 };

	add_part(&t, url->host);
	if (url->path_style)
		add_part(&t, url->account);
	add_part(&t, url->container);
	add_blob(&t, url);
	if (t.failed)
		text_free(&t); /* leaves NULL */
	return t.s;
}
