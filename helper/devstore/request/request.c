// SPDX-License-Identifier: MIT
#include "devstore/request/request.h"
#include "lib/text.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* --- the arena -------------------------------------------------------------- */

void ds_arena_reset(struct ds_arena *a)
{
	while (a->more) {
		struct ds_arena_chunk *next = a->more->next;

		free(a->more);
		a->more = next;
	}
	a->used = 0;
	a->total = 0;
	a->cap = sizeof(a->first);
	a->at = a->first;
}

void *ds_arena_alloc(struct ds_arena *a, size_t len)
{
	void *p;

	len = (len + 7) & ~(size_t)7;
	if (len > DS_ARENA_MAX || a->total + len > DS_ARENA_MAX)
		return NULL;
	if (a->used + len > a->cap) {
		size_t cap = len > DS_ARENA_FIRST ? len : DS_ARENA_FIRST;
		struct ds_arena_chunk *chunk = malloc(sizeof(*chunk) + cap);

		if (!chunk)
			return NULL;
		chunk->next = a->more;
		a->more = chunk;
		a->at = chunk->data;
		a->cap = cap;
		a->used = 0;
	}
	p = a->at + a->used;
	a->used += len;
	a->total += len;
	return p;
}

char *ds_arena_copy(struct ds_arena *a, const char *s, size_t len)
{
	char *p = ds_arena_alloc(a, len + 1);

	if (!p)
		return NULL;
	memcpy(p, s, len);
	p[len] = '\0';
	return p;
}

char *ds_arena_printf(struct ds_arena *a, const char *fmt, ...)
{
	va_list ap;
	char *p;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	p = n < 0 ? NULL : ds_arena_alloc(a, (size_t)n + 1);
	if (!p)
		return NULL;
	va_start(ap, fmt);
	vsnprintf(p, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return p;
}

/* --- decoding ---------------------------------------------------------------- */

/* Percent-decodes; @plus: '+' is a space, as in a query.  NULL when malformed
 * or when memory is out. */
static char *decode(struct ds_arena *a, const char *s, size_t len, bool plus)
{
	char *out = ds_arena_alloc(a, len + 1);

	return out && text_decode(out, s, len, plus) ? out : NULL;
}

/* Valid UTF-8 without control characters, which no XML response could name;
 * counts the characters. */
static bool valid_text(const char *s, size_t *chars)
{
	const unsigned char *p = (const unsigned char *)s;

	for (*chars = 0; *p; ++*chars) {
		unsigned int more = *p < 0x80 ? 0 : *p < 0xe0 ? 1 : *p < 0xf0 ? 2 : 3;
		uint32_t c = *p & (0x7fu >> (more ? more + 1 : 0));
		static const uint32_t least[] = { 0x20, 0x80, 0x800, 0x10000 };

		if ((*p >= 0x80 && *p < 0xc2) || *p > 0xf4)
			return false;
		p++;
		for (unsigned int i = 0; i < more; i++, p++) {
			if ((*p & 0xc0) != 0x80)
				return false;
			c = c << 6 | (*p & 0x3f);
		}
		if (c < least[more] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) || c == 0xfffe ||
		    c == 0xffff || c == 0x7f)
			return false;
	}
	return true;
}

static bool lower_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

enum ds_err ds_check_container(const char *s)
{
	size_t len = strlen(s);

	if (!strcmp(s, "$root") || !strcmp(s, "$web") || !strcmp(s, "$logs"))
		return DS_OK;
	if (len < 3 || len > 63)
		return ERR_OutOfRangeInput;
	for (size_t i = 0; i < len; i++)
		if (!lower_alnum(s[i]) &&
		    (s[i] != '-' || i == 0 || i + 1 == len || s[i - 1] == '-'))
			return ERR_InvalidResourceName;
	return DS_OK;
}

/* A blob's name, in which a backslash is a slash; the root container has no
 * folders. */
static enum ds_err take_blob(const char *container, char *s)
{
	size_t chars, segments = 1;

