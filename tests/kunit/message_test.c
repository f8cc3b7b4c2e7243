// SPDX-License-Identifier: GPL-2.0-only
/* REQUEST messages: what is in them, and how large they are. */
#include <kunit/test.h>
#include <linux/netlink.h>
#include <net/genetlink.h>

#include "message.h"

static const struct nlattr *find(const struct sk_buff *skb, int type)
{
	const struct nlmsghdr *nlh = nlmsg_hdr(skb);

	return nla_find(nlmsg_attrdata(nlh, GENL_HDRLEN),
			nlmsg_attrlen(nlh, GENL_HDRLEN), type);
}

static struct sk_buff *message(struct kunit *test, unsigned int n,
			       struct cdrive_descriptor **desc)
{
	struct sk_buff *skb = cdrive_nl_request_new(7, n, desc);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, skb);
	for (i = 0; i < n; i++)
		(*desc)[i] = (struct cdrive_descriptor){
			.sector = 1000 + i,
			.tag = i,
		};
	return skb;
}

/* All that fits is there, each batch size there is. */
static void descriptors(struct kunit *test)
{
	struct cdrive_descriptor *desc;
	unsigned int n, i;

	for (n = 1; n <= CDRIVE_MAX_BATCH; n++) {
		struct sk_buff *skb = message(test, n, &desc);
		const struct nlattr *index = find(skb, CDRIVE_A_INDEX);
		const struct nlattr *attr = find(skb, CDRIVE_A_DESCRIPTORS);
		const struct genlmsghdr *hdr = nlmsg_data(nlmsg_hdr(skb));

		KUNIT_ASSERT_NOT_NULL(test, index);
		KUNIT_ASSERT_NOT_NULL(test, attr);
		KUNIT_EXPECT_EQ(test, hdr->cmd, CDRIVE_CMD_REQUEST);
		KUNIT_EXPECT_EQ(test, nla_get_u32(index), 7);
		KUNIT_EXPECT_EQ(test, nla_len(attr), n * sizeof(*desc));
		KUNIT_EXPECT_PTR_EQ(test, (void *)nla_data(attr), (void *)desc);
		KUNIT_EXPECT_TRUE(test, IS_ALIGNED((unsigned long)desc,
						   sizeof(u64)));
		for (i = 0; i < n; i++)
			KUNIT_EXPECT_EQ(test, desc[i].sector, 1000 + i);
		kfree_skb(skb);
	}
}

/* An attribute's length has 16 bits, and so has a sane buffer's share. */
static void largest(struct kunit *test)
{
	struct cdrive_descriptor *desc;
	struct sk_buff *skb = message(test, CDRIVE_MAX_BATCH, &desc);

	KUNIT_EXPECT_LT(test, skb->len, U16_MAX);
	KUNIT_EXPECT_LE(test, skb->len, PAGE_SIZE);
	kfree_skb(skb);
}

/*
 * netlink_unicast() makes a message smaller, by an allocation that may sleep,
 * when more than half of what it is accounted for is not used (netlink_trim());
 * the driver sends under a spinlock.
 */
static void never_trimmed(struct kunit *test)
{
	struct cdrive_descriptor *desc;
	unsigned int n;

	for (n = 1; n <= CDRIVE_MAX_BATCH; n++) {
		struct sk_buff *skb = message(test, n, &desc);

		KUNIT_EXPECT_LT(test, skb_tailroom(skb) * 2, skb->truesize);
		kfree_skb(skb);
	}
}

static struct kunit_case cases[] = {
	KUNIT_CASE(descriptors),
	KUNIT_CASE(largest),
	KUNIT_CASE(never_trimmed),
	{}
};

static struct kunit_suite suite = {
	.name = "cdrive_message",
	.test_cases = cases,
};

kunit_test_suite(suite);
