// SPDX-License-Identifier: MIT
/*
 * What mount says when the kernel does not take the module, above all for want of a
 * signature: kernels with Secure Boot say so in several ways.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "lib/module.h"

static const char *why(int err, bool signed_only)
{
	static char text[512];

	memset(text, 'x', sizeof(text));
	module_why(err, "6.1.0-test", signed_only, text, sizeof(text));
	assert_non_null(memchr(text, '\0', sizeof(text)));
	return text;
}

static void says(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" has no \"%s\"", text, part);
}

static void a_kernel_that_wants_a_signature_is_told_of_the_key(void **state)
{
	static const int errors[] = { -EKEYREJECTED, -ENOKEY, -ENODATA, -EBADMSG };

	(void)state;
	for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
		says(why(errors[i], false), "Secure Boot");
		says(why(errors[i], true), "mokutil --import /var/lib/dkms/mok.pub");
		says(why(errors[i], true), strerror(-errors[i]));
	}
}

/* Lockdown refuses with EPERM, as it does root without the capability. */
static void a_locked_kernels_eperm_is_about_the_signature(void **state)
{
	(void)state;
	says(why(-EPERM, true), "mokutil --import /var/lib/dkms/mok.pub");
	says(why(-EPERM, false), "CAP_SYS_MODULE");
	assert_null(strstr(why(-EPERM, false), "mokutil"));
}

static void lockdown_is_what_is_in_brackets(void **state)
{
	(void)state;
	assert_false(module_locked_down(""));
	assert_false(module_locked_down("[none] integrity confidentiality\n"));
	assert_true(module_locked_down("none [integrity] confidentiality\n"));
	assert_true(module_locked_down("none integrity [confidentiality]\n"));
}

static void what_is_missing_is_named(void **state)
{
	(void)state;
	says(why(-ENOENT, true), "linux-headers-6.1.0-test");
	says(why(-ENOENT, true), "clouddrive-dkms");
	says(why(-EACCES, true), "modprobe.d");
	says(why(-ENOEXEC, true), "6.1.0-test");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_kernel_that_wants_a_signature_is_told_of_the_key),
		cmocka_unit_test(a_locked_kernels_eperm_is_about_the_signature),
		cmocka_unit_test(lockdown_is_what_is_in_brackets),
		cmocka_unit_test(what_is_missing_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
