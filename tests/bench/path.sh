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

# wait_until SECONDS COMMAND...
wait_until() {
	tries=$(($1 * 10))
	shift
	until "$@"; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || die "waited in vain: $*"
		sleep 0.1
	done
}

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

# The settings that a request's way through the block layer depends on: the same.
# (Left to itself nbd cuts a request of 1 MiB into eight, and cdrive does not.)
settings() {
	queue=/sys/block/${1#/dev/}/queue
	echo none >"$queue/scheduler"
	echo 1024 >"$queue/max_sectors_kb"
	for name in scheduler max_sectors_kb nr_requests nomerges wbt_lat_usec; do
		[ ! -e "$queue/$name" ] || echo "$name=$(cat "$queue/$name")"
	done | tr '\n' ' '
}

# --- measuring ------------------------------------------------------------------

fio_options="--direct=1 --ioengine=libaio --norandommap --randrepeat=1 --time_based \
--ramp_time=1 --runtime=$seconds"

# measure DEVICE BS RW DEPTH: prints requests a second
measure() {
	# shellcheck disable=SC2086  # lists of words
	timeout 60 fio --name=path --filename="$1" --bs="$2" --rw="$3" --iodepth="$4" \
		$fio_options --output-format=json >"$dir/fio" || die "fio: $(tail -n 5 "$dir/fio")"
	jq '.jobs[0] | (.read.iops + .write.iops) * 10 | round / 10' "$dir/fio"
}

# Both are filled, so that no read is of what was never written, and read back
# with their checksums: a path that loses data is not measured.
fill() {
	timeout 120 fio --name=fill --filename="$1" --direct=1 --ioengine=libaio --iodepth=8 \
		--bs=1M --rw=write --verify=crc32c --verify_fatal=1 >"$dir/fio" 2>&1 ||
		die "$1: filling it: $(tail -n 5 "$dir/fio")"
}

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
# What else the machine does changes by the minute: a ratio is one of two figures
# taken one after the other, and the median is that of the rounds' ratios.
awk '
	function median(list, v, n, i, j, t) {
		n = split(list, v, " ")
		for (i = 2; i <= n; i++)
			for (j = i; j > 1 && v[j] + 0 < v[j - 1] + 0; j--) {
				t = v[j]; v[j] = v[j - 1]; v[j - 1] = t
			}
		return n ? v[int((n + 1) / 2)] : "-"
	}
	FNR == NR {
		job = $2 " " $3 " " $4
		figures[$1, job] = figures[$1, job] " " $5
		if ($1 == "cdrive")
			ours[job] = $5
		else if (job in ours && $5 > 0)
			ratios[job] = ratios[job] " " ours[job] / $5
		next
	}
	FNR == 1 {
		printf "%-4s %-10s %5s %10s %10s %6s %9s\n", "bs", "rw", "depth",
			"cdrive/s", "nbd/s", "ratio", "required"
	}
	{
		job = $1 " " $2 " " $3
		printf "%-4s %-10s %5s %10s %10s", $1, $2, $3,
			median(figures["cdrive", job]), median(figures["nbd", job])
		ratio = median(ratios[job])
		if (ratio != "-") {
			printf " %6.2f %9.1f  %s", ratio, $4, ratio < $4 ? "FAIL" : "PASS"
			failed += ratio < $4
		}
		print ""
	}
	END { exit failed != 0 }' "$dir/results" "$dir/jobs"
