// SPDX-License-Identifier: MIT
/*
 * nl_nobody - sends the driver all that there is, without being anybody
 *
 * Run as a user without capabilities, or as root of a user namespace: nothing that it
 * says may be heeded but questions (CDRIVE_CMD_GET), nothing may come to its sockets
 * but answers, and neither the payload device, nor a drive, nor what is in sysfs may be
 * opened to be written. Questions are asked on many sockets, and the answers not always
 * waited for.
 *
 * usage: nl_nobody SEED SECONDS FAMILY	FAMILY: the family's number, as in another
 *					network namespace it can't be looked up. Prints
 *					what it was told; 1 when something was allowed.
 */
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <linux/genetlink.h>
#include <linux/netlink.h>

#include <linux/cdrive.h>

#include "nl_message.h"

#define SOCKETS 64
#define KEPT 256 /* messages whose answers may be still to come, of a socket */

struct speaker {
	int fd;
	struct {
		uint32_t seq;
		uint8_t cmd;
		bool ours; /* a message of the family */
	} sent[KEPT];
};

static struct speaker speaker[SOCKETS];
static int family;
static unsigned long sent, refused, answered, tried;

static void speaker_open(struct speaker *s)
{
	struct sockaddr_nl local = { .nl_family = AF_NETLINK };

	s->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_GENERIC);
	if (s->fd < 0 || bind(s->fd, (struct sockaddr *)&local, sizeof(local)))
		err(2, "netlink socket");
	if (chance(2))
		setsockopt(s->fd, SOL_SOCKET, SO_RCVBUF, &(int){ 1 }, sizeof(int));
	memset(s->sent, 0, sizeof(s->sent));
}

static void speak(struct speaker *s)
{
	static struct message m;
	const struct genlmsghdr *genl = (struct genlmsghdr *)(m.bytes + NLMSG_HDRLEN);
	unsigned int at;

	message_any(&m, family);
	at = m.hdr.nlmsg_seq % KEPT;
	s->sent[at].seq = m.hdr.nlmsg_seq;
	s->sent[at].cmd = genl->cmd;
	s->sent[at].ours = m.hdr.nlmsg_type == family;
	if (send(s->fd, m.bytes, m.len, 0) > 0)
		sent++;
}

static void judge(struct speaker *s, const struct nlmsghdr *hdr)
{
	const struct nlmsgerr *e = NLMSG_DATA(hdr);
	const struct genlmsghdr *genl = NLMSG_DATA(hdr);
	unsigned int at = hdr->nlmsg_seq % KEPT;

	if (hdr->nlmsg_type == NLMSG_ERROR && e->error) {
		refused++;
	} else if (hdr->nlmsg_type == NLMSG_ERROR) {
		if (s->sent[at].seq == hdr->nlmsg_seq && s->sent[at].ours &&
		    s->sent[at].cmd != CDRIVE_CMD_GET)
			errx(1, "command %u was accepted", s->sent[at].cmd);
		answered++;
	} else if (hdr->nlmsg_type == family) {
		if (genl->cmd != CDRIVE_CMD_GET)
			errx(1, "message %u came to somebody who is no helper", genl->cmd);
		answered++;
	}
}

static void listen_to(struct speaker *s)
{
	static union {
		struct nlmsghdr hdr;
		unsigned char bytes[1 << 16];
	} in;
	ssize_t n;

	while ((n = recv(s->fd, in.bytes, sizeof(in), 0)) > 0) {
		struct nlmsghdr *hdr = &in.hdr;
		unsigned int left = (unsigned int)n;

		for (; NLMSG_OK(hdr, left); hdr = NLMSG_NEXT(hdr, left))
			judge(s, hdr);
		if (!chance(4))
			break; /* a dump in the middle of which it goes */
	}
}

static void may_not(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC | O_NONBLOCK);

	if (fd >= 0)
		errx(1, "%s was opened", path);
	tried++;
}

/* Whoever has a port id is not who had it. */
static void take_port(struct speaker *s)
{
	struct sockaddr_nl local = { .nl_family = AF_NETLINK };
	FILE *file = fopen("/proc/net/netlink", "re");
	unsigned int protocol, port, n = 0;
	char line[256];

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "%*s %u %u", &protocol, &port) == 2 &&
		    protocol == NETLINK_GENERIC && !chance(++n))
			local.nl_pid = port;
	if (file)
		fclose(file);
	close(s->fd);
	speaker_open(s);
	close(s->fd);
	s->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_GENERIC);
	if (bind(s->fd, (struct sockaddr *)&local, sizeof(local))) {
		close(s->fd);
		speaker_open(s);
	}
}

static void try_files(void)
{
	static const char *const in[] = { "", "cdrive", "queue", "trace" };
	char path[512];

	may_not("/dev/" CDRIVE_PAYLOAD_NAME, chance(2) ? O_RDWR : O_RDONLY);
	for (unsigned int i = 0; i < CDRIVE_MAX_DRIVES; i++) {
		snprintf(path, sizeof(path), "/dev/cdrive%u", i);
		may_not(path, O_RDONLY);
		for (unsigned int j = 0; j < sizeof(in) / sizeof(in[0]); j++) {
			struct dirent *d;
			DIR *dir;

			snprintf(path, sizeof(path), "/sys/block/cdrive%u/%s", i, in[j]);
			dir = opendir(path);
			while (dir && (d = readdir(dir))) {
				if (d->d_type != DT_REG)
					continue;
				snprintf(path, sizeof(path), "/sys/block/cdrive%u/%s/%s", i, in[j],
					 d->d_name);
				may_not(path, O_WRONLY);
			}
			if (dir)
				closedir(dir);
		}
	}
	may_not("/sys/module/cdrive/parameters/park_limit", O_WRONLY);
}

int main(int argc, char **argv)
{
	time_t end;

	if (argc != 4)
		errx(2, "usage: nl_nobody SEED SECONDS FAMILY");
	chance_seed(strtoull(argv[1], NULL, 10));
	end = time(NULL) + atoi(argv[2]);
	family = atoi(argv[3]);
	for (unsigned int i = 0; i < SOCKETS; i++)
		speaker_open(&speaker[i]);
	try_files();
	for (unsigned long i = 0; i < 1000 || time(NULL) < end; i++) {
		struct speaker *s = &speaker[chance(SOCKETS)];

		for (uint32_t n = 1 + chance(4); n; n--)
			speak(s);
		if (chance(4))
			listen_to(s);
		if (!chance(100)) {
			close(s->fd);
			speaker_open(s);
		}
		if (!chance(400))
			take_port(s);
		if (i % 5000 == 4999)
			try_files();
	}
	printf("%lu sent, %lu refused, %lu answered, %lu files tried\n", sent, refused, answered,
	       tried);
	return refused ? 0 : 1;
}
