/* SPDX-License-Identifier: MIT */
/*
 * address.h - where a server listens, as text
 *
 * "127.0.0.1:10000" or "[::1]:10000": numbers only, so that no resolver has a say,
 * and each in its one usual form, so that nothing else than what was meant is served.
 */
#ifndef DEVSTORE_ADDRESS_H
#define DEVSTORE_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#define DS_ADDRESS_TEXT 80 /* HOST:PORT, with its NUL */

struct ds_address {
	struct sockaddr_storage sa;
	socklen_t len;
};

/* NULL, or what is wrong with @text. */
const char *ds_address_parse(const char *text, struct ds_address *out);
/* Whether this machine alone reaches it. */
bool ds_address_loopback(const struct ds_address *a);
unsigned int ds_address_port(const struct ds_address *a);
/* HOST:PORT, as in a URL. */
void ds_address_text(const struct ds_address *a, char text[DS_ADDRESS_TEXT]);

#endif
