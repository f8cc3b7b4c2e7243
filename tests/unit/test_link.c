// SPDX-License-Identifier: MIT
/* What the helper tells by the payload device, and what it makes of the answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/ioctl.h>

static int device(int fd, unsigned long request, ...);
#define ioctl device
#include "drive/link.c"
#undef ioctl

static struct {
	struct link link;
	/* the device's */
	uint32_t state;
	int err;
	struct cdrive_completion done[2 * CDRIVE_MAX_BATCH];
	unsigned int n_done, calls;
	uint64_t until;
	/* the drive's */
	bool telling;
	unsigned int told;
	enum cdrive_state last;
} t;

static int device(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	assert_int_equal(fd, 7);
	t.calls++;
	if (request == CDRIVE_PAYLOAD_COMPLETE) {
		struct cdrive_payload_complete *c = arg;

		assert_int_equal(c->index, 3);
		assert_in_range(c->count, 1, CDRIVE_MAX_BATCH);
		memcpy(t.done + t.n_done, (void *)(uintptr_t)c->completions,
		       c->count * sizeof(*t.done));
		t.n_done += c->count;
	} else {
		struct cdrive_payload_lease *l = arg;

		assert_int_equal(request, CDRIVE_PAYLOAD_LEASE);
		assert_int_equal(l->index, 3);
		assert_int_equal(l->pad, 0);
		t.until = l->until;
		l->state = t.state;
	}
	errno = t.err;
	return t.err ? -1 : 0;
}

static void hear(void *arg, enum cdrive_state state)
{
	(void)arg;
	assert_false(t.telling);
	t.told++;
	t.last = state;
}

static int set_up(void **state)
{
	static const struct link_ops ops = { .state = hear };
	struct link *l = &t.link;

	(void)state;
	memset(&t, 0, sizeof(t));
	l->ops = &ops;
	l->payload = 7;
	l->index = 3;
	l->attached = true;
	l->netlink.sock = nl_socket_alloc(); /* it leads nowhere */
	loop_timer_init(&l->notice, notice, l);
	return !l->netlink.sock || loop_new(&l->loop);
}

static int tear_down(void **state)
{
	(void)state;
	loop_timer_cancel(t.link.loop, &t.link.notice);
	loop_free(t.link.loop);
	nl_socket_free(t.link.netlink.sock);
	return 0;
}

static void set_flag(void *arg)
{
	*(bool *)arg = true;
}

/* All that is due. */
static void turn(void)
{
	struct loop_timer timer;
	bool done = false;

	loop_timer_init(&timer, set_flag, &done);
	loop_timer_arm(t.link.loop, &timer, LOOP_MS(1));
	loop_run_until(t.link.loop, &done);
}

static void tell_deadline(uint64_t until)
{
	t.telling = true;
	link_lease(&t.link, until);
	t.telling = false;
	assert_int_equal(t.until, until);
}

/* Whatever became of the notification. */
static void notices(void **state)
{
	(void)state;
	t.state = CDRIVE_STATE_FAILING;
	tell_deadline(100);
	turn();
	assert_int_equal(t.told, 1);
	assert_int_equal(t.last, CDRIVE_STATE_FAILING);
	t.state = CDRIVE_STATE_FENCED;
	tell_deadline(200);
	turn();
	assert_int_equal(t.told, 2);
	assert_int_equal(t.last, CDRIVE_STATE_FENCED);
}

/* These change without us, and notifications tell of them in their order. */
static void leaves_to_notifications(void **state)
{
	(void)state;
	for (t.state = CDRIVE_STATE_LIVE; t.state <= CDRIVE_STATE_PARKED; t.state++)
		tell_deadline(100 + t.state);
	turn();
	assert_int_equal(t.told, 0);
}

/* What has been dealt with since is not told. */
static void resumed(void **state)
{
	(void)state;
	t.state = CDRIVE_STATE_FAILING;
	tell_deadline(100);
	link_resume(&t.link, true);
	turn();
	assert_int_equal(t.told, 0);
	tell_deadline(200);
	link_resume(&t.link, false);
	turn();
	assert_int_equal(t.told, 1);
}

static void refused(void **state)
{
	(void)state;
	t.state = CDRIVE_STATE_FAILING;
	t.err = EPERM;
	tell_deadline(100);
	turn();
	assert_int_equal(t.told, 0);
}

/* The first deadline of a drive is told as it is attached. */
static void not_attached(void **state)
{
	(void)state;
	t.link.attached = false;
	link_lease(&t.link, 100);
	assert_int_equal(t.calls, 0);
	t.link.attached = true;
	t.state = CDRIVE_STATE_FAILING;
	tell_deadline(100);
	t.link.attached = false;
	turn();
	assert_int_equal(t.told, 0);
}

/* Those of a turn at once, in their order; a batch when there are as many. */
static void completes(void **state)
{
	(void)state;
	flush(&t.link);
	assert_int_equal(t.calls, 0);
	for (unsigned int i = 0; i <= CDRIVE_MAX_BATCH; i++)
		link_complete(&t.link, i, i % 2 ? -EIO : 0);
	assert_int_equal(t.n_done, CDRIVE_MAX_BATCH);
	flush(&t.link);
	assert_int_equal(t.n_done, CDRIVE_MAX_BATCH + 1);
	assert_int_equal(t.calls, 2);
	for (unsigned int i = 0; i <= CDRIVE_MAX_BATCH; i++) {
		assert_int_equal(t.done[i].tag, i);
		assert_int_equal(t.done[i].status, i % 2 ? -EIO : 0);
	}
}

/* What the driver doesn't take is not told again: the next batch is another. */
static void given_up(void **state)
{
	static const int errors[] = { ESTALE, EPERM, ENODEV };

	(void)state;
	for (unsigned int i = 0; i < 3; i++) {
		t.err = errors[i];
		link_complete(&t.link, i, 0);
		flush(&t.link);
	}
	t.err = 0;
	flush(&t.link);
	assert_int_equal(t.n_done, 3);
	assert_int_equal(t.calls, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(notices, set_up, tear_down),
		cmocka_unit_test_setup_teardown(leaves_to_notifications, set_up, tear_down),
		cmocka_unit_test_setup_teardown(resumed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(not_attached, set_up, tear_down),
		cmocka_unit_test_setup_teardown(completes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(given_up, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
