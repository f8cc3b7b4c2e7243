// SPDX-License-Identifier: MIT
/* URLs as in clouddrivectl(8): which are accepted, which refused, and with which words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "azure/url.h"

static const struct good {
	const char *in, *host, *account, *container, *blob, *snapshot, *sas, *path, *text;
	bool https, path_style, loopback;
} good[] = {
	{
		.in = "https://acct.blob.core.windows.net/drives/disk1.vhd",
		.host = "acct.blob.core.windows.net",
		.account = "acct",
		.container = "drives",
		.blob = "disk1.vhd",
		.path = "/drives/disk1.vhd",
		.https = true,
	},
	{
		.in = "http://127.0.0.1:10000/devstoreaccount1/drives/a/b",
		.host = "127.0.0.1:10000",
		.account = "devstoreaccount1",
		.container = "drives",
		.blob = "a/b",
		.path = "/devstoreaccount1/drives/a/b",
		.path_style = true,
		.loopback = true,
	},
	{
		.in = "HTTP://LocalHost:80/acct/drives/D",
		.host = "localhost",
		.account = "acct",
		.container = "drives",
		.blob = "D",
		.path = "/acct/drives/D",
		.text = "http://localhost/acct/drives/D",
		.path_style = true,
		.loopback = true,
	},
	{
		.in = "https://[::1]:8443/acct/$root/x",
		.host = "[::1]:8443",
		.account = "acct",
		.container = "$root",
		.blob = "x",
		.path = "/acct/$root/x",
		.https = true,
		.path_style = true,
		.loopback = true,
	},
	{
		.in = "http://10.0.0.5:10000/acct/drives/x",
		.host = "10.0.0.5:10000",
		.account = "acct",
		.container = "drives",
		.blob = "x",
		.path = "/acct/drives/x",
		.path_style = true,
	},
	{
		.in = "https://acct.blob.core.windows.net:443/drives/%e2%82%ac%20(1)%3F.vhd"
		      "?sv=2021-08-06&snapshot=2026-11-20T10%3A00:00.1234567Z&sig=a%2Bb%3D",
		.host = "acct.blob.core.windows.net",
		.account = "acct",
		.container = "drives",
		.blob = "\xe2\x82\xac (1)?.vhd",
		.snapshot = "2026-11-20T10:00:00.1234567Z",
		.sas = "sv=2021-08-06&sig=a%2Bb%3D",
		.path = "/drives/%E2%82%AC%20%281%29%3F.vhd",
		.text = "https://acct.blob.core.windows.net/drives/%E2%82%AC%20%281%29%3F.vhd"
			"?snapshot=2026-11-20T10:00:00.1234567Z",
		.https = true,
	},
};

static void takes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		const struct good *g = &good[i];
		struct az_url u;
		char why[256], *s;

		if (az_url_parse(g->in, &u, why, sizeof(why)))
			fail_msg("%s: %s", g->in, why);
		assert_string_equal(u.host, g->host);
		assert_string_equal(u.account, g->account);
		assert_string_equal(u.container, g->container);
		assert_string_equal(u.blob, g->blob);
		assert_string_equal(u.snapshot ? u.snapshot : "", g->snapshot ? g->snapshot : "");
		assert_string_equal(u.sas ? u.sas : "", g->sas ? g->sas : "");
		assert_int_equal(u.https, g->https);
		assert_int_equal(u.path_style, g->path_style);
		assert_int_equal(az_url_loopback(&u), g->loopback);
		s = az_url_path(&u);
		assert_string_equal(s, g->path);
		free(s);
		s = az_url_text(&u);
		assert_string_equal(s, g->text ? g->text : g->in);
		free(s);
		az_url_free(&u);
	}
}

/* A URL, and what the message must hold. */
static const char *const bad[][2] = {
	{ "", "https://" },
	{ "disk1", "https://" },
	{ "ftp://a/b/c", "https://" },
	{ "https://", "no host" },
	{ "https:///c/b", "no host" },
	{ "https://acct.blob.core.windows.net", "no container" },
	{ "https://acct.blob.core.windows.net/drives", "no blob name" },
	{ "https://acct.blob.core.windows.net/drives/", "1 to 1024" },
	{ "https://acct.blob.core.windows.net?x/y", "no container" },
	{ "https://user:pw@acct.blob.core.windows.net/c00/b", "--key-file" },
	{ "https://acct.blob.core.windows.net/drives/b#x", "fragment" },
	{ "https://acct blob/drives/b", "character" },
	{ "https://acct_.x.net/drives/b", "not a host name" },
	{ "https://acct..net/drives/b", "not a host name" },
	{ "https://.acct.net/drives/b", "not a host name" },
	{ "https://ab.blob.core.windows.net/drives/b", "account name \"ab\"" },
	{ "https://my-acct.blob.core.windows.net/drives/b", "account name" },
	{ "http://127.0.0.1/drives/b", "/ACCOUNT/CONTAINER/BLOB" },
	{ "http://127.0.0.1/x", "/ACCOUNT/CONTAINER/BLOB" },
	{ "http://127.1/acct/drives/b", "not a host name or address" },
	{ "http://127.0.0.1.5/acct/drives/b", "not a host name or address" },
	{ "http://[::1/acct/drives/b", "IPv6" },
	{ "http://[1.2.3.4]/acct/drives/b", "IPv6" },
	{ "http://[::1]x/acct/drives/b", "IPv6" },
	{ "http://127.0.0.1:0/acct/drives/b", "port" },
	{ "http://127.0.0.1:65536/acct/drives/b", "port" },
	{ "http://127.0.0.1:12a/acct/drives/b", "port" },
	{ "http://127.0.0.1:/acct/drives/b", "port" },
	{ "http://127.0.0.1:1:2/acct/drives/b", "port" },
	{ "http://127.0.0.1/acct/AB/b", "container name \"AB\" must be 3 to 63" },
	{ "http://127.0.0.1/acct/a_b/b", "container name" },
	{ "http://127.0.0.1/acct/-abc/b", "dash" },
	{ "http://127.0.0.1/acct/ab--c/b", "dash" },
	{ "http://127.0.0.1/acct/%61bc%/b", "hexadecimal" },
	{ "http://127.0.0.1/acct/abc/%zz", "hexadecimal" },
	{ "http://127.0.0.1/acct/abc/a%00b", "hexadecimal" },
	{ "http://127.0.0.1/acct/abc/a%0ab", "control" },
	{ "http://127.0.0.1/acct/abc/a b", "%20" },
	{ "http://127.0.0.1/acct/abc/a\nb", "%20" },
	{ "http://127.0.0.1/acct/abc//b", "slash" },
	{ "http://127.0.0.1/acct/abc/b/", "slash" },
	{ "http://127.0.0.1/acct/abc/b.", "dot" },
	{ "http://127.0.0.1/acct/abc/x%5cb", "must not have a backslash" },
	{ "http://127.0.0.1/acct/abc/../b", "\"..\"" },
	{ "http://127.0.0.1/acct/abc/x/%2e%2e/b", "\"..\"" },
	{ "http://127.0.0.1/acct/abc/./b", "\".\"" },
	{ "http://127.0.0.1/acct/abc/b?foo=1", "parameter \"foo\"" },
	{ "http://127.0.0.1/acct/abc/b?snapshot=yesterday", "2026-" },
	{ "http://127.0.0.1/acct/abc/b?snapshot=", "2026-" },
	{ "http://127.0.0.1/acct/abc/b?snapshot=2026-11-20&snapshot=2026-11-20", "twice" },
	{ "http://127.0.0.1/acct/abc/b?sv=2021-08-06", "signature" },
	{ "http://127.0.0.1/acct/abc/b?sv=1&sig=", "signature" },
	{ "http://127.0.0.1/acct/abc/b?sv=1&&sig=x", "empty" },
	{ "http://127.0.0.1/acct/abc/b?sig=a b", "character" },
};

