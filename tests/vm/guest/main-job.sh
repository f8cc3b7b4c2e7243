#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Guest side of main-job.t.
# usage: main-job.sh write|read CONTAINER LIST: LIST names files, from the root on

. tests/vm/guest/lib.sh

# By several at a time, as each file is a wait for the server.
every_checksum() (
	cd /mnt && split -n l/8 "$VM_OUT/manifest" /tmp/part. || exit 1
	printf '%s\n' /tmp/part.* | xargs -P 8 -n 1 sha256sum --quiet -c
)

case $1 in
write)
	mount_drive "$TEST_URL/$2/disk" 512M
	try "mkfs.ext4" mkfs.ext4 -q "$device"
	try "mount" mount "$device" /mnt
	tar -C / -c -T "$3" | tar -C /mnt -x
	ok $? "$(wc -l <"$3") files are written"
	try "umount" umount /mnt
	;;
read)
	url=$TEST_URL/$2/disk
	mount_again
	try "mount" mount -o ro "$device" /mnt
	try "every checksum is right" every_checksum
	try "umount" umount /mnt
	;;
esac
unload
plan
