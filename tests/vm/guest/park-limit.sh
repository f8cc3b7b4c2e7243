#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Guest side of park-limit.t.
# usage: park-limit.sh

. tests/vm/guest/lib.sh

fault() {
	clouddrivectl devstore fault "$@" --control "$control" >/dev/null
}

service_goes() {
	fault set answer --status 503
}

pattern() {
	yes "$1" | head -c 64k >/tmp/pattern
}

# writes WHAT BLOCK, reads WHAT BLOCK: of 64 KiB
writes() {
	pattern "$1" && timeout 200 dd if=/tmp/pattern of="$device" bs=64k seek="$2" oflag=direct 2>/tmp/dd
}

reads() {
	pattern "$1" && dd if="$device" bs=64k skip="$2" count=1 iflag=direct 2>/dev/null | cmp - /tmp/pattern
}

fails_at_once() {
	refused 'Input/output error' timeout 5 dd if="$device" of=/dev/null bs=4k count=1 skip=900 iflag=direct
}

start_store
make_drive "$base/disk" 64M
mount_again --park-limit 3
try "a write" writes one 0
number=$(status .sequence_number)

# --- the service is away for longer than that ------------------------------------

try "the service goes" service_goes
writes late 1 &
writer=$!
wait_for 120 state_is failing || bail_out "the drive is not failing"
wait $writer
[ $? = 1 ] && grep -q 'Input/output error' /tmp/dd
ok $? "what waited has failed"
try "what comes fails at once" fails_at_once
is "$(status .state)" failing "status says so"
is "$(clouddrivectl list --json | jq -r '.[0].state')" failing "list, too"
clouddrivectl status "$device" >/tmp/status
try "status says what that means" grep -q '^state: .*failing for .*requests fail until it goes on' /tmp/status
try "unmount does not pretend that all is in the blob" refused 'what is written now is lost' unmount_drive
is "$(state)" failing "it stays until the service is back"
try "the service is back" fault clear
try "the drive goes on by itself" wait_for 120 state_is live
try "the number was raised before" [ "$(status .sequence_number)" -gt "$number" ]
try "what was there is there" reads one 0
try "a write succeeds" writes two 1
try "and is there" reads two 1

# --- meanwhile somebody else has the blob ------------------------------------------

try "the service goes again" service_goes
wait_for 120 state_is failing || bail_out "it is not failing again"
fault clear
fault set steal-lease --blob drives/disk --count 1
try "somebody took the lease: it is fenced" wait_for 120 state_is fenced
fault clear
try "unmount says that something is lost" refused 'not all that was written is in the blob' unmount_drive

# --- for ever ----------------------------------------------------------------------------

try "no such limit" refused 'neither a number from 1 to 86400 nor none' clouddrivectl mount "$base/none" --park-limit never
make_drive "$base/other" 64M
mount_again --park-limit none
is "$(cat "$sysfs/cdrive/park_limit")" none "mounted without limit"
is "$(status .driver.park_limit)" null "status says so"
try "the service goes" service_goes
writes three 0 &
writer=$!
try "it is parked" wait_for 120 state_is parked
sleep 8
ended $writer
is $? 1 "a write waits"
is "$(state)" parked "as long as it takes"
try "the service is back" fault clear
wait $writer
ok $? "the write succeeds"
try "and is there" reads three 0
unload
plan
