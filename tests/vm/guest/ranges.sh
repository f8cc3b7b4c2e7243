#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Guest side of ranges.t.
# usage: ranges.sh CONTAINER COUNT [STRICT]

. tests/vm/guest/lib.sh

container=$1 count=$2 strict=${3-}
export AZURE_STORAGE_KEY="${azurite_key:?}"

ms() {
	echo $(($(date +%s%N) / 1000000))
}

# timed_mount BLOB: $took ms
timed_mount() {
	url=$TEST_URL/$container/$1
	began=$(ms)
	mount_again
	took=$(($(ms) - began))
}

# What a page holds, as a number: each of its words has to be that.
page() {
	dd if="$device" bs=512 skip="$1" count=1 iflag=direct status=none |
		od -An -v -t u8 -w8 | sort -u | tr -d ' \n'
}

listed() {
	[ "$(status .service.listed)" = true ]
}

served_again() {
	another_than "$helper" && state_is live && [ "$(page 2)" = 2 ]
}

timed_mount warm
unmount_drive
timed_mount none
none=$took
unmount_drive
timed_mount many
many=$took
diag "mounted after $many ms, one without ranges after $none ms: $((100 * many / none)) %"
[ "$strict" ] && {
	[ $((2 * many)) -le $((3 * none)) ]
	ok $? "$count ranges: mounted in the time of none, or half as much again"
}
is "$(status .service.listed)" false "it is mounted, and nothing is listed yet"
last=$((2 * count - 2))
is "$(page $last)" $last "what is in it is read"
is "$(page 1)" 0 "what is not is zeros"
try "it is written to" dd if=/dev/urandom of="$device" bs=4k seek=200000 count=1 oflag=direct status=none

helper=$(helper_pid)
began=$(ms)
kill -KILL "$helper"
wait_for 60 served_again
ok $? "a helper that is killed has a successor that serves"
took=$(($(ms) - began))
diag "it was back after $took ms"
[ "$strict" ] && {
	[ $took -le 1000 ]
	ok $? "$count ranges: back within a second"
}
is "$(status .service.listed)" false "which has no list either"

host devstore fault clear >/dev/null
began=$(ms)
try "it comes by the list in the end" wait_for 200 listed
diag "after $((($(ms) - began) / 1000)) s"
reads=$(status .transactions.reads)
is "$(page $((2 * count + 1000)))" 0 "what was never written is zeros"
is "$(status .transactions.reads)" "$reads" "which the service need not be asked for any more"
is "$(page $last)" $last "and what is in it is read as before"
[ "$(page $((8 * 200000)) | wc -c)" -gt 30 ]
ok $? "what was written meanwhile, too"
is "$(status .requests.errors)" 0 "no request failed"
unload
plan
