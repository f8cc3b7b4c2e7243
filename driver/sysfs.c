// SPDX-License-Identifier: GPL-2.0-only
#include "sysfs.h"

#include <linux/blkdev.h>
#include <linux/device.h>

#include "cache/cache.h"
#include "disk.h"
#include "lease.h"
#include "queue.h"
#include "state.h"

static struct cdrive_disk *cdrive_of(struct device *dev)
{
	return dev_to_disk(dev)->queue->queuedata;
}

static struct cdrive_queue *cdrive_queue_of(struct device *dev)
{
	return cdrive_of(dev)->queue;
}

static ssize_t state_show(struct device *dev, struct device_attribute *attr,
			  char *buf)
{
	struct cdrive_queue *queue = cdrive_queue_of(dev);

	return sysfs_emit(buf, "%s\n",
			  cdrive_state_name(READ_ONCE(queue->standing.state)));
}

static ssize_t name_show(struct device *dev, struct device_attribute *attr,
			 char *buf)
{
	return sysfs_emit(buf, "%s\n", cdrive_of(dev)->name);
}

static ssize_t helper_pid_show(struct device *dev,
			       struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%d\n",
			  READ_ONCE(cdrive_queue_of(dev)->helper.pid));
}

static ssize_t in_flight_show(struct device *dev, struct device_attribute *attr,
			      char *buf)
{
	return sysfs_emit(buf, "%u\n",
			  READ_ONCE(cdrive_queue_of(dev)->table.in_flight));
}

static ssize_t park_limit_show(struct device *dev,
			       struct device_attribute *attr, char *buf)
{
	unsigned int limit = cdrive_queue_of(dev)->standing.park_limit;

	if (!limit)
		return sysfs_emit(buf, "none\n");
	return sysfs_emit(buf, "%u\n", limit);
}

static ssize_t park_reasons_show(struct device *dev,
				 struct device_attribute *attr, char *buf)
{
	static const char * const names[] = {
		[CDRIVE_PARK_HELPER] = "helper",
		[CDRIVE_PARK_ASKED] = "asked",
		[CDRIVE_PARK_LEASE] = "lease",
		[CDRIVE_PARK_LIMIT] = "limit",
		[CDRIVE_PARK_CREDENTIAL] = "credential",
	};
	u32 reasons = READ_ONCE(cdrive_queue_of(dev)->standing.park_reasons);
	unsigned int i;
	int len = 0;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (reasons & BIT(i))
			len += sysfs_emit_at(buf, len, "%s%s", len ? " " : "",
					     names[i]);
	return len + sysfs_emit_at(buf, len, "\n");
}

static ssize_t lease_left_ms_show(struct device *dev,
				  struct device_attribute *attr, char *buf)
{
	struct cdrive_status s;

	cdrive_queue_get_status(cdrive_queue_of(dev), &s);
	if (s.standing.lease_until == CDRIVE_LEASE_NONE)
		return sysfs_emit(buf, "none\n");
	return sysfs_emit(buf, "%lld\n",
			  cdrive_lease_left_ms(s.standing.lease_until,
					       cdrive_lease_now()));
}

static ssize_t failed_show(struct device *dev, struct device_attribute *attr,
			   char *buf)
{
	struct cdrive_failures *f = &cdrive_queue_of(dev)->failures;

	return sysfs_emit(buf, "%llu\n", (u64)atomic64_read(&f->all));
}

static ssize_t failed_writes_show(struct device *dev,
				  struct device_attribute *attr, char *buf)
{
	struct cdrive_failures *f = &cdrive_queue_of(dev)->failures;

	return sysfs_emit(buf, "%llu\n", (u64)atomic64_read(&f->writes));
}

static ssize_t cdrive_counter_show(struct device *dev, struct device_attribute *attr,
				   char *buf);

/* In the order of struct cdrive_cache_counters. */
static struct device_attribute cdrive_counters[] = {
	__ATTR(size, 0444, cdrive_counter_show, NULL),
	__ATTR(used, 0444, cdrive_counter_show, NULL),
	__ATTR(lookups, 0444, cdrive_counter_show, NULL),
	__ATTR(hits, 0444, cdrive_counter_show, NULL),
	__ATTR(hit_bytes, 0444, cdrive_counter_show, NULL),
	__ATTR(fills, 0444, cdrive_counter_show, NULL),
	__ATTR(skipped, 0444, cdrive_counter_show, NULL),
	__ATTR(evictions, 0444, cdrive_counter_show, NULL),
	__ATTR(invalidations, 0444, cdrive_counter_show, NULL),
	__ATTR(checksum_errors, 0444, cdrive_counter_show, NULL),
	__ATTR(io_errors, 0444, cdrive_counter_show, NULL),
	__ATTR(bypassed, 0444, cdrive_counter_show, NULL),
};

static_assert(offsetof(struct cdrive_cache_counters, bypassed) ==
	      (ARRAY_SIZE(cdrive_counters) - 1) * sizeof(u64));

/* 0 of a drive that has no part of a cache. */
static ssize_t cdrive_counter_show(struct device *dev, struct device_attribute *attr,
				   char *buf)
{
	struct cdrive_queue *queue = cdrive_queue_of(dev);
	struct cdrive_cache_counters counters = {};

	spin_lock(&queue->lock);
	cdrive_cache_count(queue, &counters);
	spin_unlock(&queue->lock);
	return sysfs_emit(buf, "%llu\n", (&counters.size)[attr - cdrive_counters]);
}

static struct attribute *cdrive_cache_attrs[] = {
	&cdrive_counters[0].attr,
	&cdrive_counters[1].attr,
	&cdrive_counters[2].attr,
	&cdrive_counters[3].attr,
	&cdrive_counters[4].attr,
	&cdrive_counters[5].attr,
	&cdrive_counters[6].attr,
	&cdrive_counters[7].attr,
	&cdrive_counters[8].attr,
	&cdrive_counters[9].attr,
	&cdrive_counters[10].attr,
	&cdrive_counters[11].attr,
	NULL
};

static const struct attribute_group cdrive_cache_group = {
	.name = "cdrive_cache",
	.attrs = cdrive_cache_attrs,
};

static DEVICE_ATTR_RO(state);
static DEVICE_ATTR_RO(name);
static DEVICE_ATTR_RO(helper_pid);
static DEVICE_ATTR_RO(in_flight);
static DEVICE_ATTR_RO(park_limit);
static DEVICE_ATTR_RO(park_reasons);
static DEVICE_ATTR_RO(lease_left_ms);
static DEVICE_ATTR_RO(failed);
static DEVICE_ATTR_RO(failed_writes);

static struct attribute *cdrive_attrs[] = {
	&dev_attr_state.attr,
	&dev_attr_name.attr,
	&dev_attr_helper_pid.attr,
	&dev_attr_in_flight.attr,
	&dev_attr_park_limit.attr,
	&dev_attr_park_reasons.attr,
	&dev_attr_lease_left_ms.attr,
	&dev_attr_failed.attr,
	&dev_attr_failed_writes.attr,
	NULL
};

static const struct attribute_group cdrive_group = {
	.name = "cdrive",
	.attrs = cdrive_attrs,
};

const struct attribute_group *cdrive_sysfs_groups[] = {
	&cdrive_group,
	&cdrive_cache_group,
	NULL
};
