// SPDX-License-Identifier: MIT
/*
 * response.c - the body of a response, and the verdict on the whole
 *
 * A response counts as success only when everything about it is as it must be:
 * the one status that the call expects, the marks of a blob service, our own
 * request id where it is repeated, the length and range that were asked for,
 * the checksum.  Anything else of a 2xx is AZ_CORRUPT, and what reached the
 * sink is void.
 */
#include "azure/call.h"

#include <stdio.h>
#include <string.h>

#include "lib/base64.h"
#include "lib/crc64.h"
#include "lib/date.h"

bool az_response_has_sum(const struct az_call *call)
{
	return call->sum == AZ_SUM_CRC64 ? call->response.crc64[0] : call->response.md5[0];
}

/* A read's checksum is being found out: this response shows what the service
 * can't do (Azurite refuses the header, or ignores it with --loose). */
static bool sum_unsupported(const struct az_call *call)
{
	const struct az_response *a = &call->response;

	if (call->op->kind != AZ_KIND_READ || call->sum != AZ_SUM_CRC64 ||
	    call->client->sum == AZ_SUM_CRC64 || !call->client->md5 || !a->has_request_id)
		return false;
	if (a->status == call->op->expect)
		return a->has_version && !a->crc64[0];
	return !strcmp(a->code, "FeatureNotSupported") || !strcmp(a->code, "UnsupportedHeader") ||
	       a->status == 501;
}

static const char foreign[] = "the answer is to another request (x-ms-client-request-id)";

/* What is wrong with the headers of a response with the expected status. */
static const char *check_headers(struct az_call *call)
{
	const struct az_response *a = &call->response;

	if (!a->has_request_id || !a->has_version)
		return "the answer is not from a blob service";
	if (a->foreign)
		return foreign;
	if (a->malformed)
		return a->malformed;
	return call->op->check ? call->op->check(call) : NULL;
}

/* At the first byte of a body: where does it go? */
static bool judge_headers(struct az_call *call)
{
	struct az_response *a = &call->response;
	const char *wrong;

	a->judged = true;
	if (a->status != call->op->expect) {
		call->xml = az_xml_error_new(&call->said);
		return true;
	}
	wrong = check_headers(call);
	if (wrong && !sum_unsupported(call)) {
		az_call_fail(call, AZ_CORRUPT, wrong);
		return false;
	}
	return true;
}

static bool sink_body(struct az_call *call, const char *buf, size_t len)
{
	struct az_response *a = &call->response;
	int err;

	if (a->received + len > call->len) {
		az_call_fail(call, AZ_CORRUPT, "more came than was asked for");
		return false;
	}
	if (sum_unsupported(call))
		return true; /* it will be asked for again, with MD5 */
	if (call->sum == AZ_SUM_CRC64)
		call->crc = crc64(call->crc, buf, len);
	else
		EVP_DigestUpdate(call->md5, buf, len);
	err = call->sink.write(call->sink.arg, buf, len, a->received);
	if (err) {
		az_call_fail(call, AZ_LOCAL, strerror(err < 0 ? -err : err));
		return false;
	}
	call->client->counters.bytes_in += len;
	return true;
}

static bool other_body(struct az_call *call, const char *buf, size_t len)
{
	struct az_response *a = &call->response;
	bool error = a->status != call->op->expect;

	if ((error || call->op->kind != AZ_KIND_LIST) && a->received + len > AZ_MAX_ERROR_BODY) {
		az_call_fail(call, AZ_CORRUPT, "the answer's body is too long");
		return false;
	}
	/* The XML of an error is a courtesy (the status decides, and the code
	 * is in a header too); that of a page list is the response. */
	if (call->xml && az_xml_feed(call->xml, buf, len) && !error) {
		az_call_fail(call, AZ_CORRUPT, "the page list makes no sense");
		return false;
	}
	return true;
}

size_t az_response_body(char *buf, size_t size, size_t n, void *arg)
{
	struct az_call *call = arg;
	struct az_response *a = &call->response;
	size_t len = size * n;
	bool ok;

	if (call->cancelled)
		return 0;
	if (!a->judged) {
		curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &a->status);
		if (!judge_headers(call))
			return 0;
	}
	if (a->status == call->op->expect && call->sink.write)
		ok = sink_body(call, buf, len);
	else
		ok = other_body(call, buf, len);
	a->received += len;
	return ok ? len : 0;
}

static enum az_class class_of_status(const struct az_call *call)
{
	long status = call->response.status;

