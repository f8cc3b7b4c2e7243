#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154  # of tests/cli/lib.sh
#
# upload: that what others make arrives, byte for byte, as others see it; only what
# holds data, in as few requests as 4 MiB allow; what it refuses; that it goes on
# where it was interrupted. On devstore, and for what matters on Azurite.

cd "$(dirname "$0")/../.." && . tests/cli/lib.sh

command -v qemu-img >/dev/null || bail_out "no qemu-img: run scripts/setup"
make_tmp

# data FILE MIB-SIZE OFFSET LENGTH [OFFSET LENGTH]...: a sparse file with random data
# there, in KiB
data() {
	data_file=$1
	truncate -s "$2M" "$1"
	shift 2
	while [ $# -gt 0 ]; do
		dd if=/dev/urandom of="$data_file" bs=1024 seek="$1" count="$2" conv=notrunc status=none
		shift 2
	done
}

# arrived NAME FILE: the other client fetches the same
arrived() {
	tool download "$container/$1" "$tmp/arrived" && cmp "$tmp/arrived" "$2" && [ -z "$(mark_of "$1")" ]
}

data "$tmp/raw" 64 0 100 20000 5000 65000 512
qemu-img convert -f raw -O vpc -o subformat=fixed,force_size=on "$tmp/raw" "$tmp/vhd"
qemu-img convert -f raw -O vpc -o subformat=fixed "$tmp/raw" "$tmp/chs"

judge() {
	for image in vhd chs; do
		reports "^$base/$image: [0-9]+ pages, .* in .* s \(.*/s\), [0-9]+ transactions$" \
			"$1: a VHD of qemu-img's: $image" upload "$tmp/$image" "$base/$image" --key-file "$key"
		try "$1: $image arrives byte for byte" arrived $image "$tmp/$image"
	done
	reports "raw: [0-9]+ pages" "$1: a raw file" \
		upload "$tmp/raw" "$base/raw" --format raw --verify --key-file "$key"
	try "$1: arrives byte for byte" arrived raw "$tmp/raw"
	"$ctl" upload - "$base/pipe" --format raw --key-file "$key" <"$tmp/raw" >"$tmp/out" 2>&1
	is $? 0 "$1: from standard input"
	(cat "$tmp/raw"; sleep 1; cat "$tmp/raw") |
		"$ctl" upload - "$base/pipe2" --format raw --key-file "$key" >"$tmp/out" 2>&1
	is $? 0 "$1: from a pipe that takes its time"
	cat "$tmp/raw" "$tmp/raw" >"$tmp/twice"
	try "$1: arrives, with its own length" arrived pipe2 "$tmp/twice"
}

start_store azurite
judge Azurite
stop_azurite
start_store devstore
judge devstore

# --- only what holds data ------------------------------------------------------------

# 100 KiB; 5000 KiB, in two requests; 512 KiB: and nothing else
is "$(tool pages "$container/raw")" "0 102400
20480000 5120000
66560000 524288" "what holds data, and nothing else, is written"
"$ctl" upload "$tmp/raw" "$base/count" --format raw --json --key-file "$key" >"$tmp/json"
is "$(jq -c '[.size, .pages, .put_pages]' "$tmp/json")" "[67108864,11224,4]" "in four requests"
dd if=/dev/zero of="$tmp/zeroes" bs=1M count=32 status=none
data "$tmp/zeroes" 32 4097 1
"$ctl" upload "$tmp/zeroes" "$base/zeroes" --format raw --json --key-file "$key" >"$tmp/json"
is "$(jq -c '[.pages, .put_pages]' "$tmp/json")" "[2,1]" "zeroes that are no hole are not sent, either"
truncate -s 3G "$tmp/large"
data "$tmp/large" 3072 0 4 3145720 8
(cat "$tmp/large") | "$ctl" upload - "$base/large" --format raw --json --key-file "$key" >"$tmp/json" 2>/dev/null
is "$(jq -c '[.size, .pages]' "$tmp/json")" "[3221225472,24]" "a pipe that is longer than was thought"

# --- what is refused --------------------------------------------------------------------

refused() {
	rejected "$1" "$2" "$3" upload "$4" "$base/refused" --key-file "$key"
}

refused 8 'raw: not a VHD: .*--format raw' "a raw file" "$tmp/raw"
for format in qcow2 vhdx vmdk vdi; do
	qemu-img create -q -f $format "$tmp/image.$format" 20M
	refused 8 "image, not a fixed VHD; convert it: qemu-img convert -f $format -O vpc -o subformat=fixed,force_size=on" \
		"$format" "$tmp/image.$format"
done
qemu-img convert -f raw -O vpc "$tmp/raw" "$tmp/dynamic"
refused 8 "a dynamic VHD, not a fixed one; convert it: qemu-img convert -f vpc" "a dynamic VHD" "$tmp/dynamic"
cp --sparse=always "$tmp/vhd" "$tmp/damaged"
printf '\377' | dd of="$tmp/damaged" bs=1 seek=$((67108864 + 40)) conv=notrunc status=none
refused 8 "its VHD footer is damaged: its checksum is [0-9a-f]+, its content's [0-9a-f]+; " "a damaged footer" "$tmp/damaged"
head -c 1000 "$tmp/raw" >"$tmp/odd"
refused 8 "1000 bytes, is not a multiple of 512" "an odd size" "$tmp/odd"
: >"$tmp/empty"
refused 8 "empty" "an empty file" "$tmp/empty"
refused 1 "No such file" "no file" "$tmp/nothing"
refused 1 "Is a directory" "a directory" "$tmp"
rejected 2 "a VHD can't be read from a pipe" "a VHD from a pipe" upload /dev/null "$base/refused" --key-file "$key"
head -c 1000 "$tmp/raw" | "$ctl" upload - "$base/refused" --format raw --key-file "$key" >"$tmp/out" 2>&1
is "$? $(grep -c '1000 bytes, which is not a multiple of 512' "$tmp/out")" "8 1" "an odd pipe"
# Also to root, without what lets root read all.
chmod 0 "$tmp/empty"
less='-dac_override,-dac_read_search'
setpriv --inh-caps $less --bounding-set $less "$ctl" upload "$tmp/empty" "$base/refused" --key-file "$key" >"$tmp/out" 2>&1
is "$? $(grep -c 'empty: Permission denied; make it readable' "$tmp/out")" "1 1" "an unreadable file"
rejected 1 "raw: exists already; choose another name" "a blob that is there" \
	upload "$tmp/raw" "$base/raw" --format raw --key-file "$key"
rejected 3 "no such container" "no such container" \
	upload "$tmp/raw" "$store_url/nowhere/disk" --format raw --key-file "$key"
rejected 2 'see clouddrivectl upload --help$' "a name that Azure doesn't allow" \
	upload "$tmp/raw" "$store_url/Upper/disk" --format raw --key-file "$key"
! blobs | grep -q refused
ok $? "none of which left a blob"

# --- faults and interruptions ---------------------------------------------------------------

fault set answer --status 503 --op PutPage --probability 0.2 >/dev/null
fault set reset --op PutPage --probability 0.2 >/dev/null
fault set lose --op SetBlobMetadata --count 1 >/dev/null
ctl upload "$tmp/vhd" "$base/faults" --key-file "$key"
is "$got" 0 "busy, and connections reset"
fault clear
try "it is whole" arrived faults "$tmp/vhd"

# begin_upload NAME [OPTION]...: in the background, slowly; until a part is there
data "$tmp/slow" 64 0 65536
begin_upload() {
	name=$1
	shift
	"$ctl" upload "$tmp/slow" "$base/$name" --format raw --connections 1 --key-file "$key" "$@" \
		>"$tmp/stdout" 2>"$tmp/background" &
	pid=$!
	wait_for 60 "${until:-some_pages}" "$name" || bail_out "nothing arrives: $(cat "$tmp/background")"
}
some_pages() {
	tool pages "$container/$1" | grep -q .
}

# taken PID: no signal waits for it
taken() {
	! grep -q '^S[hi][dg]Pnd:.*[1-9a-f]' "/proc/$1/status"
}

fault set delay --delay 2000 --op PutPage >/dev/null
begin_upload cut
kill -INT $pid
wait $pid
got=$?
[ $got = 1 ] &&
	grep -q 'interrupted by Interrupt; What was sent stays .* the same command goes on' "$tmp/background"
ok $? "interrupted: says what is left"
[ -n "$(mark_of cut)" ]
ok $? "which is marked"
rejected 8 "unfinished: .*upload it again" "and is nobody's drive" \
	download "$base/cut" "$tmp/cut" --key-file "$key"
rejected 1 "exists already: a create or upload that has not ended" "nor another file's" \
	upload "$tmp/raw" "$base/cut" --format raw --key-file "$key"
fault clear
"$ctl" upload "$tmp/slow" "$base/cut" --format raw --json --key-file "$key" >"$tmp/json" 2>/dev/null
is "$?" 0 "again: it goes on"
jq -e '.skipped_bytes > 0 and .pages * 512 + .skipped_bytes == 67108864' "$tmp/json" >/dev/null
ok $? "with what is missing: $(jq -c '[.skipped_bytes, .pages]' "$tmp/json")"
try "it is whole" arrived cut "$tmp/slow"

fault set delay --delay 2000 --op PutPage >/dev/null
begin_upload killed
kill -KILL $pid
wait $pid 2>/dev/null
[ -n "$(mark_of killed)" ]
ok $? "killed: what is left is marked"
# raised NAME: who goes on with it has begun to
raised() {
	[ "$(tool props "$container/$1" | jq .blobSequenceNumber)" -gt "$number" ]
}
number=$(tool props "$container/killed" | jq .blobSequenceNumber)
until=raised begin_upload killed --verify
first=$pid
fault clear
ctl upload "$tmp/slow" "$base/killed" --format raw --key-file "$key"
is "$got" 0 "a second one overtakes the first"
wait $first
is "$?" 1 "which is told so"
grep -q '412 SequenceNumberConditionNotMet' "$tmp/background"
ok $? "by its sequence number"
try "it is whole" arrived killed "$tmp/slow"

fault set delay --delay 2000 --op PutPage >/dev/null
begin_upload stays
kill -KILL $pid
wait $pid 2>/dev/null
fault clear
fault set answer --status 403 --op SetBlobProperties >/dev/null
rejected 4 "What was sent stays in the unfinished blob: the same command goes on" \
	"going on that fails before it has begun" \
	upload "$tmp/slow" "$base/stays" --format raw --key-file "$key"
fault clear
"$ctl" upload "$tmp/slow" "$base/stays" --format raw --json --key-file "$key" >"$tmp/json" 2>/dev/null
is "$? $(jq '.skipped_bytes > 0' "$tmp/json")" "0 true" "has lost nothing"
try "it is whole" arrived stays "$tmp/slow"

# Its blob is deleted, and another has the name; what it still sends is for the first.
fault set delay --delay 2000 --op PutPage >/dev/null
begin_upload twice
tool delete "$container/twice"
fault clear
ctl upload "$tmp/raw" "$base/twice" --format raw --key-file "$key"
is "$got" 0 "another upload, of the same name"
wait $pid
is "$?" 1 "the first one fails"
grep -q 'SequenceNumberConditionNotMet\|somebody else has deleted' "$tmp/background"
ok $? "and says why: $(tail -n 1 "$tmp/background" | cut -c 1-300)"
try "the second is whole" arrived twice "$tmp/raw"
is "$(mark_of twice)" "" "and finished"

fault set delay --delay 2000 --op PutPage >/dev/null
begin_upload changes
printf x | dd of="$tmp/slow" conv=notrunc status=none
fault clear
wait $pid
is "$?" 1 "a file that changes while it is uploaded"
grep -q 'slow: changed while it was uploaded; upload it when nothing writes to it' "$tmp/background"
ok $? "the message says so"
! blobs | grep -qx changes
ok $? "and nothing is left"

# The last call, which takes the mark: a signal then comes too late, and what is said
# is what is so. The store carries it out, and keeps the answer.
unmarked() {
	some_pages "$1" && [ -z "$(mark_of "$1")" ]
}
fault set lose --op SetBlobMetadata --delay 4000 --count 1 >/dev/null
until=unmarked begin_upload last
kill -INT $pid
wait $pid
is "$? $(grep -v ' left$\|/s$' "$tmp/background")" "0 " "interrupted when all is done, and the answer lost: it is done"
try "it is whole" arrived last "$tmp/slow"

# Nor can it be looked up: three signals, each of which ends what is waited for.
fault set lose --op SetBlobMetadata --delay 20000 --count 1 >/dev/null
until=unmarked begin_upload unsure
fault set delay --op GetBlobProperties --delay 20000 >/dev/null
for again in 1 2 3; do
	kill -INT $pid
	wait_for 10 taken $pid || bail_out "signal $again is not taken"
done
wait $pid
got=$?
[ $got = 1 ] && grep -q 'interrupted by Interrupt; .* is not known: the same command' "$tmp/background"
ok $? "interrupted thrice, and not to be looked up: says that it is not known"
fault clear
rejected 1 'exists already' "the same command finds out" \
	upload "$tmp/slow" "$base/unsure" --format raw --key-file "$key"

plan
