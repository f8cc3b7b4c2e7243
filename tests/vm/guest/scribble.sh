#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Guest side of scribble.t.
# usage: scribble.sh PROGRAM SECONDS

. tests/vm/guest/lib.sh

watch_states
start_store
mount_drive "$base/disk" 256M
try "mkfs.ext4" mkfs.ext4 -q "$device"
try "mount" mount "$device" /mnt
dd if=/dev/zero of=/mnt/file bs=1M count=8 conv=fsync status=none
chown nobody /mnt/file
install -m 755 "$1" /tmp/scribble
# Somebody else's, meanwhile.
dd if=/dev/urandom of=/tmp/other bs=64k count=16 status=none
(
	while [ ! -e /tmp/over ]; do
		dd if=/tmp/other of=/mnt/other bs=64k oflag=direct conv=fsync status=none || exit 1
	done
) &
other=$!
try "nobody scribbles in what is being written" setpriv --reuid nobody --clear-groups \
	timeout $(($2 + 200)) /tmp/scribble /mnt/file "$2"
touch /tmp/over
wait $other
ok $? "somebody else's writes went well"
try "and are whole" cmp /tmp/other /mnt/other
[ "$(status .retries)" -gt 0 ]
ok $? "it was noticed: $(status .retries) calls were made again"
is "$(grep -c parked /tmp/events)" 0 "the drive was never parked"
is "$(status .requests.errors)" 0 "no request failed"
try "what is left alone is written right" verified_fio 60 --ioengine=psync --rw=write --bs=64k \
	--size=4M --filename=/mnt/quiet
try "umount" umount /mnt
try "e2fsck finds nothing" e2fsck -fn "$device"
unload
plan
