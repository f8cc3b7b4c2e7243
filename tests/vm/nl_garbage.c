// SPDX-License-Identifier: MIT
/*
 * nl_garbage - sends the driver messages that no helper would send
 *
 * Random and mutated netlink messages from a privileged program: wrong lengths,
 * kinds and nesting of attributes, commands and versions that don't exist, bits
 * turned over; also valid commands in no sensible order, completions of tags
 * that are and aren't in flight, and reads and writes all over the payload
 * device.  Whatever becomes of the drives, the kernel must live through it.
 *
 * usage: nl_garbage SEED ROUNDS	then prints what it was told, and detaches
 *					every drive
 *        nl_garbage detach
 *
 * The same seed sends the same, as far as the answers are the same.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>

#include <linux/cdrive.h>

#define SOCKETS 4
#define BUFFER 70000

static struct nl_sock *sock[SOCKETS];
static int family, payload = -1;
static uint64_t state;
static uint32_t tags[64]; /* seen in requests: some of them in flight */
static unsigned int n_tags;
static unsigned long sent, refused, accepted, requests;

/* xorshift64* */
static uint32_t chance(uint32_t n)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (uint32_t)((state * 2685821657736338717ull) >> 32) % n;
}

static uint32_t tag(void)
{
	return n_tags && chance(4) ? tags[chance(n_tags)] : chance(1u << 31);
}

/* --- messages ------------------------------------------------------------- */

struct buffer {
	union {
		struct nlmsghdr hdr;
		unsigned char bytes[BUFFER];
	};
	size_t len;
};

static void add_bytes(struct buffer *b, const void *data, size_t len)
{
	size_t padded = NLA_ALIGN(len);

	if (b->len + padded > BUFFER)
		return;
	memset(b->bytes + b->len, 0, padded);
	memcpy(b->bytes + b->len, data, len);
	b->len += padded;
}

static void add_attr(struct buffer *b, uint16_t kind, const void *data, size_t len)
{
	struct nlattr attr = { .nla_len = (uint16_t)(NLA_HDRLEN + len), .nla_type = kind };

	add_bytes(b, &attr, sizeof(attr));
	add_bytes(b, data, len);
}

static void add_u32(struct buffer *b, uint16_t kind, uint32_t value)
{
	add_attr(b, kind, &value, sizeof(value));
}

static void begin(struct buffer *b, uint8_t cmd)
{
	struct genlmsghdr genl = { .cmd = cmd, .version = CDRIVE_GENL_VERSION };
	uint16_t flags = NLM_F_REQUEST | NLM_F_ACK;

	b->hdr = (struct nlmsghdr){ .nlmsg_type = (uint16_t)family };
	b->len = NLMSG_HDRLEN;
	if (cmd == CDRIVE_CMD_GET && chance(2))
		flags |= NLM_F_DUMP;
	if (!chance(8))
		flags = (uint16_t)chance(65536) | NLM_F_REQUEST;
	b->hdr.nlmsg_flags = flags;
	b->hdr.nlmsg_seq = (uint32_t)++sent;
	add_bytes(b, &genl, sizeof(genl));
}

static void add_completions(struct buffer *b)
{
	static struct cdrive_completion c[CDRIVE_MAX_BATCH + 8];
	uint32_t n = chance(CDRIVE_MAX_BATCH + 8);

	for (uint32_t i = 0; i < n; i++) {
		c[i].tag = tag();
		c[i].status = chance(2) ? 0 : -(int)chance(200);
	}
	add_attr(b, CDRIVE_A_COMPLETIONS, c, n * sizeof(c[0]) - (n && !chance(8)));
}

/* Long past, about now, in a while, for ever, or no time at all. */
static void add_deadline(struct buffer *b)
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
	add_attr(b, CDRIVE_A_LEASE_UNTIL, &until, sizeof(until));
}

