/* SPDX-License-Identifier: MIT */
/*
 * parameters.h - which headers and query parameters an operation takes
 *
 * What Azure knows and devstore has not, a condition above all, must not be passed
 * over: the write would be done that should not be.  So what is known here of
 * Azure's headers and parameters stands in one table, with the operations that do
 * as it says; with any other it is an error, before anything is looked up.  What
 * Azure doesn't know either is passed over, as there, unless it looks like a
 * condition of a version to come.
 */
#ifndef DEVSTORE_PARAMETERS_H
#define DEVSTORE_PARAMETERS_H

#include "devstore/service/call.h"

/* DS_OK, or the error of the first that @op doesn't take. */
enum ds_err ds_check_parameters(const struct ds_request *r, enum ds_op op);

#endif
