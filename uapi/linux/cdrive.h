/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * Documentation
 * =============
 *
 * The cdrive driver makes block devices, /dev/cdrive0 to /dev/cdrive15, whose
 * requests are carried out by a process, the drive's helper.  Descriptions of
 * requests travel over the generic netlink family "cdrive"; their data is
 * copied by pread(2) and pwrite(2) on /dev/cdrive-payload, and by an ioctl(2) of it
 * they are completed.  The netlink part in the kernel's YNL form is
 * Documentation/netlink/specs/cdrive.yaml.
 *
 * CDRIVE_CMD_ATTACH, CDRIVE_CMD_ADOPT and CDRIVE_CMD_DETACH need CAP_SYS_ADMIN
 * and CAP_NET_ADMIN.  What only a drive's helper may say (CDRIVE_CMD_PARK,
 * CDRIVE_CMD_RESUME, CDRIVE_CMD_FENCE, and CDRIVE_CMD_DETACH of its own drive) needs
 * none: the socket that attached or adopted the drive is the right to do so, so that
 * a helper can drop all its capabilities once it has its drive; from any other socket
 * it is -EPERM, also from one that has got the same port id since.  In turn a helper
 * heeds only what comes from port id 0, the driver: who has CAP_NET_ADMIN can send to
 * its socket, too.  CDRIVE_CMD_GET and the notifications are for everybody.  Everything
 * happens in the initial network namespace.  Errors come as netlink errors with an
 * extended acknowledgment that says what was wrong.
 *
 * States of a drive (enum cdrive_state)
 * -------------------------------------
 *
 *	live	its helper is there, requests are forwarded
 *	parked	requests wait, for one or more reasons (enum cdrive_park_reason):
 *		the helper died (its socket closed), it asked for it with
 *		CDRIVE_CMD_PARK, or the lease's deadline has passed.  Nothing is
 *		lost and nothing fails until the drive has been parked for
 *		park-limit seconds.  They don't count while its helper waits for
 *		a credential (CDRIVE_F_CREDENTIAL), whatever else it waits for:
 *		people have to bring one, and without it nobody can tell how the
 *		service is.  They begin anew when it is there.  A helper that ends
 *		meanwhile changes nothing about that
 *	failing	parked for longer than that: what waited has failed, and every
 *		request fails at once.  The drive goes on when its helper says that
 *		it knows of that, by CDRIVE_CMD_RESUME with CDRIVE_F_LIMIT, or is
 *		adopted.  What failed may have been carried out, or may be yet: the
 *		helper first has to make sure that it won't be
 *	fenced	the lease is lost: every request fails at once, for good
 *	gone	detached; seen in the last notification only
 *
 * The deadline
 * ------------
 *
 * A drive's helper tells until when the blob's lease is certainly its
 * (CDRIVE_A_LEASE_UNTIL, and later CDRIVE_PAYLOAD_LEASE; u64: nanoseconds of
 * CLOCK_BOOTTIME, which goes on while the machine is suspended).  Past that moment,
 * whatever the helper is doing, the driver forwards no request and completes none:
 * completions that the helper sends are kept, and take effect when a later deadline is
 * told, or never: when the drive is fenced or detached, they fail like all the others.
 * To the helper a request of which a completion was kept is done with, its tag no
 * longer in flight; a helper that adopts the drive is not sent it.  A drive whose
 * helper has never told a deadline has none (there are blobs that need no lease, like
 * snapshots).
 *
 * The park reason and the notification that tell of the deadline's passing follow
 * it as soon as a timer's work runs; what is forwarded and completed is decided by
 * the clock alone.
 *
 * What outlives a helper
 * ----------------------
 *
 * For the helper that comes next the driver keeps what it must know, and can't
 * find out, to go on with a drive: the blob's sequence number as the service has
 * confirmed it, the number that it may have been raised to, the lease's id, and
 * notes of the helper's own.  None of it means anything to the driver.  It is told
 * with CDRIVE_CMD_ATTACH, and as a whole anew by CDRIVE_PAYLOAD_REMEMBER (see
 * "Payload"), which returns when it is kept: who is about to send a raise tells of
 * it first.  CDRIVE_CMD_GET and CDRIVE_CMD_ADOPT give it back to who has
 * CAP_SYS_ADMIN and CAP_NET_ADMIN, and nobody else.
 *
 * Commands
 * --------
 *
 * CDRIVE_CMD_ATTACH: makes a drive.  The socket that sends it becomes the
 * drive's helper: requests are sent to it, and its closing parks the drive.
 *
 *	CDRIVE_A_SECTORS	u64: size in 512-byte sectors, required
 *	CDRIVE_A_FLAGS		u32: CDRIVE_F_*, optional
 *	CDRIVE_A_PARK_LIMIT	u32: seconds, 0: for ever; optional (module parameter)
 *	CDRIVE_A_LEASE_UNTIL	u64: the first deadline, optional
 *	CDRIVE_A_NAME		string: what the drive is, for people and udev; it
 *				keeps it for good; optional
 *	CDRIVE_A_SEQUENCE_NUMBER, CDRIVE_A_RAISING_TO (u64), CDRIVE_A_LEASE_ID
 *	(string of visible ASCII characters), CDRIVE_A_NOTES (binary): what is to
 *				be kept; each optional
 *	CDRIVE_A_CACHE_SIZE (u64), CDRIVE_A_CACHE_VALIDATOR (string): its part of the
 *				machine's cache, see linux/cdrive_cache.h; optional
 *
 * A name consists of visible ASCII characters, and is a relative path without "."
 * and "..": udev makes a link of it below /dev/disk/by-clouddrive.  What it says
 * is the helper's business; names need not differ.
 *
 * The answer is like that of CDRIVE_CMD_GET, and names the drive by
 * CDRIVE_A_INDEX.  -ENOSPC when all 16 are taken.  The disk appears shortly
 * after: as looking for partitions reads from the drive, that can't be waited
 * for by the helper that must serve those reads.  CDRIVE_CMD_READY is sent to
 * the helper when the disk is there, with CDRIVE_A_ERROR when it could not be
 * made (the helper then detaches the drive).
 *
 * CDRIVE_CMD_ADOPT: makes the sending socket the helper of a drive whose
 * helper is gone.  Requests that were in flight are sent again, in their order
 * of arrival, under new tags; then those that waited.
 *
 *	CDRIVE_A_INDEX		u32: required
 *	CDRIVE_A_LEASE_UNTIL	u64: the new deadline, optional: it stays as it was
 *
 * The answer is like that of CDRIVE_CMD_GET.  -EBUSY while the drive has a
 * helper, -ENOLINK when it is fenced.
 *
 * CDRIVE_CMD_DETACH: takes a drive away.
 *
 *	CDRIVE_A_INDEX		u32: required
 *	CDRIVE_A_FLAGS		u32: CDRIVE_F_FORCE: even while it is open; what
 *				is in flight or comes later fails
 *
 * -EBUSY when it is open and not forced.  When this returns 0 the device is
 * gone and no request of it will be seen again.
 *
 * CDRIVE_CMD_GET: one drive (CDRIVE_A_INDEX) or, as a dump, all.  Answers
 *
 *	CDRIVE_A_INDEX, CDRIVE_A_SECTORS, CDRIVE_A_FLAGS, CDRIVE_A_STATE,
 *	CDRIVE_A_HELPER_PID (u32, absent without helper), CDRIVE_A_IN_FLIGHT
 *	(u32), CDRIVE_A_OPENERS (u32), CDRIVE_A_PARK_LIMIT, CDRIVE_A_PARK_REASONS
 *	(u32, why it is parked or failing: 1 << enum cdrive_park_reason, else 0),
 *	CDRIVE_A_FAILED, CDRIVE_A_FAILED_WRITES (u64: how many of its requests have
 *	failed since it was attached, whatever for; and how many of these were writes
 *	or write-zeroes, but not those past the page cache, as who makes them is told),
 *	CDRIVE_A_LEASE_UNTIL (absent without deadline), CDRIVE_A_NAME (absent without
 *	name), CDRIVE_A_CACHE_COUNTERS (absent without a part of the cache); and to the
 *	privileged, when it was ever told,
 *	CDRIVE_A_SEQUENCE_NUMBER, CDRIVE_A_RAISING_TO, CDRIVE_A_LEASE_ID, CDRIVE_A_NOTES
 *
 * CDRIVE_CMD_PARK, CDRIVE_CMD_RESUME: the drive's helper asks that nothing
 * more be sent to it, because the service can't be reached, and that it be
 * sent again.  What the helper has already it keeps, and may complete.
 *
 *	CDRIVE_A_INDEX		u32: required
 *	CDRIVE_A_FLAGS		u32: of RESUME: CDRIVE_F_LIMIT: the helper knows that
 *				the park limit has passed, and what it had has failed;
 *				of PARK: CDRIVE_F_CREDENTIAL: because the service
 *				refuses the credential
 *
 * The last PARK counts: without the flag the helper has a credential again, and can't
 * reach the service.
 *
 * CDRIVE_CMD_FENCE: the drive's helper knows the lease to be lost.
 *
 *	CDRIVE_A_INDEX		u32: required
 *
 * CDRIVE_CMD_REQUEST: from the driver to the helper: requests to carry out.
 *
 *	CDRIVE_A_INDEX		u32
 *	CDRIVE_A_DESCRIPTORS	binary: array of struct cdrive_descriptor, in
 *				order of arrival
 *
 * CDRIVE_CMD_STATE: a notification to the multicast group "state" whenever the
 * state of a drive changes: CDRIVE_A_INDEX, CDRIVE_A_STATE.  Of changes in quick
 * succession only the last may be told.
 *
 * Payload
 * -------
 *
 * The data of a request is reached at CDRIVE_PAYLOAD_OFFSET(index, tag, pos)
 * of /dev/cdrive-payload: a write request's data is read from there, a read
 * request's is written to it, in any number of pieces and any order, again if
 * need be, until the request is completed.  -ESTALE when the tag is not in
 * flight (any more), -EPERM for the wrong direction and for a drive whose helper
 * it is not bound to, a short count at the end of the request.  A read that is
 * completed with 0 before so many bytes were written as it has fails with -EIO:
 * nobody is to see what its pages held.
 *
 * Opening it needs CAP_SYS_ADMIN.  Then CDRIVE_PAYLOAD_BIND names a socket of
 * generic netlink: the open device reaches the data of the drives whose helper
 * that socket is, now or later, and no other's.  Using it needs no capability.
 * Like the socket, the open device is itself the right: it works in a process
 * that has none, such as a helper that has dropped its own, or one that was
 * given the descriptor.
 *
 * What requests wait for goes by the device, too.  When a module registers a family,
 * generic netlink begins no command before those under way have ended, and a DETACH
 * may last.  Neither of these two sleeps for memory, nor waits for anything but the
 * drive's lock:
 *
 * CDRIVE_PAYLOAD_COMPLETE (struct cdrive_payload_complete): requests that are done.
 * A completion whose tag is not in flight (any more) is passed over, and the answer
 * is -ESTALE after the others were done.  With any other error none was: -EINVAL:
 * there is none, or more than CDRIVE_MAX_BATCH; -EFAULT.
 *
 * CDRIVE_PAYLOAD_LEASE (struct cdrive_payload_lease): a new deadline, which may be
 * sooner than the last.  When it is in the future, completions that were kept take
 * effect, and forwarding goes on unless another reason parks the drive.  The state
 * and park reasons that the drive has then are given back, as notifications may be
 * lost.  Fenced, it has no deadline any more: that is told by the state alone.
 * -EINVAL: more than 63 bits, or @pad isn't 0.
 *
 * Of both, -EPERM: the device is not bound to the drive's helper; -ENODEV: there is no
 * such drive.
 *
 * CDRIVE_PAYLOAD_REMEMBER (struct cdrive_payload_remember) keeps what outlives the
 * helper of a drive, in place of what was kept.  -EPERM when the device is not
 * bound to the drive's helper; while the drive has none, who has CAP_SYS_ADMIN and
 * CAP_NET_ADMIN may say it, as who is about to adopt a drive may have to raise its
 * number before.  -ENODEV: no such drive; -EINVAL: too long, or a lease id that
 * isn't visible ASCII characters and a NUL.
 *
 * CDRIVE_PAYLOAD_RESERVES lets the calling thread, for good, have the memory that the
 * kernel keeps for who makes room (PF_MEMALLOC), where it would wait for room
 * otherwise.  It is for the thread that serves a drive: what makes room may write
 * to that drive, and wait for the thread.  Its allocations must be bounded.  -EPERM
 * without CAP_SYS_ADMIN.
 *
 * A tag is valid from the CDRIVE_CMD_REQUEST that brought it until its
 * completion, the drive's fencing or detaching, or its adoption by another
 * helper.  It holds a generation, so that one of the past matches nothing.
 */
