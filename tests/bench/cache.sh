#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The on-disk cache, in one guest with a scratch disk /dev/vda of ext4, each beside its
# peer, in turns, the median of three rounds:
#
#	hits		a drive whose data are all in the cache, beside a loop device on a
#			file of the same file system, and beside dm-cache (writethrough,
#			smq, on a second file) above a drive without cache
#	misses, writes	a drive with a cache beside one without
#	second pass	tar of many files and git status twice, the store at 5 ms: the
#			second pass with the cache beside the second without
#
# Prints tables, and fails when a ratio is less than what is required. tests/bench/run
# runs it.
#
# BENCH_SIZE (128M) of the drives, BENCH_ROUNDS (3), BENCH_SECONDS (3) of each measurement, BENCH_FILES (20000) of the
# second pass, BENCH_PARTS ("hits misses files") of all that

set -eu
. scripts/lib.sh

rounds=${BENCH_ROUNDS:-3}
seconds=${BENCH_SECONDS:-3}
files=${BENCH_FILES:-20000}
parts=${BENCH_PARTS:-hits misses files}
size=${BENCH_SIZE:-128M}
dir=$(mktemp -d)
. tests/bench/lib.sh

store=
loops=
status=0

finish() {
	trap - EXIT HUP INT TERM
	cd /
	umount /mnt/drive 2>/dev/null || :
	dmsetup remove bench-cache 2>/dev/null || :
	for drive in /dev/cdrive[0-9] /dev/cdrive1[0-5]; do
		[ ! -b "$drive" ] || clouddrivectl unmount "$drive" --force >/dev/null 2>&1 || :
	done
	for loop in $loops; do losetup -d "$loop" || :; done
	[ -z "$store" ] || kill "$store"
	wait
	rm -rf "$dir"
}
trap finish EXIT
trap 'exit 130' HUP INT TERM

# --- the devices ----------------------------------------------------------------

start_store() {
	export AZURE_STORAGE_KEY=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==
	clouddrivectl devstore --data "$dir/store" --listen 127.0.0.1:0 --container drives \
		>"$dir/serving" 2>&1 &
	store=$!
	wait_until 30 grep -q ' control ' "$dir/serving"
	base=$(sed -n 's/.*serving //p' "$dir/serving")/drives
	control=$dir/store/control
}

# drive NAME OPTION...: a new one, without file system; its device
drive() {
	name=$1
	shift
	clouddrivectl create "$base/$name" --size "${drive_size:-$size}" --format raw --fs none >/dev/null
	clouddrivectl mount "$base/$name" --no-fs "$@"
}

# loop_of FILE [SIZE]: a loop device, with direct I/O, on a file that is all there. What
# the file system only has reserved would be read as zeroes without asking the disk.
loop_of() {
	[ -e "$1" ] || dd if=/dev/urandom of="$1" bs=1M count="$2" oflag=direct status=none
	losetup --find --show --direct-io=on "$1"
}

start_disk() {
	mkfs.ext4 -q /dev/vda
	mkdir -p /mnt/disk /mnt/drive
	mount /dev/vda /mnt/disk
	clouddrivectl init-cache /mnt/disk --size 1G
}

# --- hits -----------------------------------------------------------------------

start_dm_cache() {
	modprobe dm-cache
	modprobe dm-cache-smq
	origin=$(drive origin --cache 0)
	fill "$origin"
	metadata=$(loop_of /mnt/disk/dm-metadata 16)
	loops="$loops $metadata"
	dd if=/dev/zero of="$metadata" bs=4k count=1 oflag=direct status=none
	fast=$(loop_of /mnt/disk/dm-fast 512)
	loops="$loops $fast"
	dmsetup create bench-cache --table "0 $(blockdev --getsz "$origin") cache $metadata $fast $origin 128 1 writethrough smq 0"
	dmcache=/dev/$(dmsetup info -c --noheadings -o blkdevname bench-cache)
}

# Its policy promotes what is read often.
warm_dm_cache() {
	tries=0
	while [ "$tries" -lt 12 ]; do
		tries=$((tries + 1))
		dd if="$dmcache" of=/dev/null bs=1M iflag=direct status=none
		misses=$(dmsetup status bench-cache | cut -d' ' -f9)
		dd if="$dmcache" of=/dev/null bs=64k iflag=direct status=none
		[ "$(dmsetup status bench-cache | cut -d' ' -f9)" != "$misses" ] || return 0
	done
	echo "# dm-cache still had misses after $tries passes: $(dmsetup status bench-cache)"
}

# hits_of DEVICE: what of the drive was served by the cache, of all lookups
hits_of() {
	clouddrivectl status "$1" --json | jq -r '.cache | "\(.hits) of \(.lookups)"'
}

