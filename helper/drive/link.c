// SPDX-License-Identifier: MIT
#include "drive/link.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>

#include "lib/log.h"
#include "lib/netlink.h"

/* Holds what the driver may send before we read: small messages, but their
 * overhead counts too.  What does not fit is sent later by the driver. */
#define RECEIVE_BUFFER (1 << 20)

/* Handled in one turn of the loop before others get theirs. */
#define MESSAGES_A_TURN 64

/* Detaching waits, in the driver, for the disk's last users; what is waited for
 * here is an answer that is on its way. */
#define DETACH_MS 5000
#define DETACH_TRIES 2

struct link {
	struct loop *loop;
	const struct link_ops *ops;
	void *arg;

	struct netlink netlink;
	int payload; /* /dev/cdrive-payload */
	struct loop_fd watch;
	struct loop_hook hook;

	unsigned int index;
	bool attached;

	uint32_t answer_seq; /* of the command whose answer is waited for */
	bool acknowledged; /* that answer is an acknowledgement */
	bool answered;
	int answer;

	/* A state that is for us to deal with, told as the answer to a new deadline. */
	struct loop_timer notice;
	enum cdrive_state noticed;

	unsigned int n_done;
	struct cdrive_completion done[CDRIVE_MAX_BATCH];
};

static const char zeroes[64 << 10];

/* --- messages out ------------------------------------------------------- */

/* About the drive that is ours.  @until: 0: none. */
static struct nl_msg *message_for_drive(struct link *l, enum cdrive_cmd command, int flags,
					uint64_t until)
{
	struct nl_msg *msg = netlink_message_for_drive(&l->netlink, command, flags, l->index);

	if (msg && until && nla_put_u64(msg, CDRIVE_A_LEASE_UNTIL, until) < 0) {
		nlmsg_free(msg);
		msg = NULL;
	}
	return msg;
}

/* A command that is answered by an acknowledgement, which on_error() logs.  What
 * there is to say before the drive is ours is said when it is made so. */
static void tell(struct link *l, enum cdrive_cmd command, uint32_t flags)
{
	struct nl_msg *msg;
	int err;

	if (!l->attached)
		return;
	msg = message_for_drive(l, command, NLM_F_ACK, 0);
	if (msg && flags && nla_put_u32(msg, CDRIVE_A_FLAGS, flags) < 0) {
		nlmsg_free(msg);
		msg = NULL;
	}
	err = netlink_send(&l->netlink, msg, NULL);
	if (err)
		log_error("can't send a message to the driver: %s", strerror(-err));
}

void link_park(struct link *l, bool credential)
{
	tell(l, CDRIVE_CMD_PARK, credential ? CDRIVE_F_CREDENTIAL : 0);
}

void link_resume(struct link *l, bool limit)
{
	/* From here on the drive is not what was noticed. */
	if (limit)
		loop_timer_cancel(l->loop, &l->notice);
	tell(l, CDRIVE_CMD_RESUME, limit ? CDRIVE_F_LIMIT : 0);
}

void link_fence(struct link *l)
{
	tell(l, CDRIVE_CMD_FENCE, 0);
}

/* Not where the deadline was told, amid what deals with the lease. */
static void notice(void *arg)
{
	struct link *l = arg;

	if (l->attached)
		l->ops->state(l->arg, l->noticed);
}

void link_lease(struct link *l, uint64_t until)
{
	struct cdrive_payload_lease lease = { .index = l->index, .until = until };

	if (!l->attached)
		return;
	if (ioctl(l->payload, CDRIVE_PAYLOAD_LEASE, &lease)) {
		log_error("the driver refused a deadline: %s", strerror(errno));
		return;
	}
	/* Only we end these, so the answer can't be out of date; live and parked are
	 * told by notifications alone. */
	if (lease.state != CDRIVE_STATE_FAILING && lease.state != CDRIVE_STATE_FENCED)
		return;
	l->noticed = lease.state;
	loop_timer_arm(l->loop, &l->notice, 0);
}

/* The hot path: no message, and nothing that takes memory.  What the driver does not take
 * now it never will: it has given the requests up, or the drive is not ours. */
static void flush(void *arg)
{
	struct link *l = arg;
	struct cdrive_payload_complete complete = {
		.index = l->index,
		.count = l->n_done,
		.completions = (uint64_t)(uintptr_t)l->done,
	};

	if (!l->n_done)
		return;
	l->n_done = 0;
	if (!ioctl(l->payload, CDRIVE_PAYLOAD_COMPLETE, &complete))
		return;
	if (errno == ESTALE)
		log_debug("the driver had given a request up");
	else
		log_error("can't complete requests: %s", strerror(errno));
}

