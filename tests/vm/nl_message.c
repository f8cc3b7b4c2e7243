// SPDX-License-Identifier: MIT
#include "nl_message.h"

#include <string.h>
#include <time.h>

#include <linux/genetlink.h>

#include <linux/cdrive.h>

static uint64_t state = 1;
static uint32_t sequence;
static uint32_t tags[64]; /* some of them in flight */
static uint32_t n_tags;

void chance_seed(uint64_t seed)
{
	state = seed * 2 + 1;
}

/* xorshift64* */
uint32_t chance(uint32_t n)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (uint32_t)((state * 2685821657736338717ull) >> 32) % n;
}

void message_tag_seen(uint32_t tag)
{
	if (n_tags < sizeof(tags) / sizeof(tags[0]))
		tags[n_tags++] = tag;
	else
		tags[chance(n_tags)] = tag;
}

uint32_t message_tag(void)
{
	return n_tags && chance(4) ? tags[chance(n_tags)] : chance(1u << 31);
}

static void add_bytes(struct message *m, const void *data, size_t len)
{
	size_t padded = NLA_ALIGN(len);

	if (m->len + padded > MESSAGE_MAX)
		return;
	memset(m->bytes + m->len, 0, padded);
	memcpy(m->bytes + m->len, data, len);
	m->len += padded;
}

void message_attr(struct message *m, uint16_t kind, const void *data, size_t len)
{
	struct nlattr attr = { .nla_len = (uint16_t)(NLA_HDRLEN + len), .nla_type = kind };

	add_bytes(m, &attr, sizeof(attr));
	add_bytes(m, data, len);
}

void message_u32(struct message *m, uint16_t kind, uint32_t value)
{
	message_attr(m, kind, &value, sizeof(value));
}

void message_begin(struct message *m, int family, uint8_t cmd)
{
	struct genlmsghdr genl = { .cmd = cmd, .version = CDRIVE_GENL_VERSION };

	m->hdr = (struct nlmsghdr){ .nlmsg_type = (uint16_t)family,
				    .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK,
				    .nlmsg_seq = ++sequence };
	m->len = NLMSG_HDRLEN;
	add_bytes(m, &genl, sizeof(genl));
}

static void begin(struct message *m, int family, uint8_t cmd)
{
	message_begin(m, family, cmd);
	if (cmd == CDRIVE_CMD_GET && chance(2))
		m->hdr.nlmsg_flags |= NLM_F_DUMP;
	if (!chance(8))
		m->hdr.nlmsg_flags = (uint16_t)chance(65536) | NLM_F_REQUEST;
}

/* Long past, about now, in a while, for ever, or no time at all. */
static void add_deadline(struct message *m)
{
	struct timespec ts;
	uint64_t until;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	until = (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
	switch (chance(8)) {
	case 0:
		until = chance(1000);
		break;
	case 1:
		until = UINT64_MAX / 2 - chance(2);
		break;
	case 2:
		until = UINT64_MAX - chance(2);
		break;
	case 3:
		until += chance(1u << 31);
		break;
	default:
		until = until + chance(20000000) - 5000000;
		break;
	}
	message_attr(m, CDRIVE_A_LEASE_UNTIL, &until, sizeof(until));
}

/* All that may come with ATTACH, each or not, and some of it wrong. */
static void add_options(struct message *m)
{
	static char name[2 * CDRIVE_MAX_NAME];
	uint32_t len = chance(chance(4) ? 40 : sizeof(name));

	if (chance(2))
		message_u32(m, CDRIVE_A_PARK_LIMIT, chance(16) ? 1 + chance(3) : chance(1u << 31));
	if (!chance(4))
		message_u32(m, CDRIVE_A_FLAGS, chance(8) ? CDRIVE_F_READ_ONLY : chance(1u << 31));
	if (!chance(4))
		add_deadline(m);
	if (chance(2))
		return;
	for (uint32_t i = 0; i < len; i++)
		name[i] = (char)(chance(16) ? 'a' + (int)chance(26) : (int)chance(256));
	if (len)
		name[len - 1] = chance(8) ? '\0' : 'z';
	message_attr(m, CDRIVE_A_NAME, name, len);
}

/* What a helper or clouddrivectl would send, if not now. */
static void sensible(struct message *m, int family)
{
	static const uint8_t commands[] = {
		CDRIVE_CMD_ATTACH, CDRIVE_CMD_DETACH, CDRIVE_CMD_GET,
		CDRIVE_CMD_ADOPT,  CDRIVE_CMD_PARK,   CDRIVE_CMD_RESUME,
		CDRIVE_CMD_FENCE,  CDRIVE_CMD_RESUME, CDRIVE_CMD_ADOPT,
	};
	uint8_t cmd = commands[chance(sizeof(commands))];
	uint64_t sectors = 1ull << chance(40);

	begin(m, family, cmd);
	if (cmd != CDRIVE_CMD_ATTACH)
		message_u32(m, CDRIVE_A_INDEX, chance(CDRIVE_MAX_DRIVES + 1));
	else
		message_attr(m, CDRIVE_A_SECTORS, &sectors, sizeof(sectors));
	if (cmd == CDRIVE_CMD_ATTACH)
		add_options(m);
	if (cmd == CDRIVE_CMD_DETACH)
		message_u32(m, CDRIVE_A_FLAGS, chance(2) ? CDRIVE_F_FORCE : 0);
	if (!chance(4))
		add_deadline(m);
}

/* Attributes of any kind, length and content. */
static void nonsense(struct message *m, int family)
{
	static unsigned char data[66000];
	uint32_t n = chance(12);

	begin(m, family, (uint8_t)chance(chance(4) ? CDRIVE_CMD_MAX + 3 : 256));
	for (uint32_t i = 0; i < n; i++) {
		uint32_t len = chance(chance(10) ? 24 : 65000);

		for (uint32_t j = 0; j < len && j < 64; j++)
			data[j] = (unsigned char)chance(256);
		message_attr(m,
			     (uint16_t)(chance(CDRIVE_A_MAX + 4) | (chance(8) ? 0 : NLA_F_NESTED)),
			     data, len);
	}
}

/* Bits turned over, lengths that lie, an end in the middle. */
static void mutate(struct message *m)
{
	uint32_t n = 1 + chance(8);

	for (uint32_t i = 0; i < n; i++)
		m->bytes[NLMSG_HDRLEN + chance((uint32_t)(m->len - NLMSG_HDRLEN))] ^=
			(unsigned char)(1u << chance(8));
	if (!chance(4))
		m->len -= chance((uint32_t)(m->len - NLMSG_HDRLEN));
}

void message_any(struct message *m, int family)
{
	uint32_t kind = chance(4);

	if (kind)
		sensible(m, family);
	else
		nonsense(m, family);
	if (kind == 1)
		mutate(m);
	m->hdr.nlmsg_len = (uint32_t)m->len;
	if (!chance(32))
		m->hdr.nlmsg_len = chance(1u << 17);
}
