// SPDX-License-Identifier: MIT
#include "wire.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/genetlink.h>
#include <linux/netlink.h>

#include "report.h"

/* All requests of a drive, in a message each, with their overhead. */
#define RECEIVE_BUFFER (1 << 20)
#define ANSWER_SECONDS STUCK_SECONDS

/* --- messages ------------------------------------------------------------------ */

struct message {
	union {
		struct nlmsghdr hdr;
		char bytes[256];
	};
};

static void begin(struct message *m, uint16_t type, uint8_t cmd, uint16_t flags)
{
	struct genlmsghdr genl = { .cmd = cmd, .version = CDRIVE_GENL_VERSION };

	m->hdr = (struct nlmsghdr){
		.nlmsg_len = NLMSG_HDRLEN + GENL_HDRLEN,
		.nlmsg_type = type,
		.nlmsg_flags = NLM_F_REQUEST | flags,
	};
	memcpy(m->bytes + NLMSG_HDRLEN, &genl, sizeof(genl));
}

static void add(struct message *m, uint16_t kind, const void *data, size_t len)
{
	struct nlattr attr = { .nla_len = (uint16_t)(NLA_HDRLEN + len), .nla_type = kind };
	char *at = m->bytes + m->hdr.nlmsg_len;

	memcpy(at, &attr, sizeof(attr));
	memcpy(at + NLA_HDRLEN, data, len);
	memset(at + NLA_HDRLEN + len, 0, NLA_ALIGN(len) - len);
	m->hdr.nlmsg_len += NLA_HDRLEN + (uint32_t)NLA_ALIGN(len);
}

static void add_u32(struct message *m, uint16_t kind, uint32_t value)
{
	add(m, kind, &value, sizeof(value));
}

static void add_u64(struct message *m, uint16_t kind, uint64_t value)
{
	add(m, kind, &value, sizeof(value));
}

static int send_message(struct wire *w, const struct message *m)
{
	/* To the kernel, whoever else has bound what. */
	static const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };

	if (sendto(atomic_load(&w->fd), m, m->hdr.nlmsg_len, 0, (const struct sockaddr *)&kernel,
		   sizeof(kernel)) < 0)
		return -errno;
	return 0;
}

/* --- what comes ------------------------------------------------------------------ */

struct incoming {
	struct nlattr *attrs[CDRIVE_A_MAX + 1];
	uint8_t cmd;
};

static bool parse(struct nlmsghdr *hdr, struct incoming *in)
{
	char *p = (char *)hdr + NLMSG_HDRLEN + GENL_HDRLEN, *end = (char *)hdr + hdr->nlmsg_len;

	memset(in, 0, sizeof(*in));
	if (p > end)
		return false;
	in->cmd = ((struct genlmsghdr *)((char *)hdr + NLMSG_HDRLEN))->cmd;
	while (p + NLA_HDRLEN <= end) {
		struct nlattr *attr = (struct nlattr *)p;

		if (attr->nla_len < NLA_HDRLEN || p + attr->nla_len > end)
			return false;
		if (attr->nla_type <= CDRIVE_A_MAX)
			in->attrs[attr->nla_type] = attr;
		p += NLA_ALIGN(attr->nla_len);
	}
	return true;
}

static uint32_t get_u32(const struct nlattr *attr)
{
	uint32_t value = UINT32_MAX;

	if (attr && attr->nla_len >= NLA_HDRLEN + sizeof(value))
		memcpy(&value, (const char *)attr + NLA_HDRLEN, sizeof(value));
	return value;
}

static void on_requests(struct wire *w, const struct incoming *in)
{
	const struct nlattr *attr = in->attrs[CDRIVE_A_DESCRIPTORS];
	size_t len = attr ? attr->nla_len - (size_t)NLA_HDRLEN : 0;
	struct cdrive_descriptor d;

	if (!len || len % sizeof(d))
		complain("a REQUEST with %zu bytes of descriptors", len);
	/* The first may come ahead of the answer to ATTACH. */
	w->index = get_u32(in->attrs[CDRIVE_A_INDEX]);
	for (size_t at = 0; at + sizeof(d) <= len; at += sizeof(d)) {
		memcpy(&d, (const char *)attr + NLA_HDRLEN + at, sizeof(d));
		if (w->request)
			w->request(w->arg, &d);
	}
}

/* What a command waits for. */
struct answer {
	uint32_t seq; /* 0: of nothing */
	bool came;
	int err;
};