void link_complete(struct link *l, uint32_t tag, int status)
{
	if (l->n_done == CDRIVE_MAX_BATCH)
		flush(l);
	l->done[l->n_done++] = (struct cdrive_completion){ .tag = tag, .status = status };
}

/* --- messages in -------------------------------------------------------- */

static void on_requests(struct link *l, struct nlattr **attrs)
{
	struct nlattr *attr = attrs[CDRIVE_A_DESCRIPTORS];
	const char *p = attr ? nla_data(attr) : NULL;
	int n = attr ? nla_len(attr) / (int)sizeof(struct cdrive_descriptor) : 0;

	/* The first may come ahead of the answer to ATTACH. */
	l->index = netlink_u32(attrs, CDRIVE_A_INDEX, UINT32_MAX);
	for (; n > 0; n--, p += sizeof(struct cdrive_descriptor)) {
		struct cdrive_descriptor desc;

		memcpy(&desc, p, sizeof(desc)); /* attributes are 4-aligned */
		l->ops->request(l->arg, &desc);
	}
}

static void answer(struct link *l, int value)
{
	l->answer = value;
	l->answered = true;
	l->answer_seq = 0;
}

static void on_error(struct link *l, struct nlmsghdr *nlh)
{
	const struct nlmsgerr *e = nlmsg_data(nlh);

	if (nlmsg_datalen(nlh) < (int)sizeof(*e))
		return;
	if (l->answer_seq && e->msg.nlmsg_seq == l->answer_seq) {
		if (e->error || l->acknowledged) /* else the answer proper comes */
			answer(l, e->error);
	} else if (e->error) {
		log_error("the driver refused a message: %s", strerror(-e->error));
	}
}

static void on_state(struct link *l, enum cdrive_state state)
{
	if (state == CDRIVE_STATE_GONE) {
		if (l->acknowledged)
			return; /* our own doing, of which we'll hear */
		l->attached = false;
	}
	l->ops->state(l->arg, state);
}

static void on_message(struct link *l, struct nlmsghdr *nlh)
{
	struct nlattr *attrs[CDRIVE_A_MAX + 1];
	const struct genlmsghdr *genl;

	if (nlh->nlmsg_type == NLMSG_ERROR) {
		on_error(l, nlh);
		return;
	}
	if (nlh->nlmsg_type != l->netlink.family || netlink_parse(nlh, attrs))
		return;
	genl = nlmsg_data(nlh);
	if (genl->cmd == CDRIVE_CMD_GET && l->answer_seq && nlh->nlmsg_seq == l->answer_seq) {
		l->index = netlink_u32(attrs, CDRIVE_A_INDEX, UINT32_MAX);
		l->attached = true;
		answer(l, (int)l->index);
		return;
	}
	/* Notifications are about other drives too; the rest is for us. */
	switch (genl->cmd) {
	case CDRIVE_CMD_REQUEST:
		on_requests(l, attrs);
		break;
	case CDRIVE_CMD_READY:
		l->ops->ready(l->arg, (int)netlink_u32(attrs, CDRIVE_A_ERROR, 0));
		break;
	case CDRIVE_CMD_STATE:
		if (l->attached && netlink_u32(attrs, CDRIVE_A_INDEX, UINT32_MAX) == l->index)
			on_state(l, netlink_u32(attrs, CDRIVE_A_STATE, UINT32_MAX));
		break;
	default:
		break;
	}
}

/* Also from within itself: a handler may detach. */
static void readable(void *arg, uint32_t events)
{
	char buf[32 << 10] __attribute__((aligned(8)));
	struct link *l = arg;

	(void)events;
	for (int i = 0; i < MESSAGES_A_TURN; i++) {
		struct sockaddr_nl from = { .nl_pid = UINT32_MAX };
		socklen_t from_len = sizeof(from);
		ssize_t n = recvfrom(netlink_fd(&l->netlink), buf, sizeof(buf), MSG_DONTWAIT,
				     (struct sockaddr *)&from, &from_len);
		struct nlmsghdr *nlh = (struct nlmsghdr *)buf;
		int left = (int)n;

		if (n <= 0) {
			if (n < 0 && errno != EAGAIN && errno != EINTR)
				log_error("can't read from the driver: %s", strerror(errno));
			return;
		}
		/* Who has CAP_NET_ADMIN can send here, too. */
		if (from.nl_pid)
			continue;
		for (; nlmsg_ok(nlh, left); nlh = nlmsg_next(nlh, &left))
			on_message(l, nlh);
	}
}

/* --- commands ----------------------------------------------------------- */