/* What a helper or clouddrivectl would send, if not now. */
static void sensible(struct buffer *b)
{
	static const uint8_t commands[] = {
		CDRIVE_CMD_ATTACH,   CDRIVE_CMD_DETACH,	  CDRIVE_CMD_GET,    CDRIVE_CMD_ADOPT,
		CDRIVE_CMD_PARK,     CDRIVE_CMD_RESUME,	  CDRIVE_CMD_FENCE,  CDRIVE_CMD_COMPLETE,
		CDRIVE_CMD_COMPLETE, CDRIVE_CMD_COMPLETE, CDRIVE_CMD_RESUME, CDRIVE_CMD_ADOPT,
		CDRIVE_CMD_LEASE,    CDRIVE_CMD_LEASE,
	};
	uint8_t cmd = commands[chance(sizeof(commands))];
	uint64_t sectors = 1ull << chance(40);

	begin(b, cmd);
	if (cmd != CDRIVE_CMD_ATTACH)
		add_u32(b, CDRIVE_A_INDEX, chance(CDRIVE_MAX_DRIVES + 1));
	else
		add_attr(b, CDRIVE_A_SECTORS, &sectors, sizeof(sectors));
	if (cmd == CDRIVE_CMD_ATTACH && chance(2))
		add_u32(b, CDRIVE_A_PARK_LIMIT, 1 + chance(3));
	if (cmd == CDRIVE_CMD_DETACH)
		add_u32(b, CDRIVE_A_FLAGS, chance(2) ? CDRIVE_F_FORCE : 0);
	if (cmd == CDRIVE_CMD_COMPLETE)
		add_completions(b);
	if (cmd == CDRIVE_CMD_LEASE || !chance(4))
		add_deadline(b);
}

/* Attributes of any kind, length and content. */
static void nonsense(struct buffer *b)
{
	static unsigned char data[66000];
	uint32_t n = chance(12);

	begin(b, (uint8_t)chance(chance(4) ? CDRIVE_CMD_MAX + 3 : 256));
	for (uint32_t i = 0; i < n; i++) {
		uint32_t len = chance(chance(10) ? 24 : 65000);

		for (uint32_t j = 0; j < len && j < 64; j++)
			data[j] = (unsigned char)chance(256);
		add_attr(b, (uint16_t)(chance(CDRIVE_A_MAX + 4) | (chance(8) ? 0 : NLA_F_NESTED)),
			 data, len);
	}
}

/* Bits turned over, lengths that lie, an end in the middle. */
static void mutate(struct buffer *b)
{
	uint32_t n = 1 + chance(8);

	for (uint32_t i = 0; i < n; i++)
		b->bytes[NLMSG_HDRLEN + chance((uint32_t)(b->len - NLMSG_HDRLEN))] ^=
			(unsigned char)(1u << chance(8));
	if (!chance(4))
		b->len -= chance((uint32_t)(b->len - NLMSG_HDRLEN));
}

static void send_one(struct nl_sock *s)
{
	static struct buffer b;
	uint32_t kind = chance(4);

	if (kind)
		sensible(&b);
	else
		nonsense(&b);
	if (kind == 1)
		mutate(&b);
	b.hdr.nlmsg_len = (uint32_t)b.len;
	if (!chance(32))
		b.hdr.nlmsg_len = chance(1u << 17);
	send(nl_socket_get_fd(s), b.bytes, b.len, MSG_DONTWAIT);
}

/* --- answers ---------------------------------------------------------------- */

static void keep_tags(struct nlmsghdr *hdr)
{
	struct nlattr *attr = nlmsg_find_attr(hdr, GENL_HDRLEN, CDRIVE_A_DESCRIPTORS);
	struct cdrive_descriptor d;

	requests++;
	if (!attr)
		return;
	for (int at = 0; at + (int)sizeof(d) <= nla_len(attr); at += (int)sizeof(d)) {
		memcpy(&d, (char *)nla_data(attr) + at, sizeof(d));
		if (n_tags < sizeof(tags) / sizeof(tags[0]))
			tags[n_tags++] = d.tag;
		else
			tags[chance(n_tags)] = d.tag;
	}
}

