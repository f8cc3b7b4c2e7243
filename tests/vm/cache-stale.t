#!/bin/sh
# SPDX-License-Identifier: MIT
#
# What is read from the cache is never old: when another machine has taken the drive over and
# written, or the lease has run out; when somebody has written to the blob between unmount
# and mount; of snapshots; under load while helpers are killed; when buffers are written to
# while they are read or written; after discards.
#
# One machine reads and is frozen for longer than its lease; meanwhile the other does all
# the rest. STALE_KILLS (20) helpers at least are killed under load, for STALE_SECONDS (1) at
# least.
# Needs root and a kernel, as scripts/setup brings them.

cd "$(dirname "$0")/../.." && . tests/vm/lib.sh && . tests/vm/machines.sh

kills=${STALE_KILLS:-20}
seconds=${STALE_SECONDS:-1}
most=$((seconds + kills * 60 + 600))

compile() {
	cc -D_GNU_SOURCE -std=gnu11 -O1 -g -Wall -Wextra -pthread -o "$1" "$2" ||
		bail_out "$2 does not compile"
}

# A machine that was frozen takes its works for stuck.
boot() {
	start_machine "$1" "$kernel" tests/vm/guest/cache-stale.sh --forward "$store_port" --disk 128M \
		--append workqueue.watchdog_thresh=0 --timeout $((most + 300))
}

make_drive() {
	build/clouddrivectl create "$store_url/drives/$1" --size "$2" --format raw --fs none >"$tmp/created" 2>&1 ||
		bail_out "no drive: $(cat "$tmp/created")"
}

# blob_sum NAME [SNAPSHOT]: what another client finds in it
blob_sum() {
	blobtool download "drives/$1" "$tmp/image" ${2+"$2"} && sha256sum <"$tmp/image"
}

# b_reads NAME SUM WHAT: the machine that isn't frozen
b_reads() {
	is "$(ask b 120 sum "'$1'")" "$2" "$kernel: $3"
}

# on NAME SECONDS WHAT COMMAND...
on() {
	machine_name=$1 at_most=$2 what=$3
	shift 3
	try "$kernel: $what" ask "$machine_name" "$at_most" "$*"
	[ "$try_status" -ne 0 ] || [ ! "$output" ] || diag "$output"
}

# --- the drive that is taken over ------------------------------------------------------------

freeze_reader() {
	on a 120 "a machine mounts a drive" take taken --cache 16M
	on a 60 "writes it" fill taken
	on a 120 "and has all of it in its cache" cache taken
	on a 20 "it reads" start_reading taken
	on a 60 "from the cache" hits_go_on taken
	# Else it renews the lease at once, and finds out, when the machine is back.
	on a 20 "its helper stands still" signal_helper taken STOP
	kill_machine a STOP || bail_out "the machine could not be frozen"
	frozen=$(date +%s)
	on b 120 "while it is frozen another takes the drive over" take taken --force --cache 0
	on b 60 "and writes" fill taken
}

thaw_reader() {
	# No lease is longer.
	while [ $(($(date +%s) - frozen)) -lt 62 ]; do
		sleep 0.2
	done
	kill_machine a CONT
	on a 60 "back after $(($(date +%s) - frozen)) s its lease is over" waits_for taken lease 30
	on a 60 "nothing is read from the cache" no_hits taken
	on a 20 "its helper goes on" signal_helper taken CONT
	on a 90 "it is fenced" becomes taken fenced 60
	on a 90 "and has read nothing from its cache" stop_reading
	on a 20 "it reads nothing now" reads_nothing taken
	b_reads taken "$(blob_sum taken)" "the other reads what it wrote"
	on b 60 "unmount" give taken
}

# --- the lease that runs out ----------------------------------------------------------------

stop_service() {
	on b 60 "a drive of a store that can be stopped" start_own
	on b 120 "is mounted" own take lapsing --cache 16M
	on b 60 "written" fill lapsing
	on b 120 "and in the cache" cache lapsing
	on b 20 "it is read" start_reading lapsing
	on b 20 "its helper and agent are killed" kill_both lapsing
	on b 60 "it is parked" waits_for lapsing helper 30
	on b 60 "hits go on" hits_go_on lapsing
	on b 120 "it is served again" own take lapsing
	on b 90 "and lives" becomes lapsing live 60
	on b 20 "its store stands still" signal_own STOP
	on b 60 "hits go on" hits_go_on lapsing
}

lease_over() {
	on b 120 "the lease runs out" waits_for lapsing lease 90
	on b 60 "nothing is read from the cache" no_hits lapsing
	on b 20 "the store goes on" signal_own CONT
	on b 120 "the drive lives" becomes lapsing live 90
	on b 60 "hits go on" hits_go_on lapsing
	on b 90 "no read that was begun past the deadline had ended before it was moved" stop_reading
	on b 60 "unmount" give lapsing
}

# --- written to by others, and snapshots -------------------------------------------------------

began_cold() {
	on b 20 "it is cold" 'use changing && status .cache.start | grep -q "has changed"'
}

