#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Guest side of runtime.t.
# usage: runtime.sh

. tests/vm/guest/lib.sh

fill_run() {
	! cat /dev/zero >/run/full 2>/dev/null && ! echo x >/run/another 2>/dev/null
}

empty_run() {
	rm -f /run/full /run/another
}

lose_directory() {
	rm -rf /run/clouddrive
}

agent_pid() {
	pgrep -x cdrive-agent | head -n 1
}

kill_helper() {
	old=$(helper_pid)
	kill -9 "$old" && wait_for 60 another_than "$old"
}

kill_both() {
	kill -9 "$(agent_pid)" "$(helper_pid)" && wait_for 10 state_is parked
}

pattern() {
	yes "$1" | head -c 64k
}

writes() {
	pattern "$1" >/tmp/pattern && dd if=/tmp/pattern of="$device" bs=64k oflag=direct 2>/dev/null
}

reads() {
	pattern "$1" >/tmp/pattern && dd if="$device" bs=64k count=1 iflag=direct 2>/dev/null | cmp - /tmp/pattern
}

# works WHAT ROUND: the drive, told apart by what is in it
works() {
	try "$2: the drive is live" wait_for 60 state_is live
	try "$2: what was written is there" reads "$1"
	is "$(clouddrivectl list --json | jq -r '.[] | .device + " " + .url')" "/dev/cdrive0 $url" \
		"$2: there is one drive, and it is the blob"
}

# mounted_again ROUND [OPTION]...: by mount, which finds what is there
mounted_again() {
	round=$1
	shift
	mount_again "$@"
	is "$device" /dev/cdrive0 "$round: mount has the same device"
	works one "$round"
}

start_store
mount_drive "$base/disk" 64M
try "something is written" writes one
number=$(status .sequence_number)

try "/run is full" fill_run
try "full: another helper takes over" kill_helper
works one full
try "full: it knows the number" [ "$(status .sequence_number)" -gt "$number" ]
try "full: both are killed" kill_both
mounted_again full
try "full: status" clouddrivectl status "$device"
try "full: unmount" unmount_drive
mount_again
works one "full, mounted afresh"
try "full, mounted afresh: mount again changes nothing" mount_again
empty_run

try "the directory is lost" lose_directory
try "lost: status" clouddrivectl status "$device"
is "$(clouddrivectl list --json | jq -r '.[].url')" "$url" "lost: list knows the URL"
agent=$(agent_pid)
mounted_again lost
is "$(agent_pid)" "$agent" "lost: it has the agent that it had"
is "$(status .agent.pid)" "$agent" "lost: and says so"
try "lost: status is the helper's" [ "$(status .transactions.total)" -gt 0 ]

lose_directory
try "lost, helper killed: another takes over" kill_helper
mounted_again "lost, helper killed"
lose_directory
try "lost, both killed" kill_both
mounted_again "lost, both killed"
lose_directory
try "lost, both killed, forced" kill_both
mounted_again "lost, both killed, forced" --force
lose_directory
mounted_again "lost, forced" --force

lose_directory
try "lost: unmount" unmount_drive
try "lost: the device is gone" wait_for 10 [ ! -b "$device" ]
mount_again
works one "mounted afresh, with no lease in the way"

# As in a container that begins anew on a machine whose memory is short, too.
try "both killed" kill_both
lose_directory
mkdir -m 700 /run/clouddrive
try "/run is full again" fill_run
mounted_again "full, lost, both killed"
try "full, lost, both killed: unmount" unmount_drive
empty_run
mount_again
works one "in the end"
unload
plan
