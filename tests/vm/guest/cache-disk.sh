#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154  # shared with tests/vm/lib.sh
#
# Guest side of cache-disk.t.
# usage: cache-disk.sh [PART]...     all of them, if none is named

. tests/vm/guest/lib.sh

export DM_DISABLE_UDEV=1 # dmsetup makes the nodes itself
disk=/dev/vda xfs_disk=/dev/vdb small_disk=/dev/vdc
mapped=/dev/mapper/disk
at=/var/cache/disk
size=$((16 << 20))
pattern=/tmp/pattern

tool() {
	PYTHONDONTWRITEBYTECODE=1 timeout 240 /usr/bin/python3 tests/vm/guest/cache_disk.py "$@"
}

# read_right [COUNT [SEED]]: scattered blocks of the drive, each compared
read_right() {
	tool read "${1:-160}" "${2:-1}" $size $pattern "$cached"
}

# Reads that the service was asked for, since it was started.
reads() {
	clouddrivectl devstore counters --control "$control" | jq '[.. | objects | select(has("GetBlob")) | .GetBlob.calls][0] // 0'
}

# cache NAME: of the drive's part; whole NAME: of the machine's
cache() {
	clouddrivectl status "$cached" --json | jq -r ".cache.$1"
}

whole() {
	clouddrivectl init-cache --json | jq -r ".$1"
}

# Nothing is on its way into the cache any more.
still() {
	was=$(cache '| .fills + .skipped')
	sleep 0.3
	[ "$(cache '| .fills + .skipped')" = "$was" ]
}

# more NAME THAN: that counter has grown
more() {
	[ "$(cache "$1")" -gt "$2" ]
}

# What the module has said of the cache since the last mark, but for its coming and going.
mark() {
	marked=$(dmesg | wc -l)
}

messages() {
	dmesg | tail -n +$((marked + 1)) | grep 'cdrive' | grep -v 'slots$' | grep -vc 'is closed$'
}

# table NAME LINE...: that mapped device is so from now on
table() {
	table_name=$1
	shift
	printf '%s\n' "$@" >/tmp/table
	if dmsetup info "$table_name" >/tmp/info 2>&1; then
		dmsetup load "$table_name" /tmp/table && dmsetup suspend --nolockfs --noflush "$table_name" &&
			dmsetup resume "$table_name"
	else
		dmsetup create "$table_name" /tmp/table
	fi || bail_out "dmsetup: $table_name: $(cat /tmp/table)"
}

sectors() {
	blockdev --getsz "$1"
}

as_linear() {
	table disk "0 $(sectors $disk) linear $disk 0"
}

# What an earlier use has left would be refused.
wipe() {
	as_linear
	dd if=/dev/zero of=$mapped bs=1M count=2 oflag=direct 2>/dev/null
}

# init WHERE [SIZE]
init() {
	clouddrivectl init-cache "$1" --size "${2:-20M}"
}

# on_device NAME, on_ext4 NAME: there is a new cache, on the disk or a file system on it
on_device() {
	clouddrivectl init-cache --off >/tmp/off 2>&1
	wipe
	try "$1" init $mapped
}

on_ext4() {
	clouddrivectl init-cache --off >/tmp/off 2>&1
	as_linear
	mkfs.ext4 -qF $mapped
	mount $mapped $at || bail_out "no ext4"
	try "$1" init $at
}

filled() {
	try "$1: what is read is right" read_right
	wait_for 20 still
}

# load SECONDS: verified, on the drive with a cache and the one without; in the background
load() {
	tool load "$1" $pattern "$cached" "$plain" >/tmp/load 2>/tmp/load.err &
	load=$!
}

# loaded NAME: it has ended, and nothing was wrong
loaded() {
	wait "$load"
	ok $? "$1: $(cat /tmp/load /tmp/load.err)"
}

# of DEVICE NAME: what the load tells
of() {
	jq -r --arg d "$1" ".[\$d].$2" /tmp/load
}

# works NAME: read twice; the second time comes from the cache
works() {
	filled "$1"
	works_reads=$(reads) works_hits=$(cache hits)
	try "$1: again, it is right" read_right
	is "$(($(reads) - works_reads))" 0 "$1: again, nothing is asked of the service"
	is "$(($(cache hits) - works_hits))" 160 "$1: again, all are hits"
}