/* Sends @msg and runs the loop until its answer has come; consumes it. */
static int command(struct link *l, struct nl_msg *msg)
{
	int err;

	l->answered = false;
	err = netlink_send(&l->netlink, msg, &l->answer_seq);
	if (!err)
		err = loop_run_until(l->loop, &l->answered);
	return err ? err : l->answer;
}

static int put_cache(struct nl_msg *msg, const struct link_cache *cache)
{
	if (cache->size >= 0 && nla_put_u64(msg, CDRIVE_A_CACHE_SIZE, (uint64_t)cache->size) < 0)
		return -ENOMEM;
	if (cache->validator && nla_put_string(msg, CDRIVE_A_CACHE_VALIDATOR, cache->validator) < 0)
		return -ENOMEM;
	return 0;
}

int link_attach(struct link *l, const char *name, uint64_t sectors, bool read_only, int park_limit,
		uint64_t until, const struct driver_memory *memory, const struct link_cache *cache)
{
	struct nl_msg *msg = netlink_message(&l->netlink, CDRIVE_CMD_ATTACH, 0);

	if (!msg || nla_put_u64(msg, CDRIVE_A_SECTORS, sectors) < 0 ||
	    nla_put_string(msg, CDRIVE_A_NAME, name) < 0 ||
	    (read_only && nla_put_u32(msg, CDRIVE_A_FLAGS, CDRIVE_F_READ_ONLY) < 0) ||
	    (park_limit >= 0 && nla_put_u32(msg, CDRIVE_A_PARK_LIMIT, (uint32_t)park_limit) < 0) ||
	    (until && nla_put_u64(msg, CDRIVE_A_LEASE_UNTIL, until) < 0) ||
	    nla_put_u64(msg, CDRIVE_A_SEQUENCE_NUMBER, memory->sequence_number) < 0 ||
	    nla_put_u64(msg, CDRIVE_A_RAISING_TO, memory->raising_to) < 0 ||
	    nla_put_string(msg, CDRIVE_A_LEASE_ID, memory->lease_id) < 0 ||
	    nla_put(msg, CDRIVE_A_NOTES, (int)memory->notes_len, memory->notes) < 0 ||
	    put_cache(msg, cache)) {
		nlmsg_free(msg);
		return -ENOMEM;
	}
	return command(l, msg);
}

int link_remember(struct link *l, unsigned int index, const struct driver_memory *memory)
{
	struct cdrive_payload_remember remember = {
		.index = index,
		.notes_len = (uint32_t)memory->notes_len,
		.sequence_number = memory->sequence_number,
		.raising_to = memory->raising_to,
		.notes = (uint64_t)(uintptr_t)memory->notes,
	};

	memcpy(remember.lease_id, memory->lease_id, sizeof(remember.lease_id));
	return ioctl(l->payload, CDRIVE_PAYLOAD_REMEMBER, &remember) ? -errno : 0;
}

int link_validator(struct link *l, const char *validator)
{
	struct cdrive_payload_validator v = { .index = l->index };

	if (strlen(validator) >= sizeof(v.validator))
		return -ENAMETOOLONG;
	memcpy(v.validator, validator, strlen(validator) + 1);
	return ioctl(l->payload, CDRIVE_PAYLOAD_VALIDATOR, &v) ? -errno : 0;
}

int link_forget(struct link *l, unsigned int index)
{
	return ioctl(l->payload, CDRIVE_PAYLOAD_FORGET, (unsigned long)index) ? -errno : 0;
}

int link_use_reserves(struct link *l)
{
	return ioctl(l->payload, CDRIVE_PAYLOAD_RESERVES) ? -errno : 0;
}

int link_adopt(struct link *l, unsigned int index, uint64_t until)
{
	l->index = index;
	return command(l, message_for_drive(l, CDRIVE_CMD_ADOPT, 0, until));
}

/* Handles what comes until the acknowledgement has. */
static int wait_acknowledged(struct link *l)
{
	uint64_t end = loop_now() + LOOP_MS(DETACH_MS), now;
	struct pollfd p = { .fd = netlink_fd(&l->netlink), .events = POLLIN };

	while (!l->answered) {
		now = loop_now();
		if (now >= end)
			return -ETIMEDOUT;
		if (poll(&p, 1, (int)((end - now) / LOOP_MS(1)) + 1) > 0)
			readable(l, POLLIN);
	}
	return l->answer;
}

