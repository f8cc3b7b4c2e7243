#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154  # of tests/cli/lib.sh
#
# What create makes, judged by the tools of others: @azure/storage-blob fetches it,
# qemu-img, sfdisk and the file systems' checkers look at it. On Azurite and on
# devstore; faults and interruptions on devstore.

cd "$(dirname "$0")/../.." && . tests/cli/lib.sh

for tool in qemu-img sfdisk mkntfs ntfsinfo mkfs.xfs e2fsck; do
	PATH=$PATH:/usr/sbin:/sbin command -v $tool >/dev/null ||
		bail_out "no $tool: run scripts/setup"
done
PATH=$PATH:/usr/sbin:/sbin

# fetch NAME: with the other client, into $tmp/NAME
fetch() {
	rm -f "$tmp/$1"
	tool download "$container/$1" "$tmp/$1" && fallocate -d "$tmp/$1"
}

# check_fs FS FILE: by its own checker
check_fs() {
	case $1 in
	ext4) e2fsck -fn "$2" ;;
	xfs) xfs_repair -n "$2" ;;
	ntfs) ntfsfix -n "$2" && ntfsinfo -m "$2" ;;
	esac
}

# is_vhd NAME BYTES: it is one to qemu-img, of that size, and what it makes of it and
# back again is the same disk
is_vhd() {
	vhd=$tmp/$1
	is "$(qemu-img info --output json -f vpc "$vhd" | jq '."virtual-size"')" "$2" \
		"$1: qemu-img info: the size"
	qemu-img check -f vpc "$vhd" >"$tmp/out" 2>&1
	is "$? $(cat "$tmp/out")" "63 qemu-img: This image format does not support checks" \
		"$1: qemu-img check: all that it says of fixed VHDs"
	qemu-img convert -f vpc -O raw "$vhd" "$tmp/raw" &&
		head -c "$2" "$vhd" | cmp -s - "$tmp/raw" &&
		qemu-img convert -f raw -O vpc -o subformat=fixed,force_size=on "$tmp/raw" "$tmp/back" &&
		head -c "$2" "$tmp/back" | cmp -s - "$tmp/raw"
	ok $? "$1: to raw and back, byte for byte"
	rm -f "$tmp/raw" "$tmp/back"
}

# judge FS MIB TYPE: a VHD of that size
judge() {
	name=$1 bytes=$(($2 << 20))
	reports "^$base/$name: $2M, $1, [0-9]+ pages written in [0-9]+ transactions$" \
		"$1: create" create "$base/$name" --size "$2M" --fs "$1" --label "A label" --key-file "$key"
	is "$(tool props "$container/$name" | jq -r '"\(.blobType) \(.contentLength)"')" \
		"PageBlob $((bytes + 512))" "$1: a page blob, with room for the footer"
	is "$(mark_of "$name")" "" "$1: finished"
	fetch "$name"
	is_vhd "$name" "$bytes"
	is "$(sfdisk -J "$tmp/$name" 2>/dev/null |
		jq -r '.partitiontable | .label, (.partitions[] | "\(.start) \(.size) \(.type)")')" \
		"dos
2048 $(((bytes >> 9) - 2048)) $3" "$1: sfdisk: one partition, at 1 MiB"
	dd if="$tmp/$name" of="$tmp/part" bs=1M skip=1 count=$(($2 - 1)) conv=sparse status=none
	try "$1: its own checker" check_fs "$1" "$tmp/part"
	is "$(blkid -p -o value -s LABEL "$tmp/part") $(blkid -p -o value -s TYPE "$tmp/part")" \
		"A label $1" "$1: blkid: label and type"
	rm -f "$tmp/$name" "$tmp/part"
}

judge_all() {
	judge ext4 64 83
	judge xfs 320 83
	judge ntfs 64 7
	reports ": 16M, vhd, 1 pages written in 5 transactions" "bare" \
		create "$base/bare" --size 16M --fs none --key-file "$key"
	fetch bare
	is_vhd bare $((16 << 20))
	is "$(tool pages "$container/bare")" "16777216 512" "bare: nothing but the footer is written"
	reports ": 64M, ext4" "raw" create "$base/raw" --size 64M --format raw --key-file "$key"
	fetch raw
	is "$(stat -c %s "$tmp/raw")" 67108864 "raw: no footer"
	try "raw: e2fsck of the whole" e2fsck -fn "$tmp/raw"
	rejected 1 "raw: exists already" "a blob that exists" create "$base/raw" --size 64M --key-file "$key"
}

