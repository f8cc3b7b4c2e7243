// SPDX-License-Identifier: GPL-2.0-only
#include "netlink.h"

#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/netlink.h>
#include <linux/slab.h>
#include <net/genetlink.h>
#include <net/net_namespace.h>
#include <net/sock.h>

#include "cache/cache.h"
#include "compat.h"
#include "drive.h"
#include "drives.h"
#include "lease.h"
#include "memory.h"
#include "message.h"
#include "name.h"
#include "queue.h"

MODULE_ALIAS_GENL_FAMILY(CDRIVE_GENL_NAME);

static unsigned int cdrive_park_limit = 300;

static int cdrive_park_limit_set(const char *val, const struct kernel_param *kp)
{
	return param_set_uint_minmax(val, kp, 0, 86400);
}

static const struct kernel_param_ops cdrive_park_limit_ops = {
	.set = cdrive_park_limit_set,
	.get = param_get_uint,
};

module_param_cb(park_limit, &cdrive_park_limit_ops, &cdrive_park_limit, 0644);
MODULE_PARM_DESC(park_limit,
		 "seconds that requests of a drive that is parked wait before they fail (1 to 86400, 0: for ever, default 300)");

/* Not const: a policy of 6.1 can't point to one that is. */
static struct netlink_range_validation cdrive_nl_park_limit = {
	.max = 86400,
};

static struct netlink_range_validation cdrive_nl_lease_until = {
	.max = S64_MAX,
};

static int cdrive_nl_check_lease_id(const struct nlattr *attr,
				    struct netlink_ext_ack *extack)
{
	if (cdrive_lease_id_is_valid(nla_data(attr), nla_len(attr)))
		return 0;
	NL_SET_ERR_MSG_ATTR(extack, attr, "not of visible ASCII characters");
	return -EINVAL;
}

static int cdrive_nl_check_name(const struct nlattr *attr,
				struct netlink_ext_ack *extack)
{
	if (cdrive_name_is_valid(nla_data(attr)))
		return 0;
	NL_SET_ERR_MSG_ATTR(extack, attr,
			    "not a relative path of visible ASCII characters");
	return -EINVAL;
}

static const struct nla_policy cdrive_nl_policy[CDRIVE_A_MAX + 1] = {
	[CDRIVE_A_INDEX] = NLA_POLICY_MAX(NLA_U32, CDRIVE_MAX_DRIVES - 1),
	[CDRIVE_A_SECTORS] = { .type = NLA_U64 },
	[CDRIVE_A_FLAGS] = NLA_POLICY_MASK(NLA_U32, CDRIVE_F_READ_ONLY |
						    CDRIVE_F_FORCE |
						    CDRIVE_F_LIMIT |
						    CDRIVE_F_CREDENTIAL),
	[CDRIVE_A_PARK_LIMIT] = NLA_POLICY_FULL_RANGE(NLA_U32,
						     &cdrive_nl_park_limit),
	[CDRIVE_A_LEASE_UNTIL] = NLA_POLICY_FULL_RANGE(NLA_U64,
						      &cdrive_nl_lease_until),
	[CDRIVE_A_NAME] = NLA_POLICY_VALIDATE_FN(NLA_NUL_STRING,
						 cdrive_nl_check_name,
						 CDRIVE_MAX_NAME),
	[CDRIVE_A_SEQUENCE_NUMBER] = { .type = NLA_U64 },
	[CDRIVE_A_RAISING_TO] = { .type = NLA_U64 },
	[CDRIVE_A_LEASE_ID] = NLA_POLICY_VALIDATE_FN(NLA_NUL_STRING,
						     cdrive_nl_check_lease_id,
						     CDRIVE_MAX_LEASE_ID),
	[CDRIVE_A_NOTES] = {
		.type = NLA_BINARY,
		.len = CDRIVE_MAX_NOTES,
	},
	[CDRIVE_A_CACHE_SIZE] = { .type = NLA_U64 },
	[CDRIVE_A_CACHE_VALIDATOR] = {
		.type = NLA_NUL_STRING,
		.len = CDRIVE_MAX_VALIDATOR,
	},
};

/*
 * What the family's flag GENL_ADMIN_PERM asks for, and what making disks needs
 * beyond that: of who sends, and of who opened the socket.
 */
static bool cdrive_nl_is_admin(struct sk_buff *skb)
{
	return netlink_capable(skb, CAP_NET_ADMIN) &&
	       netlink_capable(skb, CAP_SYS_ADMIN);
}

