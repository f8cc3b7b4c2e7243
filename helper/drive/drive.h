/* SPDX-License-Identifier: MIT */
/*
 * drive.h - one drive: what ties its parts together, from mount to unmount
 *
 *	lease	the lease, and the sequence number that goes with it
 *	store	the blob, as a backend of the queue
 *	expiry	what becomes of it past the park limit
 *	queue	requests in order
 *	link	the driver
 *	channel	the agent channel, and the SAS that comes by it
 *	control	the control socket
 *
 * open.c brings a drive up, drive.c keeps it, control.c answers questions.
 */
#ifndef DRIVE_DRIVE_H
#define DRIVE_DRIVE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "azure/client.h"
#include "drive/agent_channel.h"
#include "drive/expiry.h"
#include "drive/link.h"
#include "drive/mapfill.h"
#include "drive/lease.h"
#include "drive/queue.h"
#include "drive/store.h"
#include "lib/loop.h"

#define DRIVE_MESSAGE 512

struct control;

/*
 * What a drive is parked for, of which the driver is told the last that there is: while
 * the service refuses the credential (or the SAS is over) nobody can tell how the service
 * is, so its park limit does not count then.
 */
enum park_reason { PARK_NOTHING, PARK_SERVICE, PARK_CREDENTIAL, PARK_REASONS };

struct drive {
	struct loop *loop;

	/* as asked for */
	struct az_url url;
	char *name; /* the URL without its SAS */
	struct az_credential cred;
	bool read_only;
	bool force; /* break another's lease */
	bool foreground;
	unsigned int connections;
	int park_limit; /* seconds; 0: none; -1: the module's */
	int64_t cache_size; /* reserved of the cache, bytes; -1: it shares the rest */
	char kept[CDRIVE_MAX_VALIDATOR + 1]; /* the validator of what is cached of it; "": none */
	int adopt; /* index, or -1 */

	struct az_client *client;
	struct az_client *lease_client; /* of the lease and the number, which can't wait */
	struct az_blob blob;
	struct lease lease;
	struct store store;
	struct mapfill mapfill;
	struct io_queue queue;
	struct expiry expiry;
	struct link *link;
	struct agent_channel channel;
	struct control *control;

	struct loop_hook reserve; /* looks whether it sufficed */
	uint64_t socket_memory; /* bytes that a connection's buffers take at most */

	unsigned int index;
	bool attached; /* the index is ours */
	bool opened; /* drive_open() succeeded */
	bool ready; /* the disk is there, or: */
	int ready_error;
	uint64_t size; /* of the disk, bytes */
	char etag[64]; /* of a snapshot */
	const char *cache_start; /* "warm", or why it began cold */
	enum cdrive_state state; /* as the driver told it last */
	char fenced[DRIVE_MESSAGE]; /* why the blob is not ours any more */

	struct az_sync *sas_wanted; /* ends when a fresh SAS has come; NULL: nobody waits */
	/* How many calls and others ask for the drive to be parked, and why. */
	unsigned int park_reasons[PARK_REASONS];
	enum park_reason parked_for; /* as the driver was told last */
	char refused[DRIVE_MESSAGE]; /* why the credential was */
	uint64_t parked_at;
	uint64_t logged_at; /* the last trouble */
	char last_error[DRIVE_MESSAGE];

	bool abandoned; /* nobody wants it any more: drive_open() is to undo */
	bool lease_left; /* it could not be released: last_error says why */
	bool ending; /* detached: release the lease and leave */
	bool leaving; /* for another helper: leave everything as it is */
};

/*
 * Takes the request of runtime.h apart, and makes @fd, by which it came, the agent
 * channel; the error is the answer to it.
 */
json_t *drive_configure(struct drive *d, const json_t *request, int fd);

/*
 * Brings the drive up, running the loop; NULL when it is ready, else the answer
 * that says why not: drive_close() is to undo it then.  A drive that is adopted and
 * turns out to be lost is ready, and fenced.
 */
json_t *drive_open(struct drive *d);

/* The service has refused the SAS: true when it was for the clocks, and there is one now that
 * goes by the service's.  Runs the loop. */
bool drive_correct_clock(struct drive *d);

/* Interrupts drive_open(). */
void drive_abandon(struct drive *d);

/* The answer to who started the helper, or became its agent. */
json_t *drive_response(const struct drive *d);

/* Detaches.  -EBUSY: open, not forced.  On 0 the loop is stopped: drive_close()
 * is to follow. */
int drive_detach(struct drive *d, bool force);

/* Releases the lease and everything else. */
void drive_close(struct drive *d);

/* What the driver is to keep for the helper that comes next. */
struct driver_memory drive_memory(const struct drive *d, uint64_t number, uint64_t raising_to);

void drive_remember(struct drive *d, uint64_t number, uint64_t raising_to);

/* Writes the record of runtime.h, which is there for convenience. */
void drive_record(struct drive *d);

/* What the parts call when something happens; see their headers. */
extern const struct lease_ops drive_lease_ops;
extern const struct link_ops drive_link_ops;
void drive_trouble(void *arg, struct retry *r, const char *what, const struct az_error *err);
void drive_lost(void *arg, const char *why);
/* Fences a drive that is ours and known to be lost. */
void drive_fence(struct drive *d);
extern const struct agent_channel_ops drive_channel_ops;
void drive_complete(void *arg, uint32_t tag, int status);

/* Tells the driver anew what it was asked for, if anything: it has forgotten. */
void drive_park_again(struct drive *d);

/* Why the drive is parked, for people; NULL when it isn't. */
const char *drive_parked_because(const struct drive *d);

/* The control socket; control.c. */
int control_open(struct drive *d);
/* Answers who asked for the end, and closes. */
void control_close(struct drive *d);

#endif
