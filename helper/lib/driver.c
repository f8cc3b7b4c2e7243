// SPDX-License-Identifier: MIT
#include "lib/driver.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "lib/netlink.h"

/* Longest wait for an answer: detaching waits for the disk's last users. */
#define ANSWER_SECONDS 30

struct driver {
	struct netlink netlink;

	/* the command being carried out */
	uint32_t seq;
	bool done;
	int err;
	struct driver_drive *drives; /* room for CDRIVE_MAX_DRIVES */
	int count;
};

/* --- answers --------------------------------------------------------------- */

static uint64_t get_u64(struct nlattr **attrs, enum cdrive_attr attr)
{
	return attrs[attr] ? nla_get_u64(attrs[attr]) : 0;
}

static void get_string(struct nlattr **attrs, enum cdrive_attr attr, char *buf, size_t len)
{
	snprintf(buf, len, "%s", attrs[attr] ? nla_get_string(attrs[attr]) : "");
}

static void get_memory(struct nlattr **attrs, struct driver_memory *m)
{
	struct nlattr *notes = attrs[CDRIVE_A_NOTES];

	*m = (struct driver_memory){ .told = attrs[CDRIVE_A_SEQUENCE_NUMBER] };
	m->sequence_number = get_u64(attrs, CDRIVE_A_SEQUENCE_NUMBER);
	m->raising_to = get_u64(attrs, CDRIVE_A_RAISING_TO);
	get_string(attrs, CDRIVE_A_LEASE_ID, m->lease_id, sizeof(m->lease_id));
	if (notes && nla_len(notes) <= CDRIVE_MAX_NOTES) {
		m->notes_len = (size_t)nla_len(notes);
		memcpy(m->notes, nla_data(notes), m->notes_len);
	}
}

/* An older driver tells less of them, a newer one more. */
static void get_cache(struct nlattr **attrs, struct driver_drive *drive)
{
	struct nlattr *attr = attrs[CDRIVE_A_CACHE_COUNTERS];
	size_t len = attr ? (size_t)nla_len(attr) : 0;

	drive->cached = attr;
	drive->cache = (struct cdrive_cache_counters){ 0 };
	if (attr)
		memcpy(&drive->cache, nla_data(attr),
		       len < sizeof(drive->cache) ? len : sizeof(drive->cache));
}

static int on_drive(struct nl_msg *msg, void *arg)
{
	struct nlattr *attrs[CDRIVE_A_MAX + 1];
	struct driver *d = arg;
	struct driver_drive *drive;

	if (netlink_parse(nlmsg_hdr(msg), attrs) || !attrs[CDRIVE_A_INDEX] ||
	    !attrs[CDRIVE_A_SECTORS]) {
		d->err = -EPROTO;
		return NL_SKIP;
	}
	if (!d->drives || d->count == CDRIVE_MAX_DRIVES)
		return NL_SKIP;
	drive = &d->drives[d->count++];
	drive->index = nla_get_u32(attrs[CDRIVE_A_INDEX]);
	drive->sectors = nla_get_u64(attrs[CDRIVE_A_SECTORS]);
	drive->read_only = netlink_u32(attrs, CDRIVE_A_FLAGS, 0) & CDRIVE_F_READ_ONLY;
	drive->state = netlink_u32(attrs, CDRIVE_A_STATE, 0);
	drive->park_limit = netlink_u32(attrs, CDRIVE_A_PARK_LIMIT, 0);
	drive->helper_pid = netlink_u32(attrs, CDRIVE_A_HELPER_PID, 0);
	drive->in_flight = netlink_u32(attrs, CDRIVE_A_IN_FLIGHT, 0);
	drive->openers = netlink_u32(attrs, CDRIVE_A_OPENERS, 0);
	drive->park_reasons = netlink_u32(attrs, CDRIVE_A_PARK_REASONS, 0);
	drive->failed = get_u64(attrs, CDRIVE_A_FAILED);
	drive->failed_writes = get_u64(attrs, CDRIVE_A_FAILED_WRITES);
	get_string(attrs, CDRIVE_A_NAME, drive->name, sizeof(drive->name));
	drive->has_lease = attrs[CDRIVE_A_LEASE_UNTIL];
	drive->lease_until = get_u64(attrs, CDRIVE_A_LEASE_UNTIL);
	get_memory(attrs, &drive->memory);
	get_cache(attrs, drive);
	return NL_OK;
}

