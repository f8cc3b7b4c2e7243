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

/* --- ETags ------------------------------------------------------------------------ */

struct etag {
	const char *s; /* without its quotes */
	size_t len;
	bool any, weak;
};

static const char *skip_blanks(const char *s)
{
	return s + strspn(s, " \t");
}

/* One of a list such as `"0x1", W/"0x2", 0x3` (Azure takes them without quotes),
 * or `*`: where it ends, or NULL: it is none. */
static const char *read_etag(const char *s, struct etag *tag)
{
	const char *end;

	*tag = (struct etag){ .weak = !strncmp(s, "W/", 2) };
	if (tag->weak)
		s += 2;
	if (*s == '"') {
		end = strchr(++s, '"');
		if (!end)
			return NULL;
		tag->s = s;
		tag->len = (size_t)(end - s);
		return end + 1;
	}
	tag->s = s;
	tag->len = strcspn(s, " \t,\"");
	tag->any = tag->len == 1 && *s == '*';
	return tag->len && !(tag->any && tag->weak) ? s + tag->len : NULL;
}

/* The next of a list, which moves on; false at its end, or where it is none. */
static bool next_etag(const char **list, struct etag *tag, bool *malformed)
{
	const char *s = *list;

	*malformed = false;
	if (!*s)
		return false;
	s = read_etag(skip_blanks(s), tag);
	if (s)
		s = skip_blanks(s);
	if (!s || (*s && *s != ',') || (*s && !*skip_blanks(s + 1))) {
		*malformed = true;
		return false;
	}
	*list = *s ? s + 1 : s;
	return true;
}

static enum ds_err check_etags(const char *list, bool many)
{
	size_t count = 0;
	bool any = false, malformed;
	struct etag tag;

	if (!list)
		return DS_OK;
	for (; next_etag(&list, &tag, &malformed); count++)
		any |= tag.any;
	if (malformed || !count || (count > 1 && any && many))
		return ERR_InvalidHeaderValue;
	return count > 1 && !many ? ERR_MultipleConditionHeadersNotSupported : DS_OK;
}

/* Whether @etag is in a list that was checked.  Ours are strong: a weak one is
 * none of them where the comparison is strong (RFC 9110, 8.8.3.2). */
static bool in_list(const char *list, uint64_t etag, bool strong)
{
	char text[DS_ETAG_TEXT];
	struct etag tag;
	bool malformed;

	ds_etag_text(etag, text);
	while (next_etag(&list, &tag, &malformed))
		if (tag.any || (tag.len == DS_ETAG_TEXT - 3 && !(strong && tag.weak) &&
				!memcmp(tag.s, text + 1, tag.len)))
			return true;
	return false;
}

/* --- reading ------------------------------------------------------------------------ */

static enum ds_err check_combination(const struct ds_conditions *c)
{
	bool positive = c->if_match || c->unmodified_since;
	bool negative = c->if_none_match || c->modified_since;

	return !c->combined && positive && negative ? ERR_MultipleConditionHeadersNotSupported :
						      DS_OK;
}

static enum ds_err parse(const struct ds_request *r, struct ds_conditions *c, enum ds_header match,
			 enum ds_header none_match, enum ds_header modified,
			 enum ds_header unmodified)
{
	enum ds_err err;

	c->if_match = r->header[match];
	c->if_none_match = r->header[none_match];
	err = check_etags(c->if_match, c->combined);
	if (!err)
		err = check_etags(c->if_none_match, c->combined);
	if (!err)
		err = parse_date(r->header[modified], &c->modified_since);
	if (!err)
		err = parse_date(r->header[unmodified], &c->unmodified_since);
	return err ? err : check_combination(c);
}

static bool since_2013(const struct ds_request *r)
{
	const char *version = r->header[H_MS_VERSION];

	if (!version)
		version = ds_query(r, "sv");
	return !version || strcmp(version, "2013-08-15") >= 0;
}

enum ds_err ds_conditions_parse(const struct ds_request *r, bool read, struct ds_conditions *c)
{
	enum ds_err err;

	*c = (struct ds_conditions){ .combined = read && since_2013(r) };
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

/* --- judging -------------------------------------------------------------------------- */

/* If-Match and If-Unmodified-Since. */
static bool same_version(const struct ds_conditions *c, uint64_t etag, int64_t modified)
{
	if (c->if_match && !in_list(c->if_match, etag, true))
		return false;
	if (c->if_match && !c->combined)
		return true;
	return !c->unmodified_since || modified <= c->unmodified_since;
}

/* If-None-Match and If-Modified-Since. */
static bool another_version(const struct ds_conditions *c, uint64_t etag, int64_t modified)
{
	bool newer = c->modified_since && modified > c->modified_since;

	if (!c->if_none_match)
		return !c->modified_since || newer;
	return !in_list(c->if_none_match, etag, false) || (c->combined && newer);
}

enum ds_err ds_conditions_check(const struct ds_conditions *c, uint64_t etag, int64_t modified,
				bool read)
{
	modified -= modified % DATE_TICKS; /* Last-Modified has whole seconds */
	if (read && c->if_none_match && !strcmp(c->if_none_match, "*"))
		return ERR_UnsatisfiableCondition;
	if (!same_version(c, etag, modified))
		return ERR_ConditionNotMet;
	if (!another_version(c, etag, modified))
		return read ? ERR_ConditionNotMet_304 : ERR_ConditionNotMet;
	return DS_OK;
}

bool ds_conditions_range(const struct ds_request *r, uint64_t etag, int64_t modified)
{
	const char *text = r->header[H_IF_RANGE];
	int64_t date;

	if (!text)
		return true;
	if (date_parse_http(text, &date))
		return date == modified - modified % DATE_TICKS;
	return !check_etags(text, false) && strcmp(text, "*") != 0 && in_list(text, etag, true);
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
