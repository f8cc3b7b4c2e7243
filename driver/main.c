// SPDX-License-Identifier: GPL-2.0-only
#include <linux/init.h>
#include <linux/module.h>
#include <linux/workqueue.h>

#include "cache/cache.h"
#include "cache/device.h"
#include "index.h"
#include "netlink.h"
#include "payload.h"
#include "queue.h"

static int __init cdrive_init(void)
{
	int err = -ENOMEM;

	cdrive_wq = alloc_workqueue("cdrive", WQ_MEM_RECLAIM | WQ_UNBOUND, 0);
	if (!cdrive_wq)
		return err;
	err = cdrive_cache_init();
	if (err)
		goto destroy_wq;
	err = cdrive_payload_init();
	if (err)
		goto exit_cache;
	err = cdrive_nl_init();
	if (err)
		goto exit_payload;
	err = cdrive_cache_device_init();
	if (err)
		goto exit_nl;
	return 0;

exit_nl:
	cdrive_nl_exit();
exit_payload:
	cdrive_payload_exit();
exit_cache:
	cdrive_cache_exit();
destroy_wq:
	destroy_workqueue(cdrive_wq);
	return err;
}

/* Only without drives: each holds the module. */
static void __exit cdrive_exit(void)
{
	cdrive_cache_device_exit();
	cdrive_nl_exit();
	cdrive_payload_exit();
	cdrive_index_wait_for_all();
	cdrive_cache_exit();
	destroy_workqueue(cdrive_wq);
}

module_init(cdrive_init);
module_exit(cdrive_exit);

MODULE_DESCRIPTION("CloudDrive: page blobs of Azure Storage as block devices");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.2.0");
