// SPDX-License-Identifier: MIT
/*
 * Drives that live and die: each of a few threads makes one, puts load on it, does to
 * it and to its helpers whatever can be done, in random order, and takes it away in one of
 * the ways that there are; meanwhile others look at everything that can be
 * looked at, and try to unload the module.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "helper.h"
#include "lib/driver.h"
#include "lib/state.h"
#include "load.h"
#include "report.h"
#include "scenario.h"
#include "store.h"
#include "watch.h"
#include "wire.h"

#define DRIVES 4
/* Longer than whatever is done to a drive that is to live on. */
#define LONG_LIMIT 600
#define FAR SECONDS(3600)

struct place {
	unsigned int number;
	struct chance chance;
	struct store *store;
	struct helper helper;
	struct helper_style style;
	unsigned int index; /* of the drive */
	unsigned int park_limit;
	struct weather weather;
	struct load *load;
	struct driver *driver; /* to command it by who is not its helper */
	bool has_lease;
	pthread_t thread;
};

static struct place places[DRIVES];
static atomic_bool stop;
static atomic_ulong lives, deeds;
static atomic_ullong serials;

static void expect(const struct place *p, int got, int wanted, const char *what)
{
	if (got != wanted)
		complain("cdrive%u: %s: %s, not %s", p->index, what, got ? strerror(-got) : "done",
			 wanted ? strerror(-wanted) : "done");
}

/* --- by who is not the helper --------------------------------------------------------- */

static bool get(struct place *p, struct driver_drive *d)
{
	int err = driver_get(p->driver, p->index, d);

	expect(p, err, 0, "GET");
	return !err;
}

static void expect_state(struct place *p, enum cdrive_state state, unsigned int reasons)
{
	uint64_t end = now_ns() + SECONDS(STUCK_SECONDS);
	struct driver_drive d;

	/* The reason LEASE follows the clock as soon as a work runs. */
	while (get(p, &d) && (d.state != state || d.park_reasons != reasons)) {
		if (now_ns() > end) {
			complain("cdrive%u: is %s for %#x, not %s for %#x", p->index,
				 state_name(d.state), d.park_reasons, state_name(state), reasons);
			return;
		}
		sleep_ms(1);
	}
}

/* For a while, in which requests come and end. */
static void let_flow(struct place *p)
{
	unsigned int ms = one_in(&p->chance, 4) ? chance(&p->chance, 200) : chance(&p->chance, 20);

	sleep_ms(ms);
	if (p->load)
		load_check_stuck(p->load);
}

/* What is asked of the drive from here on must wait. */
static void keep_still(struct place *p)
{
	atomic_fetch_add(&p->weather.still, 1);
	let_flow(p);
	atomic_fetch_add(&p->weather.still, 1);
}

/* --- what is done to a drive that lives on ----------------------------------------------- */

static void new_helper(struct place *p)
{
	p->style.seed = chance(&p->chance, UINT32_MAX);
	p->style.small_buffer = one_in(&p->chance, 8);
	switch (chance(&p->chance, 4)) {
	case 0:
		p->style.delay_us = 0;
		break;
	case 1:
		p->style.delay_us = 1000;
		break;
	case 2:
		p->style.delay_us = 20000;
		break;
	default:
		p->style.delay_us = 50000;
		break;
	}
	helper_start(&p->helper, p->store, &p->style);
}

static uint64_t some_deadline(struct place *p)
{
	return p->has_lease ? now_ns() + FAR : 0;
}

/* Someone else tries, and if it succeeds, leaves again. */
static void interfere(struct place *p)
{
	struct wire w = { 0 };
	int err = wire_open(&w);

	if (err) {
		complain("no socket: %s", strerror(-err));
		return;
	}
	err = wire_adopt(&w, p->index, some_deadline(p));
	if (err && err != -EBUSY && err != -ENOLINK)
		complain("cdrive%u: adopting: %s", p->index, strerror(-err));
	wire_close(&w);
}

static void adopt(struct place *p)
{
	uint64_t end = now_ns() + SECONDS(STUCK_SECONDS);
	int err;

	new_helper(p);
	if (one_in(&p->chance, 8))
		interfere(p);
	/* Busy for as long as a copy is under way. */
	while ((err = helper_adopt(&p->helper, p->index, some_deadline(p))) == -EBUSY &&
	       now_ns() < end)
		sleep_ms(1);
	expect(p, err, 0, "ADOPT");
}

