#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154  # shared with tests/vm/lib.sh
#
# Guest side of unmount.t.
# usage: unmount.sh

. tests/vm/guest/lib.sh

start_store
store=$!
at_exit "kill -CONT $store 2>/dev/null"

devstore() {
	clouddrivectl devstore "$@" --control "$control" >/dev/null
}

# lose_lease_at OPERATION: to another client, as the next call of that kind arrives
lose_lease_at() {
	devstore fault set steal-lease --blob "drives/$name" --op "$1" --count 1
}

# drive NAME FILESYSTEM [OPTION OF MOUNT]...: made and mounted anew at /mnt; "none": a device.
# Sets $url, $device, $name.
drive() {
	devstore fault clear
	name=$1
	url=$base/$1
	clouddrivectl create "$url" --size 320M --format raw --fs "$2" >/dev/null || bail_out "$1 can't be made"
	if [ "$2" = none ]; then set -- "$@" --no-fs; else set -- "$@" /mnt; fi
	shift 2
	mounted=$(timeout 60 clouddrivectl mount "$url" "$@") || bail_out "$name can't be mounted"
	device=${mounted% *}
	sysfs=/sys/block/${device#/dev/}
	wait_for 10 [ -b "$device" ] || bail_out "$device did not appear"
}

# Into the page cache, and no further
write_file() {
	dd if=/dev/urandom of=/mnt/file bs=64k count=16 2>/dev/null
}

write_device() {
	dd if=/dev/urandom of="$device" bs=64k count=16 conv=notrunc 2>/dev/null
}

# unmounts STATUS PATTERN NAME [OPTION]...: with that status, saying that in one line; "":
# nothing. Afterwards the device is gone, unless the status says that it stays.
unmounts() {
	status=$1 pattern=$2 what=$3
	shift 3
	timeout 100 clouddrivectl unmount "$url" "$@" >/tmp/unmount 2>&1
	is "$?" "$status" "$what: unmount ends with $status"
	if [ "$pattern" ]; then
		try "$what: it says why" grep -q "$pattern" /tmp/unmount
		is "$(wc -l </tmp/unmount)" 1 "$what: in one line"
	else
		is "$(cat /tmp/unmount)" '' "$what: it says nothing"
	fi
	diag "$(cat /tmp/unmount)"
	case $status in
	6 | 7) try "$what: it stays" [ -b "$device" ] ;;
	*) try "$what: the device is gone" [ ! -e "$device" ] ;;
	esac
}

lost='not all that was written is in the blob'

# --- nothing is wrong -------------------------------------------------------------------

drive plain ext4
write_file
sum=$(sha256sum </mnt/file)
unmounts 0 '' "nothing wrong"
clouddrivectl mount "$url" /mnt >/dev/null
is "$(sha256sum </mnt/file)" "$sum" "nothing wrong: it is in the blob"
unmounts 0 '' "nothing wrong, nothing written"

# --- the lease is lost --------------------------------------------------------------------

for fs in ext4 xfs; do
	drive "taken-$fs" $fs
	write_file
	lose_lease_at PutPage
	unmounts 1 "$lost: .*fenced" "$fs, taken while it is written out"
done

drive released none
lose_lease_at LeaseBlob
unmounts 0 '' "a device, taken when all was written"

drive known ext4
write_file
lose_lease_at LeaseBlob
try "fenced before" wait_for 25 state_is fenced
unmounts 1 "$lost: .*fenced" "ext4, fenced before"

drive by-hand ext4
write_file
lose_lease_at PutPage
umount /mnt
try "umount(8) has seen nothing" wait_for 25 state_is fenced
unmounts 1 "$lost" "ext4, unmounted by hand"

drive device none
lose_lease_at PutPage
write_device
try "the device's writer has seen nothing" wait_for 25 state_is fenced
unmounts 1 "$lost" "a device, written to by a program that did not sync"

drive idle none
lose_lease_at LeaseBlob
try "an idle device is fenced" wait_for 25 state_is fenced
unmounts 0 'fenced' "an idle device, fenced: nothing was lost"

drive both ext4
mkdir -p /media/second && mount "$device" /media/second
write_file
lose_lease_at PutPage
unmounts 1 "$lost: .*fenced" "ext4, mounted twice"

drive open ext4
exec 9>/mnt/held
echo data >&9
lose_lease_at PutPage
unmounts 1 "$lost: .*fenced" "ext4 in use, taken while it is written out: --force" --force
exec 9>&-

# --- a write is refused for good ---------------------------------------------------------

drive refused none
devstore fault set answer --status 400 --blob drives/refused --op PutPage --count 1
write_device
unmounts 1 "$lost" "a device, a write refused for good"

drive refused-ext4 ext4
write_file
devstore fault set answer --status 400 --blob drives/refused-ext4 --op PutPage --count 1
unmounts 1 "$lost" "ext4, a write refused for good"

# --- the service is gone ------------------------------------------------------------------

drive gone ext4
write_file
kill -STOP $store
unmounts 7 'data waits to be written' "ext4, the service gone"
unmounts 1 "$lost" "ext4, the service gone: --force" --force
kill -CONT $store

drive waits ext4
sync -f /mnt
kill -STOP $store
unmounts 0 'lease could not be released' "ext4, the service gone when all was written: --force" --force
kill -CONT $store

# --- the park limit ------------------------------------------------------------------------

drive limit ext4 --park-limit 5
write_file
kill -STOP $store
sync -f /mnt &
try "past the park limit the drive is given up" wait_for 120 state_is fenced
kill -CONT $store
unmounts 1 "$lost" "ext4, past the park limit"
plan
