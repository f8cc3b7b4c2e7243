// SPDX-License-Identifier: MIT
/* Where credentials come from, in which order, and what is left of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "azure/credential.h"

#define KEY "c2VjcmV0LWtleS1vZi1hbi1hY2NvdW50" /* "secret-key-of-an-account" */
#define OTHER "b3RoZXIta2V5" /* "other-key" */
#define SAS "sv=2021-08-06&se=2026-11-20T10%3A00%3A00Z&sig=abc%3D"

static struct az_url url, url_sas;
static struct az_credential cred;
static char why[256];

static int clean(void **state)
{
	(void)state;
	unsetenv("AZURE_STORAGE_ACCOUNT");
	unsetenv("AZURE_STORAGE_CONNECTION_STRING");
	unsetenv("AZURE_STORAGE_KEY");
	unsetenv("AZURE_STORAGE_SAS_TOKEN");
	az_credential_free(&cred);
	return 0;
}

static void expect_key(const char *key)
{
	assert_int_equal(cred.kind, AZ_CREDENTIAL_KEY);
	assert_int_equal(cred.key_len, strlen(key));
	assert_memory_equal(cred.key, key, cred.key_len);
}

static void refused(int err, const char *key_file, const char *word)
{
	assert_int_equal(az_credential_load(&cred, &url, key_file, why, sizeof(why)), err);
	if (!strstr(why, word))
		fail_msg("\"%s\" does not say \"%s\"", why, word);
	assert_null(strstr(why, KEY));
	assert_int_equal(cred.kind, AZ_CREDENTIAL_NONE);
}

static void nothing(void **state)
{
	(void)state;
	refused(-ENOKEY, NULL, "--key-file");
}

static void key_from_environment(void **state)
{
	(void)state;
	setenv("AZURE_STORAGE_KEY", " " KEY "\n", 1);
	assert_int_equal(az_credential_load(&cred, &url, NULL, why, sizeof(why)), 0);
	expect_key("secret-key-of-an-account");
	/* no child inherits it */
	assert_null(getenv("AZURE_STORAGE_KEY"));
}

static void environment_is_wiped(void **state)
{
	char *value;

	(void)state;
	setenv("AZURE_STORAGE_SAS_TOKEN", SAS, 1);
	setenv("AZURE_STORAGE_KEY", KEY, 1);
	value = getenv("AZURE_STORAGE_SAS_TOKEN");
	assert_int_equal(az_credential_load(&cred, &url, NULL, why, sizeof(why)), 0);
	assert_null(getenv("AZURE_STORAGE_SAS_TOKEN")); /* though it was not used */
	assert_int_equal(*value, 0);
}

static void precedence(void **state)
{
	char path[] = "/tmp/cdrive-key-XXXXXX";
	int fd = mkstemp(path);

	(void)state;
	assert_int_equal(write(fd, OTHER "\n", strlen(OTHER) + 1), strlen(OTHER) + 1);
	close(fd);
	for (int sas = 0; sas < 2; sas++) {
		setenv("AZURE_STORAGE_KEY", KEY, 1);
		setenv("AZURE_STORAGE_SAS_TOKEN", SAS, 1);
		setenv("AZURE_STORAGE_CONNECTION_STRING", "AccountName=acct;AccountKey=" KEY, 1);
		assert_int_equal(az_credential_load(&cred, sas ? &url_sas : &url, path, why,
						    sizeof(why)),
				 0);
		if (sas) {
			assert_int_equal(cred.kind, AZ_CREDENTIAL_SAS);
			assert_string_equal(cred.sas, "sv=1&sig=url");
		} else {
			expect_key("other-key");
		}
		az_credential_free(&cred);
	}
	unlink(path);
	setenv("AZURE_STORAGE_KEY", OTHER, 1);
	setenv("AZURE_STORAGE_SAS_TOKEN", SAS, 1);
	setenv("AZURE_STORAGE_CONNECTION_STRING", "AccountName=acct;AccountKey=" KEY, 1);
	assert_int_equal(az_credential_load(&cred, &url, NULL, why, sizeof(why)), 0);
	expect_key("secret-key-of-an-account");
	az_credential_free(&cred);
	setenv("AZURE_STORAGE_SAS_TOKEN", "?" SAS, 1);
	assert_int_equal(az_credential_load(&cred, &url, NULL, why, sizeof(why)), 0);
	assert_string_equal(cred.sas, SAS);
}

static void key_files(void **state)
{
	char path[] = "/tmp/cdrive-key-XXXXXX";
	int fd = mkstemp(path);

	(void)state;
	refused(-EINVAL, path, "base64"); /* empty */
	assert_int_equal(write(fd, "not a key", 9), 9);
	refused(-EINVAL, path, "base64");
	close(fd);
	unlink(path);
	refused(-ENOENT, path, "No such file");
	refused(-EISDIR, "/tmp", "Is a directory");
	refused(-EINVAL, "/dev/zero", "base64"); /* bounded */
}

static void key_from_standard_input(void **state)
{
	int p[2], saved = dup(0);

	(void)state;
	assert_int_equal(pipe(p), 0);
	assert_int_equal(write(p[1], KEY "\n", strlen(KEY) + 1), strlen(KEY) + 1);
	close(p[1]);
	dup2(p[0], 0);
	close(p[0]);
	assert_int_equal(az_credential_load(&cred, &url, "-", why, sizeof(why)), 0);
	dup2(saved, 0);
	close(saved);
	expect_key("secret-key-of-an-account");
}

static void connection(const char *value)
{
	setenv("AZURE_STORAGE_CONNECTION_STRING", value, 1);
}