static int cdrive_nl_check_admin(struct sk_buff *skb, struct genl_info *info)
{
	if (cdrive_nl_is_admin(skb))
		return 0;
	GENL_SET_ERR_MSG(info, "CAP_SYS_ADMIN and CAP_NET_ADMIN are needed");
	return -EPERM;
}

/* See struct cdrive_helper. */
static u64 cdrive_nl_cookie(struct sk_buff *skb)
{
	return cdrive_helper_cookie(NETLINK_CB(skb).sk);
}

static struct cdrive_helper cdrive_nl_sender(struct sk_buff *skb,
					     struct genl_info *info)
{
	return (struct cdrive_helper){
		.cookie = cdrive_nl_cookie(skb),
		.sk = NETLINK_CB(skb).sk,
		.portid = info->snd_portid,
		.pid = task_tgid_nr(current),
	};
}

static struct cdrive *cdrive_nl_find(struct genl_info *info)
{
	struct cdrive *drive;

	if (GENL_REQ_ATTR_CHECK(info, CDRIVE_A_INDEX))
		return ERR_PTR(-EINVAL);
	drive = cdrive_get(nla_get_u32(info->attrs[CDRIVE_A_INDEX]));
	if (drive)
		return drive;
	GENL_SET_ERR_MSG(info, "no such drive");
	return ERR_PTR(-ENODEV);
}

static u32 cdrive_nl_flags(struct genl_info *info)
{
	struct nlattr *attr = info->attrs[CDRIVE_A_FLAGS];

	return attr ? nla_get_u32(attr) : 0;
}

/* -EINVAL when there are flags that are not this command's @own. */
static int cdrive_nl_check_flags(struct genl_info *info, u32 own)
{
	if (!(cdrive_nl_flags(info) & ~own))
		return 0;
	NL_SET_ERR_MSG_ATTR(info->extack, info->attrs[CDRIVE_A_FLAGS],
			    "not a flag of this command");
	return -EINVAL;
}

/* What went wrong, in words that are the same for all commands. */
static int cdrive_nl_error(struct genl_info *info, int err)
{
	switch (err) {
	case -EPERM:
		GENL_SET_ERR_MSG(info, "not the drive's helper");
		break;
	case -EBUSY:
		GENL_SET_ERR_MSG(info, "the drive is in use");
		break;
	case -ENOLINK:
		GENL_SET_ERR_MSG(info, "the drive is fenced");
		break;
	case -ENODEV:
		GENL_SET_ERR_MSG(info, "it is going away");
		break;
	case -ENOSPC:
		GENL_SET_ERR_MSG(info, "all drives are taken");
		break;
	case -EDQUOT:
		GENL_SET_ERR_MSG(info, "more of the cache would be reserved than there is");
		return -ENOSPC;
	}
	return err;
}

static int cdrive_nl_put_drive(struct sk_buff *skb, struct cdrive *drive)
{
	struct cdrive_status s;
	u32 pid;

	cdrive_queue_get_status(&drive->queue, &s);
	pid = s.helper.pid;
	if (nla_put_u32(skb, CDRIVE_A_INDEX, drive->index) ||
	    nla_put_u64_64bit(skb, CDRIVE_A_SECTORS, drive->disk.sectors,
			      CDRIVE_A_PAD) ||
	    nla_put_u32(skb, CDRIVE_A_FLAGS,
			drive->disk.read_only ? CDRIVE_F_READ_ONLY : 0) ||
	    nla_put_u32(skb, CDRIVE_A_STATE, s.standing.state) ||
	    nla_put_u32(skb, CDRIVE_A_PARK_LIMIT, s.standing.park_limit) ||
	    (pid && nla_put_u32(skb, CDRIVE_A_HELPER_PID, pid)) ||
	    nla_put_u32(skb, CDRIVE_A_IN_FLIGHT, s.in_flight) ||
	    nla_put_u32(skb, CDRIVE_A_OPENERS, disk_openers(drive->disk.gendisk)) ||
	    nla_put_u32(skb, CDRIVE_A_PARK_REASONS, s.standing.park_reasons) ||
	    nla_put_u64_64bit(skb, CDRIVE_A_FAILED, s.failed, CDRIVE_A_PAD) ||
	    nla_put_u64_64bit(skb, CDRIVE_A_FAILED_WRITES, s.failed_writes,
			      CDRIVE_A_PAD) ||
	    (s.standing.lease_until != CDRIVE_LEASE_NONE &&
	     nla_put_u64_64bit(skb, CDRIVE_A_LEASE_UNTIL, s.standing.lease_until,
			       CDRIVE_A_PAD)) ||
	    (drive->disk.name[0] &&
	     nla_put_string(skb, CDRIVE_A_NAME, drive->disk.name)))
		return -EMSGSIZE;
	return 0;
}

