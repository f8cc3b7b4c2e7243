// SPDX-License-Identifier: MIT
/* Command lines and messages of clouddrivectl; its files are no library. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Before cmocka.h, which has a macro fail(). */
#include "../../helper/command/message.c"
#include "../../helper/command/options.c"

#include <cmocka.h>

/* --- what was said ---------------------------------------------------------- */

static FILE *real_stderr;
static char *said;
static size_t said_len;

static void listen_up(void)
{
	real_stderr = stderr;
	stderr = open_memstream(&said, &said_len);
}

/* The line, and silence again; the caller frees it. */
static char *heard(void)
{
	fclose(stderr);
	stderr = real_stderr;
	return said;
}

static int set_up(void **state)
{
	(void)state;
	command_verb = "verb";
	return 0;
}

/* --- sizes -------------------------------------------------------------------- */

static void sizes(void **state)
{
	static const struct {
		const char *text;
		int err;
		uint64_t bytes;
	} cases[] = {
		{ "0", 0, 0 },
		{ "1", 0, 1 },
		{ "512", 0, 512 },
		{ "1K", 0, 1024 },
		{ "1k", 0, 1024 },
		{ "10M", 0, 10485760 },
		{ "3g", 0, 3221225472 },
		{ "8T", 0, 8796093022208 },
		{ "18446744073709551615", 0, UINT64_MAX },
		{ "16777215T", 0, 16777215ull << 40 },
		{ "16777216T", -ERANGE, 0 },
		{ "18446744073709551616", -ERANGE, 0 },
		{ "99999999999999999999999", -ERANGE, 0 },
		{ "", -EINVAL, 0 },
		{ "G", -EINVAL, 0 },
		{ "-1", -EINVAL, 0 },
		{ "+1", -EINVAL, 0 },
		{ " 1", -EINVAL, 0 },
		{ "1 ", -EINVAL, 0 },
		{ "1.5G", -EINVAL, 0 },
		{ "1GB", -EINVAL, 0 },
		{ "1GiB", -EINVAL, 0 },
		{ "1X", -EINVAL, 0 },
		{ "0x10", -EINVAL, 0 },
		{ "ten", -EINVAL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t bytes = 0;

		assert_int_equal(parse_size(cases[i].text, &bytes), cases[i].err);
		if (!cases[i].err)
			assert_true(bytes == cases[i].bytes);
	}
}

static void sizes_for_people(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} cases[] = {
		{ 0, "0" },
		{ 1023, "1023" },
		{ 1024, "1K" },
		{ 1536, "1.5K" },
		{ 10ull << 30, "10G" },
		{ 8ull << 40, "8T" },
		{ (10ull << 30) + (512ull << 20), "10.5G" },
		{ UINT64_MAX, "16E" },
	};
	char buf[16];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(size_text(cases[i].bytes, buf, sizeof(buf)), cases[i].text);
}

/* --- options ------------------------------------------------------------------- */

struct parsed {
	bool flag;
	const char *text, *first, *second;
	uint64_t size, number;
};

static int parse(struct parsed *p, char **argv)
{
	const struct option options[] = {
		FLAG("flag", &p->flag),
		TEXT("text", &p->text),
		SIZE("size", &p->size),
		NUMBER("number", &p->number, 1, 128),
		{ 0 },
	};
	const struct argument arguments[] = {
		ARGUMENT("FIRST", &p->first),
		OPTIONAL("SECOND", &p->second),
		{ 0 },
	};
	int argc = 0;

	*p = (struct parsed){ 0 };
	while (argv[argc])
		argc++;
	return options_parse(argc, argv, options, arguments);
}

#define ARGV(...) ((char *[]){ "verb", __VA_ARGS__, NULL })

static void options_anywhere(void **state)
{
	struct parsed p;

	(void)state;
	assert_int_equal(parse(&p, ARGV("--flag", "one", "--text", "t", "--size=2K", "two",
					"--number", "128")),
			 EXIT_OK);
	assert_true(p.flag);
	assert_string_equal(p.text, "t");
	assert_string_equal(p.first, "one");
	assert_string_equal(p.second, "two");
	assert_int_equal(p.size, 2048);
	assert_int_equal(p.number, 128);
	assert_int_equal(parse(&p, ARGV("one")), EXIT_OK);
	assert_false(p.flag);
	assert_null(p.second);
	/* A value may be empty, look like an option, or be a dash. */
	assert_int_equal(parse(&p, ARGV("one", "--text=")), EXIT_OK);
	assert_string_equal(p.text, "");
	assert_int_equal(parse(&p, ARGV("one", "--text", "--flag")), EXIT_OK);
	assert_string_equal(p.text, "--flag");
	assert_int_equal(parse(&p, ARGV("-")), EXIT_OK);
	assert_string_equal(p.first, "-");
	assert_int_equal(parse(&p, ARGV("--", "--flag", "--")), EXIT_OK);
	assert_string_equal(p.first, "--flag");
	assert_string_equal(p.second, "--");
}

