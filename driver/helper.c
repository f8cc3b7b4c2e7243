// SPDX-License-Identifier: GPL-2.0-only
#include "helper.h"

#include <linux/sock_diag.h>
#include <net/sock.h>

u64 cdrive_helper_cookie(struct sock *sk)
{
	u32 cookie[2];

	sock_diag_save_cookie(sk, cookie);
	return (u64)cookie[1] << 32 | cookie[0];
}

bool cdrive_helper_is_closed(const struct cdrive_helper *helper, u32 portid)
{
	return helper->cookie && helper->portid == portid &&
	       sock_flag(helper->sk, SOCK_DEAD);
}
