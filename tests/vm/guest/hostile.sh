#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154  # shared with tests/vm/lib.sh
#
# Guest side of hostile.t.
# usage: hostile.sh SECONDS

. tests/vm/guest/lib.sh

seconds=$((($1 + 1) / 2)) # the first half is for all together, the second for root alone
nobody='setpriv --reuid=65534 --regid=65534 --clear-groups'

modprobe cdrive || bail_out "no module"
family=$("$VM_OUT/nl_garbage" family)

start_store
mount_drive "$base/harmed" 64M

# begin NAME COMMAND...: in the background, with its output in /tmp/NAME
begin() {
	name=$1
	shift
	"$@" >"/tmp/$name" 2>&1 &
	eval "pid_$name=$!"
}

# ends NAME WHAT
ends() {
	eval "wait \$pid_$1"
	ok $? "$2"
	diag "$(cat "/tmp/$1")"
}

# What these say is to be refused, and what is written beside them to be read back. (Not
# where the search for partitions has left pages in the cache: a direct write that can't
# take one away leaves an error for whoever flushes the device, and unmount does.)
begin load verified_fio $((seconds + 200)) --offset=1M --ioengine=libaio --iodepth=8 --rw=randwrite --size=16M \
	--bssplit=512/20:4k/60:64k/20 --time_based --runtime="$seconds" --verify_backlog=64
# shellcheck disable=SC2086  # words
{
	begin plain $nobody "$VM_OUT/nl_nobody" 1 "$seconds" "$family"
	begin user $nobody unshare -Ur "$VM_OUT/nl_nobody" 2 "$seconds" "$family"
	begin network $nobody unshare -Urn "$VM_OUT/nl_nobody" 3 "$seconds" "$family"
}
begin payload "$VM_OUT/nl_payload" 4 "$seconds" "$family"
ends plain "nobody's messages are refused"
ends user "so are those of root in a user namespace"
ends network "and in a network namespace of his own"
ends payload "a helper that treats its drive badly"
ends load "the drive beside it: fio saw no error, and every block is right"
is "$(state)" live "it is live"
is "$(status .requests.errors)" 0 "no request of it failed"
is "$(clouddrivectl list | wc -l)" 2 "no other drive is left"
try "unmount" unmount_drive

# Root's messages are heeded, and may do anything but harm to the kernel.
no_drives() {
	[ "$(clouddrivectl list | wc -l)" = 1 ] && ! ls /dev/cdrive[0-9]* 2>/dev/null
}
seed=$(date +%s)
end=$((seed + seconds))
while [ "$(date +%s)" -lt $end ]; do
	seed=$((seed + 1))
	try "malformed messages, seed $seed" timeout 200 "$VM_OUT/nl_garbage" $seed 2000
done
diag "$output"
try "no drive is left" wait_for 60 no_drives
mount_again
try "the drive works" dd if="$device" of=/dev/null bs=1M iflag=direct

leaks=/sys/kernel/debug/kmemleak
if [ -e $leaks ]; then
	echo scan >$leaks
	sleep 6 # what is not five seconds old is no leak
	echo scan >$leaks
	is "$(grep -A 20 unreferenced $leaks | grep -m 1 -B 20 cdrive)" '' "kmemleak finds nothing of the driver's"
fi
unload
plan
