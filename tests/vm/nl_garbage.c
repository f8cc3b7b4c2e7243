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
 *        nl_garbage family	prints the family's number
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
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>

#include <linux/cdrive.h>

#include "nl_message.h"

#define SOCKETS 4

static struct nl_sock *sock[SOCKETS];
static int family, payload[SOCKETS];
static unsigned long sent, refused, accepted, requests;

static void send_one(struct nl_sock *s)
{
	static struct message m;

	message_any(&m, family);
	sent++;
	send(nl_socket_get_fd(s), m.bytes, m.len, MSG_DONTWAIT);
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
		message_tag_seen(d.tag);
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
	int fd = payload[chance(SOCKETS)];
	off_t at = (off_t)CDRIVE_PAYLOAD_OFFSET(index, message_tag(), chance(1u << 22));
	size_t len = chance(sizeof(data));

	if (!chance(4))
		at = (off_t)(((uint64_t)chance(1u << 31) << 32) | chance(1u << 31));
	if (chance(2))
		(void)!pread(fd, data, len, at);
	else
		(void)!pwrite(fd, data, len, at);
	if (!chance(16))
		lseek(fd, at, SEEK_SET);
	if (!chance(16))
		ioctl(fd, chance(4) ? CDRIVE_PAYLOAD_BIND : chance(1u << 31), chance(2 * SOCKETS));
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

static int open_payload(struct nl_sock *s)
{
	int fd = open("/dev/" CDRIVE_PAYLOAD_NAME, O_RDWR | O_CLOEXEC);

	if (fd < 0 || ioctl(fd, CDRIVE_PAYLOAD_BIND, nl_socket_get_fd(s))) {
		fprintf(stderr, "nl_garbage: no payload device\n");
		exit(1);
	}
	return fd;
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
	close(payload[i]);
	payload[i] = open_payload(sock[i]);
}

static void detach_all(void)
{
	for (uint32_t index = 0; index < CDRIVE_MAX_DRIVES; index++) {
		static struct message m;

		message_begin(&m, family, CDRIVE_CMD_DETACH);
		message_u32(&m, CDRIVE_A_INDEX, index);
		message_u32(&m, CDRIVE_A_FLAGS, CDRIVE_F_FORCE);
		m.hdr.nlmsg_len = (uint32_t)m.len;
		send(nl_socket_get_fd(sock[0]), m.bytes, m.len, 0);
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
		fprintf(stderr, "usage: nl_garbage SEED ROUNDS | detach | family\n");
		return 2;
	}
	for (uint32_t i = 0; i < SOCKETS; i++)
		sock[i] = open_socket();
	find_family();
	if (!strcmp(argv[1], "family")) {
		printf("%d\n", family);
		return 0;
	}
	if (argc == 3) {
		for (uint32_t i = 0; i < SOCKETS; i++)
			payload[i] = open_payload(sock[i]);
		chance_seed(strtoull(argv[1], NULL, 10));
		rounds(strtoul(argv[2], NULL, 10));
		printf("%lu sent, %lu accepted, %lu refused, %lu with requests\n", sent, accepted,
		       refused, requests);
	}
	detach_all();
	return 0;
}