write_outside() {
	on b 120 "a drive is mounted" take changing --cache 16M
	on b 60 "written" fill changing
	on b 120 "and in the cache" cache changing
	on b 60 "unmounted" give changing
	head -c 65536 /dev/urandom >"$tmp/pages"
	try "$kernel: another client writes" blobtool put-pages "$tmp/pages" drives/changing 1069056
	on b 120 "mounted again" take changing --cache 16M
	began_cold
	b_reads changing "$(blob_sum changing)" "what the other client wrote is read"
	on b 120 "it is in the cache" cache changing
	b_reads changing "$(blob_sum changing)" "and right there"
}

read_snapshots() {
	first=$(blobtool snapshot drives/changing)
	on b 60 "the drive is written to" fill changing
	second=$(blobtool snapshot drives/changing)
	for time in "$first" "$second"; do
		on b 120 "a snapshot is mounted" take "'changing?snapshot=$time'" --cache 16M
		on b 120 "and in the cache" cache "'changing?snapshot=$time'"
	done
	on b 60 "the drive is written to again" fill changing
	for time in "$first" "$second"; do
		b_reads "changing?snapshot=$time" "$(blob_sum changing "$time")" "the snapshot is what it was"
		on b 60 "unmount" give "'changing?snapshot=$time'"
	done
	for time in "$first" "$second"; do
		on b 120 "a snapshot is mounted again" take "'changing?snapshot=$time'" --cache 16M
		on b 20 "it is warm" 'status .cache.start | grep -qx warm'
		b_reads "changing?snapshot=$time" "$(blob_sum changing "$time")" "and what it was"
		on b 60 "unmount" give "'changing?snapshot=$time'"
	done
	b_reads changing "$(blob_sum changing)" "the drive has what was written last"
}

# --- buffers that change, and discards ------------------------------------------------------------

scribble() {
	on b 60 "a drive is unmounted" give changing
	try "$kernel: another client writes" blobtool put-pages "$tmp/pages" drives/changing 0
	on b 120 "mounted again" take changing --cache 16M
	began_cold
	on b 180 "readers change their buffers while they are filled" scribble_reads changing 200
	b_reads changing "$(blob_sum changing)" "what is in the cache is what is in the blob"
	on b 120 "it is in the cache" cache changing
	on b 120 "writers change their buffers while they are written" scribble_writes changing 4
	expected=$(blob_sum changing)
	b_reads changing "$expected" "what is in the cache is what is in the blob"
	on b 120 "it is cached anew" cache changing
	b_reads changing "$expected" "and is the same"
}

discard() {
	on b 60 "what is there is kept" image changing
	for range in '36 200' '63 2' '1000 3100' '64 64' '7000 4'; do
		on b 60 "discard, offset and length in KiB: $range" discard changing "$range"
		on b 60 "it reads as zeroes, and the rest as before" is_image changing
	done
	b_reads changing "$(blob_sum changing)" "the blob is the same"
	on b 120 "it is in the cache" cache changing
	on b 60 "all is discarded" discard_all changing
	on b 60 "and reads as zeroes" is_image changing
	b_reads changing "$(blob_sum changing)" "the blob is the same"
	on b 60 "unmount" give changing
}

# --- all of it ----------------------------------------------------------------------------------

start_load() {
	on b 120 "a drive larger than its part of the cache" take loaded --cache 16M
	on b 20 "is under load, and its helpers are killed" start_load loaded "$kills" "$seconds"
}

end_load() {
	on b "$most" "at least $kills helpers killed: all was read right" load_ends
	on b 20 "there were hits, fills, evictions" counted loaded hits fills evictions invalidations
	on b 60 "unmount" give loaded
}

end_machines() {
	for machine in a b; do
		on "$machine" 60 "unmount all" 'force_all; [ "$(clouddrivectl list --json)" = "[]" ]'
		post "$machine" 'finish; exit'
		end_machine "$machine" wait
		is $? 0 "$kernel: machine $machine ended well"
		grep -A 40 'the kernel reported' "$tmp/$machine.log" | sed 's/^/# /'
	done
}

subject() {
	for drive in taken changing; do
		make_drive $drive 8M
	done
	make_drive loaded 40M
	for machine in a b; do
		boot $machine
	done
	for machine in a b; do
		wait_machine $machine 120 || bail_out "machine $machine: $(tail "$tmp/$machine.log")"
		on "$machine" 60 "a cache" set_up
	done
	freeze_reader
	stop_service
	start_load
	write_outside
	read_snapshots
	scribble
	discard
	thaw_reader
	lease_over
	end_load
	end_machines
}

make_tmp
tmp=${tmp:?}
export TEST_STALE="$tmp/stale" TEST_SCRIBBLE="$tmp/scribble"
compile "$TEST_STALE" tests/vm/stale.c
compile "$TEST_SCRIBBLE" tests/vm/scribble.c
start_devstore
export TEST_URL="$store_url"
for kernel in ${TEST_KERNELS:-uml}; do
	subject
	for drive in taken changing loaded; do
		blobtool delete drives/$drive
	done
done
plan
