// SPDX-License-Identifier: MIT
#include "helper.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "report.h"

#define WORKERS 2
#define QUEUE 512 /* more than can be in flight, each twice */
#define OLD_TAGS 16
/* The smallest that there is: a message or two. */
#define SMALL_BUFFER 2048

enum verb { ATTACH, ADOPT, LEASE, ASK, DETACH, WAIT_READY, CLOSE };

struct order {
	enum verb verb;
	struct wire_drive drive;
	unsigned int index;
	uint64_t until;
	enum cdrive_cmd cmd;
	bool force;
};

struct reply {
	int err;
	unsigned int index;
};

/* --- the process ------------------------------------------------------------------ */

static struct {
	struct store *store;
	struct helper_style style;
	struct wire wire;
	uint32_t epoch;
	bool ready;
	int ready_err;

	pthread_mutex_t lock; /* the queue's */
	pthread_cond_t more;
	struct cdrive_descriptor queue[QUEUE];
	unsigned int head, count;
} me = { .lock = PTHREAD_MUTEX_INITIALIZER, .more = PTHREAD_COND_INITIALIZER };

struct worker {
	struct chance chance;
	unsigned char *buf; /* a request's data */
	uint32_t old[OLD_TAGS]; /* tags of requests that are done */
	unsigned int n_old;
	struct cdrive_completion done[CDRIVE_MAX_BATCH];
	unsigned int n_done;
};

static void queue_put(const struct cdrive_descriptor *d)
{
	if (me.count == QUEUE) {
		complain("cdrive%u: more requests than there are", me.store->index);
		return;
	}
	me.queue[(me.head + me.count++) % QUEUE] = *d;
}

static void on_request(void *arg, const struct cdrive_descriptor *d)
{
	struct chance *c = arg;

	store_arrived(me.store, me.epoch, d);
	pthread_mutex_lock(&me.lock);
	queue_put(d);
	if (one_in(c, 8)) /* by two threads, at the same time */
		queue_put(d);
	pthread_cond_broadcast(&me.more);
	pthread_mutex_unlock(&me.lock);
}

static void on_ready(void *arg, int err)
{
	(void)arg;
	me.ready = true;
	me.ready_err = err;
}

/* --- carrying out ------------------------------------------------------------------- */

/* Whether a copy may end like this, when others complete, close and detach meanwhile. */
static bool may_end(long err)
{
	/* -EPERM: the socket is closed, and the payload device is about to be. */
	return err == -ESTALE || err == -EBADF || err == -ENODEV || err == -ENOENT || err == -EPERM;
}

/* All of a request's data, in one piece or many; false when it is no more. */
static bool copy(struct worker *w, const struct cdrive_descriptor *d)
{
	size_t len = (size_t)d->sectors * SECTOR, pos = 0;
	size_t piece = one_in(&w->chance, 3) ? 512 + chance(&w->chance, 60000) : len;

	while (pos < len) {
		size_t n = len - pos < piece ? len - pos : piece;
		long did = d->op == CDRIVE_OP_WRITE ?
				   wire_read(&me.wire, d->tag, w->buf + pos, n, (uint32_t)pos) :
				   wire_write(&me.wire, d->tag, w->buf + pos, n, (uint32_t)pos);

		if (did <= 0) {
			if (!may_end(did))
				complain("cdrive%u: payload of %u at %llu+%u from %zu: %ld",
					 me.store->index, d->op, d->sector, d->sectors, pos, did);
			return false;
		}
		pos += (size_t)did;
	}
	return true;
}

/* The wrong direction, and what lies beyond the end. */
static void touch_wrongly(struct worker *w, const struct cdrive_descriptor *d)
{
	uint32_t len = d->sectors * SECTOR;
	long did;

	did = d->op == CDRIVE_OP_READ ? wire_read(&me.wire, d->tag, w->buf, SECTOR, 0) :
					wire_write(&me.wire, d->tag, "x", 1, 0);
	if (!may_end(did))
		complain("cdrive%u: payload in the wrong direction: %ld", me.store->index, did);
	if (d->op != CDRIVE_OP_WRITE || len >= CDRIVE_MAX_TRANSFER)
		return;
	did = wire_read(&me.wire, d->tag, w->buf, SECTOR, len);
	if (did && !may_end(did))
		complain("cdrive%u: payload beyond the end: %ld", me.store->index, did);
}

/* What is done is done: nothing can be read or written any more. */
static void touch_old(struct worker *w)
{
	static const char garbage[4096] = "written after its request was done";
	uint32_t tag = w->old[chance(&w->chance, w->n_old)];
	char buf[4096];
	long did;

	did = wire_write(&me.wire, tag, garbage, sizeof(garbage), 0);
	if (!may_end(did))
		complain("cdrive%u: a write to a tag of the past: %ld", me.store->index, did);
	did = wire_read(&me.wire, tag, buf, sizeof(buf), 0);
	if (!may_end(did))
		complain("cdrive%u: a read from a tag of the past: %ld", me.store->index, did);
}

