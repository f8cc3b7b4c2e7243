/* SPDX-License-Identifier: MIT */
/*
 * parameters.h - which headers and query parameters an operation takes
 *
 * What Azure knows and devstore lacks must not be ignored: with a condition ignored, a
 * write would be done that should not be.  So one table has Azure's headers and
 * parameters, each with the operations that obey it.  With any other operation it is
 * an error, before anything is looked up.  What Azure doesn't know either is ignored,
 * as Azure does, unless it looks like a condition of a later version.
 */
#ifndef DEVSTORE_PARAMETERS_H
#define DEVSTORE_PARAMETERS_H

#include "devstore/service/call.h"

/* DS_OK, or the error of the first that @op doesn't take. */
enum ds_err ds_check_parameters(const struct ds_request *r, enum ds_op op);

#endif
