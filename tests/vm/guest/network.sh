#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Guest side of network.t.
# usage: network.sh

. tests/vm/guest/lib.sh

start_store
port=${base#*://*:}
port=${port%%/*}

nft -f - <<-RULES || bail_out "no firewall"
	table ip firewall {
		set forgotten { type inet_service; }
		chain in {
			type filter hook input priority 0;
			tcp sport @forgotten drop
			tcp dport @forgotten drop
		}
	}
RULES

# The client's ports that are connected with the store.
connected() {
	ss -Htn state established "( dport = :$port )" | sed 's/.*:\([0-9]*\) .*/\1/'
}

# The firewall forgets what is connected at the moment.
forget() {
	for gone in $(connected); do
		nft add element ip firewall forgotten "{ $gone }"
	done
}

# within SECONDS NAME COMMAND...
within() {
	most=$1
	within_name=$2
	shift 2
	began=$(date +%s%N)
	try "$within_name" "$@"
	took=$((($(date +%s%N) - began) / 1000000))
	[ $took -lt $((most * 1000)) ]
	ok $? "$within_name: $took ms, less than $most s"
}

write_one() {
	dd if=/dev/urandom of="$device" bs=4k count=1 seek="$1" oflag=direct status=none
}

read_one() {
	dd if="$device" of=/dev/null bs=4k count=1 skip="$1" iflag=direct status=none
}

# Whether it has ever been anything but live is what the watcher finds.
watch_state() {
	while [ -e /tmp/watch ]; do
		now=$(state)
		[ "$now" = live ] || echo "$now" >>/tmp/states
		sleep 0.2
	done
}

mount_drive "$base/disk" 64M
: >/tmp/watch
watch_state &
try "many connections" verified_fio 100 --ioengine=libaio --iodepth=16 --rw=randwrite --bs=4k --size=1M
[ "$(connected | wc -l)" -ge 8 ]
ok $? "they are kept: $(connected | wc -l)"

forget
within 6 "the first read after the firewall has forgotten all" read_one 3
forget
within 6 "the first write, whose fate is unknown at first" write_one 5
try "connections again" verified_fio 100 --ioengine=libaio --iodepth=16 --rw=randwrite --bs=4k --size=1M
forget
within 10 "all connections used at once" verified_fio 100 --ioengine=libaio --iodepth=16 \
	--rw=randwrite --bs=4k --size=128k

# More than a lease, in which nothing is remembered for long.
until=$(($(date +%s) + 75))
tries=0
while [ "$(date +%s)" -lt $until ]; do
	forget
	sleep 5
	read_one $tries || fail "read $tries"
	tries=$((tries + 1))
done
diag "$tries rounds"
rm /tmp/watch
wait $!
is "$(sort -u /tmp/states 2>/dev/null)" "" "it was live all the time"
is "$(status .requests.errors)" 0 "no request failed"
unload
plan
