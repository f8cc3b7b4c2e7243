// SPDX-License-Identifier: MIT
/*
 * Every allocation fails, one after the other: an operation is tried with its first
 * allocation failing, then with its second, until it has none that could.  It may fail,
 * but then all must be as before, and it must succeed when tried again.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fault.h"
#include "helper.h"
#include "lib/driver.h"
#include "lib/state.h"
#include "load.h"
#include "module.h"
#include "report.h"
#include "scenario.h"
#include "store.h"
#include "wire.h"

#define SIZE 65536 /* bytes of a read or write */
#define WHERE (3 << 20) /* beyond what load.h works on */

/* What operations work on. */
static struct {
	struct wire wire;
	unsigned int index; /* of the drive */
	struct driver *driver;
	struct store *store;
	struct helper helper;
	int disk;
	unsigned char *buf;
	pthread_t reader;
	uint64_t end;
	bool ready;
	int ready_err;
	struct cdrive_descriptor request; /* one that has come */
} it;

struct operation {
	const char *name;
	void (*before)(void);
	int (*run)(void);
	/* It failed, and all must be as it was. */
	void (*check)(int err);
	void (*after)(void);
};

static void expect(int err, const char *what)
{
	if (err)
		complain("%s: %s", what, strerror(-err));
}

static void expect_drives(int wanted, const char *what)
{
	struct driver_drive drives[CDRIVE_MAX_DRIVES];
	int n = driver_list(it.driver, drives);

	if (n != wanted)
		complain("%s: there are %d drives, not %d", what, n, wanted);
}

/* --- the module ----------------------------------------------------------------------- */

static void module_not_there(void)
{
	int err = module_unload_unused();

	if (err != -ENOENT)
		expect(err, "unloading");
}

static void check_module_not_there(int err)
{
	(void)err;
	if (!access("/sys/module/cdrive", F_OK) || !access("/dev/" CDRIVE_PAYLOAD_NAME, F_OK))
		complain("the module was not loaded, but is there");
}

static void module_there(void)
{
	int err = module_load();

	if (err != -EEXIST)
		expect(err, "loading");
}

/* --- commands ---------------------------------------------------------------------------- */

static void have_driver(void)
{
	module_there();
	if (!it.driver)
		expect(driver_open(&it.driver), "opening the driver");
}

/* Whether the answer can be received is not the driver's business. */
static void on_sent(void)
{
	fault_disarm();
}

static void have_socket(void)
{
	have_driver();
	expect(wire_open(&it.wire), "opening a socket");
	it.wire.sent = on_sent;
}

/* A disk that is gone may keep its name for seconds, in a kernel that puts off releases to
 * find who uses what is released. */
static int attach(void)
{
	static const struct wire_drive drive = { .sectors = STORE_SECTORS, .park_limit = 600 };
	int err;

	it.end = now_ns() + SECONDS(STUCK_SECONDS);
	while ((err = wire_attach(&it.wire, &drive)) == -ENOSPC && now_ns() < it.end)
		sleep_ms(100);
	it.index = it.wire.index;
	return err;
}

static void have_drive(void)
{
	have_socket();
	expect(attach(), "attaching");
}

static void have_payload(void)
{
	have_drive();
	expect(wire_open_payload(&it.wire), "opening the payload device");
}

static void no_drive(int err)
{
	(void)err;
	expect_drives(0, "after ATTACH failed");
}

static void drop_drive(void)
{
	expect_drives(1, "before DETACH");
	expect(wire_detach(&it.wire, true), "detaching");
	wire_close(&it.wire);
}

static void drop_socket(void)
{
	expect_drives(0, "after DETACH");
	wire_close(&it.wire);
}

static int detach(void)
{
	return wire_detach(&it.wire, true);
}

static int get(void)
{
	struct driver_drive d;

	return driver_get(it.driver, it.index, &d);
}

static int list(void)
{
	struct driver_drive drives[CDRIVE_MAX_DRIVES];
	int n = driver_list(it.driver, drives);

	if (!n)
		complain("no drive is listed");
	return n < 0 ? n : 0;
}

static int park(void)
{
	return wire_ask(&it.wire, CDRIVE_CMD_PARK);
}

static int resume(void)
{
	return wire_ask(&it.wire, CDRIVE_CMD_RESUME);
}

static int lease(void)
{
	return wire_lease(&it.wire, now_ns() + SECONDS(1000));
}

static int fence(void)
{
	return wire_ask(&it.wire, CDRIVE_CMD_FENCE);
}

static void drop_fenced(void)
{
	struct driver_drive d;

	expect(driver_get(it.driver, it.index, &d), "asking for the drive");
	if (d.state != CDRIVE_STATE_FENCED)
		complain("FENCE succeeded, but the drive is %s", state_name(d.state));
	drop_drive();
}

static void keep_request(void *arg, const struct cdrive_descriptor *d)
{
	(void)arg;
	if (!it.request.sectors)
		it.request = *d;
}

