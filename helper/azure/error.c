// SPDX-License-Identifier: MIT
/*
 * error.c - what went wrong with a REST call: texts, exit statuses, advice
 */
#include "azure/error.h"

#include <stdio.h>
#include <string.h>

bool az_error_is(const struct az_error *e, const char *code)
{
	return !strcmp(e->code, code);
}

bool az_error_is_lease(const struct az_error *e)
{
	return (e->class == AZ_CONFLICT || e->class == AZ_PRECONDITION) &&
	       !strncmp(e->code, "Lease", 5);
}

bool az_error_in_progress(const struct az_error *e)
{
	/* The last two: one, as it is documented and as it is spelt on the wire. */
	static const char *const codes[] = { "ContainerBeingDeleted", "PendingCopyOperation",
					     "SnapshotOperationRateExceeded",
					     "SnaphotOperationRateExceeded" };

	for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++)
		if (e->class == AZ_CONFLICT && az_error_is(e, codes[i]))
			return true;
	return false;
}

bool az_error_passes(const struct az_error *e)
{
	return e->class == AZ_BUSY || az_error_in_progress(e) ||
	       (e->class == AZ_CORRUPT && e->hint == AZ_HINT_NOT_BLOB_SERVICE);
}

bool az_error_is_throttle(const struct az_error *e)
{
	return e->class == AZ_BUSY &&
	       (e->http == 503 || e->http == 429 || az_error_is(e, "OperationTimedOut"));
}

bool az_error_transient(const struct az_error *e)
{
	switch (e->class) {
	case AZ_CONFLICT:
		return az_error_in_progress(e);
	case AZ_UNREACHABLE:
	case AZ_NO_RESPONSE:
	case AZ_BUSY:
	case AZ_CORRUPT:
		return true;
	default:
		return false;
	}
}

bool az_error_maybe_applied(const struct az_error *e)
{
	if (!e->sent)
		return false;
	switch (e->class) {
	case AZ_NO_RESPONSE:
	case AZ_BUSY:
	case AZ_CORRUPT:
	case AZ_LOCAL:
		return true;
	default:
		return false;
	}
}

static const char *class_text(enum az_class class)
{
	switch (class) {
	case AZ_OK:
		return "done";
	case AZ_UNREACHABLE:
		return "unreachable";
	case AZ_NO_RESPONSE:
		return "no answer";
	case AZ_UNTRUSTED:
		return "not trusted";
	case AZ_BUSY:
		return "busy";
	case AZ_CORRUPT:
		return "corrupt answer";
	case AZ_DENIED:
		return "denied";
	case AZ_NOT_FOUND:
		return "not found";
	case AZ_CONFLICT:
		return "conflict";
	case AZ_PRECONDITION:
		return "condition not met";
	case AZ_REFUSED:
		return "refused";
	case AZ_LOCAL:
		return "local failure";
	case AZ_CHANGED:
		return "the data changed";
	}
	return "unknown";
}

const char *az_error_text(const struct az_error *e, char *buf, size_t len)
{
	bool spoke = e->http && e->class != AZ_CORRUPT && e->class != AZ_LOCAL;

	/* The service's own words are worth their room where the code is not
	 * enough: none came, or it says only "denied". */
	if (spoke && e->code[0] && e->class != AZ_DENIED)
		snprintf(buf, len, "%ld %s", e->http, e->code);
	else if (e->class == AZ_OK)
		snprintf(buf, len, "done");
	else if (spoke)
		snprintf(buf, len, "%ld %s%s%s", e->http,
			 e->code[0] ? e->code : class_text(e->class), e->message[0] ? ": " : "",
			 e->message);
	else
		snprintf(buf, len, "%s%s%s", class_text(e->class), e->message[0] ? ": " : "",
			 e->message);
	return buf;
}

enum exit_status az_error_exit(const struct az_error *e)
{
	switch (e->class) {
	case AZ_OK:
		return EXIT_OK;
	case AZ_NOT_FOUND:
		return EXIT_MISSING;
	case AZ_DENIED:
		return EXIT_DENIED;
	case AZ_CONFLICT:
	case AZ_PRECONDITION:
		if (az_error_is_lease(e))
			return EXIT_LEASED;
		return az_error_is(e, "InvalidBlobType") ? EXIT_NOT_A_DRIVE : EXIT_FAILED;
	case AZ_UNREACHABLE:
	case AZ_NO_RESPONSE:
	case AZ_UNTRUSTED:
	case AZ_BUSY:
		return EXIT_UNREACHABLE;
	case AZ_CORRUPT:
		return e->hint == AZ_HINT_NOT_BLOB_SERVICE ? EXIT_UNREACHABLE : EXIT_FAILED;
	default:
		return EXIT_FAILED;
	}
}