start_store azurite
judge_all
stop_azurite
start_store devstore
judge_all

# --- large ---------------------------------------------------------------------------

for fs in ntfs ext4 xfs; do
	started=$(date +%s)
	"$ctl" create "$base/large-$fs" --size 1T --fs $fs --json --key-file "$key" >"$tmp/json"
	is "$?" 0 "1 TiB of $fs"
	jq -e '.transactions <= 100 and .size == 1099511627776 and .blob_size == 1099511628288' \
		"$tmp/json" >/dev/null
	ok $? "1 TiB of $fs: $(jq -c '[.transactions, .pages]' "$tmp/json") transactions and pages"
	[ $(($(date +%s) - started)) -lt 45 ]
	ok $? "1 TiB of $fs: well under a minute"
	pages=$(tool pages "$container/large-$fs" | awk '{ n += $2 } END { print n / 512 }')
	is "$pages" "$(jq .pages "$tmp/json")" "1 TiB of $fs: as many pages are written as it says"
done
ctl download "$base/large-ext4" "$tmp/large" --key-file "$key"
is "$(sfdisk -J "$tmp/large" 2>/dev/null | jq .partitiontable.partitions[0].size)" \
	$(((1 << 31) - 2048)) "1 TiB of ext4: the partition"
dumpe2fs -h "$tmp/large?offset=1048576" 2>/dev/null | grep -q '^Filesystem state: *clean'
ok $? "1 TiB of ext4: clean"
is "$(dumpe2fs "$tmp/large?offset=1048576" 2>/dev/null | grep '^Group [0-9]' | grep -vc ITABLE_ZEROED)" 0 \
	"1 TiB of ext4: nothing is left to be zeroed over the network"
rm -f "$tmp/large"

# --- what can't be --------------------------------------------------------------------

rejected 1 "mkfs.xfs failed: .*(300MB|too small).*; choose another size" "xfs on too little" \
	create "$base/small" --size 16M --fs xfs --key-file "$key"
TMPDIR=/nonexistent
export TMPDIR
rejected 1 "/nonexistent: No such file or directory.*; set TMPDIR" "no place for the sparse file" \
	create "$base/small" --size 64M --fs ntfs --key-file "$key"
unset TMPDIR
rejected 3 "no such container" "no such container" \
	create "$store_url/nowhere/disk" --size 64M --key-file "$key"
wrong_key >"$tmp/wrong"
rejected 4 "not authorised" "a wrong key" create "$base/small" --size 64M --key-file "$tmp/wrong"
if unshare -m true 2>/dev/null; then
	cat >"$tmp/hidden" <<-SCRIPT
		for f in /usr/sbin/mkntfs /sbin/mkntfs; do mount --bind /dev/null \$f 2>/dev/null; done
		exec "$ctl" create "$base/small" --size 64M --fs ntfs --key-file "$key"
	SCRIPT
	message=$(unshare -m sh "$tmp/hidden" 2>&1)
	is "$? $message" "1 clouddrivectl: create: mkntfs: not found; install the package ntfs-3g" \
		"without mkntfs"
	cat >"$tmp/full" <<-SCRIPT
		mount -t tmpfs -o size=1M none /mnt && export TMPDIR=/mnt
		exec "$ctl" create "$base/small" --size 1G --fs ntfs --key-file "$key"
	SCRIPT
	message=$(unshare -m sh "$tmp/full" 2>&1)
	status=$?
	[ $status = 1 ] && echo "$message" | grep -q 'mkntfs failed: .*No space left'
	ok $? "a full disk: $message"
else
	skip "without mkntfs" "no mount namespaces here"
	skip "a full disk" "no mount namespaces here"
