#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Guest side of swap.t.
# usage: swap.sh CONTAINER BLOB

. tests/vm/guest/lib.sh

# A process of so many MiB: writes all of its memory, and finds every 16th page again. What
# it was at when time was up tells what is slow from what stands still.
hog() {
	timeout -s INT 700 python3 - "$1" <<'END'
import sys

size = int(sys.argv[1]) << 20
memory = bytearray(size)
at = 0
try:
    for at in range(0, size, 4096):
        memory[at:at + 8] = at.to_bytes(8, "big")
    print("all is written", flush=True)
    for at in range(0, size, 65536):
        if memory[at:at + 8] != at.to_bytes(8, "big"):
            sys.exit(f"byte {at} of the memory is not what was written")
except KeyboardInterrupt:
    sys.exit(f"time is up at {at >> 20} MiB")
END
}

memory=$(awk '/^MemTotal/ { print int($2 / 1024) }' /proc/meminfo)
make_drive "$TEST_URL/$1/$2" 512M
sysctl -qw vm.min_free_kbytes=2047
mount_again 2>/tmp/said
grep -q 'vm.min_free_kbytes is 2047' /tmp/said
ok $? "mount says that little memory is kept free"
unmount_drive
sysctl -qw vm.min_free_kbytes=2048
mount_again 2>/tmp/said
is "$(cat /tmp/said)" '' "and nothing when it is enough"
diag "$memory MiB, min_free_kbytes $(cat /proc/sys/vm/min_free_kbytes)"
helper=$(helper_pid)
mkswap "$device" >/dev/null && swapon "$device"
ok $? "the drive is swap"
before=$(status .requests.written_bytes)
started=$(date +%s)
try "a process of $((memory + 60)) MiB" hog $((memory + 60))
diag "$(($(date +%s) - started)) s; $(status '.memory | tostring')"
[ $(($(status .requests.written_bytes) - before)) -ge $((60 << 20)) ]
ok $? "60 MiB at least were written to the drive"
is "$(helper_pid)" "$helper" "by one helper"
is "$(status .memory.grown)" 0 "whose heap has not grown"
is "$(status .requests.errors)" 0 "no request failed"
try "swapoff" timeout 200 swapoff "$device"
unload
plan
