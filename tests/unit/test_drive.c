// SPDX-License-Identifier: MIT
/*
 * A drive from end to end (helper/drive/open.c, drive.c) between a driver and a
 * service that the test plays: what is told to the driver, and when; and what becomes
 * of a drive that is adopted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "drive/drive.h"
#include "lib/runtime.h"

#include "fake_azure.h"
#include "fake_loop.h"

#define URL "http://127.0.0.1:1/account/container/disk"
#define SAS "sp=rw&se=2027-01-15T08:30:00Z&sig=c2VjcmV0" /* in 800 s */
#define LATER "sp=rw&se=2027-01-15T09:00:00Z&sig=c2VjcmV0"
#define LEASE "01234567-89ab-cdef-0123-456789abcdef"
#define SIZE (64ull << 20)

enum told { NOTHING, ATTACH, ADOPT, DETACH, PARK, RESUME, FENCE, DEADLINE };

static struct {
	struct drive drive;
	const struct link_ops *ops; /* of the driver's side */
	void *arg;
	enum told told[16]; /* what the driver was told, in order */
	unsigned int n;
	uint64_t until; /* the last deadline */
	int adopt_answer;
	int helper, agent; /* the channel's ends */
	bool closed;
	char dir[64];
	/* the service: what it answers to whom */
	struct az_result lease, renewal, props;
	unsigned int releases;
	uint64_t listing_takes;
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

int link_attach(struct link *l, uint64_t sectors, bool read_only, unsigned int park_limit,
		uint64_t until)
{
	(void)l, (void)read_only, (void)park_limit;
	assert_int_equal(sectors, SIZE >> 9);
	told(ATTACH);
	t.until = until;
	return 3;
}

int link_adopt(struct link *l, unsigned int index, uint64_t until)
{
	(void)l;
	assert_int_equal(index, 3);
	told(ADOPT);
	t.until = until;
	return t.adopt_answer;
}

int link_detach(struct link *l, bool force)
{
	(void)l, (void)force;
	told(DETACH);
	return 0;
}

void link_park(struct link *l)
{
	(void)l;
	if (t.drive.attached)
		told(PARK);
}

void link_resume(struct link *l)
{
	(void)l;
	if (t.drive.attached)
		told(RESUME);
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

void az_client_free(struct az_client *c)
{
	(void)c;
	while (fake_calls)
		az_call_cancel(fake_calls);
}

/* The list of page ranges: told apart by its length. */
struct az_call *az_get_page_ranges(struct az_client *c, const struct az_blob *b,
				   void (*range)(void *arg, uint64_t offset, uint64_t len),
				   az_done_fn done, void *arg)
{
	struct az_call *call = fake_start(FAKE_GET, b, done, arg);

	(void)c;
	range(arg, 0, 4096);
	call->len = UINT64_MAX;
	return call;
}

static bool answer_lease(struct az_call *call)
{
	if (call->action == AZ_LEASE_RENEW) {
		fake_answer(call, &t.renewal);
		return true;
	}
	t.releases += call->action == AZ_LEASE_RELEASE;
	fake_answer(call, &t.lease);
	return true;
}

/* False: nothing to do before the clock goes on. */
static bool answer_one(struct az_call *call)
{
	char zero[512] = { 0 };

	switch (call->kind) {
	case FAKE_LEASE:
		return answer_lease(call);
	case FAKE_PROPS:
		fake_answer(call, &t.props);
		return true;
	case FAKE_RAISE:
		fake_ok_number(call, call->number);
		return true;
	default:
		if (call->len == UINT64_MAX && t.listing_takes) {
			uint64_t ns = t.listing_takes;

			t.listing_takes = 0;
			fake_loop_run(ns);
			return true;
		}
		if (call->sink.write)
			call->sink.write(call->sink.arg, zero, call->len, 0);
		fake_ok(call);
		return true;
	}
}

/* The last call first: a renewal overtakes the list that it is sent during. */
static void serve(void)
{
	while (fake_calls) {
		struct az_call *call = fake_calls;

		while (call->next)
			call = call->next;
		assert_true(answer_one(call));
	}
}

int az_sync_wait(struct loop *loop, struct az_sync *s)
{
	(void)loop;
	while (!s->done) {
		if (!fake_calls)
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
	t.adopt_answer = 3;
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

/* As after the request; @adopt: -1: a new drive. */
static json_t *open_drive(int adopt)
{
	json_t *request = json_pack("{s:s, s:s, s:i}", "url", URL, "sas", SAS, "adopt", adopt);
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
		agent_announced(&t.drive.agent);
	return error;
}

static void mounted(void)
{
	assert_null(open_drive(-1));
	was_told(1, ATTACH);
}

/* What the helper that died has left. */
static void remember(void)
{
	json_t *record = json_pack("{s:s, s:s, s:i, s:i, s:I}", "url", URL, "lease_id", LEASE,
				   "sequence_number", 7, "raising_to", 0, "size", (json_int_t)SIZE);

	assert_int_equal(runtime_save(3, record), 0);
	json_decref(record);
}

static void is_error(json_t *answer, int exit, const char *word)
{
	const char *message = "";
	int status = 0;

	json_unpack(answer, "{s:{s:i, s:s}}", "error", "exit", &status, "message", &message);
	assert_int_equal(status, exit);
	assert_non_null(strstr(message, word));
	json_decref(answer);
}

static void says_fenced(const char *word)
{
	json_t *answer = drive_answer(&t.drive);
	const char *why = json_string_value(json_object_get(answer, "fenced"));

	assert_int_equal(json_integer_value(json_object_get(answer, "index")), 3);
	assert_string_equal(json_string_value(json_object_get(answer, "device")), "/dev/cdrive3");
	if (word)
		assert_non_null(strstr(why, word));
	else
		assert_null(why);
	json_decref(answer);
}

static void state_is(enum cdrive_state state)
{
	t.ops->state(t.arg, state);
}

static void a_call_fails(struct retry *r, enum az_class class)
{
	drive_trouble(&t.drive, r, "write", &(struct az_error){ .class = class });
}

/* --- beginning ---------------------------------------------------------------------------- */

static void mounts(void **state)
{
	(void)state;
	mounted();
	assert_int_equal(t.until, owner_clock() + OWNER_CERTAIN_NS);
	says_fenced(NULL);
	/* Every renewal is told. */
	fake_loop_run(LOOP_SEC(21));
	serve();
	was_told(1, DEADLINE);
	assert_int_equal(t.until, t.drive.owner.lease_until);
	assert_true(t.until > owner_clock() + LOOP_SEC(58));
}

/* A list of page ranges may take longer than a lease. */
static void renews_while_it_opens(void **state)
{
	(void)state;
	t.listing_takes = LOOP_SEC(25);
	mounted();
	assert_true(t.until > owner_clock() + LOOP_SEC(50));
}

/* And meanwhile somebody may take it by force. */
static void lost_while_it_opens(void **state)
{
	(void)state;
	t.listing_takes = LOOP_SEC(25);
	t.renewal = fake_error(AZ_CONFLICT, 409, "LeaseIdMismatchWithLeaseOperation");
	is_error(open_drive(-1), 5, "took or broke");
	was_told(0);
	close_drive();
	was_told(0);
	assert_int_equal(t.releases, 0);
}

static void leased_elsewhere(void **state)
{
	(void)state;
	t.lease = fake_error(AZ_CONFLICT, 409, "LeaseAlreadyPresent");
	is_error(open_drive(-1), 5,
		 "disk: leased by another client (409 LeaseAlreadyPresent); use");
	close_drive();
	was_told(0);
	assert_int_equal(t.releases, 0);
}

/* --- adopting -------------------------------------------------------------------------------- */

static void adopts(void **state)
{
	(void)state;
	remember();
	assert_null(open_drive(3));
	was_told(1, ADOPT);
	assert_int_equal(t.until, t.drive.owner.lease_until);
	assert_int_equal(owner_sequence(&t.drive.owner), 8);
	says_fenced(NULL);
}

/* Whoever looks must find a device that fails, not one that waits. */
static void adopts_what_is_lost(void **state)
{
	static const struct {
		enum az_class class;
		long http;
		const char *code, *why;
	} cases[] = {
		{ AZ_CONFLICT, 409, "LeaseIdMismatchWithLeaseOperation", "took or broke" },
		{ AZ_CONFLICT, 409, "LeaseIsBrokenAndCannotBeRenewed", "took or broke" },
		{ AZ_NOT_FOUND, 404, "BlobNotFound", "deleted" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		setup(state);
		remember();
		t.renewal = fake_error(cases[i].class, cases[i].http, cases[i].code);
		assert_null(open_drive(3));
		was_told(2, ADOPT, FENCE);
		assert_int_equal(t.until, 0);
		says_fenced(cases[i].why);
		/* What was in flight comes first, and is for nobody. */
		t.ops->request(t.arg, &(struct cdrive_descriptor){ .sectors = 8 });
		state_is(CDRIVE_STATE_FENCED);
		fake_loop_run(LOOP_SEC(100));
		assert_int_equal(fake_in_flight, 0);
		assert_int_equal(t.drive.queue.in_flight, 0);
		was_told(0);
		assert_int_equal(t.drive.state, CDRIVE_STATE_FENCED);
		teardown(state);
		assert_int_equal(t.releases, 0);
	}
}

/* The service forgot the lease, and the number is another's. */
static void adopts_anothers(void **state)
{
	(void)state;
	remember();
	t.renewal = fake_error(AZ_CONFLICT, 409, "LeaseNotPresentWithLeaseOperation");
	t.props.props.sequence_number = 8;
	assert_null(open_drive(3));
	was_told(2, ADOPT, FENCE);
	says_fenced("another machine");
}

/* What may heal is for the agent to try again: nothing has changed. */
static void adopts_later(void **state)
{
	json_t *record;

	(void)state;
	remember();
	t.renewal = fake_error(AZ_UNREACHABLE, 0, "");
	is_error(open_drive(3), 7, "can't resume the lease");
	close_drive();
	was_told(0);
	assert_int_equal(t.releases, 0);
	record = runtime_load(3);
	assert_string_equal(json_string_value(json_object_get(record, "lease_id")), LEASE);
	json_decref(record);
}

static void is_fenced_already(void **state)
{
	(void)state;
	remember();
	t.adopt_answer = -ENOLINK;
	is_error(open_drive(3), 1, "fenced");
}

static void knows_nothing(void **state)
{
	(void)state;
	is_error(open_drive(3), 1, "record");
	assert_int_equal(fake_started, 0);
}

/* --- parking ----------------------------------------------------------------------------------- */

/* The driver is told of our reasons, once each way, whatever state it tells. */
static void parks_for_trouble(void **state)
{
	struct retry first = { .stuck = true }, second = { .stuck = true };

	(void)state;
	mounted();
	a_call_fails(&first, AZ_NO_ANSWER);
	a_call_fails(&first, AZ_NO_ANSWER);
	a_call_fails(&second, AZ_NO_ANSWER);
	was_told(1, PARK);
	drive_trouble(&t.drive, &first, "", NULL);
	was_told(0);
	/* Over before the state has come. */
	drive_trouble(&t.drive, &second, "", NULL);
	was_told(1, RESUME);
	state_is(CDRIVE_STATE_PARKED);
	state_is(CDRIVE_STATE_LIVE);
	was_told(0);
	assert_int_equal(t.drive.state, CDRIVE_STATE_LIVE);
}

static void says_why(void **state)
{
	struct retry r = { .stuck = true };

	(void)state;
	mounted();
	assert_null(drive_parked_because(&t.drive));
	a_call_fails(&r, AZ_NO_ANSWER);
	state_is(CDRIVE_STATE_PARKED);
	assert_non_null(strstr(drive_parked_because(&t.drive), "can't write: no answer"));
	drive_trouble(&t.drive, &r, "", NULL);
	state_is(CDRIVE_STATE_LIVE);
	assert_null(drive_parked_because(&t.drive));
}

/* Parked by the deadline: to ask for the opposite would be no use, to renew is. */
static void parks_for_the_deadline(void **state)
{
	(void)state;
	mounted();
	fake_suspended += LOOP_SEC(3600);
	state_is(CDRIVE_STATE_PARKED);
	was_told(0);
	assert_non_null(strstr(drive_parked_because(&t.drive), "lease"));
	assert_int_equal(fake_in_flight, 1);
	serve();
	was_told(1, DEADLINE);
	assert_true(t.until > owner_clock());
	state_is(CDRIVE_STATE_LIVE);
	was_told(0);
}

static void lost(void **state)
{
	(void)state;
	mounted();
	t.renewal = fake_error(AZ_CONFLICT, 409, "LeaseIsBrokenAndCannotBeRenewed");
	fake_loop_run(LOOP_SEC(21));
	serve();
	was_told(1, FENCE);
	assert_int_equal(t.drive.state, CDRIVE_STATE_FENCED);
	assert_non_null(strstr(t.drive.last_error, "took or broke"));
	state_is(CDRIVE_STATE_LIVE); /* an old one, still on its way */
	assert_int_equal(t.drive.state, CDRIVE_STATE_FENCED);
}

/* --- the SAS ------------------------------------------------------------------------------------- */

static void new_sas(const char *sas)
{
	json_t *m = json_pack("{s:s}", "sas", sas);

	assert_int_equal(runtime_send(t.agent, m), 0);
	json_decref(m);
	t.drive.agent.channel.fn(t.drive.agent.channel.arg, 0);
}

static void parks_without_a_sas(void **state)
{
	struct retry r = { 0 };

	(void)state;
	mounted();
	for (int i = 0; i < 39; i++) { /* 780 s */
		fake_loop_run(LOOP_SEC(20) + 2);
		serve();
		was_told(1, DEADLINE);
	}
	fake_loop_run(LOOP_SEC(21));
	assert_int_equal(t.told[t.n - 1], PARK);
	state_is(CDRIVE_STATE_PARKED);
	t.n = 0;
	while (fake_calls) /* sent in time, and too late */
		fake_fail(fake_calls, AZ_DENIED, 403, "AuthenticationFailed");
	a_call_fails(&r, AZ_DENIED);
	assert_non_null(strstr(drive_parked_because(&t.drive), "the SAS expired at 2027-01-15T"));
	fake_loop_run(LOOP_SEC(600));
	assert_int_equal(fake_in_flight, 0);
	assert_int_equal(t.n, 0);

	new_sas(LATER);
	assert_string_equal(t.drive.cred.sas, LATER);
	assert_int_equal(fake_calls->kind, FAKE_LEASE);
	serve();
	was_told(2, RESUME, DEADLINE);
	assert_true(t.until > owner_clock());
}

/* Refused before its time (a policy was changed, the key regenerated). */
static void a_new_sas_is_tried_at_once(void **state)
{
	(void)state;
	mounted();
	t.renewal = fake_error(AZ_DENIED, 403, "AuthenticationFailed");
	fake_loop_run(LOOP_SEC(21));
	serve();
	assert_int_equal(fake_in_flight, 0);
	t.renewal = (struct az_result){ 0 };
	t.n = 0;
	new_sas(LATER);
	serve();
	was_told(1, DEADLINE);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(mounts),
		TEST(renews_while_it_opens),
		TEST(lost_while_it_opens),
		TEST(leased_elsewhere),
		TEST(adopts),
		cmocka_unit_test(adopts_what_is_lost),
		TEST(adopts_anothers),
		TEST(adopts_later),
		TEST(is_fenced_already),
		TEST(knows_nothing),
		TEST(parks_for_trouble),
		TEST(says_why),
		TEST(parks_for_the_deadline),
		TEST(lost),
		TEST(parks_without_a_sas),
		TEST(a_new_sas_is_tried_at_once),
	};

	return cmocka_run_group_tests_name("drive", tests, NULL, NULL);
}
