/* SPDX-License-Identifier: MIT */
/*
 * storage_fixture.h - a storage in a directory of its own, for one test
 *
 * In memory where there is a /dev/shm, so that durable storage is tested at speed.
 */
#ifndef STORAGE_FIXTURE_H
#define STORAGE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "devstore/storage/storage.h"

#define OK(call) assert_int_equal(call, 0)
#define KEY(blob) ((struct storage_key){ "account", "container", blob, NULL })
#define SNAPSHOT(blob, time) ((struct storage_key){ "account", "container", blob, time })
#define META(text) ((struct storage_meta){ text, sizeof(text) - 1 })

struct fixture {
	char dir[64];
	struct storage *s;
	bool durable;
};

static inline void fixture_open(struct fixture *f)
{
	OK(storage_open(&f->s, f->dir, f->durable));
}

static inline void fixture_close(struct fixture *f)
{
	storage_close(f->s);
	f->s = NULL;
}

static inline void fixture_reopen(struct fixture *f)
{
	fixture_close(f);
	fixture_open(f);
}

static inline struct fixture *fixture_new(bool durable)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	snprintf(f->dir, sizeof(f->dir), "%s/storage-test-XXXXXX",
		 access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
	assert_non_null(mkdtemp(f->dir));
	f->durable = durable;
	fixture_open(f);
	OK(storage_container_create(f->s, &KEY(NULL), META("container")));
	return f;
}

static inline int fixture_remove(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static inline void fixture_free(struct fixture *f)
{
	storage_close(f->s);
	nftw(f->dir, fixture_remove, 16, FTW_DEPTH | FTW_PHYS);
	free(f);
}

static inline struct storage_blob *fixture_get(struct fixture *f, struct storage_key key)
{
	struct storage_blob *b;

	OK(storage_blob_get(f->s, &key, &b));
	return b;
}

/* A blob, open. */
static inline struct storage_blob *fixture_blob(struct fixture *f, const char *name, uint64_t size)
{
	OK(storage_blob_create(f->s, &KEY(name), size, META("blob")));
	return fixture_get(f, KEY(name));
}

/* Runs @work on the storage in a process that ends without closing it. */
static inline void die_after(struct fixture *f, void (*work)(struct fixture *f))
{
	int status;
	pid_t pid;

	fixture_close(f);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		fixture_open(f);
		work(f);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	assert_true(WIFEXITED(status) && !WEXITSTATUS(status));
	fixture_open(f);
}

/* Numbers that are the same at every run. */
static uint64_t fixture_seed = 1;

static inline uint64_t chance(uint64_t below)
{
	fixture_seed ^= fixture_seed << 13;
	fixture_seed ^= fixture_seed >> 7;
	fixture_seed ^= fixture_seed << 17;
	return (fixture_seed >> 8) % below;
}

static inline void fill(void *buf, size_t len)
{
	unsigned char *p = buf;

	for (size_t i = 0; i < len; i++)
		p[i] = (unsigned char)chance(256);
}

#endif
