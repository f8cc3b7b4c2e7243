#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154  # of tests/cli/lib.sh
#
# SIGINT, SIGTERM, SIGHUP and SIGKILL at random moments of the verbs that work on blobs:
# what is left is nothing, or all, or marked as unfinished; what is said is true; and the
# same command does it afterwards. On devstore, slowed down so that there are moments.
# $INTERRUPT_SEED repeats what a run did, $INTERRUPT_ROUNDS (6) is how often each is hit.

cd "$(dirname "$0")/../.." && . tests/cli/lib.sh

rounds=${INTERRUPT_ROUNDS:-6}
seed=${INTERRUPT_SEED:-$(date +%s)}
diag "INTERRUPT_SEED=$seed"

# chance N: the next of a row of numbers below N
chance() {
	seed=$(((seed * 1103515245 + 12345) % 2147483648))
	chance=$((seed / 65536 % $1))
}

store_options='--async-copy-above 2M --copy-time 2500'
start_store devstore
dd if=/dev/urandom of="$tmp/data" bs=1M count=24 status=none
export TMPDIR="$tmp/tmp"
mkdir "$TMPDIR"

# hit MILLISECONDS ARGUMENT...: runs it, with a signal after a random part of that time;
# sets $signal and $got (or 128 and more)
hit() {
	most=$1
	shift
	chance 4
	signal=$(echo INT TERM HUP KILL | cut -d' ' -f$((chance + 1)))
	chance "$most"
	# A shell has what is in its background ignore SIGINT.
	env --default-signal=INT "$ctl" "$@" --key-file "$key" >"$tmp/stdout" 2>"$tmp/stderr" </dev/null &
	pid=$!
	sleep "$(awk "BEGIN { print $chance / 1000 }")"
	kill -s "$signal" $pid 2>/dev/null
	wait $pid 2>/dev/null
	got=$?
	when="SIG$signal after $chance ms: status $got"
}

# said_so: what ended by itself had a reason to give, in a message (it may have been
# killed before it could)
said_so() {
	case $got in
	0) [ "$(wc -l <"$tmp/stdout")" -le 1 ] ;;
	1) grep -v ' left$\|/s$' "$tmp/stderr" | grep -q "^clouddrivectl: .*: .*interrupted by .*; " ;;
	129 | 130 | 137 | 143) ;;
	*) false ;;
	esac
}

there() {
	blobs | grep -qx "$1"
}

# whole NAME: it is the file, for another client, and marked as nothing else
whole() {
	tool download "$container/$1" "$tmp/arrived" && cmp "$tmp/arrived" "$tmp/data" && [ -z "$(mark_of "$1")" ]
}

# honest BLOB: it is not there, or unfinished, or the command said that all is done, or
# was killed at the very end
honest() {
	there "$1" || return 0
	[ -z "$(mark_of "$1")" ] || { [ "$got" != 0 ] && return 0; }
	case $got in
	0 | 129 | 130 | 137 | 143) [ -z "$(mark_of "$1")" ] ;;
	*) false ;;
	esac
}

# check NAME COMMAND...: with what was shown, if it fails
check() {
	check_name=$1
	shift
	"$@" >"$tmp/check" 2>&1
	check_status=$?
	ok $check_status "$check_name"
	[ $check_status = 0 ] || {
		diag "$(cat "$tmp/check")"
		show_output
	}
}

fault set delay --delay 60 >/dev/null

for round in $(seq "$rounds"); do
	hit 1500 create "$base/made" --size 1T --fs ntfs
	check "create $round: $when" said_so
	check "create: what is left is no drive by halves" honest made
	! there made || [ $got = 0 ] || [ $got -gt 128 ]
	ok $? "create: and nothing, unless it was killed"
	check "create: no file is left, either" [ -z "$(ls "$TMPDIR")" ]
	ctl delete "$base/made" --key-file "$key"
	ctl create "$base/made" --size 16M --fs none --key-file "$key"
	is "$got" 0 "create: then it can be made"
	ctl delete "$base/made" --key-file "$key"
done

for round in $(seq "$rounds"); do
	hit 700 upload "$tmp/data" "$base/sent" --format raw --connections 2
	check "upload $round: $when" said_so
	check "upload: what is left is no drive by halves" honest sent
	if [ "$got" != 0 ] && ! { there sent && [ -z "$(mark_of sent)" ]; }; then
		ctl upload "$tmp/data" "$base/sent" --format raw --key-file "$key"
		is "$got" 0 "upload: the same command goes on"
	else
		pass "upload: it had come to its end"
	fi
	check "upload: it is whole" whole sent
	ctl delete "$base/sent" --key-file "$key"
done

tool upload "$tmp/data" "$container/disk"
for round in $(seq "$rounds"); do
	echo old >"$tmp/got"
	hit 400 download "$base/disk" "$tmp/got" --connections 2
	check "download $round: $when" said_so
	cmp -s "$tmp/got" "$tmp/data" || [ "$(cat "$tmp/got")" = old ]
	ok $? "download: the file is what it was, or whole"
	ctl download "$base/disk" "$tmp/got" --key-file "$key"
	is "$got" 0 "download: the same command goes on"
	check "download: it is whole" cmp "$tmp/got" "$tmp/data"
	check "download: nothing else is left" [ ! -e "$tmp/got.part" ]
done

# A copy that was begun the service ends by itself, when nobody is left to abort it.
settled() {
	! there copy || [ "$(tool props "$container/copy" | jq -r .copyStatus)" != pending ]
}
for round in $(seq "$rounds"); do
	hit 3000 copy "$base/disk" "$base/copy"
	check "copy $round: $when" said_so
	check "copy: comes to an end" wait_for 20 settled
	! there copy || [ "$got" = 0 ] || [ "$got" -gt 128 ]
	ok $? "copy: nothing is left, unless it was killed"
	check "copy: what there is is whole" eval '! there copy || whole copy'
	ctl delete "$base/copy" --key-file "$key"
	ctl copy "$base/disk" "$base/copy" --key-file "$key"
	is "$got" 0 "copy: then it can be made"
	check "copy: and is whole" whole copy
	ctl delete "$base/copy" --key-file "$key"
done

for round in $(seq "$rounds"); do
	hit 200 snapshot "$base/disk"
	check "snapshot $round: $when" said_so
	[ "$got" != 0 ] || grep -q '?snapshot=20' "$tmp/stdout"
	ok $? "snapshot: its URL is told, if it was taken in time"
	hit 200 delete "$base/disk" --snapshots
	check "delete: $when" said_so
	[ "$got" != 0 ] || ! there disk
	ok $? "delete: what is said to be deleted is gone"
	there disk || tool upload "$tmp/data" "$container/disk"
	check "delete: what is there is whole" whole disk
done
fault clear
plan
