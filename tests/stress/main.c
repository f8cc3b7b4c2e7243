// SPDX-License-Identifier: MIT
/*
 * stress - plays with cdrive.ko as roughly as user space can
 *
 * usage: stress SCENARIO SEED SECONDS
 *
 * The module is loaded ($CDRIVE_KO), and is gone when it ends.  Choices follow from
 * the seed; how they meet is up to the machine.  Prints "# ..." lines; exits with status 1
 * when something was wrong, 77 when the kernel lacks what the scenario needs.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "module.h"
#include "report.h"
#include "scenario.h"

static const struct {
	const char *name;
	void (*run)(uint64_t seed, unsigned int seconds);
} scenarios[] = {
	{ "drives", run_drives },
	{ "failing", run_failing },
	{ "ports", run_ports },
	{ "unload", run_unload },
};

int main(int argc, char **argv)
{
	int err;

	if (argc != 4) {
		fprintf(stderr, "usage: stress SCENARIO SEED SECONDS\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	report_init();
	for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
		if (strcmp(scenarios[i].name, argv[1]))
			continue;
		err = module_load();
		if (err && err != -EEXIST)
			give_up("the module can't be loaded: %s", strerror(-err));
		scenarios[i].run(strtoull(argv[2], NULL, 10), (unsigned int)atoi(argv[3]));
		err = module_unload_unused();
		if (err)
			complain("the module can't be unloaded: %s", strerror(-err));
		return complaints() ? 1 : skipped() ? 77 : 0;
	}
	fprintf(stderr, "stress: no scenario %s\n", argv[1]);
	return 2;
}
