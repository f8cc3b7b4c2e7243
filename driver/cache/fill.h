/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fill.h - what goes through the driver's hands is copied, and entered in the cache
 *
 * A shadow is a private copy of a request's data.  A read's is what the helper gave; what
 * the reader gets is copied from it, never the other way, as a reader by direct I/O
 * owns its buffer.  A write's is what was there when the helper first asked for some of it,
 * and the helper gets it from there: so it is what was sent, however often the helper
 * has asked, and whatever the writer has done to its buffer since.
 *
 * Shadows are bounded, made without waiting, and nothing waits for them: without one
 * a request is not entered.
 */
#ifndef _CDRIVE_CACHE_FILL_H
#define _CDRIVE_CACHE_FILL_H

#include <linux/types.h>

struct cdrive_cached;
struct cdrive_rq;
struct cdrive_shadow;
struct iov_iter;
struct request;

/* All the shadows of the machine, in bytes. */
#define CDRIVE_MAX_SHADOWS	(16 << 20)

/*
 * Like cdrive_payload_copy(), which does it for a request that has no shadow and is not
 * worth one.  The request is pinned.
 */
size_t cdrive_shadow_copy(struct request *rq, size_t pos, struct iov_iter *iter,
			  bool to_user);

/* Nothing of a read was copied yet: another helper carries it out. */
void cdrive_shadow_reset(struct cdrive_shadow *shadow);
/* The request ends, well or not: what it is, for when it is gone. */
void cdrive_shadow_describe(struct cdrive_shadow *shadow, const struct cdrive_rq *crq);
/* It has ended well.  Takes the shadow over, if there is one (else NULL); never waits. */
void cdrive_shadow_enter(struct cdrive_shadow *shadow, struct cdrive_cached *c);
/* NULL: nothing. */
void cdrive_shadow_free(struct cdrive_shadow *shadow);

/* A drive's part is new. */
void cdrive_fills_init(struct cdrive_cached *c);
/* No more of them is active. */
void cdrive_fills_stop(struct cdrive_cached *c);

#endif /* _CDRIVE_CACHE_FILL_H */
