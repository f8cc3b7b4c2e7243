/* SPDX-License-Identifier: MIT */
/*
 * drive_fixture.h - a drive (helper/drive/open.c, drive.c) between a driver and a
 * service that the test plays
 *
 * The driver's side notes what it is told; the service answers by the results in t.
 */
#ifndef UNIT_DRIVE_FIXTURE_H
#define UNIT_DRIVE_FIXTURE_H

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "drive/drive.h"
#include "lib/notes.h"
#include "lib/runtime.h"

#include "fake_azure.h"
#include "fake_loop.h"

#define URL "http://127.0.0.1:1/account/container/disk"
#define DEVNAME "127.0.0.1:1/account/container/disk"
#define SAS "sp=rw&se=2027-01-15T08:30:00Z&sig=c2VjcmV0" /* in 800 s */
#define LATER "sp=rw&se=2027-01-15T09:00:00Z&sig=c2VjcmV0"
#define LEASE "01234567-89ab-cdef-0123-456789abcdef"
#define SIZE (64ull << 20)

enum told { NOTHING, ATTACH, ADOPT, DETACH, PARK, PARK_PATIENTLY, RESUME, GO_ON, FENCE, DEADLINE };

static struct {
	struct drive drive;
	const struct link_ops *ops; /* of the driver's side */
	void *arg;
	enum told told[16]; /* what the driver was told, in order */
	unsigned int n;
	uint64_t until; /* the last deadline */
	int64_t cache_size; /* as it was attached */
	char validator[128]; /* as it was attached, or told since */
	unsigned int drives; /* of the machine */
	unsigned int validators; /* how often it was told */
	int attach_answer, validator_answer, adopt_answer, remember_answer, get_answer;
	struct driver_memory memory; /* what the driver keeps */
	unsigned int remembered; /* how often it was told anew */
	char name[128]; /* of the drive that the driver has */
	int helper, agent; /* the channel's ends */
	bool closed;
	char dir[64];
	/* the service: what it answers to whom */
	struct az_result lease, renewal, props, raise; /* raise: if it has If-Match */
	unsigned int releases;
	uint64_t footer_takes;
	bool copy_begins; /* as the lease is taken */
	bool interrupted; /* the helper before had lost the lease for a while */
	int64_t acknowledged; /* when the last write was acknowledged */
	bool listing_hangs; /* the list of page ranges is not answered */
	int64_t ahead; /* its clock, of ours */
	const char *corrected; /* the SAS that the agent makes when it is told of that */
	struct az_result refused; /* until then, to what carries another SAS */
} t;

/* --- the driver --------------------------------------------------------------------- */

static void told(enum told what)
{
	assert_true(t.n < 16);
	t.told[t.n++] = what;
}

static void was_told(unsigned int n, ...)
{
	va_list ap;

	va_start(ap, n);
	assert_int_equal(t.n, n);
	for (unsigned int i = 0; i < n; i++)
		assert_int_equal(t.told[i], va_arg(ap, int));
	va_end(ap);
	t.n = 0;
}

int link_open(struct link **out, struct loop *loop, const struct link_ops *ops, void *arg)
{
	(void)loop;
	*out = (struct link *)&t;
	t.ops = ops;
	t.arg = arg;
	return 0;
}

void link_close(struct link *l)
{
	(void)l;
}

int link_attach(struct link *l, const char *name, uint64_t sectors, bool read_only, int park_limit,
		uint64_t until, const struct driver_memory *memory, const struct link_cache *cache)
{
	(void)l, (void)read_only, (void)park_limit;
	t.cache_size = cache->size;
	snprintf(t.validator, sizeof(t.validator), "%s", cache->validator ? cache->validator : "");
	t.memory = *memory;
	t.memory.told = true;
	assert_string_equal(name, DEVNAME);
	assert_int_equal(sectors, SIZE >> 9);
	told(ATTACH);
	t.until = until;
	return t.attach_answer;
}

int link_validator(struct link *l, const char *validator)
{
	(void)l;
	if (t.validator_answer)
		return t.validator_answer;
	snprintf(t.validator, sizeof(t.validator), "%s", validator);
	t.validators++;
	return 0;
}

int link_adopt(struct link *l, unsigned int index, uint64_t until)
{
	(void)l;
	assert_int_equal(index, 3);
	told(ADOPT);
	t.until = until;
	return t.adopt_answer;
}

int link_forget(struct link *l, unsigned int index)
{
	(void)l, (void)index;
	return 0;
}

int link_use_reserves(struct link *l)
{
	(void)l;
	return 0;
}

int link_remember(struct link *l, unsigned int index, const struct driver_memory *memory)
{
	(void)l;
	assert_int_equal(index, 3);
	if (t.remember_answer)
		return t.remember_answer;
	t.memory = *memory;
	t.memory.told = true;
	t.remembered++;
	return 0;
}

int driver_open(struct driver **out)
{
	*out = (struct driver *)&t;
	return 0;
}

void driver_close(struct driver *d)
{
	(void)d;
}

