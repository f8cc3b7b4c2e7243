# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC2034,SC2154  # shared with its users and tests/vm/lib.sh
#
# What the guests' sides of unmount.t and snapshot-lost.t share: a store in this machine that
# loses leases and refuses writes when it is told to, and drives on it that are written
# to without a sync.

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

# refuse_write: the next, for good
refuse_write() {
	devstore fault set answer --status 400 --blob "drives/$name" --op PutPage --count 1
}

# drive NAME FILESYSTEM [OPTION OF MOUNT]...: made and mounted anew at /mnt; "none": a device.
# Sets $url, $device, $name.
drive() {
	devstore fault clear
	name=$1
	url=$base/$1
	clouddrivectl create "$url" --size 320M --format raw --fs "$2" >/dev/null || bail_out "$1 can't be made"
	where=/mnt
	[ "$2" != none ] || where=--no-fs
	shift 2
	mounted=$(timeout 60 clouddrivectl mount "$url" "$where" "$@") || bail_out "$name can't be mounted"
	device=${mounted% *}
	sysfs=/sys/block/${device#/dev/}
	wait_for 10 [ -b "$device" ] || bail_out "$device did not appear"
}

# Into the page cache, and no further
write_file() {
	dd if=/dev/urandom of=/mnt/file bs=64k count=16 2>/dev/null
}

write_device() {
	dd if=/dev/urandom of="${1:-$device}" bs=64k count=16 conv=notrunc 2>/dev/null
}

# says_and_ends STATUS PATTERN WHAT COMMAND...: with that status, saying that in one line on
# standard error; "": nothing
says_and_ends() {
	status=$1 pattern=$2 what=$3
	shift 3
	timeout 100 "$@" >/tmp/said.out 2>/tmp/said
	is "$?" "$status" "$what: ends with $status"
	if [ "$pattern" ]; then
		try "$what: it says why" grep -q "$pattern" /tmp/said
		is "$(wc -l </tmp/said)" 1 "$what: in one line"
	else
		is "$(cat /tmp/said)" '' "$what: it says nothing"
	fi
	diag "$(cat /tmp/said)"
}

# unmounts STATUS PATTERN WHAT [OPTION]...: afterwards the device is gone, unless the status
# says that it stays
unmounts() {
	status=$1 pattern=$2 what="$3: unmount"
	shift 3
	says_and_ends "$status" "$pattern" "$what" clouddrivectl unmount "$url" "$@"
	case $status in
	6 | 7) try "$what: it stays" [ -b "$device" ] ;;
	*) try "$what: the device is gone" [ ! -e "$device" ] ;;
	esac
}

lost='not all that was written is in the blob'
