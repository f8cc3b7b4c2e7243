/* SPDX-License-Identifier: MIT */
/*
 * call.h - inside of the client: one call, from its parameters to its result
 *
 *   blob.c     what each call asks (struct az_op) and what its response must hold
 *   call.c     building and sending a request; the body on its way out
 *   headers.c  the response's headers
 *   response.c the response's body, and the verdict on the whole
 *   stall.c which calls get nowhere
 *   socket.c  libcurl's sockets
 *   route.c   proxies, and the names that are needed; resolver.c their addresses
 *   twin.c    asking a second time before the first answer
 *   clock.c    how far the service's clock is from ours
 *   client.c   libcurl and the loop; starting, ending, pooling calls
 *
 * A call is taken from the client's pool with its easy handle, header list
 * and buffers, and returns there: a request in steady state allocates nothing
 * of ours.
 */
#ifndef AZURE_CALL_H
#define AZURE_CALL_H

#include <curl/curl.h>
#include <openssl/evp.h>

#include "azure/blob.h"
#include "azure/client.h"
#include "azure/route.h"
#include "azure/sign.h"
#include "azure/xml.h"
#include "lib/date.h"
#include "lib/text.h"

/* First version with CRC64: 2019-02-02; with markers in page lists:
 * 2020-10-02 ("Versioning for Azure Storage"). */
#define AZ_VERSION "2021-08-06"

/* The metadata of a blob that is being made; lower case, as it is signed. */
#define AZ_UNFINISHED "x-ms-meta-clouddriveunfinished"

#define AZ_MAX_FIELDS 16 /* of ours in a request */
#define AZ_MAX_VALUES 6
#define AZ_MAX_HEADERS 65536u /* bytes of a response's headers, interim ones too */
#define AZ_MAX_ERROR_BODY 65536u
#define AZ_SMALL_BODY 32768u /* sent together with the headers, from memory */
#define AZ_MD5_TEXT 25

enum az_kind { AZ_KIND_READ, AZ_KIND_WRITE, AZ_KIND_CLEAR, AZ_KIND_LIST, AZ_KIND_OTHER };

struct az_fields {
	struct az_pair v[AZ_MAX_FIELDS];
	size_t n;
};

/* What blob.c adds to a request; the values live as long as the building. */
struct az_build {
	struct az_fields headers; /* x-ms-*, in any order */
	struct az_fields query; /* by name */
	const char *content_md5;
	const char *if_none_match;
	char values[AZ_MAX_VALUES][48]; /* room for numbers; see az_build_u64() */
	size_t used;
};

/* One row for each call of blob.h. */
struct az_op {
	const char *method;
	enum az_kind kind;
	long expect; /* the one status that means success */
	bool changes; /* it changes something: never to be sent twice by libcurl */
	bool repeatable; /* but twice is the same as once, in any order */
	void (*build)(struct az_call *call, struct az_build *b);
	/* NULL, or what is wrong with a response of the expected status. */
	const char *(*check)(struct az_call *call);
};

struct az_response {
	long status;
	size_t header_bytes;
	bool headers_done, judged;
	const char *malformed; /* the first header that makes no sense */
	bool has_request_id, has_version, has_length, has_range, foreign;
	uint64_t length; /* Content-Length */
	uint64_t first, last, total; /* Content-Range */
	char crc64[32], md5[32];
	char code[64], request_id[64];
	unsigned int retry_after;
	int64_t date;
	bool has_blob_length; /* props.size is known */
	uint64_t received; /* bytes of body */
	struct az_props props;
};

struct az_call {
	struct az_client *client;
	struct az_call *next, *prev;
	/* Nameless: until addresses are known.  Waiting: it has failed, and its twin
	 * hasn't yet. */
	enum { CALL_POOLED, CALL_QUEUED, CALL_NAMELESS, CALL_RUNNING, CALL_WAITING } state;
	bool cancelled; /* from within libcurl: to be reaped */
	struct az_call *twin; /* asks the same again; see twin.c */
	struct az_call *twin_of;

	/* what is asked */
	const struct az_op *op;
	struct az_blob blob;
	az_done_fn done;
	void *arg;
	uint64_t offset, len, seq;
	struct az_source source;
	struct az_sink sink;
	void (*range)(void *arg, uint64_t offset, uint64_t len);
	const char *mark;
	uint64_t sequence; /* of what is created */
	const char *source_url, *copy_id;
	enum az_lease_action lease;
	int seconds;
	bool snapshots;
	bool no_lease; /* x-ms-lease-id has no place in it */
	bool redated; /* it is sent again, with the service's date */

	/* the request */
	CURL *easy;
	struct az_route *route; /* the client's */
	uint64_t nameless_at; /* since when it is; 0: not */
	char id[40]; /* x-ms-client-request-id */
	struct text url, lines, marker;
	struct curl_slist list[AZ_MAX_FIELDS + 8];
	enum az_sum sum; /* asked for, or sent */
	uint64_t crc; /* of the body */
	EVP_MD_CTX *md5;
	char md5_text[AZ_MD5_TEXT];
	unsigned char *small;
	uint64_t pos; /* body bytes given to libcurl */
	bool sent; /* from prereq on */
	bool reused; /* its connection had been idle */

