// SPDX-License-Identifier: MIT
/*
 * clouddrived - the helper of one drive
 *
 * Started by the drive's agent, which hands over on the socket FD what to mount and
 * with which SAS, and a fresh one now and then; see lib/runtime.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "drive/drive.h"
#include "lib/daemon.h"
#include "lib/heap.h"
#include "lib/log.h"
#include "lib/runtime.h"
#include "lib/sandbox.h"
#include "lib/secret.h"
#include "lib/signals.h"

/* Messages hold a SAS: jansson's memory is cleansed as it is freed. */
static void cleansing_free(void *p)
{
	if (p)
		OPENSSL_cleanse(p, malloc_usable_size(p));
	free(p);
}

/* --- events ------------------------------------------------------------- */

struct signals {
	struct drive *drive;
	struct loop_fd watch;
	bool opened;
};

/* Ends the drive if nobody uses it; a drive in use outlives the signal. */
static void signalled(void *arg, uint32_t events)
{
	struct signals *s = arg;
	struct signalfd_siginfo info;

	(void)events;
	if (read(s->watch.fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (!s->opened)
		drive_abandon(s->drive);
	else if (drive_detach(s->drive, false))
		log_error("signal %u from process %u: /dev/cdrive%u is in use, going on",
			  info.ssi_signo, info.ssi_pid, s->drive->index);
}

/* --- the drive's life ----------------------------------------------------- */

/*
 * What is left to do needs no privilege: the drive is the socket's that attached it.
 * The log's time zone is looked up while that can be.
 */
static json_t *give_up_privileges(struct drive *d)
{
	int err;

	tzset();
	err = sandbox_enter(SANDBOX_HELPER);
	return err ? runtime_error(EXIT_FAILED,
				   "%s: can't give up privileges: %s; see the system log", d->name,
				   strerror(-err)) :
		     NULL;
}

/* Nobody reads what we say any more; our caller's pipes must end. */
static void detach_from_terminal(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	log_to_syslog();
	if (null < 0)
		return;
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
	close(null);
}

/* Tells whoever started us.  When nobody hears it, nobody wants the drive. */
static void announce(struct drive *d, int fd)
{
	json_t *message = drive_response(d);

	if (runtime_send(fd, message) && d->adopt < 0)
		drive_detach(d, false);
	json_decref(message);
	agent_channel_announced(&d->channel);
}

static int serve(struct drive *d, struct signals *signals, int fd)
{
	json_t *error = drive_open(d);

	if (!error)
		error = give_up_privileges(d);
	if (error) {
		d->opened = false; /* what was adopted is left as it was */
		drive_close(d); /* before it is told: nothing is left behind */
		runtime_send(fd, error);
		json_decref(error);
		return EXIT_FAILED;
	}
	announce(d, fd);
	if (!d->foreground)
		detach_from_terminal();
	signals->opened = true;
	log_info("/dev/cdrive%u is %s", d->index, d->name);
	if (!d->ending)
		loop_run(d->loop);
	if (d->leaving)
		return EXIT_FAILED; /* all stays as it is, for the next helper */
	drive_close(d);
	return EXIT_OK;
}

static int run(char **argv)
{
	static struct drive drive;
	struct signals signals = { .drive = &drive };
	json_t *request, *error;
	int fd = (int)strtol(argv[1], NULL, 10);
	int err;

	if (loop_new(&drive.loop) || signals_watch(drive.loop, &signals.watch, signalled, &signals))
		return EXIT_FAILED;
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	err = runtime_receive(fd, &request, 10000);
	if (err) {
		fprintf(stderr,
			"clouddrived: no request on descriptor %d: %s; it is started by clouddrivectl mount\n",
			fd, strerror(-err));
		return EXIT_USAGE;
	}
	error = drive_configure(&drive, request, fd);
	json_decref(request);
	if (error) {
		runtime_send(fd, error);
		json_decref(error);
		return EXIT_FAILED;
	}
	setsid();
	daemon_harden(argv[0], 0);
	return serve(&drive, &signals, fd);
}

int main(int argc, char **argv)
{
	int err;

	heap_init();
	err = secret_protect_process();
	if (err) {
		fprintf(stderr, "clouddrived: keeping memory from other processes: %s\n",
			strerror(-err));
		return EXIT_FAILED;
	}
	json_set_alloc_funcs(malloc, cleansing_free);
	log_open("clouddrived", true);
	if (argc != 2 || argv[1][0] < '0' || argv[1][0] > '9') {
		fputs("usage: clouddrived FD\n\n"
		      "The helper of one drive.  It is started by clouddrivectl mount, which\n"
		      "hands it what to mount on the socket FD.  See clouddrived(8).\n",
		      argc == 2 && !strcmp(argv[1], "--help") ? stdout : stderr);
		return argc == 2 && !strcmp(argv[1], "--help") ? 0 : 2;
	}
	return run(argv);
}
