// SPDX-License-Identifier: MIT
/*
 * Shared access signatures: those made are what openssl(1) makes of the strings to
 * sign that stand here, written out by "Create a service SAS"; those brought are
 * judged by what they say.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "azure/sas.h"
#include "lib/text.h"

#define KEY "c2VjcmV0LWtleS1vZi1hbi1hY2NvdW50" /* "secret-key-of-an-account" */
#define NOW 1795168800 /* 2026-11-20T10:00:00Z */

#define HOST "https://acct.blob.core.windows.net/drives/d"
#define EMULATOR "http://127.0.0.1:10000/devstoreaccount1/drives/d"

static struct az_url parse(const char *text)
{
	struct az_url url;
	char why[256];

	if (az_url_parse(text, &url, why, sizeof(why)))
		fail_msg("%s: %s", text, why);
	return url;
}

/* --- making ----------------------------------------------------------------- */

static void signs(const char *where, const char *permissions, unsigned int lifetime_s,
		  const char *expected)
{
	struct az_url url = parse(where);
	struct az_credential key = { 0 };
	char *sas;

	assert_int_equal(az_credential_set_key(&key, KEY), 0);
	sas = az_sas_sign(&url, &key, permissions, NOW, lifetime_s);
	assert_non_null(sas);
	assert_string_equal(sas, expected);
	text_free_secret(sas);
	az_credential_free(&key);
	az_url_free(&url);
}

/*
 * printf 'rw\n2026-11-20T09:55:00Z\n2026-11-20T10:30:00Z\n/blob/acct/drives/d\n\n\n
 *	https\n2021-08-06\nb\n\n\n\n\n\n\n' |
 *	openssl dgst -sha256 -mac HMAC -macopt key:secret-key-of-an-account -binary | base64
 */
static void of_a_blob(void **state)
{
	(void)state;
	signs(HOST, "rw", 1800,
	      "sv=2021-08-06&spr=https&st=2026-11-20T09%3A55%3A00Z&se=2026-11-20T10%3A30%3A00Z"
	      "&sr=b&sp=rw&sig=D%2Bn%2B%2FQENHqKdyXgJ55QVUhHSy6QdPA3EO3aEKW%2Fh4DM%3D");
}

/*
 * 'racwd\n2026-11-20T09:55:00Z\n2026-11-20T10:01:00Z\n
 *	/blob/devstoreaccount1/drives/a b/disk(1)+é%.img\n\n\nhttps,http\n2021-08-06\nb
 *	\n\n\n\n\n\n\n'
 * The name is decoded; the account is in the path but once in the string.
 */
static void of_a_blob_of_the_emulator(void **state)
{
	(void)state;
	signs("http://127.0.0.1:10000/devstoreaccount1/drives/a%20b/disk(1)+%C3%A9%25.img", "racwd",
	      60,
	      "sv=2021-08-06&spr=https%2Chttp&st=2026-11-20T09%3A55%3A00Z"
	      "&se=2026-11-20T10%3A01%3A00Z&sr=b&sp=racwd"
	      "&sig=PTPYWXwGIrTsefhXghTZOS8z%2B%2FZNfr0416MSCUhRGhk%3D");
}

/*
 * 'r\n2026-11-20T09:55:00Z\n2026-11-20T10:01:00Z\n/blob/acct/drives/d\n\n\nhttps\n
 *	2021-08-06\nbs\n2026-01-02T03:04:05.1234567Z\n\n\n\n\n\n'
 */
static void of_a_snapshot(void **state)
{
	(void)state;
	signs(HOST "?snapshot=2026-01-02T03:04:05.1234567Z", "r", 60,
	      "sv=2021-08-06&spr=https&st=2026-11-20T09%3A55%3A00Z&se=2026-11-20T10%3A01%3A00Z"
	      "&sr=bs&sp=r&sig=ju01%2FwFEomgIRN2pjmJlG1WPyIeMW3dbx120tRS3oic%3D");
}

