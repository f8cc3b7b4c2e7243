// SPDX-License-Identifier: MIT
#include "devstore/service/conditions.h"

#include <string.h>

#include "lib/date.h"
#include "lib/text.h"

void ds_etag_text(uint64_t etag, char text[DS_ETAG_TEXT])
{
	static const char hex[] = "0123456789ABCDEF";

	/* As Azure's: "0x8D…", 15 digits. */
	memcpy(text, "\"0x000000000000000\"", DS_ETAG_TEXT);
	for (int i = 14; i >= 0; i--, etag >>= 4)
		text[3 + i] = hex[etag & 15];
}

static enum ds_err parse_date(const char *text, int64_t *ticks)
{
	if (text && !date_parse_http(text, ticks))
		return ERR_InvalidHeaderValue;
	return DS_OK;
}

static enum ds_err parse_number(const char *text, bool *has, uint64_t *number)
{
	*has = text != NULL;
	if (text && (!text_u64(text, strlen(text), number) || *number > INT64_MAX))
		return ERR_InvalidHeaderValue;
	return DS_OK;
}

/* The pairs that may be combined are If-None-Match with If-Modified-Since and
 * If-Match with If-Unmodified-Since. */
static enum ds_err check_combination(const struct ds_conditions *c)
{
	bool positive = c->if_match || c->unmodified_since;
	bool negative = c->if_none_match || c->modified_since;

	return positive && negative ? ERR_MultipleConditionHeadersNotSupported : DS_OK;
}

static enum ds_err parse(const struct ds_request *r, struct ds_conditions *c, enum ds_header match,
			 enum ds_header none_match, enum ds_header modified,
			 enum ds_header unmodified)
{
	enum ds_err err;

	c->if_match = r->header[match];
	c->if_none_match = r->header[none_match];
	err = parse_date(r->header[modified], &c->modified_since);
	if (!err)
		err = parse_date(r->header[unmodified], &c->unmodified_since);
	return err ? err : check_combination(c);
}

enum ds_err ds_conditions_parse(const struct ds_request *r, struct ds_conditions *c)
{
	enum ds_err err;

	*c = (struct ds_conditions){ 0 };
	err = parse(r, c, H_IF_MATCH, H_IF_NONE_MATCH, H_IF_MODIFIED_SINCE, H_IF_UNMODIFIED_SINCE);
	if (!err)
		err = parse_number(r->header[H_IF_SEQUENCE_EQ], &c->has_eq, &c->eq);
	if (!err)
		err = parse_number(r->header[H_IF_SEQUENCE_LE], &c->has_le, &c->le);
	if (!err)
		err = parse_number(r->header[H_IF_SEQUENCE_LT], &c->has_lt, &c->lt);
	return err;
}

enum ds_err ds_conditions_parse_source(const struct ds_request *r, struct ds_conditions *c)
{
	*c = (struct ds_conditions){ 0 };
	return parse(r, c, H_SOURCE_IF_MATCH, H_SOURCE_IF_NONE_MATCH, H_SOURCE_IF_MODIFIED_SINCE,
		     H_SOURCE_IF_UNMODIFIED_SINCE);
}

/* Whether @etag is in a list such as `"0x1", 0x2`, or the list is `*`. */
static bool in_list(const char *list, uint64_t etag)
{
	char text[DS_ETAG_TEXT];
	size_t full;

	ds_etag_text(etag, text);
	full = strlen(text);
	while (*list) {
		size_t len = strcspn(list, ",");
		size_t n = len;
		const char *s = list;

		while (n && (*s == ' ' || *s == '\t')) {
			s++;
			n--;
		}
		while (n && (s[n - 1] == ' ' || s[n - 1] == '\t'))
			n--;
		if (n == 1 && *s == '*')
			return true;
		if ((n == full && !memcmp(s, text, n)) ||
		    (n == full - 2 && !memcmp(s, text + 1, n)))
			return true;
		list += len;
		list += *list == ',';
	}
	return false;
}

enum ds_err ds_conditions_check(const struct ds_conditions *c, uint64_t etag, int64_t modified,
				bool read)
{
	enum ds_err not_modified = read ? ERR_ConditionNotMet_304 : ERR_ConditionNotMet;

	modified -= modified % DATE_TICKS; /* Last-Modified has whole seconds */
	if (read && c->if_none_match && !strcmp(c->if_none_match, "*"))
		return ERR_UnsatisfiableCondition;
	if (c->if_match && !in_list(c->if_match, etag))
		return ERR_ConditionNotMet;
	if (c->unmodified_since && modified > c->unmodified_since)
		return ERR_ConditionNotMet;
	/* Both of these are there: either is enough (RFC 2616, 14.26). */
	if (c->if_none_match) {
		if (in_list(c->if_none_match, etag) &&
		    !(c->modified_since && modified > c->modified_since))
			return not_modified;
	} else if (c->modified_since && modified <= c->modified_since) {
		return not_modified;
	}
	return DS_OK;
}

enum ds_err ds_conditions_check_absent(const struct ds_conditions *c)
{
	return c->if_match ? ERR_ConditionNotMet : DS_OK;
}

enum ds_err ds_conditions_check_sequence(const struct ds_conditions *c, uint64_t number)
{
	if ((c->has_eq && number != c->eq) || (c->has_le && number > c->le) ||
	    (c->has_lt && number >= c->lt))
		return ERR_SequenceNumberConditionNotMet;
	return DS_OK;
}
