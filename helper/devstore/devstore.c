// SPDX-License-Identifier: MIT
#include "devstore/devstore.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devstore/control.h"
#include "devstore/faults/profile.h"
#include "lib/log.h"

#define MAX_PEM (1u << 20)
#define MAX_FILES 16384
#define COPY_STEP (16ull << 20)
#define LAST_ANSWERS_MS 1000 /* for what is under way when the storage has failed */

struct devstore {
	const struct devstore_options *o;
	struct loop *loop;
	struct storage *storage;
	struct ds ds;
	struct ds_faults faults;
	struct ds_server *server;
	struct ds_control *control;
	struct loop_fd signals;
	char *cert, *key;
	struct loop_hook turn;
	struct loop_timer last_answers;
	int failure; /* of the storage */
	char control_path[4096];
	char url[160];
};

static int say(char *why, size_t len, int err, const char *what, const char *todo)
{
	snprintf(why, len, "%s: %s; %s", what, strerror(-err), todo);
	return err;
}

static void make_url(struct devstore *d)
{
	ds_server_address(d->server, d->ds.host);
	snprintf(d->url, sizeof(d->url), "%s://%s/%s", d->cert ? "https" : "http", d->ds.host,
		 d->ds.accounts.account[0].name);
}

/* --- files ----------------------------------------------------------------------------- */

static int read_pem(const char *path, char **out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t n = 0;
	ssize_t got;
	char *s;

	if (fd < 0)
		return -errno;
	s = malloc(MAX_PEM + 1);
	if (!s) {
		close(fd);
		return -ENOMEM;
	}
	while (n < MAX_PEM && (got = read(fd, s + n, MAX_PEM - n)) > 0)
		n += (size_t)got;
	close(fd);
	s[n] = '\0';
	*out = s;
	return n ? 0 : -ENODATA;
}

static int make_directories(const char *path)
{
	char part[4096];

	if (strlen(path) >= sizeof(part))
		return -ENAMETOOLONG;
	for (size_t i = 1; path[i]; i++) {
		if (path[i] != '/')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		if (mkdir(part, 0755) && errno != EEXIST)
			return -errno;
	}
	return mkdir(path, 0700) && errno != EEXIST ? -errno : 0;
}

static const char *storage_advice(int err)
{
	switch (err) {
	case -EBUSY:
		return "another devstore is using it";
	case -ENOSPC:
	case -EDQUOT:
		return "make room there, or choose another directory with --data";
	case -EPROTONOSUPPORT:
		return "a later version of devstore made it; use that";
	case -EBADMSG:
	case -EIO:
		return "the disk lost or changed what was there; take another copy of it";
	default:
		return "choose a directory that can be written with --data";
	}
}

static int open_storage(struct devstore *d, char *why, size_t len)
{
	int err = make_directories(d->o->data);

	if (!err)
		err = storage_open(&d->storage, d->o->data, d->o->durable);
	if (err)
		return say(why, len, err, d->o->data, storage_advice(err));
	if (storage_crowded(d->storage))
		log_error("%s: the disk is full: reading and deleting go on, all else is refused "
			  "until there is room",
			  d->o->data);
	return 0;
}

/* --- the end of the storage ---------------------------------------------------------------- */

/* A page of a mapped file that can't be read is not survived; only what signal
 * handlers may call is called. */
