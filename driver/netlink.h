/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * netlink.h - the commands of the generic netlink family "cdrive"
 *
 * The protocol is described in uapi/linux/cdrive.h.  What the driver sends of
 * its own accord is message.h's.
 */
#ifndef _CDRIVE_NETLINK_H
#define _CDRIVE_NETLINK_H

int cdrive_nl_init(void);
void cdrive_nl_exit(void);

#endif /* _CDRIVE_NETLINK_H */