	if (!valid_text(s, &chars))
		return ERR_InvalidResourceName;
	if (!chars || chars > 1024)
		return ERR_OutOfRangeInput;
	for (; *s; s++) {
		if (*s == '\\')
			*s = '/';
		segments += *s == '/';
	}
	if (segments > 1 && !strcmp(container, "$root"))
		return ERR_InvalidResourceName;
	return segments > 254 ? ERR_OutOfRangeInput : DS_OK;
}

static enum ds_err check_account(const char *s)
{
	size_t len = strlen(s);

	if (len < 3 || len > 24)
		return ERR_InvalidUri;
	for (; *s; s++)
		if (!lower_alnum(*s))
			return ERR_InvalidUri;
	return DS_OK;
}

enum ds_err ds_split_path(struct ds_arena *a, const char *path, size_t len, bool container,
			  const char **account_out, const char **container_out,
			  const char **blob_out)
{
	const char *end = path + len, *slash;
	char *blob;
	enum ds_err err;

	*account_out = *container_out = *blob_out = NULL;
	if (!len || *path != '/')
		return ERR_InvalidUri;
	path++;
	slash = memchr(path, '/', (size_t)(end - path));
	*account_out = decode(a, path, (size_t)((slash ? slash : end) - path), false);
	if (!*account_out)
		return ERR_InvalidUri;
	err = check_account(*account_out);
	if (err || !slash || slash + 1 == end)
		return err;
	path = slash + 1;
	slash = memchr(path, '/', (size_t)(end - path));
	/* A blob of the root container may be named without it. */
	if (!slash && !container) {
		*container_out = "$root";
		*blob_out = blob = decode(a, path, (size_t)(end - path), false);
		return blob ? take_blob(*container_out, blob) : ERR_InvalidUri;
	}
	*container_out = decode(a, path, (size_t)((slash ? slash : end) - path), false);
	if (!*container_out)
		return ERR_InvalidUri;
	err = ds_check_container(*container_out);
	if (err || !slash || slash + 1 == end)
		return err;
	*blob_out = blob = decode(a, slash + 1, (size_t)(end - slash - 1), false);
	return blob ? take_blob(*container_out, blob) : ERR_InvalidUri;
}

enum ds_err ds_split_query(struct ds_arena *a, const char *s, struct ds_pair *query, size_t *count)
{
	*count = 0;
	while (*s) {
		size_t len = strcspn(s, "&");
		const char *eq = memchr(s, '=', len);
		size_t name_len = eq ? (size_t)(eq - s) : len;
		char *name, *value;
		size_t at;

		if (len) {
			if (*count == DS_MAX_QUERY)
				return ERR_InvalidUri;
			name = decode(a, s, name_len, true);
			value = eq ? decode(a, eq + 1, len - name_len - 1, true) :
				     ds_arena_copy(a, "", 0);
			if (!name || !value)
				return ERR_InvalidUri;
			for (char *p = name; *p; p++)
				*p = (char)tolower((unsigned char)*p);
			for (at = *count; at && strcmp(query[at - 1].name, name) > 0; at--)
				query[at] = query[at - 1];
			/* Twice the same: which one was signed, which one is meant? */
			if (at && !strcmp(query[at - 1].name, name))
				return ERR_InvalidQueryParameterValue;
			query[at] = (struct ds_pair){ name, value };
			++*count;
		}
		s += len;
		s += *s == '&';
	}
	return DS_OK;
}

const char *ds_query(const struct ds_request *r, const char *name)
{
	for (size_t i = 0; i < r->queries; i++)
		if (!strcmp(r->query[i].name, name))
			return r->query[i].value;
	return NULL;
}

/* --- the request line ---------------------------------------------------------- */

static enum ds_method method_of(const char *verb)
{
	static const char *const verbs[] = { "GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS" };
	unsigned int i;