static void on_bus_error(int signal)
{
	static const char text[] = "devstore: a file of the data directory can't be read: "
				   "Input/output error\n";

	(void)signal;
	(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
	_exit(EXIT_FAILURE);
}

static void on_last_answers(void *arg)
{
	struct devstore *d = arg;

	loop_stop(d->loop);
}

/* When nothing can be stored any more, this is said, those who asked are answered,
 * and it ends. */
static void on_turn(void *arg)
{
	struct devstore *d = arg;

	if (d->failure || !storage_failure(d->storage))
		return;
	d->failure = storage_failure(d->storage);
	if (d->failure == -ESTALE)
		log_error("%s: the directory is not there any more; ending", d->o->data);
	else
		log_error("%s: %s: nothing can be stored any more; ending", d->o->data,
			  strerror(-d->failure));
	loop_timer_arm(d->loop, &d->last_answers, LOOP_MS(LAST_ANSWERS_MS));
}

static int storage_ended(const struct devstore *d, int err, char *why, size_t len)
{
	if (err == -ESTALE)
		snprintf(why, len,
			 "%s: the directory is not there any more; what was stored in it "
			 "is lost, unless it was moved",
			 d->o->data);
	else
		say(why, len, err, d->o->data, "look for what the kernel says of its disk");
	return err;
}

/* --- signals ------------------------------------------------------------------------------ */

static void on_signal(void *arg, uint32_t events)
{
	struct devstore *d = arg;
	struct signalfd_siginfo info;

	(void)events;
	if (read(d->signals.fd, &info, sizeof(info)) == sizeof(info))
		loop_stop(d->loop);
}

static int watch_signals(struct devstore *d)
{
	sigset_t set;
	int fd, err;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	err = loop_fd_add(d->loop, &d->signals, fd, EPOLLIN, on_signal, d);
	if (err)
		close(fd);
	return err;
}

/* --- starting -------------------------------------------------------------------------------- */

static int add_accounts(struct devstore *d, char *why, size_t len)
{
	int err = 0;

	if (!d->o->account_count)
		return ds_accounts_add(&d->ds.accounts, DS_DEV_ACCOUNT, DS_DEV_KEY);
	for (size_t i = 0; i < d->o->account_count && !err; i++) {
		err = ds_accounts_add(&d->ds.accounts, d->o->accounts[i].name,
				      d->o->accounts[i].key);
		if (err)
			say(why, len, err, d->o->accounts[i].name,
			    "an account has a name of 3 to 24 lower-case letters and digits, and "
			    "a key in base64");
	}
	return err;
}

static int add_container(struct devstore *d, char *why, size_t len)
{
	int err = 0;

	if (d->o->container)
		err = ds_make_container(&d->ds, d->ds.accounts.account[0].name, d->o->container);
	return err ? say(why, len, err, d->o->container,
			 "a container has a name of 3 to 63 lower-case letters, digits and single "
			 "dashes") :
		     0;
}

static int listen_address(const struct devstore_options *o, struct ds_address *out, char *why,
			  size_t len)
{
	const char *wrong = ds_address_parse(o->listen, out);

	if (wrong)
		snprintf(why, len, "--listen: %.80s: %s; examples are %s and [::1]:10000",
			 o->listen, wrong, DS_DEFAULT_LISTEN);
	else if (!ds_address_loopback(out) && !o->allow_remote)
		snprintf(why, len,
			 "--listen: %s: other machines could reach it; say --allow-remote if they "
			 "shall",
			 o->listen);
	else
		return 0;
	return -EINVAL;
}

int devstore_check(const struct devstore_options *o, char *why, size_t len)
{
	struct ds_address address;

	if (o->container && ds_check_container(o->container)) {
		snprintf(why, len,
			 "--container: no name of a container; it has 3 to 63 lower-case letters, "
			 "digits and single dashes");
		return -EINVAL;
	}
	if (o->profile && !ds_profile_find(o->profile)) {
		snprintf(why, len, "--profile: there is no %.40s; there are %s", o->profile,
			 ds_profile_names());
		return -EINVAL;
	}
	return listen_address(o, &address, why, len);
}

static int start_server(struct devstore *d, char *why, size_t len)
{
	struct ds_server_options server = { 0 };
	char reason[160];
	int err;

	err = listen_address(d->o, &server.address, why, len);
	if (err)
		return err;
	err = d->o->tls_cert ? read_pem(d->o->tls_cert, &d->cert) : 0;
	if (err)
		return say(why, len, err, d->o->tls_cert, "it is to hold the certificate, as PEM");
	err = d->o->tls_key ? read_pem(d->o->tls_key, &d->key) : 0;
	if (err)
		return say(why, len, err, d->o->tls_key, "it is to hold the key, as PEM");
	server.cert = d->cert;
	server.key = d->key;
	err = ds_server_start(&d->server, &d->ds, &d->faults, &server, reason, sizeof(reason));
	if (err) {
		snprintf(why, len, "%s: %s; is another server there? --listen chooses another port",
			 d->o->listen, reason);
		return err;
	}
	make_url(d);
	return 0;
}

static int start_control(struct devstore *d, char *why, size_t len)
{
	int err;

	if (d->o->control)
		snprintf(d->control_path, sizeof(d->control_path), "%s", d->o->control);
	else
		snprintf(d->control_path, sizeof(d->control_path), "%s/control", d->o->data);
	err = ds_control_start(&d->control, d->control_path, d->loop, d->server, &d->faults);
	if (err == -ENOSPC && d->ds.full) {
		log_error("%s: no room for the control socket: faults and counters are out of "
			  "reach",
			  d->control_path);
		return 0;
	}
	return err ? say(why, len, err, d->control_path,
			 "choose another path for the control socket with --control") :
		     0;
}

static int start(struct devstore *d, char *why, size_t len)
{
	int err = loop_new(&d->loop);

	if (err)
		return say(why, len, err, "event loop", "try again");
	err = open_storage(d, why, len);
	if (err)
		return err;
	err = ds_init(&d->ds, d->loop, d->storage);
	if (err)
		return say(why, len, err, "service", "try again");
	d->ds.durable = d->o->durable;
	d->ds.place = d->o->data;
	d->ds.full = storage_crowded(d->storage);
	loop_timer_init(&d->last_answers, on_last_answers, d);
	signal(SIGBUS, on_bus_error);
	d->ds.async_above = d->o->async_above;
	d->ds.copy_step = COPY_STEP;
	d->ds.copy_least = LOOP_MS(d->o->copy_ms);
	ds_faults_init(&d->faults, d->o->seed);
	if (d->o->profile) {
		d->faults.limits = ds_limits_new(ds_profile_find(d->o->profile), d->o->seed);
		if (!d->faults.limits)
			return say(why, len, -ENOMEM, "profile", "try again");
	}
	err = add_accounts(d, why, len);
	if (!err)
		err = add_container(d, why, len);
	if (!err)
		err = start_server(d, why, len);
	if (!err)
		err = start_control(d, why, len);
	loop_hook_add(d->loop, &d->turn, on_turn, d); /* after the server's */
	if (!err && watch_signals(d))
		err = say(why, len, -errno, "signals", "try again");
	return err;
}

static int stop(struct devstore *d)
{
	int err;

	if (d->control)
		ds_control_stop(d->control);
	if (d->server)
		ds_server_stop(d->server);
	if (d->ds.objects.slots)
		ds_free(&d->ds);
	err = storage_close(d->storage);
	if (d->signals.fd >= 0)
		close(d->signals.fd);
	loop_free(d->loop);
	ds_limits_free(d->faults.limits);
	free(d->cert);
	free(d->key);
	return err;
}

/* Bodies come and go by the megabyte: memory that was had is kept, or each would
 * be mapped and zeroed by the kernel anew. */
static void set_limits(void)
{
	struct rlimit files = { 0 };

	mallopt(M_MMAP_THRESHOLD, 32 << 20);
	mallopt(M_TRIM_THRESHOLD, 128 << 20);
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max < MAX_FILES ? files.rlim_max : MAX_FILES;
	setrlimit(RLIMIT_NOFILE, &files);
}

int devstore_run(const struct devstore_options *o,
		 void (*ready)(const char *url, const char *control), char *why, size_t len)
{
	struct devstore *d = calloc(1, sizeof(*d));
	int err, closed;

	if (!d)
		return -ENOMEM;
	d->o = o;
	d->signals.fd = -1;
	snprintf(why, len, "devstore: out of memory; try again");
	set_limits();
	err = start(d, why, len);
	if (!err) {
		ready(d->url, d->control_path);
		err = loop_run(d->loop);
		if (err)
			say(why, len, err, "event loop", "report this");
	}
	closed = stop(d);
	if (!err && (d->failure || closed))
		err = storage_ended(d, d->failure ? d->failure : closed, why, len);
	free(d);
	return err;
}
