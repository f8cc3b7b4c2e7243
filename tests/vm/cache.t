#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The cache in the driver, by a helper without any service (tests/vm/guest/cache.py): what
# is a hit and what may not be, buffers that change, the lease, bits that flip, a file
# without room, what is kept of a drive that is gone, and who may have how much; then a
# whole drive under a load that verifies every block (tests/vm/guest/cache-load.sh).
# Needs root and kernels, as scripts/setup brings them.

cd "$(dirname "$0")/../.." && . tests/vm/suite.sh
kernels=${TEST_KERNELS:-uml}

subject() {
	device=/dev/vda
	[ "$1" != uml ] || device=/dev/ubda
	guest "$1" --timeout 480 --disk 64M -- tests/vm/guest/cache.sh $device
	guest "$1" --timeout 480 --disk 64M -- tests/vm/guest/cache-load.sh $device
}

for_each_kernel subject
plan
