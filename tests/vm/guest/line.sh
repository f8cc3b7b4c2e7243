#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Guest side of line.t.
# usage: line.sh MIB

. tests/vm/guest/lib.sh

mib=$1
bits=1000000

# timed NAME OPTION...: fio on all of it at once
timed() {
	name=$1
	shift
	began=$(date +%s%N)
	try "$name" verified_fio $((60 + 20 * mib)) --ioengine=libaio --iodepth=$((4 * mib)) \
		--bs=256k --size="${mib}M" "$@"
	took=$((($(date +%s%N) - began) / 1000000))
	needed=$((mib * 8388608 / (bits / 1000)))
	diag "$name: $took ms, the line needs $needed: $((100 * took / needed)) %"
}

watch_states
start_store
python3 tests/cli/line.py "${store_address#*:}" $bits >/tmp/line 2>/tmp/line.log &
at_exit "kill $! 2>/dev/null"
wait_for 30 [ -s /tmp/line ] || bail_out "no line: $(cat /tmp/line.log)"
mount_drive "http://127.0.0.1:$(cat /tmp/line)/${base#*//*/}/disk" 64M
timed "writes, all at once" --rw=write --do_verify=0
timed "reads, all at once" --rw=read --verify_only
is "$(grep -c parked /tmp/events)" 0 "the drive was never parked"
is "$(status .requests.errors)" 0 "no request failed"
diag "$(status '.transactions | tostring') $(status '.service | tostring')"
is "$(cat /tmp/line.log)" "" "the line had no trouble"
unload
plan
