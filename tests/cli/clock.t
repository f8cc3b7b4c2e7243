#!/bin/sh
# SPDX-License-Identifier: MIT
# quick
#
# A clock that is wrong by more than the service allows (15 minutes): what the verbs sign
# with a key is dated by the service's clock. Whether it is this machine's clock that is
# wrong, or the service's, is the same to both.

cd "$(dirname "$0")/../.." && . tests/cli/lib.sh

start_store devstore

for off in --ahead --behind; do
	rule=$(fault set clock $off 36000)
	url=$base/disk$off
	reports 'pages written' "create, 10 hours $off" create "$url" --size 16M --format raw --key-file "$key"
	head -c 16777216 /dev/urandom >"$tmp/image"
	ctl upload "$tmp/image" "$url-up" --format raw --key-file "$key"
	is "$got" 0 "upload, 10 hours $off"
	ctl download "$url-up" "$tmp/image$off" --key-file "$key"
	is "$got" 0 "download, 10 hours $off"
	cmp -s "$tmp/image" "$tmp/image$off"
	ok $? "what came is what was sent"
	# What a wrong key is told is not the clock.
	echo bm90LXRoZS1rZXk= >"$tmp/wrong"
	rejected 4 "check the account key" "a wrong key, 10 hours $off" \
		create "$url-2" --size 16M --key-file "$tmp/wrong"
	fault clear "$rule"
done

plan
