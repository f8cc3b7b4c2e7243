// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "devstore/http/peers.h"

#define S 1000000000ull
#define MAX 64

/* Descriptor numbers are none: what has passed is in here. */
static uint64_t in[2048], out[2048];

static uint64_t bytes(const struct ds_peer *peer, bool incoming)
{
	int n = peer->fd - 1000;

	return incoming ? in[n] : out[n];
}

static struct ds_peers p;

static int begin(void **state)
{
	(void)state;
	memset(in, 0, sizeof(in));
	memset(out, 0, sizeof(out));
	ds_peers_init(&p, MAX);
	p.bytes = bytes;
	return 0;
}

static int end(void **state)
{
	(void)state;
	while (p.first)
		ds_peer_remove(&p, p.first);
	assert_int_equal(p.count, 0);
	return 0;
}

static struct ds_peer *add(int n, uint64_t now)
{
	return ds_peer_add(&p, 1000 + n, now);
}

/* A byte every 20 seconds is no progress. */
static void dripping(void **state)
{
	struct ds_peer *slow = add(0, 0);

	(void)state;
	for (uint64_t t = 5; t <= 30; t += 5) {
		in[0] += !(t % 20);
		assert_int_equal(ds_peers_drop_late(&p, t * S), 0);
	}
	assert_int_equal(ds_peers_drop_late(&p, 35 * S), 1);
	assert_true(slow->dropped);
	assert_int_equal(ds_peers_drop_late(&p, 40 * S), 0); /* once */
}

/* 4 MiB at 3 Mbit/s, and at the least rate for ten minutes. */
static void slow_but_alive(void **state)
{
	struct ds_peer *upload = add(0, 0), *download = add(1, 0);

	(void)state;
	ds_peer_set(&p, download, DS_PEER_RESPONSE, 0);
	for (uint64_t t = 1; t <= 600; t++) {
		in[0] += t <= 12 ? 375000 : DS_PEER_RATE;
		out[1] += DS_PEER_RATE;
		assert_int_equal(ds_peers_drop_late(&p, t * S), 0);
	}
	assert_int_equal(upload->late, 0);
}

/* What was quick is no excuse for what stands still. */
static void stalled_at_the_end(void **state)
{
	(void)state;
	add(0, 0);
	in[0] = 4u << 20;
	assert_int_equal(ds_peers_drop_late(&p, 5 * S), 0);
	in[0]++;
	assert_int_equal(ds_peers_drop_late(&p, 34 * S), 0);
	assert_int_equal(ds_peers_drop_late(&p, 36 * S), 1);
}

/* Who waits for us may wait; a client that takes no response may not. */
static void phases(void **state)
{
	struct ds_peer *peer = add(0, 0);

	(void)state;
	ds_peer_set(&p, peer, DS_PEER_SERVED, 1 * S);
	assert_int_equal(ds_peers_drop_late(&p, 1000 * S), 0);
	ds_peer_set(&p, peer, DS_PEER_IDLE, 1000 * S);
	assert_int_equal(ds_peers_drop_late(&p, 1119 * S), 0);
	in[0] = 1; /* another request: its time begins */
	assert_int_equal(ds_peers_drop_late(&p, 1121 * S), 0);
	assert_int_equal(ds_peers_drop_late(&p, 1150 * S), 0);
	assert_int_equal(ds_peers_drop_late(&p, 1152 * S), 1);
	peer = add(1, 2000 * S);
	ds_peer_set(&p, peer, DS_PEER_IDLE, 2000 * S);
	assert_int_equal(ds_peers_drop_late(&p, 2121 * S), 1);
	peer = add(2, 3000 * S);
	ds_peer_set(&p, peer, DS_PEER_RESPONSE, 3000 * S);
	in[2] = 1u << 20;
	assert_int_equal(ds_peers_drop_late(&p, 3031 * S), 1);
}

/* Without room the latest go first, and who is served not at all. */
static void latest_first(void **state)
{
	struct ds_peer *peer[40];

	(void)state;
	for (int i = 0; i < 40; i++)
		peer[i] = add(i, (uint64_t)i * S);
	ds_peer_set(&p, peer[0], DS_PEER_SERVED, 0);
	in[1] = 1u << 20;
	assert_int_equal(ds_peers_drop_latest(&p, 40 * S), 16);
	assert_false(peer[0]->dropped);
	assert_false(peer[1]->dropped);
	for (int i = 2; i < 40; i++)
		assert_int_equal(peer[i]->dropped, i < 18);
	assert_int_equal(ds_peers_drop_latest(&p, 40 * S), 16);
	assert_int_equal(ds_peers_drop_latest(&p, 40 * S), 6); /* 34 to 39 */
	assert_int_equal(ds_peers_drop_latest(&p, 40 * S), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(dripping, begin, end),
		cmocka_unit_test_setup_teardown(slow_but_alive, begin, end),
		cmocka_unit_test_setup_teardown(stalled_at_the_end, begin, end),
		cmocka_unit_test_setup_teardown(phases, begin, end),
		cmocka_unit_test_setup_teardown(latest_first, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
