#!/bin/sh
# SPDX-License-Identifier: MIT
#
# upload and download over a line of 3.2 Mbit/s, whose rate all connections share: they
# end, and take little longer than the line needs for the bytes.
#
# LINE_MIB (2) is how much: of 32, all transfers are under way at once.

cd "$(dirname "$0")/../.." && . tests/cli/lib.sh

mib=${LINE_MIB:-2}
bits=3200000

start_devstore
head -c "${mib}M" /dev/urandom >"$tmp/image"
printf '%s\n' "$azurite_key" >"$tmp/key"
python3 tests/cli/line.py "$store_port" $bits >"$tmp/line" 2>"$tmp/line.log" &
at_exit "kill $! 2>/dev/null"
wait_for 20 [ -s "$tmp/line" ] || bail_out "no line: $(cat "$tmp/line.log")"
there=http://127.0.0.1:$(cat "$tmp/line")/$azurite_account/drives/image

# timed NAME COMMAND...
timed() {
	name=$1
	shift
	began=$(date +%s%N)
	try "$name ends" timeout $((mib * 10 + 60)) "$@"
	took=$((($(date +%s%N) - began) / 1000000))
	needed=$((mib * 8388608 / (bits / 1000)))
	diag "$name: $took ms, the line needs $needed: $((100 * took / needed)) %"
	[ $((100 * took)) -le $((115 * needed)) ]
	ok $? "$name: at most 1.15 times what the line needs"
}

timed upload "$ctl" upload "$tmp/image" "$there" --format raw --key-file "$tmp/key"
timed download "$ctl" download "$there" "$tmp/back" --key-file "$tmp/key"
try "what came back is what went" cmp "$tmp/image" "$tmp/back"
is "$(cat "$tmp/line.log")" "" "the line had no trouble"
plan
