/* SPDX-License-Identifier: GPL-2.0-only */
/* helper.h - who carries out a drive's requests: the socket that is its right */
#ifndef _CDRIVE_HELPER_H
#define _CDRIVE_HELPER_H

#include <linux/types.h>

struct sock;

/*
 * What a helper may say is decided by its socket's cookie, which no other socket
 * ever has: a port id can be had again by anybody the moment that its socket
 * closes, before that is noticed here.  The socket itself is there for as long as
 * this is: it is not freed before cdrive_helper_gone() was told of its closing.
 */
struct cdrive_helper {
	u64 cookie;		/* 0: there is no helper */
	const struct sock *sk;
	u32 portid;		/* where messages to it go */
	pid_t pid;		/* for people */
};

/* What tells that socket from all others, of the past and to come; never 0. */
u64 cdrive_helper_cookie(struct sock *sk);

/* There is a helper, and it has the socket of that cookie. */
static inline bool cdrive_helper_is(const struct cdrive_helper *helper,
				    u64 cookie)
{
	return cookie && helper->cookie == cookie;
}

/* There is a helper, and its socket, which was @portid, sends nothing any more. */
bool cdrive_helper_is_closed(const struct cdrive_helper *helper, u32 portid);

#endif /* _CDRIVE_HELPER_H */
