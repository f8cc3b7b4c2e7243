#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154  # shared with tests/vm/lib.sh
#
# Guest side of agent.t.
# usage: agent.sh CONTAINER

. tests/vm/guest/lib.sh

base=$TEST_URL/$1

agent_pid() {
	clouddrivectl list --json | jq '.[0].agent_pid'
}

no_agent() {
	[ "$(agent_pid)" = null ]
}

# What is left of a drive: nothing
nothing_left() {
	! pgrep 'cloudd|cdrive-' && [ -z "$(ls -A /run/clouddrive)" ]
}

# says PATTERN COMMAND...: it succeeds, and says PATTERN on standard error
says() {
	pattern=$1
	shift
	"$@" 2>/tmp/says && grep -q "$pattern" /tmp/says
}

sum() {
	dd if="$device" bs=1M count=4 iflag=direct 2>/dev/null | sha256sum
}

# status_of COMMAND...: its exit status
status_of() {
	"$@" >/tmp/of 2>&1
	echo $?
}

mount_it() {
	timeout 120 clouddrivectl mount "$@"
}

# --- mounted, and mounted again -----------------------------------------------------------

mount_drive "$base/disk" 64M --sas-lifetime 12
agent=$(agent_pid) helper=$(helper_pid)
try "there is an agent" grep -qx cdrive-agent "/proc/$agent/comm"
is "$(status .agent.credential)" key "which holds the key"
[ "$(status .credential.kind)" = sas ] && [ "$(status .credential.expires_seconds)" -le 12 ]
ok $? "and the helper has a SAS that ends soon"
dd if=/dev/urandom of="$device" bs=1M count=4 oflag=direct 2>/dev/null
sum=$(sum)
is "$(mount_it "$url" --no-fs 2>&1)" "$device" "mounted again: the same is answered"
is "$(agent_pid) $(helper_pid)" "$agent $helper" "and nothing is changed"
is "$(status_of mount_it "$url" --no-fs --read-only)" 6 "in another way: refused"
sleep 13
try "it lives longer than its first SAS" wait_for 5 state_is live
kill -9 "$helper"
try "a helper that dies has a successor" wait_for 10 another_than "$helper"
is "$(sum)" "$sum" "the data is right"
is "$(agent_pid)" "$agent" "the agent is the same"

# --- without agent --------------------------------------------------------------------------

helper=$(helper_pid)
kill -9 "$agent"
is "$(agent_pid)" null "the agent is killed, and list says so"
try "so does status" sh -c "clouddrivectl status $device | grep -q '^agent: *none: .*mount $url'"
is "$(sum)" "$sum" "the drive works on"
is "$(helper_pid)" "$helper" "with the same helper"
try "it parks when the SAS has ended" wait_for 25 state_is parked
try "and says why" sh -c "clouddrivectl status $device | grep -q '^state:.*SAS expired.*mount'"
(sum >/tmp/sum) &
reader=$!
is "$(mount_it "$url" --no-fs --sas-lifetime 60 2>&1)" "$device" "mount brings the same device back"
try "it is live" wait_for 5 state_is live
is "$(helper_pid)" "$helper" "still with the same helper"
wait $reader
is "$(cat /tmp/sum)" "$sum" "what waited is read, and right"
agent=$(agent_pid)
kill -9 "$helper"
try "the new agent brings a helper back, too" wait_for 10 another_than "$helper"
kill -TERM "$agent"
try "an agent that is told to ends" wait_for 5 no_agent
kill -9 "$(helper_pid)"
is "$(mount_it "$url" --no-fs 2>&1)" "$device" "neither agent nor helper: the same device"
is "$(sum)" "$sum" "the data is right"
agent=$(agent_pid)
kill -STOP "$(pgrep -P "$agent" -x cdrive-spawner)"
kill -9 "$(helper_pid)"
kill -CONT "$(pgrep -P "$agent" -x cdrive-spawner)"
try "unmount, while the agent brings a helper back" unmount_drive
try "nothing of it is left" nothing_left

# --- two at once -----------------------------------------------------------------------------

mkfs_and_leave() {
	mount_again && mkfs.ext4 -q "$device" && unmount_drive
}
try "a file system is made" mkfs_and_leave
mount_it "$url" >/tmp/one 2>&1 &
one=$!
mount_it "$url" >/tmp/two 2>&1 &
wait $one && wait $!
is "$? $(cat /tmp/one)" "0 /dev/cdrive0 /mnt/cdrive0" "of two mounts at once each succeeds"
is "$(cat /tmp/two)" "$(cat /tmp/one)" "and answers the same"
is "$(pgrep -xc cdrive-agent) $(pgrep -xc clouddrived)" "1 1" "with one agent and one helper"
is "$(mount_it "$url")" "/dev/cdrive0 /mnt/cdrive0" "once more"
is "$(status_of mount_it "$url" /tmp)" 6 "at another place: refused"
try "which says where it is" grep -q 'as /dev/cdrive0 at /mnt/cdrive0' /tmp/of
unmount_drive
is "$(mount_it "$url")" "/dev/cdrive0 /mnt/cdrive0" "unmounted, and mounted at once"
unmount_drive