static void connection_strings(void **state)
{
	struct az_url dev;

	(void)state;
	connection("DefaultEndpointsProtocol=https;AccountName=acct;AccountKey=" KEY
		   ";EndpointSuffix=core.windows.net");
	assert_int_equal(az_credential_load(&cred, &url, NULL, why, sizeof(why)), 0);
	expect_key("secret-key-of-an-account");
	az_credential_free(&cred);
	connection("BlobEndpoint=https://acct.blob.core.windows.net/;SharedAccessSignature=" SAS);
	assert_int_equal(az_credential_load(&cred, &url, NULL, why, sizeof(why)), 0);
	assert_string_equal(cred.sas, SAS);
	az_credential_free(&cred);
	connection("AccountName=another;AccountKey=" KEY);
	refused(-EINVAL, NULL, "\"another\"");
	connection("AccountName=acct");
	refused(-EINVAL, NULL, "AccountKey");
	connection("AccountKey=" KEY);
	refused(-EINVAL, NULL, "AccountName");
	connection("AccountName=acct;AccountKey=" KEY "!");
	refused(-EINVAL, NULL, "base64");
	connection("AccountName=acct;SharedAccessSignature=sv=1");
	refused(-EINVAL, NULL, "SAS");
	connection("UseDevelopmentStorage=true");
	refused(-EINVAL, NULL, "devstoreaccount1");
	assert_int_equal(
		az_url_parse("http://127.0.0.1/devstoreaccount1/ccc/b", &dev, why, sizeof(why)), 0);
	connection("UseDevelopmentStorage=true;");
	assert_int_equal(az_credential_load(&cred, &dev, NULL, why, sizeof(why)), 0);
	assert_int_equal(cred.key_len, 64);
	az_url_free(&dev);
}

static void account_of_the_environment(void **state)
{
	(void)state;
	setenv("AZURE_STORAGE_ACCOUNT", "another", 1);
	setenv("AZURE_STORAGE_KEY", KEY, 1);
	refused(-EINVAL, NULL, "\"another\"");
	setenv("AZURE_STORAGE_ACCOUNT", "acct", 1);
	setenv("AZURE_STORAGE_KEY", KEY, 1);
	assert_int_equal(az_credential_load(&cred, &url, NULL, why, sizeof(why)), 0);
}

static void bad_secrets(void **state)
{
	static const char *const sas[] = { "", "?", "sv=1", "sig=", "sig=a b", "sig=a\nb", "sig=#" };
	static const char *const keys[] = { "", " ", "a", "YQ", "Y Q==", "YQ==x", KEY "=" };
	char big[200];

	(void)state;
	for (size_t i = 0; i < sizeof(sas) / sizeof(*sas); i++)
		assert_int_equal(az_credential_set_sas(&cred, sas[i]), -EINVAL);
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		assert_int_equal(az_credential_set_key(&cred, keys[i]), -EINVAL);
	memset(big, 'A', 88);
	big[88] = '\0';
	assert_int_equal(az_credential_set_key(&cred, big), -EINVAL); /* 66 bytes */
	memcpy(big + 86, "==", 2);
	assert_int_equal(az_credential_set_key(&cred, big), 0);
	assert_int_equal(cred.key_len, 64);
}

static void free_cleanses(void **state)
{
	static const struct az_credential zero;

	(void)state;
	assert_int_equal(az_credential_set_key(&cred, KEY), 0);
	az_credential_free(&cred);
	assert_memory_equal(&cred, &zero, sizeof(zero));
}

static void expiry(void **state)
{
	static const struct {
		const char *sas;
		int64_t when;
	} list[] = {
		{ "se=2026-11-20T10%3A00%3A00Z&sig=x", 1795168800 },
		{ "sig=x&se=2026-11-20T10:00:00.1234567Z", 1795168800 },
		{ "sig=x&se=2026-11-20T10:00Z", 1795168800 },
		{ "sig=x&se=2026-11-20T10:30%2B00:30", 1795168800 },
		{ "sig=x&se=2026-11-20", 1795132800 },
		{ "sig=x&se=2026-02-30", 0 },
		{ "sig=x&si=policy", 0 },
		/* a user delegation key ends its signatures */
		{ "sig=x&se=2026-11-21&ske=2026-11-20T10%3A00Z", 1795168800 },
		{ "sig=x&se=2026-11-20&ske=2026-11-21", 1795132800 },
		{ "sig=x&se=tomorrow", 0 },
		{ "sig=x&se=2026-11-20T10:00:00Zx", 0 },
		{ "sig=x&xse=2026-11-20", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(list) / sizeof(*list); i++) {
		assert_int_equal(az_credential_set_sas(&cred, list[i].sas), 0);
		assert_int_equal(az_credential_expiry(&cred), list[i].when);
	}
	az_credential_set_key(&cred, KEY);
	assert_int_equal(az_credential_expiry(&cred), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, clean, clean)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing),
		TEST(key_from_environment),
		TEST(environment_is_wiped),
		TEST(precedence),
		TEST(key_files),
		TEST(key_from_standard_input),
		TEST(connection_strings),
		TEST(account_of_the_environment),
		TEST(bad_secrets),
		TEST(free_cleanses),
		TEST(expiry),
	};
	int failed;

	az_url_parse("https://acct.blob.core.windows.net/drives/d", &url, why, sizeof(why));
	az_url_parse("https://acct.blob.core.windows.net/drives/d?sv=1&sig=url", &url_sas, why,
		     sizeof(why));
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	az_url_free(&url);
	az_url_free(&url_sas);
	return failed;
}
