#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154  # of tests/cli/lib.sh
#
# upload and download beside 16 curl processes that move the same pages: a file of
# 2 GiB with 1 GiB of data, in requests of 4 MiB, on devstore, in turns. Each curl
# has its share of the requests, and one connection for them. Prints seconds, the
# ratios and the transactions, and TAP: we must be as fast, in no more requests
# than 4 MiB allow. (curl neither makes nor checks checksums, and never retries; what
# it has downloaded is synced, as ours is.)
#
# usage: tests/bench/image.sh       BENCH_ROUNDS (5) of which the median counts
#        IMAGE_DIR (build/tmp) is where the files are; needs 7 GiB

cd "$(dirname "$0")/../.." && . tests/cli/lib.sh

rounds=${BENCH_ROUNDS:-5}
make -s build/clouddrivectl || bail_out "clouddrivectl does not compile"
[ -z "${IMAGE_DIR-}" ] || { tmp=$(mktemp -d "$IMAGE_DIR/image.XXXXXX") && at_exit 'rm -rf "$tmp"'; }
start_store devstore

# Four stretches of 256 MiB; the same as 256 pieces for curl, which can't seek.
truncate -s 2G "$tmp/data"
mkdir "$tmp/pieces"
piece=0
for at in 0 512 1024 1536; do
	dd if=/dev/urandom of="$tmp/stretch" bs=1M count=256 status=none
	dd if="$tmp/stretch" of="$tmp/data" bs=1M seek=$at conv=notrunc status=none
	split -b 4M -a 3 -d "$tmp/stretch" "$tmp/pieces/$at."
done
rm "$tmp/stretch"

# configs DIRECTION BLOB-URL: one file of options for each of 16 processes
configs() {
	rm -f "$tmp"/curl.*
	piece=0
	for file in "$tmp"/pieces/*; do
		name=${file##*/}
		number=$(echo "${name#*.}" | sed 's/^0*\(.\)/\1/')
		first=$(((${name%.*} << 20) + (number << 22)))
		config=$tmp/curl.$((piece % 16))
		piece=$((piece + 1))
		[ ! -e "$config" ] || echo next >>"$config"
		if [ "$1" = up ]; then
			printf '%s\n' "url = \"$2&comp=page\"" "upload-file = \"$file\"" \
				'header = "x-ms-page-write: update"' 'header = "Expect:"'
		else
			printf '%s\n' "url = \"$2\"" "output = \"$tmp/got.$name\""
		fi >>"$config"
		printf '%s\n' "header = \"x-ms-range: bytes=$first-$((first + (4 << 20) - 1))\"" \
			'header = "x-ms-version: 2021-08-06"' fail silent show-error >>"$config"
	done
}

curls() {
	pids=
	for config in "$tmp"/curl.*; do
		curl -K "$config" >/dev/null &
		pids="$pids $!"
	done
	for pid in $pids; do
		wait "$pid" || return 1
	done
}

curls_down() {
	curls && sync "$tmp"/got.*
}

# seconds COMMAND...: prints how long it took, from where nothing is to be written out
seconds() {
	sync -f "$tmp"
	before=$(date +%s%N)
	"$@" >"$tmp/out" 2>&1 || bail_out "$*: $(cat "$tmp/out")"
	echo "$((($(date +%s%N) - before) / 1000000))" | sed 's/\(...\)$/.\1/; s/^\./0./'
}

fresh() {
	ctl delete "$base/$1" --key-file "$key"
}

median() {
	sort -n "$1" | sed -n "$(((rounds + 1) / 2))p"
}

up_ours() {
	fresh ours
	seconds "$ctl" upload "$tmp/data" "$base/ours" --format raw --json --key-file "$key" >>"$tmp/up.ours"
	sed -n 's/.*"put_pages": *\([0-9]*\).*/\1/p' "$tmp/out" >"$tmp/puts"
}

up_theirs() {
	fresh theirs
	tool create "$container/theirs" $((2 << 30))
	configs up "$base/theirs?$(tool sas "$container/theirs" rw 3600)"
	seconds curls >>"$tmp/up.theirs"
}

down_ours() {
	seconds "$ctl" download "$base/theirs" "$tmp/copy" --json --key-file "$key" >>"$tmp/down.ours"
	sed -n 's/.*"get_blobs": *\([0-9]*\).*/\1/p' "$tmp/out" >"$tmp/gets"
	[ "$round" != 1 ] || cmp "$tmp/data" "$tmp/copy" || bail_out "the copy differs"
	rm "$tmp/copy"
}

down_theirs() {
	configs down "$base/theirs?$(tool sas "$container/theirs" r 3600)"
	seconds curls_down >>"$tmp/down.theirs"
	rm -f "$tmp"/got.*
}

# Now one first, now the other: the file system goes on for a while with what was deleted.
order='ours theirs'
for round in $(seq "$rounds"); do
	for way in up down; do
		for whose in $order; do
			"${way}_$whose"
		done
	done
	order="${order#* } ${order% *}"
done

for way in up down; do
	ours=$(median "$tmp/$way.ours") theirs=$(median "$tmp/$way.theirs")
	awk "BEGIN { exit !($ours <= $theirs) }"
	ok $? "${way}load of 1 GiB: $ours s, curl $theirs s: $(awk "BEGIN { printf \"%.2f\", $theirs / $ours }") times as fast (1 needed)"
	echo "# seconds, of all rounds: $(sort -n "$tmp/$way.ours" | tr '\n' ' '); curl $(sort -n "$tmp/$way.theirs" | tr '\n' ' ')"
done
is "$(cat "$tmp/puts") $(cat "$tmp/gets")" "256 256" "requests: as few as 4 MiB allow"
plan