static void only_with_a_key(void **state)
{
	struct az_url url = parse(HOST);
	struct az_credential cred = { 0 };

	(void)state;
	assert_null(az_sas_sign(&url, &cred, "rw", NOW, 60));
	assert_int_equal(az_credential_set_sas(&cred, "sr=b&sig=x"), 0);
	assert_null(az_sas_sign(&url, &cred, "rw", NOW, 60));
	az_credential_free(&cred);
	assert_int_equal(az_credential_set_key(&cred, KEY), 0);
	assert_null(az_sas_sign(&url, &cred, "rw", INT64_MAX - 100, 60)); /* no such year */
	az_credential_free(&cred);
	az_url_free(&url);
}

/* What is signed is a SAS that can be used. */
static void made_and_looked_at(void **state)
{
	static const char *const urls[] = { HOST, EMULATOR, HOST "?snapshot=2026-01-02T03:04:05Z" };

	(void)state;
	for (size_t i = 0; i < sizeof(urls) / sizeof(*urls); i++) {
		struct az_credential key = { 0 }, sas = { 0 };
		struct az_url url = parse(urls[i]);
		char why[256];
		char *query;

		assert_int_equal(az_credential_set_key(&key, KEY), 0);
		query = az_sas_sign(&url, &key, "rw", NOW, 60);
		assert_int_equal(az_credential_set_sas(&sas, query), 0);
		text_free_secret(query);
		assert_int_equal(az_credential_expiry(&sas), NOW + 60);
		assert_int_equal(az_sas_check(&sas, &url, "rw", NOW, why, sizeof(why)), 0);
		assert_int_equal(az_sas_check(&sas, &url, "rw", NOW - 300, why, sizeof(why)), 0);
		assert_int_equal(az_sas_check(&sas, &url, "rw", NOW - 301, why, sizeof(why)),
				 -EACCES);
		assert_int_equal(az_sas_check(&sas, &url, "rw", NOW + 60, why, sizeof(why)),
				 -EACCES);
		az_credential_free(&sas);
		az_credential_free(&key);
		az_url_free(&url);
	}
}

/* --- looking ---------------------------------------------------------------- */

/* Judges "@query&sig=SECRET" for @where; @expected NULL: nothing is wrong with it. */
static void judged(const char *where, const char *query, const char *needed, const char *expected)
{
	struct az_url url = parse(where);
	struct az_credential sas = { 0 };
	char text[1024], why[256] = "";
	int err;

	snprintf(text, sizeof(text), "%s&sig=SECRET", query);
	assert_int_equal(az_credential_set_sas(&sas, text), 0);
	err = az_sas_check(&sas, &url, needed, NOW, why, sizeof(why));
	if (strcmp(why, expected ? expected : "") != 0)
		fail_msg("%s: \"%s\", not \"%s\"", query, why, expected ? expected : "");
	assert_int_equal(err, expected ? -EACCES : 0);
	az_credential_free(&sas);
	az_url_free(&url);
}

#define SV "sv=2021-12-02"
#define SE "se=2026-11-21"
#define SNAPSHOT "?snapshot=2026-01-02T03:04:05Z"

static void those_that_will_do(void **state)
{
	static const char *const list[] = {
		SV "&sr=b&sp=rw&" SE,
		SV "&sr=c&sp=racwdl&" SE,
		SV "&sr=d&sdd=0&sp=rw&" SE,
		/* account SAS */
		SV "&ss=b&srt=o&sp=rw&" SE,
		SV "&ss=bfqt&srt=sco&sp=rwdlacup&" SE,
		/* stored access policies */
		SV "&sr=c&si=drive",
		SV "&sr=b&si=drive&sp=&" SE,
		SV "&sr=b&si=drive&sp=rw",
		/* user delegation */
		SV "&sr=b&sp=rw&" SE "&skoid=1&sktid=2&skt=2026-11-20T09%3A00%3A00Z"
		   "&sks=b&skv=2021-12-02&ske=2026-11-21",
		/* times */
		SV "&sr=b&sp=rw&st=2026-11-20T10:00:00Z&se=2026-11-20T10:00:01Z",
		SV "&sr=b&sp=rw&st=2026-11-20T10%3A00Z&se=2026-11-20T10%3A00%3A01.1234567Z",
		/* protocols */
		SV "&sr=b&sp=rw&spr=https&" SE,
		SV "&sr=b&sp=rw&spr=https%2Chttp&" SE,
		/* others' business */
		SV "&sr=b&sp=rw&sip=192.0.2.1&rscc=no-cache&" SE,
	};

	(void)state;
	for (size_t i = 0; i < sizeof(list) / sizeof(*list); i++)
		judged(HOST, list[i], "rw", NULL);
	judged(EMULATOR, SV "&sr=b&sp=rw&spr=https,http&" SE, "rw", NULL);
	judged(EMULATOR, SV "&sr=b&sp=rw&" SE, "rw", NULL);
	judged(HOST SNAPSHOT, SV "&sr=bs&sp=r&" SE, "r", NULL);
	judged(HOST SNAPSHOT, SV "&sr=c&sp=r&" SE, "r", NULL);
	judged("https://acct.blob.core.windows.net/drives/a/b/d", SV "&sr=d&sdd=2&sp=rw&" SE, "rw",
	       NULL);
}

