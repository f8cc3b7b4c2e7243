// SPDX-License-Identifier: MIT
#include "devstore/service/xml.h"

#include <string.h>

#include <expat.h>

#include "lib/date.h"

void ds_xml_text(struct text *t, const char *s)
{
	while (*s) {
		size_t plain = strcspn(s, "<>&\"'");

		text_addn(t, s, plain);
		s += plain;
		switch (*s) {
		case '<':
			text_add(t, "&lt;");
			break;
		case '>':
			text_add(t, "&gt;");
			break;
		case '&':
			text_add(t, "&amp;");
			break;
		case '"':
			text_add(t, "&quot;");
			break;
		case '\'':
			text_add(t, "&apos;");
			break;
		default:
			return;
		}
		s++;
	}
}

void ds_xml_element(struct text *t, const char *name, const char *value)
{
	text_add(t, "<");
	text_add(t, name);
	text_add(t, ">");
	ds_xml_text(t, value);
	text_add(t, "</");
	text_add(t, name);
	text_add(t, ">");
}

/* --- stored access policies ------------------------------------------------------- */

enum element { OTHER, ROOT, IDENTIFIER, ID, POLICY, START, EXPIRY, PERMISSION };

static const struct {
	enum element parent, self;
	const char *name;
} grammar[] = {
	{ OTHER, ROOT, "SignedIdentifiers" },
	{ ROOT, IDENTIFIER, "SignedIdentifier" },
	{ IDENTIFIER, ID, "Id" },
	{ IDENTIFIER, POLICY, "AccessPolicy" },
	{ POLICY, START, "Start" },
	{ POLICY, EXPIRY, "Expiry" },
	{ POLICY, PERMISSION, "Permission" },
};

#define MAX_DEPTH 6

struct reader {
	XML_Parser parser;
	enum ds_err err;
	unsigned int depth;
	enum element stack[MAX_DEPTH];
	char text[80];
	size_t len;
	struct ds_policy *policies;
	size_t count;
};

static void refuse(struct reader *r, enum ds_err err)
{
	if (!r->err)
		r->err = err;
	XML_StopParser(r->parser, XML_FALSE);
}

static void XMLCALL on_start(void *arg, const XML_Char *name, const XML_Char **attributes)
{
	struct reader *r = arg;
	enum element parent = r->depth ? r->stack[r->depth - 1] : OTHER;

	(void)attributes;
	if (r->err)
		return;
	if (r->depth == MAX_DEPTH) {
		refuse(r, ERR_InvalidXmlDocument);
		return;
	}
	for (size_t i = 0; i < sizeof(grammar) / sizeof(*grammar); i++) {
		if (grammar[i].parent != parent || strcmp(grammar[i].name, name) != 0 ||
		    (grammar[i].self == ROOT && r->depth))
			continue;
		if (grammar[i].self == IDENTIFIER && ++r->count > DS_MAX_POLICIES) {
			refuse(r, ERR_InvalidXmlDocument);
			return;
		}
		r->stack[r->depth++] = grammar[i].self;
		r->len = 0;
		return;
	}
	refuse(r, ERR_InvalidXmlDocument);
}

static void XMLCALL on_text(void *arg, const XML_Char *s, int len)
{
	struct reader *r = arg;

	if (r->err || !r->depth || r->stack[r->depth - 1] < ID || r->stack[r->depth - 1] == POLICY)
		return;
	if (r->len + (size_t)len >= sizeof(r->text)) {
		refuse(r, ERR_InvalidInput);
		return;
	}
	memcpy(r->text + r->len, s, (size_t)len);
	r->len += (size_t)len;
}

static void take_time(struct reader *r, int64_t *ticks)
{
	if (r->len && !date_parse_iso(r->text, ticks))
		refuse(r, ERR_InvalidXmlDocument);
}

static void XMLCALL on_end(void *arg, const XML_Char *name)
{
	struct reader *r = arg;
	struct ds_policy *p = r->count ? &r->policies[r->count - 1] : NULL;
	enum element e;

	(void)name;
	/* A parser that was stopped in an empty element still tells of its end. */
	if (r->err)
		return;
	e = r->stack[--r->depth];
	r->text[r->len] = '\0';
	if (!p) {
		r->len = 0;
		return;
	}
	if (e == ID) {
		if (!r->len || r->len >= sizeof(p->id))
			refuse(r, ERR_InvalidInput);
		else
			memcpy(p->id, r->text, r->len + 1);
	} else if (e == PERMISSION) {
		if (r->len >= sizeof(p->permissions) || !ds_sas_permissions(r->text))
			refuse(r, ERR_InvalidXmlDocument);
		else
			memcpy(p->permissions, r->text, r->len + 1);
	} else if (e == START) {
		take_time(r, &p->start);
	} else if (e == EXPIRY) {
		take_time(r, &p->expiry);
	}
	r->len = 0;
}

/* Entities are where hostile XML grows. */
static void XMLCALL on_doctype(void *arg, const XML_Char *name, const XML_Char *sysid,
			       const XML_Char *pubid, int internal)
{
	(void)name;
	(void)sysid;
	(void)pubid;
	(void)internal;
	refuse(arg, ERR_InvalidXmlDocument);
}

enum ds_err ds_xml_policies(const void *body, size_t len,
			    struct ds_policy policies[DS_MAX_POLICIES])
{
	struct reader r = { .policies = policies };

	memset(policies, 0, DS_MAX_POLICIES * sizeof(*policies));
	r.parser = XML_ParserCreate(NULL);
	if (!r.parser)
		return ERR_InternalError;
	XML_SetUserData(r.parser, &r);
	XML_SetElementHandler(r.parser, on_start, on_end);
	XML_SetCharacterDataHandler(r.parser, on_text);
	XML_SetStartDoctypeDeclHandler(r.parser, on_doctype);
	if (XML_Parse(r.parser, body, (int)len, 1) != XML_STATUS_OK && !r.err)
		r.err = ERR_InvalidXmlDocument;
	XML_ParserFree(r.parser);
	for (size_t i = 0; i < r.count && !r.err; i++) {
		if (!policies[i].id[0])
			r.err = ERR_InvalidXmlDocument;
		for (size_t j = 0; j < i; j++)
			if (!strcmp(policies[i].id, policies[j].id))
				r.err = ERR_InvalidXmlDocument;
	}
	return r.err;
}
