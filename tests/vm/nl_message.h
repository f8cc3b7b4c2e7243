/* SPDX-License-Identifier: MIT */
/*
 * nl_message.h - netlink messages that no helper would send
 *
 * Random and mutated: wrong lengths, kinds and nesting of attributes, commands and
 * versions that don't exist, bits turned over; and valid commands in no sensible order.
 */
#ifndef CD_TESTS_NL_MESSAGE_H
#define CD_TESTS_NL_MESSAGE_H

#include <stdint.h>
#include <stddef.h>

#include <linux/netlink.h>

#define MESSAGE_MAX 70000

struct message {
	union {
		struct nlmsghdr hdr;
		unsigned char bytes[MESSAGE_MAX];
	};
	size_t len; /* what is there; hdr.nlmsg_len may lie */
};

/* Chance is the same for the same seed. */
void chance_seed(uint64_t seed);
/* Less than @n. */
uint32_t chance(uint32_t n);

/* Tags that were seen in requests: completions name some of them. */
void message_tag_seen(uint32_t tag);
uint32_t message_tag(void);

/* A header for command @cmd of the family with that id, with the usual flags. */
void message_begin(struct message *m, int family, uint8_t cmd);
void message_u32(struct message *m, uint16_t kind, uint32_t value);
void message_attr(struct message *m, uint16_t kind, const void *data, size_t len);

/* Any of them. */
void message_any(struct message *m, int family);

#endif
