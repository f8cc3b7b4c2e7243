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

# sas BLOB FROM UNTIL: for the blob, valid from and to so many seconds from now
sas() {
	from=$(date -u -d "@$(($(date +%s) + $2))" +%Y-%m-%dT%H:%M:%SZ)
	until=$(date -u -d "@$(($(date +%s) + $3))" +%Y-%m-%dT%H:%M:%SZ)
	hex=$(echo "$azurite_key" | base64 -d | od -An -v -tx1 | tr -d ' \n')
	signature=$(printf 'rw\n%s\n%s\n/blob/devstoreaccount1/drives/%s\n\n\nhttps,http\n2021-08-06\nb\n\n\n\n\n\n\n' \
		"$from" "$until" "$1" | openssl dgst -sha256 -mac HMAC -macopt "hexkey:$hex" -binary |
		base64 | sed 's/+/%2B/g; s/=/%3D/g; s,/,%2F,g')
	echo "sv=2021-08-06&spr=https%2Chttp&st=$from&se=$until&sr=b&sp=rw&sig=$signature"
}

# A SAS of the user's, that has just begun by the service's clock.
make_drive "$base/given" 16M
fault set clock --ahead 600 >/tmp/rule
device=$(timeout 100 clouddrivectl mount "$base/given?$(sas given 590 3600)" --no-fs)
is "$device" /dev/cdrive0 "a SAS that begins in ten minutes, or has begun: the service says"
try "it is written to" write_block 1
unmount_drive
fault clear all
try "one that has not begun is refused" refused 'mount: .*; ' clouddrivectl mount "$base/given?$(sas given 590 3600)" --no-fs

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