int driver_get(struct driver *d, unsigned int index, struct driver_drive *drive)
{
	(void)d;
	*drive = (struct driver_drive){ .index = index, .sectors = SIZE >> 9, .memory = t.memory };
	strcpy(drive->name, t.name);
	return t.get_answer;
}

int driver_list(struct driver *d, struct driver_drive drives[CDRIVE_MAX_DRIVES])
{
	(void)d, (void)drives;
	return (int)t.drives;
}

int link_detach(struct link *l, bool force)
{
	(void)l, (void)force;
	told(DETACH);
	return 0;
}

void link_park(struct link *l, bool credential)
{
	(void)l;
	if (t.drive.attached)
		told(credential ? PARK_PATIENTLY : PARK);
}

void link_resume(struct link *l, bool limit)
{
	(void)l;
	if (t.drive.attached)
		told(limit ? GO_ON : RESUME);
}

void link_fence(struct link *l)
{
	(void)l;
	told(FENCE);
}

void link_lease(struct link *l, uint64_t until)
{
	(void)l;
	if (!t.drive.attached)
		return;
	told(DEADLINE);
	t.until = until;
}

void link_complete(struct link *l, uint32_t tag, int status)
{
	(void)l, (void)tag, (void)status;
}

int link_payload_read(struct link *l, uint32_t tag, void *buf, size_t len, uint64_t pos)
{
	(void)l, (void)tag, (void)pos;
	memset(buf, 0, len);
	return 0;
}

int link_payload_write(struct link *l, uint32_t tag, const void *buf, size_t len, uint64_t pos)
{
	(void)l, (void)tag, (void)buf, (void)len, (void)pos;
	return 0;
}

int link_payload_zero(struct link *l, uint32_t tag, uint64_t len, uint64_t pos)
{
	(void)l, (void)tag, (void)len, (void)pos;
	return 0;
}

int control_open(struct drive *d)
{
	(void)d;
	return 0;
}

void control_close(struct drive *d)
{
	(void)d;
}

/* --- the service -------------------------------------------------------------------- */

static char client;

int az_client_new(struct az_client **out, struct loop *loop, const struct az_client_options *opt)
{
	(void)loop, (void)opt;
	*out = (struct az_client *)&client;
	return 0;
}

bool az_client_clock(const struct az_client *c, int64_t *ahead)
{
	(void)c;
	*ahead = t.ahead;
	return true;
}

void az_client_free(struct az_client *c)
{
	(void)c;
	while (fake_calls)
		az_call_cancel(fake_calls);
}

struct az_call *az_get_page_ranges(struct az_client *c, const struct az_blob *b, uint64_t offset,
				   uint64_t len,
				   void (*range)(void *arg, uint64_t offset, uint64_t len),
				   az_done_fn done, void *arg)
{
	struct az_call *call = fake_of(c, fake_start(FAKE_RANGES, b, done, arg));

	call->offset = offset;
	call->len = len;
	call->range = range;
	return call;
}

static bool answer_lease(struct az_call *call)
{
	if (call->action == AZ_LEASE_RENEW) {
		fake_answer(call, &t.renewal);
		return true;
	}
	t.releases += call->action == AZ_LEASE_RELEASE;
	if (call->action == AZ_LEASE_ACQUIRE && t.copy_begins)
		snprintf(t.props.props.copy_status, sizeof(t.props.props.copy_status), "pending");
	fake_answer(call, &t.lease);
	return true;
}

/* What the agent is told, and does about it: so many seconds, or 0. */
static int64_t agent_hears(void)
{
	int64_t ahead = 0;
	json_t *m;

	while (!runtime_receive(t.agent, &m, 0)) {
		ahead = json_integer_value(json_object_get(m, "clock_ahead"));
		json_decref(m);
	}
	if (ahead && t.corrected) {
		m = json_pack("{s:s}", "sas", t.corrected);
		assert_int_equal(runtime_send(t.agent, m), 0);
		json_decref(m);
		t.drive.channel.socket.fn(t.drive.channel.socket.arg, 0);
	}
	return ahead;
}

/* False: nothing to do before the clock goes on. */
static bool answer_one(struct az_call *call)
{
	char zero[512] = { 0 };

	if (t.refused.err.class && (!t.corrected || strcmp(t.drive.cred.sas, t.corrected) != 0)) {
		fake_answer(call, &t.refused);
		return true;
	}
	switch (call->kind) {
	case FAKE_LEASE:
		return answer_lease(call);
	case FAKE_PROPS:
		fake_answer(call, &t.props);
		return true;
	case FAKE_RAISE:
		/* Who comes next must know of it, however this ends. */
		if (t.drive.attached || t.drive.adopt >= 0)
			assert_int_equal(t.memory.raising_to, call->number);
		if (call->if_match[0] && t.raise.err.class)
			fake_answer(call, &t.raise);
		else
			fake_ok_number(call, call->number);
		return true;
	default:
		if (call->sink.write && t.footer_takes) {
			uint64_t ns = t.footer_takes;

			t.footer_takes = 0;
			fake_loop_run(ns);
			return true;
		}
		if (call->range)
			call->range(call->arg, 0, 4096);
		if (call->sink.write)
			call->sink.write(call->sink.arg, zero, call->len, 0);
		fake_ok(call);
		return true;
	}
}

