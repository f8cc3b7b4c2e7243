// SPDX-License-Identifier: MIT
#include "devstore/http/address.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "lib/text.h"

#define PORT_DIGITS 5u
#define PORT_MAX 65535u

static struct sockaddr_in *in4(const struct ds_address *a)
{
	return (struct sockaddr_in *)&a->sa;
}

static struct sockaddr_in6 *in6(const struct ds_address *a)
{
	return (struct sockaddr_in6 *)&a->sa;
}

static bool parse_port(const char *text, in_port_t *out)
{
	uint64_t port;

	if (strlen(text) > PORT_DIGITS || !text_u64(text, strlen(text), &port) || port > PORT_MAX)
		return false;
	*out = htons((in_port_t)port);
	return true;
}

/* inet_aton()'s old forms ("127.1", "0x7f.1", one number) are none here. */
static bool parse_host4(const char *host, struct ds_address *out)
{
	*in4(out) = (struct sockaddr_in){ .sin_family = AF_INET };
	out->len = sizeof(struct sockaddr_in);
	return inet_pton(AF_INET, host, &in4(out)->sin_addr) == 1;
}

/* With a zone, where there is one ("fe80::1%eth0"). */
static bool parse_host6(const char *host, struct ds_address *out)
{
	const struct addrinfo hints = { .ai_flags = AI_NUMERICHOST,
					.ai_family = AF_INET6,
					.ai_socktype = SOCK_STREAM };
	struct addrinfo *ai;

	if (getaddrinfo(host, NULL, &hints, &ai))
		return false;
	memcpy(&out->sa, ai->ai_addr, ai->ai_addrlen);
	out->len = ai->ai_addrlen;
	freeaddrinfo(ai);
	return true;
}

const char *ds_address_parse(const char *text, struct ds_address *out)
{
	const char *colon = strrchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : 0;
	bool six = len > 2 && *text == '[' && text[len - 1] == ']';
	char host[64];
	in_port_t port;

	*out = (struct ds_address){ 0 };
	if (!colon || !len)
		return "not an ADDRESS:PORT";
	if (!parse_port(colon + 1, &port))
		return "the port is not a number from 0 to 65535";
	if (six) {
		text++;
		len -= 2;
	}
	if (len >= sizeof(host))
		return "not a numeric address";
	memcpy(host, text, len);
	host[len] = '\0';
	if (!six && strchr(host, ':'))
		return "an IPv6 address stands in brackets";
	if (!(six ? parse_host6 : parse_host4)(host, out))
		return "not a numeric address";
	if (six)
		in6(out)->sin6_port = port;
	else
		in4(out)->sin_port = port;
	return NULL;
}

bool ds_address_loopback(const struct ds_address *a)
{
	if (a->sa.ss_family == AF_INET)
		return ntohl(in4(a)->sin_addr.s_addr) >> 24 == 127;
	return IN6_IS_ADDR_LOOPBACK(&in6(a)->sin6_addr);
}

unsigned int ds_address_port(const struct ds_address *a)
{
	return ntohs(a->sa.ss_family == AF_INET6 ? in6(a)->sin6_port : in4(a)->sin_port);
}

void ds_address_text(const struct ds_address *a, char text[DS_ADDRESS_TEXT])
{
	bool six = a->sa.ss_family == AF_INET6;
	char host[INET6_ADDRSTRLEN] = "";

	inet_ntop(a->sa.ss_family, six ? (void *)&in6(a)->sin6_addr : (void *)&in4(a)->sin_addr,
		  host, sizeof(host));
	snprintf(text, DS_ADDRESS_TEXT, "%s%s%s:%u", six ? "[" : "", host, six ? "]" : "",
		 ds_address_port(a));
}
