/* SPDX-License-Identifier: MIT */
/*
 * netlink.h - a socket on the driver's generic netlink family, and its messages
 *
 * What the two kinds of client share: a helper's socket (drive/link.h), which carries
 * requests and is read by a loop, and that of programs which look at drives or detach
 * them (lib/driver.h) and wait for each answer.  Protocol: uapi/linux/cdrive.h.
 */
#ifndef LIB_NETLINK_H
#define LIB_NETLINK_H

#include <stdint.h>

#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>

#include <linux/cdrive.h>

struct netlink {
	struct nl_sock *sock; /* NULL: not open */
	int family;
};

/* 0; -ENOENT: the module is not loaded; -ENOMEM, -EIO. */
int netlink_open(struct netlink *n);
void netlink_close(struct netlink *n);
int netlink_fd(const struct netlink *n);

/* A command, and one about the drive @index: the caller's, or NULL when memory is out.
 * @flags: NLM_F_* beside those of every request. */
struct nl_msg *netlink_message(const struct netlink *n, enum cdrive_cmd command, int flags);
struct nl_msg *netlink_message_for_drive(const struct netlink *n, enum cdrive_cmd command,
					 int flags, unsigned int index);

/* Sends and frees @msg; NULL is -ENOMEM.  @seq: NULL, or where its sequence number goes.
 * 0, -EPERM, or -EIO for whatever else libnl makes of it. */
int netlink_send(struct netlink *n, struct nl_msg *msg, uint32_t *seq);

/* The attributes of a message of the family, checked by type; 0 or -EPROTO. */
int netlink_parse(struct nlmsghdr *nlh, struct nlattr *attrs[CDRIVE_A_MAX + 1]);

/* An attribute's value, or @missing. */
uint32_t netlink_u32(struct nlattr **attrs, enum cdrive_attr attr, uint32_t missing);

#endif
