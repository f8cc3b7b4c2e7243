#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154  # of tests/cli/lib.sh
#
# The destination of a copy that has not ended, or did not end well, is not what it is to
# become: nobody downloads it, copies it or takes a snapshot of it, and all say why. And a
# service that is busy for a moment, or in the middle of something, is asked again.

cd "$(dirname "$0")/../.." && . tests/cli/lib.sh

make_tmp
truncate -s 4M "$tmp/data"
dd if=/dev/urandom of="$tmp/data" bs=64k count=3 conv=notrunc status=none

store_options='--async-copy-above 2M --copy-time 3600000' # one that does not end
start_store devstore
tool upload "$tmp/data" "$container/big"

pending() {
	[ "$(tool props "$container/to" 2>/dev/null | jq -r .copyStatus)" = pending ]
}

"$ctl" copy "$base/big" "$base/to" --key-file "$key" >/dev/null 2>&1 &
pid=$!
wait_for 20 pending || bail_out "no copy has begun"
kill -9 $pid
wait $pid 2>/dev/null

# refused_everywhere STATUS PATTERN WHAT
refused_everywhere() {
	rejected "$1" "$2" "$3: download" download "$base/to" "$tmp/got" --key-file "$key"
	[ ! -e "$tmp/got" ] && [ ! -e "$tmp/got.part" ]
	ok $? "$3: leaves no file"
	rejected "$1" "$2" "$3: snapshot" snapshot "$base/to" --key-file "$key"
	rejected "$1" "$2" "$3: copy" copy "$base/to" "$base/further" --key-file "$key"
	rejected "$1" "$2" "$3: copy --via-snapshot" copy "$base/to" "$base/further" --via-snapshot --key-file "$key"
	is "$(tool props "$container/further" 2>/dev/null)" '' "$3: no copy of it was made"
}

refused_everywhere 6 'to: a copy to it is under way .*; wait until it has ended' "a copy under way"
tool abort-copy "$container/to"
refused_everywhere 8 'to: a copy to it did not end well .aborted' "one that was aborted"
done_quietly "no snapshot of it was taken" delete "$base/to" --key-file "$key"

# --- asked again -------------------------------------------------------------------------

for status in 503 500; do
	fault set answer --status $status --op PutBlob --count 2 >/dev/null
	reports "^$base/again: 1M" "create: $status, twice" \
		create "$base/again" --size 1M --format raw --fs none --key-file "$key"
	fault set answer --status $status --op DeleteBlob --count 2 >/dev/null
	done_quietly "delete: $status, twice" delete "$base/again" --key-file "$key"
	fault clear
done
tool upload "$tmp/data" "$container/once"
fault set lose --op DeleteBlob --count 1 >/dev/null
ctl delete "$base/once" --key-file "$key"
tool props "$container/once" >/dev/null 2>&1
is "$? $got" "1 7" "a delete whose response is lost: not called done"
plan
