#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2086,SC2154  # words; shared with tests/vm/lib.sh
#
# Guest side of sixteen.t.
# usage: sixteen.sh SECONDS

. tests/vm/guest/lib.sh

seconds=$1
all=$(seq 0 15)

url_of() {
	echo "$TEST_URL/drives/disk$1"
}

# for_all COMMAND...: COMMAND NUMBER, four at a time; the worst status
for_all() {
	worst=0 running=
	for i in $all; do
		"$@" $i >"/tmp/for_all.$i" 2>&1 &
		running="$running $!"
		[ $((i % 4)) -eq 3 ] || continue
		for pid in $running; do
			wait $pid || worst=$?
		done
		running=
	done
	[ $worst -eq 0 ] || cat /tmp/for_all.*
	return $worst
}

make_one() {
	clouddrivectl create "$(url_of $1)" --size 16M --format raw --fs none
}

mount_one() {
	timeout 120 clouddrivectl mount "$(url_of $1)" --no-fs >"/tmp/mounted.$1"
}

unmount_one() {
	timeout 60 clouddrivectl unmount "$(device_of $1)"
}

device_of() {
	read -r device _ <"/tmp/mounted.$1"
	echo "$device"
}

# disk NUMBER FILE: of /sys/block/cdriveN/cdrive
fact() {
	cat "/sys/block/$(basename "$(device_of $1)")/cdrive/$2"
}

# How many drives are in a state
count() {
	cat /sys/block/cdrive*/cdrive/state | grep -cx "$1"
}

all_live() {
	[ "$(count live)" -eq 16 ]
}

unmount_all() {
	for i in $all; do
		clouddrivectl unmount "$(url_of $i)" --force >/tmp/unmount 2>&1
	done
}
at_exit unmount_all

# events: since the last time, but those of NUMBER...
events() {
	tail -n +$((seen + 1)) /tmp/events >/tmp/new_events
	seen=$(wc -l </tmp/events)
	for i in "$@"; do
		sed -i "/^$(basename "$(device_of $i)") /d" /tmp/new_events
	done
	cat /tmp/new_events
}

# load SECONDS NUMBER...: verified writes on all of them; in the background, $load
load() {
	load_seconds=$1
	shift
	for i in "$@"; do
		printf '[drive%s]\nfilename=%s\n' $i "$(device_of $i)"
	done >/tmp/load.fio
	timeout $((load_seconds + 120)) fio --output=/tmp/load.out --direct=1 --ioengine=libaio --iodepth=4 \
		--rw=randrw --rwmixwrite=60 --bssplit=4k/80:64k/20 --size=16M --verify=crc32c \
		--verify_fatal=1 --verify_backlog=32 --verify_state_save=0 --randrepeat=0 --rate_iops=15,15 \
		--time_based --runtime="$load_seconds" /tmp/load.fio >/tmp/load.err 2>&1 &
	load=$!
}

# loaded NAME: the load has ended well
loaded() {
	wait $load && pass "$1" && return
	fail "$1"
	diag "$(cat /tmp/load.err /tmp/load.out)"
}

# memory: of agents, spawners and helpers, in KiB a drive: what they share divided, and
# what is locked
memory() {
	for pid in $(pgrep 'clouddrived|cdrive-agent|cdrive-spawner'); do
		echo "$(cat /proc/$pid/comm) $(awk '/^(Pss|Locked):/ { printf "%d ", $2 }' /proc/$pid/smaps_rollup)"
	done | awk '{ pss[$1] += $2; locked[$1] += $3; n[$1]++ }
		END { for (c in n) printf "%s: %d, each %d KiB, %d of it locked\n", c, n[c], pss[c] / n[c], locked[c] / n[c] }'
}

watch_states
seen=1
try "sixteen drives are made" for_all make_one
try "and mounted" for_all mount_one
try "all live" wait_for 20 all_live
clouddrivectl create "$(url_of 16)" --size 16M --format raw --fs none
timeout 60 clouddrivectl mount "$(url_of 16)" --no-fs >/tmp/seventeenth 2>&1
is $? 1 "a seventeenth is refused"
try "and why is said: $(cat /tmp/seventeenth)" grep -q '16' /tmp/seventeenth
is "$(host blobtool props drives/disk16 | jq -r .leaseState)" available "its blob is not held"

host properties >/tmp/before
events >/tmp/nothing
is "$(grep -c leased /tmp/before)" 16 "sixteen leases"
load "$seconds" $all
loaded "a load on all of them for $seconds s: every block is right"
is "$(events)" "" "none has parked meanwhile"
is "$(count live)" 16 "all live"
host properties >/tmp/after
try "the leases were kept, and nobody raised a sequence number" cmp /tmp/before /tmp/after
is "$(clouddrivectl list --json | jq -r '[.[].state] | unique | join(" ")')" live "list says so"
memory | diag "$(cat)"

# --- what befalls one ------------------------------------------------------------------------

others=$(seq 0 15 | grep -vx -e 5 -e 7)
load 30 $others
helper=$(fact 5 helper_pid)
another_helper() {
	[ "$(fact 5 helper_pid)" != "$helper" ] && [ "$(fact 5 state)" = live ]
}
kill -9 "$helper"
try "a helper is killed: it has a successor" wait_for 20 another_helper
try "which works" dd if="$(device_of 5)" of=/tmp/nothing bs=1M count=1 iflag=direct
is "$(events 5)" "" "no other drive has seen anything of it"
try "but this one has" wait_for 10 grep -qx "$(basename "$(device_of 5)") parked" /tmp/events
diag "they were $(device_of 5) and, now, $(device_of 7)"
host devstore fault set steal-lease --blob drives/disk7 --count 1 >/tmp/nothing
# Any call is the occasion.
dd if=/dev/zero of="$(device_of 7)" bs=4k count=1 oflag=direct >/tmp/nothing 2>&1
fenced() {
	[ "$(fact 7 state)" = fenced ]
}
try "a lease is stolen: its drive is fenced" wait_for 25 fenced
is "$(events 5 7)" "" "no other drive has seen anything of it"
try "but this one has" wait_for 10 grep -qx "$(basename "$(device_of 7)") fenced" /tmp/events
loaded "nor has the load on the others"
is "$(count live)" 15 "fifteen live"
try "all are unmounted" for_all unmount_one
is "$(host properties | grep -c available)" 15 "fifteen leases are released"
wait_for 10 sh -c '! pgrep "clouddrived|cdrive-agent|cdrive-spawner"'
ok $? "no process stays"
try "the module can be unloaded" rmmod cdrive
plan