/* Another drive's request of the same tag, which may well be in flight. */
static void touch_anothers(struct worker *w, uint32_t tag)
{
	uint32_t index =
		(me.wire.index + 1 + chance(&w->chance, CDRIVE_MAX_DRIVES - 1)) % CDRIVE_MAX_DRIVES;
	int payload = atomic_load(&me.wire.payload);
	off_t at = (off_t)CDRIVE_PAYLOAD_OFFSET(index, tag, 0);
	char buf[SECTOR];

	if (pread(payload, buf, sizeof(buf), at) >= 0 || pwrite(payload, "x", 1, at) >= 0)
		complain("cdrive%u: its helper reaches a request of cdrive%u", me.wire.index,
			 index);
}

static void remember(struct worker *w, uint32_t tag)
{
	if (w->n_old < OLD_TAGS)
		w->old[w->n_old++] = tag;
	else
		w->old[chance(&w->chance, OLD_TAGS)] = tag;
}

/* False: none was, as the wire is closed. */
static bool completed(struct worker *w, unsigned int n)
{
	int err = wire_complete(&me.wire, w->done, n);

	/* A request that two have completed. */
	if (err == -ESTALE)
		atomic_fetch_add(&me.store->stale, 1);
	else if (err && !may_end(err))
		complain("cdrive%u: a completion is answered by %s", me.store->index,
			 strerror(-err));
	return !err || err == -ESTALE;
}

static void flush(struct worker *w)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < w->n_done; i++)
		if (store_progress(me.store, me.epoch, w->done[i].tag, STORE_ENDING))
			w->done[n++] = w->done[i];
	w->n_done = 0;
	if (!n)
		return;
	if (!completed(w, n)) {
		/* The next helper gets them. */
		for (unsigned int i = 0; i < n; i++)
			store_progress(me.store, me.epoch, w->done[i].tag, STORE_OPEN);
		return;
	}
	for (unsigned int i = 0; i < n; i++) {
		store_progress(me.store, me.epoch, w->done[i].tag, STORE_DONE);
		remember(w, w->done[i].tag);
	}
}

static int some_error(struct worker *w)
{
	static const int errors[] = { -EIO, -ENOSPC, -ETIMEDOUT, -ENOLINK, -EAGAIN, 5, INT32_MIN };

	return errors[chance(&w->chance, sizeof(errors) / sizeof(errors[0]))];
}

static void carry_out(struct worker *w, const struct cdrive_descriptor *d)
{
	int status = 0;

	if (me.style.delay_us)
		usleep(chance(&w->chance, me.style.delay_us));
	if (one_in(&w->chance, 16))
		touch_wrongly(w, d);
	if (d->op == CDRIVE_OP_WRITE && !copy(w, d))
		return;
	if (me.style.fails && one_in(&w->chance, me.style.fails))
		status = some_error(w);
	else if (!store_carry_out(me.store, me.epoch, d, w->buf))
		return;
	else if (d->op == CDRIVE_OP_READ && !copy(w, d))
		return;
	w->done[w->n_done++] = (struct cdrive_completion){ .tag = d->tag, .status = status };
}

/* The next request; until there is one, nothing that is done stays here. */
static void take(struct worker *w, struct cdrive_descriptor *d)
{
	pthread_mutex_lock(&me.lock);
	if (!me.count) {
		pthread_mutex_unlock(&me.lock);
		flush(w);
		pthread_mutex_lock(&me.lock);
	}
	while (!me.count)
		pthread_cond_wait(&me.more, &me.lock);
	*d = me.queue[me.head];
	me.head = (me.head + 1) % QUEUE;
	me.count--;
	pthread_mutex_unlock(&me.lock);
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct cdrive_descriptor d;

	for (;;) {
		take(w, &d);
		carry_out(w, &d);
		if (w->n_done == CDRIVE_MAX_BATCH || one_in(&w->chance, 4))
			flush(w);
		if (w->n_old && one_in(&w->chance, 16))
			touch_old(w);
		if (one_in(&w->chance, 16))
			touch_anothers(w, d.tag);
	}
	return NULL;
}

/* --- orders --------------------------------------------------------------------------- */

static int wait_ready(void)
{
	uint64_t end = now_ns() + SECONDS(STUCK_SECONDS);

	while (!me.ready && now_ns() < end)
		wire_receive(&me.wire, 100);
	return me.ready ? me.ready_err : -ETIMEDOUT;
}

