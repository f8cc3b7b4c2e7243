/* SPDX-License-Identifier: MIT */
/*
 * url.h - the URL of a blob: what a user types, and what is sent
 *
 *   https://ACCOUNT.blob.core.windows.net/CONTAINER/BLOB      host style
 *   http://127.0.0.1:PORT/ACCOUNT/CONTAINER/BLOB              path style
 *
 * with ?snapshot=TIME for a snapshot, and a SAS as the rest of the query.
 * Path style is taken where the host is an IP address or "localhost", as
 * emulators need it; everything else is host style, the account being the
 * host's first label.
 *
 * The SAS is a secret.  It is kept apart from the rest, so that whatever is
 * printed is made by az_url_text(), which never includes it.
 */
#ifndef AZURE_URL_H
#define AZURE_URL_H

#include <stdbool.h>
#include <stddef.h>

struct az_url {
	bool https;
	bool path_style;
	char *host; /* with ":port" where one was given */
	char *account;
	char *container;
	char *blob; /* decoded; may hold '/' */
	char *snapshot; /* NULL for the blob itself; as given, decoded */
	char *sas; /* the rest of the query as given, without '?'; or NULL */
};

/*
 * Parses @text into @url (all strings owned by it).  0, or -EINVAL with a
 * sentence in @why that names what is wrong with it ("container name
 * \"AB\" must be 3 to 63 lower-case letters, digits and dashes"): scheme,
 * host, account, container and blob naming rules of "Naming and Referencing
 * Containers, Blobs, and Metadata"; unknown query parameters that are not
 * a SAS's.  -ENOMEM.  @why never holds the SAS.
 */
int az_url_parse(const char *text, struct az_url *url, char *why, size_t len);
void az_url_free(struct az_url *url); /* cleanses the SAS */

/* The URL without its SAS, for people and files; malloc'ed. */
char *az_url_text(const struct az_url *url);

/* The path as it goes on the wire, percent-encoded ("/acct/c/b" in path style,
 * "/c/b" in host style); malloc'ed. */
char *az_url_path(const struct az_url *url);
struct text;
void az_url_write_path(const struct az_url *url, struct text *t);

/* Whether the host is a loopback address (plain http is only for those). */
bool az_url_loopback(const struct az_url *url);

/* Whether two URLs name one blob (scheme, host, account, container, blob,
 * snapshot; not the SAS). */
bool az_url_same(const struct az_url *a, const struct az_url *b);

#endif
