#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Guest side of throttle.t.
# usage: throttle.sh SECONDS [STRICT]

. tests/vm/guest/lib.sh

seconds=$1 strict=${2-}

# run SECONDS OPTION...: fio for so long
run() {
	run_seconds=$1
	shift
	fio --name=load --filename="$device" --direct=1 --ioengine=libaio --time_based \
		--runtime="$run_seconds" --output-format=json "$@" >/tmp/load 2>&1
}

# How often the number was raised in the course of $load. A drive that rests raises it for
# what is in doubt, as it does before the load and after it.
count_raises() {
	first='' last='' raises=many
	before=$(status .requests.writes)
	wait_for 60 written $((before + 10)) || return 1
	while now=$(status .service.raises) && ! ended "$load"; do
		first=${first:-$now} last=$now
		sleep 1
	done
	raises=$((last - first))
	[ "$raises" -eq 0 ]
}

# load NAME LEAST OPTION...: at LEAST so many requests a second
load() {
	load_name=$1 load_least=$2
	shift 2
	run "$seconds" "$@" &
	load=$!
	case $load_name in
	*writes)
		count_raises
		ok $? "$load_name: the number was raised $raises times meanwhile"
		;;
	esac
	wait $load
	ok $? "$load_name: no error"
	done_s=$(jq '[.jobs[] | (.read.iops + .write.iops)] | add | floor' /tmp/load)
	worst_ms=$(jq '[.jobs[] | .read.clat_ns.max, .write.clat_ns.max] | max / 1000000 | floor' /tmp/load)
	diag "$load_name: $done_s a second, the slowest took $worst_ms ms"
	[ "$strict" ] || return 0
	[ "$done_s" -ge "$load_least" ]
	ok $? "$load_name: $done_s a second, $load_least are nine tenths of the limit"
	[ "$worst_ms" -le 3000 ]
	ok $? "$load_name: the slowest took $worst_ms ms, of 3000 at the most"
}

watch_states
start_store --profile standard
mount_drive "$base/disk" 1G
# It finds out what the limit is.
run 8 --rw=randwrite --bs=4k --iodepth=32
load "4 KiB writes" 450 --rw=randwrite --bs=4k --iodepth=32
load "1 MiB writes" 54 --rw=write --bs=1M --iodepth=32
[ "$seconds" -le 60 ] || seconds=60
load "4 KiB reads" 450 --rw=randread --bs=4k --iodepth=32
diag "$(status '.service | tostring')"
refused=$(status .service.throttled) all=$(status .transactions.total)
[ "$refused" -gt 0 ] && [ $((refused * 20)) -le "$all" ]
ok $? "the limit was found: $refused of $all calls were refused"
is "$(grep -c parked /tmp/events)" 0 "the drive was never parked"
is "$(status .requests.errors)" 0 "no request failed"
unload
plan
