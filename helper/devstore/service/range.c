// SPDX-License-Identifier: MIT
#include "devstore/service/range.h"

#include <string.h>

#include "lib/text.h"

bool ds_range_parse(const char *text, struct ds_range *range)
{
	const char *dash;

	if (strncmp(text, "bytes=", 6) != 0)
		return false;
	text += 6;
	dash = strchr(text, '-');
	if (!dash || !text_u64(text, (size_t)(dash - text), &range->first))
		return false;
	range->last = UINT64_MAX;
	if (!dash[1])
		return true;
	return text_u64(dash + 1, strlen(dash + 1), &range->last) && range->first <= range->last;
}

enum ds_err ds_range_of(const struct ds_request *r, struct ds_range *range, bool *has)
{
	const char *text = r->header[H_MS_RANGE] ? r->header[H_MS_RANGE] : r->header[H_RANGE];

	*has = text != NULL;
	if (text && !ds_range_parse(text, range))
		return ERR_InvalidHeaderValue;
	return DS_OK;
}

bool ds_range_asked(const struct ds_request *r, struct ds_range *range)
{
	bool has;

	return !ds_range_of(r, range, &has) && has;
}
