/* SPDX-License-Identifier: MIT */
/*
 * agent.h - the key holder: what `clouddrivectl mount` leaves behind
 *
 *	clouddrivectl mount ──exec── agent ──fork── spawner ──exec── clouddrived
 *	   (prints, exits)           holds the key   no key           no key
 *
 * The agent holds the account key (or, for a drive mounted with a SAS, the SAS) in
 * memory of secret.h, makes blob-scoped SAS tokens of it, and hands its helper
 * a fresh one every sixth of their lifetime, over the agent channel of
 * lib/runtime.h.  It supervises: a helper that died is started again at once, and
 * adopts the drive.  It needs no privileges for that: the spawner, a process with
 * neither key nor network, forks and execs helpers at its request and passes
 * their sockets back; it ends when the agent does.
 *
 * The agent is this program again, started as `clouddrivectl agent FD`, so that its
 * memory holds nothing of what mount read or was given; the spawner is forked
 * before the key comes.  FD is a SOCK_SEQPACKET socket, on which mount says
 *
 *	{"url", "key" (base64) or "sas", "lifetime": seconds of a token, "read_only",
 *	 "force", "connections", "park_limit" (optional), "foreground",
 *	 "adopt": N (optional: a drive whose helper is gone),
 *	 "join": N (optional: a drive whose helper lives, and whose agent is gone)}
 *
 * and which brings the helper's first response (lib/runtime.h).  Closing its writing side
 * before that undoes everything; afterwards it stays open until the agent ends,
 * for a mount that stays in the foreground.
 *
 * With a second descriptor (`clouddrivectl agent FD MOUNT`) it is the successor of an agent
 * of another version (handover.h), which is at FD in mount's place; MOUNT is mount.
 *
 * It ends when its drive is gone, is fenced without helper, or has a helper that
 * isn't its own; when it was replaced; or by a signal, and the drive goes on without it for as long as
 * the last token is valid.
 *
 *	agent.c		its start, its locks, signals, and end
 *	supervise.c	the helper: channel, tokens, supervision
 *	handover.c	giving the drive to an agent of another version
 *	spawner.c	the spawner, and the agent's side of it
 *	key.c		the credential, and the tokens made of it, and when
 *	restart.c	when a new helper is started
 *	lock.c		lock files in the runtime directory
 */
#ifndef AGENT_AGENT_H
#define AGENT_AGENT_H

/* All of `clouddrivectl agent FD`, given the process's own argv: its exit status. */
int agent_main(int argc, char **argv);

#endif
