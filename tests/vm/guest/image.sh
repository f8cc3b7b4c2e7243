#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154  # of tests/vm/lib.sh
#
# Mounts what create and upload make, from a devstore of its own. See tests/vm/image.t.

. tests/vm/guest/lib.sh

start_store

# uses NAME: it can be mounted, written to, and read when it is mounted again
uses() {
	try "$1: mount" timeout 60 clouddrivectl mount "$base/$1" /mnt
	head -c 100000 /dev/urandom >/tmp/file
	try "$1: write" cp /tmp/file /mnt/file
	try "$1: unmount" timeout 60 clouddrivectl unmount /mnt
	try "$1: mount again" timeout 60 clouddrivectl mount "$base/$1" /mnt
	try "$1: read" cmp /tmp/file /mnt/file
	try "$1: unmount again" timeout 60 clouddrivectl unmount /mnt
}

try "create" clouddrivectl create "$base/made" --size 64M --label made
uses made
device=$(clouddrivectl mount "$base/made" --no-fs)
is "$(blockdev --getsize64 "$device")" 67108864 "the device ends where the footer begins"
! dd if=/dev/zero of="$device" bs=512 seek=131072 count=1 oflag=direct 2>/tmp/dd
ok $? "and can't be written to past that: $(sed -n 's/.*: //p;q' /tmp/dd)"
try "unmount" clouddrivectl unmount "$device"
try "download of what was used" clouddrivectl download "$base/made" /tmp/made
dd if=/tmp/made of=/tmp/part bs=1M skip=1 count=63 status=none
try "e2fsck of its partition" e2fsck -fn /tmp/part
[ "$(tail -c 512 /tmp/made | head -c 8)" = conectix ]
ok $? "the footer is what it was"

# Sizes as others have them: QEMU's rounds to its geometry.
if command -v qemu-img >/dev/null; then
	for force in on off; do
		head -c 67108864 /tmp/made >/tmp/raw
		qemu-img convert -f raw -O vpc -o subformat=fixed,force_size=$force /tmp/raw /tmp/vhd
		try "upload: qemu-img, force_size=$force" \
			clouddrivectl upload /tmp/vhd "$base/qemu-$force"
		uses qemu-$force
	done
else
	skip "images of qemu-img" "not installed"
fi

# Killed between its first call and its last.
creates() {
	clouddrivectl devstore counters --control "$control" |
		jq '[.. | objects | select(has("PutBlob")) | .PutBlob.calls][0] // 0'
}
before=$(creates)
sending() {
	[ "$(creates)" -gt "$before" ]
}
clouddrivectl devstore fault set delay --delay 3000 --op PutPage --control "$control" >/dev/null
clouddrivectl create "$base/half" --size 64M >/tmp/half 2>&1 &
pid=$!
wait_for 30 sending || bail_out "nothing is sent: $(cat /tmp/half)"
kill -KILL $pid
wait $pid 2>/dev/null
clouddrivectl devstore fault clear --control "$control"
timeout 60 clouddrivectl mount "$base/half" --no-fs >/tmp/out 2>&1
is "$?" 8 "what is half made is no drive: $(cat /tmp/out)"
grep -q 'unfinished: .*; wait, upload it again, or delete it' /tmp/out
ok $? "the message says so"
try "the module can be unloaded" rmmod cdrive
