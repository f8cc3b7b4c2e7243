#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The block device: attributes, discard and write-zeroes down to the blob's pages,
# reads of what was never written, partitions, read-only; permissions and unloading.
# Needs root, kernels and Azurite, as scripts/setup brings them.

cd "$(dirname "$0")/../.." && . tests/vm/suite.sh

# For the guest: the blob's pages that begin or end between two offsets.
pages_between() {
	blobtool pages "$container/disk" | awk -v from="$1" -v to="$2" '$1 < to && $1 + $2 > from'
}

subject() {
	container=$(new_container)
	guest "$1" --timeout 400 -- sh -c 'tests/vm/guest/drive.sh "$1"; status=$?
		tests/vm/guest/unload.sh "$1" && exit $status' sh "$container"
}

start_azurite
for_each_kernel subject
plan