static void refuses(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct az_url u;
		char why[256] = "";

		if (az_url_parse(bad[i][0], &u, why, sizeof(why)) != -EINVAL)
			fail_msg("%s was taken", bad[i][0]);
		if (!strstr(why, bad[i][1]))
			fail_msg("%s: \"%s\" does not say \"%s\"", bad[i][0], why, bad[i][1]);
		assert_null(u.host);
	}
}

static void long_names(void **state)
{
	char url[4200] = "http://127.0.0.1/acct/abc/", why[256];
	size_t at = strlen(url);
	struct az_url u;

	(void)state;
	memset(url + at, 'b', 1024);
	assert_int_equal(az_url_parse(url, &u, why, sizeof(why)), 0);
	az_url_free(&u);
	url[at + 1024] = 'b';
	assert_int_equal(az_url_parse(url, &u, why, sizeof(why)), -EINVAL);
	/* 1024 characters of three bytes each are as good as 1024 letters */
	for (int i = 0; i < 1024; i++)
		memcpy(url + at + 3 * i, "\xe2\x82\xac", 3);
	url[at + 3 * 1024] = '\0';
	assert_int_equal(az_url_parse(url, &u, why, sizeof(why)), 0);
	az_url_free(&u);
}

/* Whatever is wrong, the message has nothing of the secret. */
static void secrets_stay_secret(void **state)
{
	static const char *const urls[] = {
		"http://127.0.0.1/acct/abc/b?sv=1&sig=SECRETsecret&foo=1",
		"http://127.0.0.1/acct/abc/b?sv=1&SECRETsecret",
		"http://127.0.0.1/acct/abc/b?sig=x&SECRETsecret=1",
		"http://127.0.0.1/acct/abc/b?sig=SECRET secret",
		"http://127.0.0.1/acct/abc/b.?sig=SECRETsecret",
		"http://127.0.0.1/acct/AB/b?sig=SECRETsecret",
		"http://127.0.0.1:x/acct/AB/b?sig=SECRETsecret",
		"http://127.0.0.1/acct/abc?sig=SECRETsecret",
		"http://127.0.0.1?sig=SECRETsecret",
	};
	char why[256], *text;
	struct az_url u;

	(void)state;
	for (size_t i = 0; i < sizeof(urls) / sizeof(*urls); i++) {
		assert_int_equal(az_url_parse(urls[i], &u, why, sizeof(why)), -EINVAL);
		if (strstr(why, "SECRET") || strstr(why, "secret"))
			fail_msg("%s", why);
	}
	assert_int_equal(
		az_url_parse("http://127.0.0.1/acct/abc/b?sig=SECRET", &u, why, sizeof(why)), 0);
	text = az_url_text(&u);
	assert_null(strstr(text, "SECRET"));
	free(text);
	az_url_free(&u);
}

