// SPDX-License-Identifier: MIT
#include "ctl/work.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ctl/ctl.h"

#define REDRAW_MS 200
#define LINES_MS 2000 /* at most one in that time */

static void on_timer(void *arg);

int work_start(struct work *w, struct store *s, uint64_t connections)
{
	*w = (struct work){
		.job = {
			.loop = s->loop,
			.client = s->client,
			.blob = &s->blob,
			.name = s->text,
			.connections = (unsigned int)connections,
		},
		.store = s,
		.started = loop_now(),
	};
	loop_timer_init(&w->timer, on_timer, w);
	return job_start(&w->job) ? work_fail(w, NULL) : EXIT_OK;
}

double work_seconds(const struct work *w)
{
	return (double)(loop_now() - w->started) / 1e9;
}

/* --- how far it is ------------------------------------------------------------ */

static double rate(const struct work *w)
{
	double seconds = work_seconds(w);

	return seconds > 0.01 ? (double)(w->job.done - w->from) / seconds : 0;
}

static const char *time_left(const struct work *w, char *buf, size_t len)
{
	double r = rate(w);
	unsigned long s;

	if (r < 1 || w->job.total < w->job.done)
		return "";
	s = (unsigned long)((double)(w->job.total - w->job.done) / r);
	if (s >= 3600)
		snprintf(buf, len, ", %lu:%02lu:%02lu left", s / 3600, s / 60 % 60, s % 60);
	else
		snprintf(buf, len, ", %lu:%02lu left", s / 60, s % 60);
	return buf;
}

static unsigned int percent(const struct work *w)
{
	const struct job *j = &w->job;

	if (!j->total)
		return 0;
	return j->done >= j->total ? 100 : (unsigned int)((double)j->done * 100 / (double)j->total);
}

/* "42% of 2.9G, 210M/s, 0:12 left"; of what has no known end "1.2G, 210M/s". */
static void describe(const struct work *w, char *buf, size_t len)
{
	char size[16], speed[16], left[32];

	size_text((uint64_t)rate(w), speed, sizeof(speed));
	if (w->job.total)
		snprintf(buf, len, "%3u%% of %s, %s/s%s", percent(w),
			 size_text(w->job.total, size, sizeof(size)), speed,
			 time_left(w, left, sizeof(left)));
	else
		snprintf(buf, len, "%s, %s/s", size_text(w->job.done, size, sizeof(size)), speed);
}

/* One line, rewritten in place: a bar as wide as the terminal leaves room for. It must
 * not reach the last column, from which there is no way back to the first. */
static void draw(struct work *w)
{
	struct winsize win = { 0 };
	char text[80], bar[64], line[160];
	int room, full;

	describe(w, text, sizeof(text));
	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &win) || !win.ws_col)
		win.ws_col = 80;
	room = (int)win.ws_col - (int)strlen(ctl_verb) - (int)strlen(text) - 6;
	if (room > (int)sizeof(bar) - 1)
		room = sizeof(bar) - 1;
	if (!w->job.total || room < 5) {
		snprintf(line, sizeof(line), "%s: %s", ctl_verb, text);
	} else {
		full = (int)percent(w) * room / 100;
		memset(bar, '#', (size_t)full);
		memset(bar + full, '.', (size_t)(room - full));
		snprintf(line, sizeof(line), "%s: [%.*s] %s", ctl_verb, room, bar, text);
	}
	fprintf(stderr, "\r%.*s\033[K", (int)win.ws_col - 1, line);
	w->drawn = true;
}

/* What has no end says how much there is, every time there is time for it. */
static void say_line(struct work *w, uint64_t now)
{
	unsigned int tenth = percent(w) / 10;
	char text[80];

	if (now - w->shown < LOOP_MS(LINES_MS) || (w->job.total && tenth <= w->tenth))
		return;
	w->tenth = tenth;
	w->shown = now;
	describe(w, text, sizeof(text));
	fprintf(stderr, "clouddrivectl: %s: %s\n", ctl_verb, text + strspn(text, " "));
}

static void on_timer(void *arg)
{
	struct work *w = arg;

	if (w->terminal)
		draw(w);
	else
		say_line(w, loop_now());
	loop_timer_arm(w->job.loop, &w->timer, LOOP_MS(REDRAW_MS));
}

void work_show(struct work *w)
{
	w->terminal = isatty(STDERR_FILENO);
	w->started = w->shown = loop_now();
	w->from = w->job.done;
	loop_timer_arm(w->job.loop, &w->timer, LOOP_MS(REDRAW_MS));
}

void work_hide(struct work *w)
{
	loop_timer_cancel(w->job.loop, &w->timer);
	if (w->drawn)
		fputs("\r\033[K", stderr);
	w->drawn = false;
}

void work_end(struct work *w)
{
	work_hide(w);
	job_end(&w->job);
}

/* --- the end of it ---------------------------------------------------------------- */

int work_fail(struct work *w, const char *left)
{
	const struct job_error *e = &w->job.error;

	switch (e->failure) {
	case JOB_SERVICE:
		return store_fail(w->store, &e->service, left);
	case JOB_LOCAL:
		return fail(e->exit, "%s%s%s", e->text, left ? ". " : "", left ? left : "");
	case JOB_INTERRUPTED:
		return fail(EXIT_FAILED, "%s: interrupted by %s; %s", w->store->text,
			    strsignal(w->job.signal), left ? left : "nothing is left of it");
	case JOB_OK:
		break;
	}
	return EXIT_FAILED;
}

const char *work_text(const struct work *w, uint64_t bytes, char *buf, size_t len)
{
	const struct az_counters *n = az_client_counters(w->job.client);
	double seconds = work_seconds(w);
	char size[16], speed[16];

	snprintf(buf, len, "%s in %.1f s (%s/s), %llu transactions",
		 size_text(bytes, size, sizeof(size)), seconds,
		 size_text((uint64_t)((double)bytes / (seconds > 0.001 ? seconds : 0.001)), speed,
			   sizeof(speed)),
		 (unsigned long long)n->calls);
	return buf;
}
