#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The request path against kernel nbd, in one guest: a drive served by
# cdrive-bench-mem and an nbd device served by nbdkit's memory plugin, the same
# fio jobs on both in turn, the median of three rounds. Prints a table with the
# ratios, and fails when one is less than what is required. tests/bench/run runs it.
#
# BENCH_JOBS   only jobs that match this pattern ("4k *")
# BENCH_ROUNDS (3), BENCH_SECONDS (3) of each measurement
# BENCH_DISKS  "cdrive" or "nbd": only that one, without ratios and verdict

set -eu
. scripts/lib.sh

size=256M
rounds=${BENCH_ROUNDS:-3}
seconds=${BENCH_SECONDS:-3}
disks=${BENCH_DISKS:-cdrive nbd}
. tests/bench/lib.sh

# block size, fio's rw, depth, and how many times nbd's rate is required
jobs='4k randread 32 2.5
4k randwrite 32 2.5
1M read 32 2.0
1M write 32 2.0
4k randread 1 1.0
4k randwrite 1 1.0'

dir=$(mktemp -d)
pids=''

finish() {
	trap - EXIT HUP INT TERM
	[ -z "${nbd-}" ] || nbd-client -d "$nbd" >/dev/null 2>&1 || :
	# shellcheck disable=SC2086  # a list of words
	[ -z "$pids" ] || kill $pids 2>/dev/null || :
	wait
	rm -rf "$dir"
}
trap finish EXIT
trap 'exit 130' HUP INT TERM

# --- the two devices ------------------------------------------------------------

# Each of these sets $device.

start_cdrive() {
	modprobe cdrive
	echo "# cdrive-bench-mem $size"
	cdrive-bench-mem $size >"$dir/cdrive" &
	pids="$pids $!"
	wait_until 20 [ -s "$dir/cdrive" ]
	device=$(cat "$dir/cdrive")
}

start_nbd() {
	modprobe nbd
	echo "# nbdkit -f -U $dir/nbd.sock memory $size"
	nbdkit -f -U "$dir/nbd.sock" memory $size &
	pids="$pids $!"
	wait_until 20 [ -S "$dir/nbd.sock" ]
	device=/dev/nbd0
	nbd=$device
	echo "# nbd-client -unix $dir/nbd.sock $device"
	nbd-client -unix "$dir/nbd.sock" $device >"$dir/nbd" 2>&1 || die "$(cat "$dir/nbd")"
	wait_until 20 grep -qvx 0 /sys/block/nbd0/size
}

# --- measuring ------------------------------------------------------------------

chosen_jobs() {
	echo "$jobs" | while read -r job; do
		# shellcheck disable=SC2254  # a pattern
		case $job in ${BENCH_JOBS:-*}) echo "$job" ;; esac
	done
}

echo "# kernel $(uname -r), $(nproc) processors, $(sed -n 's/^model name.*: //p;' /proc/cpuinfo | head -n 1)"
for disk in $disks; do
	"start_$disk"
	echo "$disk $device" >>"$dir/devices"
	echo "# $device: $(settings "$device")"
	fill "$device"
done
echo "# fio $fio_options"
echo "# --bs, --rw and --iodepth as below; medians of $rounds rounds, the devices in turn"

round=0
while [ $round -lt "$rounds" ]; do
	round=$((round + 1))
	chosen_jobs | while read -r bs rw depth _; do
		for disk in $disks; do
			device=$(sed -n "s/^$disk //p" "$dir/devices")
			echo "$disk $bs $rw $depth $(measure "$device" "$bs" "$rw" "$depth")"
		done
	done >>"$dir/results"
done

# --- the table ------------------------------------------------------------------

grep -q . "$dir/results" || die "nothing was measured"
sed 's/^/# /' "$dir/results"
chosen_jobs >"$dir/jobs"
ratios cdrive nbd "$dir/results" "$dir/jobs"
