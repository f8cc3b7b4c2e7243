#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Guest side of server.t: the server freezes, ends, is killed, and comes back.
# usage: server.sh CONTAINER

. tests/vm/guest/lib.sh

# load OFFSET: in the background, $load
load() {
	verified_fio 300 --ioengine=libaio --iodepth=32 --rw=randwrite --bssplit=4k/80:64k/18:512k/2 \
		--offset="$1" --size=16M --verify_backlog=256 &
	load=$!
	before=$(status .requests.writes)
	wait_for 30 written $((before + 60)) && wait_for 10 in_flight
}

live_again() {
	try "$1: the drive is live" wait_for 60 state_is live
	wait "$load"
	ok $? "$1: fio saw no error, and every block is right"
}

mount_drive "$TEST_URL/$1/disk" 256M

load 0
ok $? "a load"
host stop_azurite STOP
# The helper gives up on what is not answered, and what is frozen may land late.
try "frozen: the drive is parked, after the 30 s of helper/lib/retry.h" wait_for 150 state_is parked
is "$(status .state)" parked "frozen: status says so"
is "$(clouddrivectl list --json | jq -r '.[0].state')" parked "frozen: list says so"
try "frozen: status says why" [ "$(status .last_error)" ]
host stop_azurite CONT
live_again frozen

load 64M
ok $? "a load"
host stop_azurite TERM
sleep 2
host restart_azurite
live_again "ended and started"

# Azurite writes its index every 5 s, and one that is killed forgets what it had
# acknowledged since. So nothing was written lately when it is; reads are under way.
sleep 8
verified_fio 300 --ioengine=libaio --iodepth=32 --rw=randwrite --bssplit=4k/80:64k/18:512k/2 \
	--offset=64M --size=16M --verify_only &
load=$!
before=$(status .requests.reads)
more_reads() {
	[ "$(status .requests.reads)" -gt $((before + 60)) ]
}
try "a load of reads" wait_for 60 more_reads
host stop_azurite KILL
try "killed: the drive is parked" wait_for 60 state_is parked
(timeout 100 dd if=/dev/urandom of="$device" bs=1M seek=200 count=4 oflag=direct 2>/tmp/dd) &
writes=$!
host restart_azurite
live_again killed
wait $writes
ok $? "what was written meanwhile succeeds"
is "$(status .requests.errors)" 0 "no request failed"
unload
plan
