/* SPDX-License-Identifier: MIT */
/*
 * agent.h - the key holder: what `clouddrivectl mount` becomes
 *
 *	clouddrivectl mount ──fork── agent ──fork── spawner ──exec── clouddrived
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
 *	agent.c		the loop: channel, tokens, supervision, end
 *	spawner.c	the spawner, and the agent's side of it
 *	key.c		the credential, and the tokens made of it
 */
#ifndef AGENT_AGENT_H
#define AGENT_AGENT_H

#endif
