#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The conformance suite of tests/azurite/ on devstore, once as it is used and once
# more with the copies in the background that big blobs get; and that no name led
# out of the data directory.

cd "$(dirname "$0")/../.." || exit
. tests/vm/lib.sh

[ -d tests/node_modules/@azure ] || bail_out "no @azure/storage-blob: run scripts/setup"
make -s build/clouddrivectl || bail_out "clouddrivectl does not compile"
make_tmp

# start OPTION...: a devstore of the test's own, its files in a directory below $tmp
start() {
	rm -f "$tmp/serving" "$tmp/devstore.log"
	touch "$tmp/serving" "$tmp/devstore.log"
	build/clouddrivectl devstore --data "$tmp/outer/inner/data" --listen 127.0.0.1:0 \
		--control "$tmp/control" "$@" >"$tmp/serving" 2>"$tmp/devstore.log" &
	devstore_pid=$!
	at_exit 'kill "$devstore_pid" 2>/dev/null'
	wait_for 20 grep -q serving "$tmp/serving" "$tmp/devstore.log" ||
		bail_out "devstore did not start: $(cat "$tmp/serving" "$tmp/devstore.log")"
	endpoint=$(sed -n 's/^devstore: serving //p' "$tmp/serving" "$tmp/devstore.log")
	export AZURE_STORAGE_CONNECTION_STRING="DefaultEndpointsProtocol=http;AccountName=$azurite_account;AccountKey=$azurite_key;BlobEndpoint=$endpoint;"
}

# suite NAME [WORD]...: as one test of ours, its output shown when it fails
suite() {
	suite_name=$1
	shift
	timeout 120 node tests/azurite/conformance/run.mjs devstore "$@" >"$tmp/suite"
	ok $? "$suite_name: $(tail -n 1 "$tmp/suite" | cut -c 3-)"
	grep -A 2 -e '^not ok' -e '^Bail' "$tmp/suite" | sed 's/^\(# \)\{0,1\}/# /' | head -n 60
}

stop() {
	kill "$devstore_pid"
	wait "$devstore_pid"
	is $? 0 "$1: it ends when told to"
	is "$(grep -v '^devstore: ' "$tmp/devstore.log")" "" "$1: it complained of nothing"
}

plan 8
mkdir -p "$tmp/outer/inner"
start --copy-time 6000
suite "as it is used" "$@"
stop "as it is used"
is "$(cd "$tmp/outer" && find . -path ./inner/data -prune -o -type f -print)" "" \
	"no file outside the data directory"

# Every copy goes on in the background, however small, and takes a while.
start --async-copy-above 0 --copy-time 1000
suite "copies in the background" copies incremental 'lists: copy' 'Copy Blob' 'sdk: copies'
stop "copies in the background"

# Everything is there still, or was deleted: the directory opens again.
start
suite "with what it had" blobs snapshots
kill "$devstore_pid"
