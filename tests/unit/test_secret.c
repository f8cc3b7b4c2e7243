// SPDX-License-Identifier: MIT
/* Memory for keys: locked, not dumped, not inherited, fenced in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <cap-ng.h>
#include <errno.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/secret.h"

/* What @body returns in a child of its own, or minus the signal that it died of. */
static int in_child(int (*body)(void *), void *arg)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		signal(SIGSEGV, SIG_DFL);
		signal(SIGBUS, SIG_DFL);
		_exit(body(arg));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

/* The flags of the mapping that @p is in, as smaps shows them. */
static void vm_flags(const void *p, char *out, size_t size)
{
	FILE *f = fopen("/proc/self/smaps", "re");
	unsigned long from, to;
	bool inside = false;
	char line[512];

	*out = '\0';
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			inside = (uintptr_t)p >= from && (uintptr_t)p < to;
		else if (inside && !strncmp(line, "VmFlags:", 8))
			snprintf(out, size, "%s", line + 8);
	}
	fclose(f);
}

static void flags(void **state)
{
	static const char *const needed[] = { " lo", " dd", " wf" };
	char *p = secret_alloc(64), *ordinary = malloc(64);
	char found[256];

	(void)state;
	assert_non_null(p);
	vm_flags(p, found, sizeof(found));
	for (size_t i = 0; i < sizeof(needed) / sizeof(*needed); i++)
		if (!strstr(found, needed[i]))
			fail_msg("no%s in%s", needed[i], found);
	/* The test can tell: other memory has none of them. */
	vm_flags(ordinary, found, sizeof(found));
	assert_null(strstr(found, " wf"));
	assert_null(strstr(found, " lo"));
	free(ordinary);
	secret_free(p);
}

static void sizes(void **state)
{
	static const size_t list[] = { 0, 1, 15, 16, 64, 4095, 4096, 4097, 3 * 4096, 100000 };

	(void)state;
	for (size_t i = 0; i < sizeof(list) / sizeof(*list); i++) {
		unsigned char *p = secret_alloc(list[i]);

		assert_non_null(p);
		assert_int_equal((uintptr_t)p % 16, 0);
		for (size_t k = 0; k < list[i]; k++)
			assert_int_equal(p[k], 0);
		memset(p, 0xa5, list[i]);
		secret_free(p);
	}
	secret_free(NULL);
	errno = 0;
	assert_null(secret_alloc(SIZE_MAX - 5));
	assert_int_equal(errno, ENOMEM);
}

/* Gone from the address space: nothing is left to be read. */
static void freed(void **state)
{
	unsigned char *p = secret_alloc(64);
	unsigned char resident;

	(void)state;
	secret_free(p);
	errno = 0;
	assert_int_equal(mincore(p - (uintptr_t)p % 4096, 4096, &resident), -1);
	assert_int_equal(errno, ENOMEM);
}

static int read_byte(void *arg)
{
	return *(volatile unsigned char *)arg;
}

static void guards(void **state)
{
	char *p = secret_alloc(64);
	char *page = p - (uintptr_t)p % 4096;

	(void)state;
	p[63] = 7;
	assert_int_equal(in_child(read_byte, p + 64), -SIGSEGV);
	assert_int_equal(in_child(read_byte, page - 1), -SIGSEGV);
	assert_int_equal(in_child(read_byte, page - 4096), -SIGSEGV);
	secret_free(p);
}

static void empty_in_a_child(void **state)
{
	char *p = secret_alloc(64);
	char *ordinary = malloc(1);

	(void)state;
	*p = *ordinary = 42;
	assert_int_equal(in_child(read_byte, ordinary), 42);
	assert_int_equal(in_child(read_byte, p), 0);
	assert_int_equal(*p, 42);
	free(ordinary);
	secret_free(p);
}

static int unlockable(void *arg)
{
	void *p;

	(void)arg;
	capng_clear(CAPNG_SELECT_CAPS);
	capng_apply(CAPNG_SELECT_CAPS);
	setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){ 0, 0 });
	errno = 0;
	p = secret_alloc(64);
	return p ? 100 : errno;
}

/* Rather none than one that may be swapped out. */
static void not_without_a_lock(void **state)
{
	(void)state;
	assert_int_equal(in_child(unlockable, NULL), EPERM);
}

static int protected(void *arg)
{
	struct rlimit core;

	(void)arg;
	if (prctl(PR_GET_DUMPABLE) != 1)
		return 1;
	if (secret_protect_process() || prctl(PR_GET_DUMPABLE) != 0 ||
	    getrlimit(RLIMIT_CORE, &core))
		return 2;
	return core.rlim_cur || core.rlim_max ? 3 : 0;
}

/* Where that is not allowed it says so. */
static int unprotectable(void *arg)
{
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_ALLOW);

	if (!f || seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), *(int *)arg, 0) || seccomp_load(f))
		return 1;
	return secret_protect_process() == -EPERM ? 0 : 2;
}

static void whole_process(void **state)
{
	(void)state;
	assert_int_equal(in_child(protected, NULL), 0);
	assert_int_equal(in_child(unprotectable, &(int){ SCMP_SYS(prctl) }), 0);
	assert_int_equal(in_child(unprotectable, &(int){ SCMP_SYS(prlimit64) }), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flags),
		cmocka_unit_test(sizes),
		cmocka_unit_test(freed),
		cmocka_unit_test(guards),
		cmocka_unit_test(empty_in_a_child),
		cmocka_unit_test(not_without_a_lock),
		cmocka_unit_test(whole_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
