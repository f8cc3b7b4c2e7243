#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Guest side of lost-answers.t: what tests/azurite/faultproxy.mjs does to the requests
# of a drive goes unnoticed. Ends by the case that sequence numbers are there for: a
# write that was given up, and lands after a later one was acknowledged.
# usage: lost.sh CONTAINER

. tests/vm/guest/lib.sh

fault() {
	host fault "$@"
}

number() {
	host blobtool props "$blob" | jq .blobSequenceNumber
}

# shaken NAME RULE...: a verified load while the rules are in force
shaken() {
	what=$1
	shift
	for rule in "$@"; do
		fault "'/rule?$rule'" >/dev/null
	done
	verified_fio 150 --ioengine=libaio --iodepth=16 --rw=randwrite --bssplit=4k/80:16k/18:512k/2 \
		--size=8M --verify_backlog=64
	ok $? "$what: no error, every block right"
	fault /clear >/dev/null
}

blob=$1/disk
mount_drive "$TEST_URL/$blob" 64M
before=$(number)

shaken "lost answers to writes" 'do=lose&method=PUT&comp=page&every=20&count=40'
lost=$(fault /stats | jq .lose)
[ "$lost" -ge 10 ]
ok $? "$lost answers were lost"
after=$(number)
[ "$after" -gt "$before" ]
ok $? "the sequence number rose from $before to $after"
is "$(status .sequence_number)" "$after" "the helper knows it"

shaken "lost answers to everything, raises of the number too" 'do=lose&comp=properties&every=2&count=6' \
	'do=lose&comp=lease&count=1' 'do=lose&every=40&count=20'
shaken "answers cut in the middle" 'do=truncate&every=20&count=30'
shaken "requests that never arrive" 'do=drop&every=20&count=30'
shaken "a busy server" 'do=refuse&every=20&count=20'
shaken "connections closed after an answer" 'do=close&every=5'
fault /stats

fault "'/rule?do=lose&method=PUT&comp=page&count=2'" >/dev/null
try "a discard whose answer is lost" blkdiscard -o 1M -l 2M "$device"
try "zeroes are there" sh -c 'dd if="$1" bs=1M skip=1 count=2 iflag=direct status=none |
	cmp -n 2097152 - /dev/zero' sh "$device"

# --- a write that lands late ------------------------------------------------------------

for letter in A B; do
	head -c 65536 /dev/zero | tr '\0' $letter >/tmp/$letter
done
nothing_in_doubt() {
	[ "$(status .service.in_doubt)" = 0 ]
}
wait_for 30 nothing_in_doubt
ok $? "a drive that is left alone raises the number, and nothing is in doubt"
is "$(number)" "$(status .sequence_number)" "the helper knows the number"
before=$(number)
fault "'/rule?do=hold&method=PUT&comp=page&count=1'" >/dev/null
try "A is written, the first request being held back" dd if=/tmp/A of="$device" bs=64k oflag=direct
is "$(fault /stats | jq .held)" 1 "that is held"
try "B is written over it" dd if=/tmp/B of="$device" bs=64k oflag=direct
[ "$(number)" -gt "$before" ]
ok $? "the number was raised before B was acknowledged"
fault /release >/tmp/released
is "$(jq -r '.[0].status' /tmp/released)" 412 "the held one is refused at last"
is "$(jq -r '.[0].code' /tmp/released)" SequenceNumberConditionNotMet "by its sequence number"
try "B is what is read" cmp -n 65536 /tmp/B "$device"
is "$(status .requests.errors)" 0 "no request failed"
unload
is "$(host first_bytes)" "$(sha256sum </tmp/B)" "B is in the blob"
plan