	/* the response */
	struct az_response response;
	struct az_xml *xml;
	struct az_xml_error said;
	uint64_t range_end; /* of the page list so far */
	uint64_t page_start; /* range_end before this part of it */
	unsigned int empty_pages;
	enum az_class fail; /* found by a callback, which then ended the transfer */
	char fail_text[160];
	char curl_text[CURL_ERROR_SIZE];

	/* its progress; see stall.c */
	struct az_socket *sockets; /* from @sent on it is one */
	uint64_t sent_at, moved_at; /* loop_now() */
	uint64_t asked_at; /* sent_at, or its last twin's start */
	uint64_t moved; /* bytes, both ways */
};

/* A socket of libcurl's. */
struct az_socket {
	struct loop_fd watch;
	struct az_client *client;
	struct az_call *call; /* by which it is used; NULL: none */
	struct az_socket *next; /* of the call's, or the client's unused ones */
};

struct az_client {
	struct loop *loop;
	CURLM *multi;
	struct loop_timer timer; /* libcurl's */
	struct loop_timer soon; /* queued and cancelled calls */
	struct loop_timer watchdog;
	uint64_t watchdog_due;
	struct az_client_options opt;
	char *ca_file;
	uint64_t serial; /* of request ids */
	char prefix[20];
	enum az_sum sum; /* what the service can, once a GET has shown it */
	EVP_MD *md5;
	long idle_limit; /* seconds that the server keeps idle connections */
	char date[DATE_HTTP]; /* of the request being made */
	int64_t clock_date; /* the service's last Date, seconds since the epoch; 0: none */
	int64_t clock_heard; /* when that was, by CLOCK_BOOTTIME, seconds */
	int64_t date_shift; /* of x-ms-date, seconds; once it had been refused */
	struct text string; /* to sign */
	unsigned char *scratch; /* AZ_SCRATCH bytes */
	struct az_call *calls, *pool;
	struct az_socket *sockets; /* unused ones */
	struct az_resolver *resolver;
	struct az_route *routes;
	int in_curl; /* libcurl must not be entered again */
	int busy; /* az_client_free() must wait */
	bool dead;
	struct az_counters counters;
};

#define AZ_SCRATCH (256u << 10)

/* client.c */
struct az_call *az_call_new(struct az_client *c, const struct az_op *op, const struct az_blob *b,
			    az_done_fn done, void *arg);
struct az_call *az_call_start(struct az_call *call);
/* Ends a running call without a word, and forgets it. */
void az_call_drop(struct az_call *call);

/* Tells libcurl what happened to a socket of its own, or to its timer. */
void az_client_act(struct az_client *c, curl_socket_t fd, int what);

/* socket.c */
/* For CURLMOPT_SOCKETFUNCTION. */
int az_socket_watch(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket);
void az_sockets_free(struct az_client *c);

/* twin.c */
/* Starts twins of calls that have waited for long enough. */
void az_twins_start(struct az_client *c);
/*
 * @call ended with @res.  Returns the call that this is the end of, to be told: itself,
 * or the one whose twin it was; NULL when there is nothing to tell yet.  What has been
 * in flight besides is ended.
 */
struct az_call *az_twin_ended(struct az_call *call, const struct az_result *res);

/* call.c */
bool az_easy_setup(struct az_call *call);
/* Makes the request and hands it to the easy handle.  0, or a negative errno
 * with call->fail set. */
int az_call_prepare(struct az_call *call);
void az_build_header(struct az_build *b, const char *name, const char *value);
void az_build_query(struct az_build *b, const char *name, const char *value);
const char *az_build_u64(struct az_build *b, uint64_t number);
const char *az_build_range(struct az_build *b, uint64_t offset, uint64_t len);
void az_call_fail(struct az_call *call, enum az_class class, const char *why);

/* stall.c: of calls that are sent */
void az_stall_begin(struct az_call *call);
/* Whether it has to be ended; set in it, why. */
bool az_stall_expired(struct az_call *call);
/* Nothing could have been noticed for so many ns. */
void az_stall_forgive(struct az_call *call, uint64_t ns);
/* For how many seconds a connection may have been idle and be used all the same. */
long az_stall_idle_limit(const struct az_client *c);
/* How often to look, ns. */
uint64_t az_stall_interval(const struct az_client_options *opt);
/* Options of a socket that is new. */
void az_stall_socket(int fd);

/* clock.c */
/* A response has come. */
void az_clock_heard(struct az_call *call);
/* By which a response was judged, in seconds since the epoch: the service's, where it tells
 * it, else ours. */
int64_t az_clock_now(const struct az_call *call);
/* By how many seconds the service's is ahead of the one that the request was signed by; 0
 * where that can't be why it was refused. */
int64_t az_clock_off(const struct az_call *call);
/* Whether a request that was signed with a key, and refused for its date perhaps, should be
 * sent again, as nothing was done: by the service's clock then, once. */
bool az_clock_redate(struct az_call *call);

/* headers.c */
size_t az_response_header(char *buf, size_t size, size_t n, void *arg);

/* response.c */
size_t az_response_body(char *buf, size_t size, size_t n, void *arg);
enum az_verdict { AZ_END, AZ_AGAIN };
/* What came of a transfer that ended with @code: fills @res, or says that the
 * call goes on with another request. */
enum az_verdict az_response_judge(struct az_call *call, CURLcode code, struct az_result *res);

/* The response's checksum, if it is there and the one asked for. */
bool az_response_has_sum(const struct az_call *call);

#endif
