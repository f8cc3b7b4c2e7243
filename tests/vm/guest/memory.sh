#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Guest side of memory.t: a machine of 512 MiB writes four times as much, through the
# page cache, a part of it by mmap.
# usage: memory.sh CONTAINER JOB...: JOBs are fio's options, which the host verifies by

. tests/vm/guest/lib.sh

container=$1
shift

mount_drive "$TEST_URL/$container/disk" 3G
try "mkfs.ext4" mkfs.ext4 -q "$device" 2500M
try "mount" mount "$device" /mnt
# What can't be written out takes a third of the memory.
dd if=/dev/zero of=/tmp/ballast bs=1M count=150 status=none
begun=$(date +%s)
# shellcheck disable=SC2086  # words
{
	timeout 500 fio $1 --filename=/mnt/written --do_verify=0 --end_fsync=1 >/tmp/fio.1 2>&1 &
	written=$!
	timeout 500 fio $2 --filename=/mnt/mapped --do_verify=0 --end_fsync=1 >/tmp/fio.2 2>&1 &
	mapped=$!
	wait $written
	ok $? "1.25 GiB are written"
	wait $mapped
	ok $? "256 MiB are written by mmap"
	try "umount" umount /mnt
	try "512 MiB are written to the device itself" timeout 300 fio $3 --filename="$device" \
		--do_verify=0 --end_fsync=1
}
diag "$(($(date +%s) - begun)) s; $(grep -E 'MemFree|Dirty:|Writeback:' /proc/meminfo | tr -s ' \n' ' ')"
is "$(status .requests.errors)" 0 "no request failed"
# Of the helper nothing was ever swapped or paged out.
pid=$(status .helper_pid)
[ "$(awk '/VmLck/ { print $2 }' "/proc/$pid/status")" -gt 0 ]
ok $? "the helper's memory is locked"
is "$(cat "/proc/$pid/oom_score_adj")" -1000 "it is the last to be killed"
is "$(dmesg | grep -i 'out of memory\|page allocation failure')" '' "the kernel never ran out of memory"
unload
plan