/* Nothing of a drive that has no part of a cache. */
static int cdrive_nl_put_cache(struct sk_buff *skb, struct cdrive *drive)
{
	struct cdrive_cache_counters counters;
	bool cached;

	spin_lock(&drive->queue.lock);
	cached = cdrive_cache_count(&drive->queue, &counters);
	spin_unlock(&drive->queue.lock);
	return cached ? nla_put(skb, CDRIVE_A_CACHE_COUNTERS, sizeof(counters),
				&counters) : 0;
}

static int cdrive_nl_put_memory(struct sk_buff *skb, struct cdrive *drive)
{
	const struct cdrive_memory *memory = &drive->memory;
	int err = 0;

	spin_lock(&drive->queue.lock);
	if (memory->told &&
	    (nla_put_u64_64bit(skb, CDRIVE_A_SEQUENCE_NUMBER,
			       memory->sequence_number, CDRIVE_A_PAD) ||
	     nla_put_u64_64bit(skb, CDRIVE_A_RAISING_TO, memory->raising_to,
			       CDRIVE_A_PAD) ||
	     nla_put_string(skb, CDRIVE_A_LEASE_ID, memory->lease_id) ||
	     nla_put(skb, CDRIVE_A_NOTES, memory->notes_len, memory->notes)))
		err = -EMSGSIZE;
	spin_unlock(&drive->queue.lock);
	return err;
}

/* @admin: who asks may know what outlives a helper. */
static int cdrive_nl_fill(struct sk_buff *skb, struct cdrive *drive, bool admin,
			  u32 portid, u32 seq, int flags)
{
	void *hdr = genlmsg_put(skb, portid, seq, &cdrive_nl_family, flags,
				CDRIVE_CMD_GET);

	if (!hdr)
		return -EMSGSIZE;
	if (cdrive_nl_put_drive(skb, drive) || cdrive_nl_put_cache(skb, drive) ||
	    (admin && cdrive_nl_put_memory(skb, drive))) {
		genlmsg_cancel(skb, hdr);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, hdr);
	return 0;
}

static int cdrive_nl_reply(struct sk_buff *asked, struct genl_info *info,
			   struct cdrive *drive)
{
	struct sk_buff *skb = genlmsg_new(NLMSG_GOODSIZE, GFP_KERNEL);
	int err;

	if (!skb)
		return -ENOMEM;
	err = cdrive_nl_fill(skb, drive, cdrive_nl_is_admin(asked),
			     info->snd_portid, info->snd_seq, 0);
	if (err) {
		nlmsg_free(skb);
		return err;
	}
	return genlmsg_reply(skb, info);
}

/* What ATTACH asks for. */
static int cdrive_nl_params(struct genl_info *info,
			    struct cdrive_params *params)
{
	struct nlattr *name = info->attrs[CDRIVE_A_NAME];
	struct nlattr *limit = info->attrs[CDRIVE_A_PARK_LIMIT];
	struct nlattr *until = info->attrs[CDRIVE_A_LEASE_UNTIL];
	struct nlattr *size = info->attrs[CDRIVE_A_CACHE_SIZE];
	struct nlattr *validator = info->attrs[CDRIVE_A_CACHE_VALIDATOR];
	u32 flags = cdrive_nl_flags(info);

	if (GENL_REQ_ATTR_CHECK(info, CDRIVE_A_SECTORS))
		return -EINVAL;
	*params = (struct cdrive_params){
		.name = name ? nla_data(name) : "",
		.sectors = nla_get_u64(info->attrs[CDRIVE_A_SECTORS]),
		.read_only = flags & CDRIVE_F_READ_ONLY,
		.park_limit = limit ? nla_get_u32(limit) : cdrive_park_limit,
		.lease_until = until ? nla_get_u64(until) : CDRIVE_LEASE_NONE,
		.cache_size = size ? nla_get_u64(size) : CDRIVE_CACHE_SHARED,
		.validator = validator ? nla_data(validator) : "",
	};
	if (!params->sectors || params->sectors > LLONG_MAX >> SECTOR_SHIFT) {
		NL_SET_ERR_MSG_ATTR(info->extack, info->attrs[CDRIVE_A_SECTORS],
				    "not a size that a disk can have");
		return -EINVAL;
	}
	return cdrive_nl_check_flags(info, CDRIVE_F_READ_ONLY);
}

