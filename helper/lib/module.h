/* SPDX-License-Identifier: MIT */
/*
 * module.h - cdrive.ko: loading it, and what to do when the kernel does not take it
 */
#ifndef LIB_MODULE_H
#define LIB_MODULE_H

#include <stdbool.h>
#include <stddef.h>

/* Loads it with libkmod unless it is there.  0, or a negative errno and a sentence in
 * @why that names the module and what to do. */
int module_load(char *why, size_t len);

/* The version of the protocol (CDRIVE_GENL_VERSION) of the module that is loaded; negative
 * errno. */
int module_protocol(void);

/*
 * The sentence for the error @err of loading it into kernel @release.  @signed_only: the
 * kernel is locked down (Secure Boot), so that EPERM is about the signature, too.
 */
void module_why(int err, const char *release, bool signed_only, char *why, size_t len);

/* Whether @text, the contents of /sys/kernel/security/lockdown, says so: the state
 * that holds is in brackets. */
bool module_locked_down(const char *text);

#endif
