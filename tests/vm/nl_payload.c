// SPDX-License-Identifier: MIT
/*
 * nl_payload - a helper that treats its drive's requests, and the payload device, badly
 *
 * While processes read and write the drive, one thread completes their requests, early,
 * late, twice and wrongly, dies and adopts the drive again, parks it, lets its deadline
 * pass, fences it; and others read and write the same requests' data at any offset, by
 * every call that there is (splice, sendfile, mmap, AIO, io_uring), from memory that
 * isn't there, comes late (userfaultfd) or goes away; so does a process of nobody's,
 * which was given the open device. In the end all is completed, nothing may be left.
 *
 * usage: nl_payload SEED SECONDS FAMILY	prints what it did; 1 when something is left
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/userfaultfd.h>

#include <linux/cdrive.h>

#include "nl_message.h"
#include "nl_payload.h"

#define ABUSERS 3
#define LOADS 3
#define LATE (1u << 20) /* the part of it that comes late */
#define DRIVE_SECTORS 131072

struct shared *shared;
int payload;
unsigned char *arena;
static int family;
static volatile bool served; /* nothing uses the drive any more */

/* --- memory ---------------------------------------------------------------------- */

/* Pages of the arena go, can't be touched, and come back. */
static void *churn(void *arg)
{
	uint64_t s = (uint64_t)arg;

	while (!shared->stop) {
		unsigned char *p = arena + LATE + draw(&s, (ARENA - LATE) / 4096 - 16) * 4096;
		size_t len = (1 + draw(&s, 16)) * 4096;

		usleep(draw(&s, 500));
		if (draw(&s, 2)) {
			mprotect(p, len, draw(&s, 2) ? PROT_NONE : PROT_READ);
			usleep(draw(&s, 500));
			mprotect(p, len, PROT_READ | PROT_WRITE);
		} else if (mmap(p, len, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED) {
			err(1, "mmap");
		}
		madvise(arena, LATE, MADV_DONTNEED);
	}
	return NULL;
}

/* A page that is missed comes after a while, in which its request may have ended. */
static void *bring_late(void *arg)
{
	int fd = *(int *)arg;
	struct uffd_msg msg;

	for (;;) {
		struct uffdio_zeropage zero = { .range.len = 4096 };

		if (read(fd, &msg, sizeof(msg)) != sizeof(msg))
			return NULL;
		if (msg.event != UFFD_EVENT_PAGEFAULT)
			continue;
		usleep((useconds_t)(msg.arg.pagefault.address >> 12) % 16 * 500);
		zero.range.start = msg.arg.pagefault.address & ~4095ull;
		ioctl(fd, UFFDIO_ZEROPAGE, &zero);
	}
}

static void make_arena(void)
{
	static int fd;
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	pthread_t thread;

	arena = mmap(NULL, ARENA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (arena == MAP_FAILED)
		err(1, "mmap");
	fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
	reg.range.start = (uint64_t)arena;
	reg.range.len = LATE;
	if (fd < 0 || ioctl(fd, UFFDIO_API, &api) || ioctl(fd, UFFDIO_REGISTER, &reg))
		printf("no userfaultfd\n");
	else if (pthread_create(&thread, NULL, bring_late, &fd))
		errx(1, "no thread");
}

/* --- the helper ---------------------------------------------------------------------- */

struct helper {
	int fd;
	struct cdrive_descriptor held[CDRIVE_QUEUE_DEPTH];
	uint32_t n;
	int error; /* of the last command */
};

static void on_message(struct helper *h, const struct nlmsghdr *hdr)
{
	static uint32_t latest;
	const struct genlmsghdr *genl = NLMSG_DATA(hdr);
	const struct nlattr *attr = (const struct nlattr *)(genl + 1);
	int left = (int)hdr->nlmsg_len - NLMSG_HDRLEN - GENL_HDRLEN;

	if (hdr->nlmsg_type == NLMSG_ERROR) {
		h->error = -((const struct nlmsgerr *)NLMSG_DATA(hdr))->error;
		return;
	}
	for (; hdr->nlmsg_type == family && left >= NLA_HDRLEN && attr->nla_len >= NLA_HDRLEN;
	     left -= (int)NLA_ALIGN(attr->nla_len),
	     attr = (const struct nlattr *)((const char *)attr + NLA_ALIGN(attr->nla_len))) {
		const char *data = (const char *)attr + NLA_HDRLEN;
		uint32_t n = (attr->nla_len - NLA_HDRLEN) / (uint32_t)sizeof(h->held[0]);

		if (genl->cmd == CDRIVE_CMD_GET && attr->nla_type == CDRIVE_A_INDEX)
			shared->index = *(const uint32_t *)data;
		if (attr->nla_type != CDRIVE_A_DESCRIPTORS)
			continue;
		for (uint32_t i = 0; i < n && h->n < CDRIVE_QUEUE_DEPTH; i++, h->n++) {
			memcpy(&h->held[h->n], data + i * sizeof(h->held[0]), sizeof(h->held[0]));
			shared->tags[latest++ % TAGS] = h->held[h->n].tag;
			message_tag_seen(h->held[h->n].tag);
		}
	}
}

static void receive(struct helper *h, int ms)
{
	static union {
		struct nlmsghdr hdr;
		char bytes[1 << 15];
	} in;
	struct pollfd p = { .fd = h->fd, .events = POLLIN };
	ssize_t n;

	poll(&p, 1, ms);
	while ((n = recv(h->fd, in.bytes, sizeof(in), MSG_DONTWAIT)) > 0)
		for (struct nlmsghdr *hdr = &in.hdr; NLMSG_OK(hdr, n); hdr = NLMSG_NEXT(hdr, n))
			on_message(h, hdr);
}

/* Sends a command, with an attribute more when @len isn't 0, and waits for its error. */
static int tell(struct helper *h, uint8_t cmd, uint16_t kind, const void *data, size_t len)
{
	static struct message m;
	time_t end = time(NULL) + 20;

	message_begin(&m, family, cmd);
	if (cmd != CDRIVE_CMD_ATTACH)
		message_u32(&m, CDRIVE_A_INDEX, shared->index);
	if (len)
		message_attr(&m, kind, data, len);
	m.hdr.nlmsg_len = (uint32_t)m.len;
	h->error = -1;
	if (send(h->fd, m.bytes, m.len, 0) < 0)
		err(1, "send");
	while (h->error < 0 && time(NULL) < end)
		receive(h, 100);
	return h->error;
}

static void open_helper(struct helper *h)
{
	struct sockaddr_nl local = { .nl_family = AF_NETLINK };

	h->n = 0;
	h->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	if (h->fd < 0 || bind(h->fd, (struct sockaddr *)&local, sizeof(local)))
		err(1, "netlink socket");
	setsockopt(h->fd, SOL_NETLINK, NETLINK_NO_ENOBUFS, &(int){ 1 }, sizeof(int));
	setsockopt(h->fd, SOL_SOCKET, SO_RCVBUFFORCE, &(int){ 1 << 20 }, sizeof(int));
	if (ioctl(payload, CDRIVE_PAYLOAD_BIND, h->fd))
		err(1, "binding the payload device");
}

static void attach(struct helper *h)
{
	uint64_t sectors = DRIVE_SECTORS;
	int error = tell(h, CDRIVE_CMD_ATTACH, CDRIVE_A_SECTORS, &sectors, sizeof(sectors));

	if (error)
		errx(1, "ATTACH: %s", strerror(error));
	shared->attached++;
}

static int detach(struct helper *h, bool force)
{
	uint32_t flags = force ? CDRIVE_F_FORCE : 0;

	h->n = 0;
	return tell(h, CDRIVE_CMD_DETACH, CDRIVE_A_FLAGS, &flags, sizeof(flags));
}

/* Some of what is held, or all; and with it what isn't, unless they are to end well. */
static void complete(struct helper *h, bool well)
{
	struct cdrive_completion c[CDRIVE_MAX_BATCH];
	struct cdrive_payload_complete all = { .index = shared->index };
	uint32_t n = well ? h->n : chance(h->n + 1), m = 0;

	for (; m < n; m++) {
		uint32_t at = chance(h->n);

		c[m] = (struct cdrive_completion){ .tag = h->held[at].tag };
		if (!well && !chance(16))
			c[m].status = -(int)chance(4096);
		h->held[at] = h->held[--h->n];
	}
	while (!well && m < CDRIVE_MAX_BATCH && !chance(2)) {
		c[m].tag = m && chance(2) ? c[chance(m)].tag : message_tag();
		c[m++].status = (int)chance(1u << 31);
	}
	all.completions = (uint64_t)c;
	all.count = m;
	if (m && ioctl(payload, CDRIVE_PAYLOAD_COMPLETE, &all) && errno != ESTALE)
		err(1, "completing");
	shared->completed += n;
}

static void lease(int64_t ns)
{
	struct timespec ts;
	struct cdrive_payload_lease told = { .index = shared->index };

	clock_gettime(CLOCK_BOOTTIME, &ts);
	told.until = (uint64_t)(ts.tv_sec * 1000000000 + ts.tv_nsec + ns);
	if (ioctl(payload, CDRIVE_PAYLOAD_LEASE, &told))
		err(1, "a deadline");
}

/* What befalls a drive now and then. */
static void befall(struct helper *h)
{
	int error;

	switch (chance(7)) {
	case 0:
	case 1:
		close(h->fd);
		open_helper(h);
		/* -EBUSY: somebody copies for the old one. */
		while ((error = tell(h, CDRIVE_CMD_ADOPT, 0, NULL, 0)) == EBUSY)
			usleep(1000);
		if (error)
			errx(1, "ADOPT: %s", strerror(error));
		shared->adopted++;
		break;
	case 2:
		tell(h, CDRIVE_CMD_PARK, 0, NULL, 0);
		complete(h, false);
		tell(h, CDRIVE_CMD_RESUME, 0, NULL, 0);
		break;
	case 3:
	case 4:
		lease(-1);
		complete(h, false);
		lease(1000000000ll * 3600);
		break;
	case 5:
		tell(h, CDRIVE_CMD_FENCE, 0, NULL, 0);
		detach(h, true);
		attach(h);
		break;
	default:
		detach(h, true);
		attach(h);
		break;
	}
}

static void *help(void *arg)
{
	static struct helper h;
	int error;

	chance_seed((uint64_t)arg);
	/* Whom the others would starve. */
	setpriority(PRIO_PROCESS, (id_t)gettid(), -15);
	open_helper(&h);
	attach(&h);
	while (!shared->stop) {
		receive(&h, 2);
		if (!chance(3))
			complete(&h, false);
		if (!chance(300))
			befall(&h);
	}
	while (!served) {
		receive(&h, 2);
		complete(&h, true);
	}
	for (int i = 0; (error = detach(&h, false)) && i < 100; i++)
		usleep(100000);
	if (error)
		errx(1, "in the end DETACH says: %s", strerror(error));
	return NULL;
}

/* --- processes ------------------------------------------------------------------------- */

/* Reads, writes and discards; whatever comes of it. */
static void load(uint64_t s, bool direct)
{
	unsigned char *p =
		mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	while (!shared->stop) {
		uint64_t range[2];
		char path[32];
		int fd;

		snprintf(path, sizeof(path), "/dev/cdrive%u", shared->index);
		fd = open(path, O_RDWR | O_CLOEXEC | (direct ? O_DIRECT : 0));
		if (fd < 0)
			usleep(5000);
		for (int i = 0; fd >= 0 && i < 20 && !shared->stop; i++) {
			off_t at = (off_t)draw(&s, DRIVE_SECTORS - 2048) * 512;
			size_t len = (1 + draw(&s, draw(&s, 4) ? 16 : 2048)) * 512;

			range[0] = (uint64_t)at;
			range[1] = len;
			if (!draw(&s, 16))
				(void)!ioctl(fd, 0x1277 /* BLKDISCARD */, range);
			else if (draw(&s, 2))
				(void)!pread(fd, p, len, at);
			else
				(void)!pwrite(fd, p, len, at);
		}
		if (fd >= 0)
			close(fd);
	}
	_exit(0);
}

static void nobody(uint64_t s)
{
	if (setgroups(0, NULL) || setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))
		err(1, "setuid");
	while (!shared->stop) {
		draw(&s, 8) ? copy(&s) : vectors(&s);
		usleep(100);
	}
	_exit(0);
}

int main(int argc, char **argv)
{
	uint64_t seed = argc == 4 ? strtoull(argv[1], NULL, 10) : 0;
	pthread_t helper, others[ABUSERS + 1];
	pid_t child[LOADS + 1];
	time_t end;

	if (argc != 4)
		errx(2, "usage: nl_payload SEED SECONDS FAMILY");
	family = atoi(argv[3]);
	payload = open("/dev/" CDRIVE_PAYLOAD_NAME, O_RDWR | O_CLOEXEC);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (payload < 0 || shared == MAP_FAILED)
		err(1, "%s", CDRIVE_PAYLOAD_NAME);
	arena = mmap(NULL, ARENA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (uint64_t i = 0; i <= LOADS; i++) {
		child[i] = fork();
		if (!child[i] && i < LOADS)
			load(seed + i, i);
		if (!child[i])
			nobody(seed + i);
	}
	munmap(arena, ARENA);
	make_arena();
	if (pthread_create(&helper, NULL, help, (void *)seed))
		errx(1, "no thread");
	for (uint64_t i = 0; i <= ABUSERS; i++)
		if (pthread_create(&others[i], NULL, i < ABUSERS ? abuser : churn,
				   (void *)(seed * 100 + i)))
			errx(1, "no thread");
	sleep((unsigned int)atoi(argv[2]));
	shared->stop = true;
	end = time(NULL) + 60;
	for (uint64_t i = 0; i <= LOADS; i++) {
		while (!waitpid(child[i], NULL, WNOHANG)) {
			if (time(NULL) > end)
				errx(1, "process %d does not end", child[i]);
			usleep(20000);
		}
	}
	for (uint64_t i = 0; i <= ABUSERS; i++)
		pthread_join(others[i], NULL);
	served = true;
	pthread_join(helper, NULL);
	printf("%lu copies, %lu faults, %lu completed, %lu drives, %lu adoptions\n", shared->copies,
	       shared->faults, shared->completed, shared->attached, shared->adopted);
	return 0;
}