static int begin(const struct order *o)
{
	int err = wire_open(&me.wire);

	/* Before there are requests, of which this needs the data. */
	if (!err)
		err = wire_open_payload(&me.wire);
	if (!err && o->verb == ATTACH)
		err = wire_attach(&me.wire, &o->drive);
	else if (!err)
		err = wire_adopt(&me.wire, o->index, o->until);
	if (err)
		wire_close(&me.wire);
	else if (me.style.small_buffer)
		setsockopt(me.wire.fd, SOL_SOCKET, SO_RCVBUF, &(int){ SMALL_BUFFER }, sizeof(int));
	return err;
}

static int obey(const struct order *o)
{
	switch (o->verb) {
	case ATTACH:
	case ADOPT:
		me.epoch = o->verb == ATTACH ? me.store->epoch : store_take_over(me.store);
		return begin(o);
	case LEASE:
		return wire_lease(&me.wire, o->until);
	case ASK:
		return wire_ask(&me.wire, o->cmd);
	case DETACH:
		return wire_detach(&me.wire, o->force);
	case WAIT_READY:
		return wait_ready();
	default:
		wire_close(&me.wire);
		return 0;
	}
}

static void serve(int control)
{
	static struct worker workers[WORKERS];
	static struct chance main_chance;
	struct order o;

	chance_seed(&main_chance, me.style.seed);
	me.wire = (struct wire){ .fd = -1, .payload = -1 };
	me.wire.request = on_request;
	me.wire.ready = on_ready;
	me.wire.arg = &main_chance;
	for (unsigned int i = 0; i < WORKERS; i++) {
		pthread_t thread;

		workers[i].buf = malloc(CDRIVE_MAX_TRANSFER);
		chance_seed(&workers[i].chance, me.style.seed + i + 1);
		if (!workers[i].buf || pthread_create(&thread, NULL, work, &workers[i]))
			give_up("no memory for a helper");
	}
	for (;;) {
		struct pollfd p[2] = { { .fd = control, .events = POLLIN },
				       { .fd = me.wire.fd, .events = POLLIN } };
		struct reply r;

		poll(p, 2, -1);
		if (p[1].revents)
			wire_receive(&me.wire, 0);
		if (!p[0].revents)
			continue;
		if (recv(control, &o, sizeof(o), 0) != sizeof(o))
			_exit(0);
		r.err = obey(&o);
		r.index = me.wire.index;
		(void)!send(control, &r, sizeof(r), MSG_NOSIGNAL);
	}
}

/* --- from outside ----------------------------------------------------------------------- */

void helper_start(struct helper *h, struct store *store, const struct helper_style *style)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		give_up("socketpair: %s", strerror(errno));
	h->pid = fork();
	if (h->pid < 0)
		give_up("fork: %s", strerror(errno));
	if (!h->pid) {
		/* Nothing of others must stay open in here, least of all a drive. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(pair[1], 3);
		close_range(4, ~0u, 0);
		me.store = store;
		me.style = *style;
		serve(3);
	}
	close(pair[1]);
	h->control = pair[0];
}

static int tell(struct helper *h, const struct order *o)
{
	struct timeval limit = { .tv_sec = 2 * STUCK_SECONDS };
	struct reply r;

	setsockopt(h->control, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (send(h->control, o, sizeof(*o), MSG_NOSIGNAL) != sizeof(*o))
		return -EPIPE;
	if (recv(h->control, &r, sizeof(r), 0) != sizeof(r))
		return -EPIPE;
	h->index = r.index;
	return r.err;
}

int helper_attach(struct helper *h, const struct wire_drive *drive)
{
	return tell(h, &(struct order){ .verb = ATTACH, .drive = *drive });
}

int helper_adopt(struct helper *h, unsigned int index, uint64_t until)
{
	return tell(h, &(struct order){ .verb = ADOPT, .index = index, .until = until });
}

int helper_lease(struct helper *h, uint64_t until)
{
	return tell(h, &(struct order){ .verb = LEASE, .until = until });
}

int helper_ask(struct helper *h, enum cdrive_cmd cmd)
{
	return tell(h, &(struct order){ .verb = ASK, .cmd = cmd });
}

int helper_detach(struct helper *h, bool force)
{
	return tell(h, &(struct order){ .verb = DETACH, .force = force });
}

int helper_wait_ready(struct helper *h)
{
	return tell(h, &(struct order){ .verb = WAIT_READY });
}

int helper_close(struct helper *h)
{
	return tell(h, &(struct order){ .verb = CLOSE });
}

void helper_hit(struct helper *h)
{
	kill(h->pid, SIGKILL);
}

void helper_kill(struct helper *h)
{
	uint64_t end = now_ns() + SECONDS(STUCK_SECONDS);

	if (!h->pid)
		return;
	kill(h->pid, SIGKILL);
	while (!waitpid(h->pid, NULL, WNOHANG)) {
		if (now_ns() > end)
			give_up_stuck("cdrive%u: its helper %d can't be killed", h->index, h->pid);
		sleep_ms(1);
	}
	close(h->control);
	h->pid = 0;
}
