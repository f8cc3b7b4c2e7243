#!/bin/sh
# SPDX-License-Identifier: MIT
# quick
#
# Servers that are down, out of reach, die in the middle, or speak something else.

cd "$(dirname "$0")/../.." && . tests/cli/lib.sh

make_tmp
key=$tmp/key
wrong_key >"$key"
add_secret "$(cat "$key")"

create() {
	rejected "$1" "$2" "$3" create "$server_url" --size 1M --format raw --fs none --key-file "$key"
}

server_url=http://127.0.0.1:$(free_port)/$azurite_account/disks/disk
create 7 "can't be reached .*; check" "server down"
rejected 7 "can't be reached" "server down, delete" delete "$server_url" --key-file "$key"
rejected 7 "can't be reached" "no such host" \
	create https://nosuchaccount.invalid/disks/disk --size 1M --format raw --fs none --key-file "$key"
# 192.0.2.0/24 leads nowhere (RFC 5737).
server_url=http://192.0.2.1:10000/$azurite_account/disks/disk
rejected 7 "can't be reached" "server out of reach" \
	create "$server_url" --size 1M --format raw --fs none --key-file "$key" --allow-http

for mode in close reset header; do
	start_server $mode
	create 7 "no answer" "a server that dies in the middle: $mode"
	stop_server
done
for mode in garbage body portal redirect hostile endless; do
	start_server $mode
	create '[1478]' . "a server that answers wrongly: $mode"
	! grep -q "$(printf '\033')" "$tmp/stderr"
	ok $? "$mode: no escape sequence in the message"
	stop_server
done
start_server busy
create 7 "busy .*; .*later" "a server that is busy"
stop_server

started=$(date +%s)
start_server hang
create 7 "no answer" "a server that never answers"
[ $(($(date +%s) - started)) -lt 100 ]
ok $? "which is not waited for for ever"
stop_server

plan