static void on_message(struct wire *w, struct nlmsghdr *hdr, struct answer *a)
{
	struct incoming in;

	if (hdr->nlmsg_type == NLMSG_ERROR) {
		const struct nlmsgerr *e = (const void *)((char *)hdr + NLMSG_HDRLEN);

		if (a->seq && hdr->nlmsg_seq == a->seq) {
			a->came = true;
			a->err = e->error;
		}
		return;
	}
	if (hdr->nlmsg_type != w->family || !parse(hdr, &in))
		return;
	if (in.cmd == CDRIVE_CMD_GET && a->seq && hdr->nlmsg_seq == a->seq) {
		w->index = get_u32(in.attrs[CDRIVE_A_INDEX]);
		a->came = true;
		a->err = 0;
	} else if (in.cmd == CDRIVE_CMD_REQUEST) {
		on_requests(w, &in);
	} else if (in.cmd == CDRIVE_CMD_READY && w->ready) {
		w->ready(w->arg,
			 in.attrs[CDRIVE_A_ERROR] ? (int)get_u32(in.attrs[CDRIVE_A_ERROR]) : 0);
	}
}

/* One datagram: 1; 0: there is none; or a negative errno. */
static int receive_one(struct wire *w, struct answer *a)
{
	char buf[16 << 10] __attribute__((aligned(8)));
	ssize_t n = recv(atomic_load(&w->fd), buf, sizeof(buf), MSG_DONTWAIT | MSG_TRUNC);
	struct nlmsghdr *hdr = (struct nlmsghdr *)buf;

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (n > (ssize_t)sizeof(buf))
		complain("a message of %zd bytes", n);
	for (; NLMSG_OK(hdr, n); hdr = NLMSG_NEXT(hdr, n))
		on_message(w, hdr, a);
	return 1;
}

void wire_receive(struct wire *w, int ms)
{
	struct pollfd p = { .fd = atomic_load(&w->fd), .events = POLLIN };
	struct answer none = { 0 };

	if (poll(&p, 1, ms) > 0)
		while (receive_one(w, &none) > 0)
			;
}

/* The driver has answered by the time that the command is sent.  When there is no answer
 * it was lost, for want of memory or of room in a small buffer, and the command, which
 * changes nothing the second time, is sent again. */
static int command(struct wire *w, struct message *m)
{
	struct answer a = { .seq = ++w->seq };
	uint64_t end = now_ns() + SECONDS(ANSWER_SECONDS);
	int err;

	m->hdr.nlmsg_seq = a.seq;
	err = send_message(w, m);
	if (w->sent)
		w->sent();
	while (!err && !a.came) {
		int n = receive_one(w, &a);

		if (n < 0 && n != -ENOBUFS) {
			err = n;
		} else if (!n && now_ns() > end) {
			err = -ETIMEDOUT;
		} else if (!n) {
			sleep_ms(1);
			err = send_message(w, m);
		}
	}
	return err ? err : a.err;
}

/* --- opening ---------------------------------------------------------------------- */

/* The number that the family has at present: it changes when the module is loaded anew. */
static int find_family(struct wire *w)
{
	struct message m;
	char buf[8192] __attribute__((aligned(8)));
	struct nlmsghdr *hdr = (struct nlmsghdr *)buf;
	ssize_t n;
	int err;

	begin(&m, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 0);
	add(&m, CTRL_ATTR_FAMILY_NAME, CDRIVE_GENL_NAME, sizeof(CDRIVE_GENL_NAME));
	err = send_message(w, &m);
	if (err)
		return err;
	n = recv(atomic_load(&w->fd), buf, sizeof(buf), 0);
	if (n < 0)
		return -errno;
	if (!NLMSG_OK(hdr, n))
		return -EPROTO;
	if (hdr->nlmsg_type == NLMSG_ERROR)
		return ((struct nlmsgerr *)(buf + NLMSG_HDRLEN))->error;
	for (size_t at = NLMSG_HDRLEN + GENL_HDRLEN; at + NLA_HDRLEN <= hdr->nlmsg_len;) {
		struct nlattr *attr = (struct nlattr *)(buf + at);

		if (attr->nla_type == CTRL_ATTR_FAMILY_ID)
			memcpy(&w->family, buf + at + NLA_HDRLEN, sizeof(w->family));
		if (attr->nla_len < NLA_HDRLEN)
			break;
		at += NLA_ALIGN(attr->nla_len);
	}
	return w->family ? 0 : -EPROTO;
}