/* The first that looks for partitions. */
static void have_request(void)
{
	static const unsigned char zeroes[CDRIVE_MAX_TRANSFER];
	long len;

	have_socket();
	expect(wire_open_payload(&it.wire), "opening the payload device");
	it.wire.request = keep_request;
	it.request.sectors = 0;
	expect(attach(), "attaching");
	it.end = now_ns() + SECONDS(STUCK_SECONDS);
	while (!it.request.sectors && now_ns() < it.end)
		wire_receive(&it.wire, 10);
	len = (long)it.request.sectors * SECTOR;
	if (!len || wire_write(&it.wire, it.request.tag, zeroes, (size_t)len, 0) != len)
		complain("no request has come, or its data does not go in");
}

static int complete(void)
{
	struct cdrive_completion c = { .tag = it.request.tag };

	return wire_complete(&it.wire, &c, 1);
}

/* --- adoption ------------------------------------------------------------------------------ */

/* A request of it is in flight: the first that looks for partitions. */
static void orphan(void)
{
	struct driver_drive d;

	have_drive();
	it.end = now_ns() + SECONDS(STUCK_SECONDS);
	while (!driver_get(it.driver, it.index, &d) && !d.in_flight && now_ns() < it.end)
		sleep_ms(1);
	wire_close(&it.wire);
	expect(wire_open(&it.wire), "opening a socket");
}

static int adopt(void)
{
	return wire_adopt(&it.wire, it.index, 0);
}

static void still_orphan(int err)
{
	struct driver_drive d;

	(void)err;
	expect(driver_get(it.driver, it.index, &d), "asking for the drive");
	if (d.helper_pid || d.state != CDRIVE_STATE_PARKED || !d.in_flight)
		complain("ADOPT failed, but the drive is %s, with helper %d and %u in flight",
			 state_name(d.state), d.helper_pid, d.in_flight);
}

/* --- reading and writing --------------------------------------------------------------------- */

static void have_disk(void)
{
	struct wire_drive drive = { .sectors = STORE_SECTORS };
	struct helper_style style = { .seed = 1 };
	char path[32];

	int err;

	have_driver();
	if (it.helper.pid)
		return;
	store_reset(it.store, 0);
	helper_start(&it.helper, it.store, &style);
	it.end = now_ns() + SECONDS(STUCK_SECONDS);
	while ((err = helper_attach(&it.helper, &drive)) == -ENOSPC && now_ns() < it.end)
		sleep_ms(100);
	expect(err, "attaching");
	expect(helper_wait_ready(&it.helper), "making the disk");
	snprintf(path, sizeof(path), "/dev/cdrive%u", it.helper.index);
	it.disk = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
	if (it.disk < 0)
		complain("%s: %s", path, strerror(errno));
}

static int disk_write(void)
{
	memset(it.buf, 'w', SIZE);
	return pwrite(it.disk, it.buf, SIZE, WHERE) == SIZE ? 0 : -errno;
}

static int disk_read(void)
{
	memset(it.buf, 0, SIZE);
	if (pread(it.disk, it.buf, SIZE, WHERE) != SIZE)
		return -errno;
	for (unsigned int i = 0; i < SIZE; i++)
		if (it.buf[i] != 'w')
			return -EILSEQ;
	return 0;
}

