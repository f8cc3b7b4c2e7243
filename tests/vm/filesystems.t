#!/bin/sh
# SPDX-License-Identifier: MIT
#
# File systems that the kernel lacks: NTFS is mounted by ntfs-3g; what is said of others.
# Needs root and kernels, as scripts/setup brings them.

cd "$(dirname "$0")/../.." && . tests/vm/suite.sh

subject() {
	guest "$1" --timeout 480 -- tests/vm/guest/filesystems.sh
}

for_each_kernel subject
plan