bench_hits() {
	jobs='4k randread 32 0.9
4k randread 1 0.9
1M read 8 0.9'
	cached=$(drive cached)
	fill "$cached"
	clouddrivectl warm "$cached"
	file=$(loop_of /mnt/disk/loop "${size%M}")
	loops="$loops $file"
	start_dm_cache
	warm_dm_cache
	for device in "$cached" "$file" "$dmcache"; do
		echo "# $device: $(settings "$device")"
	done
	before=$(hits_of "$cached")
	for _ in $(seq "$rounds"); do
		echo "$jobs" | while read -r bs rw depth _; do
			echo "cache $bs $rw $depth $(measure "$cached" "$bs" "$rw" "$depth")"
			echo "loop $bs $rw $depth $(measure "$file" "$bs" "$rw" "$depth")"
			echo "dm-cache $bs $rw $depth $(measure "$dmcache" "$bs" "$rw" "$depth")"
		done >>"$dir/hits"
	done
	sed 's/^/# /' "$dir/hits"
	echo "# hits before: $before, after: $(hits_of "$cached")"
	echo "$jobs" >"$dir/jobs"
	ratios cache loop "$dir/hits" "$dir/jobs" || status=1
	echo "$jobs" | sed 's/0\.9$/1.0/' >"$dir/jobs"
	ratios cache dm-cache "$dir/hits" "$dir/jobs" || status=1
	dmsetup remove bench-cache
	for device in "$cached" "$origin"; do clouddrivectl unmount "$device"; done
}

# --- misses and writes ------------------------------------------------------------

# The drive is eight times its part of the cache: reads at random go on missing, but for
# one in eight.
bench_misses() {
	jobs='4k randread 32 0.95
4k randread 1 0.95
1M read 8 0.95
4k randwrite 32 0.95
1M write 8 0.95'
	with=$(drive with --cache 16M)
	without=$(drive without --cache 0)
	for device in "$with" "$without"; do
		fill "$device"
		echo "# $device: $(settings "$device")"
	done
	for _ in $(seq "$rounds"); do
		echo "$jobs" | while read -r bs rw depth _; do
			echo "cache $bs $rw $depth $(measure "$with" "$bs" "$rw" "$depth")"
			echo "none $bs $rw $depth $(measure "$without" "$bs" "$rw" "$depth")"
		done >>"$dir/misses"
	done
	sed 's/^/# /' "$dir/misses"
	echo "# hits: $(hits_of "$with")"
	echo "$jobs" >"$dir/jobs"
	ratios cache none "$dir/misses" "$dir/jobs" || status=1
	for device in "$with" "$without"; do clouddrivectl unmount "$device"; done
}

# --- second pass -------------------------------------------------------------------

make_files() {
	mkdir "$1/tree"
	seq "$files" | while read -r n; do
		[ $((n % 200)) -ne 1 ] || mkdir "$1/tree/$((n / 200))"
		echo "file $n: $(printf "%$((n % 97 * 40))s" "$n")" >"$1/tree/$(((n - 1) / 200))/$n.c"
	done
	git -C "$1/tree" init -q
	git -C "$1/tree" add -A
	git -C "$1/tree" -c user.name=bench -c user.email=bench commit -qm files
}

# Of a mounted drive, nothing of it in memory: seconds of tar and git status
pass_over() {
	umount /mnt/drive
	mount "$1" /mnt/drive
	echo 3 >/proc/sys/vm/drop_caches
	start=$(date +%s.%N)
	tar -cf - -C /mnt/drive tree | cat >/dev/null
	git -C /mnt/drive/tree status --porcelain | cat
	echo "$(date +%s.%N) $start" | awk '{ printf "%.2f\n", $1 - $2 }'
}

bench_files() {
	drive_size=2G second_with='' second_without=''
	for what in with without; do
		option=
		[ "$what" = with ] || option='--cache 0'
		# shellcheck disable=SC2086  # words
		device=$(drive "files-$what" $option)
		mkfs.ext4 -q "$device"
		mount "$device" /mnt/drive
		make_files /mnt/drive
		clouddrivectl devstore fault set delay --ms 5 --control "$control" >/dev/null
		first=$(pass_over "$device")
		second=$(pass_over "$device")
		clouddrivectl devstore fault clear --control "$control" >/dev/null
		echo "# $what cache: first pass $first s, second $second s"
		eval "second_$what=$second"
		umount /mnt/drive
		clouddrivectl unmount "$device"
	done
	awk -v a="$second_without" -v b="$second_with" 'BEGIN {
		printf "second pass over %d files: %.1f times as fast as without cache, 20 required  %s\n",
			'"$files"', a / b, a / b < 20 ? "FAIL" : "PASS"
		exit a / b < 20
	}' || status=1
}

echo "# kernel $(uname -r), $(nproc) processors"
echo "# fio $fio_options"
modprobe cdrive
modprobe loop
start_store
start_disk
for part in $parts; do "bench_$part"; done
exit $status
