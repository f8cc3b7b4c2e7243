// SPDX-License-Identifier: MIT
#include "ctl/progress.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ctl/ctl.h"

#define REDRAW_MS 200
#define LINES_MS 2000 /* at most one in that time */

static void on_timer(void *arg);

int progress_start(struct progress *p, struct session *s, uint64_t connections)
{
	*p = (struct progress){
		.job = {
			.loop = s->loop,
			.client = s->client,
			.blob = &s->blob,
			.name = s->text,
			.connections = (unsigned int)connections,
		},
		.session = s,
		.started = loop_now(),
	};
	loop_timer_init(&p->timer, on_timer, p);
	return job_start(&p->job) ? progress_fail(p, NULL) : EXIT_OK;
}

double progress_seconds(const struct progress *p)
{
	return (double)(loop_now() - p->started) / 1e9;
}

/* --- how far it is ------------------------------------------------------------ */

static double rate(const struct progress *p)
{
	double seconds = progress_seconds(p);

	return seconds > 0.01 ? (double)(p->job.done - p->from) / seconds : 0;
}

static const char *time_left(const struct progress *p, char *buf, size_t len)
{
	double r = rate(p);
	unsigned long s;

	if (r < 1 || p->job.total < p->job.done)
		return "";
	s = (unsigned long)((double)(p->job.total - p->job.done) / r);
	if (s >= 3600)
		snprintf(buf, len, ", %lu:%02lu:%02lu left", s / 3600, s / 60 % 60, s % 60);
	else
		snprintf(buf, len, ", %lu:%02lu left", s / 60, s % 60);
	return buf;
}

static unsigned int percent(const struct progress *p)
{
	const struct job *j = &p->job;

	if (!j->total)
		return 0;
	return j->done >= j->total ? 100 : (unsigned int)((double)j->done * 100 / (double)j->total);
}

/* "42% of 2.9G, 210M/s, 0:12 left"; of what has no known end "1.2G, 210M/s". */
static void describe(const struct progress *p, char *buf, size_t len)
{
	char size[16], speed[16], left[32];

	size_text((uint64_t)rate(p), speed, sizeof(speed));
	if (p->job.total)
		snprintf(buf, len, "%3u%% of %s, %s/s%s", percent(p),
			 size_text(p->job.total, size, sizeof(size)), speed,
			 time_left(p, left, sizeof(left)));
	else
		snprintf(buf, len, "%s, %s/s", size_text(p->job.done, size, sizeof(size)), speed);
}

/* One line, rewritten in place: a bar as wide as the terminal leaves room for. It must
 * not reach the last column, from which there is no way back to the first. */
static void draw(struct progress *p)
{
	struct winsize win = { 0 };
	char text[80], bar[64], line[160];
	int room, full;

	describe(p, text, sizeof(text));
	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &win) || !win.ws_col)
		win.ws_col = 80;
	room = (int)win.ws_col - (int)strlen(command_verb) - (int)strlen(text) - 6;
	if (room > (int)sizeof(bar) - 1)
		room = sizeof(bar) - 1;
	if (!p->job.total || room < 5) {
		snprintf(line, sizeof(line), "%s: %s", command_verb, text);
	} else {
		full = (int)percent(p) * room / 100;
		memset(bar, '#', (size_t)full);
		memset(bar + full, '.', (size_t)(room - full));
		snprintf(line, sizeof(line), "%s: [%.*s] %s", command_verb, room, bar, text);
	}
	fprintf(stderr, "\r%.*s\033[K", (int)win.ws_col - 1, line);
	p->drawn = true;
}

/* What has no end says how much there is, every time there is time for it. */
static void say_line(struct progress *p, uint64_t now)
{
	unsigned int tenth = percent(p) / 10;
	char text[80];

	if (now - p->shown < LOOP_MS(LINES_MS) || (p->job.total && tenth <= p->tenth))
		return;
	p->tenth = tenth;
	p->shown = now;
	describe(p, text, sizeof(text));
	fprintf(stderr, "clouddrivectl: %s: %s\n", command_verb, text + strspn(text, " "));
}

static void on_timer(void *arg)
{
	struct progress *p = arg;

	if (p->terminal)
		draw(p);
	else
		say_line(p, loop_now());
	loop_timer_arm(p->job.loop, &p->timer, LOOP_MS(REDRAW_MS));
}

void progress_show(struct progress *p)
{
	p->terminal = isatty(STDERR_FILENO);
	p->started = p->shown = loop_now();
	p->from = p->job.done;
	loop_timer_arm(p->job.loop, &p->timer, LOOP_MS(REDRAW_MS));
}

void progress_hide(struct progress *p)
{
	loop_timer_cancel(p->job.loop, &p->timer);
	if (p->drawn)
		fputs("\r\033[K", stderr);
	p->drawn = false;
}

void progress_end(struct progress *p)
{
	progress_hide(p);
	job_end(&p->job);
}

/* --- the end of it ---------------------------------------------------------------- */

int progress_fail(struct progress *p, const char *left)
{
	const struct job_error *e = &p->job.error;

	switch (e->failure) {
	case JOB_SERVICE:
		return session_fail(p->session, &e->service, left);
	case JOB_LOCAL:
		return fail(e->exit, "%s%s%s", e->text, left ? ". " : "", left ? left : "");
	case JOB_INTERRUPTED:
		return fail(EXIT_FAILED, "%s: interrupted by %s; %s", p->session->text,
			    strsignal(p->job.signal), left ? left : "nothing is left of it");
	case JOB_OK:
		break;
	}
	return EXIT_FAILED;
}

const char *progress_text(const struct progress *p, uint64_t bytes, char *buf, size_t len)
{
	const struct az_counters *n = az_client_counters(p->job.client);
	double seconds = progress_seconds(p);
	char size[16], speed[16];

	snprintf(buf, len, "%s in %.1f s (%s/s), %llu transactions",
		 size_text(bytes, size, sizeof(size)), seconds,
		 size_text((uint64_t)((double)bytes / (seconds > 0.001 ? seconds : 0.001)), speed,
			   sizeof(speed)),
		 (unsigned long long)n->calls);
	return buf;
}
