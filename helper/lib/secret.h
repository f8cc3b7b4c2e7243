/* SPDX-License-Identifier: MIT */
/*
 * secret.h - memory for keys
 *
 * Pages of their own, locked (never swapped), left out of cores, empty in a child
 * after fork(2), with inaccessible pages around them; cleansed when freed.
 */
#ifndef LIB_SECRET_H
#define LIB_SECRET_H

#include <stddef.h>

/* Zeroed; NULL with errno when it can't be had, or can't be locked. */
void *secret_alloc(size_t size);
/* NULL is fine. */
void secret_free(void *p);

/* For the whole process, before it reads a secret: not dumpable (so that no other
 * process of the user's may trace it or read its memory), no cores. 0 or a negative errno:
 * the caller should not go on. */
int secret_protect_process(void);

#endif