static void deed_kill(struct place *p)
{
	struct driver_drive d;

	if (one_in(&p->chance, 2))
		helper_kill(&p->helper);
	else
		helper_hit(&p->helper);
	if (one_in(&p->chance, 2)) {
		helper_kill(&p->helper);
		if (get(p, &d) && (d.state != CDRIVE_STATE_PARKED || d.helper_pid ||
				   !(d.park_reasons & 1 << CDRIVE_PARK_HELPER)))
			complain("cdrive%u: without helper it is %s for %#x, helper %d", p->index,
				 state_name(d.state), d.park_reasons, d.helper_pid);
		keep_still(p);
	}
	helper_kill(&p->helper);
	adopt(p);
}

/* The old one's threads go on, and touch what is another's by then. */
static void deed_close(struct place *p)
{
	struct helper old = p->helper;

	expect(p, helper_close(&old), 0, "closing");
	if (one_in(&p->chance, 2))
		keep_still(p);
	adopt(p);
	let_flow(p);
	helper_kill(&old);
}

static void deed_park(struct place *p)
{
	expect(p, helper_ask(&p->helper, CDRIVE_CMD_PARK), 0, "PARK");
	keep_still(p);
	expect_state(p, CDRIVE_STATE_PARKED, 1 << CDRIVE_PARK_ASKED);
	expect(p, helper_ask(&p->helper, CDRIVE_CMD_RESUME), 0, "RESUME");
	expect_state(p, CDRIVE_STATE_LIVE, 0);
}

static void set_far_deadline(struct place *p)
{
	p->has_lease = true;
	expect(p, helper_lease(&p->helper, now_ns() + FAR), 0, "LEASE");
}

static void deed_lease_past(struct place *p)
{
	expect(p, helper_lease(&p->helper, now_ns() - chance(&p->chance, 1000)), 0, "LEASE");
	keep_still(p);
	expect_state(p, CDRIVE_STATE_PARKED, 1 << CDRIVE_PARK_LEASE);
	set_far_deadline(p);
	expect_state(p, CDRIVE_STATE_LIVE, 0);
}

static void deed_lease_passes(struct place *p)
{
	uint64_t until = now_ns() + MS(chance(&p->chance, 40));

	expect(p, helper_lease(&p->helper, until), 0, "LEASE");
	while (now_ns() <= until)
		sleep_ms(1);
	keep_still(p);
	if (one_in(&p->chance, 2))
		expect_state(p, CDRIVE_STATE_PARKED, 1 << CDRIVE_PARK_LEASE);
	set_far_deadline(p);
}

/* The helper dies past its deadline: what it had completed by then is not sent again. */
static void deed_lease_and_kill(struct place *p)
{
	expect(p, helper_lease(&p->helper, now_ns()), 0, "LEASE");
	keep_still(p);
	helper_kill(&p->helper);
	keep_still(p);
	p->has_lease = true;
	adopt(p);
	expect_state(p, CDRIVE_STATE_LIVE, 0);
}

/* All that a helper may say, as quickly as it can, and perhaps it dies of it. */
static void deed_storm(struct place *p)
{
	unsigned int n = chance(&p->chance, 40);
	bool killed = false;

	while (n--) {
		int err;

		switch (chance(&p->chance, 5)) {
		case 0:
			err = helper_ask(&p->helper, CDRIVE_CMD_PARK);
			break;
		case 1:
			err = helper_ask(&p->helper, CDRIVE_CMD_RESUME);
			break;
		case 2:
			err = helper_lease(&p->helper, now_ns());
			break;
		case 3:
			err = helper_lease(&p->helper, now_ns() + MS(chance(&p->chance, 3)));
			break;
		default:
			err = helper_lease(&p->helper, now_ns() + FAR);
			break;
		}
		if (err && !killed)
			complain("cdrive%u: in a storm: %s", p->index, strerror(-err));
		if (!killed && one_in(&p->chance, 60)) {
			helper_hit(&p->helper);
			killed = true;
		}
		if (killed && one_in(&p->chance, 2))
			break;
	}
	p->has_lease = true;
	if (killed) {
		helper_kill(&p->helper);
		adopt(p);
	} else {
		expect(p, helper_ask(&p->helper, CDRIVE_CMD_RESUME), 0, "RESUME");
		set_far_deadline(p);
	}
	expect_state(p, CDRIVE_STATE_LIVE, 0);
}

