#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154  # of tests/cli/lib.sh
#
# snapshot of a blob that is not mounted here: what it holds is what was there; what is
# refused, what is said of one that is mounted elsewhere, and deleting one snapshot.
# On devstore and Azurite. Of drives that are mounted: tests/vm/snapshot.t.

cd "$(dirname "$0")/../.." && . tests/cli/lib.sh

make_tmp
truncate -s 1M "$tmp/before"
dd if=/dev/urandom of="$tmp/before" bs=64k count=3 conv=notrunc status=none
truncate -s 1M "$tmp/after"

time_pattern='20[0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9:]+\.[0-9]+Z'

judge() {
	tool upload "$tmp/before" "$container/disk"
	reports "^$base/disk\?snapshot=$time_pattern\$" "$1: of a blob" snapshot "$base/disk" --key-file "$key"
	taken=$(cat "$tmp/stdout")
	ctl snapshot "$base/disk" --json --key-file "$key"
	other=$(jq -r .url "$tmp/stdout")
	is "$(jq -r '.url == "'"$base"'/disk?snapshot=" + .snapshot and (.frozen | not)' "$tmp/stdout")" true \
		"$1: --json"
	"$ctl" upload "$tmp/after" "$base/disk2" --format raw --key-file "$key" >/dev/null 2>&1
	reports copy "$1: it is downloaded" download "$taken" "$tmp/copy" --key-file "$key"
	try "$1: and is what there was" cmp "$tmp/before" "$tmp/copy"
	rm -f "$tmp/copy"
	tool acquire-lease "$container/disk" 60 >/dev/null
	ctl snapshot "$base/disk" --key-file "$key"
	[ "$got" = 0 ] && grep -q 'disk: mounted elsewhere; the snapshot is as if' "$tmp/stderr" &&
		[ "$(wc -l <"$tmp/stdout")" = 1 ]
	ok $? "$1: of one that is leased, which is said"
	tool break-lease "$container/disk"
	done_quietly "$1: one snapshot is deleted" delete "$other" --key-file "$key"
	rejected 3 "no such" "$1: it is no more" download "$other" "$tmp/copy" --key-file "$key"
	reports copy "$1: the other is" download "$taken" "$tmp/copy" --key-file "$key"
	rm -f "$tmp/copy"

	rejected 2 "a snapshot, which can't be changed" "$1: of a snapshot" \
		snapshot "$taken" --key-file "$key"
	rejected 3 "no such blob" "$1: of nothing" snapshot "$base/nothing" --key-file "$key"
	wrong_key >"$tmp/wrong"
	rejected 4 "not authorised" "$1: with a wrong key" snapshot "$base/disk" --key-file "$tmp/wrong"
	echo text | tool put-block-blob /dev/stdin "$container/text"
	rejected 8 "not a page blob" "$1: of a block blob" snapshot "$base/text" --key-file "$key"
	sas=$(tool sas "$container/disk" rw 600)
	add_secret "${sas##*sig=}"
	reports "^$base/disk\?snapshot=$time_pattern\$" "$1: with a SAS" snapshot "$base/disk?${sas#*\?}"
	sas=$(tool sas "$container/disk" r 600)
	rejected 4 "not authorised" "$1: with one that can only read" snapshot "$base/disk?${sas#*\?}"
}

start_store azurite
judge Azurite
stop_azurite
start_store devstore
judge devstore

# --- the answer is lost ---------------------------------------------------------------------

fault set lose --op SnapshotBlob --count 1 >/dev/null
rejected 7 "There may be a snapshot all the same" "an answer that is lost" \
	snapshot "$base/disk" --key-file "$key"
fault clear
rejected 3 "not a drive's device or mount point" "a directory" snapshot /
rejected 3 "neither a URL nor a path" "a word" snapshot disk
plan