#ifndef _UAPI_LINUX_CDRIVE_H
#define _UAPI_LINUX_CDRIVE_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define CDRIVE_GENL_NAME	"cdrive"
#define CDRIVE_GENL_VERSION	1
#define CDRIVE_MCGRP_STATE	"state"

#define CDRIVE_PAYLOAD_NAME	"cdrive-payload"

#define CDRIVE_MAX_DRIVES	16
#define CDRIVE_MAX_NAME		511		/* characters */
#define CDRIVE_MAX_LEASE_ID	63		/* characters */
#define CDRIVE_MAX_NOTES	2048		/* bytes */
#define CDRIVE_MAX_TRANSFER	(4 << 20)	/* bytes of a read or write */
#define CDRIVE_QUEUE_DEPTH	128		/* requests of one drive */
#define CDRIVE_MAX_BATCH	CDRIVE_QUEUE_DEPTH

enum cdrive_cmd {
	CDRIVE_CMD_UNSPEC,
	CDRIVE_CMD_ATTACH,
	CDRIVE_CMD_DETACH,
	CDRIVE_CMD_GET,
	CDRIVE_CMD_ADOPT,
	CDRIVE_CMD_PARK,
	CDRIVE_CMD_RESUME,
	CDRIVE_CMD_FENCE,
	CDRIVE_CMD_READY,
	CDRIVE_CMD_REQUEST,
	CDRIVE_CMD_STATE,

