/* SPDX-License-Identifier: MIT */
/* sandbox_parts.h - what sandbox_enter() is put together of */
#ifndef LIB_SANDBOX_PARTS_H
#define LIB_SANDBOX_PARTS_H

#include "lib/sandbox.h"

/* 0 or -errno.  Both take no_new_privs, and last for good. */
int sandbox_files(enum sandbox which);
int sandbox_calls(enum sandbox which);

#endif
