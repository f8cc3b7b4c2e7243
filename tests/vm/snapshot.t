#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Snapshots of a mounted drive, taken while it is written to, and mounted beside it; what
# --fsck repairs and refuses; NTFS.
# Needs root, kernels and Azurite, as scripts/setup brings them.

cd "$(dirname "$0")/../.." && . tests/vm/suite.sh
kernels=${TEST_KERNELS:-6.1}

subject() {
	container=$(new_container)
	guest "$1" --timeout 480 -- tests/vm/guest/snapshot.sh "$container"
}

start_azurite
for_each_kernel subject
plan
