/* SPDX-License-Identifier: GPL-2.0-only */
/* payload.h - /dev/cdrive-payload, by which a helper copies requests' data */
#ifndef _CDRIVE_PAYLOAD_H
#define _CDRIVE_PAYLOAD_H

#include <linux/types.h>

struct iov_iter;
struct request;

/*
 * Copies between @iter and the request's data from @pos on; the number of
 * bytes, which is short at the request's end and where user memory faults.
 */
size_t cdrive_payload_copy(struct request *rq, size_t pos,
			   struct iov_iter *iter, bool to_user);

int cdrive_payload_init(void);
void cdrive_payload_exit(void);

#endif /* _CDRIVE_PAYLOAD_H */