static void read_answers(struct nl_sock *s)
{
	static union {
		struct nlmsghdr hdr;
		unsigned char bytes[1 << 17];
	} in;
	ssize_t len;

	while ((len = recv(nl_socket_get_fd(s), in.bytes, sizeof(in), MSG_DONTWAIT)) > 0) {
		struct nlmsghdr *hdr = &in.hdr;
		int left = (int)len;

		for (; nlmsg_ok(hdr, left); hdr = nlmsg_next(hdr, &left)) {
			struct nlmsgerr *e = nlmsg_data(hdr);
			struct genlmsghdr *genl = nlmsg_data(hdr);

			if (hdr->nlmsg_type == NLMSG_ERROR && e->error)
				refused++;
			else if (hdr->nlmsg_type == NLMSG_ERROR)
				accepted++;
			else if (hdr->nlmsg_type == family && genl->cmd == CDRIVE_CMD_REQUEST)
				keep_tags(hdr);
		}
	}
}

/* --- the payload device -------------------------------------------------------- */

static void touch_payload(void)
{
	static unsigned char data[1 << 16];
	uint32_t index = chance(CDRIVE_MAX_DRIVES + 2);
	off_t at = (off_t)CDRIVE_PAYLOAD_OFFSET(index, tag(), chance(1u << 22));
	size_t len = chance(sizeof(data));

	if (!chance(4))
		at = (off_t)(((uint64_t)chance(1u << 31) << 32) | chance(1u << 31));
	if (chance(2))
		(void)!pread(payload, data, len, at);
	else
		(void)!pwrite(payload, data, len, at);
	if (!chance(16))
		lseek(payload, at, SEEK_SET);
}

/* --- the run --------------------------------------------------------------------- */

static struct nl_sock *open_socket(void)
{
	struct nl_sock *s = nl_socket_alloc();

	if (!s || genl_connect(s)) {
		fprintf(stderr, "nl_garbage: no netlink socket\n");
		exit(1);
	}
	nl_socket_set_nonblocking(s);
	return s;
}

static void find_family(void)
{
	struct nl_sock *s = nl_socket_alloc();

	if (s && !genl_connect(s))
		family = genl_ctrl_resolve(s, CDRIVE_GENL_NAME);
	nl_socket_free(s);
	if (family > 0)
		return;
	fprintf(stderr, "nl_garbage: no family cdrive; load the module\n");
	exit(1);
}

/* As a helper that dies does. */
static void replace_socket(uint32_t i)
{
	nl_socket_free(sock[i]);
	sock[i] = open_socket();
}

static void detach_all(void)
{
	for (uint32_t index = 0; index < CDRIVE_MAX_DRIVES; index++) {
		static struct buffer b;

		state = 1; /* begin() draws: no odd flags here */
		do {
			begin(&b, CDRIVE_CMD_DETACH);
		} while (b.hdr.nlmsg_flags != (NLM_F_REQUEST | NLM_F_ACK));
		add_u32(&b, CDRIVE_A_INDEX, index);
		add_u32(&b, CDRIVE_A_FLAGS, CDRIVE_F_FORCE);
		b.hdr.nlmsg_len = (uint32_t)b.len;
		send(nl_socket_get_fd(sock[0]), b.bytes, b.len, 0);
		read_answers(sock[0]);
	}
}

static void rounds(unsigned long n)
{
	for (unsigned long i = 0; i < n; i++) {
		uint32_t which = chance(SOCKETS);

		send_one(sock[which]);
		if (chance(2))
			read_answers(sock[which]);
		if (!chance(3))
			touch_payload();
		if (!chance(200))
			replace_socket(which);
	}
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		fprintf(stderr, "usage: nl_garbage SEED ROUNDS | nl_garbage detach\n");
		return 2;
	}
	for (uint32_t i = 0; i < SOCKETS; i++)
		sock[i] = open_socket();
	find_family();
	if (argc == 3) {
		payload = open("/dev/" CDRIVE_PAYLOAD_NAME, O_RDWR | O_CLOEXEC);
		state = strtoull(argv[1], NULL, 10) * 2 + 1;
		rounds(strtoul(argv[2], NULL, 10));
		printf("%lu sent, %lu accepted, %lu refused, %lu with requests\n", sent, accepted,
		       refused, requests);
	}
	detach_all();
	return 0;
}
