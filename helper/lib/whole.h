/* SPDX-License-Identifier: MIT */
/*
 * whole.h - files read and written as a whole
 *
 * What read(2) and write(2) do in pieces, or not because of a signal, done to its end.
 * Errors are negative errno values.
 */
#ifndef LIB_WHOLE_H
#define LIB_WHOLE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* All of @len bytes, fewer at the end of the file only; their number or an error. */
ssize_t whole_read(int fd, void *buf, size_t len);
ssize_t whole_pread(int fd, void *buf, size_t len, uint64_t offset);

/* All of @len bytes: 0 or an error. */
int whole_write(int fd, const void *buf, size_t len);
int whole_pwrite(int fd, const void *buf, size_t len, uint64_t offset);

/* The directory that @path is in survives a power loss as it is: 0 or an error. */
int whole_sync_parent(const char *path);

#endif
