#!/bin/sh
# SPDX-License-Identifier: MIT
#
# What was written is read back: fio with checksums in sizes of 512 bytes to 4 MiB,
# depths of 1 to 64, with discards in between; then a file system.
# Needs root, kernels and Azurite, as scripts/setup brings them.

cd "$(dirname "$0")/../.." && . tests/vm/suite.sh
kernels=${TEST_KERNELS:-6.1}

subject() {
	container=$(new_container)
	guest "$1" --timeout 600 -- tests/vm/guest/integrity.sh "$container"
}

start_azurite
for_each_kernel subject
plan
