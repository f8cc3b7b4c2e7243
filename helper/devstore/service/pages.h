/* SPDX-License-Identifier: MIT */
/*
 * pages.h - what all operations that write pages have in common
 */
#ifndef DEVSTORE_PAGES_H
#define DEVSTORE_PAGES_H

#include "devstore/service/service.h"

/* The page blob to be written, held and open, once lease, conditions, sequence
 * number and size allow it. */
enum ds_err ds_call_write_pages(struct ds_call *c, const struct ds_range *range,
				struct ds_object **out);
/* Writes @data there, or clears (NULL), all or nothing, and answers; a clear of more
 * than 4 MiB that fails may be done in part, under a new ETag. */
enum ds_err ds_call_change_pages(struct ds_call *c, struct ds_object *obj,
				 const struct ds_range *range, const void *data);

#endif
