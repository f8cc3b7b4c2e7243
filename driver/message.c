// SPDX-License-Identifier: GPL-2.0-only
#include "message.h"

#include <linux/module.h>
#include <net/genetlink.h>
#include <net/net_namespace.h>

#include "helper.h"

enum { CDRIVE_NL_GRP_STATE };

static const struct genl_multicast_group cdrive_nl_groups[] = {
	[CDRIVE_NL_GRP_STATE] = { .name = CDRIVE_MCGRP_STATE },
};

struct genl_family cdrive_nl_family = {
	.name = CDRIVE_GENL_NAME,
	.version = CDRIVE_GENL_VERSION,
	.module = THIS_MODULE,
	.maxattr = CDRIVE_A_MAX,
	.resv_start_op = CDRIVE_CMD_UNSPEC + 1,
	.mcgrps = cdrive_nl_groups,
	.n_mcgrps = ARRAY_SIZE(cdrive_nl_groups),
	/* No command waits for another, unless a family is registered meanwhile. */
	.parallel_ops = true,
};

/*
 * The message is made to measure: netlink_unicast() trims one that is much too
 * large by reallocating it, in a way that may sleep.
 */
struct sk_buff *cdrive_nl_request_new(unsigned int index, unsigned int n,
				      struct cdrive_descriptor **desc)
{
	size_t len = n * sizeof(**desc);
	struct sk_buff *skb;
	struct nlattr *attr;
	void *hdr;

	skb = genlmsg_new(nla_total_size(sizeof(u32)) +
			  nla_total_size_64bit(len),
			  GFP_ATOMIC | __GFP_NOWARN);
	if (!skb)
		return NULL;
	hdr = genlmsg_put(skb, 0, 0, &cdrive_nl_family, 0, CDRIVE_CMD_REQUEST);
	if (!hdr || nla_put_u32(skb, CDRIVE_A_INDEX, index))
		goto free;
	attr = nla_reserve_64bit(skb, CDRIVE_A_DESCRIPTORS, len, CDRIVE_A_PAD);
	if (!attr)
		goto free;
	*desc = nla_data(attr);
	genlmsg_end(skb, hdr);
	return skb;

free:
	nlmsg_free(skb);
	return NULL;
}

int cdrive_nl_request_send(const struct cdrive_helper *helper,
			   struct sk_buff *skb)
{
	return genlmsg_unicast(&init_net, skb, helper->portid);
}

int cdrive_nl_send_ready(unsigned int index, u32 portid, int err)
{
	struct sk_buff *skb = genlmsg_new(NLMSG_GOODSIZE, GFP_KERNEL);
	void *hdr;

	if (!skb)
		return -ENOMEM;
	hdr = genlmsg_put(skb, 0, 0, &cdrive_nl_family, 0, CDRIVE_CMD_READY);
	if (WARN_ON_ONCE(!hdr || nla_put_u32(skb, CDRIVE_A_INDEX, index) ||
			 (err && nla_put_s32(skb, CDRIVE_A_ERROR, err)))) {
		nlmsg_free(skb);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, hdr);
	return genlmsg_unicast(&init_net, skb, portid);
}

void cdrive_nl_notify_state(unsigned int index, enum cdrive_state state)
{
	struct sk_buff *skb = genlmsg_new(NLMSG_GOODSIZE, GFP_KERNEL);
	void *hdr;

	if (!skb)
		return;
	hdr = genlmsg_put(skb, 0, 0, &cdrive_nl_family, 0, CDRIVE_CMD_STATE);
	if (WARN_ON_ONCE(!hdr || nla_put_u32(skb, CDRIVE_A_INDEX, index) ||
			 nla_put_u32(skb, CDRIVE_A_STATE, state))) {
		nlmsg_free(skb);
		return;
	}
	genlmsg_end(skb, hdr);
	/* -ESRCH: nobody listens. */
	genlmsg_multicast(&cdrive_nl_family, skb, 0, CDRIVE_NL_GRP_STATE,
			  GFP_KERNEL);
}
