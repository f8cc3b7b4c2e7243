/* SPDX-License-Identifier: MIT */
/*
 * route.h - which operation a request is
 */
#ifndef DEVSTORE_ROUTE_H
#define DEVSTORE_ROUTE_H

#include "devstore/service/call.h"

/* OP_Unsupported: one of Azure's that is not served here; OP_Unknown: none. */
enum ds_op ds_route(const struct ds_request *r);

/* What is wrong with a request that is OP_Unknown. */
enum ds_err ds_route_error(const struct ds_request *r);

#endif