	if (status == 401 || status == 403 || status == 407)
		return AZ_DENIED;
	if (status == 404)
		return AZ_NOT_FOUND;
	if (status == 409)
		return AZ_CONFLICT;
	if (status == 412)
		return AZ_PRECONDITION;
	if (status == 501 || status == 505 || !strcmp(call->response.code, "FeatureNotSupported"))
		return AZ_REFUSED;
	if (status == 408 || status == 429 || status >= 500)
		return AZ_BUSY;
	return AZ_REFUSED;
}

/* A header line without end, since libcurl 8.6, whose release need not be the one that
 * this was compiled with; before that it is CURLE_OUT_OF_MEMORY. */
#define TOO_LARGE 100 /* CURLE_TOO_LARGE */

static enum az_class class_of_curl(const struct az_call *call, CURLcode code)
{
	if ((int)code == TOO_LARGE)
		return call->sent ? AZ_CORRUPT : AZ_LOCAL;
	switch (code) {
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_INVALIDCERTSTATUS:
	case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
		return call->sent ? AZ_NO_RESPONSE : AZ_UNTRUSTED;
	case CURLE_OUT_OF_MEMORY: /* after sending: also a header without end */
		return call->sent ? AZ_CORRUPT : AZ_LOCAL;
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_UNSUPPORTED_PROTOCOL: /* HTTP/0.9: no HTTP at all */
	case CURLE_BAD_CONTENT_ENCODING:
	case CURLE_FILESIZE_EXCEEDED:
	case CURLE_WRITE_ERROR: /* a malformed chunk, when no callback failed */
		return call->sent ? AZ_CORRUPT : AZ_UNREACHABLE;
	case CURLE_URL_MALFORMAT:
	case CURLE_FAILED_INIT:
	case CURLE_SSL_ENGINE_INITFAILED:
	case CURLE_SSL_CIPHER:
		return AZ_LOCAL;
	default:
		return call->sent ? AZ_NO_RESPONSE : AZ_UNREACHABLE;
	}
}

/* Copies a message, but no more of it once a SAS could begin. */
static void set_message(struct az_error *e, const char *s)
{
	size_t len = strcspn(s, "\r\n");
	const char *query = memchr(s, '?', len);
	const char *sig = strstr(s, "sig=");

	if (query && strstr(query, "sig="))
		len = (size_t)(query - s);
	else if (sig && (size_t)(sig - s) < len)
		len = (size_t)(sig - s);
	text_copy(e->message, sizeof(e->message), s, len);
}

/* Why was it refused?  The service says "AuthenticationFailed" to a wrong key,
 * an expired SAS and a clock that is off alike, Azurite "AuthorizationFailure",
 * and HEAD has no room for more than that. */
static void hint_denied(const struct az_call *call, struct az_error *e)
{
	const struct az_credential *cred = call->blob.cred;
	int64_t off = az_clock_off(call), expiry = az_credential_expiry(cred);
	char when[DATE_SECONDS];

	if (e->code[0] && !az_error_is(e, "AuthenticationFailed") &&
	    !az_error_is(e, "AuthorizationFailure") && !az_error_is(e, "RequestTimeTooSkewed"))
		return;
	if (expiry && expiry <= az_clock_now(call)) {
		snprintf(e->message, sizeof(e->message), "the SAS expired at %s",
			 date_seconds(expiry, when));
		e->hint = AZ_HINT_SAS_EXPIRED;
	} else if (off) {
		snprintf(e->message, sizeof(e->message), "this machine's clock is %lld minutes %s",
			 (long long)(off < 0 ? -off : off) / 60, off < 0 ? "ahead" : "behind");
		e->hint = AZ_HINT_CLOCK;
	} else if (cred->kind == AZ_CREDENTIAL_KEY) {
		e->hint = AZ_HINT_KEY;
	} else if (cred->kind == AZ_CREDENTIAL_SAS) {
		e->hint = AZ_HINT_SAS;
	}
}

/*
 * Whether somebody else answered: a portal that wants a login, a proxy, whatever listens
 * there.  Its status says nothing about the blob, nor about what became of the
 * request, so it is one more way not to know.  The service itself never redirects.  Of
 * a gateway's 502 to 504 the class says as much.
 */
static bool from_elsewhere(const struct az_response *a)
{
	if (a->status >= 300 && a->status < 400)
		return true;
	return !a->has_request_id && (a->status < 500 || a->status == 501 || a->status == 505);
}

