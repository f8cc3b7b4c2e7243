#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Guest side of heap.t.
# usage: heap.sh CONTAINER SECONDS

. tests/vm/guest/lib.sh

tracing=/sys/kernel/tracing

# Counts the helper's calls, and its threads', without stopping any.
trace_calls() {
	mount -t tracefs none $tracing 2>/dev/null
	[ -d $tracing/events/syscalls/sys_enter_brk ] || return 1
	echo 1 >$tracing/options/event-fork
	echo "$helper" >$tracing/set_event_pid
	for call in brk mmap mremap clone clone3; do
		echo 1 >"$tracing/events/syscalls/sys_enter_$call/enable" || return 1
	done
}

calls() {
	grep -v '^#' $tracing/trace
}

# By the kernel's count, since the helper began
page_faults() {
	awk '{ print $10 + $12 }' "/proc/$helper/stat"
}

# mixed SECONDS: reads, writes and discards of 4 KiB to 4 MiB, more than there are connections
mixed() {
	timeout $(($1 + 120)) fio --minimal --output=/tmp/fio.out --filename="$device" --direct=1 \
		--ioengine=libaio --time_based --runtime="$1" --group_reporting --randrepeat=0 \
		--name=mixed --rw=randrw --bssplit=4k/40:64k/30:1m/20:4m/10 --iodepth=40 --size=2G \
		--name=trim --rw=randtrim --bs=64k --iodepth=4 --offset=2G --size=1G
}

# Whatever happens to calls and connections, one after the other, until the load is over;
# each has happened before the next does.  Meanwhile somebody asks for the status.
troubles='reset --count 6
answer --status 503 --op read --count 2
answer --status 500 --count 3
hangup --bytes 1000 --op read --count 3
delay --delay 2000 --op read --count 4
lose --op write --delay 100 --count 1
truncate --bytes 100 --op read --count 2
corrupt --op read --count 2'
trouble() {
	while ! ended "$load"; do
		echo "$troubles" | while read -r fault; do
			! ended "$load" || break
			host devstore fault set "$fault" >>/tmp/faults 2>&1
			echo "$fault: $?" >>/tmp/faults
			wait_for 20 no_fault_left
			status .memory.used >>/tmp/used
		done
	done
	host devstore fault clear >/dev/null
}

no_fault_left() {
	ended "$load" || [ -z "$(host devstore fault list)" ]
}

SSL_CERT_FILE=/tmp/ca.pem
export SSL_CERT_FILE
cp "$VM_OUT/ca.pem" $SSL_CERT_FILE
mount_drive "$TEST_URL/$1/disk" 4G
helper=$(helper_pid)
# The first of everything: pages of files that were mapped and have not been used yet.
try "a load to begin with" mixed 5
trace_calls
traced=$?
[ $traced -eq 0 ] || diag "this kernel can't count calls"
faults=$(page_faults)
told=$(status .memory.faults)

mixed "$2" &
load=$!
trouble
wait $load
ok $? "$2 s of mixed load, reconnects and retries over TLS"
now=$(page_faults)
is "$(helper_pid)" "$helper" "by one helper"
is "$(status .requests.errors)" 0 "no request failed"
[ "$(status .transactions.failed)" -ge 3 ]
ok $? "calls had failed"
is "$now" "$faults" "the helper had no page fault"
[ $traced -ne 0 ] || is "$(calls | head -n 5)" '' "it made no brk, mmap, mremap or thread"
is "$(status .memory.grown)" 0 "its heap has not grown since the drive was attached"
is "$(status .memory.faults)" "$told" "nor has it told of a page fault"
diag "$(status '.memory | tostring'); most used: $(sort -n /tmp/used | tail -n 1) bytes; $(status '.transactions | tostring')"
unload
plan
