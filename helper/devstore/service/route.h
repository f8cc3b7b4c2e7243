/* SPDX-License-Identifier: MIT */
/*
 * route.h - which operation a request is
 */
#ifndef DEVSTORE_ROUTE_H
#define DEVSTORE_ROUTE_H

#include "devstore/service/call.h"

/* OP_Unsupported: none that is served here. */
enum ds_op ds_route(const struct ds_request *r);

#endif
