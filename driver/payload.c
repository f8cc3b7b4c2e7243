// SPDX-License-Identifier: GPL-2.0-only
/*
 * One copy, straight between the request's pages and the helper's buffer.  The
 * request is pinned meanwhile, so that it can be completed, failed or detached
 * under the copy: it ends when the copy does.  (ublk's UBLK_F_USER_COPY is the
 * precedent.)
 */
#include "payload.h"

#include <linux/blk-mq.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/net.h>
#include <linux/netlink.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/uio.h>
#include <net/sock.h>

#include "cache/fill.h"
#include "drive.h"
#include "drives.h"
#include "helper.h"
#include "memory.h"
#include "queue.h"
#include "tag.h"

/* An open payload device. */
struct cdrive_payload {
	atomic64_t cookie;	/* of the socket it is bound to; 0: none yet */
};

static int cdrive_payload_open(struct inode *inode, struct file *file)
{
	struct cdrive_payload *payload;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	payload = kzalloc(sizeof(*payload), GFP_KERNEL);
	if (!payload)
		return -ENOMEM;
	file->private_data = payload;
	return 0;
}

static int cdrive_payload_release(struct inode *inode, struct file *file)
{
	kfree(file->private_data);
	return 0;
}

/*
 * Only the socket's cookie is kept: it is never another's, and a reference would
 * keep a helper's socket open when the helper is gone.
 */
static int cdrive_payload_bind(struct cdrive_payload *payload, int fd)
{
	struct socket *sock;
	int err = 0;

	sock = sockfd_lookup(fd, &err);
	if (!sock)
		return err;
	if (sock->sk->sk_family == AF_NETLINK &&
	    sock->sk->sk_protocol == NETLINK_GENERIC)
		atomic64_set(&payload->cookie, cdrive_helper_cookie(sock->sk));
	else
		err = -EINVAL;
	sockfd_put(sock);
	return err;
}

static int cdrive_payload_remember(struct cdrive_payload *payload,
				   const void __user *arg)
{
	bool admin = capable(CAP_SYS_ADMIN) && capable(CAP_NET_ADMIN);
	struct cdrive_payload_remember told;
	struct cdrive_memory *memory;
	struct cdrive *drive;
	int err;

	if (copy_from_user(&told, arg, sizeof(told)))
		return -EFAULT;
	memory = cdrive_memory_from_user(&told);
	if (IS_ERR(memory))
		return PTR_ERR(memory);
	drive = cdrive_get(told.index);
	if (drive) {
		err = cdrive_remember(drive, atomic64_read(&payload->cookie),
				      admin, memory);
		cdrive_put(drive);
	} else {
		err = -ENODEV;
	}
	kfree(memory);
	return err;
}

/*
 * The completions are copied to the stack, which has room for them (1 KiB), as this must
 * not wait for memory.  All of them, before the first is done: so it fails as a whole,
 * and the drive's lock is taken once.
 */
static int cdrive_payload_complete(struct cdrive_payload *payload,
				   const void __user *arg)
{
	struct cdrive_completion done[CDRIVE_MAX_BATCH];
	struct cdrive_payload_complete told;
	struct cdrive *drive;
	int err;

	if (copy_from_user(&told, arg, sizeof(told)))
		return -EFAULT;
	if (!told.count || told.count > CDRIVE_MAX_BATCH)
		return -EINVAL;
	if (copy_from_user(done, u64_to_user_ptr(told.completions),
			   told.count * sizeof(*done)))
		return -EFAULT;
	drive = cdrive_get(told.index);
	if (!drive)
		return -ENODEV;
	err = cdrive_queue_complete(&drive->queue,
				    atomic64_read(&payload->cookie), done,
				    told.count);
	cdrive_put(drive);
	return err;
}

static int cdrive_payload_lease(struct cdrive_payload *payload,
				void __user *arg)
{
	struct cdrive_standing standing;
	struct cdrive_payload_lease lease;
	struct cdrive *drive;
	int err;

	if (copy_from_user(&lease, arg, sizeof(lease)))
		return -EFAULT;
	if (lease.pad || lease.until > S64_MAX)
		return -EINVAL;
	drive = cdrive_get(lease.index);
	if (!drive)
		return -ENODEV;
	err = cdrive_lease(drive, atomic64_read(&payload->cookie), lease.until,
			   &standing);
	cdrive_put(drive);
	if (err)
		return err;
	lease.state = standing.state;
	lease.park_reasons = standing.park_reasons;
	return copy_to_user(arg, &lease, sizeof(lease)) ? -EFAULT : 0;
}

/*
 * Sockets of nbd and NFS get at the reserves by sk_set_memalloc().  A helper needs
 * more than its sockets' buffers: it makes sockets, watches them, and answers by
 * netlink.  Each of these allocates as whoever calls; below the watermark, it
 * reclaims, and waits for the pages that it is to write itself.  So it is the thread
 * that gets at them, as PR_SET_IO_FLUSHER sets PF_MEMALLOC_NOIO for a thread.
 */
static int cdrive_payload_reserves(void)
{
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	memalloc_noreclaim_save(); /* and never restored */
	return 0;
}

static int cdrive_payload_forget(struct cdrive_payload *payload, unsigned long index)
{
	bool admin = capable(CAP_SYS_ADMIN) && capable(CAP_NET_ADMIN);
	struct cdrive *drive;
	int err;

	drive = cdrive_get(min_t(unsigned long, index, CDRIVE_MAX_DRIVES));
	if (!drive)
		return -ENODEV;
	err = cdrive_forget(drive, atomic64_read(&payload->cookie), admin);
	cdrive_put(drive);
	return err;
}

