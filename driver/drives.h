/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * drives.h - the drives there are
 *
 * The table of drives holds one reference to each, and every lookup one for as
 * long as it works with it; the drive holds its disk.  A disk that was detached
 * by force lives on, dead, until its last opener is gone, and keeps its index
 * (so its name) taken; nothing leads from it to the drive any more.
 */
#ifndef _CDRIVE_DRIVES_H
#define _CDRIVE_DRIVES_H

#include <linux/types.h>

struct cdrive;
struct cdrive_helper;
struct cdrive_params;

/* The drive of that index with a reference, for cdrive_put(), or NULL. */
struct cdrive *cdrive_get(unsigned int index);

/* Calls @what for each there is; none is made or taken off the table meanwhile. */
void cdrive_for_each(void (*what)(struct cdrive *drive));

/*
 * Makes a drive whose helper is @helper, and starts making its disk.  Returns
 * it with a reference, or an ERR_PTR: -ENOSPC when all indices are taken,
 * -EDQUOT when more of the cache would be reserved than there is, -ENODEV when the
 * module is being unloaded, -ENOMEM.
 */
struct cdrive *cdrive_attach(const struct cdrive_params *params,
			     const struct cdrive_helper *helper);

/* -EBUSY: open, or being opened (not with @force); -ENODEV: is going already */
int cdrive_detach(struct cdrive *drive, bool force);

/*
 * A socket @portid was closed: parks the drives it was the helper of.  (Another
 * may have that port id by now, and drives.)
 */
void cdrive_helper_gone(u32 portid);

#endif /* _CDRIVE_DRIVES_H */
