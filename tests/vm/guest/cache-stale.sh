# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# shellcheck disable=SC2154  # shared with tests/vm/guest/lib.sh
#
# What a machine of cache-stale.t can be asked (tests/vm/guest/machine.sh runs it). Its
# drives are known by NAME, the blob's; its disk is the cache. $TEST_STALE is tests/vm/stale.c's
# program.

at_exit force_all

force_all() {
	for device in $(clouddrivectl list --json | jq -r '.[].device'); do
		timeout 60 clouddrivectl unmount "$device" --force
	done >/dev/null 2>&1
}

set_up() {
	modprobe cdrive || return
	cache_disk=$(find /dev -maxdepth 1 -name 'vda' -o -maxdepth 1 -name 'ubda' -o \
		-maxdepth 1 -name 'ubdb' | sort | tail -n 1)
	clouddrivectl init-cache "$cache_disk" --size 96M
}

# use NAME: $device, $sysfs
use() {
	device=$(cat "/tmp/device.$1") && sysfs=/sys/block/${device#/dev/}
}

# take NAME [OPTION]...: mounts it; a NAME may have a snapshot's time as its query
take() {
	name=$1
	shift
	timeout 100 clouddrivectl mount "${base:-$TEST_URL/drives}/$name" --no-fs "$@" >/tmp/device.new &&
		mv /tmp/device.new "/tmp/device.$name" && use "$name" && wait_for 10 [ -b "$device" ]
}

# give NAME: unmounts it
give() {
	use "$1" && unmount_drive
}

# own COMMAND...: about a drive of this machine's own store
own() {
	base=$own_base
	"$@"
	own_status=$?
	unset base
	return $own_status
}

counter() {
	cat "$sysfs/cdrive_cache/$1"
}

# sum NAME: of all that a reader finds
sum() {
	use "$1" && dd if="$device" bs=64k iflag=direct status=none | sha256sum
}

reads_nothing() {
	use "$1" && ! dd if="$device" of=/dev/null bs=4k count=1 iflag=direct
}

# hits_only: the whole drive is read, and all of it hits
hits_only() {
	before=$(counter hits)
	/usr/bin/python3 tests/vm/guest/read_blocks.py "$device" 100000 >/dev/null || return
	[ $(($(counter hits) - before)) -ge $(($(blockdev --getsize64 "$device") / 16384)) ]
}

# cache NAME: all of the drive
cache() {
	use "$1" && wait_for 60 hits_only && return
	clouddrivectl status "$device"
	return 1
}

fill() {
	use "$1" && dd if=/dev/urandom of="$device" bs=1M count=8 oflag=direct status=none
}

more_hits() {
	[ "$(counter hits)" -ge "$((hits + 30))" ]
}

# hits_go_on NAME
hits_go_on() {
	use "$1" && hits=$(counter hits) && wait_for 30 more_hits
}

no_hits() {
	use "$1" && hits=$(counter hits) && sleep 1 && [ "$(counter hits)" -eq "$hits" ]
}

becomes() {
	use "$1" && wait_for "$3" state_is "$2" && return
	clouddrivectl status "$device"
	return 1
}

waits_for() {
	use "$1" && wait_for "$3" grep -qw "$2" "$sysfs/cdrive/park_reasons"
}

# --- reading ------------------------------------------------------------------------------

# start_reading NAME
start_reading() {
	use "$1" || return
	"$TEST_STALE" read "$device" "$sysfs/cdrive/lease_left_ms" >/tmp/reading 2>&1 &
	reader=$!
}

# stop_reading: none had been begun past the deadline; says how many there were
stop_reading() {
	kill "$reader" && wait_for 60 ended "$reader" || return
	wait "$reader"
	reader_status=$?
	cat /tmp/reading
	return $reader_status
}

signal_helper() {
	use "$1" && kill -s "$2" "$(helper_pid)"
}

# --- this machine's own store ---------------------------------------------------------------

start_own() {
	start_store >&2
	own_base=$base
	unset base
	clouddrivectl create "$own_base/lapsing" --size 8M --format raw --fs none
}

signal_own() {
	kill -s "$1" "$store_pid"
}

# Nobody serves the drive any more, and its lease is certain still.
kill_both() {
	use "$1" && agent=$(clouddrivectl list --json |
		jq --arg d "$device" '.[] | select(.device == $d).agent_pid')
	kill -9 "$agent" && kill -9 "$(helper_pid)"
}

# --- verified load ------------------------------------------------------------------------------

# kill_helpers KILLS SECONDS: so many at least, for so long at least. Five starts in ten
# seconds are the most that the agent makes without a pause.
kill_helpers() {
	end=$(($(date +%s) + $2)) kills=0
	while [ $kills -lt "$1" ] || [ "$(date +%s)" -lt $end ]; do
		helper=$(helper_pid)
		kill -9 "$helper" || return
		wait_for 60 another_than "$helper" && wait_for 60 state_is live || return
		kills=$((kills + 1))
		sleep 2
	done
	echo "$kills helpers killed"
}

load_and_kill() {
	"$TEST_STALE" load "$device" >/tmp/load 2>&1 &
	load=$!
	kill_helpers "$@" >/tmp/kills 2>&1
	killed=$?
	kill $load && wait_for 120 ended $load && wait $load && return $killed
}

# start_load NAME KILLS SECONDS
start_load() {
	use "$1"
	shift
	load_and_kill "$@" &
	loading=$!
}

load_ends() {
	wait "$loading"
	loaded=$?
	cat /tmp/load /tmp/kills
	return $loaded
}

# counted NAME COUNTER...: there were some
counted() {
	use "$1"
	shift
	for name in "$@"; do
		echo "$name: $(counter "$name")"
	done
	for name in "$@"; do
		[ "$(counter "$name")" -gt 0 ] || return
	done
}

# --- buffers that are written to -----------------------------------------------------------------

# scribble_reads NAME READS
scribble_reads() {
	use "$1" && "$TEST_STALE" scribble "$device" "$2"
}

# scribble_writes NAME SECONDS: while others read
scribble_writes() {
	use "$1"
	"$TEST_SCRIBBLE" "$device" "$2" &
	scribbler=$!
	"$TEST_STALE" scribble "$device" 50
	scribbled=$?
	wait $scribbler && return $scribbled
}

# --- discards --------------------------------------------------------------------------------------

# discard NAME OFFSET LENGTH: in KiB, and the same of /tmp/image
discard() {
	use "$1" && blkdiscard -o $(($2 << 10)) -l $(($3 << 10)) "$device" &&
		dd if=/dev/zero of=/tmp/image bs=1k seek="$2" count="$3" conv=notrunc status=none
}

# is_image NAME
is_image() {
	use "$1" && dd if="$device" bs=64k iflag=direct status=none | cmp - /tmp/image
}

# image NAME: /tmp/image is what is there
image() {
	use "$1" && dd if="$device" of=/tmp/image bs=64k iflag=direct status=none
}

discard_all() {
	use "$1" && blkdiscard "$device" && dd if=/dev/zero of=/tmp/image bs=1M count=8 status=none
}

# Nothing stays; the machine can end.
finish() {
	# A helper that has answered is just ending.
	wait_for 10 rmmod cdrive
}
