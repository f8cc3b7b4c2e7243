// SPDX-License-Identifier: MIT
#include "devstore/service/lease.h"

#include <ctype.h>
#include <string.h>

#define SECOND 1000000000ull

enum ds_lease_state ds_lease_state(const struct ds_lease *l, uint64_t now)
{
	if (l->state == DS_LEASE_LEASED && now >= l->until)
		return DS_LEASE_EXPIRED;
	if (l->state == DS_LEASE_BREAKING && now >= l->until)
		return DS_LEASE_BROKEN;
	return l->state;
}

const char *ds_lease_state_name(enum ds_lease_state state)
{
	static const char *const names[] = { "available", "leased", "breaking", "broken",
					     "expired" };

	return names[state];
}

/* 32 hexadecimal digits, with dashes in the usual places or without, in braces
 * or parentheses or without: what .NET's Guid.Parse() takes. */
bool ds_lease_id(const char *text, char id[DS_LEASE_ID])
{
	size_t len = strlen(text), n = 0;
	bool dashes;

	if (len > 2 && ((text[0] == '{' && text[len - 1] == '}') ||
			(text[0] == '(' && text[len - 1] == ')'))) {
		text++;
		len -= 2;
	}
	dashes = len == 36;
	if (len != 36 && len != 32)
		return false;
	for (size_t i = 0; i < 36; i++) {
		if (i == 8 || i == 13 || i == 18 || i == 23) {
			if (dashes && text[n++] != '-')
				return false;
			id[i] = '-';
			continue;
		}
		if (!isxdigit((unsigned char)text[n]))
			return false;
		id[i] = (char)tolower((unsigned char)text[n++]);
	}
	id[36] = '\0';
	return true;
}

static void lease(struct ds_lease *l, uint64_t now, int duration, const char *id)
{
	l->state = DS_LEASE_LEASED;
	l->duration = duration;
	l->until = duration == DS_LEASE_INFINITE ? DS_LEASE_NEVER :
						   now + (uint64_t)duration * SECOND;
	if (id != l->id)
		memcpy(l->id, id, DS_LEASE_ID);
}

enum ds_err ds_lease_acquire(struct ds_lease *l, uint64_t now, int duration, const char *proposed,
			     bool given)
{
	bool same = given && !strcmp(l->id, proposed);

	switch (ds_lease_state(l, now)) {
	case DS_LEASE_LEASED:
		if (!same)
			return ERR_LeaseAlreadyPresent;
		break;
	case DS_LEASE_BREAKING:
		return same ? ERR_LeaseIsBreakingAndCannotBeAcquired : ERR_LeaseAlreadyPresent;
	default:
		break;
	}
	lease(l, now, duration, proposed);
	return DS_OK;
}

enum ds_err ds_lease_renew(struct ds_lease *l, uint64_t now, const char *id)
{
	enum ds_lease_state state = ds_lease_state(l, now);

	if (state == DS_LEASE_AVAILABLE || strcmp(l->id, id) != 0)
		return ERR_LeaseIdMismatchWithLeaseOperation;
	if (state == DS_LEASE_BREAKING || state == DS_LEASE_BROKEN)
		return ERR_LeaseIsBrokenAndCannotBeRenewed;
	lease(l, now, l->duration, l->id);
	return DS_OK;
}

enum ds_err ds_lease_change(struct ds_lease *l, uint64_t now, const char *id, const char *proposed)
{
	bool mine = !strcmp(l->id, id);

	switch (ds_lease_state(l, now)) {
	case DS_LEASE_LEASED:
		/* Twice the same change is one. */
		if (!mine && strcmp(l->id, proposed) != 0)
			return ERR_LeaseIdMismatchWithLeaseOperation;
		memcpy(l->id, proposed, DS_LEASE_ID);
		return DS_OK;
	case DS_LEASE_BREAKING:
		return mine ? ERR_LeaseIsBreakingAndCannotBeChanged :
			      ERR_LeaseIdMismatchWithLeaseOperation;
	default:
		return ERR_LeaseNotPresentWithLeaseOperation;
	}
}

enum ds_err ds_lease_release(struct ds_lease *l, uint64_t now, const char *id)
{
	if (ds_lease_state(l, now) == DS_LEASE_AVAILABLE || strcmp(l->id, id) != 0)
		return ERR_LeaseIdMismatchWithLeaseOperation;
	*l = (struct ds_lease){ 0 };
	return DS_OK;
}

enum ds_err ds_lease_break(struct ds_lease *l, uint64_t now, int period, int *remaining)
{
	uint64_t until;

	*remaining = 0;
	switch (ds_lease_state(l, now)) {
	case DS_LEASE_AVAILABLE:
		return ERR_LeaseNotPresentWithLeaseOperation;
	case DS_LEASE_BROKEN:
	case DS_LEASE_EXPIRED:
		l->state = DS_LEASE_BROKEN;
		return DS_OK;
	default:
		break;
	}
	/* No period: what remains of a lease that ends, at once for one that
	 * does not.  A period never makes a lease longer. */
	if (period != DS_BREAK_DEFAULT)
		until = now + (uint64_t)period * SECOND;
	else if (l->until == DS_LEASE_NEVER)
		until = now;
	else
		until = l->until;
	if (until < l->until)
		l->until = until;
	l->state = l->until <= now ? DS_LEASE_BROKEN : DS_LEASE_BREAKING;
	if (l->state == DS_LEASE_BREAKING)
		*remaining = (int)((l->until - now + SECOND - 1) / SECOND);
	return DS_OK;
}

static enum ds_err mismatch(bool container)
{
	return container ? ERR_LeaseIdMismatchWithContainerOperation :
			   ERR_LeaseIdMismatchWithBlobOperation;
}

enum ds_err ds_lease_check_read(const struct ds_lease *l, uint64_t now, const char *id,
				bool container)
{
	if (!id)
		return DS_OK;
	if (ds_lease_locked(ds_lease_state(l, now)))
		return strcmp(l->id, id) ? mismatch(container) : DS_OK;
	if (l->id[0] && !strcmp(l->id, id))
		return ERR_LeaseLost;
	return container ? ERR_LeaseNotPresentWithContainerOperation :
			   ERR_LeaseNotPresentWithBlobOperation;
}

enum ds_err ds_lease_check_write(const struct ds_lease *l, uint64_t now, const char *id,
				 bool container)
{
	if (!id && ds_lease_locked(ds_lease_state(l, now)))
		return ERR_LeaseIdMissing;
	return ds_lease_check_read(l, now, id, container);
}

void ds_lease_written(struct ds_lease *l, uint64_t now)
{
	if (l->state != DS_LEASE_AVAILABLE && !ds_lease_locked(ds_lease_state(l, now)))
		*l = (struct ds_lease){ 0 };
}

void ds_lease_expire(struct ds_lease *l, uint64_t now)
{
	if (ds_lease_locked(ds_lease_state(l, now)))
		l->state = DS_LEASE_EXPIRED;
}