/* What is refused, and changes nothing. */
static void deed_refused(struct place *p)
{
	struct cdrive_completion c = { .tag = chance(&p->chance, 1u << 31) };
	struct wire w = { 0 };
	int err = wire_open(&w);

	if (err) {
		complain("no socket: %s", strerror(-err));
		return;
	}
	w.index = p->index;
	err = wire_open_payload(&w);
	if (err)
		complain("no payload device: %s", strerror(-err));
	expect(p, wire_adopt(&w, p->index, 0), -EBUSY, "ADOPT beside a helper");
	expect(p, wire_ask(&w, CDRIVE_CMD_PARK), -EPERM, "PARK by another");
	expect(p, wire_ask(&w, CDRIVE_CMD_RESUME), -EPERM, "RESUME by another");
	expect(p, wire_ask(&w, CDRIVE_CMD_FENCE), -EPERM, "FENCE by another");
	expect(p, wire_lease(&w, 0), -EPERM, "LEASE by another");
	expect(p, wire_complete(&w, &c, 1), -EPERM, "COMPLETE by another");
	if (p->load)
		expect(p, wire_detach(&w, false), -EBUSY, "DETACH while it is open");
	wire_close(&w);
}

static void (*const all_deeds[])(struct place *p) = {
	deed_kill,	   deed_kill,		deed_close, deed_park,	  deed_lease_past,
	deed_lease_passes, deed_lease_and_kill, deed_storm, deed_refused, let_flow,
};

/* --- how it ends ------------------------------------------------------------------------ */

static void expect_gone(struct place *p, bool force)
{
	uint64_t end = now_ns() + SECONDS(STUCK_SECONDS);
	int err;

	/* Others open it, too, for a moment. */
	do {
		if (p->helper.pid && one_in(&p->chance, 2))
			err = helper_detach(&p->helper, force);
		else
			err = driver_detach(p->driver, p->index, force);
		if (err == -EBUSY)
			sleep_ms(1);
	} while (err == -EBUSY && !force && now_ns() < end);
	expect(p, err, 0, force ? "DETACH by force" : "DETACH");
}

/* From here on all must fail, at once. */
static void expect_failing(struct place *p)
{
	unsigned long before = load_ended(p->load);
	uint64_t end = now_ns() + SECONDS(STUCK_SECONDS);

	atomic_store(&p->weather.must_fail, true);
	while (load_ended(p->load) < before + 50) {
		if (now_ns() > end) {
			complain("cdrive%u: requests don't fail, but wait", p->index);
			break;
		}
		sleep_ms(1);
	}
	load_stop(p->load);
	p->load = NULL;
}

static void end_politely(struct place *p)
{
	uint64_t end = now_ns() + SECONDS(STUCK_SECONDS);
	struct driver_drive d;

	load_stop(p->load);
	p->load = NULL;
	while (get(p, &d) && d.in_flight && now_ns() < end)
		sleep_ms(1);
	if (d.in_flight)
		complain("cdrive%u: %u in flight, and nobody there", p->index, d.in_flight);
	expect_gone(p, false);
}

static void end_by_force(struct place *p)
{
	atomic_store(&p->weather.may_fail, true);
	expect_gone(p, true);
	expect_failing(p);
}

static void end_by_fence(struct place *p)
{
	atomic_store(&p->weather.may_fail, true);
	expect(p, helper_ask(&p->helper, CDRIVE_CMD_FENCE), 0, "FENCE");
	expect_failing(p);
	expect(p, helper_lease(&p->helper, now_ns() + FAR), 0, "LEASE when fenced");
	expect_state(p, CDRIVE_STATE_FENCED, 0);
	expect_gone(p, false);
}

/* Parked for longer than the limit. */
static void end_by_waiting(struct place *p)
{
	enum cdrive_park_reason reason = CDRIVE_PARK_HELPER;

	atomic_store(&p->weather.may_fail, true);
	if (one_in(&p->chance, 2)) {
		helper_kill(&p->helper);
	} else if (one_in(&p->chance, 2)) {
		helper_ask(&p->helper, CDRIVE_CMD_PARK);
		reason = CDRIVE_PARK_ASKED;
	} else {
		helper_lease(&p->helper, now_ns());
		reason = CDRIVE_PARK_LEASE;
	}
	expect_state(p, CDRIVE_STATE_FAILING, 1 << reason | 1 << CDRIVE_PARK_LIMIT);
	expect_failing(p);
	expect_gone(p, false);
}

/* The helper dies, and the drive is taken away, at the same time. */
static void end_both(struct place *p)
{
	atomic_store(&p->weather.may_fail, true);
	helper_hit(&p->helper);
	expect(p, driver_detach(p->driver, p->index, true), 0, "DETACH by force");
	expect_failing(p);
}

