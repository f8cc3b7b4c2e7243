// SPDX-License-Identifier: MIT
/*
 * Messages may carry an account key (clouddrivectl's request to its helper),
 * so the buffers they pass through are cleansed.
 */
#include "lib/runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/loop.h"
#include "lib/whole.h"

const char *runtime_dir(void)
{
	const char *dir = secure_getenv("CLOUDDRIVE_RUNTIME_DIR");

	return dir && *dir ? dir : "/run/clouddrive";
}

/* What is there already is used only if nobody else can write to it: records
 * decide what is unmounted and detached. */
int runtime_init(void)
{
	const char *dir = runtime_dir();
	struct stat st;

	if (mkdir(dir, 0700) && errno != EEXIST)
		return -errno;
	if (lstat(dir, &st))
		return -errno;
	if (!S_ISDIR(st.st_mode))
		return -ENOTDIR;
	if (st.st_uid != geteuid())
		return -EPERM;
	if ((st.st_mode & 0077) && chmod(dir, 0700))
		return -errno;
	return 0;
}

const char *runtime_path(unsigned int index, const char *suffix, char *buf, size_t len)
{
	snprintf(buf, len, "%s/cdrive%u.%s", runtime_dir(), index, suffix);
	return buf;
}

/* --- records -------------------------------------------------------------- */

json_t *runtime_load(unsigned int index)
{
	char path[PATH_MAX];
	json_t *record;

	record = json_load_file(runtime_path(index, "json", path, sizeof(path)),
				JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(record)) {
		json_decref(record);
		return NULL;
	}
	return record;
}

/* The name differs from process to process: two that save at once must not
 * write into one temporary file. */
static int replace_file(const char *path, const char *s, size_t len)
{
	char tmp[PATH_MAX];
	int fd, err;

	if (snprintf(tmp, sizeof(tmp), "%s.%d", path, getpid()) >= (int)sizeof(tmp))
		return -ENAMETOOLONG;
	fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	err = whole_write(fd, s, len);
	if (close(fd) && !err)
		err = -errno;
	if (!err && rename(tmp, path))
		err = -errno;
	if (err)
		unlink(tmp);
	return err;
}

int runtime_save(unsigned int index, const json_t *record)
{
	char path[PATH_MAX];
	char *s;
	int err;

	s = json_dumps(record, JSON_INDENT(2));
	if (!s)
		return -ENOMEM;
	err = replace_file(runtime_path(index, "json", path, sizeof(path)), s, strlen(s));
	free(s);
	return err;
}

static void merge(json_t *record, json_t *changes)
{
	const char *key;
	json_t *value;

	json_object_foreach(changes, key, value) {
		if (json_is_null(value))
			json_object_del(record, key);
		else
			json_object_set(record, key, value);
	}
}

int runtime_update(unsigned int index, json_t *changes)
{
	json_t *record;
	int fd, err;

	/* The directory itself is what is locked: it is always there. */
	fd = open(runtime_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX)) {
		err = -errno;
		close(fd);
		return err;
	}
	record = runtime_load(index);
	if (!record)
		record = json_object();
	merge(record, changes);
	err = record ? runtime_save(index, record) : -ENOMEM;
	json_decref(record);
	close(fd);
	return err;
}

void runtime_remove(unsigned int index)
{
	char path[PATH_MAX];

	unlink(runtime_path(index, "sock", path, sizeof(path)));
	unlink(runtime_path(index, "json", path, sizeof(path)));
}

/* --- messages ------------------------------------------------------------- */

static char *buffer_new(void)
{
	return malloc(RUNTIME_MESSAGE_MAX);
}

static void buffer_free(char *buf)
{
	explicit_bzero(buf, RUNTIME_MESSAGE_MAX);
	free(buf);
}

int runtime_send(int fd, const json_t *message)
{
	char *buf = buffer_new();
	size_t len;
	ssize_t n;
	int err = 0;

	if (!buf)
		return -ENOMEM;
	len = json_dumpb(message, buf, RUNTIME_MESSAGE_MAX, JSON_COMPACT);
	if (!len || len > RUNTIME_MESSAGE_MAX) {
		err = -EMSGSIZE;
		goto out;
	}
	do {
		n = send(fd, buf, len, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		err = errno == EPIPE ? -ECONNRESET : -errno;
out:
	buffer_free(buf);
	return err;
}

static int wait_readable(int fd, int timeout_ms)
{
	uint64_t end = loop_now() + LOOP_MS(timeout_ms);
	struct pollfd p = { .fd = fd, .events = POLLIN };

	for (;;) {
		int left = -1, n;

		if (timeout_ms >= 0) {
			uint64_t now = loop_now();

			left = now < end ? (end - now) / LOOP_MS(1) + 1 : 0;
		}
		n = poll(&p, 1, left);
		if (n > 0)
			return 0;
		if (n == 0)
			return -ETIMEDOUT;
		if (errno != EINTR)
			return -errno;
	}
}

static int parse_message(const char *buf, ssize_t len, json_t **message)
{
	if (len == 0)
		return -ECONNRESET;
	if (len > RUNTIME_MESSAGE_MAX)
		return -EMSGSIZE;
	*message = json_loadb(buf, len, JSON_REJECT_DUPLICATES, NULL);
	if (json_is_object(*message))
		return 0;
	json_decref(*message);
	*message = NULL;
	return -EPROTO;
}

int runtime_receive(int fd, json_t **message, int timeout_ms)
{
	char *buf;
	ssize_t n;
	int err;

	*message = NULL;
	err = wait_readable(fd, timeout_ms);
	if (err)
		return err;
	buf = buffer_new();
	if (!buf)
		return -ENOMEM;
	do {
		n = recv(fd, buf, RUNTIME_MESSAGE_MAX, MSG_TRUNC);
	} while (n < 0 && errno == EINTR);
	err = n < 0 ? -errno : parse_message(buf, n, message);
	buffer_free(buf);
	return err;
}

int runtime_connect(unsigned int index)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	/* How long connecting may wait: the helper accepts at every turn. */
	struct timeval limit = { .tv_sec = 5 };
	int fd;

	runtime_path(index, "sock", addr.sun_path, sizeof(addr.sun_path));
	if (strlen(addr.sun_path) == sizeof(addr.sun_path) - 1)
		return -ENAMETOOLONG;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr))) {
		int err = errno == EAGAIN ? -ETIMEDOUT : -errno;

		close(fd);
		return err;
	}
	return fd;
}

int runtime_request(unsigned int index, const json_t *request, json_t **response, int timeout_ms)
{
	int fd, err;

	*response = NULL;
	fd = runtime_connect(index);
	if (fd < 0)
		return fd;
	err = runtime_send(fd, request);
	if (!err)
		err = runtime_receive(fd, response, timeout_ms);
	close(fd);
	return err;
}

json_t *runtime_error(enum exit_status status, const char *fmt, ...)
{
	char message[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(message, sizeof(message), fmt, args);
	va_end(args);
	return json_pack("{s:{s:i, s:s}}", "error", "exit", status, "message", message);
}
