// SPDX-License-Identifier: MIT
/* What is read of processes that may be out of date: whether they are, and whether they
 * know a signal that would end them otherwise. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>

#include "lib/process.h"

#define TEXT "7f3c5a000000-7f3c5a021000 r-xp 00001000 fe:00 1234                       "
#define DATA "7f3c5a000000-7f3c5a021000 rw-p 00001000 fe:00 1234                       "

static void what_was_replaced_is_out_of_date(void **state)
{
	(void)state;
	assert_true(process_maps_outdated(TEXT "/usr/sbin/clouddrived (deleted)\n"));
	assert_true(process_maps_outdated(TEXT "/usr/sbin/clouddrived\n" DATA "\n" TEXT
					       "/usr/lib/libcurl.so.4.8.0 (deleted)\n"));
	assert_true(process_maps_outdated(TEXT "/opt/with blank/clouddrived (deleted)\n"));
}

static void what_is_there_is_not(void **state)
{
	(void)state;
	assert_false(process_maps_outdated(""));
	assert_false(process_maps_outdated("\n"));
	assert_false(
		process_maps_outdated(TEXT "/usr/sbin/clouddrived\n" TEXT "[vdso]\n" DATA "\n"));
	assert_false(process_maps_outdated(TEXT "\n" TEXT));
	/* Neither code, nor from a disk. */
	assert_false(process_maps_outdated(DATA "/usr/share/locale/C (deleted)\n"));
	assert_false(process_maps_outdated(TEXT "/memfd:code (deleted)\n"));
	assert_false(process_maps_outdated(TEXT "/dev/zero (deleted)\n"));
	/* A line alone is none of these. */
	assert_false(process_maps_outdated(" (deleted)\n"));
}

static void a_signal_is_waited_for_when_it_is_blocked(void **state)
{
	static const char agent[] = "Name:\tcdrive-agent\nSigPnd:\t0000000000000000\n"
				    "SigBlk:\t0000000000004003\nSigIgn:\t0000000000001000\n";

	(void)state;
	assert_false(process_status_waits_for(agent, SIGUSR2));
	assert_true(process_status_waits_for(agent, SIGTERM));
	assert_true(process_status_waits_for("Name:\tx\nSigBlk:\t0000000000000800\n", SIGUSR2));
	assert_false(process_status_waits_for("Name:\tx\nSigCgt:\tffffffffffffffff\n", SIGUSR2));
	assert_false(process_status_waits_for("", SIGUSR2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_replaced_is_out_of_date),
		cmocka_unit_test(what_is_there_is_not),
		cmocka_unit_test(a_signal_is_waited_for_when_it_is_blocked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
