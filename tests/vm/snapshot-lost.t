#!/bin/sh
# SPDX-License-Identifier: MIT
#
# What snapshot, copy --via-snapshot and mount --fsck say when what was written can't be put
# into the blob: see unmount.t.
# Needs root and kernels, as scripts/setup brings them.

cd "$(dirname "$0")/../.." && . tests/vm/suite.sh
kernels=${TEST_KERNELS:-uml}

subject() {
	guest "$1" --timeout 900 -- tests/vm/guest/snapshot-lost.sh
}

for_each_kernel subject
plan
