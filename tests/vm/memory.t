#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Memory pressure: a machine of 512 MiB writes 2 GiB through the page cache, to files
# and to the device. It must not deadlock; the blob, fetched by another client, is
# verified here, where that is quick.
# Needs root, kernels and Azurite, as scripts/setup brings them.

cd "$(dirname "$0")/../.." && . tests/vm/suite.sh
kernels=${TEST_KERNELS:-6.1}

common='--name=memory --rw=write --verify=crc32c --verify_fatal=1 --verify_state_save=0 --randrepeat=1'
written="$common --ioengine=psync --bs=1M --size=1280M"
mapped="$common --ioengine=mmap --bs=64k --size=256M --randseed=2"
raw="$common --ioengine=psync --bs=1M --offset=2500M --size=512M --randseed=3"

# right FILE JOB: by the checksums that fio wrote
right() {
	# shellcheck disable=SC2086  # words
	fio $2 --ioengine=psync --filename="$1" --verify_only
}

right_in_image() {
	/sbin/debugfs -R "dump /$1 $tmp/file" "$tmp/disk" 2>/dev/null
	right "$tmp/file" "$2"
}

subject() {
	container=$(new_container)
	guest "$1" --mem 512M --timeout 600 -- tests/vm/guest/memory.sh "$container" "$written" "$mapped" "$raw" || return
	try "$1: the blob is downloaded" blobtool download "$container/disk" "$tmp/disk"
	try "$1: e2fsck has no complaint" /sbin/e2fsck -fn "$tmp/disk"
	try "$1: the file that was written is right" right_in_image written "$written"
	try "$1: the file that was mapped is right" right_in_image mapped "$mapped"
	try "$1: what was written to the device is right" right "$tmp/disk" "$raw"
	rm -f "$tmp/disk" "$tmp/file"
	blobtool delete "$container/disk"
}

start_azurite
for_each_kernel subject
plan