/* What is told of it to be kept, for kfree(); NULL: nothing; or an ERR_PTR. */
static struct cdrive_memory *cdrive_nl_memory(struct genl_info *info)
{
	struct nlattr *number = info->attrs[CDRIVE_A_SEQUENCE_NUMBER];
	struct nlattr *raising = info->attrs[CDRIVE_A_RAISING_TO];
	struct nlattr *lease_id = info->attrs[CDRIVE_A_LEASE_ID];
	struct nlattr *notes = info->attrs[CDRIVE_A_NOTES];
	struct cdrive_memory *memory;

	if (!number && !raising && !lease_id && !notes)
		return NULL;
	memory = kzalloc(sizeof(*memory), GFP_KERNEL);
	if (!memory)
		return ERR_PTR(-ENOMEM);
	memory->told = true;
	memory->sequence_number = number ? nla_get_u64(number) : 0;
	memory->raising_to = raising ? nla_get_u64(raising) : 0;
	if (lease_id)
		nla_strscpy(memory->lease_id, lease_id,
			    sizeof(memory->lease_id));
	if (notes)
		memory->notes_len = nla_memcpy(memory->notes, notes,
					       sizeof(memory->notes));
	return memory;
}

static int cdrive_nl_attach(struct sk_buff *skb, struct genl_info *info)
{
	struct cdrive_helper helper = cdrive_nl_sender(skb, info);
	struct cdrive_memory *memory;
	struct cdrive_params params;
	struct cdrive *drive;
	int err;

	err = cdrive_nl_check_admin(skb, info);
	if (err)
		return err;
	err = cdrive_nl_params(info, &params);
	if (err)
		return err;
	memory = cdrive_nl_memory(info);
	if (IS_ERR(memory))
		return PTR_ERR(memory);
	params.memory = memory;
	drive = cdrive_attach(&params, &helper);
	kfree(memory);
	if (IS_ERR(drive))
		return cdrive_nl_error(info, PTR_ERR(drive));
	err = cdrive_nl_reply(skb, info, drive);
	if (err)	/* a drive that its helper doesn't know of */
		cdrive_detach(drive, true);
	cdrive_put(drive);
	return err;
}

/* The drive's helper, or one who may make and take any drive. */
static int cdrive_nl_check_detach(struct sk_buff *skb, struct genl_info *info,
				  struct cdrive *drive)
{
	struct cdrive_status s;

	cdrive_queue_get_status(&drive->queue, &s);
	if (cdrive_helper_is(&s.helper, cdrive_nl_cookie(skb)))
		return 0;
	return cdrive_nl_check_admin(skb, info);
}

static int cdrive_nl_detach(struct sk_buff *skb, struct genl_info *info)
{
	struct cdrive *drive = cdrive_nl_find(info);
	u32 flags = cdrive_nl_flags(info);
	int err;

	if (IS_ERR(drive))
		return PTR_ERR(drive);
	err = cdrive_nl_check_detach(skb, info, drive);
	if (!err)
		err = cdrive_nl_check_flags(info, CDRIVE_F_FORCE);
	if (!err)
		err = cdrive_nl_error(info, cdrive_detach(drive, flags));
	cdrive_put(drive);
	return err;
}

static int cdrive_nl_get(struct sk_buff *skb, struct genl_info *info)
{
	struct cdrive *drive = cdrive_nl_find(info);
	int err;

	if (IS_ERR(drive))
		return PTR_ERR(drive);
	err = cdrive_nl_reply(skb, info, drive);
	cdrive_put(drive);
	return err;
}

static int cdrive_nl_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	bool admin = cdrive_nl_is_admin(cb->skb);
	int err = 0;

	for (; cb->args[0] < CDRIVE_MAX_DRIVES && !err; cb->args[0]++) {
		struct cdrive *drive = cdrive_get(cb->args[0]);

		if (!drive)
			continue;
		err = cdrive_nl_fill(skb, drive, admin,
				     NETLINK_CB(cb->skb).portid,
				     cb->nlh->nlmsg_seq, NLM_F_MULTI);
		cdrive_put(drive);
		if (err)
			break;
	}
	return skb->len;
}

