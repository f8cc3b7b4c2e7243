#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Guest side of drive.t: what the block device is and does.
# usage: drive.sh CONTAINER

. tests/vm/guest/lib.sh

attribute() {
	is "$(cat "$sysfs/$1")" "$2" "$1 is $2"
}

positive() {
	try "$1 is more than 0" [ "$(cat "$sysfs/$1")" -gt 0 ]
}

# same: the device begins with what /tmp/image holds
same() {
	dd if="$device" bs=1M count=16 iflag=direct status=none | cmp - /tmp/image
}

# emptied NAME FROM LENGTH (KiB) COMMAND...: COMMAND makes the range read as zeroes,
# and its pages are gone from the blob
emptied() {
	what=$1 from=$2 length=$3
	shift 3
	try "$what" "$@"
	dd if=/dev/zero of=/tmp/image bs=1K seek="$from" count="$length" conv=notrunc status=none
	try "$what: zeroes there, all else as it was" same
	is "$(host pages_between $((from * 1024)) $(((from + length) * 1024)))" '' "$what: the blob's pages are gone"
}

mount_drive "$TEST_URL/$1/disk" 256M

attribute queue/logical_block_size 512
attribute queue/physical_block_size 4096
attribute queue/max_sectors_kb 4096
attribute queue/read_ahead_kb 4096
attribute queue/write_cache 'write through'
positive queue/discard_granularity
attribute queue/stable_writes 1
attribute queue/rotational 0
positive queue/discard_max_bytes
positive queue/write_zeroes_max_bytes
attribute size $((256 * 2048))
attribute ro 0
attribute cdrive/state live
attribute cdrive/in_flight 0
attribute cdrive/park_limit 300
attribute cdrive/helper_pid "$(status .helper_pid)"

# --- reads of what was never written -------------------------------------------

before=$(status .transactions.reads)
try "an empty drive reads as zeroes" cmp -n 67108864 "$device" /dev/zero
is "$(status .transactions.reads)" "$before" "that cost no transaction"

# --- discard and zeroes ---------------------------------------------------------

dd if=/dev/urandom of=/tmp/image bs=1M count=16 status=none
try "16 MiB are written" dd if=/tmp/image of="$device" bs=4M oflag=direct
try "and read back" same
[ "$(status .transactions.reads)" -gt "$before" ]
ok $? "that cost transactions"

emptied blkdiscard 1024 2048 blkdiscard -o 1M -l 2M "$device"
emptied "blkdiscard --zeroout" 4096 1024 blkdiscard -z -o 4M -l 1M "$device"
emptied "fallocate --punch-hole" 6144 1024 fallocate -p -o 6M -l 1M "$device"
emptied "fallocate --zero-range" 8192 1024 fallocate -z -o 8M -l 1M "$device"
emptied "blkdiscard of 4 KiB and a half" 12292 4 blkdiscard -o $((12292 * 1024)) -l 4096 "$device"
dd if=/dev/zero of=/tmp/image bs=512 seek=28673 count=1 conv=notrunc status=none
try "blkdiscard of one sector" blkdiscard -o $((28673 * 512)) -l 512 "$device"
try "blkdiscard of one sector: the sectors beside it stay" same
before=$(status .transactions.reads)
try "a discarded range reads as zeroes" dd if="$device" of=/dev/null bs=1M skip=1 count=2 iflag=direct
is "$(status .transactions.reads)" "$before" "that cost no transaction"
clears=$(status .transactions.clears)
try "blkdiscard of all" blkdiscard "$device"
[ "$(status .transactions.clears)" -le $((clears + 4)) ]
ok $? "a call or two clear any range"
is "$(host pages_between 0 $((256 << 20)))" '' "the blob is empty"

# --- partitions -------------------------------------------------------------------

printf 'label: gpt\n,64M\n,\n' >/tmp/table
try "sfdisk makes two partitions" sfdisk -q "$device" --no-tell-kernel </tmp/table
try "blockdev rereads the table" wait_for 5 blockdev --rereadpt "$device"
try "their nodes appear" wait_for 10 [ -b "${device}p1" -a -b "${device}p2" ]
is "$(cat "$sysfs/${disk}p1/size")" $((64 * 2048)) "the first one's size"
try "a file system on the second" mkfs.ext4 -q "${device}p2"
mount "${device}p2" /mnt && cp -r tests/vm /mnt/ && umount /mnt
ok $? "with files on it"
unmount_drive
ok $? "unmount"
try "the nodes are gone" [ ! -e "$device" -a ! -e "${device}p1" -a ! -e "${device}p2" ]

mount_again --read-only
attribute ro 1
try "read-only, the partitions are there again" wait_for 10 [ -b "${device}p1" -a -b "${device}p2" ]
try "its file system can be mounted" mount -o ro "${device}p2" /mnt
try "and has its files" diff -r tests/vm /mnt/vm
umount /mnt
! dd if=/dev/zero of="$device" bs=4k count=1 oflag=direct 2>/dev/null
ok $? "writes are refused"
! blkdiscard "$device" 2>/dev/null
ok $? "discards are refused"
! blockdev --setrw "$device" 2>/dev/null || ! dd if=/dev/zero of="$device" bs=4k count=1 oflag=direct 2>/dev/null
ok $? "even after blockdev --setrw"
is "$(status .transactions.writes)" 0 "nothing was written"

unload
plan
