/* SPDX-License-Identifier: MIT */
/*
 * props.h - what the properties of a blob (struct az_props) say
 */
#ifndef AZURE_PROPS_H
#define AZURE_PROPS_H

#include "azure/client.h"
#include "lib/exit.h"

/*
 * Whether a blob holds what was to be copied to it: EXIT_OK, also where nothing ever was.
 * Else the exit status, and in @why what there is instead and what to do: EXIT_BUSY while
 * the copy goes on, EXIT_NOT_A_DRIVE when it failed or was aborted.
 */
enum exit_status az_props_copied(const struct az_props *p, char *why, size_t len);

#endif
