/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * message.h - the generic netlink family "cdrive", and what the driver sends by it
 *
 * The protocol is described in uapi/linux/cdrive.h.  What comes in, and the
 * answers to it, is netlink.c's.
 */
#ifndef _CDRIVE_MESSAGE_H
#define _CDRIVE_MESSAGE_H

#include <linux/cdrive.h>

struct cdrive_helper;
struct genl_family;
struct sk_buff;

/* netlink.c adds the commands, and registers it. */
extern struct genl_family cdrive_nl_family;

/*
 * A REQUEST message with room for @n descriptors, at least one and at most
 * CDRIVE_MAX_BATCH, to be filled in at @desc.
 * Atomic; NULL when there is no memory.
 */
struct sk_buff *cdrive_nl_request_new(unsigned int index, unsigned int n,
				      struct cdrive_descriptor **desc);
/* Sends it to @helper, and consumes it; atomic. */
int cdrive_nl_request_send(const struct cdrive_helper *helper,
			   struct sk_buff *skb);

/*
 * READY to the helper at @portid: the disk is there, or @err why not.
 * -EAGAIN: its socket's buffer is full; -ENOMEM: there is no memory.
 */
int cdrive_nl_send_ready(unsigned int index, u32 portid, int err);

/* STATE to everybody who listens. */
void cdrive_nl_notify_state(unsigned int index, enum cdrive_state state);

#endif /* _CDRIVE_MESSAGE_H */