leave_no_drives() {
	umount -l /mnt $at 2>/dev/null
	for drive in /dev/cdrive[0-9]*; do
		[ ! -b "$drive" ] || timeout 60 clouddrivectl unmount "$drive" --force
	done >/dev/null 2>&1
}
at_exit leave_no_drives

# --- where it may not be ------------------------------------------------------------------

refused_places() {
	table above "0 $(sectors "$plain") linear $plain 0"
	mkfs.ext4 -q /dev/mapper/above
	mount /dev/mapper/above /mnt || bail_out "no file system"
	truncate -s 8M /mnt/file
	loop=$(losetup -f --show /mnt/file)
	for place in "$plain" /dev/mapper/above /mnt "$loop"; do
		try "$place lies on a drive: refused" refused "lies on the drive $plain" init "$place" 16M
	done
	losetup -d "$loop"
	umount /mnt
	dmsetup remove above
	case $(uname -r) in
	6.1.*) try "tmpfs: refused, with why" refused "can't read and write directly (O_DIRECT)" init /tmp 16M ;;
	esac
	# As it was before the file system.
	dd if=$pattern of="$plain" bs=1M oflag=direct 2>/dev/null
}

# --- where it may be ----------------------------------------------------------------------

places() {
	on_ext4 "ext4: init-cache"
	is "$(clouddrivectl status "$plain" --json | jq .cache)" null "a drive that was to have none has none"
	works ext4
	mkfs.xfs -q $xfs_disk
	mount $xfs_disk /mnt || bail_out "no xfs"
	try "xfs: moved there" init /mnt
	works xfs
	umount $at
	wipe
	try "a device: moved there" init $mapped
	works "a device"
	echo "0 $(sectors $small_disk) crypt aes-xts-plain64 $(od -An -v -N64 -tx1 /dev/urandom | tr -d ' \n') 0 $small_disk 0" |
		dmsetup create crypt || bail_out "no dm-crypt"
	try "dm-crypt: moved there" init /dev/mapper/crypt 16M
	works dm-crypt
	try "xfs is no longer in use" umount /mnt
	case $(uname -r) in
	6.1.*) ;;
	*)
		try "tmpfs: moved there" init /tmp
		works tmpfs
		;;
	esac
	clouddrivectl init-cache --off
	dmsetup remove crypt
}

# --- one that takes a second for each I/O -------------------------------------------------

# What was slow is believed soon to be no more.
hit_again() {
	hits=$(cache hits)
	read_right 20 && more hits "$hits"
}

slow() {
	on_device "slow: init-cache"
	filled "quick"
	table disk "0 $(sectors $disk) delay $disk 0 1000"
	load 4
	loaded "slow: a load that it begins with is right"
	try "slow: what it holds is passed by" more bypassed 0
	bypassed=$(cache bypassed)
	load 12
	loaded "slow: a load is right"
	try "slow: and passes it by" more bypassed "$bypassed"
	limit=1.3
	[ "${CACHE_STRICT-}" != y ] || limit=1.05
	for figure in p50 total; do
		with=$(of "$cached" $figure) without=$(of "$plain" $figure)
		ratio=$(echo "$with $without" | awk 'NF == 2 { printf "%.3f", $1 / $2 }')
		echo "$ratio" | awk -v limit=$limit '{ exit !(NF && $1 <= limit) }'
		ok $? "slow: $figure, with $with s, without $without s: $ratio, at most $limit"
	done
	[ "$(of "$cached" long)" -le $(($(of "$plain" long) + 4)) ]
	ok $? "slow: none waits for it again and again: $(of "$cached" long), without $(of "$plain" long)"
	is "$(whole state)" on "slow: it stays on"
	as_linear

	try "quick again: it is read again" wait_for 30 hit_again
}

# --- one that is full ---------------------------------------------------------------------

full() {
	mark
	mkfs.ext4 -qF $small_disk 12M
	mount $small_disk /mnt || bail_out "no small file system"
	init /mnt >/tmp/init 2>&1
	ok $? "full: init-cache"
	try "full: init-cache says how much room there is" grep -q 'there is room for' /tmp/init
	load 4
	try "full: all of the drive is right" read_right 1024 2
	loaded "full: a load is right"
	wait_for 20 still
	try "full: it is" [ "$(df --output=avail /mnt | tail -n 1)" -lt 128 ]
	try "full: all of the drive again" read_right 1024 3
	try "full: what found room is read" more hits 0
	is "$(whole state) $(whole errors)" "on 0" "full: it stays on, that is no error"
	[ "$(messages)" -le 1 ]
	ok $? "full: $(messages) messages"
	clouddrivectl init-cache --off
	try "full: its file system can be unmounted" umount /mnt
}

