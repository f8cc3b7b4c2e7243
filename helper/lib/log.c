// SPDX-License-Identifier: MIT
/*
 * log.c - syslog(3)'s protocol, without its waiting
 *
 * syslog(3) waits for room in the daemon's socket.  Where nobody reads that (a log
 * daemon that hangs, or waits itself for the disk that we serve), it waits for ever, and
 * a helper that waits loses its lease.  So the socket is one of ours, and never waited
 * for.  It is opened early, before a sandbox is entered.  What does not fit is dropped,
 * counted, and the next message that fits comes after the count.
 *
 * When the daemon is started again, the old socket leads nowhere: sending says so
 * (systemd-journald's lives on in systemd, but others' don't), and is tried once more on
 * the socket that has the name by then.
 */
#include "lib/log.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

static const char *program = "clouddrive";
static bool on_stderr = true;
static bool debug;
static int fd = -1;
static unsigned long lost;

static int try_connect(void)
{
	static const struct sockaddr_un daemon = { .sun_family = AF_UNIX, .sun_path = "/dev/log" };

	if (fd < 0)
		fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&daemon, sizeof(daemon)))
		return -errno;
	return 0;
}

void log_open(const char *name, bool to_stderr)
{
	program = name;
	on_stderr = to_stderr;
	debug = getenv("CLOUDDRIVE_DEBUG") != NULL;
	log_reopen();
}

void log_reopen(void)
{
	fd = -1;
	try_connect(); /* if it fails, the first message tries again */
}

void log_to_syslog(void)
{
	on_stderr = false;
}

/* "Nov 28 05:06:07": not strftime()'s, whose names follow the locale. */
static void stamp(char *buf, size_t size)
{
	static const char months[][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
					  "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	time_t now = time(NULL);
	struct tm tm;

	localtime_r(&now, &tm);
	snprintf(buf, size, "%s %2d %02d:%02d:%02d", months[tm.tm_mon], tm.tm_mday, tm.tm_hour,
		 tm.tm_min, tm.tm_sec);
}

/* Whether it is with the daemon. */
static bool to_daemon(int priority, const char *line)
{
	char message[1200], when[32];
	int len;

	stamp(when, sizeof(when));
	/* "The BSD syslog Protocol", as syslog(3) sends it */
	len = snprintf(message, sizeof(message), "<%d>%s %s[%d]: %s", LOG_DAEMON | priority, when,
		       program, getpid(), line);
	if (send(fd, message, (size_t)len, MSG_NOSIGNAL) == len)
		return true;
	/* Full: it is there, and there is no use in asking again. */
	if (errno == EAGAIN || errno == ENOBUFS || try_connect())
		return false;
	return send(fd, message, (size_t)len, MSG_NOSIGNAL) == len;
}

/*
 * Whether it is on standard error.  That is another's, too, so it can't be made
 * non-blocking; sockets and (from Linux 6.4) pipes take a flag for the one call, and of
 * what has room by poll(2), a line fits.
 */
static bool to_stderr(const char *line)
{
	struct pollfd p = { .fd = STDERR_FILENO, .events = POLLOUT };
	char message[1200];
	int len = snprintf(message, sizeof(message), "%s: %s\n", program, line);
	struct iovec iov = { .iov_base = message, .iov_len = (size_t)len };
	ssize_t n = send(STDERR_FILENO, message, (size_t)len, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0 && errno == ENOTSOCK)
		n = pwritev2(STDERR_FILENO, &iov, 1, -1, RWF_NOWAIT);
	if (n < 0 && (errno == EOPNOTSUPP || errno == ENOSYS || errno == ESPIPE) &&
	    poll(&p, 1, 0) == 1)
		n = write(STDERR_FILENO, message, (size_t)len);
	return n == len;
}

static bool put(int priority, const char *line)
{
	return on_stderr ? to_stderr(line) : to_daemon(priority, line);
}

__attribute__((format(printf, 2, 0))) static void say(int priority, const char *fmt, va_list ap)
{
	char line[1024];

	if (lost) {
		snprintf(line, sizeof(line),
			 "%lu messages were lost here: the log was full or away", lost);
		if (put(LOG_WARNING, line))
			lost = 0;
	}
	vsnprintf(line, sizeof(line), fmt, ap);
	if (lost || !put(priority, line))
		lost++;
}

void log_error(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(LOG_ERR, fmt, ap);
	va_end(ap);
}

void log_info(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(LOG_INFO, fmt, ap);
	va_end(ap);
}

void log_debug(const char *fmt, ...)
{
	va_list ap;

	if (!debug)
		return;
	va_start(ap, fmt);
	say(LOG_DEBUG, fmt, ap);
	va_end(ap);
}