static void refused(char **argv, const char *expected)
{
	struct parsed p;
	char line[256];
	char *s;
	int status;

	listen_up();
	status = parse(&p, argv);
	s = heard();
	snprintf(line, sizeof(line), "clouddrivectl: verb: %s; see clouddrivectl verb --help\n",
		 expected);
	assert_string_equal(s, line);
	assert_int_equal(status, EXIT_USAGE);
	free(s);
}

static void what_is_wrong_is_named(void **state)
{
	(void)state;
	refused((char *[]){ "verb", NULL }, "FIRST: missing");
	refused(ARGV("a", "b", "/c"), "/c: one argument too many");
	refused(ARGV("a", "--cache", "1G"), "--cache: no such option");
	refused(ARGV("a", "--cache=1G"), "--cache: no such option");
	refused(ARGV("a", "--fl"), "--fl: no such option");
	refused(ARGV("a", "--flags"), "--flags: no such option");
	refused(ARGV("a", "-f"), "-f: no such option");
	refused(ARGV("a", "---flag"), "---flag: no such option");
	refused(ARGV("a", "--=x"), "--: no such option");
	refused(ARGV("a", "--flag=yes"), "--flag: takes no value");
	refused(ARGV("a", "--text"), "--text: takes a value");
	refused(ARGV("a", "--size", "big"),
		"--size: not a size, which is a number and K, M, G or T");
	refused(ARGV("a", "--size", "99999999T"), "--size: too large");
	refused(ARGV("a", "--number", "0"), "--number: not a number from 1 to 128");
	refused(ARGV("a", "--number=129"), "--number: not a number from 1 to 128");
	refused(ARGV("a", "--number", "1x"), "--number: not a number from 1 to 128");
	refused(ARGV("a", "--number", ""), "--number: not a number from 1 to 128");
}

/* --- secrets ------------------------------------------------------------------- */

static void shows(const char *arg, const char *expected)
{
	char *s = redacted(arg);

	assert_string_equal(s, expected);
	free(s);
}

static void secrets_are_not_shown(void **state)
{
	(void)state;
	shows("https://a.b/c/d?sv=1&sig=SECRET", "https://a.b/c/d");
	shows("https://a.b/c/d#SECRET", "https://a.b/c/d");
	shows("https://a.b?SECRET", "https://a.b");
	shows("https://user:SECRET@a.b/c/d", "https://a.b/c/d");
	shows("https://SECRET@a.b?SECRET", "https://a.b");
	shows("https://a.b/c/d@e", "https://a.b/c/d@e");
	shows("/mnt/disk", "/mnt/disk");
	shows("./disk", "./disk");
	shows("U0VDUkVU", "argument");
	shows("", "argument");
	refused(ARGV("a", "b", "https://a.b/c?sig=SECRET"), "https://a.b/c: one argument too many");
	refused(ARGV("a", "b", "U0VDUkVU"), "argument: one argument too many");
	refused(ARGV("a", "--key=U0VDUkVU"), "--key: no such option");
}

/* --- messages ------------------------------------------------------------------ */

static void a_message_is_one_line(void **state)
{
	char *s;

	(void)state;
	listen_up();
	assert_int_equal((fail)(EXIT_BUSY, "a\nb\r\033[31m%s", "\x7f\xc3\xbc"), EXIT_BUSY);
	s = heard();
	assert_string_equal(s, "clouddrivectl: verb: a?b??[31m?\xc3\xbc\n");
	free(s);
}

static int status_of(const char *json, const char *expected)
{
	json_t *response = json_loads(json, 0, NULL);
	char *s;
	int status;

	listen_up();
	status = fail_response(response);
	s = heard();
	assert_string_equal(s, expected);
	free(s);
	json_decref(response);
	return status;
}

static void answers(void **state)
{
	(void)state;
	assert_int_equal(status_of("{\"index\": 1}", ""), EXIT_OK);
	assert_int_equal(status_of("{\"error\": {\"exit\": 5, \"message\": \"u: leased; wait\"}}",
				   "clouddrivectl: verb: u: leased; wait\n"),
			 EXIT_LEASED);
	assert_int_equal(status_of("{\"error\": {\"exit\": 0, \"message\": \"m\"}}",
				   "clouddrivectl: verb: m\n"),
			 EXIT_FAILED);
	assert_int_equal(status_of("{\"error\": {\"exit\": 99}}",
				   "clouddrivectl: verb: the helper failed\n"),
			 EXIT_FAILED);
	assert_int_equal(status_of("{\"error\": 1}", "clouddrivectl: verb: the helper failed\n"),
			 EXIT_FAILED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes),
		cmocka_unit_test(sizes_for_people),
		cmocka_unit_test(options_anywhere),
		cmocka_unit_test(what_is_wrong_is_named),
		cmocka_unit_test(secrets_are_not_shown),
		cmocka_unit_test(a_message_is_one_line),
		cmocka_unit_test(answers),
	};

	return cmocka_run_group_tests_name("options", tests, set_up, NULL);
}