	__CDRIVE_CMD_MAX,
	CDRIVE_CMD_MAX = __CDRIVE_CMD_MAX - 1
};

enum cdrive_attr {
	CDRIVE_A_UNSPEC,
	CDRIVE_A_INDEX,		/* u32 */
	CDRIVE_A_SECTORS,	/* u64 */
	CDRIVE_A_FLAGS,		/* u32, enum cdrive_flags */
	CDRIVE_A_STATE,		/* u32, enum cdrive_state */
	CDRIVE_A_PARK_LIMIT,	/* u32, seconds, 86400 at most; 0: none */
	CDRIVE_A_HELPER_PID,	/* u32 */
	CDRIVE_A_IN_FLIGHT,	/* u32 */
	CDRIVE_A_OPENERS,	/* u32 */
	CDRIVE_A_ERROR,		/* s32, negative errno */
	CDRIVE_A_DESCRIPTORS,	/* binary, struct cdrive_descriptor[] */
	CDRIVE_A_PAD,
	CDRIVE_A_LEASE_UNTIL,	/* u64, CLOCK_BOOTTIME ns, 63 bits */
	CDRIVE_A_PARK_REASONS,	/* u32, 1 << enum cdrive_park_reason, or-ed */
	CDRIVE_A_NAME,		/* string, CDRIVE_MAX_NAME characters at most */
	CDRIVE_A_SEQUENCE_NUMBER,	/* u64 */
	CDRIVE_A_RAISING_TO,	/* u64, 0: no raise is in doubt */
	CDRIVE_A_LEASE_ID,	/* string, CDRIVE_MAX_LEASE_ID characters at most */
	CDRIVE_A_NOTES,		/* binary, CDRIVE_MAX_NOTES bytes at most */
	CDRIVE_A_FAILED,	/* u64 */
	CDRIVE_A_FAILED_WRITES,	/* u64 */
	CDRIVE_A_CACHE_SIZE,	/* u64, bytes; see linux/cdrive_cache.h */
	CDRIVE_A_CACHE_VALIDATOR,	/* string, CDRIVE_MAX_VALIDATOR at most */
	CDRIVE_A_CACHE_COUNTERS,	/* binary, struct cdrive_cache_counters */

