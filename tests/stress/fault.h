/* SPDX-License-Identifier: MIT */
/*
 * fault.h - allocations that fail, by the kernel's fault injection
 *
 * Documentation/fault-injection/fault-injection.rst of the kernel.
 */
#ifndef STRESS_FAULT_H
#define STRESS_FAULT_H

#include <stdbool.h>

/* What the kernel lacks for it, or NULL; prepares it. */
const char *fault_lacks(void);
const char *fault_module_lacks(void);

/* The @n-th that this thread makes from now on, in any part of the kernel. */
void fault_arm(unsigned int n);
/* Whether it came to that; again, until the next time. */
bool fault_disarm(void);

/*
 * Of those that the module has to do with (it is on the stack), whoever makes them: one,
 * after others of @bytes in all; or each with that probability, in percent.  The module is
 * loaded.
 */
void fault_arm_module(int bytes);
void fault_arm_module_often(unsigned int percent);
/* Whether one has failed; @bytes, if not NULL: those left. */
bool fault_disarm_module(int *bytes);

#endif
