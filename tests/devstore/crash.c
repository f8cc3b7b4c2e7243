// SPDX-License-Identifier: MIT
/*
 * crash - a storage whose process dies, round after round
 *
 * usage: crash fast|durable|power DIR ROUNDS SEED
 *
 * A child does random operations on the storage in DIR, saying over a pipe when it
 * starts one and when it has returned, and is killed by SIGKILL at a random moment,
 * maybe before the storage is open.  Another child then opens what is left.  All
 * that was acknowledged must be there, and of the operation under way all or
 * nothing: of a write or a clear, each page whole.  So goes the next round, on
 * what the last one left.
 *
 * power: durable, and after the kill the power is lost too (crash_power.c).  What
 * was acknowledged before the last storage_sync() must be there, and what came
 * after it up to some point, in order.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "crash_model.h"
#include "crash_power.h"

#define OPS_MAX 4096

enum { STARTED = 's', DONE = 'd', SYNCED = 'y' };

/* What the processes share. */
static struct shared {
	struct state state; /* what the storage holds, as last seen */
	uint32_t number; /* of the last operation ever */
	uint64_t seed;
	struct op ops[OPS_MAX];
} * shared;

static bool durable, power;
static const char *dir;
static char disk[128];

static void die(const char *what, int rc)
{
	fprintf(stderr, "# %s: %s\n", what, strerror(-rc));
	_exit(1);
}

/* --- the one that is killed ----------------------------------------------------------- */

static void tell(int fd, char what)
{
	if (write(fd, &what, 1) != 1)
		_exit(1);
}

static void work(int fd)
{
	struct state *state = malloc(sizeof(*state));
	uint64_t seed = shared->seed;
	struct storage *s;
	int rc;

	if (!state)
		die("memory", -ENOMEM);
	*state = shared->state;
	if (power)
		power_on(dir, disk);
	tell(fd, SYNCED); /* ready to be killed */
	rc = storage_open(&s, dir, durable);
	if (rc)
		die("opening", rc);
	for (uint32_t i = 0; i < OPS_MAX; i++) {
		struct op *op = &shared->ops[i];

		*op = model_choose(state, shared->number + i + 1, &seed);
		tell(fd, STARTED);
		rc = model_perform(s, state, op);
		if (rc)
			die("an operation", rc);
		model_apply(state, op);
		tell(fd, DONE);
		if (durable && !model_random(&seed, 6)) {
			rc = storage_sync(s);
			if (rc)
				die("syncing", rc);
			tell(fd, SYNCED);
		}
	}
	pause();
}

struct heard {
	uint32_t started, done, synced;
};

/* Takes in what the pipe holds; false at its end. */
static bool hear(int fd, struct heard *h)
{
	char buf[4096];
	ssize_t n = read(fd, buf, sizeof(buf));

	for (ssize_t i = 0; i < n; i++) {
		if (buf[i] == STARTED)
			h->started++;
		else if (buf[i] == DONE)
			h->done++;
		else
			h->synced = h->done;
	}
	return n > 0;
}

/* Lets the child get somewhere, kills it, and hears the rest. */
static bool kill_somewhere(pid_t pid, int fd, struct heard *h)
{
	uint32_t target = (uint32_t)model_random(&shared->seed, power ? 60 : 150);
	struct timespec pause = { 0, (long)model_random(&shared->seed, 200000) };
	struct pollfd p = { fd, POLLIN, 0 };
	int status;

	hear(fd, h);
	while (h->started < target && poll(&p, 1, 2000) > 0 && hear(fd, h))
		;
	nanosleep(&pause, NULL);
	kill(pid, SIGKILL);
	while (hear(fd, h))
		;
	waitpid(pid, &status, 0);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

/* --- the one that looks ------------------------------------------------------------------ */

/* The last operation that was done, so that @seen is what there must be. */
static bool explained(const struct state *seen, const struct heard *h)
{
	uint32_t least = power ? h->synced : h->done;
	struct state *state = malloc(sizeof(*state));
	bool found = false;

	if (!state)
		die("memory", -ENOMEM);
	*state = shared->state;
	for (uint32_t n = 0; n <= h->started && !found; n++) {
		const struct op *next = n < h->started ? &shared->ops[n] : NULL;

		found = n >= least && model_matches(seen, state, next);
		if (next)
			model_apply(state, next);
	}
	free(state);
	return found;
}

static void inspect(const struct heard *h)
{
	struct state *seen = calloc(1, sizeof(*seen));
	struct storage *s = NULL;
	int rc = seen ? storage_open(&s, dir, durable) : -ENOMEM;

	if (rc)
		die("opening again", rc);
	if (!model_read(s, seen))
		_exit(1);
	if (!explained(seen, h)) {
		fprintf(stderr, "# %u started, %u done, %u synced\n", h->started, h->done,
			h->synced);
		die("what is there is not what was done", 0);
	}
	shared->state = *seen;
	shared->number += h->started;
	if (model_random(&shared->seed, 2))
		storage_close(s);
	_exit(0);
}

static bool round_(uint64_t *power_seed)
{
	struct heard h = { 0 };
	int pipes[2], status;
	pid_t pid;

	if (pipe(pipes))
		die("pipe", -errno);
	pid = fork();
	if (!pid) {
		close(pipes[0]);
		work(pipes[1]);
	}
	close(pipes[1]);
	if (!kill_somewhere(pid, pipes[0], &h))
		return false;
	close(pipes[0]);
	pid = fork();
	if (!pid) {
		if (power)
			power_lost(dir, disk, power_seed);
		inspect(&h);
	}
	waitpid(pid, &status, 0);
	model_random(power_seed, 2);
	return WIFEXITED(status) && !WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
	struct storage *s;
	uint64_t seed;
	int rounds, rc;

	if (argc != 5)
		return 2;
	power = !strcmp(argv[1], "power");
	durable = power || !strcmp(argv[1], "durable");
	dir = argv[2];
	snprintf(disk, sizeof(disk), "%s.disk", dir);
	rounds = (int)strtol(argv[3], NULL, 10);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED)
		return 2;
	shared->seed = seed = strtoull(argv[4], NULL, 0) | 1;
	rc = storage_open(&s, dir, durable);
	if (!rc)
		rc = model_begin(s, &shared->state);
	if (rc)
		die("starting", rc);
	storage_close(s);
	for (int i = 0; i < rounds; i++) {
		if (!round_(&seed)) {
			printf("round %d of %d failed\n", i + 1, rounds);
			return 1;
		}
	}
	printf("%d rounds, %u operations\n", rounds, shared->number);
	return 0;
}
