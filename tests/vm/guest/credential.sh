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

# --- another key ---------------------------------------------------------------------------

# The account has another key: the drive waits, for longer than its park limit, until the
# key is the old one again, or somebody brings the new one.
echo bmV3IGtleSBvZiB0aGUgYWNjb3VudA== >/tmp/newkey
account=--account=devstoreaccount1:/tmp/newkey

change_key() {
	stop_store
	restart_store "$@"
}

waits_for_credential() {
	grep -q credential "$sysfs/cdrive/park_reasons"
}

no_agent() {
	[ "$(clouddrivectl list --json | jq '.[0].agent_pid')" = null ]
}

mount_drive "$base/rotated" 16M --park-limit 5
try "a drive with a park limit of 5 s" write_block 1
change_key "$account"
(write_block 2) &
writer=$!
try "the key is another: it parks, for a credential" wait_for 60 waits_for_credential
try "status says what to do" sh -c "
	clouddrivectl status $device | grep -q '^state:.*AuthenticationFailed.*with the new key'"
sleep 12
is "$(state)" parked "it waits for longer than its park limit"
kill -9 "$(helper_pid)"
sleep 8
is "$(state)" parked "without its helper, too"
change_key
try "the old key again: it goes on" wait_for 60 state_is live
wait $writer
ok $? "what waited is written"

change_key "$account"
(write_block 3) &
writer=$!
try "another key once more" wait_for 60 waits_for_credential
kill "$(clouddrivectl list --json | jq '.[0].agent_pid')"
try "the agent with the old one is ended" wait_for 20 no_agent
is "$(clouddrivectl mount "$url" --no-fs --key-file /tmp/newkey 2>&1)" "$device" "mounted with the new key"
try "it goes on" wait_for 60 state_is live
wait $writer
ok $? "what waited is written"
unmount_drive

is "$(find /sys/block -name 'cdrive*')" "" "nothing is left"