static void permissions(void **state)
{
	(void)state;
	judged(HOST, SV "&sr=b&sp=r&" SE, "rw",
	       "the SAS lacks the permission write (sp=r); make one with sp=rw");
	judged(HOST, SV "&sr=c&sp=racdl&" SE, "rw",
	       "the SAS lacks the permission write (sp=racdl); make one with sp=rw");
	judged(HOST, SV "&ss=b&srt=o&sp=w&" SE, "rw",
	       "the SAS lacks the permission read (sp=w); make one with sp=rw");
	judged(HOST, SV "&sr=b&sp=d&" SE, "rw",
	       "the SAS lacks the permissions read and write (sp=d); make one with sp=rw");
	judged(HOST, SV "&sr=b&" SE, "rw",
	       "the SAS lacks the permissions read and write (sp=); make one with sp=rw");
	judged(HOST, SV "&sr=b&sp=r&si=drive", "rw",
	       "the SAS lacks the permission write (sp=r); make one with sp=rw");
	judged(HOST, SV "&sr=b&sp=r&" SE, "rcdx",
	       "the SAS lacks the permissions create and delete and x (sp=r); make one with sp=rcdx");
}

static void times(void **state)
{
	(void)state;
	judged(HOST, SV "&sr=b&sp=rw&se=2026-11-20T10:00:00Z", "rw",
	       "the SAS expired at 2026-11-20T10:00:00Z (se); make a new one");
	judged(HOST, SV "&sr=c&si=drive&se=2026-11-19", "rw",
	       "the SAS expired at 2026-11-19 (se); make a new one");
	judged(HOST, SV "&sr=b&sp=rw&st=2026-11-20T10%3A00%3A01Z&" SE, "rw",
	       "the SAS is not valid before 2026-11-20T10:00:01Z (st); set this machine's clock, "
	       "or make a new one");
	judged(HOST, SV "&sr=b&sp=rw&skoid=1&ske=2026-11-20T09:00:00Z&" SE, "rw",
	       "the SAS expired at 2026-11-20T09:00:00Z (ske); make a new one");
	judged(HOST, SV "&sr=b&sp=rw&skoid=1&skt=2026-11-22&" SE, "rw",
	       "the SAS is not valid before 2026-11-22 (skt); set this machine's clock, or make a "
	       "new one");
	judged(HOST, SV "&sr=b&sp=rw&se=tomorrow", "rw",
	       "the SAS has no time that can be read in se; make a new one");
	judged(HOST, SV "&sr=b&sp=rw&st=2026-11-20T09:00:00+1:00&" SE, "rw",
	       "the SAS has no time that can be read in st; make a new one");
	judged(HOST, SV "&sr=b&sp=rw&se=2026-02-30", "rw",
	       "the SAS has no time that can be read in se; make a new one");
	/* Other time zones: NOW is ten o'clock in UTC. */
	judged(HOST, SV "&sr=b&sp=rw&st=2026-11-20T11:00:00%2B01:00&" SE, "rw", NULL);
	judged(HOST, SV "&sr=b&sp=rw&st=2026-11-20T11:00:01+01:00&" SE, "rw",
	       "the SAS is not valid before 2026-11-20T11:00:01+01:00 (st); set this machine's "
	       "clock, or make a new one");
	judged(HOST, SV "&sr=b&sp=rw&se=2026-11-20T09:30-00:31", "rw", NULL);
}

