// SPDX-License-Identifier: MIT
#include "lib/netlink.h"

#include <errno.h>

#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>

static struct nla_policy policy[CDRIVE_A_MAX + 1] = {
	[CDRIVE_A_INDEX] = { .type = NLA_U32 },
	[CDRIVE_A_SECTORS] = { .type = NLA_U64 },
	[CDRIVE_A_FLAGS] = { .type = NLA_U32 },
	[CDRIVE_A_STATE] = { .type = NLA_U32 },
	[CDRIVE_A_PARK_LIMIT] = { .type = NLA_U32 },
	[CDRIVE_A_HELPER_PID] = { .type = NLA_U32 },
	[CDRIVE_A_IN_FLIGHT] = { .type = NLA_U32 },
	[CDRIVE_A_OPENERS] = { .type = NLA_U32 },
	[CDRIVE_A_LEASE_UNTIL] = { .type = NLA_U64 },
	[CDRIVE_A_PARK_REASONS] = { .type = NLA_U32 },
	[CDRIVE_A_NAME] = { .type = NLA_STRING },
	[CDRIVE_A_ERROR] = { .type = NLA_U32 },
	[CDRIVE_A_SEQUENCE_NUMBER] = { .type = NLA_U64 },
	[CDRIVE_A_RAISING_TO] = { .type = NLA_U64 },
	[CDRIVE_A_LEASE_ID] = { .type = NLA_STRING },
	[CDRIVE_A_FAILED] = { .type = NLA_U64 },
	[CDRIVE_A_FAILED_WRITES] = { .type = NLA_U64 },
};

int netlink_open(struct netlink *n)
{
	int err = 0;

	n->sock = nl_socket_alloc();
	if (!n->sock)
		return -ENOMEM;
	if (genl_connect(n->sock))
		err = -EIO;
	if (!err)
		n->family = genl_ctrl_resolve(n->sock, CDRIVE_GENL_NAME);
	if (!err && n->family < 0)
		err = n->family == -NLE_OBJ_NOTFOUND ? -ENOENT : -EIO;
	if (err)
		netlink_close(n);
	return err;
}

void netlink_close(struct netlink *n)
{
	if (n->sock)
		nl_socket_free(n->sock);
	n->sock = NULL;
}

int netlink_fd(const struct netlink *n)
{
	return nl_socket_get_fd(n->sock);
}

struct nl_msg *netlink_message(const struct netlink *n, enum cdrive_cmd command, int flags)
{
	struct nl_msg *msg = nlmsg_alloc();

	if (msg && !genlmsg_put(msg, NL_AUTO_PORT, NL_AUTO_SEQ, n->family, 0, NLM_F_REQUEST | flags,
				command, CDRIVE_GENL_VERSION)) {
		nlmsg_free(msg);
		return NULL;
	}
	return msg;
}

struct nl_msg *netlink_message_for_drive(const struct netlink *n, enum cdrive_cmd command,
					 int flags, unsigned int index)
{
	struct nl_msg *msg = netlink_message(n, command, flags);

	if (msg && nla_put_u32(msg, CDRIVE_A_INDEX, index)) {
		nlmsg_free(msg);
		return NULL;
	}
	return msg;
}

int netlink_send(struct netlink *n, struct nl_msg *msg, uint32_t *seq)
{
	int err;

	if (!msg)
		return -ENOMEM;
	nl_complete_msg(n->sock, msg);
	if (seq)
		*seq = nlmsg_hdr(msg)->nlmsg_seq;
	err = nl_send(n->sock, msg);
	nlmsg_free(msg);
	if (err < 0)
		return err == -NLE_PERM ? -EPERM : -EIO;
	return 0;
}

int netlink_parse(struct nlmsghdr *nlh, struct nlattr *attrs[CDRIVE_A_MAX + 1])
{
	return genlmsg_parse(nlh, 0, attrs, CDRIVE_A_MAX, policy) ? -EPROTO : 0;
}

uint32_t netlink_u32(struct nlattr **attrs, enum cdrive_attr attr, uint32_t missing)
{
	return attrs[attr] ? nla_get_u32(attrs[attr]) : missing;
}
