// SPDX-License-Identifier: MIT
#include "devstore/request/error.h"

#include <errno.h>

static const struct ds_error errors[] = {
#define X(name, status, message) [ERR_##name] = { (status), #name, (message) },
#define Y(name, code, status, message) [ERR_##name] = { (status), #code, (message) },
	DS_ERRORS(X, Y)
#undef X
#undef Y
};

const struct ds_error *ds_error(enum ds_err err)
{
	return &errors[err];
}

static int untold; /* the service is one thread */

int ds_error_untold(void)
{
	int err = untold;

	untold = 0;
	return err;
}

enum ds_err ds_error_of(int err)
{
	switch (err) {
	case 0:
		return DS_OK;
	case -ENOENT:
		return ERR_BlobNotFound;
	case -EEXIST:
		return ERR_BlobAlreadyExists;
	case -ENOTEMPTY:
		return ERR_SnapshotsPresent;
	case -ENOSPC:
	case -EDQUOT:
		return ERR_InsufficientStorage;
	default:
		untold = err;
		return ERR_InternalError;
	}
}