/* --- a life ------------------------------------------------------------------------------ */

static bool attach(struct place *p)
{
	struct wire_drive drive = { .sectors = STORE_SECTORS };
	int err;

	p->has_lease = one_in(&p->chance, 2);
	p->park_limit = one_in(&p->chance, 6) ? 1 : LONG_LIMIT;
	p->style.fails = one_in(&p->chance, 4) ? 100 : 0;
	p->weather.still = 0;
	p->weather.may_fail = p->style.fails || p->park_limit < LONG_LIMIT;
	p->weather.must_fail = false;
	store_reset(p->store, p->number);
	new_helper(p);
	drive.park_limit = p->park_limit;
	drive.until = some_deadline(p);
	err = helper_attach(&p->helper, &drive);
	/* The module is just unloaded; or disks that are gone still have their names. */
	if (err == -ENOENT || err == -ENXIO || err == -ENODEV || err == -ENOSPC) {
		helper_kill(&p->helper);
		sleep_ms(1);
		return false;
	}
	p->index = p->helper.index;
	p->store->index = p->index;
	expect(p, err, 0, "ATTACH");
	if (err)
		helper_kill(&p->helper);
	return !err;
}

/* Gone before its disk is there, or has been looked at. */
static void live_shortly(struct place *p)
{
	if (one_in(&p->chance, 2))
		sleep_ms(chance(&p->chance, 20));
	if (one_in(&p->chance, 2))
		helper_hit(&p->helper);
	if (one_in(&p->chance, 4))
		helper_kill(&p->helper);
	expect(p, driver_detach(p->driver, p->index, true), 0, "DETACH at once");
	helper_kill(&p->helper);
}

static void live(struct place *p)
{
	unsigned int n = chance(&p->chance, 10);

	if (helper_wait_ready(&p->helper)) {
		complain("cdrive%u: the disk does not appear", p->index);
		expect_gone(p, true);
		helper_kill(&p->helper);
		return;
	}
	p->load = load_start(p->index, atomic_fetch_add(&serials, 1) + 1,
			     chance(&p->chance, UINT32_MAX), &p->weather);
	let_flow(p);
	if (p->park_limit < LONG_LIMIT) {
		end_by_waiting(p);
	} else {
		while (n-- && !atomic_load(&stop)) {
			all_deeds[chance(&p->chance, sizeof(all_deeds) / sizeof(all_deeds[0]))](p);
			atomic_fetch_add(&deeds, 1);
			let_flow(p);
		}
		switch (chance(&p->chance, 4)) {
		case 0:
			end_by_force(p);
			break;
		case 1:
			end_by_fence(p);
			break;
		case 2:
			end_both(p);
			break;
		default:
			end_politely(p);
			break;
		}
	}
	helper_kill(&p->helper);
}

static bool open_driver(struct place *p)
{
	/* The family's number is another when the module was loaded anew. */
	driver_close(p->driver);
	return !driver_open(&p->driver);
}

static void *run_place(void *arg)
{
	struct place *p = arg;

	while (!atomic_load(&stop)) {
		if (!attach(p))
			continue;
		while (!open_driver(p))
			sleep_ms(1);
		if (one_in(&p->chance, 5))
			live_shortly(p);
		else
			live(p);
		atomic_fetch_add(&lives, 1);
	}
	driver_close(p->driver);
	p->driver = NULL;
	return NULL;
}

void run_drives(uint64_t seed, unsigned int seconds)
{
	unsigned long requests = 0, replayed = 0, stale = 0;
	uint64_t end = now_ns() + SECONDS(seconds);

	for (unsigned int i = 0; i < DRIVES; i++) {
		struct place *p = &places[i];

		p->number = i;
		p->store = store_new();
		chance_seed(&p->chance, seed * DRIVES + i);
		if (pthread_create(&p->thread, NULL, run_place, p))
			give_up("no thread");
	}
	watch_start(seed);
	while (now_ns() < end && !complaints())
		sleep_ms(100);
	atomic_store(&stop, true);
	for (unsigned int i = 0; i < DRIVES; i++) {
		pthread_join(places[i].thread, NULL);
		requests += places[i].store->requests;
		replayed += places[i].store->replayed;
		stale += places[i].store->stale;
	}
	note("%lu drives, %lu deeds, %lu requests, %lu replayed, %lu completed twice", lives, deeds,
	     requests, replayed, stale);
	watch_stop();
}