static int on_done(struct nl_msg *msg, void *arg)
{
	struct driver *d = arg;

	(void)msg;
	d->done = true;
	return NL_STOP;
}

/* libnl's own error codes tell less than the kernel's. */
static int on_error(struct sockaddr_nl *addr, struct nlmsgerr *e, void *arg)
{
	struct driver *d = arg;

	(void)addr;
	d->err = e->error;
	d->done = true;
	return NL_STOP;
}

/* Who has CAP_NET_ADMIN can send here, too. */
static int on_any(struct nl_msg *msg, void *arg)
{
	(void)arg;
	return nlmsg_get_src(msg)->nl_pid ? NL_SKIP : NL_OK;
}

/*
 * libnl expects the numbers of the answers that came, one after the other: a message
 * that could not be sent has no answer, and one that was given up has it later.
 */
static int on_sequence(struct nl_msg *msg, void *arg)
{
	const struct driver *d = arg;

	return nlmsg_hdr(msg)->nlmsg_seq == d->seq ? NL_OK : NL_SKIP;
}

/* Takes over @msg, which may be NULL. */
static int transact(struct driver *d, struct nl_msg *msg)
{
	int n;

	d->done = false;
	d->err = 0;
	d->count = 0;
	n = netlink_send(&d->netlink, msg, &d->seq);
	if (n)
		return n;
	while (!d->done) {
		n = nl_recvmsgs_default(d->netlink.sock);
		if (n < 0 && !d->done)
			return n == -NLE_AGAIN ? -ETIMEDOUT : -EIO;
	}
	return d->err;
}

/* --- commands -------------------------------------------------------------- */

static int open_socket(struct driver *d)
{
	struct timeval limit = { .tv_sec = ANSWER_SECONDS };
	int err = netlink_open(&d->netlink);
	struct nl_sock *sock = d->netlink.sock;

	if (err)
		return err;
	setsockopt(netlink_fd(&d->netlink), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	nl_socket_modify_cb(sock, NL_CB_MSG_IN, NL_CB_CUSTOM, on_any, d);
	nl_socket_modify_cb(sock, NL_CB_SEQ_CHECK, NL_CB_CUSTOM, on_sequence, d);
	nl_socket_modify_cb(sock, NL_CB_VALID, NL_CB_CUSTOM, on_drive, d);
	nl_socket_modify_cb(sock, NL_CB_FINISH, NL_CB_CUSTOM, on_done, d);
	nl_socket_modify_cb(sock, NL_CB_ACK, NL_CB_CUSTOM, on_done, d);
	nl_socket_modify_err_cb(sock, NL_CB_CUSTOM, on_error, d);
	return 0;
}

int driver_open(struct driver **out)
{
	struct driver *d = calloc(1, sizeof(*d));
	int err;

	*out = NULL;
	if (!d)
		return -ENOMEM;
	err = open_socket(d);
	if (err) {
		driver_close(d);
		return err;
	}
	*out = d;
	return 0;
}

void driver_close(struct driver *d)
{
	if (!d)
		return;
	netlink_close(&d->netlink);
	free(d);
}

static int by_index(const void *a, const void *b)
{
	const struct driver_drive *left = a, *right = b;

	return (left->index > right->index) - (left->index < right->index);
}

int driver_list(struct driver *d, struct driver_drive drives[CDRIVE_MAX_DRIVES])
{
	int err;

	d->drives = drives;
	err = transact(d, netlink_message(&d->netlink, CDRIVE_CMD_GET, NLM_F_DUMP));
	d->drives = NULL;
	if (err)
		return err;
	qsort(drives, d->count, sizeof(*drives), by_index);
	return d->count;
}

int driver_get(struct driver *d, unsigned int index, struct driver_drive *drive)
{
	struct driver_drive found[CDRIVE_MAX_DRIVES];
	int err;

	d->drives = found;
	err = transact(d, netlink_message_for_drive(&d->netlink, CDRIVE_CMD_GET, 0, index));
	d->drives = NULL;
	if (err)
		return err;
	if (d->count != 1)
		return -EPROTO;
	*drive = found[0];
	return 0;
}

int driver_detach(struct driver *d, unsigned int index, bool force)
{
	struct nl_msg *msg = netlink_message_for_drive(&d->netlink, CDRIVE_CMD_DETACH, 0, index);

	if (msg && force && nla_put_u32(msg, CDRIVE_A_FLAGS, CDRIVE_F_FORCE)) {
		nlmsg_free(msg);
		return -ENOMEM;
	}
	return transact(d, msg);
}
