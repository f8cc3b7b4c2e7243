#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Guest side of stress.t and run: each scenario, and what it may have left.
# usage: guest.sh SECONDS SEED SCENARIO...	SECONDS for each

. tests/vm/lib.sh

seconds=$1 seed=$2
shift 2

# Objects in use of what a drive is made of: kmalloc's caches of 512 bytes and up.
in_use() {
	awk '/^kmalloc-(512|1k|2k|4k|8k) / { print $1, $2 }' /proc/slabinfo
}

# grown LIMIT: caches that have that many more objects than in /tmp/before
grown() {
	in_use | while read -r cache now; do
		before=$(awk -v cache="$cache" '$1 == cache { print $2 }' /tmp/before)
		[ $((now - before)) -lt "$1" ] || echo "$cache: $before, then $now"
	done
}

run() {
	output=$(build/stress/stress "$1" "$seed" "$2" 2>&1)
	status=$?
	echo "$output"
	case $status in
	77) skip "$1" "$(echo "$output" | sed -n 's/^# SKIP //p')" ;;
	*) ok $status "$1 (seed $seed)" ;;
	esac
}

for scenario in "$@"; do
	# The first time fills caches.
	[ -e /tmp/before ] || run "$scenario" 1
	in_use >/tmp/before
	run "$scenario" "$seconds"
	if [ -e /sys/kernel/debug/kmemleak ]; then
		# KASAN keeps what was freed, for a while; scripts/vm asks the leak detector.
		skip "$scenario: no cache has grown" "this kernel has better means"
	else
		is "$(grown 400)" '' "$scenario: no cache has grown"
	fi
	# The kernel itself loses some (the names of slabs, on 6.12).
	[ "$scenario" != failing ] || is "$(module_leaks)" '' "$scenario: the module has lost nothing"
	[ ! -e /sys/module/cdrive ]
	ok $? "$scenario: the module is gone"
done
plan
