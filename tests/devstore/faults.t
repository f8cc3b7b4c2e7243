#!/bin/sh
# SPDX-License-Identifier: MIT
#
# devstore's faults from end to end: set by the command, met by clients, listed,
# cleared, counted. (What each does in detail: tests/unit/test_ds_faults.c.)

cd "$(dirname "$0")/../.." && . tests/vm/lib.sh
PATH=$PWD/build:$PATH
make_tmp

clouddrivectl devstore --data "$tmp/store" --listen 127.0.0.1:0 --container drives >"$tmp/log" 2>&1 &
at_exit "kill $!"
wait_for 10 grep -q ' control ' "$tmp/log" || bail_out "devstore did not start: $(cat "$tmp/log")"
store=$(sed -n 's/.*serving //p' "$tmp/log")
# shellcheck disable=SC2154  # set by tests/vm/lib.sh
export AZURE_STORAGE_CONNECTION_STRING="DefaultEndpointsProtocol=http;AccountName=$azurite_account;AccountKey=$azurite_key;BlobEndpoint=$store;"

fault() {
	clouddrivectl devstore fault "$@" --control "$tmp/store/control"
}

create() {
	clouddrivectl create "$store/drives/$1" --size 1M --format raw --fs none >"$tmp/out" 2>&1
}

# exits STATUS COMMAND...
exits() {
	expected=$1
	shift
	"$@"
	[ $? -eq "$expected" ] || { cat "$tmp/out"; return 1; }
}

try "a rule is set" fault set answer --status 503 --retry-after 1 --op PutBlob --count 1
before=$(date +%s%N)
try "a server that is busy is asked again" exits 0 create busy
[ $(($(date +%s%N) - before)) -ge 1000000000 ]
ok $? "when it has said"

fault set lose --op PutBlob --count 1 >/dev/null
try "an answer that is lost: status 7" exits 7 create lost
try "though it was applied" exits 1 create lost
try "and the message says so" grep -q 'exists' "$tmp/out"

fault set refuse --op connect --for 5000 >/dev/null
try "a connection that is refused: status 7" exits 7 create refused
try "nothing came of it, and it ends" wait_for 20 create refused

fault set delay --delay 1500 --op PutBlob --count 1 >/dev/null
before=$(date +%s%N)
try "an answer that comes late" exits 0 create late
[ $(($(date +%s%N) - before)) -ge 1500000000 ]
ok $? "and not earlier than was said"

head -c 65536 /dev/urandom >"$tmp/data"
blobtool upload "$tmp/data" drives/data >/dev/null
fault set corrupt --op GetBlob --count 1 >/dev/null
blobtool download drives/data "$tmp/wrong" >/dev/null 2>&1
! cmp -s "$tmp/data" "$tmp/wrong"
ok $? "a body is corrupted on its way"
blobtool download drives/data "$tmp/right" >/dev/null
try "only there: the data is right" cmp "$tmp/data" "$tmp/right"

id=$(fault set answer --status 403 --op PutBlob --blob 'drives/x*')
fault list >"$tmp/rules"
try "rules are listed" grep -q "\"id\":${id}[,}]" "$tmp/rules"
try "and match by name: this one" exits 4 create x1
try "not that one" exits 0 create y1
fault clear "$id"
try "once cleared, no more" exits 0 create x1

fault set nonsense >"$tmp/out" 2>&1
[ $? -eq 2 ] && grep -q 'nonsense' "$tmp/out"
ok $? "an unknown fault is refused, and named"

clouddrivectl devstore counters --control "$tmp/store/control" >"$tmp/counters"
calls=$(jq '.. | objects | select(has("PutBlob")) | .PutBlob.calls' "$tmp/counters")
is "$calls" 10 "transactions are counted: what arrived, not what was refused a connection"
plan
