#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154  # of lib.sh
#
# Guest side of rollback.t.

. tests/vm/guest/lib.sh

write_block() {
	timeout 100 dd if=/dev/urandom of="$device" bs=4096 count=1 seek="$1" oflag=direct,dsync 2>/dev/null
}

start_store
mount_drive "$base/disk" 16M
write_block 1

# An outage alone is no roll-back.
stop_store
cp -a /tmp/devstore /tmp/earlier
restart_store
try "after an outage it is written to" write_block 2
try "and the lease renewed" wait_for 60 sh -c "[ \$(clouddrivectl status $device --json | jq .lease.until_seconds) -ge 55 ]"
is "$(status '.fenced // "not"')" not "it is not fenced"

roll_back() {
	sleep 7 # what is a few seconds older only may be another server's date
	write_block 3 || return
	stop_store
	rm -rf /tmp/devstore
	cp -a /tmp/earlier /tmp/devstore
	restart_store
}

roll_back # not in a shell of its own, as try would
ok $? "a write is acknowledged, and the service goes back"
try "the drive is fenced" wait_for 100 state_is fenced
try "which says why, and what to do" sh -c "
	clouddrivectl status $device | grep -q '^state: .*rolled back to an earlier state.*check what is in the blob'"
try "what comes fails" sh -c "! timeout 20 dd if=$device of=/dev/null bs=4096 count=1 iflag=direct 2>/dev/null"
unmount_drive

# The same when the helper that was told so is gone.
mount_again --force # a drive that is lost does not give its lease back
write_block 1
stop_store
rm -rf /tmp/earlier
cp -a /tmp/devstore /tmp/earlier
restart_store
try "mounted anew it works" write_block 2
back_without_helper() {
	sleep 7
	write_block 3 || return
	helper=$(helper_pid)
	kill -STOP "$helper"
	stop_store
	rm -rf /tmp/devstore
	cp -a /tmp/earlier /tmp/devstore
	restart_store
	kill -9 "$helper"
}
back_without_helper
ok $? "the helper ends, and the service goes back"
try "the next helper finds it fenced" wait_for 60 state_is fenced
try "and says why" sh -c "clouddrivectl status $device | grep -q '^state: .*rolled back'"
unload