static int cdrive_payload_validator(struct cdrive_payload *payload,
				    const void __user *arg)
{
	struct cdrive_payload_validator told;
	struct cdrive *drive;
	int err;

	if (copy_from_user(&told, arg, sizeof(told)))
		return -EFAULT;
	if (told.pad || strnlen((const char *)told.validator,
				sizeof(told.validator)) == sizeof(told.validator))
		return -EINVAL;
	drive = cdrive_get(told.index);
	if (!drive)
		return -ENODEV;
	err = cdrive_set_validator(drive, atomic64_read(&payload->cookie),
				   (const char *)told.validator);
	cdrive_put(drive);
	return err;
}

/* No structure differs for a process of 32 bits. */
static_assert(sizeof(struct cdrive_payload_remember) == 32 + CDRIVE_MAX_LEASE_ID + 1);
static_assert(sizeof(struct cdrive_payload_complete) == 16);
static_assert(sizeof(struct cdrive_payload_lease) == 24);
static_assert(sizeof(struct cdrive_payload_validator) == 8 + CDRIVE_MAX_VALIDATOR + 1);

static long cdrive_payload_ioctl(struct file *file, unsigned int cmd,
				 unsigned long arg)
{
	void __user *user = (void __user *)arg;

	switch (cmd) {
	case CDRIVE_PAYLOAD_BIND:
		return cdrive_payload_bind(file->private_data, arg);
	case CDRIVE_PAYLOAD_REMEMBER:
		return cdrive_payload_remember(file->private_data, user);
	case CDRIVE_PAYLOAD_COMPLETE:
		return cdrive_payload_complete(file->private_data, user);
	case CDRIVE_PAYLOAD_LEASE:
		return cdrive_payload_lease(file->private_data, user);
	case CDRIVE_PAYLOAD_VALIDATOR:
		return cdrive_payload_validator(file->private_data, user);
	case CDRIVE_PAYLOAD_FORGET:
		return cdrive_payload_forget(file->private_data, arg);
	case CDRIVE_PAYLOAD_RESERVES:
		return cdrive_payload_reserves();
	default:
		return -ENOTTY;
	}
}

size_t cdrive_payload_copy(struct request *rq, size_t pos,
			   struct iov_iter *iter, bool to_user)
{
	struct req_iterator rq_iter;
	struct bio_vec bv;
	size_t done = 0;

	rq_for_each_segment(bv, rq, rq_iter) {
		size_t len, n;

		if (pos >= bv.bv_len) {
			pos -= bv.bv_len;
			continue;
		}
		len = min_t(size_t, bv.bv_len - pos, iov_iter_count(iter));
		if (to_user) {
			n = copy_page_to_iter(bv.bv_page, bv.bv_offset + pos,
					      len, iter);
		} else {
			n = copy_page_from_iter(bv.bv_page, bv.bv_offset + pos,
						len, iter);
			flush_dcache_page(bv.bv_page);
		}
		done += n;
		pos = 0;
		if (n < len || !iov_iter_count(iter))
			break;
	}
	return done;
}

static ssize_t cdrive_payload_iter(struct kiocb *iocb, struct iov_iter *iter,
				   bool to_user)
{
	struct cdrive_payload *payload = iocb->ki_filp->private_data;
	size_t pos = cdrive_payload_pos(iocb->ki_pos);
	struct cdrive *drive;
	struct request *rq;
	ssize_t ret;

	if (!iov_iter_count(iter))
		return 0;
	drive = cdrive_get(min_t(u64, cdrive_payload_index(iocb->ki_pos),
				 CDRIVE_MAX_DRIVES));
	if (!drive)
		return -ENODEV;
	rq = cdrive_queue_pin(&drive->queue, atomic64_read(&payload->cookie),
			      cdrive_payload_tag(iocb->ki_pos));
	if (IS_ERR(rq)) {
		ret = PTR_ERR(rq);
		goto put;
	}
	if (req_op(rq) != (to_user ? REQ_OP_WRITE : REQ_OP_READ)) {
		ret = -EPERM;
	} else if (pos >= blk_rq_bytes(rq)) {
		ret = 0;
	} else {
		ret = cdrive_shadow_copy(rq, pos, iter, to_user);
		if (!to_user)
			cdrive_queue_filled(rq, ret);
		if (ret)
			iocb->ki_pos += ret;
		else
			ret = -EFAULT;
	}
	cdrive_queue_unpin(rq);
put:
	cdrive_put(drive);
	return ret;
}

static ssize_t cdrive_payload_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	return cdrive_payload_iter(iocb, to, true);
}

static ssize_t cdrive_payload_write_iter(struct kiocb *iocb,
					 struct iov_iter *from)
{
	return cdrive_payload_iter(iocb, from, false);
}

static const struct file_operations cdrive_payload_fops = {
	.owner = THIS_MODULE,
	.open = cdrive_payload_open,
	.release = cdrive_payload_release,
	.unlocked_ioctl = cdrive_payload_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.read_iter = cdrive_payload_read_iter,
	.write_iter = cdrive_payload_write_iter,
	.llseek = no_seek_end_llseek,
};

static struct miscdevice cdrive_payload_dev = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = CDRIVE_PAYLOAD_NAME,
	.mode = 0600,
	.fops = &cdrive_payload_fops,
};

int cdrive_payload_init(void)
{
	return misc_register(&cdrive_payload_dev);
}

void cdrive_payload_exit(void)
{
	misc_deregister(&cdrive_payload_dev);
}
