// SPDX-License-Identifier: MIT
/* Errors: exit statuses as in clouddrivectl(8), texts, advice, and what may be repeated. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "azure/error.h"

static struct az_error error(enum az_class class, long http, const char *code, const char *message)
{
	struct az_error e = { .class = class, .http = http, .sent = http != 0 };

	snprintf(e.code, sizeof(e.code), "%s", code);
	snprintf(e.message, sizeof(e.message), "%s", message);
	return e;
}

static void table(void **state)
{
	static const struct {
		enum az_class class;
		long http;
		const char *code;
		enum exit_status status;
		bool transient, maybe;
		const char *advice;
	} rows[] = {
		{ AZ_OK, 201, "", 0, false, false, "" },
		{ AZ_NOT_FOUND, 404, "BlobNotFound", 3, false, false, "clouddrivectl create" },
		{ AZ_NOT_FOUND, 404, "ContainerNotFound", 3, false, false, "create the container" },
		{ AZ_NOT_FOUND, 404, "", 3, false, false, "check" },
		{ AZ_DENIED, 403, "AuthenticationFailed", 4, false, false, "key" },
		{ AZ_DENIED, 403, "AuthorizationPermissionMismatch", 4, false, false, "(sp=rw)" },
		{ AZ_DENIED, 403, "RequestTimeTooSkewed", 4, false, false, "clock" },
		{ AZ_DENIED, 401, "", 4, false, false, "key" },
		{ AZ_CONFLICT, 409, "LeaseAlreadyPresent", 5, false, false, "--force" },
		{ AZ_PRECONDITION, 412, "LeaseIdMissing", 5, false, false, "unmount it there" },
		{ AZ_CONFLICT, 409, "LeaseIsBrokenAndCannotBeRenewed", 5, false, false,
		  "mount the drive again" },
		{ AZ_PRECONDITION, 412, "LeaseLost", 5, false, false, "mount the drive again" },
		{ AZ_PRECONDITION, 412, "LeaseIdMismatchWithBlobOperation", 5, false, false,
		  "--force" },
		{ AZ_PRECONDITION, 412, "SequenceNumberConditionNotMet", 1, false, false, "mount" },
		{ AZ_CONFLICT, 409, "InvalidBlobType", 8, false, false, "page blob" },
		{ AZ_CONFLICT, 409, "BlobAlreadyExists", 1, false, false, "another name" },
		{ AZ_CONFLICT, 409, "SnapshotsPresent", 1, false, false, "--snapshots" },
		{ AZ_CONFLICT, 409, "ContainerBeingDeleted", 1, true, false, "wait" },
		{ AZ_CONFLICT, 409, "PendingCopyOperation", 1, true, false, "wait" },
		{ AZ_UNTRUSTED, 0, "", 7, false, false, "SSL_CERT_FILE" },
		{ AZ_UNREACHABLE, 0, "", 7, true, false, "network" },
		{ AZ_BUSY, 503, "ServerBusy", 7, true, true, "later" },
		{ AZ_NO_RESPONSE, 200, "", 7, true, true, "network" },
		{ AZ_CORRUPT, 200, "", 1, true, true, "check" },
		{ AZ_REFUSED, 400, "InvalidInput", 1, false, false, "" },
		{ AZ_LOCAL, 0, "", 1, false, false, "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct az_error e = error(rows[i].class, rows[i].http, rows[i].code, "");

		if (az_error_exit(&e) != rows[i].status ||
		    az_error_transient(&e) != rows[i].transient ||
		    az_error_maybe_applied(&e) != rows[i].maybe ||
		    !strstr(az_error_advice(&e), rows[i].advice))
			fail_msg("row %zu: %d %d %d %s", i, az_error_exit(&e),
				 az_error_transient(&e), az_error_maybe_applied(&e),
				 az_error_advice(&e));
	}
}

static void errors_of_the_lease(void **state)
{
	struct az_error e = error(AZ_CONFLICT, 409, "LeaseAlreadyPresent", "");

	(void)state;
	assert_true(az_error_is_lease(&e));
	e = error(AZ_PRECONDITION, 412, "LeaseIdMissing", "");
	assert_true(az_error_is_lease(&e));
	e = error(AZ_PRECONDITION, 412, "SequenceNumberConditionNotMet", "");
	assert_false(az_error_is_lease(&e));
	/* A request that makes no sense says nothing about whose the lease is. */
	e = error(AZ_REFUSED, 400, "LeaseIdInvalid", "");
	assert_false(az_error_is_lease(&e));
	e = error(AZ_OK, 201, "", "");
	assert_false(az_error_is_lease(&e));
}

/* Nothing was sent: whatever the class, nothing can have been applied. */
static void unsent_is_unapplied(void **state)
{
	(void)state;
	for (int class = AZ_OK; class <= AZ_LOCAL; class ++) {
		struct az_error e = { .class = (enum az_class) class };

		assert_false(az_error_maybe_applied(&e));
	}
}

/* What our clock knows goes before the service's general words. */
static void hints(void **state)
{
	struct az_error e = error(AZ_DENIED, 403, "AuthenticationFailed", "");

	(void)state;
	e.hint = AZ_HINT_KEY;
	assert_string_equal(az_error_advice(&e), "check the account key");
	e.hint = AZ_HINT_SAS_EXPIRED;
	assert_non_null(strstr(az_error_advice(&e), "new SAS"));
	e.hint = AZ_HINT_CLOCK;
	assert_non_null(strstr(az_error_advice(&e), "clock"));
	e = error(AZ_CORRUPT, 200, "", "");
	e.hint = AZ_HINT_NOT_BLOB_SERVICE;
	assert_non_null(strstr(az_error_advice(&e), "host and port"));
}

static void texts(void **state)
{
	struct az_error e = error(AZ_PRECONDITION, 412, "LeaseIdMissing", "There is a lease.");
	char buf[400];

	(void)state;
	assert_string_equal(az_error_text(&e, buf, sizeof(buf)), "412 LeaseIdMissing");
	e = error(AZ_DENIED, 403, "AuthenticationFailed",
		  "the SAS expired at 2026-11-20T10:00:00Z");
	assert_string_equal(az_error_text(&e, buf, sizeof(buf)),
			    "403 AuthenticationFailed: the SAS expired at 2026-11-20T10:00:00Z");
	e = error(AZ_BUSY, 502, "", "");
	assert_string_equal(az_error_text(&e, buf, sizeof(buf)), "502 busy");
	e = error(AZ_NO_RESPONSE, 0, "", "no progress for 20.0 s");
	assert_string_equal(az_error_text(&e, buf, sizeof(buf)),
			    "no answer: no progress for 20.0 s");
	e = error(AZ_CORRUPT, 206, "", "the checksum (CRC64) does not match");
	assert_string_equal(az_error_text(&e, buf, sizeof(buf)),
			    "corrupt answer: the checksum (CRC64) does not match");
	az_error_text(&e, buf, 8); /* cut, terminated */
	assert_string_equal(buf, "corrupt");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table),
		cmocka_unit_test(errors_of_the_lease),
		cmocka_unit_test(unsent_is_unapplied),
		cmocka_unit_test(hints),
		cmocka_unit_test(texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
