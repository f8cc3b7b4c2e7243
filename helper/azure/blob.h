/* SPDX-License-Identifier: MIT */
/*
 * blob.h - the calls of the Blob service that a drive needs
 *
 * Every function starts one call and returns its handle, or NULL when memory
 * is out (the done function is then not called).  All carry an
 * x-ms-client-request-id, x-ms-version, the blob's lease id where it has one,
 * and a signature (SharedKey) or the SAS.  Offsets and lengths are bytes.
 * Offsets and lengths of page operations are multiples of 512, lengths of Put
 * Page and Get Blob at most 4 MiB.  The REST page is named at each.
 */
#ifndef AZURE_BLOB_H
#define AZURE_BLOB_H

#include "azure/client.h"

#define AZ_PAGE 512u
#define AZ_MAX_TRANSFER (4u << 20) /* largest Put Page, and range with a checksum */
#define AZ_NO_SEQUENCE UINT64_MAX

enum az_sum { AZ_SUM_UNKNOWN, AZ_SUM_CRC64, AZ_SUM_MD5 };

/* The checksum of a body, as it travels ahead of it. */
struct az_digest {
	enum az_sum sum;
	unsigned char bytes[16]; /* CRC64: the first eight */
};

/* Where a body comes from: reads @len bytes at @pos of it into @buf; 0 or a
 * negative errno (the call then ends AZ_LOCAL).  It is read twice: once for
 * the checksum, which travels ahead of the body, once for sending.  A body that
 * lies in memory needs only @memory, which stays as it is until the call ends.
 * @digest: NULL, or the caller's, kept until the call ends: an empty one becomes the
 * body's; for one that is set the body must be the same still, else the call ends
 * AZ_CHANGED, and nothing was sent. */
struct az_source {
	int (*read)(void *arg, void *buf, size_t len, uint64_t pos);
	void *arg;
	const void *memory;
	struct az_digest *digest;
};

/* Where a response's body goes, in order, as it arrives; @pos counts from the
 * range's start.  The bytes are verified only when the call ends AZ_OK. */
struct az_sink {
	int (*write)(void *arg, const void *buf, size_t len, uint64_t pos);
	void *arg;
};

/* "Get Blob Properties" (HEAD) */
struct az_call *az_get_properties(struct az_client *c, const struct az_blob *b, az_done_fn done,
				  void *arg);

/* "Put Blob", a page blob of @size zero bytes, only if none is there
 * (If-None-Match: *; else AZ_CONFLICT BlobAlreadyExists). */
struct az_call *az_create_page_blob(struct az_client *c, const struct az_blob *b, uint64_t size,
				    az_done_fn done, void *arg);

/*
 * The same, marked as unfinished: in its metadata, from the moment it is there,
 * is @mark (printable ASCII, less than AZ_MARK), which says who is making it of
 * what.  Whoever mounts or downloads a blob looks at props.unfinished first.
 * Its sequence number begins at @sequence.
 */
struct az_call *az_create_unfinished(struct az_client *c, const struct az_blob *b, uint64_t size,
				     const char *mark, uint64_t sequence, az_done_fn done,
				     void *arg);

/* "Set Blob Metadata", to none: it is finished.  (Metadata is all or nothing:
 * what others gave the blob meanwhile goes too.) */
struct az_call *az_finish(struct az_client *c, const struct az_blob *b, az_done_fn done, void *arg);

/* "Set Blob Properties", x-ms-blob-content-length: @size bytes from now on;
 * what lies beyond is gone, what is new is zero. */
struct az_call *az_resize(struct az_client *c, const struct az_blob *b, uint64_t size,
			  az_done_fn done, void *arg);

/* "Delete Blob"; @snapshots: with its snapshots (x-ms-delete-snapshots:
 * include), else a blob that has some is refused (409 SnapshotsPresent). */
struct az_call *az_delete_blob(struct az_client *c, const struct az_blob *b, bool snapshots,
			       az_done_fn done, void *arg);

/* "Snapshot Blob": the result's props.snapshot is its time.  Needs no lease, but one
 * that is named must be held. */
struct az_call *az_snapshot(struct az_client *c, const struct az_blob *b, az_done_fn done,
			    void *arg);

/*
 * "Copy Blob", from the blob or snapshot at @source (a URL of the same account, which the
 * key that signs the call is good for too; kept until the call ends) to @b, only if none
 * is there (else AZ_CONFLICT BlobAlreadyExists).  The result's props.copy_status is
 * "success" when that is all, or "pending": the service goes on with it, and the
 * destination's properties tell how far it is.
 */
struct az_call *az_copy(struct az_client *c, const struct az_blob *b, const char *source,
			az_done_fn done, void *arg);

/* "Abort Copy Blob": the copy @id to @b, which is left with no content; AZ_CONFLICT
 * NoPendingCopyOperation when it has ended. */
struct az_call *az_abort_copy(struct az_client *c, const struct az_blob *b, const char *id,
			      az_done_fn done, void *arg);

/* "Set Blob Properties", x-ms-sequence-number-action: max.  The result's
 * props.sequence_number is the number after it. */
struct az_call *az_raise_sequence(struct az_client *c, const struct az_blob *b, uint64_t number,
				  az_done_fn done, void *arg);

/* "Put Page", update, if the blob's sequence number is @seq (or
 * AZ_NO_SEQUENCE: unconditionally); with the body's checksum. */
struct az_call *az_put_page(struct az_client *c, const struct az_blob *b, uint64_t offset,
			    uint32_t len, uint64_t seq, const struct az_source *source,
			    az_done_fn done, void *arg);

/* "Put Page", clear; @len may be up to the whole blob. */
struct az_call *az_clear_pages(struct az_client *c, const struct az_blob *b, uint64_t offset,
			       uint64_t len, uint64_t seq, az_done_fn done, void *arg);

/* "Get Blob" of a range, verified by the checksum the service computed over
 * it (CRC64 where it can, else MD5; AZ_CORRUPT when neither came or it does
 * not match, or when fewer or more bytes came). */
struct az_call *az_get_range(struct az_client *c, const struct az_blob *b, uint64_t offset,
			     uint32_t len, const struct az_sink *sink, az_done_fn done, void *arg);

/* "Get Page Ranges", following markers; @range is called for each part of @offset … @len
 * (UINT64_MAX: to the end) that holds data, in ascending order.  listing.h asks for the
 * whole of a blob. */
struct az_call *az_get_page_ranges(struct az_client *c, const struct az_blob *b, uint64_t offset,
				   uint64_t len,
				   void (*range)(void *arg, uint64_t offset, uint64_t len),
				   az_done_fn done, void *arg);

/* "Lease Blob".  Acquire proposes @b's lease_id as the id (which succeeds as a
 * renewal when that is the one that holds it); renew and release use it.
 * @seconds: 15 to 60, or -1 for a lease without end; of acquire only.  Break ends
 * whoever's lease it is, at once (x-ms-lease-break-period: 0), and needs no id. */
enum az_lease_action { AZ_LEASE_ACQUIRE, AZ_LEASE_RENEW, AZ_LEASE_RELEASE, AZ_LEASE_BREAK };
struct az_call *az_lease(struct az_client *c, const struct az_blob *b, enum az_lease_action action,
			 int seconds, az_done_fn done, void *arg);

#endif