	__CDRIVE_A_MAX,
	CDRIVE_A_MAX = __CDRIVE_A_MAX - 1
};

enum cdrive_state {
	CDRIVE_STATE_LIVE,
	CDRIVE_STATE_PARKED,
	CDRIVE_STATE_FAILING,
	CDRIVE_STATE_FENCED,
	CDRIVE_STATE_GONE,
};

enum cdrive_park_reason {
	CDRIVE_PARK_HELPER,	/* there is none */
	CDRIVE_PARK_ASKED,	/* by CDRIVE_CMD_PARK */
	CDRIVE_PARK_LEASE,	/* the deadline has passed */
	CDRIVE_PARK_LIMIT,	/* it has waited too long, and is failing */
	CDRIVE_PARK_CREDENTIAL,	/* by CDRIVE_CMD_PARK with CDRIVE_F_CREDENTIAL */
};

enum cdrive_flags {
	CDRIVE_F_READ_ONLY	= 1 << 0,	/* ATTACH, GET */
	CDRIVE_F_FORCE		= 1 << 1,	/* DETACH */
	CDRIVE_F_LIMIT		= 1 << 2,	/* RESUME */
	CDRIVE_F_CREDENTIAL	= 1 << 3,	/* PARK */
};

enum cdrive_op {
	CDRIVE_OP_READ,
	CDRIVE_OP_WRITE,
	CDRIVE_OP_DISCARD,	/* the content is of no interest any more */
	CDRIVE_OP_WRITE_ZEROES,	/* reads back as zeroes */
};