static int cdrive_nl_adopt(struct sk_buff *skb, struct genl_info *info)
{
	struct cdrive_helper helper = cdrive_nl_sender(skb, info);
	struct nlattr *attr = info->attrs[CDRIVE_A_LEASE_UNTIL];
	u64 until = attr ? nla_get_u64(attr) : 0;
	struct cdrive *drive;
	int err;

	err = cdrive_nl_check_admin(skb, info);
	if (err)
		return err;
	drive = cdrive_nl_find(info);
	if (IS_ERR(drive))
		return PTR_ERR(drive);
	err = cdrive_adopt(drive, &helper, attr ? &until : NULL);
	if (err) {
		cdrive_nl_error(info, err);
	} else {
		err = cdrive_nl_reply(skb, info, drive);
		if (err)	/* a helper that doesn't know it */
			cdrive_disown(drive, helper.cookie);
	}
	cdrive_put(drive);
	return err;
}

/* PARK, RESUME and FENCE: what a helper asks for its drive. */
static int cdrive_nl_ask(struct sk_buff *skb, struct genl_info *info)
{
	u64 cookie = cdrive_nl_cookie(skb);
	u8 cmd = info->genlhdr->cmd;
	struct cdrive *drive;
	u32 own = 0;
	int err;

	if (cmd == CDRIVE_CMD_RESUME)
		own = CDRIVE_F_LIMIT;
	else if (cmd == CDRIVE_CMD_PARK)
		own = CDRIVE_F_CREDENTIAL;
	err = cdrive_nl_check_flags(info, own);
	if (err)
		return err;
	drive = cdrive_nl_find(info);
	if (IS_ERR(drive))
		return PTR_ERR(drive);
	switch (cmd) {
	case CDRIVE_CMD_PARK:
		err = cdrive_park(drive, cookie, cdrive_nl_flags(info));
		break;
	case CDRIVE_CMD_RESUME:
		err = cdrive_resume(drive, cookie, cdrive_nl_flags(info));
		break;
	default:
		err = cdrive_fence(drive, cookie);
		break;
	}
	cdrive_put(drive);
	return cdrive_nl_error(info, err);
}

/* What needs no permission here is a helper's own, or asks for itself. */
static const struct genl_small_ops cdrive_nl_ops[] = {
	{
		.cmd = CDRIVE_CMD_ATTACH,
		.flags = GENL_ADMIN_PERM,
		.doit = cdrive_nl_attach,
	}, {
		.cmd = CDRIVE_CMD_DETACH,
		.doit = cdrive_nl_detach,
	}, {
		.cmd = CDRIVE_CMD_GET,
		.doit = cdrive_nl_get,
		.dumpit = cdrive_nl_dump,
	}, {
		.cmd = CDRIVE_CMD_ADOPT,
		.flags = GENL_ADMIN_PERM,
		.doit = cdrive_nl_adopt,
	}, {
		.cmd = CDRIVE_CMD_PARK,
		.doit = cdrive_nl_ask,
	}, {
		.cmd = CDRIVE_CMD_RESUME,
		.doit = cdrive_nl_ask,
	}, {
		.cmd = CDRIVE_CMD_FENCE,
		.doit = cdrive_nl_ask,
	},
};

static int cdrive_nl_released(struct notifier_block *nb, unsigned long event,
			      void *data)
{
	const struct netlink_notify *notify = data;

	if (event == NETLINK_URELEASE &&
	    notify->protocol == NETLINK_GENERIC &&
	    net_eq(notify->net, &init_net))
		cdrive_helper_gone(notify->portid);
	return NOTIFY_DONE;
}

static struct notifier_block cdrive_nl_notifier = {
	.notifier_call = cdrive_nl_released,
};

int cdrive_nl_init(void)
{
	int err;

	err = netlink_register_notifier(&cdrive_nl_notifier);
	if (err)
		return err;
	cdrive_nl_family.policy = cdrive_nl_policy;
	cdrive_nl_family.small_ops = cdrive_nl_ops;
	cdrive_nl_family.n_small_ops = ARRAY_SIZE(cdrive_nl_ops);
	err = genl_register_family(&cdrive_nl_family);
	if (err)
		netlink_unregister_notifier(&cdrive_nl_notifier);
	return err;
}

void cdrive_nl_exit(void)
{
	genl_unregister_family(&cdrive_nl_family);
	netlink_unregister_notifier(&cdrive_nl_notifier);
}
