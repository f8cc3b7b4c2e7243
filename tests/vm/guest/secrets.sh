#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Guest side of secrets.t.
# usage: secrets.sh CONTAINER

. tests/vm/guest/lib.sh

search=tests/vm/guest/search.py
log=/tmp/log

# found PID: which forms of the key its memory holds, and how that is mapped
found() {
	python3 $search memory /tmp/key "$1"
}

# nothing_in NAME PID
nothing_in() {
	is "$(found "$2")" "" "$1: not in its memory"
	! python3 $search files /tmp/key "/proc/$2/environ" "/proc/$2/cmdline" "/proc/$2/comm"
	ok $? "$1: neither in its environment nor its arguments"
}

# status_of NAME PID CAPABILITIES
status_of() {
	is "$(sed -n 's/^\(CapInh\|CapPrm\|CapEff\|CapBnd\|CapAmb\|NoNewPrivs\|Seccomp\):\t/\1 /p' \
		"/proc/$2/status" | tr '\n' ' ')" \
		"CapInh 0000000000000000 CapPrm $3 CapEff $3 CapBnd $3 CapAmb 0000000000000000 NoNewPrivs 1 Seccomp 2 " \
		"$1: what it may do"
}

# What the units promise, with all of root's capabilities and with Landlock.
for unit in test_sandbox test_secret; do
	CMOCKA_MESSAGE_OUTPUT=TAP build/unit/$unit >/tmp/unit 2>&1
	ok $? "$unit"
	grep -q '^not ok' /tmp/unit && diag "$(cat /tmp/unit)"
done

echo "$AZURE_STORAGE_CONNECTION_STRING" | sed 's/.*AccountKey=\([^;]*\).*/\1/' >/tmp/key
python3 $search syslog $log &
wait_for 10 [ -S /dev/log ] || bail_out "no system log"
at_exit "kill $!"
# A directory of their own: the project may be below /tmp, with many a file called core.
mkdir /run/cores
sysctl -q kernel.core_pattern=/run/cores/%e.%p
prlimit --core=unlimited --pid $$

# The search finds what is there to be found.
sh -c "read -r key </tmp/key; kill -STOP \$\$; echo \"\$key\" >/dev/null" &
holder=$!
wait_for 10 grep -q '^State:.T' /proc/$holder/status
found $holder | grep -q '^base64 '
ok $? "(a process that holds the key is found)"
kill -ABRT $holder
kill -CONT $holder
wait $holder 2>/dev/null
[ -n "$(ls /run/cores)" ] && python3 $search files /tmp/key /run/cores/*
ok $? "(and its core, with the key)"
rm -f /run/cores/*

mount_drive "$TEST_URL/$1/disk" 64M
dd if=/dev/urandom of="$device" bs=1M count=4 oflag=direct status=none
helper=$(cat "$sysfs/cdrive/helper_pid")
agent=$(head -n 1 /run/clouddrive/"$disk".agent)
spawner=$(pgrep -x cdrive-spawner)
[ "$helper" -gt 0 ] && [ "$agent" -gt 0 ] && [ "$spawner" -gt 0 ]
ok $? "helper $helper, agent $agent, spawner $spawner"

found "$agent" >/tmp/found
grep -q '^raw ' /tmp/found
ok $? "agent: has the key"
is "$(grep -v -e ' lo .*dd' -e ' dd .*lo' /tmp/found)" "" "agent: in nothing but locked pages that no core gets"
is "$(grep -v '^raw ' /tmp/found)" "" "agent: and as it is signed with only"
! python3 $search files /tmp/key "/proc/$agent/environ" "/proc/$agent/cmdline"
ok $? "agent: neither in its environment nor its arguments"
nothing_in helper "$helper"
nothing_in spawner "$spawner"

status_of helper "$helper" 0000000000000000
status_of agent "$agent" 0000000000000000
status_of spawner "$spawner" 0000000001205104
# Not dumpable: for those who may not trace everything, it is another's process.
may_look() {
	setpriv --bounding-set -sys_ptrace cat "/proc/$1/environ" >/dev/null 2>&1
}
setpriv --bounding-set -sys_ptrace sleep 1000 &
at_exit "kill $!"
wait_for 10 may_look $!
ok $? "(an ordinary process can be looked into)"
for pid in $helper $agent $spawner; do
	! may_look "$pid"
	ok $? "process $pid can't be"
done

is "$(find /run/clouddrive \( -perm /077 -o ! -user root \) -printf '%p %M %u\n')" "" \
	"/run/clouddrive is root's alone"
is "$(find /run/clouddrive -printf '%y\n' | sort -u | tr -d '\n')" "dfs" \
	"(the directory, files and a socket)"
! find /run/clouddrive -type f -print0 | xargs -0 python3 $search files /tmp/key
ok $? "nor is it in a file there"
! grep -rq sig= /run/clouddrive --include='*.json'
ok $? "where there is no SAS either"

# --- cores ----------------------------------------------------------------------------

# Sets $helper
is_another_helper() {
	pid=$(cat "$sysfs/cdrive/helper_pid")
	[ "$pid" -gt 0 ] && [ "$pid" != "$helper" ] && state_is live && helper=$pid
}
for signal in ABRT SEGV; do
	kill -$signal "$helper"
	wait_for 60 is_another_helper
	ok $? "the helper died by SIG$signal, and there is another"
	[ "$tap_failed" = 0 ] || diag "$(state): $(tail -n 20 $log)"
done
nothing_in "the last helper" "$helper"
status_of "the last helper" "$helper" 0000000000000000
kill -SEGV "$agent"
wait_for 10 [ ! -e "/proc/$agent" ]
ok $? "the agent died by SIGSEGV"
is "$(ls /run/cores)" "" "no cores"
try "the drive goes on" dd if="$device" of=/dev/null bs=1M count=1 iflag=direct status=none

dmesg >/tmp/dmesg
! python3 $search files /tmp/key /tmp/dmesg $log
ok $? "not in the system's log"
[ -s $log ]
ok $? "(which was written)"
! grep sig= /tmp/dmesg $log
ok $? "nor is a SAS"
unload
