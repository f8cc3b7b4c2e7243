// SPDX-License-Identifier: MIT
/*
 * secret.c - memory for keys
 *
 *	| no access; holds the length | padding, the secret | no access |
 *
 * The secret ends where the last page begins, so that the first byte past it is a
 * fault; and it begins in the page after the first, so that it is found again.
 */
#include "lib/secret.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define ALIGN 16

static size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

static size_t round_up(size_t n, size_t to)
{
	return (n + to - 1) / to * to;
}

static int note_length(char *base, size_t page, size_t len)
{
	if (mprotect(base, page, PROT_READ | PROT_WRITE))
		return -errno;
	memcpy(base, &len, sizeof(len));
	return mprotect(base, page, PROT_NONE) ? -errno : 0;
}

/* What makes the @len bytes from @data on fit for a secret.  (mlock2, as the
 * sanitizers make nothing of mlock, and their tests are to see it.) */
static int protect(char *data, size_t len)
{
	if (mprotect(data, len, PROT_READ | PROT_WRITE) || mlock2(data, len, 0) ||
	    madvise(data, len, MADV_DONTDUMP) || madvise(data, len, MADV_WIPEONFORK))
		return -errno;
	return 0;
}

void *secret_alloc(size_t size)
{
	size_t page = page_size(), used, len;
	char *base;
	int err;

	if (size > SIZE_MAX / 2) {
		errno = ENOMEM;
		return NULL;
	}
	used = round_up(size ? size : 1, ALIGN);
	len = round_up(used, page);
	base = mmap(NULL, len + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (base == MAP_FAILED)
		return NULL;
	err = note_length(base, page, len);
	if (!err)
		err = protect(base + page, len);
	if (err) {
		munmap(base, len + 2 * page);
		errno = -err;
		return NULL;
	}
	return base + page + len - used;
}

void secret_free(void *p)
{
	size_t page = page_size(), len;
	char *data, *base;

	if (!p)
		return;
	data = (char *)p - (uintptr_t)p % page;
	base = data - page;
	/* Fails only for a pointer that is not ours: no way to go on. */
	if (mprotect(base, page, PROT_READ))
		__builtin_trap();
	memcpy(&len, base, sizeof(len));
	explicit_bzero(data, len);
	munmap(base, len + 2 * page);
}

int secret_protect_process(void)
{
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) || setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 }))
		return -errno;
	return 0;
}
