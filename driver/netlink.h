/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * netlink.h - the generic netlink family "cdrive"
 *
 * The protocol is described in uapi/linux/cdrive.h.
 */
#ifndef _CDRIVE_NETLINK_H
#define _CDRIVE_NETLINK_H

#include <linux/cdrive.h>

struct cdrive;
struct sk_buff;
struct sock;

int cdrive_nl_init(void);
void cdrive_nl_exit(void);

/*
 * A REQUEST message with room for @n descriptors, at least one and at most
 * CDRIVE_MAX_BATCH, to be filled in at @desc.
 * Atomic; NULL when there is no memory.
 */
struct sk_buff *cdrive_nl_request_new(unsigned int index, unsigned int n,
				      struct cdrive_descriptor **desc);
/* Sends it to the drive's helper, and consumes it; atomic. */
int cdrive_nl_request_send(struct cdrive *drive, struct sk_buff *skb);

/* What tells that socket from all others, of the past and to come. */
u64 cdrive_nl_cookie(struct sock *sk);

/* That socket sends nothing any more. */
bool cdrive_nl_is_closed(const struct sock *sk);

/* READY to the drive's helper: the disk is there, or @err why not. */
void cdrive_nl_send_ready(struct cdrive *drive, int err);

/* STATE to everybody who listens. */
void cdrive_nl_notify_state(unsigned int index, enum cdrive_state state);

#endif /* _CDRIVE_NETLINK_H */