int wire_open(struct wire *w)
{
	struct timeval limit = { .tv_sec = ANSWER_SECONDS };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC), err;

	w->payload = -1;
	w->family = 0;
	w->index = CDRIVE_MAX_DRIVES;
	w->fd = fd;
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &(int){ RECEIVE_BUFFER }, sizeof(int));
	err = find_family(w);
	if (err)
		wire_close(w);
	return err;
}

int wire_open_payload(struct wire *w)
{
	int fd = open("/dev/" CDRIVE_PAYLOAD_NAME, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (ioctl(fd, CDRIVE_PAYLOAD_BIND, atomic_load(&w->fd))) {
		int err = -errno;

		close(fd);
		return err;
	}
	w->payload = fd;
	return 0;
}

/* Other threads may be using both. */
void wire_close(struct wire *w)
{
	int fd = atomic_exchange(&w->fd, -1), payload = atomic_exchange(&w->payload, -1);

	if (fd >= 0)
		close(fd);
	if (payload >= 0)
		close(payload);
}

/* --- commands ----------------------------------------------------------------------- */

static void begin_for_drive(struct wire *w, struct message *m, enum cdrive_cmd cmd, uint16_t flags)
{
	begin(m, w->family, (uint8_t)cmd, flags);
	add_u32(m, CDRIVE_A_INDEX, w->index);
}

int wire_attach(struct wire *w, const struct wire_drive *drive)
{
	struct message m;

	begin(&m, w->family, CDRIVE_CMD_ATTACH, 0);
	add_u64(&m, CDRIVE_A_SECTORS, drive->sectors);
	if (drive->read_only)
		add_u32(&m, CDRIVE_A_FLAGS, CDRIVE_F_READ_ONLY);
	if (drive->park_limit)
		add_u32(&m, CDRIVE_A_PARK_LIMIT, drive->park_limit);
	if (drive->until)
		add_u64(&m, CDRIVE_A_LEASE_UNTIL, drive->until);
	return command(w, &m);
}

int wire_adopt(struct wire *w, unsigned int index, uint64_t until)
{
	struct message m;

	w->index = index;
	begin_for_drive(w, &m, CDRIVE_CMD_ADOPT, 0);
	if (until)
		add_u64(&m, CDRIVE_A_LEASE_UNTIL, until);
	return command(w, &m);
}

int wire_detach(struct wire *w, bool force)
{
	struct message m;
	int err;

	begin_for_drive(w, &m, CDRIVE_CMD_DETACH, NLM_F_ACK);
	if (force)
		add_u32(&m, CDRIVE_A_FLAGS, CDRIVE_F_FORCE);
	err = command(w, &m);
	/* It was heard the first time. */
	return err == -ENODEV ? 0 : err;
}

int wire_ask(struct wire *w, enum cdrive_cmd cmd)
{
	struct message m;

	begin_for_drive(w, &m, cmd, NLM_F_ACK);
	return command(w, &m);
}

static int tell_payload(struct wire *w, unsigned long request, void *arg)
{
	int err = ioctl(atomic_load(&w->payload), request, arg) ? -errno : 0;

	if (w->sent)
		w->sent();
	return err;
}

int wire_lease(struct wire *w, uint64_t until)
{
	struct cdrive_payload_lease lease = { .index = w->index, .until = until };
	int err = tell_payload(w, CDRIVE_PAYLOAD_LEASE, &lease);

	if (!err && lease.state > CDRIVE_STATE_FENCED)
		complain("a state %u of a new deadline", lease.state);
	return err;
}

int wire_complete(struct wire *w, const struct cdrive_completion *done, unsigned int n)
{
	struct cdrive_payload_complete complete = {
		.index = w->index,
		.count = n,
		.completions = (uint64_t)(uintptr_t)done,
	};

	return tell_payload(w, CDRIVE_PAYLOAD_COMPLETE, &complete);
}

long wire_read(struct wire *w, uint32_t tag, void *buf, size_t len, uint32_t pos)
{
	ssize_t n = pread(atomic_load(&w->payload), buf, len,
			  (off_t)CDRIVE_PAYLOAD_OFFSET(w->index, tag, pos));

	return n < 0 ? -errno : n;
}

long wire_write(struct wire *w, uint32_t tag, const void *buf, size_t len, uint32_t pos)
{
	ssize_t n = pwrite(atomic_load(&w->payload), buf, len,
			   (off_t)CDRIVE_PAYLOAD_OFFSET(w->index, tag, pos));

	return n < 0 ? -errno : n;
}
