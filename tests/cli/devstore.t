#!/bin/sh
# SPDX-License-Identifier: MIT
# quick
#
# What devstore says to options that are wrong: nothing is served instead of what was
# meant. (Every form of an address: tests/unit/test_ds_address.c.)

cd "$(dirname "$0")/../.." && . tests/cli/lib.sh

make_tmp
store="devstore --data $tmp/never"

# --- where it listens ---------------------------------------------------------------

# shellcheck disable=SC2086  # several words
for address in 127.0.0.1:99999 127.0.0.1:65536 127.0.0.1: 127.0.0.1:-1 127.0.0.1:1x '127.0.0.1: 1' \
	127.0.0.1 :1 ::1:10000 '[::1]' '[127.0.0.1]:1' localhost:1 127.1:1 ''; do
	rejected 2 '^clouddrivectl: devstore: --listen: .*examples are 127' "--listen \"$address\"" \
		$store --listen "$address"
done
# shellcheck disable=SC2086
rejected 2 '--listen: 0.0.0.0:0: other machines .*--allow-remote' "an address of all" \
	$store --listen 0.0.0.0:0
# shellcheck disable=SC2086
rejected 2 '--container: no name' "no name of a container" $store --container No_Name
[ ! -e "$tmp/never" ]
ok $? "nothing was made for any of them"

# --- numbers --------------------------------------------------------------------------

# shellcheck disable=SC2086
for option in '--copy-time -1' '--copy-time 1.5' '--copy-time 3600001' '--seed 0x10' \
	'--seed 18446744073709551616' '--async-copy-above 1.5M' '--async-copy-above 99999999T'; do
	rejected 2 "${option%% *}: (not|too)" "$option" $store $option
done

start_devstore
control=$tmp/store.control
# shellcheck disable=SC2086
for option in '--delay inf' '--delay nan' '--delay 0x10' '--delay -1' '--delay 1e3' '--delay 5s' \
	'--delay 1.' '--delay .5' '--delay 3600001'; do
	rejected 2 'delay_ms: not a number' "fault set delay $option" \
		devstore fault set delay $option --control "$control"
done
# shellcheck disable=SC2086
for option in '--count 1.5' '--after 0.1' '--status 503.9' '--retry-after 2.5' '--bytes 1.25'; do
	rejected 2 'not a whole number' "fault set answer $option" \
		devstore fault set answer $option --control "$control"
done
rejected 2 'throttle: needs a status' "a refusal that is none" \
	devstore fault set throttle --ops 1 --refuse --status 200 --control "$control"
for id in 0 1.5 4294967297 99999999999999999999 x; do
	rejected 2 'ID: not the number of a rule' "fault clear $id" \
		devstore fault clear "$id" --control "$control"
done
"$ctl" devstore fault list --control "$control" >"$tmp/rules"
is "$(cat "$tmp/rules")" "" "none of them made a rule"
ctl devstore fault set delay --delay 0.5 --count 2 --control "$control"
is "$got" 0 "what is right is taken"
plan
