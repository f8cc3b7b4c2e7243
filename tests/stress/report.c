// SPDX-License-Identifier: MIT
#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define SHOWN 40

static atomic_uint *count;
static bool skip;

void report_init(void)
{
	count = mmap(NULL, sizeof(*count), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	if (count == MAP_FAILED) {
		perror("stress");
		exit(2);
	}
}

unsigned int complaints(void)
{
	return atomic_load(count);
}

/* In one piece, and without stdio, whose locks a forked process may find taken. */
__attribute__((format(printf, 1, 0))) static void say(const char *format, va_list args)
{
	char line[512];
	int n, start;

	start = snprintf(line, sizeof(line), "# %.3f ", (double)now_ns() / 1e9);
	n = start + vsnprintf(line + start, sizeof(line) - 1 - (size_t)start, format, args);
	if (n > (int)sizeof(line) - 2)
		n = (int)sizeof(line) - 2;
	line[n++] = '\n';
	(void)!write(STDOUT_FILENO, line, (size_t)n);
}

void note(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(format, args);
	va_end(args);
}

void skip_scenario(const char *format, ...)
{
	va_list args;

	skip = true;
	printf("# SKIP ");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
}

bool skipped(void)
{
	return skip;
}

void complain(const char *format, ...)
{
	va_list args;

	if (atomic_fetch_add(count, 1) >= SHOWN)
		return;
	va_start(args, format);
	say(format, args);
	va_end(args);
}

/* Threads that wait in the kernel would keep exit() waiting, and who waits for the
 * process. */
static _Noreturn void leave(void)
{
	_exit(1);
}

void give_up(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(format, args);
	va_end(args);
	leave();
}

void give_up_stuck(const char *format, ...)
{
	int fd = open("/proc/sysrq-trigger", O_WRONLY | O_CLOEXEC);
	va_list args;

	va_start(args, format);
	say(format, args);
	va_end(args);
	(void)!write(fd, "w", 1);
	leave();
}

/* xorshift64* */
void chance_seed(struct chance *c, uint64_t seed)
{
	c->state = (seed + 1) * 0x9e3779b97f4a7c15u;
	if (!c->state)
		c->state = 1;
}

uint32_t chance(struct chance *c, uint32_t n)
{
	c->state ^= c->state >> 12;
	c->state ^= c->state << 25;
	c->state ^= c->state >> 27;
	return (uint32_t)((c->state * 2685821657736338717ull) >> 32) % n;
}

bool one_in(struct chance *c, uint32_t n)
{
	return !chance(c, n);
}

uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

void sleep_ms(unsigned int ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000L };

	while (nanosleep(&ts, &ts) && errno == EINTR)
		;
}