static bool same(const char *a, const char *b)
{
	struct az_url ua, ub;
	char why[256];
	bool s;

	assert_int_equal(az_url_parse(a, &ua, why, sizeof(why)), 0);
	assert_int_equal(az_url_parse(b, &ub, why, sizeof(why)), 0);
	s = az_url_same(&ua, &ub);
	az_url_free(&ua);
	az_url_free(&ub);
	return s;
}

static void sameness(void **state)
{
	(void)state;
	assert_true(same("https://acct.x.net/abc/d", "https://ACCT.x.net:443/abc/%64?sig=x"));
	assert_false(same("https://acct.x.net/abc/d", "http://acct.x.net/abc/d"));
	assert_false(same("https://acct.x.net/abc/d", "https://acct.x.net/abc/D"));
	assert_false(same("https://acct.x.net/abc/d", "https://acct.x.net/abd/d"));
	assert_false(
		same("https://acct.x.net/abc/d", "https://acct.x.net/abc/d?snapshot=2026-11-20"));
	assert_true(same("https://acct.x.net/abc/d?snapshot=2026-11-20&sig=a",
			 "https://acct.x.net/abc/d?sig=b&snapshot=2026-11-20"));
}

/* No cut of a URL makes trouble, whatever it is taken for. */
static void every_prefix(void **state)
{
	const char *whole = good[5].in;
	char cut[256], why[8];
	struct az_url u;

	(void)state;
	for (size_t n = 0; n <= strlen(whole); n++) {
		memcpy(cut, whole, n);
		cut[n] = '\0';
		if (!az_url_parse(cut, &u, why, sizeof(why)))
			az_url_free(&u);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes),      cmocka_unit_test(refuses),
		cmocka_unit_test(long_names), cmocka_unit_test(secrets_stay_secret),
		cmocka_unit_test(sameness),   cmocka_unit_test(every_prefix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