static void resources(void **state)
{
	(void)state;
	judged(HOST, SV "&ss=fqt&srt=o&sp=rw&" SE, "rw",
	       "the SAS is not for the blob service (ss=fqt); make one with ss=b");
	judged(HOST, SV "&ss=b&srt=sc&sp=rw&" SE, "rw",
	       "the SAS is not for objects (srt=sc); make one with srt=o");
	judged(HOST, SV "&sr=bs&sp=rw&" SE, "rw",
	       "the SAS is for another kind of resource (sr=bs); make one with sr=b");
	judged(HOST, SV "&sr=bv&sp=rw&" SE, "rw",
	       "the SAS is for another kind of resource (sr=bv); make one with sr=b");
	judged(HOST SNAPSHOT, SV "&sr=b&sp=r&" SE, "r",
	       "the SAS is for another kind of resource (sr=b); make one with sr=bs");
	judged(HOST, SV "&sr=d&sdd=1&sp=rw&" SE, "rw",
	       "the SAS is for another kind of resource (sr=d); make one with sr=b");
	judged(HOST, SV "&sr=f&sp=rw&" SE, "rw",
	       "the SAS is for another kind of resource (sr=f); make one with sr=b");
	judged(EMULATOR, SV "&sr=b&sp=rw&spr=https&" SE, "rw",
	       "the SAS is for https only (spr=https), and the URL is http; use https, or make one "
	       "with spr=https,http");
}

#define LONG "0123456789012345678901234567890123456789"

static void malformed(void **state)
{
	(void)state;
	judged(HOST, "sr=b&sp=rw&" SE, "rw",
	       "the SAS does not say its version (sv); quote it whole, or make a new one");
	judged(HOST, SV "&sp=rw&" SE, "rw",
	       "the SAS does not say what it is for (sr, or ss and srt); quote it whole, or make a "
	       "new one");
	judged(HOST, SV "&sr=b&sp=rw", "rw",
	       "the SAS does not say its end (se); quote it whole, or make a new one");
	judged(HOST, SV "&sr=b&sp=%zz&" SE, "rw",
	       "the SAS is malformed (sp); quote it whole, or make a new one");
	judged(HOST, SV "&sr=b&sp=" LONG "&" SE, "rw",
	       "the SAS is malformed (sp); quote it whole, or make a new one");
	judged(HOST, SV "&sr=b%00&sp=rw&" SE, "rw",
	       "the SAS is malformed (sr); quote it whole, or make a new one");
	/* Nothing of it takes a terminal over. */
	judged(HOST, SV "&sr=%1b[2J&sp=rw&" SE, "rw",
	       "the SAS is for another kind of resource (sr=?[2J); make one with sr=b");
}

static void other_credentials(void **state)
{
	struct az_credential key = { 0 };
	struct az_url url = parse(HOST);
	char why[8] = "";

	(void)state;
	assert_int_equal(az_credential_set_key(&key, KEY), 0);
	assert_int_equal(az_sas_check(&key, &url, "rw", NOW, why, sizeof(why)), 0);
	az_credential_free(&key);
	/* A short buffer holds what fits. */
	assert_int_equal(az_credential_set_sas(&key, "sig=x"), 0);
	assert_int_equal(az_sas_check(&key, &url, "rw", NOW, why, sizeof(why)), -EACCES);
	assert_string_equal(why, "the SAS");
	az_credential_free(&key);
	az_url_free(&url);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_a_blob),	      cmocka_unit_test(of_a_blob_of_the_emulator),
		cmocka_unit_test(of_a_snapshot),      cmocka_unit_test(only_with_a_key),
		cmocka_unit_test(made_and_looked_at), cmocka_unit_test(those_that_will_do),
		cmocka_unit_test(permissions),	      cmocka_unit_test(times),
		cmocka_unit_test(resources),	      cmocka_unit_test(malformed),
		cmocka_unit_test(other_credentials),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
