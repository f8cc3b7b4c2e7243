#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Guest side of drive.t: who may command the driver, and how a drive ends while it
# is in use.
# usage: unload.sh CONTAINER

. tests/vm/guest/lib.sh

mount_drive "$TEST_URL/$1/unload" 256M

# --- permissions ------------------------------------------------------------------

only_get_works() {
	python=/usr/bin/python3
	"$@" $python tests/vm/guest/netlink.py >/tmp/commands || return 1
	[ "$(grep -cv EPERM /tmp/commands)" = 2 ] && grep -qx 'GET 0' /tmp/commands &&
		grep -qx 'DUMP 0' /tmp/commands && return
	cat /tmp/commands
	return 1
}

nobody='setpriv --reuid=65534 --regid=65534 --clear-groups'
# shellcheck disable=SC2086  # words
{
	try "nobody may only ask" only_get_works $nobody
	try "nor may who is root in a user namespace of his own" only_get_works $nobody unshare -Ur
	try "nor CAP_NET_ADMIN without CAP_SYS_ADMIN" only_get_works $nobody \
		--inh-caps=+net_admin --ambient-caps=+net_admin
	dd if=/dev/urandom of=/tmp/first bs=1M count=1 status=none
	try "a MiB is written" dd if=/tmp/first of="$device" oflag=direct bs=1M status=none
	try "requests are forged by who has CAP_NET_ADMIN" $nobody --inh-caps=+net_admin \
		--ambient-caps=+net_admin /usr/bin/python3 tests/vm/guest/forge.py "${device#/dev/cdrive}"
	sleep 1
	dd if="$device" bs=1M count=1 iflag=direct status=none | cmp - /tmp/first
	ok $? "the helper has not heeded them"
	is "$(state)" live "and has its drive still"
	! $nobody cat /dev/cdrive-payload >/dev/null 2>&1
	ok $? "nobody can't open the payload device"
	! $nobody dd if="$device" of=/dev/null count=1 2>/dev/null
	ok $? "nor the drive"
}
is "$(state)" live "the drive is as it was"

# --- in use -----------------------------------------------------------------------

try "rmmod is refused while a drive is attached" refused 'in use' rmmod cdrive
exec 5<"$device"
try "unmount is refused while the device is open" refused . unmount_drive
exec 5<&-
is "$(state)" live "the drive is as it was"

# --- forced -----------------------------------------------------------------------

mkfs.ext4 -q "$device" && mount "$device" /mnt
ok $? "a file system is mounted"
fio --name=load --directory=/mnt --size=64M --rw=randwrite --bs=16k --direct=1 --ioengine=libaio \
	--iodepth=16 --time_based --runtime=120 >/tmp/load 2>&1 &
load=$!
try "it is under load" wait_for 30 written 500
exec 6>/mnt/held
try "unmount --force does not hang" unmount_drive --force
try "the load ends with errors" wait_for 30 ended $load
! wait $load
ok $? "and says so"

# The file system is not mounted any more, but lives as long as a file is open, and
# with it the disk and its name, which no other disk must have meanwhile.
old=$device
try "rmmod is refused while the dead disk is open" refused 'in use' rmmod cdrive
mount_again
[ "$device" != "$old" ]
ok $? "the next drive has another name ($device)"
mount "$device" /mnt
ok $? "and its file system can be mounted beside the dead one"
umount /mnt
try "unmount" unmount_drive
exec 6>&-
try "the module can be unloaded" wait_for 10 rmmod cdrive

# The same when the server does not answer: nothing is to be waited for.
mount_again
fio --name=load --filename="$device" --size=64M --rw=randwrite --bs=16k --direct=1 --ioengine=libaio \
	--iodepth=16 --time_based --runtime=120 >/tmp/load 2>&1 &
load=$!
try "again, under load" wait_for 30 written 100
host stop_azurite STOP
try "requests are in flight to a server that does not answer" wait_for 10 in_flight
try "unmount --force does not hang" unmount_drive --force
host stop_azurite CONT
try "the load ends with errors" wait_for 30 ended $load
try "the device is gone" [ ! -e "$device" ]
try "the module can be unloaded" wait_for 10 rmmod cdrive
plan
