#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154  # of tests/cli/lib.sh
#
# download: what another client uploaded arrives, sparse; of a snapshot, too; what is
# refused, and what is noticed: a blob that changes, a disk that is full. That it
# goes on where it was interrupted. On devstore, and for what matters on Azurite.

cd "$(dirname "$0")/../.." && . tests/cli/lib.sh

make_tmp
truncate -s 64M "$tmp/data"
dd if=/dev/urandom of="$tmp/data" bs=1M seek=5 count=9 conv=notrunc status=none
dd if=/dev/urandom of="$tmp/data" bs=512 seek=131071 count=1 conv=notrunc status=none

kib_of() {
	du -k "$1" | cut -f1
}

judge() {
	tool upload "$tmp/data" "$container/disk"
	reports "^$tmp/copy: 64M, data .* in .* s" "$1: what another client uploaded" \
		download "$base/disk" "$tmp/copy" --key-file "$key"
	try "$1: byte for byte" cmp "$tmp/data" "$tmp/copy"
	rm -f "$tmp/copy"
	snapshot=$(tool snapshot "$container/disk")
	"$ctl" delete "$base/disk" --snapshots --key-file "$key"
	tool upload "$tmp/data" "$container/disk"
	snapshot=$(tool snapshot "$container/disk")
	reports "copy" "$1: a snapshot" download "$base/disk?snapshot=$snapshot" "$tmp/copy" --key-file "$key"
	try "$1: byte for byte" cmp "$tmp/data" "$tmp/copy"
	rm -f "$tmp/copy"
}

start_store azurite
judge Azurite
stop_azurite
start_store devstore
judge devstore

"$ctl" upload "$tmp/data" "$base/sparse" --format raw --key-file "$key" >/dev/null 2>&1
"$ctl" download "$base/sparse" "$tmp/copy" --json --key-file "$key" >"$tmp/json"
is "$(jq -c '[.size, .data_bytes, .get_blobs]' "$tmp/json")" "[67108864,9437696,4]" \
	"only what holds data is fetched, in four requests"
[ "$(kib_of "$tmp/copy")" -le $((9216 + 128)) ]
ok $? "the rest is holes: $(kib_of "$tmp/copy") KiB"
tool create "$container/empty" $((1 << 40))
reports "copy: 1T, data 0" "1 TiB of nothing" download "$base/empty" "$tmp/copy" --key-file "$key"
is "$(stat -c %s "$tmp/copy") $(kib_of "$tmp/copy")" "1099511627776 0" "which takes no room"
rm "$tmp/copy"

# --- what is refused ---------------------------------------------------------------------

rejected 3 "no such blob" "no such blob" download "$base/nothing" "$tmp/copy" --key-file "$key"
rejected 3 "no such" "no such snapshot" \
	download "$base/disk?snapshot=2020-01-01T00:00:00.0000000Z" "$tmp/copy" --key-file "$key"
echo text | tool put-block-blob /dev/stdin "$container/text"
rejected 8 "not a page blob" "a block blob" download "$base/text" "$tmp/copy" --key-file "$key"
rejected 1 "a directory; give the name of a file" "a directory" download "$base/disk" "$tmp" --key-file "$key"
rejected 1 "/nonexistent/copy.part: No such file or directory; make the directory" "no such directory" \
	download "$base/disk" /nonexistent/copy --key-file "$key"
rejected 1 "not a regular file" "a device" download "$base/disk" /dev/null --key-file "$key"
! [ -e "$tmp/copy" ] && ! [ -e "$tmp/copy.part" ]
ok $? "none of which left a file"

# --- faults, interruptions, changes ---------------------------------------------------------

fault set answer --status 503 --op GetBlob --probability 0.2 >/dev/null
fault set corrupt --op GetBlob --probability 0.2 >/dev/null
fault set truncate --op GetBlob --probability 0.2 >/dev/null
ctl download "$base/sparse" "$tmp/copy" --key-file "$key"
is "$got" 0 "busy, corrupted and cut off on the way"
fault clear
try "it is whole" cmp "$tmp/data" "$tmp/copy"

# begin_download BLOB: in the background, slowly, until some of it is there
begin_download() {
	"$ctl" download "$base/$1" "$tmp/slow" --connections 1 --key-file "$key" \
		>"$tmp/stdout" 2>"$tmp/background" &
	pid=$!
	wait_for 60 something || bail_out "nothing arrives: $(cat "$tmp/background")"
}
# The part is there from before, and is somebody's now.
locked() {
	grep -q "FLOCK.*:$(stat -c %i "$tmp/slow.part") " /proc/locks
}
something() {
	[ "$(kib_of "$tmp/slow.part")" -gt 4096 ]
}

echo old >"$tmp/slow"
fault set delay --delay 2000 --op GetBlob >/dev/null
begin_download sparse
kill -INT $pid
wait $pid
is "$?" 1 "interrupted"
grep -q "interrupted by Interrupt; What has arrived stays in $tmp/slow.part: the same command" "$tmp/background"
ok $? "says what is left"
is "$(cat "$tmp/slow")" old "the file of that name is what it was"
begin_download sparse
kill -KILL $pid
wait $pid 2>/dev/null
begin_download sparse
wait_for 60 locked || bail_out "nobody locks $tmp/slow.part"
rejected 1 "slow.part: another download is writing it" "two at once" \
	download "$base/sparse" "$tmp/slow" --key-file "$key"
kill -KILL $pid
wait $pid 2>/dev/null
fault clear
"$ctl" download "$base/sparse" "$tmp/slow" --json --key-file "$key" >"$tmp/json" 2>/dev/null
is "$?" 0 "again: it goes on"
jq -e '.skipped_bytes > 0' "$tmp/json" >/dev/null
ok $? "with what is missing: $(jq .skipped_bytes "$tmp/json") bytes were there"
try "it is whole" cmp "$tmp/data" "$tmp/slow"
! [ -e "$tmp/slow.part" ]
ok $? "and nothing else is left"

fault set delay --delay 4000 --op GetBlob >/dev/null
begin_download sparse
tool upload "$tmp/data" "$container/sparse"
wait $pid
is "$?" 1 "a blob that changes while it is downloaded"
grep -q 'sparse: changed while it was downloaded; unmount it first, or download a snapshot' "$tmp/background"
ok $? "the message says so"
! [ -e "$tmp/slow.part" ]
ok $? "what is of no use is removed"
fault clear

if unshare -m true 2>/dev/null; then
	cat >"$tmp/full" <<-SCRIPT
		mount -t tmpfs -o size=4M none /mnt
		"$ctl" download "$base/sparse" /mnt/copy --key-file "$key"
		echo \$?
		mount -o remount,size=64M /mnt
		"$ctl" download "$base/sparse" /mnt/copy --key-file "$key" >/dev/null && cmp "$tmp/data" /mnt/copy
		echo \$?
	SCRIPT
	unshare -m sh "$tmp/full" >"$tmp/stdout" 2>"$tmp/stderr"
	grep -q '/mnt/copy.part: No space left on device; make room there, then download it again: it goes on' "$tmp/stderr"
	is "$? $(tr '\n' ' ' <"$tmp/stdout")" "0 1 0 " "a full disk, and room again"
else
	skip "a full disk" "no mount namespaces here"
fi

plan
