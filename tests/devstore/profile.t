#!/bin/sh
# SPDX-License-Identifier: MIT
#
# devstore --profile: a blob gets what the profile says and no more, what is beyond is
# refused as Azure does, and a call takes its time. (The arithmetic, with a clock of its
# own: tests/unit/test_ds_profile.c.) Least values are for a machine that is busy.

cd "$(dirname "$0")/../.." && . tests/vm/lib.sh

# measure NAME BYTES RATE: the writes of BYTES a second, which may be RATE
measure() {
	timeout 120 node tests/devstore/profile.mjs drives 8 "$2" >"$tmp/measured" 2>&1 ||
		bail_out "$(cat "$tmp/measured")"
	# shellcheck disable=SC2046  # words
	set -- "$1" "$3" $(head -n 1 "$tmp/measured")
	diag "$1: $*"
	# A tenth of a second's worth may come at once.
	[ "$4" -le $(($2 * (${12} + 200) / 1000)) ]
	ok $? "$1: no more than $2 a second"
	[ "$4" -ge $(($2 * ${12} / 2000)) ]
	ok $? "$1: no less than half of them"
	[ "$6" -gt 0 ]
	ok $? "$1: the others are 503 ServerBusy"
	is "${10}" 0 "$1: or 500 OperationTimedOut, and nothing else"
}

start_devstore --profile standard --seed 1
measure "standard, 4 KiB" 4096 500
median=$(sed -n 's/^median //p' "$tmp/measured")
[ "$median" -ge 6 ]
ok $? "standard: a read takes about 8 ms ($median)"
measure "standard, 1 MiB" 1048576 60
build/clouddrivectl devstore --data "$tmp/other" --profile premium-p70 2>"$tmp/error"
is $? 2 "a profile that there is not: status 2"
grep -q '^clouddrivectl: devstore: --profile: there is no premium-p70; there are standard, ' "$tmp/error"
ok $? "and the names of those that there are"
plan
