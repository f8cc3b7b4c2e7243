/* SPDX-License-Identifier: MIT */
/*
 * auth.h - who may do what: account keys, SharedKey, shared access signatures
 *
 * This is the verifier: it reads what arrived and makes the string to sign of
 * it by the documentation ("Authorize with Shared Key", "Create an account
 * SAS", "Create a service SAS"), without any of the client's code.  Pure but
 * for the cached HMAC states of the accounts.
 *
 * A refusal tells nothing of what exists.  It is made before anything is looked up,
 * except the stored access policy of a correct signature; and a missing policy,
 * container or account is answered like a wrong signature.
 */
#ifndef DEVSTORE_AUTH_H
#define DEVSTORE_AUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/evp.h>

#include "devstore/request/request.h"
#include "lib/text.h"

#define DS_DEV_ACCOUNT "devstoreaccount1"
/* The published key of every emulator; no secret. */
#define DS_DEV_KEY                                    \
	"Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ" \
	"6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

#define DS_MAX_ACCOUNTS 64
#define DS_MAC 32

struct ds_account {
	char name[25];
	EVP_MAC_CTX *mac; /* keyed */
};

struct ds_accounts {
	struct ds_account account[DS_MAX_ACCOUNTS];
	size_t count;
	struct ds_account nobody; /* with a random key: who asks for no account waits as long */
	struct text string; /* to sign */
	const char *detail; /* of the last refusal, for the client; in the request's arena */
};

/* What an operation asks of a signature. */
struct ds_need {
	char resource; /* 's', 'c' or 'o' of an account SAS; '\0': any */
	const char *account; /* one of these permissions; "": no account SAS will do */
	const char *service; /* the same for a service SAS */
	bool snapshot_of; /* a SAS of the blob is one of its snapshots too */
};

/* "Define a stored access policy"; times are 0 and permissions "" where it
 * leaves them open. */
struct ds_policy {
	char id[65];
	int64_t start, expiry;
	char permissions[16];
};

/* Finds a stored access policy of a container; false: there is none. */
typedef bool (*ds_policy_fn)(void *arg, const char *account, const char *container, const char *id,
			     struct ds_policy *out);

/* How a request was authorised. */
struct ds_grant {
	bool sas;
	char permissions[32]; /* of the SAS */
	/* rscc, rscd, rsce, rscl, rsct: what the SAS says of the response's headers */
	const char *override[5];
};

int ds_accounts_init(struct ds_accounts *a);
void ds_accounts_free(struct ds_accounts *a);
/* @key: base64.  -EINVAL: not a name or key; -EEXIST. */
int ds_accounts_add(struct ds_accounts *a, const char *name, const char *key);

/* DS_OK, or why not, with a->detail set (or NULL).  @now: ticks. */
enum ds_err ds_authorize(struct ds_accounts *a, struct ds_request *r, const struct ds_need *need,
			 ds_policy_fn policy, void *arg, int64_t now, struct ds_grant *grant);

/* sas.c; the account is known and has the name of the path. */
enum ds_err ds_sas_check(struct ds_accounts *a, struct ds_account *account, struct ds_request *r,
			 const struct ds_need *need, ds_policy_fn policy, void *arg, int64_t now,
			 struct ds_grant *grant);

/* Whether these are permissions of a service SAS or stored access policy, each once
 * and in the order that "Create a service SAS" demands: "racwdxltmeop".  What newer
 * versions added (y, i, f) stands at different places in its table and in Microsoft's
 * libraries, and may stand anywhere.  An account SAS has no order. */
bool ds_sas_permissions(const char *s);

/* The HMAC-SHA256 of @s under the account's key. */
bool ds_account_mac(struct ds_account *account, const struct text *s, unsigned char mac[DS_MAC]);
/* Whether base64 @signature is the MAC of the string in @a; constant time. */
bool ds_account_signed(struct ds_accounts *a, struct ds_account *account, const char *signature);

#endif
