// SPDX-License-Identifier: MIT
/*
 * url.c - the URL of a blob: what a user types, and what is sent
 *
 * The naming rules are those of "Naming and Referencing Containers, Blobs,
 * and Metadata".  Names that the service would take but normalise (dot
 * segments, a trailing dot or slash, a backslash) are refused: two spellings of one blob
 * would pass for two drives.
 */
#include "azure/url.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/text.h"

struct parse {
	struct az_url *url;
	char *why;
	size_t why_len;
};

__attribute__((format(printf, 2, 3))) static int bad(struct parse *p, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(p->why, p->why_len, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static int no_memory(struct parse *p)
{
	snprintf(p->why, p->why_len, "out of memory");
	return -ENOMEM;
}

static bool loopback(const char *host)
{
	struct in_addr v4;
	struct in6_addr v6;
	char name[64];
	size_t len;

	if (*host == '[') {
		len = strcspn(++host, "]");
	} else {
		len = strcspn(host, ":");
	}
	if (len >= sizeof(name))
		return false;
	memcpy(name, host, len);
	name[len] = '\0';
	if (!strcmp(name, "localhost"))
		return true;
	if (inet_pton(AF_INET, name, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == 127;
	return inet_pton(AF_INET6, name, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

bool az_url_loopback(const struct az_url *url)
{
	return loopback(url->host);
}

/* Sets path_style, and says whether the name (without port) can be a host. */
static bool host_name(struct az_url *url, const char *name)
{
	struct in_addr v4;

	if (!*name || *name == '.' || *name == '-' ||
	    name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789.-")])
		return false;
	if (!name[strspn(name, "0123456789.")]) {
		url->path_style = true;
		return inet_pton(AF_INET, name, &v4) == 1;
	}
	url->path_style = !strcmp(name, "localhost");
	return !strstr(name, "..") && strlen(name) <= 253;
}

static bool host_v6(const char *name, size_t len)
{
	struct in6_addr v6;
	char addr[INET6_ADDRSTRLEN];

	if (len >= sizeof(addr))
		return false;
	memcpy(addr, name, len);
	addr[len] = '\0';
	return inet_pton(AF_INET6, addr, &v6) == 1;
}

static int parse_host(struct parse *p, const char *s, size_t len)
{
	struct az_url *url = p->url;
	const char *port;
	uint64_t number;
	char *colon;
	size_t name;

	for (size_t i = 0; i < len; i++)
		if (s[i] <= ' ' || s[i] > '~')
			return bad(p, "the host holds a character that no host has");
	if (memchr(s, '@', len))
		return bad(
			p,
			"user and password in a URL are not supported; give the key with --key-file");
	url->host = strndup(s, len);
	if (!url->host)
		return no_memory(p);
	for (char *c = url->host; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	if (*url->host == '[') {
		name = strcspn(url->host, "]");
		if (!url->host[name] || !host_v6(url->host + 1, name - 1))
			return bad(p, "\"%s\" is not an IPv6 address in brackets", url->host);
		url->path_style = true;
		colon = url->host + name + 1;
		if (*colon && *colon != ':')
			return bad(p, "\"%s\" is not an IPv6 address in brackets", url->host);
	} else {
		bool ok;

		colon = url->host + strcspn(url->host, ":");
		name = (size_t)(colon - url->host);
		url->host[name] = '\0';
		ok = host_name(url, url->host);
		if (name < len)
			url->host[name] = ':';
		if (!ok)
			return bad(p, "\"%s\" is not a host name or address", url->host);
	}
	if (!*colon)
		return 0;
	port = colon + 1;
	if (strlen(port) > 5 || !text_u64(port, strlen(port), &number) || !number || number > 65535)
		return bad(p, "\"%s\" is not a port from 1 to 65535", port);
	if (number == (url->https ? 443 : 80))
		*colon = '\0'; /* the same place without it: see az_url_same() */
	return 0;
}

static int check_account(struct parse *p)
{
	const char *s = p->url->account;
	size_t len = strlen(s);

	if (len < 3 || len > 24 || s[strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789")])
		return bad(p,
			   "account name \"%.64s\" must be 3 to 24 lower-case letters and digits",
			   s);
	return 0;
}

static int check_container(struct parse *p)
{
	const char *s = p->url->container;
	size_t len = strlen(s);

	if (!strcmp(s, "$root") || !strcmp(s, "$web"))
		return 0;
	if (len < 3 || len > 63 || s[strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-")])
		return bad(
			p,
			"container name \"%.80s\" must be 3 to 63 lower-case letters, digits and dashes",
			s);
	if (*s == '-' || s[len - 1] == '-' || strstr(s, "--"))
		return bad(
			p,
			"container name \"%s\" must not begin or end with a dash or hold two in a row",
			s);
	return 0;
}

static int check_blob(struct parse *p)
{
	const char *s = p->url->blob;
	size_t len = strlen(s), chars = 0;

	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)s[i] < ' ' || s[i] == 127)
			return bad(p, "the blob name holds a control character");
		chars += ((unsigned char)s[i] & 0xc0) != 0x80; /* UTF-8 */
	}
	if (!len || chars > 1024)
		return bad(p, "the blob name must have 1 to 1024 characters");
	if (strchr(s, '\\'))
		return bad(
			p,
			"blob name \"%.80s\" must not have a backslash: the service takes it for a slash; write a slash",
			s);
	if (*s == '/' || s[len - 1] == '/' || s[len - 1] == '.')
		return bad(
			p,
			"blob name \"%.80s\" must not begin with a slash, or end with a slash or dot",
			s);
	for (const char *seg = s; seg; seg = strchr(seg, '/') ? strchr(seg, '/') + 1 : NULL) {
		size_t n = strcspn(seg, "/");

		if ((n == 1 && seg[0] == '.') || (n == 2 && seg[0] == '.' && seg[1] == '.'))
			return bad(p, "blob name \"%.80s\" must not have \".\" or \"..\" as a part",
				   s);
	}
	return 0;
}

static int component(struct parse *p, char **out, const char *s, size_t len, const char *what)
{
	bool malformed;

	for (size_t i = 0; i < len; i++)
		if ((unsigned char)s[i] <= ' ')
			return bad(
				p,
				"the %s name holds a blank or control character: write %%20 for a blank",
				what);
	*out = text_unescape(s, len, &malformed);
	if (malformed)
		return bad(
			p,
			"the %s name has a \"%%\" that is not followed by two hexadecimal digits",
			what);
	return *out ? 0 : no_memory(p);
}

/* @s is the path without its leading slash. */
static int parse_path(struct parse *p, const char *s, size_t len)
{
	struct az_url *url = p->url;
	const char *end = s + len;
	const char *slash;
	int err;

	if (url->path_style) {
		slash = memchr(s, '/', len);
		if (!slash)
			return bad(p, "the path must be /ACCOUNT/CONTAINER/BLOB for the host %s",
				   url->host);
		err = component(p, &url->account, s, (size_t)(slash - s), "account");
		s = slash + 1;
	} else {
		url->account = strndup(url->host, strcspn(url->host, ".:"));
		err = url->account ? 0 : no_memory(p);
	}
	if (err)
		return err;
	err = check_account(p);
	if (err)
		return err;
	slash = memchr(s, '/', (size_t)(end - s));
	if (!slash)
		return bad(p, "the URL has no blob name: it must end in %s/CONTAINER/BLOB",
			   url->path_style ? "/ACCOUNT" : "");
	err = component(p, &url->container, s, (size_t)(slash - s), "container");
	if (err)
		return err;
	err = check_container(p);
	if (err)
		return err;
	s = slash + 1;
	err = component(p, &url->blob, s, (size_t)(end - s), "blob");
	return err ? err : check_blob(p);
}

/* The parameters of account, service and user delegation SAS. */
static bool sas_parameter(const char *s, size_t len)
{
	static const char *const names[] = {
		"sv",  "ss",  "srt",	 "sr",	   "sp",    "st",   "se",    "si",    "sip",  "spr",
		"sig", "ses", "sdd",	 "saoid",  "suoid", "scid", "skoid", "sktid", "skt",  "ske",
		"sks", "skv", "skdutid", "sduoid", "rscc",  "rscd", "rsce",  "rscl",  "rsct",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strlen(names[i]) == len && !memcmp(names[i], s, len))
			return true;
	return false;
}

static int unknown_parameter(struct parse *p, const char *s, size_t len)
{
	/* It may be the tail of a secret that was pasted without quotes. */
	for (size_t i = 0; i < len; i++)
		if (!islower((unsigned char)s[i]))
			return bad(
				p,
				"the query holds a parameter that is neither \"snapshot\" nor part of a SAS");
	return bad(p, "query parameter \"%.*s\" is neither \"snapshot\" nor part of a SAS",
		   (int)(len > 12 ? 12 : len), s);
}

static int parse_snapshot(struct parse *p, const char *s, size_t len)
{
	int err;

	if (p->url->snapshot)
		return bad(p, "\"snapshot\" is there twice");
	err = component(p, &p->url->snapshot, s, len, "snapshot");
	if (err)
		return err;
	s = p->url->snapshot;
	len = strlen(s);
	if (len < 10 || len > 40 || s[strspn(s, "0123456789-:.TZ")])
		return bad(p, "the snapshot must be a time like 2026-11-20T10:00:00.0000000Z");
	return 0;
}

static int parse_query(struct parse *p, const char *s, size_t len)
{
	struct text sas = { 0 };
	const char *end = s + len;
	bool sig = false;
	int err = 0;

	while (s < end && !err) {
		const char *amp = memchr(s, '&', (size_t)(end - s));
		size_t n = (size_t)((amp ? amp : end) - s);
		const char *eq = memchr(s, '=', n);
		size_t name = eq ? (size_t)(eq - s) : n;

		if (!n) {
			err = bad(p, "the query has an empty parameter");
		} else if (eq && name == 8 && !memcmp(s, "snapshot", 8)) {
			err = parse_snapshot(p, eq + 1, n - 9);
		} else if (eq && sas_parameter(s, name)) {
			sig |= name == 3 && !memcmp(s, "sig", 3) && n > 4;
			if (sas.len)
				text_add(&sas, "&");
			text_addn(&sas, s, n);
		} else {
			err = unknown_parameter(p, s, name);
		}
		s += n + 1;
	}
	if (!err && sas.failed)
		err = no_memory(p);
	if (!err && sas.len && !sig)
		err = bad(
			p,
			"the SAS in the URL has no signature (\"sig\"); quote the URL for the shell");
	if (!err && sas.len) {
		for (const char *c = sas.s; *c; c++)
			if (*c <= ' ' || *c > '~' || *c == '"' || *c == '<' || *c == '>')
				err = bad(
					p,
					"the SAS in the URL holds a character that a query can't");
		p->url->sas = err ? NULL : strdup(sas.s);
		if (!err && !p->url->sas)
			err = no_memory(p);
	}
	text_free(&sas);
	return err;
}

static int parse(struct parse *p, const char *s)
{
	struct az_url *url = p->url;
	const char *path, *query;
	int err;

	if (!strncasecmp(s, "https://", 8))
		url->https = true;
	else if (strncasecmp(s, "http://", 7) != 0)
		return bad(p, "the URL must begin with https:// (or http:// for an emulator)");
	s += url->https ? 8 : 7;
	if (strchr(s, '#'))
		return bad(p,
			   "the URL must not have a fragment (\"#\"); write %%23 in a blob name");
	query = s + strcspn(s, "?");
	path = s + strcspn(s, "/?");
	if (path == s)
		return bad(p, "the URL has no host");
	err = parse_host(p, s, (size_t)(path - s));
	if (err)
		return err;
	if (*path != '/')
		return bad(p, "the URL has no container and blob name");
	err = parse_path(p, path + 1, (size_t)(query - path - 1));
	if (err || !*query)
		return err;
	return parse_query(p, query + 1, strlen(query + 1));
}

int az_url_parse(const char *text, struct az_url *url, char *why, size_t len)
{
	struct parse p = { .url = url, .why = why, .why_len = len };
	int err;

	*url = (struct az_url){ 0 };
	if (len)
		*why = '\0';
	err = parse(&p, text);
	if (err)
		az_url_free(url);
	return err;
}

void az_url_free(struct az_url *url)
{
	free(url->host);
	free(url->account);
	free(url->container);
	free(url->blob);
	free(url->snapshot);
	text_free_secret(url->sas);
	*url = (struct az_url){ 0 };
}

void az_url_write_path(const struct az_url *url, struct text *t)
{
	if (url->path_style) {
		text_add(t, "/");
		text_add(t, url->account);
	}
	text_add(t, "/");
	text_add(t, url->container); /* "$root" goes as it is */
	text_add(t, "/");
	text_add_escaped(t, url->blob, "/");
}

char *az_url_path(const struct az_url *url)
{
	struct text t = { 0 };

	az_url_write_path(url, &t);
	if (t.failed)
		text_free(&t);
	return t.s;
}

char *az_url_text(const struct az_url *url)
{
	struct text t = { 0 };

	text_add(&t, url->https ? "https://" : "http://");
	text_add(&t, url->host);
	az_url_write_path(url, &t);
	if (url->snapshot) {
		text_add(&t, "?snapshot=");
		text_add_escaped(&t, url->snapshot, ":");
	}
	if (t.failed)
		text_free(&t);
	return t.s;
}

bool az_url_same(const struct az_url *a, const struct az_url *b)
{
	const char *sa = a->snapshot ? a->snapshot : "";
	const char *sb = b->snapshot ? b->snapshot : "";

	return a->https == b->https && !strcmp(a->host, b->host) &&
	       !strcmp(a->account, b->account) && !strcmp(a->container, b->container) &&
	       !strcmp(a->blob, b->blob) && !strcmp(sa, sb);
}
