/* SPDX-License-Identifier: MIT */
/*
 * module.h - loading and unloading cdrive.ko, in one system call each
 */
#ifndef STRESS_MODULE_H
#define STRESS_MODULE_H

/* $CDRIVE_KO.  0 or a negative errno. */
int module_load(void);
/* While others work with the family: who asks for it when it is not there has modprobe
 * load the module at the same time.  One that is loaded, by whomever, is 0. */
int module_load_again(void);
/* -EWOULDBLOCK: in use; -ENOENT: not loaded */
int module_unload(void);
/* Once it is not in use any more: files and dumps are done with a moment after they are
 * closed. */
int module_unload_unused(void);

#endif
