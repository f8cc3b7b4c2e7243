#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154  # of tests/cli/lib.sh
#
# copy: of a blob, of a snapshot, by way of a snapshot; what is refused, and what is left
# when the service gives up or somebody interrupts it. On devstore, and for what matters
# on Azurite.

cd "$(dirname "$0")/../.." && . tests/cli/lib.sh

make_tmp
truncate -s 1M "$tmp/data"
dd if=/dev/urandom of="$tmp/data" bs=64k count=3 conv=notrunc status=none

# same BLOB: it holds what was uploaded
same() {
	rm -f "$tmp/copy"
	tool download "$container/$1" "$tmp/copy" && cmp "$tmp/data" "$tmp/copy"
}


judge() {
	tool upload "$tmp/data" "$container/disk"
	reports "^$base/copied: 1M, 1M in .* s" "$1: a blob" copy "$base/disk" "$base/copied" --key-file "$key"
	try "$1: byte for byte" same copied
	rejected 1 "copied: exists already" "$1: to one that exists" copy "$base/disk" "$base/copied" --key-file "$key"
	try "$1: which stays as it is" same copied
	taken=$("$ctl" snapshot "$base/disk" --key-file "$key")
	reports "^$base/monday: 1M" "$1: a snapshot" copy "$taken" "$base/monday" --key-file "$key"
	try "$1: byte for byte" same monday
	"$ctl" delete "$taken" --key-file "$key"

	tool acquire-lease "$container/disk" >/dev/null
	rejected 5 "disk: mounted, .*unmount it first, or copy a snapshot of it: --via-snapshot" \
		"$1: one that is mounted" copy "$base/disk" "$base/other" --key-file "$key"
	ctl copy "$base/disk" "$base/other" --via-snapshot --json --key-file "$key"
	is "$got $(jq -r '[.url, .size] | @text' "$tmp/stdout")" "0 [\"$base/other\",1048576]" "$1: --via-snapshot"
	try "$1: byte for byte" same other
	tool break-lease "$container/disk"
	rejected 3 "nothing: no such blob" "$1: of nothing" copy "$base/nothing" "$base/n" --key-file "$key"
	rejected 3 "no such container" "$1: to nowhere" \
		copy "$base/disk" "$store_url/nowhere-$$/disk" --key-file "$key"
	rejected 1 "exists already" "$1: --via-snapshot to one that exists" \
		copy "$base/disk" "$base/copied" --via-snapshot --key-file "$key"
	done_quietly "$1: no snapshot is left" delete "$base/disk" --key-file "$key"
}

start_store azurite
judge Azurite
stop_azurite
store_options='--async-copy-above 2M --copy-time 12000'
start_store devstore
judge devstore

# --- refused --------------------------------------------------------------------------------

tool upload "$tmp/data" "$container/disk"
sas=$(tool sas "$container" rwcd 600)
add_secret "${sas##*sig=}"
rejected 4 "needs the account key, which a SAS can't stand for" "with a SAS" \
	copy "$base/disk?${sas#*\?}" "$base/other2?${sas#*\?}"
rejected 4 "needs the account key" "with one for the source" \
	copy "$base/disk?${sas#*\?}" "$base/other2" --key-file "$key"
rejected 2 "in another account" "to another account" \
	copy "$base/disk" https://account.blob.core.windows.net/disks/disk --key-file "$key"
rejected 2 "are one; name another" "onto itself" copy "$base/disk" "$base/disk" --key-file "$key"
rejected 2 "a snapshot already" "a snapshot by way of one" \
	copy "$base/disk?snapshot=2026-01-01T00:00:00.0000000Z" "$base/n" --via-snapshot --key-file "$key"
rejected 2 "a snapshot, which can't be changed" "to a snapshot" \
	copy "$base/disk" "$base/n?snapshot=2026-01-01T00:00:00.0000000Z" --key-file "$key"
rejected 2 "DESTINATION: missing" "to nowhere" copy "$base/disk"
echo text | tool put-block-blob /dev/stdin "$container/text"
rejected 8 "not a page blob" "a block blob" copy "$base/text" "$base/n" --key-file "$key"

# --- one that takes long ------------------------------------------------------------------------

truncate -s 4M "$tmp/data"
tool upload "$tmp/data" "$container/big"
reports "^$base/slow: 4M, 4M in (1[2-9]|[2-9].)\." "one that the service takes time for" \
	copy "$base/big" "$base/slow" --key-file "$key"
try "byte for byte" same slow

status_of() {
	tool props "$container/$1" 2>/dev/null | jq -r .copyStatus
}

pending() {
	[ "$(status_of "$1")" = pending ]
}

# begin_copy BLOB [OPTION]...: in the background, until the service is at it
begin_copy() {
	copy_to=$1
	shift
	"$ctl" copy "$base/big" "$base/$copy_to" "$@" --key-file "$key" >"$tmp/stdout" 2>"$tmp/background" &
	pid=$!
	wait_for 10 pending "$copy_to"
}

begin_copy ended --via-snapshot
ok $? "one that is interrupted"
kill -TERM $pid
wait $pid
is $? 1 "ends with status 1"
try "and says so" grep -q "ended: interrupted by Terminated; nothing is left of it" "$tmp/background"
is "$(blobs | grep -c ended)" 0 "nothing is left of it"
"$ctl" delete "$base/slow" --key-file "$key"

begin_copy aborted
tool abort-copy "$container/aborted"
wait $pid
is $? 1 "one that somebody else aborts"
try "is told" grep -q "aborted: the service has not copied it: aborted" "$tmp/background"
is "$(blobs | grep -c aborted)" 0 "and what there is of it deleted"

begin_copy killed
kill -9 $pid
wait $pid 2>/dev/null
copied() {
	[ "$(status_of killed)" = success ]
}
try "one that is killed the service brings to its end" wait_for 40 copied
try "byte for byte" same killed

fault set lose --op CopyBlob --count 1 >/dev/null
rejected 7 "The copy may go on all the same" "an answer that is lost" \
	copy "$base/big" "$base/lost" --key-file "$key"
fault clear
done_quietly "no snapshot is left" delete "$base/big" --key-file "$key"
plan
