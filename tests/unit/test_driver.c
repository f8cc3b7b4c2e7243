// SPDX-License-Identifier: MIT
/*
 * The commander's socket, on a kernel that loses, refuses and delays: what becomes of
 * the next command after one that was never sent, or answered too late.
 *
 * This program's sendmsg() and recvmsg() take the place of libc's, for libnl too.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/genetlink.h>
#include <netlink/netlink.h>

#include "lib/driver.h"

#define FAMILY 77
#define ROOM 256 /* of an answer */

static struct kernel {
	int refuse; /* the next message, with this errno */
	unsigned int hold; /* so many answers, until a command is answered again */
	unsigned int drives; /* how many there are */
	int detached; /* what a detachment is answered */

	unsigned char answers[16][ROOM];
	unsigned int held, put, taken;
} kernel;

/* --- its answers ---------------------------------------------------------------- */

static void *answer(const struct nlmsghdr *to, uint16_t type, uint16_t flags, size_t payload)
{
	struct nlmsghdr *h = (struct nlmsghdr *)kernel.answers[kernel.put++ % 16];

	assert_true(NLMSG_SPACE(payload) <= ROOM);
	memset(h, 0, ROOM);
	h->nlmsg_len = (uint32_t)NLMSG_LENGTH(payload);
	h->nlmsg_type = type;
	h->nlmsg_flags = flags;
	h->nlmsg_seq = to->nlmsg_seq;
	h->nlmsg_pid = to->nlmsg_pid;
	return NLMSG_DATA(h);
}

static void answer_error(const struct nlmsghdr *to, int error)
{
	struct nlmsgerr *e = answer(to, NLMSG_ERROR, 0, sizeof(*e));

	e->error = error;
	e->msg = *to;
}

static void *attribute(void *at, uint16_t type, const void *value, uint16_t len)
{
	struct nlattr *a = at;

	a->nla_type = type;
	a->nla_len = (uint16_t)(NLA_HDRLEN + len);
	memcpy((unsigned char *)at + NLA_HDRLEN, value, len);
	return (unsigned char *)at + NLA_ALIGN(a->nla_len);
}

static void answer_family(const struct nlmsghdr *to)
{
	struct genlmsghdr *g = answer(to, GENL_ID_CTRL, 0, 64);
	const uint16_t id = FAMILY;
	unsigned char *at = (unsigned char *)g + GENL_HDRLEN;

	g->cmd = CTRL_CMD_NEWFAMILY;
	at = attribute(at, CTRL_ATTR_FAMILY_ID, &id, sizeof(id));
	attribute(at, CTRL_ATTR_FAMILY_NAME, CDRIVE_GENL_NAME, sizeof(CDRIVE_GENL_NAME));
	answer_error(to, 0);
}

static void answer_list(const struct nlmsghdr *to)
{
	for (uint32_t i = 0; i < kernel.drives; i++) {
		struct genlmsghdr *g = answer(to, FAMILY, NLM_F_MULTI,
					      GENL_HDRLEN + NLA_HDRLEN + 4 + NLA_HDRLEN + 8);
		const uint64_t sectors = 2048;
		void *at = (unsigned char *)g + GENL_HDRLEN;

		g->cmd = CDRIVE_CMD_GET;
		at = attribute(at, CDRIVE_A_INDEX, &i, sizeof(i));
		attribute(at, CDRIVE_A_SECTORS, &sectors, sizeof(sectors));
	}
	answer(to, NLMSG_DONE, NLM_F_MULTI, sizeof(int));
}

static void obey(const struct nlmsghdr *h)
{
	const struct genlmsghdr *g = NLMSG_DATA(h);

	if (h->nlmsg_type == GENL_ID_CTRL)
		answer_family(h);
	else if (g->cmd == CDRIVE_CMD_DETACH)
		answer_error(h, kernel.detached);
	else
		answer_list(h);
}

/* --- its system calls ------------------------------------------------------------ */

ssize_t sendmsg(int fd, const struct msghdr *msg, int flags)
{
	(void)fd, (void)flags;
	if (kernel.refuse) {
		errno = kernel.refuse;
		kernel.refuse = 0;
		return -1;
	}
	obey(msg->msg_iov->iov_base);
	if (kernel.hold) {
		kernel.hold--;
		kernel.held = kernel.put - kernel.taken;
	} else {
		kernel.held = 0;
	}
	return (ssize_t)msg->msg_iov->iov_len;
}

ssize_t recvmsg(int fd, struct msghdr *msg, int flags)
{
	const struct nlmsghdr *h = (struct nlmsghdr *)kernel.answers[kernel.taken % 16];
	struct sockaddr_nl from = { .nl_family = AF_NETLINK };
	size_t len;

	(void)fd;
	if (kernel.put - kernel.taken == kernel.held) {
		errno = EAGAIN;
		return -1;
	}
	len = h->nlmsg_len;
	if (len > msg->msg_iov->iov_len)
		len = msg->msg_iov->iov_len;
	memcpy(msg->msg_iov->iov_base, h, len);
	memcpy(msg->msg_name, &from, sizeof(from));
	msg->msg_namelen = sizeof(from);
	msg->msg_controllen = 0;
	msg->msg_flags = len < h->nlmsg_len ? MSG_TRUNC : 0;
	if (!(flags & MSG_PEEK))
		kernel.taken++;
	return (ssize_t)(flags & MSG_TRUNC ? h->nlmsg_len : len);
}

/* --- the tests ---------------------------------------------------------------------- */

static struct driver_drive drives[CDRIVE_MAX_DRIVES];

static int set_up(void **state)
{
	struct driver *d;

	kernel = (struct kernel){ .drives = 2 };
	if (driver_open(&d))
		return -1;
	*state = d;
	return 0;
}

static int tear_down(void **state)
{
	driver_close(*state);
	return 0;
}

static void commands_are_answered(void **state)
{
	assert_int_equal(driver_list(*state, drives), 2);
	assert_int_equal(drives[1].index, 1);
	assert_int_equal(drives[1].sectors, 2048);
	assert_int_equal(driver_detach(*state, 0, false), 0);
	kernel.detached = -EBUSY;
	assert_int_equal(driver_detach(*state, 0, false), -EBUSY);
	assert_int_equal(driver_list(*state, drives), 2);
}

static void what_was_not_sent_leaves_the_next_alone(void **state)
{
	kernel.refuse = ENOBUFS;
	assert_int_equal(driver_detach(*state, 0, false), -EIO);
	assert_int_equal(driver_list(*state, drives), 2);
	kernel.refuse = EPERM;
	assert_int_equal(driver_detach(*state, 0, false), -EPERM);
	assert_int_equal(driver_detach(*state, 0, false), 0);
}

/* A detachment that takes too long, and then succeeds, is not the list's end. */
static void an_answer_that_comes_late_is_nobody_elses(void **state)
{
	kernel.hold = 1;
	assert_int_equal(driver_detach(*state, 0, false), -ETIMEDOUT);
	assert_int_equal(driver_list(*state, drives), 2);

	kernel.hold = 2;
	kernel.detached = -EBUSY;
	assert_int_equal(driver_list(*state, drives), -ETIMEDOUT);
	assert_int_equal(driver_detach(*state, 0, false), -ETIMEDOUT);
	kernel.detached = 0;
	assert_int_equal(driver_detach(*state, 0, false), 0);
	kernel.drives = 3;
	assert_int_equal(driver_list(*state, drives), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(commands_are_answered, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_was_not_sent_leaves_the_next_alone, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(an_answer_that_comes_late_is_nobody_elses, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
