#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154  # of tests/cli/lib.sh
#
# How far upload, download and copy are: a bar on a terminal (tests/cli/terminal.py), lines
# elsewhere, and in the end nothing but the result.

cd "$(dirname "$0")/../.." && . tests/cli/lib.sh

store_options='--async-copy-above 2M --copy-time 4000'
start_store devstore
dd if=/dev/urandom of="$tmp/data" bs=1M count=64 status=none

# shows COLUMNS ARGUMENT...: on such a terminal; $tmp/now is what was there meanwhile, and
# $tmp/end in the end. (What is too wide counts for nothing but the result.)
shows() {
	columns=$1
	shift
	tests/cli/terminal.py "$columns" "$ctl" "$@" --key-file "$key" >"$tmp/shown" 2>"$tmp/stderr"
	got=$?
	sed -n 's/^now //p' "$tmp/shown" >"$tmp/now"
	sed -n 's/^end //p' "$tmp/shown" >"$tmp/end"
}

# drawn NAME PATTERN: all that was shown is of that form, it came several times, and went
# forward only
drawn() {
	[ "$(wc -l <"$tmp/now")" -ge 3 ] && ! grep -Evx "$2" "$tmp/now" &&
		! grep -q "^wide $verb: " "$tmp/shown" &&
		sed 's/[^%]*[^0-9]\([0-9]*\)%.*/\1/' "$tmp/now" | sort -nc
	ok $? "$1" || diag "$(cat "$tmp/shown")"
}

left='[0-9.]+[KMG]?/s(, [0-9]+:[0-9][0-9] left)?'
# Before it is known how much there is to do.
first='0, 0/s'

for verb in upload download copy; do
	case $verb in
	upload) set -- upload "$tmp/data" "$base/disk" --format raw --connections 2 ;;
	download) set -- download "$base/disk" "$tmp/copy" --connections 2 ;;
	copy) set -- copy "$base/disk" "$base/copy" ;;
	esac
	fault set delay --delay 250 --op PutPage >/dev/null
	fault set delay --delay 250 --op GetBlob >/dev/null
	shows 100 "$@"
	is "$got" 0 "$verb: done"
	drawn "$verb: a bar, the part, rate and time left" "$verb: (\[#*\.*\] +[0-9]+% of 64M, $left|$first)"
	is "$(wc -l <"$tmp/end")" 1 "$verb: in the end there is only the result"
	grep -Eq ': .*64M in [0-9.]+ s \(.*/s\), [0-9]+ transactions$' "$tmp/end"
	ok $? "$verb: $(sed 's/.*: //' "$tmp/end")"
	[ $verb = copy ] && tool delete "$container/copy"
	[ $verb = upload ] && tool delete "$container/disk"
	shows 30 "$@"
	drawn "$verb: on a narrow terminal no bar, and what there is room for" "$verb: ( *[0-9]+% of 64M.*|$first)"
	[ $verb = copy ] && tool delete "$container/copy"
	[ $verb = upload ] && tool delete "$container/disk"
	# Long enough for a line, which comes after two seconds.
	[ $verb = copy ] || set -- "$@" --connections 1
	"$ctl" "$@" --key-file "$key" >"$tmp/stdout" 2>"$tmp/stderr"
	is $? 0 "$verb: without a terminal"
	[ -s "$tmp/stderr" ] && ! grep -Evx "clouddrivectl: $verb: [0-9]+% of 64M, $left" "$tmp/stderr" &&
		[ "$(wc -l <"$tmp/stderr")" -le 5 ]
	ok $? "$verb: a line now and then: $(tail -n 1 "$tmp/stderr")"
	fault clear
done

fault set delay --delay 250 --op PutPage >/dev/null
verb=upload
shows 100 upload - "$base/pipe" --format raw --connections 2 <"$tmp/data"
is "$got" 0 "upload of standard input"
mkfifo "$tmp/pipe"
cat "$tmp/data" >"$tmp/pipe" &
shows 100 upload "$tmp/pipe" "$base/pipe2" --format raw --connections 2
is "$got" 0 "upload of a pipe, whose end is not known"
[ "$(wc -l <"$tmp/now")" -ge 3 ] && ! grep -Evx 'upload: [0-9.]+M?, [0-9.]+[KMG]?/s' "$tmp/now"
ok $? "how much, and the rate: $(tail -n 1 "$tmp/now")"

# --- what fails, and is interrupted -------------------------------------------------------

fault set answer --status 403 --op PutPage >/dev/null
shows 100 upload "$tmp/data" "$base/fails" --format raw --connections 1
is "$got" 4 "one that fails"
is "$(wc -l <"$tmp/end") $(grep -c '^clouddrivectl: upload: .*not authorised' "$tmp/end")" "1 1" \
	"in the end there is only the message"
fault clear
shows 100 copy "$base/disk" "$base/disk"
is "$got $(wc -l <"$tmp/now")" "2 0" "nothing is drawn before there is something to be done"
plan