static const struct {
	const char *code, *advice;
} by_code[] = {
	{ "ContainerNotFound", "create the container first" },
	{ "ContainerBeingDeleted", "the container is being deleted; wait, then create it again" },
	{ "PendingCopyOperation", "wait until the copy has ended, or abort it" },
	{ "BlobNotFound", "check the name, or make the drive with clouddrivectl create" },
	{ "ResourceNotFound", "check the account, container and blob names" },
	{ "BlobAlreadyExists", "choose another name, or delete that blob first" },
	{ "InvalidBlobType", "a drive must be a page blob; make one with clouddrivectl create" },
	{ "SnapshotsPresent", "delete the snapshots too, with --snapshots" },
	{ "RequestTimeTooSkewed", "set this machine's clock" },
	{ "AuthorizationPermissionMismatch",
	  "make a new SAS with read and write for a drive (sp=rw), read, create, write and delete to make one (sp=rcwd), delete to delete one (sp=d)" },
	{ "AuthorizationResourceTypeMismatch",
	  "make a new SAS that covers objects (srt=o), or the blob itself" },
	{ "AuthorizationServiceMismatch", "make a new SAS for the blob service" },
	{ "AuthorizationProtocolMismatch", "use https, or make a new SAS that allows http" },
	{ "AuthorizationSourceIPMismatch", "make a new SAS that allows this machine's address" },
	{ "AuthorizationFailure",
	  "check the account key or the SAS, and the storage account's firewall" },
	{ "KeyBasedAuthenticationNotPermitted",
	  "the account allows no keys; use a user delegation SAS" },
	{ "AccountIsDisabled", "enable the storage account" },
	{ "PublicAccessNotPermitted", "give a key with --key-file, or a SAS" },
	{ "NoAuthenticationInformation", "give a key with --key-file, or a SAS" },
	{ "LeaseIsBrokenAndCannotBeRenewed", "someone broke the lease; mount the drive again" },
	{ "LeaseLost", "someone broke the lease; mount the drive again" },
	{ "LeaseNotPresentWithBlobOperation", "someone broke the lease; mount the drive again" },
	{ "SequenceNumberConditionNotMet",
	  "another client has mounted this blob; unmount one of the two" },
	{ "OutOfRangeInput", "check the name and the size" },
	{ "InvalidPageRange", "the blob is smaller than the drive; was it resized?" },
	{ "InvalidRange", "the blob is smaller than the drive; was it resized?" },
	{ "FeatureNotSupported", "the emulator cannot do this" },
};

static const char *hint_advice(enum az_hint hint)
{
	switch (hint) {
	case AZ_HINT_KEY:
		return "check the account key";
	case AZ_HINT_SAS:
		return "make a new SAS for this blob and quote it whole";
	case AZ_HINT_SAS_EXPIRED:
		return "the SAS has expired; make a new SAS";
	case AZ_HINT_CLOCK:
		return "set this machine's clock";
	case AZ_HINT_NOT_BLOB_SERVICE:
		return "check the host and port, and what lies between: no blob service answers there";
	case AZ_HINT_NONE:
		break;
	}
	return NULL;
}

static const char *class_advice(enum az_class class)
{
	switch (class) {
	case AZ_OK:
		return "";
	case AZ_UNREACHABLE:
		return "check the account name, the network, and that the server is running";
	case AZ_NO_RESPONSE:
		return "check the network and the server, then try again";
	case AZ_UNTRUSTED:
		return "set SSL_CERT_FILE to the CA that signed the server's certificate";
	case AZ_BUSY:
		return "the service is busy; try again later";
	case AZ_CORRUPT:
		return "the answer makes no sense; check the host and port, and what lies between";
	case AZ_DENIED:
		return "check the key or the SAS";
	case AZ_NOT_FOUND:
		return "check the container and blob names";
	case AZ_LOCAL:
		return "free some memory and try again";
	default:
		return "see the service's message in the log";
	}
}

const char *az_error_advice(const struct az_error *e)
{
	const char *advice = NULL;

	/* What our clock says comes first: an expired SAS and a wrong key are
	 * one code ("AuthenticationFailed") to the service. */
	if (e->hint == AZ_HINT_SAS_EXPIRED || e->hint == AZ_HINT_CLOCK)
		return hint_advice(e->hint);
	for (size_t i = 0; i < sizeof(by_code) / sizeof(*by_code); i++)
		if (az_error_is(e, by_code[i].code))
			return by_code[i].advice;
	if (az_error_is_lease(e))
		return "use --force to take it over, or unmount it there";
	advice = hint_advice(e->hint);
	return advice ? advice : class_advice(e->class);
}
