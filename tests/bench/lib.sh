# SPDX-License-Identifier: MIT
# shellcheck shell=sh
#
# What the benchmarks in a guest share: fio's figures, and the table of ratios. A user
# sets $dir (a directory of its own), $rounds and $seconds, and sources scripts/lib.sh.

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

# The settings that a request's way through the block layer depends on: the same.
# (Left to itself nbd cuts a request of 1 MiB into eight, and cdrive does not.)
settings() {
	queue=/sys/block/${1#/dev/}/queue
	echo none >"$queue/scheduler" 2>/dev/null || :
	echo 1024 >"$queue/max_sectors_kb"
	for name in scheduler max_sectors_kb nr_requests nomerges wbt_lat_usec; do
		[ ! -e "$queue/$name" ] || echo "$name=$(cat "$queue/$name")"
	done | tr '\n' ' '
}

# shellcheck disable=SC2154  # of the user
fio_options="--direct=1 --ioengine=libaio --norandommap --randrepeat=1 --time_based \
--ramp_time=1 --runtime=$seconds"

# measure DEVICE BS RW DEPTH [OPTION of fio]...: prints requests a second
# shellcheck disable=SC2154
measure() {
	what="--filename=$1 --bs=$2 --rw=$3 --iodepth=$4"
	shift 4
	# shellcheck disable=SC2086  # lists of words
	timeout 60 fio --name=path $what $fio_options "$@" --output-format=json >"$dir/fio" ||
		die "fio: $(tail -n 5 "$dir/fio")"
	jq '.jobs[0] | (.read.iops + .write.iops) * 10 | round / 10' "$dir/fio"
}

# Filled, so that no read is of what was never written, and read back with its
# checksums: a path that loses data is not measured.
fill() {
	timeout 400 fio --name=fill --filename="$1" --direct=1 --ioengine=libaio --iodepth=8 \
		--bs=1M --rw=write --verify=crc32c --verify_fatal=1 >"$dir/fio" 2>&1 ||
		die "$1: filling it: $(tail -n 5 "$dir/fio")"
}

# ratios OURS PEER RESULTS JOBS: a table. RESULTS has lines "NAME BS RW DEPTH FIGURE", in
# which OURS comes before PEER in each round; JOBS lines "BS RW DEPTH REQUIRED". Fails when
# a ratio is less than what is required.
#
# What else the machine does changes by the minute: a ratio is one of two figures
# taken one after the other, and the median is that of the rounds' ratios.
ratios() {
	awk -v ours="$1" -v peer="$2" '
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
		if ($1 != ours && $1 != peer)
			next
		figures[$1, job] = figures[$1, job] " " $5
		if ($1 == ours)
			last[job] = $5
		else if (job in last && $5 > 0)
			of[job] = of[job] " " last[job] / $5
		next
	}
	FNR == 1 {
		printf "%-4s %-10s %5s %12s %12s %6s %9s\n", "bs", "rw", "depth",
			ours "/s", peer "/s", "ratio", "required"
	}
	{
		job = $1 " " $2 " " $3
		printf "%-4s %-10s %5s %12s %12s", $1, $2, $3,
			median(figures[ours, job]), median(figures[peer, job])
		ratio = median(of[job])
		if (ratio != "-") {
			printf " %6.2f %9.2f  %s", ratio, $4, ratio < $4 ? "FAIL" : "PASS"
			failed += ratio < $4
		}
		print ""
	}
	END { exit failed != 0 }' "$3" "$4"
}