static bool hangs(const struct az_call *call)
{
	return call->kind == FAKE_RANGES && t.listing_hangs;
}

/* The last call that is answered at all, as a renewal overtakes what it is sent during. */
static struct az_call *next_to_answer(void)
{
	struct az_call *last = NULL;

	for (struct az_call *call = fake_calls; call; call = call->next)
		if (!hangs(call))
			last = call;
	return last;
}

static void serve(void)
{
	struct az_call *call;

	while ((call = next_to_answer()))
		assert_true(answer_one(call));
}

int az_sync_wait(struct loop *loop, struct az_sync *s)
{
	(void)loop;
	while (!s->done) {
		if (t.corrected)
			agent_hears();
		if (s->done)
			break;
		if (!next_to_answer())
			assert_true(fake_loop_next());
		serve();
	}
	return 0;
}

/* --- the loop ------------------------------------------------------------------------- */

int loop_run_until(struct loop *loop, const bool *flag)
{
	(void)loop;
	if (!*flag)
		t.ops->ready(t.arg, 0);
	return *flag ? 0 : -ECANCELED;
}

/* Of every turn: what they look at is no drive's. */
void loop_hook_add(struct loop *loop, struct loop_hook *hook, loop_fn fn, void *arg)
{
	(void)loop;
	*hook = (struct loop_hook){ .fn = fn, .arg = arg };
}

void loop_stop(struct loop *loop)
{
	(void)loop;
}

/* --- the test --------------------------------------------------------------------------- */

static int setup(void **state)
{
	(void)state;
	memset(&t, 0, sizeof(t));
	fake_loop_reset(1);
	fake_azure_reset();
	snprintf(t.dir, sizeof(t.dir), "/tmp/drive.XXXXXX");
	assert_non_null(mkdtemp(t.dir));
	setenv("CLOUDDRIVE_RUNTIME_DIR", t.dir, 1);
	t.drive.loop = &fake_loop;
	t.attach_answer = 3;
	t.adopt_answer = 3;
	strcpy(t.name, DEVNAME);
	t.props.props = (struct az_props){ .type = AZ_BLOB_PAGE,
					   .size = SIZE,
					   .has_sequence_number = true,
					   .sequence_number = 7 };
	return 0;
}

static void close_drive(void)
{
	if (!t.closed)
		drive_close(&t.drive);
	t.closed = true;
}

static int teardown(void **state)
{
	(void)state;
	close_drive();
	close(t.helper);
	close(t.agent);
	runtime_remove(3);
	assert_int_equal(rmdir(t.dir), 0);
	fake_azure_reset();
	return 0;
}

static json_t *open_as(json_t *request)
{
	int pair[2];
	json_t *error;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	t.helper = pair[0];
	t.agent = pair[1];
	error = drive_configure(&t.drive, request, pair[0]);
	json_decref(request);
	assert_null(error);
	error = drive_open(&t.drive);
	if (!error)
		agent_channel_announced(&t.drive.channel);
	return error;
}

/* As after the request; @adopt: -1: a new drive. */
static json_t *open_drive(int adopt)
{
	return open_as(json_pack("{s:s, s:s, s:i}", "url", URL, "sas", SAS, "adopt", adopt));
}

static void mounted(void)
{
	assert_null(open_drive(-1));
	was_told(1, ATTACH);
}

/* What the helper that died has left. */
static void remember(void)
{
	t.memory = (struct driver_memory){ .told = true, .sequence_number = 7, .lease_id = LEASE };
	notes_write(&t.memory, URL, t.acknowledged, t.interrupted);
}

/* What the next helper needs is the driver's. */
static inline void keeps(uint64_t number)
{
	char *url = notes_url(&t.memory);

	assert_int_equal(t.memory.sequence_number, number);
	assert_int_equal(t.memory.raising_to, 0);
	assert_string_equal(t.memory.lease_id, t.drive.blob.lease_id);
	assert_int_equal(strlen(t.memory.lease_id), 36);
	assert_string_equal(url, URL);
	free(url);
}

static void is_error(json_t *response, int exit, const char *word)
{
	const char *message = "";
	int status = 0;

	json_unpack(response, "{s:{s:i, s:s}}", "error", "exit", &status, "message", &message);
	assert_int_equal(status, exit);
	assert_non_null(strstr(message, word));
	json_decref(response);
}

static void says_fenced(const char *word)
{
	json_t *response = drive_response(&t.drive);
	const char *why = json_string_value(json_object_get(response, "fenced"));

	assert_int_equal(json_integer_value(json_object_get(response, "index")), 3);
	assert_string_equal(json_string_value(json_object_get(response, "device")), "/dev/cdrive3");
	if (word)
		assert_non_null(strstr(why, word));
	else
		assert_null(why);
	json_decref(response);
}

static void state_is(enum cdrive_state state)
{
	t.ops->state(t.arg, state);
}

static void a_call_fails(struct retry *r, enum az_class class)
{
	drive_trouble(&t.drive, r, "write", &(struct az_error){ .class = class });
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

#endif