# --- with a SAS ---------------------------------------------------------------------------------

connection=$AZURE_STORAGE_CONNECTION_STRING
unset AZURE_STORAGE_CONNECTION_STRING
try "a SAS that may only read: refused" refused 'lacks the permission write' mount_it "$url?$TEST_READER" --no-fs
device=$(mount_it "$url?$TEST_WRITER" --no-fs)
is "$device $(status .agent.credential)" "/dev/cdrive0 sas" "one that may write: mounted, by an agent without key"
left=$(status .credential.expires_seconds)
[ "$left" -gt 100 ] && [ "$left" -le 1200 ]
ok $? "status says when it ends: in $left s"
is "$(mount_it "$url?$TEST_LATER" --no-fs 2>&1)" "$device" "a new one is handed in"
[ "$(status .credential.expires_seconds)" -gt 1200 ]
ok $? "and ends later"
is "$(status_of mount_it "$url?$TEST_READER" --no-fs)" 4 "one that may only read is not"
old=$(helper_pid)
kill -9 "$old"
try "the helper is killed, another comes" wait_for 10 another_than "$old"
try "it is live" wait_for 5 state_is live
[ "$(status .credential.expires_seconds)" -gt 1200 ]
ok $? "with the new SAS"
try "unmount" unmount_drive
device=$(mount_it "$url?$TEST_POLICY" --no-fs)
is "$device $(status .credential.expires)" "/dev/cdrive0 null" "a SAS with a stored access policy: mounted"
try "it writes" dd if=/dev/zero of="$device" bs=1M count=1 oflag=direct
try "unmount" unmount_drive
export AZURE_STORAGE_CONNECTION_STRING="$connection"

# --- several URLs, and --force ----------------------------------------------------------------------

clouddrivectl create "$base/second" --size 16M --format raw --fs none
lease=$(host blobtool acquire-lease "$1/disk" 60)
ok $? "another client has leased the first: $lease"
is "$(mount_it "$url" "$base/second" --no-fs 2>/tmp/err)" "/dev/cdrive0 $base/second" "of two the free one is mounted"
try "and says why not the other" grep -q 'disk: .*leased by another client' /tmp/err
is "$(status_of mount_it "$url" "$base/second" --no-fs)" 5 "again: all are in use"
is "$(status_of mount_it "$url" "$base/nothing" "$base/second" --no-fs)" 3 "what else is wrong decides"
is "$(mount_it "$base/second" --no-fs)" /dev/cdrive0 "on its own it is mounted"
unmount_drive
is "$(status_of mount_it "$url" --no-fs)" 5 "leased by another: refused"
try "which says how" grep -q -e --force /tmp/of
is "$(mount_it "$url" --no-fs --force 2>/tmp/err)" /dev/cdrive0 "--force takes it over"
is "$(mount_it "$url" --no-fs --force)" /dev/cdrive0 "--force of what is mounted and works"

# --- fenced ---------------------------------------------------------------------------------------------

take_it() {
	host blobtool break-lease "$1" && host blobtool acquire-lease "$1" 60 >/tmp/taken
}

take_it "$1/disk"
try "another takes it: fenced" wait_for 25 state_is fenced
try "status says why" sh -c "clouddrivectl status $device | grep -q '^state: *fenced: .*lease'"
is "$(status_of mount_it "$url" --no-fs)" 5 "mounted again: leased by the other"
try "the dead device was taken away first" grep -q 'was fenced, and was taken away' /tmp/of
is "$(clouddrivectl list --json)" '[]' "and is gone"
is "$(mount_it "$url" --no-fs --force 2>/dev/null)" /dev/cdrive0 "--force: mounted afresh"
mkfs.ext4 -q "$device" && mount "$device" /mnt
exec 9>/mnt/file
echo data >&9
take_it "$1/disk"
try "another takes it: fenced" wait_for 25 state_is fenced
begun=$(date +%s)
try "unmount, with an open file: what is lost is said" refused 'not all .* is in the blob: .*was fenced' unmount_drive
[ $(($(date +%s) - begun)) -le 10 ]
ok $? "within $(($(date +%s) - begun)) s"
exec 9>&-
try "nothing of it is left" wait_for 5 nothing_left
try "the module can be unloaded" rmmod cdrive
plan
