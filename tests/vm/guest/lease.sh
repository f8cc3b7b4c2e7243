#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Guest side of lease.t.
# usage: lease.sh CONTAINER

. tests/vm/guest/lib.sh

# The blob's property, as another client sees it
property() {
	host blobtool props "$blob" | jq -r "$1"
}

fenced_because() {
	status .fenced | grep -q "$1"
}

blob=$1/disk
mount_drive "$TEST_URL/$blob" 64M
is "$(property .leaseState)" leased "the blob is leased"
is "$(property .leaseDuration)" fixed "for a time"
number=$(property .blobSequenceNumber)
try "another client can't take it" refused LeaseAlreadyPresent host blobtool acquire-lease "$blob" 60
try "nor delete the blob" refused Lease host blobtool delete "$blob"
try "data is written" dd if=/dev/urandom of="$device" bs=1M count=4 oflag=direct
unmount_drive
ok $? "unmount"
is "$(property .leaseState)" available "the lease is released"

mount_again
is "$(property .leaseState)" leased "mounted again: leased"
is "$(property .blobSequenceNumber)" $((number + 1)) "and the sequence number is one more"

# --- broken by somebody else --------------------------------------------------------

# The kernel's events, a property a line
/usr/bin/python3 -c '
import socket
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 15)  # NETLINK_KOBJECT_UEVENT
s.bind((0, 1))
print("listening", flush=True)
while True:
    print(s.recv(8192).decode().replace("\0", "\n"), flush=True)' >/tmp/events &
monitor=$!
at_exit "kill $monitor 2>/dev/null"
wait_for 20 grep -q listening /tmp/events
(while dd if=/dev/zero of="$device" bs=4k count=1 oflag=direct 2>/tmp/dd; do sleep 1; done) &
writer=$!
host blobtool break-lease "$blob"
try "after a break the drive is fenced within 25 s" wait_for 25 state_is fenced
try "writing ends with errors" wait_for 10 ended $writer
try "I/O errors" grep -q 'Input/output error' /tmp/dd
try "reads fail, too" refused 'Input/output error' dd if="$device" of=/dev/null bs=4k count=1 iflag=direct
is "$(clouddrivectl list --json | jq -r '.[0].state')" fenced "list says so"
is "$(status .lease.state)" lost "status says so"
try "there was an event" wait_for 5 grep -qx 'CDRIVE_STATE=fenced' /tmp/events
new=$(host blobtool acquire-lease "$blob")
ok $? "whoever broke it has it: $new"
unload
is "$(property .leaseState)" leased "and keeps it"

# --- taken over -------------------------------------------------------------------------

number=$(property .blobSequenceNumber)
try "what another has leased is refused" refused '409 LeaseAlreadyPresent.*--force' \
	clouddrivectl mount "$url" --no-fs
is "$(property .blobSequenceNumber)" "$number" "and left alone"
mount_again --force
ok $? "mount --force takes it over"
is "$(property .blobSequenceNumber)" $((number + 1)) "and the sequence number is one more"
is "$(property .leaseDuration)" fixed "the other's lease, without end, is no more"

# --- found out by the helper's successor --------------------------------------------------

kill -STOP "$(status .helper_pid)"
host blobtool break-lease "$blob"
kill -9 "$(cat "$sysfs/cdrive/helper_pid")"
try "a helper that takes over finds the lease broken, and fences" wait_for 25 state_is fenced
try "status says why" wait_for 10 fenced_because 'another client took or broke the lease'
unload

# --- the same while nothing is done ----------------------------------------------------

mount_again
host blobtool break-lease "$blob"
try "an idle drive is fenced within 25 s, too" wait_for 25 state_is fenced
unload
plan