# --- one that is pulled out ---------------------------------------------------------------

# failed: so many errors, and it is used no more
failed() {
	[ "$(whole state)" = failed ]
}

pulled_out() {
	on_ext4 "pulled out: init-cache"
	filled "pulled out: before"
	mark
	load 8
	sleep 1
	table disk "0 $(sectors $disk) error"
	try "pulled out: it is used no more" wait_for 30 failed
	loaded "pulled out: the load is right"
	try "pulled out: what is read is right" read_right
	is "$(messages)" 1 "pulled out: one message"
	try "pulled out: init-cache says it" sh -c 'clouddrivectl init-cache | grep -q "off after [0-9]* errors"'
	try "pulled out: unmount" clouddrivectl unmount "$cached"
	try "pulled out: mounted without it, which is said" sh -c \
		'timeout 60 clouddrivectl mount "$0" --no-fs 2>&1 >/tmp/device | grep -q "goes on without it"' "$base/cached"
	cached=$(cat /tmp/device)
	try "pulled out: what is read is right" read_right
	try "pulled out: its file system can be unmounted" umount $at
	on_ext4 "put back: init-cache"
	works "put back"
	clouddrivectl init-cache --off
	umount $at
}

# --- one that changes what was written ----------------------------------------------------

# flipped NAME COUNT: so many blocks are missed, and everything is right; then no more
flipped() {
	wrong=$(cache checksum_errors) asked=$(reads)
	try "$1: what is read is right" read_right
	is "$(($(cache checksum_errors) - wrong))" "$2" "$1: each is found"
	try "$1: it is asked of the service" [ "$(reads)" -gt "$asked" ]
	wait_for 20 still
	asked=$(reads)
	try "$1: again, it is right" read_right
	is "$(($(reads) - asked))" 0 "$1: again, nothing is asked of the service"
	is "$(whole state)" on "$1: it stays on"
}

flips() {
	on_ext4 "bits flip: init-cache"
	filled "bits flip: before"
	try "bits flip while it is closed: unmount" clouddrivectl unmount "$cached"
	is "$(whole state)" closed "bits flip while it is closed: it is"
	try "bits flip while it is closed: they do" tool flip 10 1 $at/clouddrive.cache
	cached=$(clouddrivectl mount "$base/cached" --no-fs)
	is "$(cache start)" warm "bits flip while it is closed: mounted, it is warm"
	flipped "bits flip while it is closed" 10
	try "bits flip while it is used: they do" tool flip 10 2 $at/clouddrive.cache
	flipped "bits flip while it is used" 10
	clouddrivectl init-cache --off
	umount $at
}

# --- one that loses writes ----------------------------------------------------------------

# changed NAME: as table() has made it the data is right, and the cache at last off
changed() {
	mark
	wrong=$(cache checksum_errors)
	filled "$1: filled"
	try "$1: what is read is right" read_right
	try "$1: checksums tell it" more checksum_errors "$wrong"
	load 3
	loaded "$1: a load is right"
	try "$1: it is used no more" failed
	is "$(messages)" 1 "$1: one message"
}

loses() {
	on_device "writes are lost: init-cache"
	table disk "0 $(sectors $disk) flakey $disk 0 0 3600 1 drop_writes"
	changed "writes are lost"
	on_device "writes are torn: init-cache"
	# Each second 24 KiB are lost.
	awk -v all="$(sectors $disk)" -v disk=$disk 'BEGIN {
		for (i = 0; i < all; i += n) {
			n = all - i < 48 ? all - i : 48
			lost = i >= 2048 && int(i / 48) % 2
			print i, n, lost ? "flakey" : "linear", disk, i, lost ? "0 3600 1 drop_writes" : ""
		}
	}' >/tmp/torn
	table disk "$(cat /tmp/torn)"
	changed "writes are torn"
}

