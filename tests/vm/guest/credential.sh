#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Guest side of credential.t.

. tests/vm/guest/lib.sh

start_store

fault() {
	clouddrivectl devstore fault "$@" --control "$control"
}

write_block() {
	head -c 4096 /dev/urandom >/tmp/block
	timeout 60 dd if=/tmp/block of="$device" bs=4096 seek="$1" oflag=direct,dsync 2>/dev/null &&
		timeout 60 dd if="$device" bs=4096 skip="$1" count=1 iflag=direct 2>/dev/null |
		cmp -s - /tmp/block
}

# --- clocks that differ ------------------------------------------------------------------

# Which of the two is wrong is all the same.
for off in '--behind 600' '--ahead 600' '--behind 36000'; do
	# shellcheck disable=SC2086  # two words
	rule=$(fault set clock $off)
	mount_drive "$base/disk$rule" 16M --sas-lifetime 12
	try "clock $off: a drive mounts, and is written to" write_block 1
	fault clear all
	try "the clock is set: it goes on" write_block 2
	# shellcheck disable=SC2086
	rule=$(fault set clock $off)
	sleep 13 # longer than the SAS that it has
	try "and is wrong again" write_block 3
	kill -9 "$(helper_pid)"
	try "a new helper goes on" write_block 4
	is "$(status '.fenced // "not"')" not "it is not fenced"
	unmount_drive
	fault clear all
done

is "$(find /sys/block -name 'cdrive*')" "" "nothing is left"
