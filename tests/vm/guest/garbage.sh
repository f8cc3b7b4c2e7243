#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154  # shared with tests/vm/lib.sh
#
# Guest side of garbage.t.
# usage: garbage.sh CONTAINER

. tests/vm/guest/lib.sh

no_drives() {
	[ "$(clouddrivectl list | wc -l)" = 1 ] && ! ls /dev/cdrive[0-9]* 2>/dev/null
}

# works NAME: a drive can be made, written, and read back
works() {
	mount_drive "$TEST_URL/$2/$3" 64M
	dd if=/dev/urandom of=/tmp/image bs=1M count=8 status=none
	try "$1: write" dd if=/tmp/image of="$device" bs=1M oflag=direct conv=fsync status=none
	try "$1: read back" cmp -n 8388608 /tmp/image "$device"
	try "$1: unmount" unmount_drive
}

modprobe cdrive
for seed in 1 2 3 4 5 6; do
	try "seed $seed" timeout 100 "$VM_OUT/nl_garbage" $seed 4000
	try "seed $seed: no drive is left" wait_for 20 no_drives
done
works "afterwards" "$1" after

# While a helper serves a drive under load, which need not survive it.
mount_drive "$TEST_URL/$1/during" 64M
dd if=/dev/zero of="$device" bs=64K count=1000 oflag=direct status=none 2>/dev/null &
load=$!
try "under load" timeout 100 "$VM_OUT/nl_garbage" 7 4000
wait_for 30 eval '! kill -0 $load 2>/dev/null'
ok $? "the load ended"
kill -9 $load 2>/dev/null
clouddrivectl unmount "$device" --force >/dev/null 2>&1
try "the helper ended" wait_for 100 eval '! pgrep -x clouddrived'
works "after the load" "$1" again
try "the module can be unloaded" rmmod cdrive

plan
