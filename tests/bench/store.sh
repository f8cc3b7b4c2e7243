#!/bin/sh
# SPDX-License-Identifier: MIT
#
# devstore beside Azurite: 4 KiB of a page blob read and written at random over 16
# connections, signed by a SAS, in turns. Prints requests a second and the ratios,
# and TAP: devstore must be 15 times as fast. Needs wrk.
#
# usage: tests/bench/store.sh [OPTION of devstore]...
#        BENCH_SECONDS (5) a round, BENCH_ROUNDS (3) of which the middle one counts

cd "$(dirname "$0")/../.." || exit
. tests/vm/lib.sh

seconds=${BENCH_SECONDS:-5}
rounds=${BENCH_ROUNDS:-3}
size=$((64 << 20))

command -v wrk >/dev/null || bail_out "no wrk: apt-get install wrk"
[ -d tests/node_modules/azurite ] || bail_out "no Azurite: run scripts/setup"
make -s build/clouddrivectl || bail_out "clouddrivectl does not compile"
make_tmp

# blob_of URL: makes a blob of the server, all of it written, and prints its URL
# with a SAS
blob_of() {
	AZURE_STORAGE_CONNECTION_STRING="DefaultEndpointsProtocol=http;AccountName=$azurite_account;AccountKey=$azurite_key;BlobEndpoint=$1;"
	export AZURE_STORAGE_CONNECTION_STRING
	[ -e "$tmp/data" ] || head -c $size /dev/urandom >"$tmp/data"
	blobtool create-container bench >&2 && blobtool upload "$tmp/data" bench/disk >&2 &&
		echo "$1/bench/disk?$(blobtool sas bench/disk rw 3600)"
}

# rate METHOD URL: requests a second; says what failed
rate() {
	wrk -t 1 -c 16 -d "${seconds}s" -s tests/bench/store.lua "$2" -- "$1" $((size / 4096)) \
		>"$tmp/wrk" 2>&1 || bail_out "wrk: $(cat "$tmp/wrk")"
	sed -n 's/^ *\(Socket errors\|Non-2xx\)/# \1/p' "$tmp/wrk" >&2
	sed -n 's/^Requests\/sec: *//p' "$tmp/wrk"
}

middle() {
	sort -n | sed -n "$(((rounds + 1) / 2))p"
}

start_azurite
build/clouddrivectl devstore --data "$tmp/devstore" --control "$tmp/control" \
	--listen 127.0.0.1:0 "$@" >"$tmp/serving" 2>"$tmp/devstore.log" &
# shellcheck disable=SC2034  # used at exit
devstore_pid=$!
at_exit 'kill "$devstore_pid" 2>/dev/null'
wait_for 20 grep -q serving "$tmp/serving" "$tmp/devstore.log" ||
	bail_out "devstore did not start: $(cat "$tmp/devstore.log")"
devstore_url=$(sed -n 's/^devstore: serving //p' "$tmp/serving" "$tmp/devstore.log")

azurite_blob=$(blob_of "$azurite_url") || bail_out "no blob in Azurite"
devstore_blob=$(blob_of "$devstore_url") || bail_out "no blob in devstore"

plan 2
for method in GET PUT; do
	: >"$tmp/azurite.rates"
	: >"$tmp/devstore.rates"
	round=0
	while [ $round -lt "$rounds" ]; do
		rate $method "$azurite_blob" >>"$tmp/azurite.rates"
		rate $method "$devstore_blob" >>"$tmp/devstore.rates"
		round=$((round + 1))
	done
	azurite_rate=$(middle <"$tmp/azurite.rates")
	devstore_rate=$(middle <"$tmp/devstore.rates")
	ratio=$(awk "BEGIN { printf \"%.1f\", $devstore_rate / $azurite_rate }")
	awk "BEGIN { exit !($devstore_rate >= 15 * $azurite_rate) }"
	ok $? "4 KiB $method: devstore $devstore_rate/s, Azurite $azurite_rate/s: $ratio times (15 needed)"
done