/**
 * struct cdrive_descriptor - a request to carry out
 * @sector: where it starts, in 512-byte sectors
 * @sectors: its length; at most CDRIVE_MAX_TRANSFER bytes for reads and writes,
 *	any number for the others
 * @tag: names it in its completion and in payload offsets
 * @op: enum cdrive_op
 * @flags: none yet, 0
 */
struct cdrive_descriptor {
	__u64 sector;
	__u32 sectors;
	__u32 tag;
	__u32 op;
	__u32 flags;
};

/**
 * struct cdrive_completion - a request that was carried out, or failed
 * @tag: the descriptor's
 * @status: 0, or a negative errno for the block layer (-EIO, -ENOSPC, ...)
 */
struct cdrive_completion {
	__u32 tag;
	__s32 status;
};

/* A tag is a slot of the drive (the low bits) and the slot's generation. */
#define CDRIVE_TAG_SLOT_BITS	10
#define CDRIVE_TAG_SLOT_MASK	((1U << CDRIVE_TAG_SLOT_BITS) - 1)

/*
 * ioctl(payload, CDRIVE_PAYLOAD_BIND, socket), with the socket's descriptor as
 * the argument; again for another one.  -EBADF, -ENOTSOCK: it is none; -EINVAL:
 * it is not of generic netlink.
 */
