// SPDX-License-Identifier: MIT
#include "azure/route.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* --- no proxy ------------------------------------------------------------------------ */

static bool in_network(const char *host, const char *net, long bits)
{
	unsigned char a[16], b[16];
	int family = strchr(host, ':') ? AF_INET6 : AF_INET;
	long left = bits % 8;

	if (inet_pton(family, host, a) != 1 || inet_pton(family, net, b) != 1 || bits < 0 ||
	    bits > (family == AF_INET ? 32 : 128))
		return false;
	if (memcmp(a, b, (size_t)bits / 8) != 0)
		return false;
	return !left || !((a[bits / 8] ^ b[bits / 8]) >> (8 - left));
}

/* One word of $no_proxy: a name with all that ends in it, an address, or a network. */
static bool is_named(const char *host, const char *word, size_t len)
{
	size_t n = strlen(host);
	char net[64], *slash;

	if (len < sizeof(net)) {
		memcpy(net, word, len);
		net[len] = '\0';
		slash = strchr(net, '/');
		if (slash)
			*slash = '\0';
		if (slash && in_network(host, net, strtol(slash + 1, NULL, 10)))
			return true;
	}
	while (len && *word == '.') {
		word++;
		len--;
	}
	while (len && word[len - 1] == '.')
		len--;
	if (!len || n < len || strncasecmp(host + n - len, word, len) != 0)
		return false;
	return n == len || host[n - len - 1] == '.';
}

static const char *env(const char *lower, const char *upper)
{
	const char *value = getenv(lower);

	if ((!value || !*value) && upper)
		value = getenv(upper);
	return value && *value ? value : NULL;
}

static bool is_exempt(const char *host)
{
	const char *word = env("no_proxy", "NO_PROXY");

	while (word && *word) {
		size_t len;

		word += strspn(word, ", ");
		len = strcspn(word, ", ");
		if ((len == 1 && *word == '*') || (len && is_named(host, word, len)))
			return true;
		word += len;
	}
	return false;
}

/* --- routes --------------------------------------------------------------------------- */

static const char *proxy_of(const struct az_url *url, const char *host)
{
	const char *proxy;

	if (az_url_loopback(url) || is_exempt(host))
		return NULL;
	/* $HTTP_PROXY may be a header of a request to a CGI script. */
	proxy = url->https ? env("https_proxy", "HTTPS_PROXY") : env("http_proxy", NULL);
	if (!proxy)
		proxy = env("all_proxy", "ALL_PROXY");
	return proxy;
}

static bool is_address(const char *host)
{
	unsigned char in[16];

	return *host == '[' || inet_pton(AF_INET, host, in) == 1 ||
	       inet_pton(AF_INET6, host, in) == 1;
}

static bool add_name(struct az_route *route, struct az_resolver *r, const char *host,
		     unsigned int port)
{
	int i = route->names[0] ? 1 : 0;

	if (is_address(host))
		return true;
	route->names[i] = az_resolver_name(r, host, strlen(host), port);
	return route->names[i];
}

/* What libcurl takes when the proxy's URL has no port. */
static unsigned int proxy_port(const char *scheme)
{
	return !strcmp(scheme, "https") ? 443 : 1080;
}

/* Some SOCKS proxies are given the address, not the name, of where it goes to. */
static bool takes_addresses(const char *scheme)
{
	return !strcmp(scheme, "socks5") || !strcmp(scheme, "socks4") || !strcmp(scheme, "socks");
}

/* A URL that makes no sense is libcurl's to refuse. */
static bool add_proxy(struct az_route *route, struct az_resolver *r, bool *both)
{
	char *host = NULL, *port = NULL, *scheme = NULL;
	CURLU *u = curl_url();
	bool ok = u;

	if (u &&
	    !curl_url_set(u, CURLUPART_URL, route->proxy,
			  CURLU_NON_SUPPORT_SCHEME | CURLU_GUESS_SCHEME) &&
	    !curl_url_get(u, CURLUPART_HOST, &host, 0) &&
	    !curl_url_get(u, CURLUPART_SCHEME, &scheme, 0)) {
		curl_url_get(u, CURLUPART_PORT, &port, 0);
		/* What is guessed is by the host's name. */
		const char *kind = strstr(route->proxy, "://") ? scheme : "http";

		ok = add_name(route, r, host,
			      port ? (unsigned int)strtoul(port, NULL, 10) : proxy_port(kind));
		*both = takes_addresses(kind);
	}
	curl_free(host);
	curl_free(port);
	curl_free(scheme);
	curl_url_cleanup(u);
	return ok;
}

/* The URL's host, without brackets, and port. */
static unsigned int split(const struct az_url *url, char *host, size_t size)
{
	const char *s = url->host, *end = strrchr(s, ':');
	unsigned int port = url->https ? 443 : 80;

	if (end && strchr(end, ']'))
		end = NULL;
	if (end)
		port = (unsigned int)strtoul(end + 1, NULL, 10);
	snprintf(host, size, "%.*s", end ? (int)(end - s) : (int)strlen(s), s);
	if (*host == '[') {
		memmove(host, host + 1, strlen(host));
		host[strcspn(host, "]")] = '\0';
	}
	return port;
}

struct az_route *az_route_new(struct az_resolver *r, const struct az_url *url)
{
	struct az_route *route = calloc(1, sizeof(*route));
	char host[260];
	unsigned int port = split(url, host, sizeof(host));
	const char *proxy = proxy_of(url, host);
	bool both = false;

	if (!route)
		return NULL;
	route->https = url->https;
	route->host = strdup(url->host);
	route->proxy = strdup(proxy ? proxy : "");
	if (!route->host || !route->proxy || (proxy && !add_proxy(route, r, &both)) ||
	    ((!proxy || both) && !add_name(route, r, host, port))) {
		az_route_free(route);
		return NULL;
	}
	return route;
}

void az_route_free(struct az_route *route)
{
	free(route->host);
	free(route->proxy);
	free(route);
}

enum az_name_state az_route_look_up(struct az_route *route, struct az_name **name)
{
	enum az_name_state least = AZ_NAME_KNOWN;

	for (int i = 0; i < AZ_ROUTE_NAMES && route->names[i]; i++) {
		enum az_name_state state = az_name_look_up(route->names[i]);

		if (state > least) {
			least = state;
			*name = route->names[i];
		}
	}
	return least;
}

struct curl_slist *az_route_entries(struct az_route *route)
{
	for (int i = 0; i < AZ_ROUTE_NAMES && route->names[i]; i++) {
		bool last = i + 1 == AZ_ROUTE_NAMES || !route->names[i + 1];

		route->entries[i].data = route->names[i]->entry.data;
		route->entries[i].next = last ? NULL : &route->entries[i + 1];
	}
	return route->names[0] ? &route->entries[0] : NULL;
}

void az_route_doubt(struct az_route *route)
{
	for (int i = 0; i < AZ_ROUTE_NAMES && route->names[i]; i++)
		az_name_doubt(route->names[i]);
}