fi
# As nobody: the kernel shows a user namespace's first process so.
for fs in ext4 ntfs; do
	message=$(unshare -U "$ctl" create "$base/nobody-$fs" --size 64M --fs $fs --key-file "$key" 2>&1)
	ok $? "without root, $fs: $message"
done
! blobs | grep -q small
ok $? "none of which left a blob"

# --- races, faults, interruptions ------------------------------------------------------

for i in 1 2 3 4; do
	"$ctl" create "$base/race" --size 64M --label "racer $i" --key-file "$key" >"$tmp/race$i" 2>&1 &
	eval "racer$i=$!"
done
won=0
for i in 1 2 3 4; do
	eval "wait \$racer$i" && won=$((won + 1)) && winner=$i
done
is $won 1 "of four at once one makes it"
fetch race
is "$(blkid -p -O 1048576 -o value -s LABEL "$tmp/race")" "racer $winner" "and it is all its own"

fault set answer --status 503 --op PutPage --probability 0.3 >/dev/null
fault set lose --op PutPage --probability 0.2 >/dev/null
fault set lose --op SetBlobMetadata --count 1 >/dev/null
ctl create "$base/faults" --size 64M --fs ntfs --key-file "$key"
is "$got $(mark_of faults)" "0 " "busy, and answers lost on the way"
fault clear
fault set lose --op PutBlob --count 1 >/dev/null
rejected 7 "no answer" "the first answer lost" create "$base/lost" --size 64M --key-file "$key"
! blobs | grep -qx lost
ok $? "what came of it is deleted"

# Of a drive that was there before nothing is deleted, whatever can't be found out.
fault set lose --op PutBlob --count 1 >/dev/null
fault set answer --status 403 --op GetBlobProperties >/dev/null
ctl create "$base/race" --size 64M --key-file "$key"
[ "$got" = 7 ] && grep -q 'may be an unfinished blob, which could not be deleted; look, and' "$tmp/stderr"
ok $? "there already, and neither answered nor to be looked at: status $got"
fault clear
fetch race
is "$(blkid -p -O 1048576 -o value -s LABEL "$tmp/race")" "racer $winner" "it is what it was"

# interrupted SIGNAL SECONDS: status in $got, its message in $tmp/stderr
interrupted() {
	"$ctl" create "$base/cut" --size 1T --fs ntfs --key-file "$key" >"$tmp/stdout" 2>"$tmp/stderr" &
	pid=$!
	sleep "$2"
	kill -s "$1" $pid 2>/dev/null
	wait $pid
	got=$?
}

# Slow enough to be met on its way.
fault set delay --delay 150 --op PutPage >/dev/null
fault set delay --delay 150 --op PutBlob >/dev/null
for seconds in 0.02 0.2 0.4 0.7; do
	interrupted INT $seconds
	blobs >"$tmp/blobs"
	case $got in
	0) grep -qx cut "$tmp/blobs" && [ -z "$(mark_of cut)" ] && tool delete "$container/cut" ;;
	1) one_message && grep -q 'interrupted by .*; nothing is left' "$tmp/stderr" &&
		! grep -qx cut "$tmp/blobs" ;;
	*) [ $seconds = 0.02 ] && ! grep -qx cut "$tmp/blobs" ;; # before it was ready for it
	esac
	verdict=$?
	[ $verdict = 0 ] || show_output
	ok $verdict "SIGINT after $seconds s: status $got, and nothing is left"
	interrupted KILL $seconds
	if blobs | grep -qx cut && [ -n "$(mark_of cut)" ]; then
		ctl download "$base/cut" "$tmp/cut" --key-file "$key"
		[ "$got" = 8 ] && grep -q 'unfinished: .*; .*delete it' "$tmp/stderr"
		ok $? "SIGKILL after $seconds s: what is left is marked, and refused"
		rejected 1 'exists already' "and stands in the way" \
			create "$base/cut" --size 64M --key-file "$key"
	else
		ok 0 "SIGKILL after $seconds s: nothing, or all"
	fi
	ctl delete "$base/cut" --key-file "$key"
	grep -q 'no such blob' "$tmp/stderr" || [ "$got" = 0 ]
	ok $? "delete takes it away, if it is there"
done
fault clear

plan
