/* SPDX-License-Identifier: MIT */
/*
 * pages.h - what all that writes pages has in common
 */
#ifndef DEVSTORE_PAGES_H
#define DEVSTORE_PAGES_H

#include "devstore/service/service.h"

/* The page blob to be written, held and open, once lease, conditions, sequence
 * number and size allow it. */
enum ds_err ds_call_write_pages(struct ds_call *c, const struct ds_range *range,
				struct ds_object **out);
/* What follows the write: a new ETag, and the response. */
enum ds_err ds_call_pages_written(struct ds_call *c, struct ds_object *obj);

#endif
