#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Guest side of cache.t: a whole drive with a cache that is smaller than its data, under a
# load that verifies every block, while its helper is killed again and again.
# usage: cache-load.sh DEVICE

. tests/vm/guest/lib.sh

# counter NAME: of the drive's part of the cache
counter() {
	cat "$sysfs/cdrive_cache/$1"
}

kill_helpers() {
	for _ in 1 2 3 4; do
		sleep 2
		kill -9 "$(helper_pid)" 2>/dev/null
	done
	touch /tmp/over
}

start_store
try "init-cache" clouddrivectl init-cache "$1" --size 24M
mount_drive "$base/disk" 64M
kill_helpers &
rounds=0 failed=0
until [ -e /tmp/over ] || [ $rounds -eq 50 ]; do
	rounds=$((rounds + 1))
	verified_fio 120 --ioengine=libaio --rw=randrw --rwmixread=70 --bsrange=512-128k \
		--blockalign=512 --iodepth=16 --size=48M --io_size=16M --verify_backlog=64 \
		--random_distribution=zipf:1.1 || failed=1
	[ $failed = 0 ] || break
done
ok $failed "every block is what was written last, $rounds times"
wait_for 60 state_is live
ok $? "the drive is live"
for name in hits fills evictions invalidations; do
	[ "$(counter $name)" -gt 0 ]
	ok $? "$name: $(counter $name)"
done
is "$(counter checksum_errors) $(counter io_errors)" '0 0' "no error of the cache"
unload
plan