static int look(void)
{
	char buf[64];
	int fd, err = 0;

	snprintf(buf, sizeof(buf), "/sys/block/cdrive%u/cdrive/state", it.helper.index);
	fd = open(buf, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (read(fd, buf, sizeof(buf)) <= 0)
		err = -errno;
	close(fd);
	return err;
}

static int open_payload(void)
{
	int fd = open("/dev/" CDRIVE_PAYLOAD_NAME, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static void drop_disk(void)
{
	close(it.disk);
	expect(helper_detach(&it.helper, true), "detaching");
	helper_kill(&it.helper);
}

/* libnl loses count of its messages when one can't be sent. */
static void new_driver(int err)
{
	(void)err;
	driver_close(it.driver);
	it.driver = NULL;
	expect(driver_open(&it.driver), "opening the driver");
}

/* --- all of them --------------------------------------------------------------------------------- */

static void nothing(void)
{
}

static void anything(int err)
{
	(void)err;
}

static const struct operation operations[] = {
	{ "ATTACH", have_socket, attach, no_drive, drop_drive },
	{ "ADOPT", orphan, adopt, still_orphan, drop_drive },
	{ "GET", have_drive, get, new_driver, drop_drive },
	{ "GET of all", have_drive, list, new_driver, drop_drive },
	{ "PARK", have_drive, park, anything, drop_drive },
	{ "RESUME", have_drive, resume, anything, drop_drive },
	{ "LEASE", have_payload, lease, anything, drop_drive },
	{ "FENCE", have_drive, fence, anything, drop_fenced },
	{ "COMPLETE", have_request, complete, anything, drop_drive },
	{ "DETACH", have_drive, detach, anything, drop_socket },
	{ "write", have_disk, disk_write, anything, nothing },
	{ "read", have_disk, disk_read, anything, nothing },
	{ "sysfs", have_disk, look, anything, nothing },
	{ "the payload device", have_disk, open_payload, anything, nothing },
};

static const struct operation load_operation = {
	"loading the module", module_not_there, module_load, check_module_not_there, nothing,
};

static void fail_each(const struct operation *o)
{
	unsigned int n, failed = 0;
	bool hit = true;

	for (n = 1; hit && !complaints(); n++) {
		int err;

		o->before();
		fault_arm(n);
		err = o->run();
		hit = fault_disarm();
		if (err && !hit)
			complain("%s: %s, without a fault", o->name, strerror(-err));
		if (err) {
			failed++;
			o->check(err);
			err = o->run();
			if (err)
				complain("%s: after allocation %u had failed: %s", o->name, n,
					 strerror(-err));
		}
		o->after();
	}
	note("%s: %u allocations, %u of them matter", o->name, n - 2, failed);
}

/* --- in the module's own threads ------------------------------------------------------------------- */

static void on_request(void *arg, const struct cdrive_descriptor *d)
{
	static const unsigned char zeroes[CDRIVE_MAX_TRANSFER];
	struct cdrive_completion c = { .tag = d->tag };

	(void)arg;
	if (d->op == CDRIVE_OP_READ)
		wire_write(&it.wire, d->tag, zeroes, (size_t)d->sectors * SECTOR, 0);
	wire_complete(&it.wire, &c, 1);
}

static void on_ready(void *arg, int err)
{
	(void)arg;
	it.ready = true;
	it.ready_err = err;
}

/* A drive until its disk is there: 0 or why it is not. */
static int make_disk(void)
{
	int err;

	it.ready = false;
	it.end = now_ns() + SECONDS(STUCK_SECONDS);
	err = attach();
	if (err)
		return err;
	while (!it.ready && now_ns() < it.end)
		wire_receive(&it.wire, 10);
	return it.ready ? it.ready_err : -ETIMEDOUT;
}

static void check_disk(int err)
{
	struct driver_drive drives[CDRIVE_MAX_DRIVES];
	int n = driver_list(it.driver, drives);
	char path[40];

	if (err == -ETIMEDOUT)
		complain("neither a disk, nor that there is none");
	if (n == 1)
		expect(wire_detach(&it.wire, true), "detaching");
	snprintf(path, sizeof(path), "/sys/block/cdrive%u", it.wire.index);
	if (!access(path, F_OK))
		complain("%s is still there", path);
}

/* Those on the way to the disk, by steps of @step bytes, or as fine as time allows. */
static void fail_disks(unsigned int seconds)
{
	const int far = 1 << 30;
	uint64_t start, end = now_ns() + SECONDS(seconds);
	unsigned int tried = 0, failed = 0;
	int bytes, total, step;

	have_socket();
	it.wire.request = on_request;
	it.wire.ready = on_ready;
	expect(wire_open_payload(&it.wire), "opening the payload device");
	start = now_ns();
	fault_arm_module(far);
	expect(make_disk(), "making a disk");
	fault_disarm_module(&bytes);
	check_disk(0);
	total = far - bytes;
	if (!total)
		complain("making a disk: none of its allocations is seen");
	step = (int)((uint64_t)total * (now_ns() - start) / (SECONDS(seconds) + 1));
	if (step < 8)
		step = 8;
	for (bytes = 0; bytes <= total && now_ns() < end && !complaints(); bytes += step) {
		int err;

		fault_arm_module(bytes);
		err = make_disk();
		if (err && !fault_disarm_module(NULL))
			complain("making a disk: %s, without a fault", strerror(-err));
		fault_disarm_module(NULL);
		failed += !!err;
		tried++;
		check_disk(err);
	}
	note("a disk: %d bytes of allocations, %u tried by steps of %d, %u of them matter", total,
	     tried, step, failed);
	expect(make_disk(), "making a disk, after all");
	check_disk(0);
	wire_close(&it.wire);
}

/* Requests, of which none may fail for it. */
static void fail_often(unsigned int seconds, uint64_t seed)
{
	uint64_t end = now_ns() + SECONDS(seconds);
	struct weather weather = { 0 };
	struct load *load;

	have_disk();
	load = load_start(it.helper.index, seed, seed, &weather);
	fault_arm_module_often(20);
	while (now_ns() < end && !complaints()) {
		sleep_ms(100);
		load_check_stuck(load);
	}
	fault_disarm_module(NULL);
	note("%lu requests while one in five allocations of the module failed", load_ended(load));
	load_stop(load);
}

void run_failing(uint64_t seed, unsigned int seconds)
{
	const char *lacks = fault_lacks();

	if (!lacks)
		lacks = fault_module_lacks();
	if (lacks) {
		skip_scenario("the kernel is without %s", lacks);
		return;
	}
	it.wire = (struct wire){ .fd = -1, .payload = -1 };
	it.store = store_new();
	if (posix_memalign((void **)&it.buf, 4096, SIZE))
		give_up("no memory");
	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]) && !complaints(); i++)
		fail_each(&operations[i]);
	if (complaints())
		give_up("and so on");
	if (it.helper.pid) {
		fail_often(seconds / 4 + 1, seed);
		drop_disk();
	}
	fail_disks(seconds / 2 + 1);
	driver_close(it.driver);
	it.driver = NULL;
	fail_each(&load_operation);
	module_there();
}
