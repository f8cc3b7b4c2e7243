// SPDX-License-Identifier: MIT
/* The page-blob backend on a snapshot, which has no lease. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "store_fixture.h"

/* What nobody can change is read without lease and deadline; but for the SAS. */
static void of_a_snapshot(void **state)
{
	(void)state;
	lease_stop(&t.lease);
	t.lease.until = 0;
	t.blob.lease_id[0] = '\0';
	lease_not_needed(&t.lease);
	pagemap_set(t.store.map, 768 * KIB, 4 * KIB);
	lease_start(&t.lease);
	fake_loop_run(LOOP_SEC(LEASE_S + 1));
	assert_int_equal(fake_started, 0);
	request(3, CDRIVE_OP_READ, 64 * KIB, 128 * KIB);
	finished(3, 0);
	request(4, CDRIVE_OP_READ, 768 * KIB, 4 * KIB);
	lease_hurry(&t.lease);
	lease_doubt(&t.lease);
	fake_ok(only(FAKE_GET));
	finished(4, 0);
	lease_pause(&t.lease, true);
	request(5, CDRIVE_OP_READ, 768 * KIB, 4 * KIB);
	assert_int_equal(fake_in_flight, 0);
	lease_pause(&t.lease, false);
	fake_ok(only(FAKE_GET));
	finished(5, 0);
	assert_int_equal(t.lease.state, LEASE_UNNEEDED);
	assert_int_equal(t.lost, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(of_a_snapshot),
	};

	return cmocka_run_group_tests_name("store of a snapshot", tests, NULL, NULL);
}