/* A whole response came, and it is not the expected status. */
static void judge_refusal(struct az_call *call, struct az_error *e)
{
	struct az_response *a = &call->response;

	if (call->xml)
		az_xml_finish(call->xml);
	e->retry_after = a->retry_after;
	if (e->retry_after > call->client->opt.retry_after_most_s)
		e->retry_after = call->client->opt.retry_after_most_s;
	if (from_elsewhere(a) || a->status < 300) {
		e->class = AZ_CORRUPT;
		if (from_elsewhere(a))
			e->hint = AZ_HINT_NOT_BLOB_SERVICE;
		snprintf(e->message, sizeof(e->message), "unexpected status %ld%s", a->status,
			 from_elsewhere(a) ? ", not from a blob service" : "");
		return;
	}
	if (a->foreign) {
		e->class = AZ_CORRUPT;
		set_message(e, foreign);
		return;
	}
	/* Codes are decided by: only the service's own count. */
	if (!a->has_request_id)
		a->code[0] = call->said.code[0] = '\0';
	if (!a->code[0])
		memcpy(a->code, call->said.code, sizeof(a->code));
	memcpy(e->code, a->code, sizeof(e->code));
	set_message(e, call->said.message);
	e->class = class_of_status(call);
	if (e->class == AZ_DENIED) {
		if (call->said.detail[0])
			set_message(e, call->said.detail);
		hint_denied(call, e);
	}
}

static const char *check_sum(struct az_call *call)
{
	unsigned char md[EVP_MAX_MD_SIZE];
	char text[CRC64_TEXT];

	if (!az_response_has_sum(call)) {
		/* Put Page: Azure returns the one it computed; Azurite none. */
		return call->op->kind == AZ_KIND_READ ? "the answer has no checksum" : NULL;
	}
	if (call->sum == AZ_SUM_CRC64) {
		crc64_text(call->crc, text);
		return strcmp(text, call->response.crc64) ? "the checksum (CRC64) does not match" :
							    NULL;
	}
	if (call->op->kind == AZ_KIND_READ) {
		EVP_DigestFinal_ex(call->md5, md, NULL);
		base64_encode(md, 16, call->md5_text);
	}
	return strcmp(call->md5_text, call->response.md5) ? "the checksum (MD5) does not match" :
							    NULL;
}

/* A whole response with the expected status: NULL, or what is wrong with it. */
static const char *judge_success(struct az_call *call)
{
	struct az_response *a = &call->response;
	const char *wrong = check_headers(call);

	if (wrong)
		return wrong;
	if (call->op->kind == AZ_KIND_READ && a->received != call->len)
		return "less came than was asked for";
	if (call->op->kind == AZ_KIND_LIST && (!call->xml || az_xml_finish(call->xml)))
		return "the page list makes no sense";
	if (call->op->kind == AZ_KIND_READ || call->op->kind == AZ_KIND_WRITE)
		return check_sum(call);
	return NULL;
}

static void judge_failure(struct az_call *call, CURLcode code, struct az_error *e)
{
	if (call->fail) {
		e->class = call->fail;
		set_message(e, call->fail_text);
	} else {
		e->class = class_of_curl(call, code);
		set_message(e, call->curl_text[0] ? call->curl_text : curl_easy_strerror(code));
	}
	if (e->class == AZ_CORRUPT && !call->response.has_request_id)
		e->hint = AZ_HINT_NOT_BLOB_SERVICE;
}

enum az_verdict az_response_judge(struct az_call *call, CURLcode code, struct az_result *res)
{
	struct az_response *a = &call->response;
	struct az_error *e = &res->err;
	struct az_client *c = call->client;
	const char *wrong;

	*res = (struct az_result){ 0 };
	e->sent = call->sent;
	if (call->sent)
		curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &a->status);
	e->http = a->status;
	memcpy(e->request_id, a->request_id, sizeof(e->request_id));
	az_clock_heard(call);
	if (code || call->fail) {
		judge_failure(call, code, e);
		return AZ_END;
	}
	if (sum_unsupported(call)) {
		c->sum = AZ_SUM_MD5;
		return AZ_AGAIN;
	}
	if (az_clock_redate(call))
		return AZ_AGAIN;
	if (a->status != call->op->expect) {
		judge_refusal(call, e);
		return AZ_END;
	}
	wrong = judge_success(call);
	if (wrong) {
		e->class = AZ_CORRUPT;
		if (!a->has_request_id || !a->has_version)
			e->hint = AZ_HINT_NOT_BLOB_SERVICE;
		set_message(e, wrong);
		return AZ_END;
	}
	if (call->op->kind == AZ_KIND_READ)
		c->sum = call->sum;
	if (call->source.read)
		c->counters.bytes_out += call->len;
	if (call->op->kind == AZ_KIND_LIST && az_xml_marker(call->xml)[0]) {
		text_reset(&call->marker);
		text_add(&call->marker, az_xml_marker(call->xml));
		return AZ_AGAIN;
	}
	res->props = a->props;
	return AZ_END;
}
