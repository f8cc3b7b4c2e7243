/* SPDX-License-Identifier: MIT */
/*
 * key.h - the credential of a drive, and the tokens (SAS) made of it
 */
#ifndef AGENT_KEY_H
#define AGENT_KEY_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "azure/url.h"

struct key;

/* From "key" or "sas" of mount's request, into memory of secret.h; NULL with errno:
 * EINVAL when it has neither. */
struct key *key_new(const json_t *request, unsigned int lifetime_s);
void key_free(struct key *key); /* cleanses; NULL is fine */

/* The reverse, with "lifetime", for another agent: 0 or -ENOMEM. */
int key_put(const struct key *key, json_t *request);

/* Whether it is an account key, so that fresh tokens can be made. */
bool key_signs(const struct key *key);

/* What a helper gets at time @now (since the epoch): a token for @url, or the SAS.
 * malloc'ed, to be freed by text_free_secret(); NULL when memory is out. */
char *key_token(const struct key *key, const struct az_url *url, int64_t now);

/*
 * By how many seconds the service's clock is ahead of this machine's, of what a helper says
 * (@told): it reads that off the service's responses.  A helper that was taken over could
 * say anything, and would be given tokens for later by it: so it is KEY_AHEAD_MOST_S at
 * most.  What a token is worth that is for earlier only it has to know.
 */
#define KEY_AHEAD_MOST_S 3600
#define KEY_BEHIND_MOST_S (366 * 86400)
int64_t key_clock_ahead(int64_t told);

/* How long tokens live unless told otherwise: a drive outlives its agent by 25 to 30
 * minutes, which follows from this and the sixth. */
#define KEY_LIFETIME_S 1800

/* A fresh token this often: after 1/6 of the lifetime, but at most every second. */
unsigned int key_refresh_s(unsigned int lifetime_s);

/* When what key_token() gave at @now ends; 0: not known (a stored access policy). */
int64_t key_token_expiry(const struct key *key, int64_t now);

/* A user handed in another SAS; 0, or -EINVAL: it is none, or there is a key. */
int key_replace(struct key *key, const char *sas);

#endif
