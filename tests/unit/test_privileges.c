// SPDX-License-Identifier: MIT
/* Privileges that can't be dropped: no sandbox is entered, and its caller is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <cap-ng.h>
#include <errno.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/sandbox.h"

static char dir[] = "/tmp/cdrive-privileges-XXXXXX";

/* Whether a child that may not make the system call @nr enters @which. */
static bool enters_without(int nr, enum sandbox which)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		scmp_filter_ctx f = seccomp_init(SCMP_ACT_ALLOW);

		if (!f || seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), nr, 0) || seccomp_load(f))
			_exit(98);
		_exit(sandbox_enter(which) ? 1 : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 2);
	return WEXITSTATUS(status) == 0;
}

static void kept_privileges(void **state)
{
	static const enum sandbox all[] = { SANDBOX_HELPER, SANDBOX_AGENT, SANDBOX_SPAWNER };

	(void)state;
	if (geteuid() || !capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP)) {
		print_message("# not tried: there are no privileges to drop\n");
		return;
	}
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		assert_false(enters_without(SCMP_SYS(capset), all[i]));
		assert_false(enters_without(SCMP_SYS(prctl), all[i]));
		assert_false(enters_without(SCMP_SYS(seccomp), all[i]));
		/* what none of it takes */
		assert_true(enters_without(SCMP_SYS(reboot), all[i]));
	}
}

/* Twice is not once too often: what is not there needn't be dropped. */
static void nothing_to_drop(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	assert_true(pid >= 0);
	if (!pid) {
		capng_clear(CAPNG_SELECT_ALL);
		if (!geteuid() && capng_apply(CAPNG_SELECT_ALL))
			_exit(2);
		_exit(!geteuid() && sandbox_enter(SANDBOX_AGENT) ? 1 : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static int group_setup(void **state)
{
	(void)state;
	if (!mkdtemp(dir) || capng_get_caps_process())
		return -1;
	return setenv("CLOUDDRIVE_RUNTIME_DIR", dir, 1);
}

static int group_teardown(void **state)
{
	(void)state;
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kept_privileges),
		cmocka_unit_test(nothing_to_drop),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
