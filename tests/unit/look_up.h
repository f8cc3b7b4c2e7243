/* SPDX-License-Identifier: MIT */
/*
 * look_up.h - looks a name up as the client does it: in the loop
 */
#ifndef TESTS_LOOK_UP_H
#define TESTS_LOOK_UP_H

#include <stdlib.h>
#include <string.h>

#include "azure/resolver.h"

static void look_up_answered(void *arg)
{
	*(bool *)arg = true;
}

static enum az_name_state look_up(const char *host)
{
	enum az_name_state state;
	struct az_resolver *r;
	struct az_name *name;
	struct loop *loop;
	bool flag = false;

	if (loop_new(&loop) || az_resolver_new(&r, loop, look_up_answered, &flag))
		abort();
	name = az_resolver_name(r, host, strlen(host), 80);
	if (az_name_look_up(name) == AZ_NAME_ASKED)
		loop_run_until(loop, &flag);
	state = az_name_look_up(name);
	az_resolver_free(r);
	loop_free(loop);
	return state;
}

#endif