	for (i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
		if (!strcmp(verbs[i], verb))
			break;
	return (enum ds_method)i;
}

static void spoil(struct ds_request *r, enum ds_err err)
{
	if (!r->bad)
		r->bad = err;
}

/* Whether a path of one segment after the account is a container's. */
static bool names_container(const struct ds_request *r)
{
	const char *restype = ds_query(r, "restype");

	return restype && !strcmp(restype, "container");
}

void ds_request_begin(struct ds_request *r, const char *verb, const char *uri)
{
	size_t len = strlen(uri), path_len;
	enum ds_err err;

	free(r->body);
	ds_arena_reset(&r->arena);
	memset(r, 0, offsetof(struct ds_request, arena));
	r->method = method_of(verb);
	r->verb = ds_arena_copy(&r->arena, verb, strnlen(verb, 16));
	if (len > DS_MAX_URI) {
		spoil(r, ERR_InvalidUri);
		uri = "";
	}
	path_len = strcspn(uri, "?");
	r->path = ds_arena_copy(&r->arena, uri, path_len);
	if (!r->verb || !r->path) {
		spoil(r, ERR_InternalError);
		return;
	}
	if (uri[path_len]) {
		err = ds_split_query(&r->arena, uri + path_len + 1, r->query, &r->queries);
		if (err)
			spoil(r, err);
	}
	err = ds_split_path(&r->arena, r->path, path_len, names_container(r), &r->account,
			    &r->container, &r->blob);
	if (err)
		spoil(r, err);
}

void ds_request_free(struct ds_request *r)
{
	free(r->body);
	r->body = NULL;
	ds_arena_reset(&r->arena);
}

/* --- headers ------------------------------------------------------------------- */

static const char *const spellings[] = {
#define X(name, spelling) spelling,
	DS_HEADERS(X)
#undef X
};

#define SLOTS 256
static unsigned char slots[SLOTS]; /* header + 1, by hash of its name */

static unsigned int hash(const char *lower)
{
	uint32_t h = 2166136261u;

	for (; *lower; lower++)
		h = (h ^ (unsigned char)*lower) * 16777619u;
	return (h ^ h >> 15) % SLOTS;
}

__attribute__((constructor)) static void fill_slots(void)
{
	for (unsigned int i = 0; i < H_COUNT; i++) {
		unsigned int at = hash(spellings[i]);

		while (slots[at])
			at = (at + 1) % SLOTS;
		slots[at] = (unsigned char)(i + 1);
	}
}

static enum ds_header header_of(const char *lower)
{
	for (unsigned int at = hash(lower); slots[at]; at = (at + 1) % SLOTS)
		if (!strcmp(spellings[slots[at] - 1], lower))
			return slots[at] - 1;
	return H_COUNT;
}

/* @lower is @name in lower case, @known the same kept for ever, or NULL. */
static void add_ms(struct ds_request *r, const char *known, const char *lower, const char *name,
		   const char *value)
{
	struct ds_ms h = { .value = value };

	h.name = known ? known : ds_arena_copy(&r->arena, lower, strlen(lower));
	h.sent = strcmp(lower, name) != 0 ? ds_arena_copy(&r->arena, name, strlen(name)) : h.name;
	if (!h.name || !h.sent || r->ms_count == DS_MAX_MS)
		spoil(r, ERR_InvalidInput);
	else
		r->ms[r->ms_count++] = h;
}

void ds_request_header(struct ds_request *r, const char *name, const char *value)
{
	size_t len = strlen(value);
	char lower[256];
	enum ds_header h;
	const char *v;
	bool ms;
	size_t n;

	for (n = 0; name[n] && n + 1 < sizeof(lower); n++)
		lower[n] = (char)tolower((unsigned char)name[n]);
	lower[n] = '\0';
	ms = !strncmp(lower, "x-ms-", 5);
	h = header_of(lower);
	if (!ms && h == H_COUNT)
		return;
	while (len && (*value == ' ' || *value == '\t')) {
		value++;
		len--;
	}
	while (len && (value[len - 1] == ' ' || value[len - 1] == '\t'))
		len--;
	v = ds_arena_copy(&r->arena, value, len);
	if (!v || name[n]) {
		spoil(r, ERR_InvalidInput);
		return;
	}
	if (h != H_COUNT) {
		/* Twice the same: whichever were taken, it could be the wrong one. */
		if (r->header[h])
			spoil(r, ERR_InvalidHeaderValue);
		r->header[h] = v;
	}
	if (!ms)
		return;
	add_ms(r, h != H_COUNT ? spellings[h] : NULL, lower, name, v);
}