#define CDRIVE_PAYLOAD_BIND	_IO(0xCD, 0xC0)

/**
 * struct cdrive_payload_remember - what is to outlive the helper of a drive
 * @index: the drive's
 * @notes_len: bytes of @notes, CDRIVE_MAX_NOTES at most
 * @sequence_number: the blob's, as the service has confirmed it
 * @raising_to: what it may have been raised to; 0: no raise is in doubt
 * @notes: points to the helper's own
 * @lease_id: NUL-terminated, "": none
 */
struct cdrive_payload_remember {
	__u32 index;
	__u32 notes_len;
	__u64 sequence_number;
	__u64 raising_to;
	__u64 notes;
	__u8 lease_id[CDRIVE_MAX_LEASE_ID + 1];
};

#define CDRIVE_PAYLOAD_REMEMBER	_IOW(0xCD, 0xC1, struct cdrive_payload_remember)
#define CDRIVE_PAYLOAD_RESERVES	_IO(0xCD, 0xC2)

/**
 * struct cdrive_payload_complete - requests that are done
 * @index: the drive's
 * @count: how many, CDRIVE_MAX_BATCH at most
 * @completions: points to as many struct cdrive_completion
 */
struct cdrive_payload_complete {
	__u32 index;
	__u32 count;
	__u64 completions;
};

#define CDRIVE_PAYLOAD_COMPLETE	_IOW(0xCD, 0xC3, struct cdrive_payload_complete)

/**
 * struct cdrive_payload_lease - until when the blob's lease is certain
 * @index: the drive's
 * @state: given back: enum cdrive_state
 * @until: nanoseconds of CLOCK_BOOTTIME, 63 bits
 * @park_reasons: given back: 1 << enum cdrive_park_reason, or-ed
 * @pad: 0
 */
struct cdrive_payload_lease {
	__u32 index;
	__u32 state;
	__u64 until;
	__u32 park_reasons;
	__u32 pad;
};

#define CDRIVE_PAYLOAD_LEASE	_IOWR(0xCD, 0xC4, struct cdrive_payload_lease)

#define CDRIVE_MAX_VALIDATOR	127		/* characters */

/**
 * struct cdrive_payload_validator - what the cached part of a drive is kept under
 * @index: the drive's
 * @pad: 0
 * @validator: NUL-terminated, "": none
 *
 * CDRIVE_PAYLOAD_VALIDATOR: -EPERM when the device is not bound to the drive's helper;
 * -EBUSY while a write is in flight; -ENODEV: no such drive, or nothing of it is cached.
 */
struct cdrive_payload_validator {
	__u32 index;
	__u32 pad;
	__u8 validator[CDRIVE_MAX_VALIDATOR + 1];
};

#define CDRIVE_PAYLOAD_VALIDATOR	_IOW(0xCD, 0xC5, struct cdrive_payload_validator)

/*
 * CDRIVE_PAYLOAD_FORGET, with the drive's index as the argument: all that is cached of it
 * may be old, and is dropped; so is its validator.  To be said before a new deadline is
 * told if the blob was nobody's meanwhile.  -EPERM as of REMEMBER; -ENODEV: no such drive.
 */
#define CDRIVE_PAYLOAD_FORGET	_IO(0xCD, 0xC6)

/* A payload offset: drive, tag, and the position in the request (22 bits). */
#define CDRIVE_PAYLOAD_POS_BITS	22
#define CDRIVE_PAYLOAD_TAG_BITS	32
#define CDRIVE_PAYLOAD_OFFSET(index, tag, pos)                              \
	(((__u64)(index) << (CDRIVE_PAYLOAD_TAG_BITS +                      \
			     CDRIVE_PAYLOAD_POS_BITS)) |                    \
	 ((__u64)(tag) << CDRIVE_PAYLOAD_POS_BITS) | (__u64)(pos))

#endif /* _UAPI_LINUX_CDRIVE_H */
