// SPDX-License-Identifier: GPL-2.0-only
#include "device.h"

#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/cdrive_cache.h>

#include "cache.h"
#include "drive.h"
#include "drives.h"

/* An open device: the drives of which it has long runs cached. */
struct cdrive_cache_handle {
	struct mutex mutex;	/* of the array */
	struct cdrive_cached *runs[CDRIVE_MAX_DRIVES];
};

static int cdrive_cache_device_open(struct inode *inode, struct file *file)
{
	struct cdrive_cache_handle *handle;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	handle = kzalloc(sizeof(*handle), GFP_KERNEL);
	if (!handle)
		return -ENOMEM;
	mutex_init(&handle->mutex);
	file->private_data = handle;
	return 0;
}

static int cdrive_cache_device_release(struct inode *inode, struct file *file)
{
	struct cdrive_cache_handle *handle = file->private_data;
	unsigned int i;

	for (i = 0; i < CDRIVE_MAX_DRIVES; i++)
		if (handle->runs[i])
			cdrive_cached_pass_runs(handle->runs[i]);
	kfree(handle);
	return 0;
}

static long cdrive_cache_device_open_file(const void __user *arg)
{
	struct cdrive_cache_open open;

	if (copy_from_user(&open, arg, sizeof(open)))
		return -EFAULT;
	return cdrive_cache_open(&open);
}

static long cdrive_cache_device_resize(const void __user *arg)
{
	struct cdrive_cache_open open;

	if (copy_from_user(&open, arg, sizeof(open)))
		return -EFAULT;
	return cdrive_cache_resize(open.slots);
}

static long cdrive_cache_device_get(void __user *arg)
{
	struct cdrive_cache_info info;

	cdrive_cache_info(&info);
	return copy_to_user(arg, &info, sizeof(info)) ? -EFAULT : 0;
}

/* In place of what it had of a drive of that number, which may be gone. */
static long cdrive_cache_device_fill_runs(struct cdrive_cache_handle *handle,
					  struct cdrive *drive)
{
	struct cdrive_cached *c = cdrive_cached_fill_runs(&drive->queue);

	if (!c)
		return -ENODEV;
	mutex_lock(&handle->mutex);
	swap(c, handle->runs[drive->index]);
	mutex_unlock(&handle->mutex);
	if (c)
		cdrive_cached_pass_runs(c);
	return 0;
}

static long cdrive_cache_device_reserve(struct cdrive *drive, u64 size)
{
	int err = cdrive_cache_reserve(drive, size);

	return err == -EDQUOT ? -ENOSPC : err;
}

/* What is asked for one drive. */
static long cdrive_cache_device_drive(struct cdrive_cache_handle *handle,
				      unsigned int cmd, const void __user *arg)
{
	struct cdrive_cache_reserve asked;
	struct cdrive *drive;
	long err;

	if (copy_from_user(&asked, arg, sizeof(asked)))
		return -EFAULT;
	if (asked.pad)
		return -EINVAL;
	drive = cdrive_get(asked.index);
	if (!drive)
		return -ENODEV;
	if (cmd == CDRIVE_CACHE_RESERVE)
		err = cdrive_cache_device_reserve(drive, asked.size);
	else
		err = cdrive_cache_device_fill_runs(handle, drive);
	cdrive_put(drive);
	return err;
}

static long cdrive_cache_device_volume(unsigned int cmd, void __user *arg)
{
	struct cdrive_cache_volume_info *info = memdup_user(arg, sizeof(*info));
	long err;

	if (IS_ERR(info))
		return PTR_ERR(info);
	if (cmd == CDRIVE_CACHE_VOLUME)
		err = cdrive_cache_volume(info);
	else if (cmd == CDRIVE_CACHE_EXPORT)
		err = cdrive_cache_export(info);
	else
		err = cdrive_cache_import(info);
	if (!err && copy_to_user(arg, info, sizeof(*info)))
		err = -EFAULT;
	kfree(info);
	return err;
}

/* No structure differs for a process of 32 bits. */
static_assert(sizeof(struct cdrive_cache_open) == 8);
static_assert(sizeof(struct cdrive_cache_info) == 40);
static_assert(sizeof(struct cdrive_cache_reserve) == 16);
static_assert(sizeof(struct cdrive_cache_volume_info) ==
	      32 + CDRIVE_MAX_NAME + 1 + CDRIVE_MAX_VALIDATOR + 1);

static long cdrive_cache_device_ioctl(struct file *file, unsigned int cmd,
				      unsigned long arg)
{
	void __user *user = (void __user *)arg;

	switch (cmd) {
	case CDRIVE_CACHE_OPEN:
		return cdrive_cache_device_open_file(user);
	case CDRIVE_CACHE_CLOSE:
		return cdrive_cache_close();
	case CDRIVE_CACHE_RESIZE:
		return cdrive_cache_device_resize(user);
	case CDRIVE_CACHE_GET:
		return cdrive_cache_device_get(user);
	case CDRIVE_CACHE_RESERVE:
	case CDRIVE_CACHE_FILL_RUNS:
		return cdrive_cache_device_drive(file->private_data, cmd, user);
	case CDRIVE_CACHE_VOLUME:
	case CDRIVE_CACHE_EXPORT:
	case CDRIVE_CACHE_IMPORT:
		return cdrive_cache_device_volume(cmd, user);
	default:
		return -ENOTTY;
	}
}

static const struct file_operations cdrive_cache_device_fops = {
	.owner = THIS_MODULE,
	.open = cdrive_cache_device_open,
	.release = cdrive_cache_device_release,
	.unlocked_ioctl = cdrive_cache_device_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static struct miscdevice cdrive_cache_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = CDRIVE_CACHE_NAME,
	.mode = 0600,
	.fops = &cdrive_cache_device_fops,
};

int cdrive_cache_device_init(void)
{
	return misc_register(&cdrive_cache_device);
}

void cdrive_cache_device_exit(void)
{
	misc_deregister(&cdrive_cache_device);
}
