// SPDX-License-Identifier: MIT
/*
 * clouddrived that repeats a write in doubt whatever its bytes are now: linked with --wrap,
 * so that they are not compared
 */
#include "azure/blob.h"

struct az_call *__real_az_put_page(struct az_client *c, const struct az_blob *b, uint64_t offset,
				   uint32_t len, uint64_t seq, const struct az_source *source,
				   az_done_fn done, void *arg);
struct az_call *__wrap_az_put_page(struct az_client *c, const struct az_blob *b, uint64_t offset,
				   uint32_t len, uint64_t seq, const struct az_source *source,
				   az_done_fn done, void *arg);

struct az_call *__wrap_az_put_page(struct az_client *c, const struct az_blob *b, uint64_t offset,
				   uint32_t len, uint64_t seq, const struct az_source *source,
				   az_done_fn done, void *arg)
{
	struct az_source any = *source;

	any.digest = NULL;
	return __real_az_put_page(c, b, offset, len, seq, &any, done, arg);
}