static int detach(struct link *l, bool force)
{
	struct nl_msg *msg = message_for_drive(l, CDRIVE_CMD_DETACH, NLM_F_ACK, 0);
	int err;

	if (!msg || (force && nla_put_u32(msg, CDRIVE_A_FLAGS, CDRIVE_F_FORCE) < 0)) {
		nlmsg_free(msg);
		return -ENOMEM;
	}
	l->answered = false;
	l->acknowledged = true;
	err = netlink_send(&l->netlink, msg, &l->answer_seq);
	if (!err)
		err = wait_acknowledged(l);
	l->acknowledged = false;
	l->answer_seq = 0;
	return err;
}

int link_detach(struct link *l, bool force)
{
	int err = -ETIMEDOUT;

	if (!l->attached)
		return 0;
	/* An acknowledgement for which there was no room is lost. */
	for (int i = 0; i < DETACH_TRIES && err == -ETIMEDOUT; i++)
		err = detach(l, force);
	if (!err || err == -ENODEV) {
		l->attached = false;
		l->n_done = 0;
		err = 0;
	}
	return err;
}

/* --- payload ------------------------------------------------------------ */

/* All @len bytes, in as many pieces as the device takes them. */
static int payload_copy(struct link *l, uint32_t tag, char *buf, size_t len, uint64_t pos,
			bool write)
{
	while (len) {
		off_t at = (off_t)CDRIVE_PAYLOAD_OFFSET(l->index, tag, pos);
		ssize_t n = write ? pwrite(l->payload, buf, len, at) :
				    pread(l->payload, buf, len, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -ERANGE;
		buf += n;
		pos += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

int link_payload_read(struct link *l, uint32_t tag, void *buf, size_t len, uint64_t pos)
{
	return payload_copy(l, tag, buf, len, pos, false);
}

int link_payload_write(struct link *l, uint32_t tag, const void *buf, size_t len, uint64_t pos)
{
	return payload_copy(l, tag, (char *)buf, len, pos, true);
}

int link_payload_zero(struct link *l, uint32_t tag, uint64_t len, uint64_t pos)
{
	while (len) {
		size_t n = len < sizeof(zeroes) ? len : sizeof(zeroes);
		int err = link_payload_write(l, tag, zeroes, n, pos);

		if (err)
			return err;
		len -= n;
		pos += n;
	}
	return 0;
}

/* --- opening ------------------------------------------------------------ */

/* -ENOTTY: it takes no completions.  This one has none, which is invalid. */
static int check_module(struct link *l)
{
	struct cdrive_payload_complete nothing = { 0 };

	return ioctl(l->payload, CDRIVE_PAYLOAD_COMPLETE, &nothing) && errno == ENOTTY ? -ENOTTY :
											 0;
}

static int open_socket(struct link *l)
{
	int group, fd, err = netlink_open(&l->netlink);

	if (err)
		return err;
	group = genl_ctrl_resolve_grp(l->netlink.sock, CDRIVE_GENL_NAME, CDRIVE_MCGRP_STATE);
	if (group < 0)
		return -ENOENT;
	if (nl_socket_add_membership(l->netlink.sock, group))
		return -EIO;
	/* The driver keeps what did not fit and sends it again: an overrun is
	 * no error, and must not be reported as one. */
	fd = netlink_fd(&l->netlink);
	setsockopt(fd, SOL_NETLINK, NETLINK_NO_ENOBUFS, &(int){ 1 }, sizeof(int));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &(int){ RECEIVE_BUFFER }, sizeof(int));
	if (ioctl(l->payload, CDRIVE_PAYLOAD_BIND, fd))
		return -errno;
	return check_module(l);
}

int link_open(struct link **out, struct loop *loop, const struct link_ops *ops, void *arg)
{
	struct link *l = calloc(1, sizeof(*l));
	int err;

	if (!l)
		return -ENOMEM;
	l->loop = loop;
	l->ops = ops;
	l->arg = arg;
	l->watch.fd = -1;
	loop_timer_init(&l->notice, notice, l);
	l->payload = open("/dev/" CDRIVE_PAYLOAD_NAME, O_RDWR | O_CLOEXEC);
	err = l->payload < 0 ? -errno : open_socket(l);
	if (!err)
		err = loop_fd_add(loop, &l->watch, netlink_fd(&l->netlink), EPOLLIN, readable, l);
	if (err) {
		link_close(l);
		return err;
	}
	loop_hook_add(loop, &l->hook, flush, l);
	*out = l;
	return 0;
}

void link_close(struct link *l)
{
	if (!l)
		return;
	loop_timer_cancel(l->loop, &l->notice);
	loop_fd_del(l->loop, &l->watch);
	netlink_close(&l->netlink);
	if (l->payload >= 0)
		close(l->payload);
	free(l);
}