# dm-flakey of 6.1 changes nothing of what was read.
changes() {
	case $(uname -r) in
	6.1.*) direction=w what='writes are changed' ;;
	*) direction=r what='reads are changed' ;;
	esac
	on_device "$what: init-cache"
	[ $direction = w ] || filled "$what: before"
	table disk "0 $(sectors $disk) flakey $disk 0 0 3600 5 corrupt_bio_byte 32 $direction 1 0"
	changed "$what"
}

# --- it comes and goes --------------------------------------------------------------------

comes_and_goes() {
	on_device "comes: init-cache"
	works "comes"
	load 6
	sleep 1
	try "goes under load" clouddrivectl init-cache --off
	try "comes under load" init $mapped
	sleep 1
	try "goes again" clouddrivectl init-cache --off
	loaded "comes and goes: the load is right"
	try "what is read is right" read_right
}

# --- sixteen drives -----------------------------------------------------------------------

# one NUMBER: is made and mounted; of the drives the first is as large as the cache
one() {
	one_size=2M
	[ "$1" -ne 0 ] || one_size=16M
	clouddrivectl create "$base/one$1" --size $one_size --format raw --fs none >&2 &&
		clouddrivectl mount "$base/one$1" --no-fs >"/tmp/one.$1" &&
		dd if=$pattern of="$(cat "/tmp/one.$1")" bs=1M count=${one_size%M} oflag=direct 2>/dev/null
}

in_bounds() {
	[ "$(whole '| [.drives[].used] | add')" -le "$(whole size)" ] && [ "$(whole used)" -le "$(whole size)" ]
}

# used NUMBER: what that drive has of it
used() {
	whole "| .drives[] | select(.device == \"$(cat "/tmp/one.$1")\").used"
}

others_read() {
	# shellcheck disable=SC2086  # words
	tool read 32 1 $((512 << 10)) $pattern $others
}

sixteen() {
	for drive in "$cached" "$plain"; do
		clouddrivectl unmount "$drive"
	done
	wipe
	try "sixteen: init-cache" init $mapped 16M
	for i in $(seq 0 15); do
		one "$i" 2>/tmp/one.err || bail_out "drive $i: $(cat /tmp/one.err)"
	done
	cached=$(cat /tmp/one.0)
	others=$(for i in $(seq 15); do cat "/tmp/one.$i"; done)
	try "sixteen: half a megabyte of fifteen of them" others_read
	wait_for 20 still
	sleep 1
	asked=$(reads)
	try "sixteen: again" others_read
	is "$(($(reads) - asked))" 0 "sixteen: nothing is asked of the service"
	try "sixteen: all of the sixteenth, as large as the cache" read_right 1024 4
	try "sixteen: the cache is not larger than it may be" in_bounds
	try "sixteen: the one that was read through has its part of it: $(used 0)" [ "$(used 0)" -ge $((1 << 20)) ]
	is "$(whole used)" "$(whole size)" "sixteen: which is full"
	asked=$(reads)
	try "sixteen: the others again" others_read
	is "$(($(reads) - asked))" 0 "sixteen: nothing is asked of the service"
	for i in $(seq 0 15); do
		clouddrivectl unmount "$(cat "/tmp/one.$i")" || fail "sixteen: unmount $i"
	done
}

# --- all of it ----------------------------------------------------------------------------

for module in cdrive dm-mod dm-delay dm-flakey dm-crypt loop xfs; do
	modprobe $module || bail_out "no module $module"
done
start_store
mkdir -p $at
head -c $size /dev/urandom >$pattern
make_drive "$base/plain" 16M
make_drive "$base/cached" 16M
cached=$(clouddrivectl mount "$base/cached" --no-fs) || bail_out "the drive could not be mounted"
plain=$(clouddrivectl mount "$base/plain" --no-fs --cache 0) || bail_out "the other drive could not be mounted"
as_linear
for drive in "$cached" "$plain"; do
	dd if=$pattern of="$drive" bs=1M oflag=direct 2>/dev/null
done
[ $# -gt 0 ] || set -- refused_places places slow full pulled_out flips loses changes comes_and_goes sixteen
for part in "$@"; do
	$part
done
clouddrivectl unmount "$cached" 2>/dev/null
clouddrivectl unmount "$plain" 2>/dev/null
[ "$(whole state)" != on ] && [ "$(whole state)" != failed ]
ok $? "unmounted, there is no cache, or it is closed"
try "the module can be unloaded" rmmod cdrive
try "and nothing holds the disk" dmsetup remove disk
plan
