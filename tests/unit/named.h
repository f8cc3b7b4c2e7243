/* SPDX-License-Identifier: MIT */
/*
 * named.h - a name server that does what a test says, on 127.0.0.1:53 of a network
 * namespace, with a resolv.conf that names it in a mount namespace
 */
#ifndef TESTS_NAMED_H
#define TESTS_NAMED_H

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "httpd.h"

enum named_mode { NAMED_ANSWERS, NAMED_IS_SILENT, NAMED_FAILS, NAMED_KNOWS_NONE };

/* Shared with the server: what it does from now on, and has done. */
struct named_state {
	enum named_mode mode;
	char known[64]; /* the one name that it knows */
	unsigned char address[4];
	unsigned int ttl;
	int queries; /* for IPv4 addresses, of the known name */
};

static struct named_state *named;
static pid_t named_pid;

/* A name of the question, with dots; bytes it takes in the message, 0: none. */
static size_t named_name(const unsigned char *p, size_t len, char *name)
{
	size_t pos = 0, out = 0;

	while (pos < len && p[pos]) {
		if (pos + 1 + p[pos] >= len || out + p[pos] + 1u >= 255)
			return 0;
		if (out)
			name[out++] = '.';
		memcpy(name + out, p + pos + 1, p[pos]);
		out += p[pos];
		pos += 1u + p[pos];
	}
	name[out] = '\0';
	return pos + 1;
}

/* Turns a question into its answer; its length, 0: none. */
static size_t named_answer(unsigned char *m, size_t len)
{
	char name[256];
	size_t n = len > 12 ? named_name(m + 12, len - 12, name) : 0;
	unsigned int type;
	bool known;

	if (!n || 12 + n + 4 > len)
		return 0;
	type = (unsigned int)m[12 + n] << 8 | m[12 + n + 1];
	known = !strcasecmp(name, named->known);
	if (known && type == 1)
		named->queries++;
	if (named->mode == NAMED_IS_SILENT)
		return 0;
	len = 12 + n + 4;
	m[2] = 0x84 | (m[2] & 1);
	m[3] = 0x80;
	memset(m + 6, 0, 6);
	if (named->mode == NAMED_FAILS) {
		m[3] |= 2; /* SERVFAIL */
	} else if (!known || named->mode == NAMED_KNOWS_NONE) {
		m[3] |= 3; /* NXDOMAIN */
	} else if (type == 1) {
		const unsigned char record[] = { 0xc0, 12, 0, 1, 0, 1 };

		m[7] = 1;
		memcpy(m + len, record, sizeof(record));
		len += sizeof(record);
		m[len++] = (unsigned char)(named->ttl >> 24);
		m[len++] = (unsigned char)(named->ttl >> 16);
		m[len++] = (unsigned char)(named->ttl >> 8);
		m[len++] = (unsigned char)named->ttl;
		m[len++] = 0;
		m[len++] = 4;
		memcpy(m + len, named->address, 4);
		len += 4;
	}
	return len;
}

static void named_serve(int fd)
{
	unsigned char m[1024];
	struct sockaddr_in from;

	for (;;) {
		socklen_t size = sizeof(from);
		ssize_t n = recvfrom(fd, m, 512, 0, (struct sockaddr *)&from, &size);
		size_t len = n > 0 ? named_answer(m, (size_t)n) : 0;

		if (len)
			sendto(fd, m, len, 0, (struct sockaddr *)&from, size);
	}
}

/* Namespaces of this process's own, with loopback; false where that may not be. */
static bool named_namespaces(void)
{
	struct ifreq lo = { .ifr_flags = IFF_UP | IFF_RUNNING };
	char path[] = "/tmp/resolv.XXXXXX";
	static const char conf[] = "nameserver 127.0.0.1\noptions timeout:1 attempts:2\n";
	int fd, s;

	if (unshare(CLONE_NEWNS | CLONE_NEWNET))
		return false;
	strcpy(lo.ifr_name, "lo");
	s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (ioctl(s, SIOCSIFFLAGS, &lo) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL))
		abort();
	close(s);
	fd = mkstemp(path);
	if (write(fd, conf, sizeof(conf) - 1) < 0 || fchmod(fd, 0644) ||
	    mount(path, "/etc/resolv.conf", NULL, MS_BIND, NULL))
		abort();
	close(fd);
	unlink(path);
	return true;
}

static void named_start(void)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
				    .sin_port = htons(53),
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)))
		abort();
	named = mmap(NULL, sizeof(*named), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	fflush(NULL);
	named_pid = fork();
	if (!named_pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		named_serve(fd);
	}
	close(fd);
}

static void named_stop(void)
{
	kill(named_pid, SIGKILL);
	waitpid(named_pid, NULL, 0);
}

#endif
