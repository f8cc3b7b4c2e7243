// SPDX-License-Identifier: MIT
/*
 * clouddrived without the sequence-number conditions: linked with --wrap, so that
 * writes are sent whatever the number is
 */
#include "azure/blob.h"

struct az_call *__real_az_put_page(struct az_client *c, const struct az_blob *b, uint64_t offset,
				   uint32_t len, uint64_t seq, const struct az_source *source,
				   az_done_fn done, void *arg);
struct az_call *__real_az_clear_pages(struct az_client *c, const struct az_blob *b, uint64_t offset,
				      uint64_t len, uint64_t seq, az_done_fn done, void *arg);

struct az_call *__wrap_az_put_page(struct az_client *c, const struct az_blob *b, uint64_t offset,
				   uint32_t len, uint64_t seq, const struct az_source *source,
				   az_done_fn done, void *arg);
struct az_call *__wrap_az_clear_pages(struct az_client *c, const struct az_blob *b, uint64_t offset,
				      uint64_t len, uint64_t seq, az_done_fn done, void *arg);

struct az_call *__wrap_az_put_page(struct az_client *c, const struct az_blob *b, uint64_t offset,
				   uint32_t len, uint64_t seq, const struct az_source *source,
				   az_done_fn done, void *arg)
{
	(void)seq;
	return __real_az_put_page(c, b, offset, len, AZ_NO_SEQUENCE, source, done, arg);
}

struct az_call *__wrap_az_clear_pages(struct az_client *c, const struct az_blob *b, uint64_t offset,
				      uint64_t len, uint64_t seq, az_done_fn done, void *arg)
{
	(void)seq;
	return __real_az_clear_pages(c, b, offset, len, AZ_NO_SEQUENCE, done, arg);
}
