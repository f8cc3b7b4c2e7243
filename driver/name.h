/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * name.h - what a drive may be called
 *
 * udev makes a path below /dev of the name; other programs may use it in other ways.
 */
#ifndef _CDRIVE_NAME_H
#define _CDRIVE_NAME_H

#include <linux/types.h>

/* A relative path of visible ASCII characters, with no part that is empty, . or .. */
bool cdrive_name_is_valid(const char *name);

#endif /* _CDRIVE_NAME_H */
