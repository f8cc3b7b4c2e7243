#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154  # shared with tests/vm/lib.sh
#
# Guest side of manners.t.

. tests/vm/guest/lib.sh

export PYTHONDONTWRITEBYTECODE=1

modprobe cdrive || bail_out "no module"
for part in commands account calls remove; do
	timeout 200 /usr/bin/python3 tests/vm/guest/manners_$part.py
	ok $? "all of $part ran"
done

# The store is here, too: nothing outside is needed, and it's quicker.
start_store
mount_drive "$base/manners" 64M

try "direct I/O at every alignment" timeout 100 "$VM_OUT/manners_direct" "$device" 1 300
diag "$output"
try "the same, on a partition that begins at an odd sector" eval '
	echo 2049,8192 | sfdisk -q --no-tell-kernel "$device" && blockdev --rereadpt "$device" &&
	wait_for 10 [ -b "${device}p1" ] && timeout 100 "$VM_OUT/manners_direct" "${device}p1" 2 100'
try "io_uring: registered buffers, a registered file" timeout 100 "$VM_OUT/manners_uring" fixed "$device" 200
diag "$output"
[ "$(status .requests.errors)" = 0 ]
ok $? "no request failed"
unload
# Of a disk that goes with a limit of io.max, 6.12 loses what kept that limit: a loop
# device's just so.
is "$(module_leaks)" '' "the module has lost nothing"
plan
