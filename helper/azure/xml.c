// SPDX-License-Identifier: MIT
#include "azure/xml.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <expat.h>

#include "lib/text.h"

#define MAX_DEPTH 8

/* Where in the document we are: the elements that matter, by their path. */
enum element {
	OTHER,
	ERROR,
	ERROR_CODE,
	ERROR_MESSAGE,
	ERROR_DETAIL,
	PAGE_LIST,
	PAGE_RANGE,
	RANGE_START,
	RANGE_END,
	NEXT_MARKER,
};

static const struct {
	enum element parent, self;
	const char *name;
} grammar[] = {
	{ ERROR, ERROR_CODE, "Code" },
	{ ERROR, ERROR_MESSAGE, "Message" },
	{ ERROR, ERROR_DETAIL, "AuthenticationErrorDetail" },
	{ PAGE_LIST, PAGE_RANGE, "PageRange" },
	{ PAGE_LIST, NEXT_MARKER, "NextMarker" },
	{ PAGE_RANGE, RANGE_START, "Start" },
	{ PAGE_RANGE, RANGE_END, "End" },
};

struct az_xml {
	XML_Parser parser;
	int err;
	enum element root; /* ERROR or PAGE_LIST */
	int depth;
	enum element stack[MAX_DEPTH];
	size_t len;
	char text[AZ_XML_TEXT];

	struct az_xml_error *error;
	az_xml_range_fn range;
	void *arg;
	bool has_start, has_end;
	uint64_t start, end;
	char marker[AZ_XML_TEXT];
};

/* expat may still call a handler or two after it was stopped (the end of an
 * empty element, for one), so each of them looks at @err first. */
static void refuse(struct az_xml *x, int err)
{
	if (!x->err)
		x->err = err;
	XML_StopParser(x->parser, XML_FALSE);
}

static enum element classify(const struct az_xml *x, const char *name)
{
	if (!x->depth) {
		if (!strcmp(name, x->root == ERROR ? "Error" : "PageList"))
			return x->root;
		return OTHER;
	}
	for (size_t i = 0; i < sizeof(grammar) / sizeof(*grammar); i++)
		if (grammar[i].parent == x->stack[x->depth - 1] && !strcmp(grammar[i].name, name))
			return grammar[i].self;
	return OTHER;
}

static void XMLCALL on_start(void *arg, const XML_Char *name, const XML_Char **attributes)
{
	struct az_xml *x = arg;
	enum element e;

	(void)attributes;
	if (x->err)
		return;
	if (x->depth == MAX_DEPTH) {
		refuse(x, -EBADMSG);
		return;
	}
	e = classify(x, name);
	if (!x->depth && e == OTHER) {
		refuse(x, -EBADMSG);
		return;
	}
	if (e == PAGE_RANGE)
		x->has_start = x->has_end = false;
	x->stack[x->depth++] = e;
	x->len = 0;
}

static void XMLCALL on_text(void *arg, const XML_Char *s, int len)
{
	struct az_xml *x = arg;
	size_t room = sizeof(x->text) - x->len;
	size_t n = (size_t)len;

	if (x->err || !x->depth || x->stack[x->depth - 1] == OTHER)
		return;
	if (n > room) {
		/* An error's message may be cut; numbers and markers not. */
		if (x->root != ERROR) {
			refuse(x, -EBADMSG);
			return;
		}
		n = room;
	}
	memcpy(x->text + x->len, s, n);
	x->len += n;
}

static void first_line(const struct az_xml *x, char *dst, size_t size)
{
	size_t n = 0;

	while (n < x->len && x->text[n] != '\n' && x->text[n] != '\r')
		n++;
	text_copy(dst, size, x->text, n);
}

static void range_done(struct az_xml *x)
{
	if (!x->has_start || !x->has_end || x->end < x->start || x->range(x->arg, x->start, x->end))
		refuse(x, -EBADMSG);
}

static void XMLCALL on_end(void *arg, const XML_Char *name)
{
	struct az_xml *x = arg;

	(void)name;
	if (x->err || !x->depth)
		return;
	switch (x->stack[--x->depth]) {
	case ERROR_CODE:
		text_copy(x->error->code, sizeof(x->error->code), x->text, x->len);
		break;
	case ERROR_MESSAGE:
		first_line(x, x->error->message, sizeof(x->error->message));
		break;
	case ERROR_DETAIL:
		first_line(x, x->error->detail, sizeof(x->error->detail));
		break;
	case RANGE_START:
		x->has_start = text_u64(x->text, x->len, &x->start);
		break;
	case RANGE_END:
		x->has_end = text_u64(x->text, x->len, &x->end);
		break;
	case PAGE_RANGE:
		range_done(x);
		break;
	case NEXT_MARKER:
		if (x->len >= sizeof(x->marker)) {
			refuse(x, -EBADMSG);
			break;
		}
		memcpy(x->marker, x->text, x->len);
		x->marker[x->len] = '\0';
		break;
	default:
		break;
	}
	x->len = 0;
}

/* No document of the service has a DTD, and entities are where hostile XML
 * grows: refused before anything of it is read. */
static void XMLCALL on_doctype(void *arg, const XML_Char *name, const XML_Char *sysid,
			       const XML_Char *pubid, int internal)
{
	(void)name;
	(void)sysid;
	(void)pubid;
	(void)internal;
	refuse(arg, -EBADMSG);
}

static struct az_xml *new_xml(enum element root)
{
	struct az_xml *x = calloc(1, sizeof(*x));

	if (!x)
		return NULL;
	x->root = root;
	x->parser = XML_ParserCreate(NULL);
	if (!x->parser) {
		free(x);
		return NULL;
	}
	XML_SetUserData(x->parser, x);
	XML_SetElementHandler(x->parser, on_start, on_end);
	XML_SetCharacterDataHandler(x->parser, on_text);
	XML_SetStartDoctypeDeclHandler(x->parser, on_doctype);
	return x;
}

struct az_xml *az_xml_error_new(struct az_xml_error *into)
{
	struct az_xml *x = new_xml(ERROR);

	*into = (struct az_xml_error){ 0 };
	if (x)
		x->error = into;
	return x;
}

struct az_xml *az_xml_pages_new(az_xml_range_fn range, void *arg)
{
	struct az_xml *x = new_xml(PAGE_LIST);

	if (x) {
		x->range = range;
		x->arg = arg;
	}
	return x;
}

void az_xml_free(struct az_xml *x)
{
	if (!x)
		return;
	XML_ParserFree(x->parser);
	free(x);
}

static int parse(struct az_xml *x, const char *buf, int len, int final)
{
	if (x->err)
		return x->err;
	if (XML_Parse(x->parser, buf, len, final) == XML_STATUS_OK)
		return 0;
	if (!x->err)
		x->err = XML_GetErrorCode(x->parser) == XML_ERROR_NO_MEMORY ? -ENOMEM : -EBADMSG;
	return x->err;
}

int az_xml_feed(struct az_xml *x, const void *buf, size_t len)
{
	const char *p = buf;
	int err = 0;

	while (len && !err) {
		size_t n = len > INT_MAX ? INT_MAX : len;

		err = parse(x, p, (int)n, 0);
		p += n;
		len -= n;
	}
	return err;
}

int az_xml_finish(struct az_xml *x)
{
	return parse(x, "", 0, 1);
}

const char *az_xml_marker(const struct az_xml *x)
{
	return x->marker;
}
