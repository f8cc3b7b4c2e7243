// SPDX-License-Identifier: MIT
/*
 * late - no write lands late, with the real client and server
 *
 * The rule: Documentation/design.rst, "Rules that keep the data".  Runs schedules
 * (schedule.h) and prints TAP.  Two programs are made besides, in which a part of
 * the rule is missing; --broken says that this is one, and that a violation must
 * be found.
 */
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "lib/log.h"
#include "real.h"
#include "schedule.h"

static const char usage[] =
	"usage: late [OPTION]...\n"
	"\n"
	"  --server URL     http://127.0.0.1:PORT/ACCOUNT/CONTAINER\n"
	"  --control PATH   devstore's control socket, to let leases expire\n"
	"  --schedules N    how many (100)\n"
	"  --seed S         of the first; the others follow (1)\n"
	"  --steps N        of each; by default what its seed says\n"
	"  --broken         the rule is not kept: a violation must be found\n"
	"  --verbose        say what clouddrived logs\n"
	"\n"
	"A schedule is the same each time: --seed S --schedules 1 runs one again.\n";

static struct {
	const char *server, *control;
	unsigned long schedules, seed;
	unsigned int steps;
	bool broken, verbose;
} opt = { .schedules = 100, .seed = 1 };

/* --- in place of the log ---------------------------------------------------------- */

static void say(const char *fmt, va_list ap)
{
	if (!opt.verbose)
		return;
	fputs("# ", stdout);
	vprintf(fmt, ap);
	putchar('\n');
}

void log_error(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(fmt, ap);
	va_end(ap);
}

void log_info(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(fmt, ap);
	va_end(ap);
}

/* --- results ---------------------------------------------------------------------- */

static unsigned int tests, failures;

static void ok(bool good, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void ok(bool good, const char *fmt, ...)
{
	va_list ap;

	failures += !good;
	printf("%sok %u - ", good ? "" : "not ", ++tests);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

#define LLU(x) ((unsigned long long)(x))

static void print_counts(const struct late_counts *c)
{
	printf("# %llu writes acknowledged, %llu reads compared, %llu looks at the blob\n",
	       LLU(c->acked), LLU(c->reads), LLU(c->looks));
	printf("# calls: %llu served, %llu answers lost, %llu held, %llu dropped\n", LLU(c->served),
	       LLU(c->lost), LLU(c->held), LLU(c->dropped));
	printf("# held writes let go: %llu (%llu of them twice), of which %llu landed, %llu refused for the number, %llu for the lease\n",
	       LLU(c->released), LLU(c->twice), LLU(c->landed), LLU(c->stale), LLU(c->unleased));
	printf("# helpers: %llu died, %llu resumed; mounts: %llu, %llu by force, %llu failed; taken over from: %llu; fenced: %llu; leases ended by the service: %llu\n",
	       LLU(c->deaths), LLU(c->resumed), LLU(c->opened), LLU(c->forced), LLU(c->failed),
	       LLU(c->usurped), LLU(c->fenced), LLU(c->forgotten));
}

/* A run in which little happened proves little: so much a schedule at least. */
static void enough(const struct late_counts *c)
{
	struct {
		const char *what;
		uint64_t count;
		double least;
	} const most[] = {
		{ "writes acknowledged", c->acked, 10 },
		{ "reads compared", c->reads, 3 },
		{ "answers lost", c->lost, 3 },
		{ "calls held", c->held, 3 },
		{ "held writes that landed", c->landed, 0.2 },
		{ "held writes refused for their number", c->stale, 0.5 },
		{ "held writes refused for their lease", c->unleased, 0.1 },
		{ "held writes let go twice", c->twice, 0.3 },
		{ "helpers resumed", c->resumed, 0.1 },
		{ "take-overs from a machine at work", c->usurped, 0.1 },
	};

	for (size_t i = 0; i < sizeof(most) / sizeof(*most); i++)
		ok((double)most[i].count >= most[i].least * (double)c->schedules,
		   "%s: %llu, no fewer than %.1f a schedule", most[i].what, LLU(most[i].count),
		   most[i].least);
}

static int end(const struct late_counts *c)
{
	print_counts(c);
	printf("1..%u\n", tests);
	return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* --- runs --------------------------------------------------------------------------- */

/* Until the first violation; -1: nothing can be said. */
static int run_all(struct real *r, char *violation, size_t len, uint64_t *seed)
{
	static struct schedule schedule;

	for (*seed = opt.seed; *seed < opt.seed + opt.schedules; ++*seed) {
		const char *v;

		if (real_begin(r, *seed))
			return -1;
		v = schedule_run(&schedule, &r->world, *seed, opt.steps);
		if (r->world.broken[0])
			return -1;
		if (!v)
			continue;
		snprintf(violation, len, "%s", v);
		return 1;
	}
	return 0;
}

static int judge(struct real *r, const struct late_counts *c)
{
	char violation[256];
	uint64_t seed;
	int found = run_all(r, violation, sizeof(violation), &seed);

	if (found < 0) {
		printf("Bail out! seed %llu: %s\n", LLU(seed), r->world.broken);
		return EXIT_FAILURE;
	}
	if (found)
		printf("# seed %llu: %s\n", LLU(seed), violation);
	if (opt.broken) {
		ok(found, "the violation is found: in schedule %llu of at most %lu",
		   LLU(c->schedules), opt.schedules);
		return end(c);
	}
	ok(!found, "%llu schedules of %lu without a violation", LLU(c->schedules) - (unsigned)found,
	   opt.schedules);
	if (!found && opt.schedules >= 50)
		enough(c);
	return end(c);
}

static int parse(int argc, char **argv)
{
	static const struct option options[] = {
		{ "server", required_argument, NULL, 'u' },
		{ "control", required_argument, NULL, 'c' },
		{ "schedules", required_argument, NULL, 'n' },
		{ "seed", required_argument, NULL, 's' },
		{ "steps", required_argument, NULL, 't' },
		{ "broken", no_argument, NULL, 'b' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int o;

	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (o) {
		case 'u':
			opt.server = optarg;
			break;
		case 'c':
			opt.control = optarg;
			break;
		case 'n':
			opt.schedules = strtoul(optarg, NULL, 10);
			break;
		case 's':
			opt.seed = strtoul(optarg, NULL, 10);
			break;
		case 't':
			opt.steps = (unsigned int)strtoul(optarg, NULL, 10);
			break;
		case 'b':
			opt.broken = true;
			break;
		case 'v':
			opt.verbose = true;
			break;
		case 'h':
			fputs(usage, stdout);
			exit(EXIT_SUCCESS);
		default:
			return -1;
		}
	}
	return opt.server && optind == argc ? 0 : -1;
}

int main(int argc, char **argv)
{
	static struct late_counts counts;
	static struct real real;
	int status;

	if (parse(argc, argv)) {
		fputs(usage, stderr);
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (real_open(&real, opt.server, opt.control, &counts)) {
		printf("Bail out! %s\n", real.world.broken);
		return EXIT_FAILURE;
	}
	status = judge(&real, &counts);
	real_close(&real);
	return status;
}
